"""A carrier at run time: its binds and what holds for the account as a whole.

That is its rate, stated or discovered, the pause after it said that it is throttled, the parts
that are to be sent once more, and the receipts that are expected of it. Which carrier takes a
message is decided in `gateway.dispatch.release.pool`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import structlog
import trio

from gateway.dispatch.carriers.actions import Action, action
from gateway.dispatch.carriers.flights import Flight, Part
from gateway.dispatch.carriers.full_queues import FullQueues
from gateway.dispatch.carriers.pace import PAUSE, Pace
from gateway.dispatch.carriers.standing import Standing
from gateway.dispatch.carriers.submission import Dialect
from gateway.dispatch.carriers.torn import Parts, Torn
from gateway.dispatch.carriers.windows import Request, Windows
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.settling.correlation import Budget, Correlator
from gateway.dispatch.settling.long_receipts import LongForm
from gateway.dispatch.settling.outcomes import ACCEPTED, FINAL_STATES, UNDELIVERABLE
from gateway.message import URGENT, Category, Handed, Message, masked
from gateway.ops.logs import Sparing
from gateway.ops.metrics import Metrics
from gateway.policy.carrier_hours import CarrierHours
from gateway.policy.holidays import years_ahead
from gateway.smpp.bind import Bind
from gateway.smpp.events import Delivery, Response, StrangeKind
from gateway.smpp.pdu import Encoded
from gateway.smpp.receipt_ids import ReceiptIds
from gateway.smpp.receipt_states import STATS, StateWords
from gateway.smpp.status import Status, status_name

FULL = Status.ESME_RMSGQFUL

FULL_PAUSE = 5.0
"""Seconds of the first pause after the account's queue at the carrier was full: it is to drain."""

RESERVED = 16
"""One of so many places in a carrier's windows is kept for one-time passwords, which would wait for
a response to a campaign's message otherwise."""

RESERVED_FOR = 600.0
"""Seconds after the last one-time password for which places are kept."""

ENOUGH = 256
"""Parts for which room is looked for at most: nobody sends more in one go, and to ask two hundred
idle binds for each message would be a tenth of a processor at twenty messages a second."""

LEAST_PART = 1e-6
"""Of a rate, what counts as none: a rate of 0 is none that limits."""

Limit = Literal["window_full", "carrier_rate"]
"""What keeps a carrier that is up from taking more: unanswered parts, or how fast it may be sent
to."""

LONGEST_WORD = 32
"""Characters of a carrier's word that a log shows."""

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Where a carrier's answers go (`gateway.dispatch.settling.settle.Settler`)."""

    def responded(self, carrier: "Carrier", answered: Sequence[Response]) -> None: ...
    def unanswered(self, carrier: "Carrier", parts: Sequence[object]) -> None: ...
    async def delivered(
        self, carrier: "Carrier", bind: Bind, deliveries: Sequence[Delivery]
    ) -> None: ...


