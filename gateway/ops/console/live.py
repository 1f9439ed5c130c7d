"""Streams of what open pages show, as server-sent events: a page is rendered once a second for all
who look at it, and what is another than before is sent."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NamedTuple

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.ops.console.changes import changes
from gateway.ops.console.drawing import HEADERS
from gateway.ops.console.fresh import Fresh
from gateway.ops.operations import Role
from gateway.ops.problems import ProblemError

EVERY: Final = 1.0
"""Seconds between two looks."""

BEAT: Final = 3
"""Looks without a change after which a page is told that the stream still lives."""

MOST: Final = 100
"""Streams at a time: what a team has open, and not more than a process can feed."""


class Seen(NamedTuple):
    """What somebody looks at: a page, with the query of its address, in a role."""

    role: Role
    path: str
    query: str


class Live:
    """All streams.

    Args:
        draw: makes what a page shows, by its key.
    """

    def __init__(self, draw: Callable[[Seen], Awaitable[str]]) -> None:
        self._draw = draw
        self._shown: dict[Seen, Fresh[str]] = {}
        self._watchers: dict[Seen, int] = {}

    @property
    def open(self) -> int:
        """How many streams there are."""
        return sum(self._watchers.values())

    def ended(self) -> Response:
        """A stream for somebody whose session is over: it says so, and ends."""
        return _Stream(self, Seen("viewer", "", ""), lambda: False)

    def follow(self, key: Seen, still_there: Callable[[], bool]) -> Response:
        """A stream of a page, for as long as whoever looks is ``still_there``."""
        if self.open >= MOST:
            return Response(f"{MOST} pages are open already.\n", 503, media_type="text/plain")
        return _Stream(self, key, still_there)

    @contextlib.contextmanager
    def watching(self, key: Seen) -> Iterator[Fresh[str]]:
        """The renderings of a page, shared by all who watch it."""
        self._watchers[key] = self._watchers.get(key, 0) + 1
        try:
            yield self._shown.setdefault(key, Fresh(lambda: self._draw(key)))
        finally:
            self._watchers[key] -= 1
            if not self._watchers[key]:
                del self._watchers[key], self._shown[key]


class _Stream(Response):
    """An answer that goes on."""

    def __init__(self, live: Live, key: Seen, still_there: Callable[[], bool]) -> None:
        super().__init__(headers={**HEADERS, "x-accel-buffering": "no"})
        self.headers["content-type"] = "text/event-stream; charset=utf-8"
        del self.headers["content-length"]
        self._live = live
        self._key = key
        self._still_there = still_there

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_gone, receive, nursery.cancel_scope)
            with self._live.watching(self._key) as shown:
                await self._feed(shown, send)
            nursery.cancel_scope.cancel()
        if not nursery.cancel_scope.cancelled_caught:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_gone(self, receive: Receive, scope: trio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _feed(self, shown: Fresh[str], send: Send) -> None:
        last, silent = "", 0
        while self._still_there():
            body = b""
            try:
                text = await shown()
            except ProblemError as problem:
                body, last = event(str(problem), "stale"), ""
            else:
                silent += 1
                if text != last:
                    body, last, silent = event(changes(last, text)), text, 0
                elif silent >= BEAT:
                    body, silent = event("", "beat"), 0
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            now = trio.current_time()
            # All wake up together, so that they share one rendering.
            await trio.sleep_until((now // EVERY + 1) * EVERY)
        await send({"type": "http.response.body", "body": event("", "ended"), "more_body": True})


def event(text: str, name: str = "") -> bytes:
    """A server-sent event; one without a name is put into the page."""
    lines = [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in text.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()
