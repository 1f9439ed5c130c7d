"""What is taken out of the store, and what goes back to wait."""

from collections.abc import Iterable, Sequence

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue.memory.schema import Row, Tables
from gateway.queue.operators import Which
from gateway.queue.store import NEWEST, Lease, Leased


class Leasing(Tables):
    """The backlog of the lanes."""

    async def lease(self, lane: LaneKey, now: float, limit: int) -> Lease:
        await self._change()
        waiting = sorted(
            (row for row in self._waiting() if row.message.lane == lane),
            key=lambda row: (row.message.due, row.message.id),
        )
        due = [row for row in waiting if row.message.due <= now][:limit]
        rest = waiting[len(due) :]
        return Lease(_take(due), rest[0].message.due if rest else None)

    async def lease_ids(self, tenant: str, numbers: Sequence[int]) -> list[Message]:
        await self._change()
        wanted = set(numbers)
        return _take(
            row
            for row in self._waiting()
            if row.message.tenant == tenant and row.message.id in wanted
        )

    async def lease_campaign(
        self, tenant: str, campaign: str, last: int, limit: int
    ) -> list[Message]:
        await self._change()
        return _take(self._waiting_in(tenant, campaign, last)[:limit])

    async def waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> int:
        await self._enter()
        return len(self._waiting_in(tenant, campaign, last))

    async def extend(self, tenant: str, campaign: str, seconds: float) -> None:
        await self._change()
        for row in self._waiting_in(tenant, campaign):
            later = row.message.expires_at + seconds
            row.message = msgspec.structs.replace(row.message, expires_at=later)

    def _waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> list[Row]:
        return [
            row
            for row in self._waiting()
            if row.message.tenant == tenant
            and row.message.campaign == campaign
            and row.message.id <= last
        ]

    async def defer(self, messages: Sequence[Message]) -> None:
        await self._change()
        for message in messages:
            row = self._rows.get(message.id)
            if row and row.place == "leased":
                row.message, row.place, row.at = message, "waiting", self._clock()

    async def leased(self, after: int, limit: int) -> Leased:
        await self._enter()
        numbers = sorted(number for number, row in self._rows.items() if row.place == "leased")
        return Leased(len(numbers), [number for number in numbers if number > after][:limit])

    async def put_back(self, numbers: Sequence[int]) -> list[Message]:
        await self._change()
        back = []
        for number in numbers:
            row = self._rows.get(number)
            if row and row.place == "leased":
                row.message = msgspec.structs.replace(row.message, maybe_duplicate=True)
                row.place, row.at = "waiting", self._clock()
                back.append(row.message)
        return back

    async def expired(self, now: float, limit: int) -> list[Message]:
        await self._change()
        return _take([row for row in self._waiting() if row.message.expires_at <= now][:limit])

    async def hasten(self, now: float, moment: float) -> None:
        await self._change()
        for row in self._waiting():
            if now < row.message.due <= row.at + moment:
                row.message = msgspec.structs.replace(row.message, due=now)

    async def lease_where(self, which: Which, last: int, limit: int) -> list[Message]:
        await self._change()
        return _take(self._waiting_where(which, last)[:limit])

    async def waiting_where(self, which: Which, last: int = NEWEST) -> int:
        await self._enter()
        return len(self._waiting_where(which, last))

    def _waiting_where(self, which: Which, last: int) -> list[Row]:
        waiting = self._waiting()
        return [r for r in waiting if which.takes(r.message.lane) and r.message.id <= last]


def _take(rows: Iterable[Row]) -> list[Message]:
    leased = list(rows)
    for row in leased:
        row.place = "leased"
    return [row.message for row in leased]
