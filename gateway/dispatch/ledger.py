"""How many messages have no outcome yet, by tenant, category and state.

The ledger is counted in memory, in step with the store, and starts from what the store holds. The
queue limit of a tenant and the metric ``queued_messages`` read it.
"""

from collections.abc import Iterable, Sequence

from gateway.message import Category, Message, WaitingState
from gateway.queue.store import Count


class Ledger:
    """Counts of messages without an outcome."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Category, WaitingState], int] = {}
        self._totals: dict[str, int] = {}

    def start(self, counts: Sequence[Count]) -> None:
        """Take over what an opened store holds."""
        for tenant, category, state, messages in counts:
            self._add(tenant, category, state, messages)

    def total(self, tenant: str) -> int:
        """All messages of a tenant without an outcome."""
        return self._totals.get(tenant, 0)

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
        self._all(messages, source, -1)
        self._all(messages, target, 1)

    def _all(self, messages: Iterable[Message], state: WaitingState, step: int) -> None:
        found: dict[tuple[str, Category], int] = {}
        for message in messages:
            key = (message.tenant, message.category)
            found[key] = found.get(key, 0) + step
        for (tenant, category), count in found.items():
            self._add(tenant, category, state, count)

    def _add(self, tenant: str, category: Category, state: WaitingState, count: int) -> None:
        key = (tenant, category, state)
        self._counts[key] = self._counts.get(key, 0) + count
        self._totals[tenant] = self._totals.get(tenant, 0) + count


def waiting_state(message: Message) -> WaitingState:
    """Which state a message that waits in the store counts as."""
    return "deferred" if message.due > message.accepted_at else "queued"
