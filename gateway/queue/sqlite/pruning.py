"""What is forgotten with time: events and the outcomes that they tell, consumers, keys, lanes,
parts that have no message, refusals, and what was counted. In short steps, and each pass over a
whole table only as often as it is worth it.

What counts against caps, and phones that fail, have their own times (`uses`, `failing`).
"""

import math
from collections.abc import Callable
from functools import partial

from gateway.queue.sqlite import keys, reads, refusals, stats, upkeep
from gateway.queue.sqlite.engine import Engine
from gateway.queue.sqlite.keys import KeyIndex
from gateway.queue.tail import EventTail
from gateway.queue.tallies import HOUR, KEPT


class Pruner:
    """Forgets what an open store has that is too old.

    Args:
        engine: has the file.
        index: knows the keys.
        tail: has the newest events.
        clock: tells Unix time.
    """

    def __init__(
        self, engine: Engine, index: KeyIndex, tail: EventTail, clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._index = index
        self._tail = tail
        self._clock = clock
        self._tenant = 0
        self._lanes_done = -math.inf
        self._stats_done = 0
        self._parts_next: upkeep.PartKey | None = None
        self._parts_done = -math.inf

    async def prune(self, before: float, limit: int) -> int:
        """Forget some of what is from before a moment; returns how many rows went."""
        return (
            await self._events(before, limit)
            or await self._consumers(before)
            or await self._keys(before)
            or await self._lanes(before)
            or await self._parts(before)
            or await self._engine.write(lambda s: refusals.forget(s, before, limit))
            or await self._stats()
        )

    async def _events(self, before: float, limit: int) -> int:
        old, self._tenant = await self._engine.read(
            partial(upkeep.old_events, start=self._tenant, before=before, limit=limit)
        )
        if not old:
            return 0

        def applied(_: int) -> None:
            for chunk in old:
                self._tail.forget(chunk.tenant, chunk.last)

        return await self._engine.write(lambda s: upkeep.forget_events(s, old), applied)

    async def _consumers(self, before: float) -> int:
        if not await self._engine.read(lambda e: reads.silent_consumers(e, before)):
            return 0
        return await self._engine.write(lambda s: upkeep.forget_consumers(s, before))

    async def _keys(self, before: float) -> int:
        while (generation := self._index.retire(before)) is not None:
            newest, now = self._index.newest(), self._clock()
            gone, moved = await self._engine.write(
                partial(keys.drop_block, number=generation, newest=newest, now=now)
            )
            self._index.moved(moved, now)
            if gone:
                return gone
            self._index.dropped(generation)
        return 0

    async def _lanes(self, before: float) -> int:
        if before < self._lanes_done + upkeep.LANES_PASS:
            return 0
        self._lanes_done = before
        lanes = self._engine.session.lanes
        unused = {name: number for name, number in lanes.unused().items() if name[3]}
        if not unused:
            return 0
        used = await self._engine.read(reads.used_lanes)
        dead = {name: number for name, number in unused.items() if number not in used}
        # One that was asked for meanwhile is not known to be unused any more.
        still = lanes.since(dead.values())
        dead = {name: number for name, number in dead.items() if number not in still}
        if not dead:
            return 0
        lanes.forget(dead)
        return await self._engine.write(lambda s: upkeep.forget_lanes(s, [*dead.values()]))

    async def _parts(self, before: float) -> int:
        if self._parts_next is None:
            if before < self._parts_done + upkeep.PARTS_PASS:
                return 0
            self._parts_next = upkeep.FIRST_PART
        while self._parts_next is not None:
            gone, self._parts_next = await self._engine.write(
                partial(upkeep.forget_parts_block, start=self._parts_next, before=before)
            )
            if gone:
                return gone
        self._parts_done = before
        return 0

    async def _stats(self) -> int:
        before = int(self._clock() // HOUR) - KEPT
        if before < self._stats_done + upkeep.STATS_PASS:
            return 0
        old = await self._engine.read(lambda e: stats.old(e, before))
        if old:
            await self._engine.write(lambda s: stats.forget(s.execute, old))
            return len(old)
        await self._engine.write(lambda s: stats.forget_names(s.execute, before))
        self._stats_done = before
        return 0
