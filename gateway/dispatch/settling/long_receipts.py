"""How many receipts a message of several parts is owed, and when it has had them all.

By the book each part has an id of its own, and a receipt. In the field all parts share one id, with
one receipt for all or one for each; only the first or the last response has an id; or each part
has its id, but a receipt comes for one of them. What came is kept as `gateway.queue.parts` tells.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from gateway.dispatch.carriers.flights import Flight
from gateway.message import Message
from gateway.queue import parts as known
from gateway.queue.parts import AWAITED, NOT_OWED, SHARED, States
from gateway.queue.store import Match, Ref

LongReceipts = Literal["auto", "each", "one"]
"""Whether each part of a long message has a receipt, or one is for all; as configured."""

MARKS: Final = bytes((SHARED, NOT_OWED))


def real(states: States) -> bytes | bytearray:
    """The states of the parts that are owed a receipt."""
    return states.translate(None, MARKS)


def owe(states: bytearray, refs: Sequence[str | None], mode: LongReceipts) -> bool:
    """Mark which parts are owed a receipt, now that each has its response; says whether there is
    anything to mark. Receipts may have come already.

    Args:
        states: of the parts, to be marked.
        refs: their ids in canonical form, empty where the carrier gave none.
        mode: whether parts that share an id have a receipt each. `auto` takes it that they have
            one together.
    """
    if len(refs) == 1 or (all(refs) and len(set(refs)) == len(refs)):
        return False
    if any(refs):
        for part, ref in enumerate(refs):
            if not ref and not states[part]:
                states[part] = NOT_OWED
    for ref, count in Counter(refs).items():
        if ref and count > 1:
            _share(states, [part for part, one in enumerate(refs) if one == ref], mode)
    return True


def _share(states: bytearray, parts: Sequence[int], mode: LongReceipts) -> None:
    # The last one is where the id leads to, in memory and in the store.
    *others, last = parts
    came = [states[part] for part in parts if states[part]]
    if mode == "each":
        for part in parts:
            states[part] = SHARED
        states[last] = 0
        for state in came:
            known.fill(states, last, state)
    else:
        for part in others:
            states[part] = NOT_OWED
        states[last] = came[0] if came else 0


def waits(states: States, part: int) -> bool:
    """Whether a receipt under the id of this part is still to come."""
    return not states[part] or SHARED in states


def complete(states: bytearray, *, one: bool) -> bool:
    """Whether all receipts that are owed have come. With ``one``, the first was for all parts, and
    the others are marked so."""
    if known.complete(states):
        return True
    if not one or not came(states):
        return False
    for part, state in enumerate(states):
        if state in AWAITED:
            states[part] = NOT_OWED
    return True


def came(states: States) -> int:
    """How many parts have had their receipt."""
    return len(states.translate(None, _NONE))


_NONE: Final = bytes((0, SHARED, NOT_OWED))

HALVES: Final = 5_000
"""Messages that have had a receipt for some of their parts and are looked at, per carrier; the
oldest give way. About 3 MB."""


class Half(NamedTuple):
    """A message that has had a receipt for one of several parts: since when, and what must be
    known to end it: its flight where it is in memory, else the part that the receipt named, as the
    store knew it."""

    since: float
    message: Message
    states: bytearray
    flight: Flight | None
    stored: tuple[Ref, Match] | None

    @property
    def ref(self) -> Ref:
        """Names one of its parts."""
        if self.stored is not None:
            return self.stored[0]
        if self.flight is None:
            raise AssertionError("half of nothing")
        return Ref(self.flight.carrier, next(filter(None, self.flight.refs)))


class Evidence(NamedTuple):
    """What it takes to believe that one receipt is for all parts: so many messages one after the
    other without a second receipt, each ``patience`` seconds after the first one."""

    messages: int
    patience: float


FRESH: Final = Evidence(3, 60.0)
"""While nothing is known: parts that reach a phone do so within seconds of one another."""

AGAINST: Final = Evidence(10, 600.0)
"""Where receipts for several parts of one message have been seen before."""

ALONE: Final = 3600.0
"""Seconds after which a message ends with the one receipt that it had, though too few others tell
whether that was for all of it."""


class LongForm:
    """Whether one carrier sends a receipt for each part of a message or one for all.

    Attributes:
        is_stated: it was configured, and no receipt changes it.
        learnt: what is believed; None where nothing is known yet.
    """

    def __init__(self, stated: LongReceipts) -> None:
        self.is_stated = stated != "auto"
        self.learnt: Literal["each", "one"] | None = None if stated == "auto" else stated
        self._halves: OrderedDict[int, Half] = OrderedDict()
        self._streak: set[int] = set()  # those since a message had several receipts

    @property
    def one(self) -> bool:
        """Whether a message's first receipt is for all of its parts."""
        return self.learnt == "one"

    @property
    def waits(self) -> bool:
        """Whether messages have had a receipt for one of their parts."""
        return bool(self._halves)

    def learn(self, form: Literal["each", "one"]) -> None:
        """Believe this, where nothing is stated or known already."""
        if self.learnt is None:
            self.learnt = form

    def first(self, half: Half) -> None:
        """A message has had the first of its receipts."""
        if not self.is_stated:
            self._halves[half.message.id] = half
            self._streak.add(half.message.id)
            if len(self._halves) > HALVES:
                self._streak.discard(self._halves.popitem(last=False)[0])

    def aged(self, now: float) -> list[Half]:
        """Messages that have waited so long for further receipts that they may teach something."""
        return [half for half in self._halves.values() if half.since <= now - FRESH.patience]

    def drop(self, message: int) -> None:
        """A message has its outcome, which teaches nothing."""
        self._halves.pop(message, None)
        self._streak.discard(message)

    def several(self, message: int) -> None:
        """A message has had receipts for several of its parts."""
        if not self.is_stated:
            self._halves.pop(message, None)
            self._streak.clear()
            self.learnt = "each"

    def over(self, now: float) -> list[Half]:
        """Take out the messages that have had all receipts that will come."""
        if not self._halves:
            return []
        needed = FRESH if self.learnt is None else AGAINST
        aged = [half for half in self._halves.values() if half.since <= now - needed.patience]
        if sum(half.message.id in self._streak for half in aged) >= needed.messages:
            self.learnt = "one"
        if not self.one:
            aged = [half for half in aged if self.learnt is None and half.since <= now - ALONE]
        for half in aged:
            del self._halves[half.message.id]
            self._streak.discard(half.message.id)
        return aged
