"""The requests that were sent and not yet answered, by sequence number.

A window gives out sequence numbers, keeps what the sender wants back with the answer, and tells
which requests are overdue. It knows no PDU, and never drops a context: each comes back once, from
`resolve`, `overdue` or `clear`.
"""

from collections.abc import Sequence
from typing import Final

from gateway.errors import LocalProtocolError

MAX_SEQUENCE: Final = 0x7FFFFFFF
"""Sequence numbers run from 1 to this and start over (SMPP 3.4, section 5.1.4)."""


class Window:
    """At most ``size`` unanswered requests.

    Attributes:
        size: how many requests may be unanswered.
    """

    __slots__ = ("_entries", "_highest", "_next", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        # In order of submission, so also of time: the first is the oldest.
        self._entries: dict[int, tuple[object, float]] = {}
        self._next = 1
        self._highest = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def room(self) -> int:
        """How many more requests may be added."""
        return self.size - len(self._entries)

    def contexts(self) -> list[object]:
        """What belongs to the requests, the oldest first."""
        return [context for context, _ in self._entries.values()]

    def oldest(self) -> float | None:
        """When the request that has waited longest was added; None where none waits."""
        for _, added_at in self._entries.values():
            return added_at
        return None

    def sequences(self, count: int) -> Sequence[int]:
        """The next ``count`` sequence numbers, leaving out those of unanswered requests. Given
        out for good, whether or not requests are added under them."""
        first, end = self._next, self._next + count
        if end <= MAX_SEQUENCE and self._entries.keys().isdisjoint(range(first, end)):
            self._next = end
            self._highest = max(self._highest, end - 1)
            return range(first, end)
        return [self._sequence() for _ in range(count)]

    def _sequence(self) -> int:
        while (sequence := self._next) in self._entries:
            self._next = sequence % MAX_SEQUENCE + 1
        self._next = sequence % MAX_SEQUENCE + 1
        self._highest = max(self._highest, sequence)
        return sequence

    def gave(self, sequence: int) -> bool:
        """Whether this sequence number was ever given out."""
        return 1 <= sequence <= self._highest

    def add(self, sequences: Sequence[int], contexts: Sequence[object], now: float) -> None:
        """Keep ``contexts``, one for each of ``sequences``, which came from `sequences`.

        Raises LocalProtocolError, and adds none, where there is no room for all.
        """
        if len(sequences) > self.room:
            raise LocalProtocolError(f"{len(sequences)} requests, but room for {self.room}")
        self._entries.update(
            {
                sequence: (context, now)
                for sequence, context in zip(sequences, contexts, strict=True)
            }
        )

    def resolve(self, sequence: int) -> tuple[object, float] | None:
        """Take out the request that was answered: its context and when it was added. None where
        no such request waits."""
        return self._entries.pop(sequence, None)

    def overdue(self, now: float, age: float) -> list[object]:
        """Take out the requests added ``age`` or longer ago: their contexts, the oldest first."""
        late = []
        for sequence, (context, added_at) in self._entries.items():
            if added_at + age > now:
                break
            late.append((sequence, context))
        for sequence, _ in late:
            del self._entries[sequence]
        return [context for _, context in late]

    def clear(self) -> list[object]:
        """Take out every request: their contexts, in order of submission."""
        contexts = [context for context, _ in self._entries.values()]
        self._entries.clear()
        return contexts
