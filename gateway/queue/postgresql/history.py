"""When generations of history end and go (`generations`), for an open store: the newest one ends in
time, before anything is written to it that is too much younger than its first row; what is old
goes, one step at a time.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.errors import StoreError
from gateway.queue.postgresql import generations
from gateway.queue.postgresql.engine import Engine
from gateway.queue.tail import EventTail

AGAIN: Final = 60.0
"""Seconds after which it is tried again to end a generation that somebody's transaction holds."""

LEAST: Final = 3 * 86_400.0
"""Seconds for which history is kept at least, as far as the length of generations goes."""

PASS: Final = 86_400.0
"""Seconds between looks whether generation 0 takes up room for nothing."""


class History:
    """Ends generations, and forgets them.

    Args:
        engine: has the database.
        tail: has the newest events.
        clock: tells Unix time.
    """

    def __init__(self, engine: Engine, tail: EventTail, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._tail = tail
        self._clock = clock
        self._newest = engine.session.generation
        self._kept = LEAST  # until it is said
        self._tried = -math.inf
        self._walked = (0, 0)
        self._emptied_at = -math.inf

    async def turn_in_time(self) -> None:
        """End the newest generation if it has lasted for long; where that cannot be, it goes on."""
        now = self._clock()
        if not self._is_over(now) or abs(now - self._tried) < AGAIN:
            return
        self._tried = now
        # Whoever called goes on to write, and is told then what is wrong; else `prune` tells.
        with suppress(StoreError):
            await self._turn(now)

    def keep(self, before: float) -> None:
        """Go by how long history is kept: what is from before a moment is old."""
        self._kept = max(self._clock() - before, LEAST)

    def _is_over(self, now: float) -> bool:
        return generations.is_over(self._newest.since, now, self._kept / generations.TURNS)

    async def _turn(self, now: float, *, anew: bool = False) -> None:
        work = generations.turn(self._newest, now, self._kept, anew=anew)
        self._newest = await self._engine.write(work)

    async def prune(self, before: float, limit: int) -> int:
        """Forget some of what is from before a moment; returns how many rows, tables or pages of
        them went, 0 where nothing is left."""
        now = self._clock()
        self._newest = await self._engine.read(generations.current)
        if gone := await self._prune_mixed(before, limit) or await self._drop(before):
            return gone
        if self._is_over(now):
            await self._turn(now)
        return 0

    async def _drop(self, before: float) -> int:
        engine = self._engine
        old = await engine.read(lambda c: generations.oldest(c, before))
        if old is None:
            newest = self._newest
            if not await engine.read(lambda c: generations.all_old(c, newest, before)):
                return 0
            await self._turn(self._clock(), anew=True)
            return await self._drop(before)
        if old.last and await self._keep_keys(old.keys):
            return 1
        await engine.write(generations.drop(old))
        await self._forget_tail()
        return 1

    async def _keep_keys(self, keys: int) -> bool:
        """Take some of the keys over that go with an old partition and are needed; False where all
        were looked at."""
        of, page = self._walked
        if of != keys:
            page = 0
        if page >= await self._engine.read(lambda c: generations.key_pages(c, keys)):
            return False
        await self._engine.write(generations.keep_keys(keys, page))
        self._walked = (keys, page + generations.PAGES)
        return True

    async def _forget_tail(self) -> None:
        for tenant, first in (await self._engine.read(generations.first_kept)).items():
            self._tail.forget(tenant, first - 1)

    async def _prune_mixed(self, before: float, limit: int) -> int:
        """The same of generation 0."""
        engine = self._engine
        if old := await engine.read(lambda c: generations.old_events(c, before, limit)):
            gone = await engine.write(generations.forget_events(old))
            for tenant, _, first, size, _ in old:
                self._tail.forget(tenant, first + size - 1)
            return gone
        some = min(limit, generations.BLOCK)
        if gone := await engine.write(generations.forget_keys(before, some)):
            return gone
        if before >= self._emptied_at + PASS:
            self._emptied_at = before
            if await engine.read(generations.empty):
                await engine.write(generations.give_room_back())
        return 0
