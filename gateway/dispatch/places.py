"""Where each message is that this process holds, as one table and one registry.

The store says of a message that it is waiting, leased or sent. Of those that are *leased* this
process alone knows more: each is in exactly one place. `MOVES` has the places and what may move
from one to another; `Places` knows which message is where, and everything that takes a message
from one list to another says so here, once for a whole batch. What happens in each place when a
carrier is lost, a campaign cancelled or a clock set is told in ``docs/places.md``.

A message that is on its way from the store (an accept or a lease whose answer has not come) is in
no place yet: it enters one as soon as the answer is here.

No I/O, no clock. A move costs some 80 ns a message.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import repeat
from typing import Final, Literal

import msgspec

from gateway.errors import LocalProtocolError

Place = Literal["lane", "release", "carrier", "again", "settlement", "deferral"]
"""Where a message is that this process holds:

- ``lane``: ready, in memory, in order;
- ``release``: taken from its lane, or from ``again``, to be judged, placed and written;
- ``carrier``: of one carrier: parts are in a window, wait for room in it, or have their answer,
  which waits for the next round of the settler;
- ``again``: the carrier has some of its parts and refused others, which are sent again later;
- ``settlement``: what became of it is on its way into the store: sent, or its outcome;
- ``deferral``: it is on its way back into the store, to wait there.
"""

Where = Literal[Place, "store"]
"""A place, or ``store``: nowhere in this process, because it waits, is sent or has its outcome."""

MOVES: Final[Mapping[Where, frozenset[Where]]] = {
    # Due at once and accepted, or leased for its lane; leased to end because it has expired or was
    # cancelled.
    "store": frozenset({"lane", "settlement"}),
    # Its turn; it has expired or was cancelled; its campaign is given more time; the process stops.
    "lane": frozenset({"release", "settlement", "deferral", "store"}),
    # Written; no room after all; the same where the carrier has other parts of it; refused by a
    # rule; put off by one; the process stops.
    "release": frozenset({"carrier", "lane", "again", "settlement", "deferral", "store"}),
    # Taken, or refused for good, or for a moment; refused in part; refused for longer.
    "carrier": frozenset({"settlement", "again", "deferral"}),
    # Its time has come; it has expired, or its carrier was removed; the process stops.
    "again": frozenset({"release", "settlement", "deferral"}),
    # On record; on record that it is to be tried again soon.
    "settlement": frozenset({"store", "lane"}),
    "deferral": frozenset({"store"}),
}
"""What may follow on what. There are no other moves."""

PLACES: Final[tuple[Place, ...]] = (
    "lane",
    "release",
    "carrier",
    "again",
    "settlement",
    "deferral",
)


class Wrong(msgspec.Struct, frozen=True):
    """A move that the table does not have, or of messages that were not where they were said to be.

    Attributes:
        source, target: as it was said; no source where any would do.
        found: where the messages were, but for those that were where they should be.
    """

    source: Where | None
    target: Where
    found: Mapping[Where, int]

    def __str__(self) -> str:
        found = ", ".join(f"{number} in {where}" for where, number in self.found.items())
        return f"{self.source or 'anywhere'} -> {self.target}: {found or 'no such move'}"


def _refuse(wrong: Wrong) -> None:
    raise LocalProtocolError(f"misplaced messages: {wrong}")


class Places:
    """Which message is in which place.

    Attributes:
        wanted: messages that were found in no place; one that enters a place is wanted no more.

    Args:
        on_wrong: told of what should not be, before it is done all the same; left out,
            `LocalProtocolError` is raised, as tests want it.
    """

    def __init__(self, on_wrong: Callable[[Wrong], None] = _refuse) -> None:
        self.wanted: set[int] = set()
        self._on_wrong = on_wrong
        self._where: dict[int, Place] = {}
        self._counts: dict[Place, int] = dict.fromkeys(PLACES, 0)

    # --- moves ---

    def enter(self, target: Place, ids: Sequence[int]) -> None:
        """Messages have come from the store."""
        where = self._where
        expected = len(where) + len(ids)
        if target in MOVES["store"] and not any(map(where.get, ids)):
            where.update(zip(ids, repeat(target)))
            self._counts[target] += len(ids)
        if len(where) != expected:
            self._force("store", target, ids)
        if self.wanted:
            self.wanted.difference_update(ids)

    def move(self, source: Place, target: Place, ids: Sequence[int]) -> None:
        """Messages go from one place to another."""
        where, count = self._where, len(ids)
        if target not in MOVES[source] or [*map(where.get, ids)].count(source) != count:
            self._force(source, target, ids)
            return
        where.update(zip(ids, repeat(target)))
        self._counts[source] -= count
        self._counts[target] += count

    def put(self, target: Place, ids: Collection[int]) -> None:
        """Messages go to a place, each from where it is: for where few come from several. What is
        there already stays: an attempt that was cut off is made again."""
        found = Counter(map(self.place_of, ids))
        found.pop(target, None)
        wrong: dict[Where, int] = {
            place or "store": count
            for place, count in found.items()
            if place is None or target not in MOVES[place]
        }
        if wrong:
            self._on_wrong(Wrong(None, target, wrong))
        self._place(ids, target)

    def leave(self, source: Place, ids: Sequence[int]) -> None:
        """What became of messages is on record, or they wait in the store again."""
        where, count = self._where, len(ids)
        if "store" not in MOVES[source] or [*map(where.get, ids)].count(source) != count:
            self._force(source, "store", ids)
            return
        expected = len(where) - count
        deque(map(where.pop, ids, repeat(None)), 0)
        self._counts[source] -= count
        if len(where) != expected:  # one stands twice
            self._force(source, "store", ids)

    def leave_at_stop(self) -> set[int]:
        """The process stops, and the store puts back what is leased. Returns the messages that
        were where none may be left: carriers may have them, in whole or in part."""
        left = self.members("carrier") | self.members("again")
        self._where.clear()
        self._counts = dict.fromkeys(PLACES, 0)
        return left

    def _force(self, source: Where, target: Where, ids: Collection[int]) -> None:
        """A move that should not be is made all the same, and told."""
        found: Counter[Where] = Counter(self.place_of(number) or "store" for number in ids)
        found.pop(source, None)
        self._on_wrong(Wrong(source, target, dict(found)))
        self._place(ids, target)
        counts = Counter(self._where.values())
        self._counts = {place: counts[place] for place in PLACES}

    def _place(self, ids: Collection[int], target: Where) -> None:
        """Have messages in a place, wherever they are."""
        where, counts = self._where, self._counts
        for number in ids:
            before = where.pop(number, None)
            if before is not None:
                counts[before] -= 1
            if target != "store":
                where[number] = target
                counts[target] += 1

    # --- what is where ---

    def counts(self) -> dict[Place, int]:
        """How many messages are in each place."""
        return dict(self._counts)

    @property
    def total(self) -> int:
        """How many messages this process holds."""
        return len(self._where)

    def place_of(self, message: int) -> Place | None:
        """Where a message is; None where this process does not hold it."""
        return self._where.get(message)

    def members(self, place: Place) -> set[int]:
        """The messages in a place. Looks at all that are held: some milliseconds."""
        return {number for number, at in self._where.items() if at == place}

    def missing(self, ids: Collection[int]) -> set[int]:
        """Those of some messages that are in no place."""
        return set(ids).difference(self._where)