class Carrier:
    """One account at a carrier, and the listener of its binds (`gateway.smpp.bind.BindListener`).

    Attributes:
        binds: those that can send, of ``all_binds``.
        correlator: what its receipts are matched by.
        words: what its words for states mean.
        dialect: makes the PDUs that it is sent.
        hours: when it takes which messages; None where that is always.
        standing: since when it is as it is, and why.
        retired: see `retire`.
        paused: see `steer`.

    Args:
        on_room: called when a bind has come up.
        budget: of parts in memory, for all carriers; left out, it has one of its own.
    """

    def __init__(
        self,
        options: CarrierOptions,
        sink: Sink,
        metrics: Metrics,
        clock: Callable[[], float],
        on_room: Callable[[], None],
        budget: Budget | None = None,
    ) -> None:
        self.options = options
        self.binds: tuple[Bind, ...] = ()
        self.all_binds: tuple[Bind, ...] = ()
        self.correlator = Correlator(options.receipt_id, options.long_receipts, budget)
        self.words = StateWords(options.receipt_states)
        self.dialect = Dialect(options)
        self.hours: CarrierHours | None = None
        self.retired = False
        self.paused = False
        self._rate_set: float | None = None
        self._part = self._slots = 1.0
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._on_room = on_room
        self._pace = Pace(options.rate)
        self._full_queues = FullQueues()
        # By identity, the responses with refusals for going too fast that are not settled: their
        # messages are not in their lanes again, and no others go out before them.
        self._returning: dict[int, Sequence[Response]] = {}
        self._reserved_until = 0.0
        self._reserved: int | None = None  # places, until it is known that other binds are up
        # When the first part was taken of those after the last receipt; 0 where there is none.
        self._owes_since = 0.0
        self._torn = Torn()
        self._windows = Windows(self._renewed, lambda parts: sink.unanswered(self, parts), clock)
        self._delivery_seconds: list[float] = []
        self._warn = Sparing(log.warning)
        self.standing = Standing(options.id)
        self._keep_hours()

    def use(self, binds: Sequence[Bind]) -> None:
        """Send on these binds from now on."""
        self.all_binds = tuple(binds)
        self.binds = tuple(bind for bind in binds if bind.options.mode != "receiver")
        self._windows.use(self.binds)
        self._reserved = None
        self.standing.use(binds)

    def reconfigure(self, options: CarrierOptions) -> None:
        """Go on with other options; what is in flight stays so."""
        self._pace.change(self._ceiling(options.rate))
        if options.receipt_id != self.options.receipt_id:
            self.correlator.ids = ReceiptIds(options.receipt_id)
        if options.long_receipts != self.options.long_receipts:
            self.correlator.long = LongForm(options.long_receipts)
        if options.receipt_states != self.options.receipt_states:
            self.words = StateWords(options.receipt_states)
        self.dialect = Dialect(options)
        self.options = options
        self._keep_hours()

    def _keep_hours(self) -> None:
        options = self.options.hours
        if options is None:
            self.hours = None
        elif self.hours is None or self.hours.options != options:
            self.hours = CarrierHours(options)
            self.hours.load(years_ahead(self._clock()))

    def steer(self, *, paused: bool, rate: float | None) -> None:
        """What an operator wants: while it is paused nothing is sent here, also of messages of
        which it has some parts; ``rate`` is parts per second at most, None for its own."""
        if rate != self._rate_set:
            self._rate_set = rate
            self._pace.change(self._ceiling(self.options.rate))
        if paused != self.paused:
            self.paused = self._windows.shut = paused
            self._windows.go_on()

    def take_part(self, part: float) -> None:
        """Send at most so much of the rate that is stated or set: the rest is for other nodes."""
        if part != self._part:
            self._part = part
            self._pace.change(self._ceiling(self.options.rate))

    def take_slots(self, part: float) -> None:
        """So much of what it bears, as was found out, is for the slots of this node."""
        if part != self._slots:
            self._pace.scale(max(part, LEAST_PART) / max(self._slots, LEAST_PART))
            self._slots = part

    @property
    def whole(self) -> float:
        """Parts per second that are stated or set, for all nodes; 0 for no limit."""
        return min(filter(None, (self.options.rate, self._rate_set)), default=0.0)

    def usage(self) -> tuple[int, bool]:
        """Parts that were ever sent within its rate; and whether some could not be since this was
        asked."""
        return self._pace.passed, self._pace.was_short()

    def _ceiling(self, stated: float) -> float:
        whole = min(filter(None, (stated, self._rate_set)), default=0.0)
        return whole * max(self._part, LEAST_PART)

    def _renewed(self, pdu: Encoded, validity: float) -> Encoded:
        return self.dialect.renewed(pdu, validity)

    # --- what it can take ---

    @property
    def up(self) -> bool:
        """Whether a bind is up that can send."""
        return any(bind.up for bind in self.binds)

    @property
    def usable(self) -> bool:
        """Whether it is up and may be sent to."""
        return not self.paused and self.up

    def limit(self, now: float) -> float:
        """Parts per second that it is given at most; 0 for unlimited."""
        return self._pace.limit(now)

    def room(self, now: float, category: Category = URGENT) -> int:
        """Parts of a category that could go out at once: free window, within the rate, but no more
        than `ENOUGH` and a window. While there are one-time passwords, some places in the window
        are kept for them."""
        if self._returning or self.paused:
            return 0
        free = self._free(now, category)
        if free <= 0:
            return 0
        return min(free, self._pace.room(now))

    def _free(self, now: float, category: Category) -> int:
        """Parts of a category that the windows have room for, as far as that matters."""
        if category == URGENT or now >= self._reserved_until:
            return self._windows.free(ENOUGH)
        if self._reserved is None:
            self._reserved = sum(bind.options.window for bind in self.binds if bind.up) // RESERVED
        return self._windows.free(ENOUGH + self._reserved) - self._reserved

    def limited_by(self, now: float, category: Category) -> Limit | None:
        """Why it has no `room` for a category though it is up; None where it has some."""
        if self._returning:
            return "carrier_rate"
        if self._free(now, category) <= 0:
            return "window_full"
        return "carrier_rate" if self._pace.room(now) <= 0 else None

    @property
    def rate_found(self) -> bool:
        """Whether its `limit` was found out, and is not the one that is stated."""
        return self._pace.searching

    def silent_for(self, now: float) -> float:
        """Seconds for which it has taken parts and given no receipt, or 0."""
        return max(0.0, now - self._owes_since) if self._owes_since else 0.0

    def ready_at(self, now: float) -> float | None:
        """When time alone will give room, or parts to send once more; None where it will not."""
        paced, again = self._pace.ready_at(now), self._torn.next_at
        if again is None or again <= now:
            return paced if paced > now else None
        return min(paced, again) if paced > now else again

    def action(self, status: int) -> Action:
        """What to do about a status other than 0."""
        return self.options.statuses.get(status) or action(status)

    def look(self, now: float) -> None:
        """Tell what time alone has ended. To be called every few seconds."""
        if self.paused:  # what waits for the end of that is not to wait longer than it may
            self._windows.go_on()
        self.standing.look(now, self._pace.limit(now))

    def set_back(self, seconds: float) -> None:
        """The clock was set back: what waits does not wait for so much longer."""
        self._pace.set_back(seconds)
        self._reserved_until -= seconds
        if self._owes_since:
            self._owes_since -= seconds
        self._torn.set_back(seconds)

    # --- sending ---

    def submit(self, flights: Sequence[Flight], now: float) -> Sequence[Flight]:
        """Send whole messages of one category, each on the bind with the most free window, in
        order. A long message goes to one bind entirely: the parts that its window has no room for
        follow as it empties, before anything else does.

        Returns:
            the last of them, of which nothing was sent: no bind has room for them (any longer).
        """
        if flights and flights[0].message.category == URGENT:
            self._reserved_until = now + RESERVED_FOR
        start = 0
        while start < len(flights) and (bind := self._windows.roomiest()) is not None:
            room = bind.room
            requests: list[Request] = []
            handed = Handed(self._clock(), self.options.id, bind.name)
            while start < len(flights) and len(requests) < room:
                flight = flights[start]
                flight.hand(handed)
                requests += [(pdu, Part(flight, index)) for index, pdu in enumerate(flight.pdus)]
                start += 1
            self._pace.sent(len(requests), now)
            self._windows.hand_over(bind, requests)
        return flights[start:]

    def send_again(self, flight: Flight, indexes: list[int], at: float) -> None:
        """Parts of a message of which the carrier has others already are to be sent at ``at``."""
        if self.retired:
            self._give_up(flight, indexes)
        else:
            self._torn.add(flight, indexes, at)

    def due_again(self, now: float) -> list[Parts]:
        """Take out the parts to be sent once more, as many as there is room for."""
        return [] if self._torn.next_at is None else self._torn.due(now, self.room(now))

    def resubmit(self, flight: Flight, indexes: list[int], now: float) -> bool:
        """Send parts of a flight once more; False where no bind has room any longer, and they wait
        for it."""
        bind = self._windows.roomiest()
        if bind is None:
            self.send_again(flight, indexes, now)
            return False
        flight.unanswered = len(indexes)
        flight.refused = None
        flight.hand(Handed(self._clock(), self.options.id, bind.name))
        self._pace.sent(len(indexes), now)
        parts = [(flight.pdus[i], Part(flight, i)) for i in indexes]
        self._windows.hand_over(bind, self._windows.still_due(parts))
        return True

    @property
    def torn(self) -> list[Message]:
        """The messages that wait for parts to be sent once more."""
        return self._torn.messages

    def expired(self, now: float) -> list[Flight]:
        """Take out the flights that wait to be sent once more and may not be any longer."""
        return self._torn.expired(now)

    def retire(self) -> None:
        """Nothing more is sent here: the carrier was removed. What waits to be sent once more is
        judged again by its last answer, and ends."""
        self.retired = True
        for flight, indexes in self._torn.take_all():
            self._give_up(flight, indexes)

    def _give_up(self, flight: Flight, indexes: Sequence[int]) -> None:
        """Have parts judged again by their last answer."""
        statuses = flight.refused or {}
        flight.unanswered, flight.refused = len(indexes), None
        self._sink.responded(
            self, [Response(Part(flight, i), statuses[i], "", 0.0) for i in indexes]
        )

    def has_begun(self, until: float) -> bool:
        """Whether there is more of messages of which it was given some parts: parts that wait for
        room, or to be sent again by ``until``, or are in a window and may yet have to be."""
        again = self._torn.next_at
        return (
            (self._windows.waiting > 0 and not self.paused)
            or any(bind.in_use for bind in self.binds)
            or (again is not None and again <= until and self.usable)
        )

    @property
    def owed(self) -> int:
        """How many parts of long messages wait for room in the window of their bind."""
        return self._windows.waiting

    async def handed_over(self, bind: Bind) -> None:
        """Wait until a bind has all of the messages of which it has some parts, or is lost."""
        await self._windows.handed_over(bind)

    # --- what binds tell (`gateway.smpp.bind.BindListener`) ---

    def bound(self, bind: Bind) -> None:
        self._reserved = None
        self.standing.bound(bind, self._clock())
        self._on_room()

    def lost(self, bind: Bind, unanswered: Sequence[object], reason: str) -> None:
        self._reserved = None
        self.standing.lost(bind, reason, self._clock())
        self._metrics.binds_lost.add(1, self.options.id)
        contexts = [*unanswered, *self._windows.lost(bind)]
        if contexts:
            self._sink.unanswered(self, contexts)

    def failed(self, bind: Bind, reason: str, status: int) -> None:
        self.standing.failed(bind, reason, status, self._clock())
        self._metrics.binds_failed.add(1, self.options.id)

    def timed_out(self, bind: Bind, contexts: Sequence[object]) -> None:
        self._windows.hand_over(bind, ())
        self._sink.unanswered(self, contexts)

    def responded(self, bind: Bind, responses: Sequence[Response]) -> None:
        arrived = trio.current_time()
        name = self.options.id
        refused = [response.status for response in responses if response.status]
        statuses = Counter(refused) if refused else {}
        taken = len(responses) - len(refused)
        if taken and not self._owes_since and any(map(_owes, responses)):
            self._owes_since = self._clock()
        for status, number in ((0, taken), *statuses.items()):
            if number:
                self._metrics.parts_submitted.add(number, name, status_name(status))
        if refused:
            self._note_refusals(statuses, responses)
        else:
            self._pace.taken(taken, self._clock())
            self._full_queues.taken(taken)
        self._metrics.submit_response_seconds.observe_many(
            [arrived - response.sent_at for response in responses], name
        )
        self._windows.go_on([bind])
        if Status.ESME_RINVBNDSTS in statuses:
            bind.restart("the carrier answers as if there were no session")
        self._sink.responded(self, responses)

    def _note_refusals(self, statuses: Mapping[int, int], responses: Sequence[Response]) -> None:
        """What refusals among responses say of our speed: the carrier was not too busy for those
        that it refused for other reasons."""
        now = self._clock()
        actions = {status: self.action(status) for status in statuses}
        slows = {status: act for status, act in actions.items() if act.slows}
        full = FULL in statuses and FULL not in self.options.statuses
        taken = len(responses) - sum(statuses[status] for status in slows)
        if full:
            taken -= statuses[FULL]
        if taken:
            self._pace.taken(taken, now)
            self._full_queues.taken(taken)
        for act in slows.values():
            self._pace.refused(now, act.delay or PAUSE)
        if slows:
            self._returning[id(responses)] = responses
            self.standing.throttled(now, self._pace.limit(now))
        if full:
            contexts = [response.context for response in responses if response.status == FULL]
            phones = {part.flight.message.to for part in contexts if isinstance(part, Part)}
            if self._full_queues.met(phones, now):
                self._pace.refused(now, FULL_PAUSE)
                self.standing.throttled(now, self._pace.limit(now))

    def settled(self, responses: Sequence[Response]) -> None:
        """What these said is on record, and what is to be sent again back in its lane."""
        if self._returning:
            self._returning.pop(id(responses), None)

    def strange(self, bind: Bind, kind: StrangeKind, count: int) -> None:
        self._metrics.strange.add(count, self.options.id, kind)

    async def delivered(self, bind: Bind, deliveries: Sequence[Delivery]) -> None:
        await self._sink.delivered(self, bind, deliveries)

    # --- receipts ---

    def unanswered(self) -> Iterator[Part]:
        """The parts that were submitted and are not answered."""
        for bind in self.all_binds:
            for context in bind.submitted:
                if isinstance(context, Part):
                    yield context

    def ends(self, state: int, intermediate: bool = False) -> bool:
        """Whether a receipt with this message_state is a part's last. An intermediate notification
        of an attempt that failed is not: others follow, which is what it is for."""
        if intermediate and state == UNDELIVERABLE:
            return False
        return state in FINAL_STATES or (state == ACCEPTED and self.options.accepted_is_delivered)

    def note_delivery(self, seconds: float) -> None:
        """A part was released so long ago, and its final receipt has come."""
        self._delivery_seconds.append(seconds)

    def note_receipts(self, states: Mapping[int | None, int]) -> None:
        """So many receipts belong to a message, by message_state."""
        name = self.options.id
        if states:
            self._owes_since = 0.0
        for state, number in states.items():
            stat = STATS[state] if state is not None else "none"
            self._metrics.receipts.add(number, name, stat)
        if self._delivery_seconds:
            self._metrics.delivery_seconds.observe_many(self._delivery_seconds, name)
            self._delivery_seconds = []

    def note_unmatched(self, number: int, ref_raw: str, source: str) -> None:
        """So many receipts match nothing, among them one with this id and from this address."""
        name = self.options.id
        self._owes_since = 0.0
        self._metrics.receipts_unmatched.add(number, name)
        self._warn(
            "receipts_unmatched",
            name,
            self._clock(),
            carrier=name,
            receipts=number,
            receipt_id=masked(ref_raw),
            response_id=masked(self.correlator.example),
            number=source,
        )

    def note_unknown_word(self, word: str) -> None:
        """A receipt bears a word for its state that no table has."""
        name = self.options.id
        self._metrics.receipts_unknown_state.add(1, name)
        self._warn(
            "receipt_state_unknown", name, self._clock(), carrier=name, word=word[:LONGEST_WORD]
        )


def _owes(response: Response) -> bool:
    """Whether a receipt is to follow."""
    part = response.context
    return not response.status and isinstance(part, Part) and part.flight.message.report == "final"
