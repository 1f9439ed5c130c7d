"""The streams of events."""

from collections.abc import Collection

from gateway.message import Event, Life
from gateway.queue import events
from gateway.queue.memory.schema import Tables, Told
from gateway.queue.store import EventChunk


class Appending(Tables):
    """What is told to tenants."""

    def _tell(
        self, tenant: str, event: Event, message: int | None, life: Life | None = None
    ) -> None:
        seq = self._last_seq[tenant] = self._last_seq.get(tenant, 0) + 1
        told = Told(seq, event, events.encode(event), message, life)
        self._told.setdefault(tenant, []).append(told)
        self._signals.told([tenant])

    async def watch(self) -> Collection[str]:
        return await self._signals.watch()

    async def events(self, tenant: str, after: int, limit: int) -> list[EventChunk]:
        await self._enter()
        newer = [told for told in self._told.get(tenant, ()) if told.seq > after][:limit]
        if not newer:
            return []
        return events.chunks(tenant, newer[0].seq, [told.encoded for told in newer])

    async def bounds(self, tenant: str) -> tuple[int, int]:
        await self._enter()
        last = self._last_seq.get(tenant, 0)
        told = self._told.get(tenant)
        return (told[0].seq if told else last + 1), last
