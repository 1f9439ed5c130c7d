"""Looks through everything for the messages to a phone, which no index has: in slices, each a call
of its own, so that nothing else waits for long."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from gateway.queue.operators import Found
from gateway.queue.store import NEWEST, Record

TIME: Final = 0.5
"""Seconds after which what was found is told, with where to go on."""

ROWS: Final = 20_000
"""Messages that one slice of a search looks at."""

CHUNKS: Final = 200
"""Chunks of events that one slice of a search looks at."""

_ALL: Final = 1 << 40
"""No event has a higher ``seq``."""


def _number(found: tuple[str, Record]) -> int:
    return found[1].number


class Search:
    """One look.

    Args:
        read: does something on an engine's reading connection.
        slices: what is done there: an engine's ``live_slice``, ``tenants`` and ``ended_slice``.
        clock: Unix time.
        phones: spellings of the number.
        limit: messages after which it is enough for now.
    """

    def __init__(
        self,
        read: Callable[[Callable[..., Any]], Awaitable[Any]],
        slices: Any,
        clock: Callable[[], float],
        phones: Sequence[str],
        limit: int,
    ) -> None:
        self._read = read
        self._slices = slices
        self._now = clock()
        self._phones = phones
        self._limit = limit
        self._ends = time.monotonic() + TIME
        self._found: list[tuple[str, Record]] = []

    async def run(self, after: str | None) -> Found:
        """Go on behind ``after``: ``live:NUMBER`` or ``TENANT:SEQ``. What the number under 0 is
        stands with the engine."""
        where, _, text = (after or f"live:{NEWEST}").partition(":")
        place: int | None = int(text) if text.removeprefix("-").isdecimal() else 0
        if where == "live":
            while place is not None:
                if self._enough:
                    return Found(self._found, f"live:{place}")
                slice_ = self._live(place)
                found, place = await self._read(slice_)
                self._found += found
            self._found.sort(key=_number, reverse=True)  # chunks are looked through by themselves
            where, place = "0", None
        first = int(where) if where.isdecimal() else 0
        for tenant, name in await self._read(self._slices.tenants):
            if tenant < first:
                continue
            below = place if tenant == first and place is not None else _ALL
            while below is not None:
                if self._enough:
                    return Found(self._found, f"{tenant}:{below}")
                found, below = await self._read(self._ended(tenant, name, below))
                self._found += found
        return Found(self._found, None)

    @property
    def _enough(self) -> bool:
        return len(self._found) >= self._limit or time.monotonic() >= self._ends

    def _live(self, below: int) -> Callable[..., Any]:
        return lambda e: self._slices.live_slice(e, self._phones, below, self._now)

    def _ended(self, tenant: int, name: str, below: int) -> Callable[..., Any]:
        return lambda e: self._slices.ended_slice(e, tenant, name, self._phones, below)
