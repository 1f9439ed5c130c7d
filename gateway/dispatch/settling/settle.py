"""What carriers answer, made durable: responses and receipts of all binds, one commit at a time.

Binds hand over what they read and go on. The settler takes everything that has gathered, has it
worked out what it means (`responses`, `receipts`, `unmatched`, `inbound`), commits that in one
transaction, and only then answers the receipts and lets subscribers see the events. While the store
cannot commit, nothing is answered and `Settler.congested` stops new submissions; the same
settlement is tried until it is durable.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

import structlog
import trio

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import UNANSWERED, Part
from gateway.dispatch.inbound.reach import Reach
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.dispatch.release.aside import Aside
from gateway.dispatch.release.pool import CarrierPool
from gateway.dispatch.settling import matching, outcomes, responses, unmatched
from gateway.dispatch.settling.correlation import Parked
from gateway.dispatch.settling.long_receipts import came
from gateway.dispatch.settling.outcomes import DELIVERED
from gateway.dispatch.settling.passing import Passing, Receipts, receipts_of
from gateway.dispatch.settling.plan import Plan
from gateway.dispatch.settling.receipts import end_halves, match_in_memory, take_told
from gateway.errors import StoreError, StoreFenced
from gateway.message import Event, Message, Submission, message_id
from gateway.ops.logs import Sparing
from gateway.ops.metrics import Metrics
from gateway.policy.prices import Prices
from gateway.queue import tallies
from gateway.queue.lanes import Lanes
from gateway.queue.store import PASSED_ON, Held, Match, Owed, Ref, Store
from gateway.smpp.bind import Bind
from gateway.smpp.events import Delivery, Response
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.receipts import parse

T = TypeVar("T")

log = structlog.get_logger(__name__)

UNSETTLED = 1_000
"""Parts whose response may wait for a commit before submission pauses: so many at most are sent
twice, beyond those in a window, when the process dies."""

UNANSWERED_DELIVERIES = 20_000
"""Receipts and inbound messages that may wait for a commit before reading pauses."""

ROUNDS = 2
"""Rounds that may be on their way to the disk: one in a commit, one that gathers for the next."""

INTERVAL = 0.005
"""Seconds between rounds at least, unless much waits: at some thousand messages a second, fewer
rounds with more in them cost half as much."""

PRESSING = 250
"""Parts that do not wait for the interval to be over."""

OVERTAKEN = 5.0
"""Seconds for which a receipt that matches nothing is looked for ten times a second, where another
node may have its response: it is a commit away."""

RETRY = 1.0
"""Seconds between attempts to commit while the store refuses."""


TakeText = Callable[[Carrier, DeliverSm | DataSm, Plan], Awaitable[None]]
"""Adds what a delivery means that is no receipt to the plan."""

TakePassedOn = Callable[[Held, Plan], Awaitable[None]]
"""Adds what a text means that another node has received."""


class _Round(NamedTuple):
    """What was gathered."""

    plan: Plan
    answered: Sequence[tuple[Carrier, Sequence[Response]]]
    delivered: Sequence[tuple[Carrier, Bind, Sequence[Delivery]]]


class Settler:
    """Settles what carriers answer. One runs for the whole gateway.

    Attributes:
        prices: what parts cost; None where that is not known.
        failing: the store refuses to record what has happened.
        without_carrier: receipts that others have passed on, of carriers that this node does not
            know.

    Args:
        take_text: takes what is no receipt.
        take_passed_on: takes what other nodes have received.
        on_settled: called when what was added so is durable.
        on_room: called when there may be room for more.
        refund: called with messages that a carrier has refused for now.
        name: makes a name for what is passed on.
    """

    def __init__(
        self,
        *,
        store: Store,
        pool: CarrierPool,
        lanes: Lanes,
        places: Places,
        ledger: Ledger,
        aside: Aside,
        reach: Reach,
        metrics: Metrics,
        clock: Callable[[], float],
        take_text: TakeText,
        take_passed_on: TakePassedOn,
        on_settled: Callable[[], Awaitable[None]],
        on_room: Callable[[], None],
        refund: Callable[[Sequence[Message]], None],
        name: Callable[[], str],
    ) -> None:
        self.prices: Prices | None = None
        self.failing = False
        self.without_carrier: list[Held] = []
        self._store = store
        self._pool = pool
        self._lanes = lanes
        self._places = places
        self._ledger = ledger
        self._aside = aside
        self._reach = reach
        self._metrics = metrics
        self._clock = clock
        self._take_text = take_text
        self._take_passed_on = take_passed_on
        self._on_settled = on_settled
        self._on_room = on_room
        self._refund = refund
        self._name = name
        self._complain = Sparing(log.error)
        self._failing_since = 0.0
        self._responses: list[tuple[Carrier, Sequence[Response]]] = []
        self._deliveries: list[tuple[Carrier, Bind, Sequence[Delivery]]] = []
        self._passed_on: list[Held] = []
        self._unsettled = 0
        self._unanswered = 0
        self._looks = False
        self._overtaken: float | None = None
        self._rounds = 0
        self._begun = self._over = 0
        self._work = trio.Event()
        self._pressing = trio.Event()
        self._settled = trio.Event()

    # --- what binds hand over ---

    @property
    def congested(self) -> bool:
        """So much waits for the store that nothing more should be submitted."""
        return self._unsettled >= UNSETTLED or self._store.lapsed

    @property
    def idle(self) -> bool:
        """Whether everything that was handed over is durable."""
        return not (self._unsettled or self._unanswered)

    async def quiet(self) -> None:
        """Wait until everything that was handed over is durable."""
        while not self.idle:
            await self._settled.wait()

    def responded(self, carrier: Carrier, answered: Sequence[Response]) -> None:
        """Responses to parts, in the order in which they came."""
        self._responses.append((carrier, answered))
        self._unsettled += len(answered)
        self._note_work()
        self._on_room()

    def unanswered(self, carrier: Carrier, parts: Iterable[object]) -> None:
        """Parts whose response will not come: a bind was lost, or the time is over."""
        now = self._clock()
        self.responded(carrier, [Response(part, UNANSWERED, "", now) for part in parts])

    async def delivered(self, carrier: Carrier, bind: Bind, deliveries: Sequence[Delivery]) -> None:
        """Receipts and inbound messages. Returns at once unless too much waits already."""
        self._deliveries.append((carrier, bind, deliveries))
        self._unanswered += len(deliveries)
        self._note_work()
        while self._unanswered >= UNANSWERED_DELIVERIES:
            await self._settled.wait()

    def passed_on(self, held: Iterable[Held]) -> None:
        """Texts and receipts from this node's phones that others have received."""
        self._passed_on += [one for one in held if one.kind in PASSED_ON]
        if self._passed_on:
            self._note_work()

    def _note_work(self) -> None:
        self._work.set()
        if self._unsettled >= PRESSING or self._unanswered >= PRESSING:
            self._pressing.set()

    def look_again(self) -> None:
        """Time has passed: receipts that wait may be sure now, and messages may have had all the
        receipts that will come."""
        self._looks = True
        self._note_work()

    async def until_parked(self) -> None:
        """Wait while no receipt waits for its part, and none was settled that may."""
        if any(one.correlator.parked for one in self._pool.carriers.values()):
            await trio.lowlevel.checkpoint()
        else:
            await self._settled.wait()

    def look_for_responses(self, now: float) -> None:
        """Other nodes may have had the responses that receipts have overtaken."""
        after = now + unmatched.PARKED_FOR - OVERTAKEN
        if any(one.correlator.newest(after) for one in self._pool.carriers.values()):
            self._overtaken = after
            self._note_work()

    # --- settling ---

    async def run(self) -> None:
        """Settle what comes, until cancelled. While one round is on its way to the disk, the next
        is worked out."""
        async with trio.open_nursery() as nursery:
            due = trio.current_time()
            while True:
                await self._work.wait()
                with trio.move_on_at(due):
                    await self._pressing.wait()
                while self._rounds >= ROUNDS:
                    await self._settled.wait()
                self._work, self._pressing = trio.Event(), trio.Event()
                due = trio.current_time() + INTERVAL
                nursery.start_soon(self._conclude, await self._gather())

    async def _gather(self) -> "_Round":
        """Work out what was handed over so far."""
        self._begun += 1
        answered, self._responses = self._responses, []
        delivered, self._deliveries = self._deliveries, []
        passed_on, self._passed_on = self._passed_on, []
        plan = Plan(self._clock())
        for carrier, batch in answered:
            responses.take(carrier, self._pool, batch, plan)
        if plan.again:
            self._places.move("carrier", "again", plan.again)
        receipts = self._receipts(passed_on, plan)
        await self._take_deliveries(delivered, receipts, plan)
        for held in passed_on:
            if held.kind == "text":
                await self._take_passed_on(held, plan)
        plan.complete(self.prices)  # now: the next round is to know what this one records
        self._rounds += 1
        return _Round(plan, answered, delivered)

    async def _conclude(self, this: "_Round") -> None:
        """Make a round durable; only then answer what was delivered in it: a stop that is another
        node's to heed, once it has."""
        await self.commit(this.plan)
        passed_on = this.plan.passed_on
        if not passed_on:
            self._answer(this)
        for carrier, batch in this.answered:
            carrier.settled(batch)
            self._unsettled -= len(batch)
        await self._on_settled()
        self._rounds -= 1
        self._over += 1
        self._tell()
        self._on_room()
        if passed_on:
            await self.persistently(lambda: self._store.until_taken(passed_on))
            self._answer(this)
            self._tell()

    def _answer(self, this: "_Round") -> None:
        """Answer what was delivered, all of a bind in one write."""
        by_bind: dict[Bind, list[Delivery]] = {}
        for _, bind, deliveries in this.delivered:
            by_bind.setdefault(bind, []).extend(deliveries)
        for bind, answered in by_bind.items():
            bind.answer(answered)
            self._unanswered -= len(answered)

    def _tell(self) -> None:
        """Something is durable."""
        self._settled.set()
        self._settled = trio.Event()

    async def _take_deliveries(
        self,
        delivered: Sequence[tuple[Carrier, Bind, Sequence[Delivery]]],
        receipts: Sequence[tuple[Carrier, Receipts]],
        plan: Plan,
    ) -> None:
        """Take what has come here, and receipts that others have passed on."""
        shared = self._store.shared
        if self._looks and shared:
            await self._compare_halves(plan.now)
        waiting = self._review(plan)
        passing = Passing(self._store.taker) if shared else None
        for carrier, _, deliveries in delivered:
            states: Counter[int | None] = Counter()
            for delivery in deliveries:
                told = delivery.told
                if told is not None:
                    if take_told(carrier, told, plan):
                        states[DELIVERED] += 1
                        continue
                    if passing is not None and passing.pass_told(carrier, told):
                        continue
                await self._take_pdu(carrier, delivery.pdu, states, waiting, plan, passing)
            carrier.note_receipts(states)
        for carrier, some in receipts:
            states = Counter()
            for told in some.told:
                if take_told(carrier, told, plan):
                    states[DELIVERED] += 1
                else:
                    waiting.append(unmatched.note_told(carrier, told, plan.now))
            for pdu in some.pdus:
                await self._take_pdu(carrier, pdu, states, waiting, plan)
            carrier.note_receipts(states)
        if passing is not None:
            plan.settlement.hold += passing.held(self._name, plan.now)
        if waiting:
            # What earlier rounds know of these messages must be in the store to be found there.
            await self.caught_up()
            for carrier, pdu in await matching.match(self._ask, waiting, plan, self._unnamed):
                await self._take_text(carrier, pdu, plan)
            self._store.look_for(plan.wanted)

    async def _take_pdu(
        self,
        carrier: Carrier,
        pdu: DeliverSm | DataSm,
        states: Counter[int | None],
        waiting: list[unmatched.Unmatched],
        plan: Plan,
        passing: Passing | None = None,
    ) -> None:
        """Take what a carrier has delivered: count a receipt of a part in memory in ``states``, and
        add one to ``waiting`` that is to be looked for, unless it is passed on."""
        receipt = parse(pdu, carrier.words)
        if receipt is None:
            await self._take_text(carrier, pdu, plan)
            return
        state = receipt.state
        if match_in_memory(carrier, receipt, pdu, plan):
            states[state] += 1
        elif passing is not None and passing.pass_on(carrier, pdu):
            return
        else:
            waiting.append(unmatched.note(carrier, receipt, pdu, plan.now))
        if state is None and receipt.word is not None and receipt.marked:
            carrier.note_unknown_word(receipt.word)

    def _receipts(self, held: Iterable[Held], plan: Plan) -> list[tuple[Carrier, Receipts]]:
        """The receipts that others have passed on, of carriers that this node knows; the rest waits
        until it does."""
        found: list[tuple[Carrier, Receipts]] = []
        for one in held:
            if one.kind == "receipts":
                receipts = receipts_of(one)
                carrier = self._pool.carriers.get(receipts.carrier)
                if carrier is None:
                    self.without_carrier.append(one)
                else:
                    found.append((carrier, receipts))
                    plan.settlement.drop.append((one.kind, one.key))
        return found

    async def _compare_halves(self, now: float) -> None:
        """Other nodes may have had the other receipts of messages that have had one here."""
        aged = {
            half.ref: (carrier.correlator.long, half.message.id)
            for carrier in self._pool.carriers.values()
            for half in carrier.correlator.long.aged(now)
        }
        known = await self._ask([*aged])
        for ref, (long, number) in aged.items():
            if ref not in known:
                long.drop(number)
            elif came(known[ref].states) > 1:
                long.several(number)

    async def past(self) -> None:
        """Wait until every round is durable that has begun by now."""
        begun = self._begun
        while self._over < begun:
            await self._settled.wait()

    async def caught_up(self) -> None:
        """Wait until every round but the one that is being worked out is durable."""
        while self._rounds:
            await self._settled.wait()

    def _review(self, plan: Plan) -> list[unmatched.Unmatched]:
        """The parked receipts that are to be looked at again in this round."""
        found: dict[tuple[Carrier, str], Parked] = {}
        if self._looks:
            self._looks = False
            for carrier in self._pool.carriers.values():
                end_halves(carrier, plan)
                found |= {(carrier, one.key): one for one in carrier.correlator.looks()}
                if self._store.shared:
                    found |= {(carrier, one.key): one for one in carrier.correlator.unmatched()}
        if self._overtaken is not None:
            for carrier in self._pool.carriers.values():
                newest = carrier.correlator.newest(self._overtaken)
                found |= {(carrier, one.key): one for one in newest}
            self._overtaken = None
        for carrier in plan.review:
            review = carrier.correlator.review
            found |= {(carrier, key): one for key, one in review.items()}
            review.clear()
        return [unmatched.again(carrier, one) for (carrier, _), one in found.items()]

    async def _ask(self, refs: Sequence[Ref]) -> Mapping[Ref, Match]:
        return await self.persistently(lambda: self._store.match(refs))

    def _unnamed(self, carrier: Carrier) -> Iterator[Part]:
        """The parts of a carrier whose ids are not known: those that are not answered, and those
        whose response waits for the next round."""
        yield from carrier.unanswered()
        for one, answered in self._responses:
            if one is carrier:
                yield from (response.context for response in answered)

    async def commit(self, plan: Plan) -> None:
        """Make a plan durable, however long the store takes, and then true in memory."""
        settlement = plan.complete(self.prices)
        self._reach.learn(settlement)
        self._take_up(plan)
        tallies.add(settlement.tallies, self._aside.take())
        settled = await self.persistently(lambda: self._store.settle(settlement))
        if plan.later:
            await self.persistently(lambda: self._store.defer(plan.later))
        self._account(plan, settled.passed_over)
        if settled.complete:
            await self._complete(plan, settled.complete)

    async def _complete(self, plan: Plan, complete: Mapping[int, bytes]) -> None:
        """End messages of which other nodes have heard the rest."""
        ends = Plan(plan.now)
        for number, states in complete.items():
            plan.ends[number](states, ends)
        await self.commit(ends)

    def _take_up(self, plan: Plan) -> None:
        """What a plan is about is on its way into the store."""
        places = self._places
        if plan.sent:
            places.move("carrier", "settlement", [*plan.sent])
        if plan.unsent or plan.soon:
            places.put("settlement", [*plan.unsent, *(message.id for message in plan.soon)])
        if plan.later:
            places.put("deferral", [message.id for message in plan.later])

    async def persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call of the store again and again until it does not fail: for what has happened
        and must go on record, whether the store is ready for it or not. Raises StoreFenced where
        nothing of this process will go on record any more."""
        failed = False
        while True:
            try:
                result = await call()
            except StoreFenced:
                raise
            except StoreError as error:
                self._store_failed(str(error))
                failed = True
                await trio.sleep(RETRY)
            else:
                if failed and self.failing:
                    self._store_recovered()
                return result

    def _store_failed(self, reason: str) -> None:
        now = trio.current_time()
        if not self.failing:
            self.failing, self._failing_since = True, now
        self._complain("store_failed", reason, now, reason=reason, retry_seconds=RETRY)

    def _store_recovered(self) -> None:
        self.failing = False
        self._complain.over()
        log.info("store_recovered", seconds=round(trio.current_time() - self._failing_since))

    async def count(self) -> None:
        """Make durable what was counted aside, if there is anything."""
        if self._aside:
            await self.commit(Plan(self._clock()))

    async def finish(self, ends: Iterable[tuple[Message, Event]], *, was_sent: bool) -> None:
        """Make outcomes durable that no carrier decided; ``was_sent`` says where the messages
        were."""
        plan = Plan(self._clock())
        for message, event in ends:
            plan.finish(message, event, was_sent=was_sent)
        if plan.ended:
            await self.commit(plan)

    async def give_up(self, owed: Sequence[Owed]) -> None:
        """Messages whose receipts do not come end in what is known of them."""
        plan = Plan(self._clock())
        for message, states, sent_at, handed in owed:
            event = outcomes.without_receipts(message, states, plan.now)
            plan.finish(message, event, (), Submission(handed, sent_at), was_sent=True)
        if plan.ended:
            await self.commit(plan)

    def _account(self, plan: Plan, gone: frozenset[int]) -> None:
        if plan.sent or plan.unsent:
            self._places.leave("settlement", [*plan.sent, *plan.unsent])
        self._ledger.move([flight.message for flight, _ in plan.sent.values()], "queued", "sent")
        ended = [one for one in plan.ended.values() if one[0].id not in gone]
        self._pool.settled([message for message, _, _ in ended])
        # One tuple for each, whatever it looks like: half the time of a loop.
        counts = Counter(
            [
                (
                    m.tenant,
                    m.category,
                    was_sent,
                    e.type,
                    e.code,
                    e.maybe_duplicate,
                    detail.get("carrier") if (detail := e.detail) else None,
                )
                for m, e, was_sent in ended
            ]
        )
        for (tenant, category, was_sent, outcome, code, doubtful, carrier), count in counts.items():
            self._ledger.add(tenant, category, "sent" if was_sent else "queued", -count)
            self._metrics.messages_final.add(count, tenant, outcome)
            if code is not None:
                self._metrics.messages_failed.add(count, tenant, code)
            if carrier is not None:
                self._metrics.carrier_outcomes.add(count, carrier, outcome)
            if doubtful:
                self._metrics.messages_maybe_duplicate.add(count, tenant)
        for category in {of for _, of, _, outcome, *_ in counts if outcome == "delivered"}:
            messages = [m for m, e, _ in ended if e.type == "delivered" and m.category == category]
            took = [plan.now - one.due for one in messages]
            self._metrics.accept_to_phone_seconds.observe_many(took, category)
            slowest = messages[took.index(max(took))]
            self._metrics.accept_to_phone_seconds.exemplify(
                max(took), message_id(slowest.id), plan.now, category
            )
        if plan.later:
            self._places.leave("deferral", [message.id for message in plan.later])
            self._ledger.deferred(plan.later)
            for message in plan.later:
                self._lanes.deferred(message.lane, message.due, plan.now)
            again = Counter([one.tenant for one in plan.later if one.due > plan.now])
            for tenant, count in again.items():
                self._metrics.messages_deferred.add(count, tenant, "retry")
        self._refund(plan.refused)
        if plan.soon:
            self._places.move("settlement", "lane", [message.id for message in plan.soon])
            self._lanes.give_back(sorted(plan.soon, key=_place))


_place = attrgetter("tenant", "category", "route", "due", "id")
