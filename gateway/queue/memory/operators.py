"""What operators ask (`gateway.queue.operators`)."""

import math
from collections.abc import Sequence

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue.memory.schema import Row, Tables, forget, owed_by
from gateway.queue.operators import KEPT as CHANGES_KEPT
from gateway.queue.operators import Change, Owing, QueueCount
from gateway.queue.store import Oldest, Owed


class Operators(Tables):
    """Answers operators."""

    async def vitals(self) -> None:
        return None

    async def waiting(self, now: float) -> Sequence[QueueCount]:
        await self._enter()
        lanes: dict[LaneKey, list[Message]] = {}
        for row in self._waiting():
            lanes.setdefault(row.message.lane, []).append(row.message)
        return [
            QueueCount(
                lane,
                sum(1 for m in found if m.due <= now),
                sum(1 for m in found if m.due > now),
                sum(m.parts for m in found),
                min((m.due for m in found if m.due <= now), default=None),
                min((m.due for m in found if m.due > now), default=None),
            )
            for lane, found in lanes.items()
        ]

    async def owed_count(self, owed: Owing) -> int:
        await self._enter()
        return len(self._owed(owed))

    async def owed_about(self, carrier: str, most: int) -> int:
        return await self.owed_count(Owing(carrier, math.inf))

    async def owed(self, owed: Owing, after: str, limit: int) -> tuple[list[Owed], str | None]:
        await self._enter()
        found = [row for ref, row in self._owed(owed) if ref > after][:limit]
        refs = [ref for ref, _ in self._owed(owed) if ref > after][:limit]
        return [owed_by(row) for row in found], refs[-1] if refs else None

    def _owed(self, owed: Owing) -> list[tuple[str, Row]]:
        return sorted(
            (
                (ref.ref, row)
                for ref, (number, part, _) in self._parts.items()
                if ref.carrier == owed.carrier
                and part == 0
                and (row := self._rows.get(number)) is not None
                and row.place == "sent"
                and row.at < owed.before
                and row.message.expires_at > owed.alive
            ),
            key=lambda one: one[0],
        )

    async def requeue(self, owed: Owing, numbers: Sequence[int], now: float) -> list[Message]:
        await self._change()
        wanted = set(numbers)
        rows = [r for n, r in self._rows.items() if n in wanted and r.place == "sent"]
        self._parts = {
            ref: part
            for ref, part in self._parts.items()
            if part[0] not in wanted or ref.carrier != owed.carrier
        }
        for row in rows:
            row.place, row.at, row.states = "waiting", now, b""
            row.message = msgspec.structs.replace(row.message, due=now, maybe_duplicate=True)
        return [row.message for row in rows]

    async def note_change(self, number: int | None, at: float, body: bytes) -> int:
        await self._change()
        if number is None:
            number = self._last_change = self._last_change + 1
        forget(self._changes, lambda one: one.at < at - CHANGES_KEPT, len(self._changes))
        self._changes[number] = Change(number, at, body)
        return number

    async def changes(self, before: int, limit: int) -> Sequence[Change]:
        await self._enter()
        return [one for n, one in sorted(self._changes.items(), reverse=True) if n < before][:limit]

    async def oldest(self, now: float) -> Sequence[Oldest]:
        await self._enter()
        found: dict[Oldest, float] = {}
        for row in self._rows.values():
            m = row.message
            if row.place == "sent":
                key, since = Oldest(m.tenant, m.category, "sent", 0.0), row.at
            elif row.place == "waiting" and m.due <= now:
                key, since = Oldest(m.tenant, m.category, "waiting", 0.0), m.due
            else:
                continue
            found[key] = min(since, found.get(key, since))
        return [key._replace(since=since) for key, since in found.items()]
