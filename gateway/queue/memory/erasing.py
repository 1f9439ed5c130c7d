"""What erases a person (`gateway.queue.operators`)."""

from collections.abc import Collection, Sequence
from typing import Any

from gateway.queue import events
from gateway.queue.memory.schema import Tables, Told
from gateway.queue.operators import DIGITS, held_of
from gateway.queue.store import EventChunk, Refused


class Erasing(Tables):
    """Forgets a person."""

    async def erase_events(
        self, tenant: str, phones: Collection[str], after: int
    ) -> tuple[int, int | None]:
        await self._change()
        erased = 0
        told = self._told.get(tenant, [])
        for at, one in enumerate(told):
            chunk = EventChunk(tenant, one.seq, 1, events.stamp([one.encoded], one.seq)[0])
            found = events.erase(chunk, phones) if one.seq > after else None
            if found is not None:
                event = events.decode(found.chunk.body)
                told[at] = Told(one.seq, event, events.encode(event), one.message)
                erased += 1
                for key in found.keys:
                    self._keys.pop((tenant, key), None)
        return erased, None

    async def erase_records(self, tenant: str | None, phones: Collection[str]) -> int:
        await self._change()
        gone = 0
        table: dict[tuple[str, str], Any]
        for table in (self._consents, self._uses, self._failing):
            names = [key for key in table if key[0] == (tenant or key[0]) and key[1] in phones]
            gone += sum(len(of) if isinstance(of := table.pop(key), list) else 1 for key in names)
        mine = [
            one
            for one in self._refused
            if one.tenant == (tenant or one.tenant) and one.number in phones
        ]
        self._refused = [one for one in self._refused if one not in mine]
        for (scope, number), entries in self._optouts.items():
            if scope == (scope if tenant is None else tenant) and number in phones:
                for source, entry in entries.items():
                    entries[source] = entry._replace(message=None, text=None)
        tails = {phone[-DIGITS:] for phone in phones}
        held = [
            name
            for name, one in self._held.items()
            if one.key.startswith(held_of(tenant))
            and any(tail in one.key or tail.encode() in one.body for tail in tails)
        ]
        for name in held:
            del self._held[name]
        return gone + len(mine) + len(held)

    async def refused(self, phones: Collection[str], limit: int) -> Sequence[Refused]:
        await self._enter()
        return [one for one in reversed(self._refused) if one.number in phones][:limit]

    async def scrub(self) -> bool:
        await self._enter()
        return True
