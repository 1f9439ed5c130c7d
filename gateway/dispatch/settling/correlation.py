"""The parts of a carrier that wait for receipts, in memory, and the receipts that wait for a part.

A part is known by its carrier and the id that the carrier's response gave it, in canonical form
(`gateway.smpp.receipt_ids`). Parts submitted not long ago are found here, all others in the store.
A receipt that matches nothing, because it overtook its response or because it is not sure yet which
part it means, is parked. Which part a receipt means is decided in `deciding`.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from itertools import islice, takewhile
from typing import Final, NamedTuple
from weakref import WeakSet

from gateway.dispatch.carriers.flights import Flight, Part
from gateway.dispatch.settling.long_receipts import LongForm, LongReceipts
from gateway.dispatch.settling.phones import Agreement, agreement
from gateway.message import Message
from gateway.queue.parts import NOT_OWED
from gateway.smpp.receipt_ids import ReceiptId, ReceiptIds
from gateway.smpp.receipts import Claim
from gateway.smpp.tlv import NetworkError

FLIGHTS = 65_536
"""Parts of all carriers kept in memory in the hope of an early receipt; about 80 MB when full.
Those of messages that are not on record in the store yet stay, whatever their number: the windows
and the settler bound it."""

AT_ONCE: Final = 64
"""One of so many is forgotten at once when they are full, so that they are seldom counted."""

LOOK: Final = 16
"""Parts that are looked at for one to forget."""

NEWEST: Final = 100
"""Parked receipts that have just come and are looked at, ten times a second."""

LOOKS: Final = 1_000
"""Parked receipts that are looked at again at once: some 30 ms."""

ENDED = 32_768
"""Parts of messages with an outcome that are remembered per carrier at least, and twice as many at
most: a receipt that comes again is known as such. About 14 MB when full."""

PARKED = 100_000
"""Ids of parked receipts, up to three each and more where it says several, that are kept per
carrier; the oldest give way."""


class Parked(NamedTuple):
    """A final receipt that has matched nothing yet.

    Attributes:
        key: names it in the store, and has the id as it stood there: ``carrier:id``; behind a NUL
            a number, where several have the same.
        refs: the canonical ids under which it may be looked for.
        recipient, destination: its addresses.
        state, error, word, also, network_error: see `gateway.smpp.receipts.Receipt`.
        expires_at: when it is given up.
        open: it fits a part, or several, without it being sure which one is meant.
    """

    key: str
    refs: tuple[str, ...]
    recipient: str
    state: int
    error: str | None
    expires_at: float
    word: str | None = None
    also: tuple[Claim, ...] = ()
    destination: str = ""
    network_error: NetworkError | None = None
    open: bool = False

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What it says, the likeliest first."""
        ref_raw = self.key.partition(":")[2].partition("\0")[0]
        return (Claim(ref_raw, self.state, self.word), *self.also)


