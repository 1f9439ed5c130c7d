"""Answers within a second, whatever the store does.

A call of the store takes its course and cannot be given up. So what a request asks for is done by a
task of its own, and the request waits for it for so long and no longer. How many may be left behind
in that way is bounded.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from gateway.errors import StoreError
from gateway.ops.problems import ProblemError

T = TypeVar("T")

LONGEST: Final = 0.9
"""Seconds that a request waits."""

LEFT: Final = 64
"""Calls that may be under way; those that would be more are refused. An open page asks every
second: for a store that stands still, that is a minute."""

STUCK: Final = (
    "the store does not answer: see /healthz, and the log. What was accepted is safe, and goes on "
    "when it does"
)

UNDER_WAY: Final = (
    "it is under way and holds as soon as the store takes it, which is slow or stands still: look "
    "at /api/v1/audit before you try again"
)


class Patience:
    """Has calls done within ``nursery``, and waits a little for each."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._under_way = 0

    async def look(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call that changes nothing. Raises what it raises, or ProblemError."""
        return await self._wait(call, STUCK)

    async def carry_out(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call that changes something: it is carried out also where this raises
        ProblemError because it takes too long."""
        return await self._wait(call, UNDER_WAY)

    async def _wait(self, call: Callable[[], Awaitable[T]], late: str) -> T:
        if self._under_way >= LEFT:
            raise ProblemError("store_stuck", STUCK)
        results: list[T] = []
        errors: list[Exception] = []
        over = trio.Event()

        async def run() -> None:
            self._under_way += 1
            try:
                results.append(await call())
            except Exception as error:  # noqa: BLE001  whoever waits is told
                errors.append(error)
            finally:
                self._under_way -= 1
                over.set()

        self._nursery.start_soon(run)
        with trio.move_on_after(LONGEST):
            await over.wait()
        if errors:
            error = errors[0]
            if isinstance(error, StoreError):
                raise ProblemError("store_stuck", f"the store: {error}") from error
            raise error
        if not results:
            raise ProblemError("store_stuck", late)
        return results[0]
