"""What became of messages: sent, progress, outcomes and the events that tell them."""

from collections.abc import Collection, Mapping, Sequence

from gateway.numbers import canonical
from gateway.queue import events, parts
from gateway.queue.failing import Failing, struck
from gateway.queue.memory.accounts import Accounts
from gateway.queue.memory.appending import Appending
from gateway.queue.memory.consents import Consents
from gateway.queue.memory.optouts import Optouts
from gateway.queue.memory.schema import owed_by, states_of
from gateway.queue.memory.stats import Counts
from gateway.queue.memory.uses import Uses
from gateway.queue.store import Final, Match, Owed, Ref, Settled, Settlement, went
from gateway.queue.tallies import ended


class Settling(Accounts, Appending, Consents, Counts, Optouts, Uses):
    """The way out."""

    async def match(self, refs: Sequence[Ref]) -> Mapping[Ref, Match]:
        await self._enter()
        found = {}
        for ref in refs:
            number, part, _ = self._parts.get(ref, (0, 0, 0.0))
            if row := self._rows.get(number):
                found[ref] = Match(row.message, part, states_of(row), row.at, row.handed)
        return found

    async def settle(self, settlement: Settlement) -> Settled:
        await self._change()
        for event in [f.event for f in settlement.finals] + [n.event for n in settlement.notices]:
            events.encode(event)  # one that cannot be is refused before anything is done
        now = self._clock()
        final = {entry.message.id for entry in settlement.finals}
        for sent in settlement.sent:
            m = sent.message
            if m.id in final:
                continue
            if row := self._rows.get(m.id):
                row.place, row.at, row.deadline = "sent", now, sent.deadline
                row.message, row.handed = m, sent.handed
            for part, ref in enumerate(sent.refs):
                if ref:
                    self._parts[Ref(sent.carrier, ref)] = (m.id, part, now)
        for number, states in settlement.expected:
            if row := self._rows.get(number):
                row.states = states
        complete: dict[int, bytes] = {}
        for number, part, state, size in settlement.progress:
            if row := self._rows.get(number):
                known = bytearray(row.states or bytes(size))
                parts.fill(known, part, state)
                row.states = bytes(known)
                if parts.complete(known):
                    row.deadline = min(row.deadline, now)
                    complete[number] = row.states
        for sent in settlement.sent:
            self._spend(sent.message, now)
            self._pay(sent.message, sent.carrier)
        passed_over = set()
        told: list[Final] = []
        for one in settlement.finals:
            m, event = one.message, one.event
            for at_carrier in one.refs:
                self._parts.pop(at_carrier, None)
            if self._rows.pop(m.id, None):
                self._tell(m.tenant, event, m.id, one.life)
                self._spend(m, now if went(event) else None)
                if went(event):
                    self._pay(m, (event.detail or {}).get("carrier"))
                charged = self._charges.pop(m.id, {})
                if not went(event):
                    self._accounts.subtract({(m.tenant, of): sum_ for of, sum_ in charged.items()})
                told.append(one)
            else:
                passed_over.add(m.id)
        for tenant, event in settlement.notices:
            self._tell(tenant, event, None)
        for held in settlement.hold:
            self._held[held.kind, held.key] = held
        for name in settlement.drop:
            self._held.pop(name, None)
        self._change_optouts(settlement.optouts)
        self._change_consents(settlement.consents)
        for owner, phone in settlement.heard:
            self._failing.pop((owner, canonical(phone)), None)
        for strike in settlement.strikes:
            key = strike.tenant, canonical(strike.number)
            self._failing[key] = struck(self._failing.get(key, Failing()), strike)
        self._count(ended(told))
        self._count(settlement.tallies)
        return Settled(frozenset(passed_over), _without(complete, final))

    async def overdue(self, now: float, limit: int) -> list[Owed]:
        await self._enter()
        sent = (r for r in self._rows.values() if r.place == "sent" and r.deadline <= now)
        late = sorted(sent, key=lambda row: (row.deadline, row.message.id))
        return [owed_by(row) for row in late[:limit]]


def _without(states: dict[int, bytes], final: Collection[int]) -> dict[int, bytes]:
    return {number: of for number, of in states.items() if number not in final}
