"""The events of one consumer, as the trio client gives them out."""

from collections import deque

import trio

from gateway.api import dialogue
from gateway.api.link import Link, Target, open_link
from gateway.api.wire import ApiError, Event


class Events:
    """The events of one consumer, as an asynchronous iterator; made by `Client.events`.

    An event counts as handled when the next one is asked for. Handled events are acknowledged
    before it waits for more, and at least once a second; after a crash, those handled and not yet
    acknowledged come again. `Client.ack` acknowledges at once, whatever has been handled.
    """

    def __init__(self, target: Target, cursor: dialogue.Cursor) -> None:
        self._target = target
        self._cursor = cursor
        self._link: Link | None = None
        self._ready: deque[Event] = deque()
        self._given: Event | None = None
        self._acked_at = 0.0
        self._pauses = dialogue.backoff()

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Event:
        if self._given is not None:
            self._cursor.handled(self._given.seq, self._given.epoch)
        while True:
            try:
                if self._link is None:
                    self._link = await open_link(self._target)
                    limit = self._link.limits.max_in_flight
                    await self._link.send(self._cursor.subscribe(limit))
                if not self._ready or trio.current_time() - self._acked_at > dialogue.ACK_EVERY:
                    await self._acknowledge(self._link)
                if self._ready:
                    event = self._ready.popleft()
                    self._given = event
                    return event
                await self._receive(self._link)
            except ApiError as error:
                await self.aclose()
                if error.code in dialogue.FATAL:
                    raise
                await trio.sleep(next(self._pauses))
            except OSError:
                await self.aclose()
                await trio.sleep(next(self._pauses))

    async def _receive(self, link: Link) -> None:
        """Wait for events; ask now and then whether the server is still there."""
        for question in (dialogue.ALIVE, None):
            with trio.move_on_after(link.limits.idle_timeout / 3):
                self._ready += self._cursor.news(await link.receive())
                self._pauses = dialogue.backoff()
                return
            if question:
                await link.send(question)
        raise ConnectionError("the server is silent")

    async def _acknowledge(self, link: Link) -> None:
        if ack := self._cursor.ack():
            await link.send(ack)
            self._acked_at = trio.current_time()

    async def aclose(self) -> None:
        """Let go of the connection. What was handled and not acknowledged will come again."""
        link, self._link = self._link, None
        if link is not None:
            await trio.aclose_forcefully(link.stream)
