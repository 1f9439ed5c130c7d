"""The cursors of consumers."""

from collections.abc import Iterable

from gateway.queue.memory.schema import Tables
from gateway.queue.store import MANY, Consumer


class Consumers(Tables):
    """Who reads events, and how far."""

    async def acknowledge(
        self, tenant: str, consumer: str, seq: int, most: int = MANY
    ) -> int | None:
        await self._change()
        known, now = self._consumers.get((tenant, consumer)), self._clock()
        if seq > self._last_seq.get(tenant, 0):
            seq = 0
            if known is None:
                return 0
        if known is None:
            if sum(owner == tenant for owner, _ in self._consumers) >= most:
                return None
            known = Consumer(tenant, consumer, 0, 0, now, now)
        moved = known._replace(seq=max(seq, known.seq), seen=now)
        self._consumers[tenant, consumer] = moved
        return moved.seq

    async def consumers(self, tenant: str | None = None) -> list[Consumer]:
        await self._enter()
        return [
            each._replace(lag=self._last_seq.get(each.tenant, 0) - each.seq)
            for _, each in sorted(self._consumers.items())
            if tenant in (None, each.tenant)
        ]

    async def seen(self, consumers: Iterable[tuple[str, str]]) -> None:
        await self._change()
        for name in consumers:
            if known := self._consumers.get(name):
                self._consumers[name] = known._replace(seen=self._clock())

    async def forget_consumer(self, tenant: str, consumer: str) -> bool:
        await self._change()
        return self._consumers.pop((tenant, consumer), None) is not None
