"""One settlement in the making, with all that is to follow in memory once it is durable."""

from collections import Counter
from collections.abc import Callable, Sequence

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import Flight
from gateway.message import Event, Message, Submission
from gateway.policy.prices import Prices
from gateway.queue import tallies
from gateway.queue.parts import States
from gateway.queue.store import Expected, Final, Progress, Ref, Sent, Settlement

End = Callable[[States, "Plan"], None]
"""Ends a message in a plan by the states of its parts, all of which have come."""


class Plan:
    """What one round of settling is about to do.

    Attributes:
        now: the time of the whole round.
        settlement: goes to the store, after `complete`.
        ended: the outcomes in it by message id, and whether the message was on record as sent.
        sent: by message id, the flights that a carrier has taken, and until when receipts may come.
        taken: flights that a carrier has taken, with receipts to come or without, to be counted.
        review: carriers with parked receipts that are to be looked at again.
        soon, later: messages to be released again, from their lane or from the store.
        refused: those of them that no carrier has taken for certain.
        again: messages of which parts are sent again, by id.
        unsent: messages with an outcome that were not on record as sent, by id.
        passed_on: texts that ask for a stop and are another node's to heed, by their keys.
        wanted: the ids, as carriers may have given them, of parts that receipts mean which nobody
            knows here.
        ends: what is to be done with messages, by id, once the store says that all of their
            receipts have come.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.settlement = Settlement()
        self.ended: dict[int, tuple[Message, Event, bool]] = {}
        self.soon: list[Message] = []
        self.later: list[Message] = []
        self.refused: list[Message] = []
        self.again: list[int] = []
        self.unsent: list[int] = []
        self.passed_on: list[str] = []
        self.wanted: set[str] = set()
        self.ends: dict[int, End] = {}
        self.sent: dict[int, tuple[Flight, float]] = {}
        self.taken: list[Flight] = []
        self.review: set[Carrier] = set()

    def send(self, flight: Flight, deadline: float) -> None:
        """A carrier has every part of a flight; receipts are to come until ``deadline``."""
        self.sent[flight.message.id] = (flight, deadline)

    def expect(self, message: Message, states: States) -> None:
        """Not every part of a long message is owed a receipt, or some have theirs already."""
        self.settlement.expected.append(Expected(message.id, bytes(states)))

    def progress(self, message: Message, part: int, state: int, parts: int, end: End) -> None:
        """A part of a long message, which has so many, has its final receipt."""
        self.settlement.progress.append(Progress(message.id, part, state, parts))
        self.ends[message.id] = end

    def end(self, flight: Flight, event: Event) -> None:
        """A flight has its outcome."""
        refs: tuple[Ref, ...] = ()
        if flight.recorded:
            refs = tuple([Ref(flight.carrier, ref) for ref in flight.known_refs()])
        self.sent.pop(flight.message.id, None)
        self.finish(flight.message, event, refs, flight.submission, was_sent=flight.recorded)

    def finish(
        self,
        message: Message,
        event: Event,
        refs: tuple[Ref, ...] = (),
        submission: Submission | None = None,
        *,
        was_sent: bool,
    ) -> None:
        """A message has its outcome; the first one counts."""
        if message.id not in self.ended:
            self.ended[message.id] = (message, event, was_sent)
            self.settlement.finals.append(Final(message, event, refs, submission))
            if not was_sent:
                self.unsent.append(message.id)

    def complete(self, prices: Prices | None = None) -> Settlement:
        """The settlement, whole, to be given to the store before any that comes after it. What was
        taken and has its outcome already is not in ``sent``."""
        for flight, _ in self.sent.values():
            flight.recorded = True
        taken, self.taken = self.taken, []
        if taken:
            counts = tallies.sent(
                [
                    ((m := one.message).tenant, m.campaign, m.variant, one.carrier, len(one.refs))
                    for one in taken
                ]
            )
            tallies.add(self.settlement.tallies, counts)
            if prices is not None:
                tallies.add(self.settlement.tallies, _costs(taken, prices))
        self.settlement.sent = [
            Sent(flight.message, flight.carrier, flight.known_refs(), deadline, flight.handed)
            for flight, deadline in self.sent.values()
        ]
        return self.settlement


def _costs(taken: Sequence[Flight], prices: Prices) -> Counter[tallies.Key]:
    """What messages cost that carriers have taken."""
    digits = prices.digits
    alike = Counter(
        [
            (m.tenant, m.campaign, m.variant, one.carrier, m.to[:digits], len(one.refs))
            for one in taken
            for m in (one.message,)
        ]
    )
    costs: Counter[tallies.Key] = Counter()
    for (tenant, campaign, variant, carrier, prefix, parts), count in alike.items():
        cost = prices.of_part(carrier, prefix) * parts * count
        costs[tenant, campaign, variant, carrier, "cost"] += cost
    return costs