class Budget:
    """The room in memory that the parts of all carriers share: the carrier that has most makes
    room.

    Attributes:
        left: parts that may be added before they are counted again.
    """

    def __init__(self) -> None:
        self.left = 0
        self._correlators: WeakSet[Correlator] = WeakSet()

    def join(self, correlator: "Correlator") -> None:
        """Count the parts of this carrier too, for as long as it is there."""
        self._correlators.add(correlator)

    def recount(self) -> None:
        """Count the parts, and have the oldest forgotten where they are too many."""
        held = sum(correlator.parts for correlator in self._correlators)
        if held > FLIGHTS:
            goal = FLIGHTS - FLIGHTS // AT_ONCE
            while held > goal:
                forgotten = max(self._correlators, key=_parts).make_room()
                if not forgotten:
                    goal = held  # what is left is not on record: look again a while later
                held -= forgotten
        self.left = max(FLIGHTS - held, FLIGHTS // AT_ONCE)


class Correlator:
    """The parts of one carrier that wait for a receipt, and the receipts that wait for a part.

    Attributes:
        ids: how the carrier writes ids.
        long: how many receipts long messages have.
        review: parked receipts that are to be looked at again, since a part was taken under one of
            their ids.
    """

    def __init__(
        self, stated: ReceiptId, long: LongReceipts = "auto", budget: Budget | None = None
    ) -> None:
        self.ids = ReceiptIds(stated)
        self.long = LongForm(long)
        self.review: dict[str, Parked] = {}
        self._parts: OrderedDict[str, Part] = OrderedDict()
        self._budget = budget or Budget()
        self._budget.join(self)
        # The phones of ended parts, in two generations, and those that had no receipt.
        self._ended: dict[str, str] = {}
        self._ended_before: dict[str, str] = {}
        self._spare: set[str] = set()
        # By key, the oldest first; and by each id, since one receipt's id in this base may be
        # another's in that.
        self._parked: OrderedDict[str, Parked] = OrderedDict()
        self._open: OrderedDict[str, Parked] = OrderedDict()
        self._early: dict[str, Parked] = {}
        self._waiting: dict[str, list[Parked]] = {}
        self._ids = 0
        self._next = 0  # of those that matched nothing, to be looked at again

    # --- parts ---

    def expect(self, ref: str, part: Part) -> Parked | None:
        """A part was taken under this canonical id; returns the receipt that came before, where
        there is no doubt that it means this part. Others that may mean it are put up for
        ``review``."""
        self._parts[ref] = part
        self._budget.left -= 1
        if self._budget.left < 0:
            self._budget.recount()
        if not self._waiting:
            return None
        early = self._waiting.get(ref)
        return self._meant(early, ref, part.flight.message) if early else None

    def _meant(self, early: Sequence[Parked], ref: str, message: Message) -> Parked | None:
        certain = [parked for parked in early if self._is_certain(parked, ref)]
        self.review |= {parked.key: parked for parked in early if parked not in certain}
        found = min(
            certain,
            key=lambda one: _LIKELY.index(
                agreement(one.recipient, one.destination, message.to, message.sender)
            ),
            default=None,
        )
        if found is not None:
            self.unpark(found)
        return found

    def _is_certain(self, parked: Parked, ref: str) -> bool:
        """Whether a receipt means the part with this id whatever other parts there are."""
        readings = self.ids.candidates(parked.claims[0].ref_raw)
        form = self.ids.certain(readings)
        return any(one == form and text == ref for one, text in readings)

    def find(self, ref: str) -> Part | None:
        """The part in memory under this canonical id."""
        return self._parts.get(ref)

    @property
    def parts(self) -> int:
        """How many parts are in memory."""
        return len(self._parts)

    @property
    def example(self) -> str:
        """The id that a response gave lately; empty where none waits for a receipt in memory."""
        return next(reversed(self._parts), "")

    def forget(self, flight: Flight) -> None:
        """Keep the parts of a message in memory no longer."""
        for ref in flight.refs:
            if ref is not None:
                self._parts.pop(ref, None)

    def forget_messages(self, numbers: Collection[int]) -> None:
        """The same for these messages: they are to be sent again."""
        for part in list(self._parts.values()):
            if part.flight.message.id in numbers:
                self.forget(part.flight)

    def make_room(self) -> int:
        """Forget the parts of the oldest message that is on record, and say how many. Whole
        messages go: one half in memory would not know of the other half's receipts; and one that is
        not on record would be found nowhere."""
        before = len(self._parts)
        for ref, part in list(islice(self._parts.items(), LOOK)):
            if part.flight.recorded:
                self.forget(part.flight)
                break
            self._parts.move_to_end(ref)
        return before - len(self._parts)

    # --- parts of messages that have their outcome ---

    def end(self, flight: Flight) -> None:
        """The message has its outcome."""
        parts, ended, phone, refs = self._parts, self._ended, flight.message.to, flight.refs
        for ref in refs:
            if ref:
                parts.pop(ref, None)
                ended[ref] = phone
        if len(refs) > 1 and self.long.one:
            self._spare.update(
                ref
                for ref, state in zip(refs, flight.states, strict=True)
                if ref and state == NOT_OWED
            )
        if len(ended) > ENDED:
            self._age()

    def ended(self, ref: str, phone: str) -> None:
        """A message to this phone has its outcome, of which one part is known."""
        self._ended[ref] = phone
        if len(self._ended) > ENDED:
            self._age()

    def _age(self) -> None:
        self._ended, self._ended_before = {}, self._ended
        self._spare &= self._ended_before.keys()

    def phone_of_ended(self, ref: str) -> str | None:
        """The phone that a part was sent to whose message has its outcome; None where that is not
        known of it (any longer)."""
        return self._ended.get(ref) or self._ended_before.get(ref)

    def is_spare(self, ref: str) -> bool:
        """Whether a message ended without a receipt for this part, since one is for all."""
        return ref in self._spare

    # --- receipts that wait ---

    def park(self, parked: Parked) -> list[Parked]:
        """Keep a receipt until it is known which part it means, instead of one of the same name.
        Returns those that gave way."""
        self.unpark(parked)
        (self._open if parked.open else self._parked)[parked.key] = parked
        for ref in parked.refs:
            self._waiting.setdefault(ref, []).append(parked)
        self._ids += len(parked.refs)
        gone: list[Parked] = []
        while self._ids > PARKED:
            oldest = next(iter((self._parked or self._open).values()))
            self.unpark(oldest)
            gone.append(oldest)
        return gone

    def take_parked(self) -> list[Parked]:
        """Take out all receipts that wait."""
        taken = [*self._parked.values(), *self._open.values()]
        for parked in taken:
            self.unpark(parked)
        return taken

    def has_parked(self, key: str) -> bool:
        """Whether a receipt of that name waits already."""
        return key in self._parked or key in self._open

    @property
    def parked(self) -> int:
        """How many receipts wait."""
        return len(self._parked) + len(self._open)

    def note_early(self, parked: Parked, early: bool) -> None:
        """Whether the response that a receipt belongs to is still to come, by all that is known."""
        if early and self.has_parked(parked.key):
            self._early[parked.key] = parked
        else:
            self._early.pop(parked.key, None)

    def is_early(self, parked: Parked) -> bool:
        """Whether the response that a receipt belongs to was still to come when last looked."""
        return parked.key in self._early

    def looks(self) -> Sequence[Parked]:
        """Receipts to be looked at again since time has passed: those that fit some part, and
        those whose response was still to come; `LOOKS` of them, others the next time."""
        some = list(islice(self._open.values(), LOOKS))
        for parked in some:
            self._open.move_to_end(parked.key)
        return some + list(islice(self._early.values(), LOOKS))

    def unmatched(self) -> Sequence[Parked]:
        """Receipts that matched nothing yet, `LOOKS` of them, others the next time: where several
        nodes send, another one may have had the response."""
        start = self._next if self._next < len(self._parked) else 0
        self._next = start + LOOKS
        return list(islice(self._parked.values(), start, self._next))

    def newest(self, after: float) -> Sequence[Parked]:
        """Receipts that matched nothing yet and expire after a moment, the newest; `NEWEST` at
        most."""
        newest = islice(reversed(self._parked.values()), NEWEST)
        return [*takewhile(lambda parked: parked.expires_at > after, newest)]

    @property
    def undecided(self) -> Sequence[Parked]:
        """Those that fit some part, `LOOKS` at most."""
        return list(islice(self._open.values(), LOOKS))

    @property
    def unsettled(self) -> bool:
        """Whether time may settle what receipts mean."""
        return bool(self._open or self._early) or self.long.waits

    def given_up(self, now: float) -> list[Parked]:
        """Take out the parked receipts whose time is over."""
        over = [parked for parked in self._open.values() if parked.expires_at <= now]
        for parked in self._parked.values():
            if parked.expires_at > now:
                break
            over.append(parked)
        for parked in over:
            self.unpark(parked)
        return over

    def unpark(self, parked: Parked) -> None:
        """A receipt waits no longer."""
        kept = self._parked.pop(parked.key, None) or self._open.pop(parked.key, None)
        if kept is None:
            return
        self.review.pop(kept.key, None)
        self._early.pop(kept.key, None)
        self._ids -= len(kept.refs)
        for ref in kept.refs:
            others = self._waiting[ref]
            others.remove(kept)
            if not others:
                del self._waiting[ref]


def _parts(correlator: Correlator) -> int:
    return correlator.parts


_LIKELY: Final = (Agreement.AGREES, Agreement.SILENT, Agreement.DISAGREES)
