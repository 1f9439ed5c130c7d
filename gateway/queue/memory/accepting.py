"""Accepting messages, their idempotency keys, and what was refused."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.errors import StoreError
from gateway.facts import Use
from gateway.message import Message
from gateway.numbers import canonical
from gateway.queue.memory.accounts import Accounts
from gateway.queue.memory.schema import Row
from gateway.queue.memory.stats import Counts
from gateway.queue.store import MOST_REFUSED, Entry, Known, Overtaken, Refused, Seen
from gateway.queue.tallies import accepted


class Accepting(Accounts, Counts):
    """The way in."""

    async def accept(
        self,
        entries: Sequence[Entry],
        seen: Seen | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Mapping[int, Known]:
        await self._change()
        if not entries:
            return {}
        counting: list[Message] = []
        if seen is not None:
            counting = [entry.message for entry in entries if entry.message.counted]
            phones = {(m.tenant, canonical(m.to)) for m in counting}
            there = {(one, at[0]) for one in phones for at in self._uses.get(one, ())}
            if any(number not in seen.get(phone, ()) for (_, phone), number in there):
                raise Overtaken("more messages to the same phones were accepted meanwhile")
        if limits is not None and self._would_exceed(entries, limits):
            raise Overtaken("more messages of the same account were accepted meanwhile")
        ids = [entry.message.id for entry in entries]
        duplicates: dict[int, Known] = {}
        fresh: dict[tuple[str, str], tuple[Known, float]] = {}
        for index, entry in enumerate(entries):
            m = entry.message
            if m.key is None:
                continue
            name = (m.tenant, m.key)
            if standing := self._keys.get(name) or fresh.get(name):
                duplicates[index] = standing[0]
            else:
                fresh[name] = Known.of(entry), m.accepted_at
        stored = [entry for index, entry in enumerate(entries) if index not in duplicates]
        numbers = {entry.message.id for entry in stored}
        if len(numbers) < len(stored) or not numbers.isdisjoint(self._rows):
            raise StoreError("memory: a message with this id is stored already")
        self._keys |= fresh
        for m, leased in ((entry.message, entry.leased) for entry in stored):
            self._rows[m.id] = Row(m, "leased" if leased else "waiting", m.accepted_at)
        for m in (entry.message for entry in stored):
            for one in m.charges:
                self._charges.setdefault(m.id, {})[one.account] = one.amount
                self._accounts[m.tenant, one.account] += one.amount
        for m in counting:
            if m.id in numbers:
                of_phone = self._uses.setdefault((m.tenant, canonical(m.to)), {})
                for mark, keep in m.counted:
                    of_phone[m.id, mark] = Use(mark, m.due, m.id, sent=False), keep
        node = self._node
        node.last_id = max([node.last_id, *ids])
        came = [entry.message.accepted_at for entry in stored]
        node.last_accepted = max([node.last_accepted, *came])
        self._count(accepted([entry.message for entry in stored]))
        return duplicates

    def _would_exceed(self, entries: Sequence[Entry], limits: Mapping[str, int]) -> bool:
        spent = Counter(self._spent_by(entries[0].message.tenant))
        for entry in entries:
            spent.update({one.account: one.amount for one in entry.message.charges})
        return any(spent[name] > limit for name, limit in limits.items())

    async def known(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Known]:
        await self._enter()
        return {key: self._keys[tenant, key][0] for key in keys if (tenant, key) in self._keys}

    async def refuse(self, refused: Sequence[Refused]) -> None:
        await self._change()
        self._refused += [one._replace(number=canonical(one.number)) for one in refused]
        del self._refused[:-MOST_REFUSED]

    async def refusals(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Sequence[Refused]]:
        await self._enter()
        found: dict[str, list[Refused]] = {}
        for one in self._refused:
            if one.tenant == tenant and one.key is not None and one.key in keys:
                found.setdefault(one.key, []).append(one)
        return found
