"""What became of a message, and which there are for a phone."""

from collections.abc import Collection, Sequence

from gateway.queue.memory.schema import Tables
from gateway.queue.operators import Found
from gateway.queue.store import NEWEST, Record


class Reading(Tables):
    """Finds messages."""

    async def find(
        self, tenant: str, numbers: Sequence[int], keys: Sequence[str]
    ) -> tuple[list[Record | None], list[Record | None]]:
        await self._enter()
        standing = [self._keys.get((tenant, key)) for key in keys]
        return (
            [self._record(tenant, number) for number in numbers],
            [self._record(tenant, known[0].message) if known else None for known in standing],
        )

    async def find_any(self, number: int) -> tuple[str, Record] | None:
        await self._enter()
        row = self._rows.get(number)
        for tenant in [row.message.tenant] if row else list(self._told):
            if record := self._record(tenant, number):
                return tenant, record
        return None

    async def search(self, phones: Sequence[str], after: str | None, limit: int) -> Found:
        await self._enter()
        rows = [row for number, row in sorted(self._rows.items(), reverse=True)]
        found = [
            (m.tenant, Record(m.id, row.at, message=m, state=self._state(row)))
            for row in rows
            if (m := row.message).to in phones
        ]
        for tenant, told in self._told.items():
            found += [
                (tenant, Record(one.message, one.event.at, event=one.event, life=one.life))
                for one in reversed(told)
                if one.message is not None and one.event.to in phones
            ]
        start = int(after or 0)
        more = str(start + limit) if len(found) > start + limit else None
        return Found(found[start : start + limit], more)

    async def tenants(self) -> Sequence[str]:
        await self._enter()
        return sorted({*self._told, *(row.message.tenant for row in self._rows.values())})

    def _record(self, tenant: str, number: int) -> Record | None:
        row = self._rows.get(number)
        if row and row.message.tenant == tenant:
            handed = row.handed if row.place == "sent" else None
            state = self._state(row)
            return Record(number, row.at, message=row.message, state=state, handed=handed)
        for told in self._told.get(tenant, ()):
            if told.message == number:
                return Record(number, told.event.at, event=told.event, life=told.life)
        return None

    async def live_to(
        self, phones: Collection[str], below: int = NEWEST
    ) -> tuple[list[tuple[str, Record]], int | None]:
        await self._enter()
        found = [
            m for n, row in self._rows.items() if n < below and (m := row.message).to in phones
        ]
        records = ((m.tenant, self._record(m.tenant, m.id)) for m in found)
        return [(tenant, one) for tenant, one in records if one is not None], None
