"""How many messages have no outcome yet, by tenant, category and state.

The ledger is counted in memory, in step with the store, and starts from what the store holds. The
queue limit of a tenant and the metric ``queued_messages`` read it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from gateway.message import Category, Message, WaitingState
from gateway.queue.store import Count


class Ledger:
    """Counts of messages without an outcome."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Category, WaitingState], int] = {}
        self._totals: dict[str, int] = {}
        self._share = 1.0
        self._opened_at = 0.0
        self._inherited = 0

    def start(self, counts: Sequence[Count], last_id: int, now: float) -> None:
        """Take over what a store that was opened ``now`` holds, up to the message ``last_id``."""
        self._opened_at = now
        self._inherited = last_id
        for tenant, category, state, messages in counts:
            self.add(tenant, category, state, messages)

    def anew(self, counts: Sequence[Count], last_id: int, now: float) -> None:
        """Go by what the store has counted ``now`` for this node, up to the message ``last_id``:
        other nodes accept messages for it, and end some."""
        self._counts = dict.fromkeys(self._counts, 0)
        self._totals = {}
        self.start(counts, last_id, now)

    def take_part(self, share: float) -> None:
        """This node counts such a part of all phones; the others are the others'."""
        self._share = share

    def total(self, tenant: str) -> int:
        """All messages of a tenant without an outcome, at other nodes too: there are as many to one
        phone as to another."""
        total = self._totals.get(tenant, 0)
        return total if self._share in (0.0, 1.0) else round(total / self._share)

    def counts(self) -> list[Count]:
        """Every count that is or was above zero."""
        return [Count(*key, messages) for key, messages in self._counts.items()]

    def enter(self, messages: Iterable[Message], state: WaitingState) -> None:
        """Messages were accepted into ``state``."""
        self._all(messages, state, 1)

    def leave(self, messages: Iterable[Message], state: WaitingState) -> None:
        """Messages that were in ``state`` got their outcome, or were not accepted after all."""
        self._all(messages, state, -1)

    def move(self, messages: Sequence[Message], source: WaitingState, target: WaitingState) -> None:
        """Messages went from one state to another."""
        for (tenant, category), count in _counted(messages).items():
            self.add(tenant, category, source, -count)
            self.add(tenant, category, target, count)

    def leased(self, messages: Sequence[Message]) -> None:
        """Messages that waited in the store are ready to be sent, or to be ended."""
        self.move([m for m in messages if self._is_deferred(m)], "deferred", "queued")

    def deferred(self, messages: Sequence[Message]) -> None:
        """Messages went back to the store, as they are given, to wait there."""
        self.move([m for m in messages if self._is_deferred(m)], "queued", "deferred")

    def _is_deferred(self, message: Message) -> bool:
        """How a message that waits in the store was counted when it came to do so."""
        inherited = message.id <= self._inherited
        return message.due > (self._opened_at if inherited else message.accepted_at)

    def _all(self, messages: Iterable[Message], state: WaitingState, step: int) -> None:
        for (tenant, category), count in _counted(messages).items():
            self.add(tenant, category, state, step * count)

    def add(self, tenant: str, category: Category, state: WaitingState, count: int) -> None:
        """So many messages came into a state or, where it is negative, left it."""
        key = (tenant, category, state)
        self._counts[key] = self._counts.get(key, 0) + count
        self._totals[tenant] = self._totals.get(tenant, 0) + count


def _counted(messages: Iterable[Message]) -> Counter[tuple[str, Category]]:
    return Counter([(message.tenant, message.category) for message in messages])
