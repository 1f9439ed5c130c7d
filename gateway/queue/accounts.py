"""What becomes of what messages were charged with, alike for the engines that keep rows.

A message without an outcome has added to the accounts of its tenant what it was accepted with
(`Message.charges`), and nothing is kept of that but the sums. Only of one that a carrier has taken,
where the carrier decides what it costs, there is a row with what it has *paid* instead.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.message import Message
from gateway.queue.store import Entry, Settlement, went

Sums = Mapping[tuple[str, str], int]
"""By tenant and account, what is added to it."""

Paid = Mapping[tuple[int, str], int]
"""By message and account, what the message has added, where that is on record."""


class Cost(NamedTuple):
    """What a message costs at the carrier that has taken it, and what it was accepted with."""

    tenant: str
    amount: int
    accepted: int


class Adjusted(NamedTuple):
    """What is added to accounts; and what messages without an outcome have paid from now on, by
    number and account."""

    sums: Sums
    pays: Mapping[tuple[int, str], Cost]


class Settling(msgspec.Struct):
    """What a settlement means for accounts.

    Attributes:
        costs: what messages cost, by number and account, where the carrier decides that.
        taken: the messages of these that have no outcome now; some may have had it before.
        back: those that did not go.
        done: all with an outcome now that were charged.
    """

    costs: dict[tuple[int, str], Cost] = {}
    taken: set[int] = set()
    back: dict[int, Message] = {}
    done: set[int] = set()

    @property
    def asked(self) -> Collection[int]:
        """Of which messages it matters what they have paid."""
        return {*self.back, *(number for number, _ in self.costs)}

    def adjusted(self, paid: Paid, over: Container[int]) -> Adjusted:
        """What follows where messages have paid this, but for those whose outcome is ``over``."""
        sums: Counter[tuple[str, str]] = Counter()
        pays: dict[tuple[int, str], Cost] = {}
        for (number, account), cost in self.costs.items():
            if number not in over:
                before = paid.get((number, account), cost.accepted)
                sums[cost.tenant, account] += cost.amount - before
                if number in self.taken:
                    pays[number, account] = cost
        for number, message in self.back.items():
            if number not in over:
                for one in message.charges:
                    given = paid.get((number, one.account), one.amount)
                    sums[message.tenant, one.account] -= given
        return Adjusted({where: more for where, more in sums.items() if more}, pays)


def settling(settlement: Settlement) -> Settling:
    """What a settlement means for accounts. Of several outcomes of a message the first counts."""
    rows = Settling()
    for sent in settlement.sent:
        if sent.message.charges and _cost(rows, sent.message, sent.carrier):
            rows.taken.add(sent.message.id)
    for final in settlement.finals:
        message = final.message
        if message.charges and message.id not in rows.done:
            rows.done.add(message.id)
            rows.taken.discard(message.id)
            if went(final.event):
                _cost(rows, message, (final.event.detail or {}).get("carrier"))
            else:
                rows.back[message.id] = message
                for one in message.charges:
                    rows.costs.pop((message.id, one.account), None)
    return rows


def _cost(rows: Settling, message: Message, carrier: str | None) -> bool:
    """Note what a message costs at a carrier; False where that is what it was accepted with."""
    found = False
    for one in message.charges:
        if one.by_carrier and carrier is not None:
            cost = Cost(message.tenant, one.at(carrier), one.amount)
            rows.costs[message.id, one.account] = cost
            found = True
    return found


def sums(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """What messages are charged with when they are accepted."""
    found: dict[tuple[str, str], int] = {}
    messages = [entry.message for entry in entries]
    alike = Counter([(m.tenant, m.charges) for m in messages if m.charges])
    for (tenant, charges), count in alike.items():
        for one in charges:
            account = tenant, one.account
            found[account] = found.get(account, 0) + count * one.amount
    return found


class Charged(msgspec.Struct):
    """Entries that are about to be accepted and charged.

    Attributes:
        more: what all of them add to accounts.
        limits: what the accounts of their tenant may come to.
    """

    entries: Sequence[Entry]
    more: Sums
    limits: Mapping[str, int]

    @property
    def tenant(self) -> str:
        """Whose the limits are."""
        return self.entries[0].message.tenant

    def exceeds(self, spent: Mapping[str, int]) -> bool:
        """Whether an account that has come to this would exceed its limit."""
        return any(
            account in self.limits and spent.get(account, 0) + more > self.limits[account]
            for (_, account), more in self.more.items()
        )

    def without(self, indices: Collection[int]) -> Sums:
        """What they add but for some of them."""
        if not indices:
            return self.more
        twice = sums(self.entries[index] for index in indices)
        rest = {account: more - twice.get(account, 0) for account, more in self.more.items()}
        return {account: more for account, more in rest.items() if more}


def charged(entries: Sequence[Entry], limits: Mapping[str, int] | None) -> Charged | None:
    """What entries are charged with; None where that is nothing."""
    more = sums(entries)
    return Charged(entries, more, limits or {}) if more else None
