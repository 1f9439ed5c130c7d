"""What time does: messages that expire, receipts that never come, history that grows old."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
import trio

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.learnt import Lessons
from gateway.dispatch.inbound.inbound import Inbox
from gateway.dispatch.intake.guard import Guard
from gateway.dispatch.intake.templates import Templates
from gateway.dispatch.intake.texted_memos import TextedMemos
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.dispatch.release import absent
from gateway.dispatch.release.absent import Absent
from gateway.dispatch.release.pool import CarrierPool
from gateway.dispatch.release.steering import Steering
from gateway.dispatch.serving.events import EventHub, in_use
from gateway.dispatch.settling import outcomes
from gateway.dispatch.settling.plan import Plan
from gateway.dispatch.settling.settle import Settler
from gateway.dispatch.watchdog import Watchdog
from gateway.errors import StoreError
from gateway.message import Message
from gateway.ops.logs import Sparing
from gateway.ops.metrics import Metrics
from gateway.queue.lanes import Lanes
from gateway.queue.operators import OperatorStore, Vitals
from gateway.queue.store import Held, Oldest

log = structlog.get_logger(__name__)

SLICE = 5_000
"""Messages that are looked at in one call of the store, so that nothing else waits long."""

SET_BACK = 1.0
"""Seconds by which the wall clock must step back to matter; less is soon waited out."""

MOMENT = 60.0
"""Seconds: what was to wait no longer was to go out at once, or is tried again."""

MEMORY_EVERY, STORE_EVERY, PRUNE_EVERY, MEMO_EVERY = 1.0, 5.0, 30.0, 60.0
"""Seconds between rounds: over what is in memory, over the store's due dates, over its history, and
to put on record what would be missed after a crash and can be done without, and to compare the
places of messages with the store."""

EARLY_EVERY = 0.1
"""Seconds between looks for the responses that receipts have overtaken, by way of another node."""


class Upkeep:
    """Ends what time ends.

    Attributes:
        without_carrier: receipts that the store holds for carriers which are not configured (any
            more).
        gone: carriers that a reload has removed, while receipts wait at them.
        retention: seconds for which events, outcomes and keys are kept.
        unacknowledged: events that the slowest consumer of each tenant has not acknowledged, of
            those that are there or are missed.
        oldest: what has stood longest in the store, as of a few seconds ago.
        vitals: how its server fares, likewise; None where it has none.
    """

    def __init__(
        self,
        *,
        store: OperatorStore,
        lanes: Lanes,
        places: Places,
        pool: CarrierPool,
        settler: Settler,
        inbox: Inbox,
        lessons: Lessons,
        memos: TextedMemos,
        templates: Templates,
        guard: Guard,
        steering: Steering,
        absent: Absent,
        watchdog: Watchdog,
        ledger: Ledger,
        hub: EventHub,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self.retention = math.inf
        self.unacknowledged: Mapping[str, int] = {}
        self.oldest: Sequence[Oldest] = ()
        self.vitals: Vitals | None = None
        self._store = store
        self._lanes = lanes
        self._places = places
        self._pool = pool
        self._settler = settler
        self._inbox = inbox
        self._lessons = lessons
        self._memos = memos
        self._templates = templates
        self._guard = guard
        self.steering = steering
        self._absent = absent
        self._watchdog = watchdog
        self._ledger = ledger
        self._hub = hub
        self._metrics = metrics
        self._clock = clock
        self.without_carrier: Sequence[Held] = ()
        self.gone: list[Carrier] = []
        self._ahead = 0.0  # of the wall clock before trio's, the last time we looked

    def expect(self, latest: float, now: float) -> None:
        """The store was last used at ``latest``: a clock that shows less was set back since."""
        self._ahead = max(latest, now) - trio.current_time()

    async def run(self) -> None:
        """Do each job in its own time, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_every, MEMORY_EVERY, self.follow_clock)
            nursery.start_soon(_every, MEMORY_EVERY, self.expire_in_memory)
            nursery.start_soon(_every, STORE_EVERY, self.expire_in_store)
            nursery.start_soon(_every, MEMORY_EVERY, self.look_at_carriers)
            nursery.start_soon(_every, STORE_EVERY, self.give_up_receipts)
            nursery.start_soon(_every, STORE_EVERY, self.give_up_halves)
            nursery.start_soon(_every, STORE_EVERY, self.look_at_receipts)
            if self._store.shared:
                nursery.start_soon(_every, EARLY_EVERY, self.look_for_responses)
                nursery.start_soon(_every, MEMORY_EVERY, self.tell_ranges)
            nursery.start_soon(_every, PRUNE_EVERY, self.prune)
            nursery.start_soon(_every, MEMO_EVERY, self.keep_texted)
            nursery.start_soon(_every, MEMO_EVERY, self.keep_ranges)
            nursery.start_soon(_every, MEMORY_EVERY, self._templates.look)
            nursery.start_soon(_every, MEMO_EVERY, self.look_at_absent)
            nursery.start_soon(_every, MEMO_EVERY, self.look_at_places)
            nursery.start_soon(_every, MEMORY_EVERY, self._settler.count)
            nursery.start_soon(_every, STORE_EVERY, self.look_at_consumers)
            nursery.start_soon(_every, STORE_EVERY, self.look_at_ages)
            nursery.start_soon(_every, MEMO_EVERY / 4, self.look_at_server)
            nursery.start_soon(_every, MEMORY_EVERY, self.steering.catch_up)
            nursery.start_soon(_every, STORE_EVERY, self.steering.look)

    async def follow_clock(self) -> None:
        """Where the wall clock was set back, what waits for a moment does not wait for it to come
        round again. Where it was set forward, there is nothing to do."""
        now, ahead = self._clock(), self._clock() - trio.current_time()
        back, self._ahead = self._ahead - ahead, ahead
        if back < SET_BACK:
            return
        log.warning("clock_set_back", seconds=round(back))
        for carrier in self._pool.carriers.values():
            carrier.set_back(back)
        await self._settler.persistently(lambda: self._store.hasten(now, MOMENT))
        self._lanes.look_again()

    async def expire_in_memory(self) -> None:
        """Messages that outlive their validity in a lane, or torn at a carrier, have expired."""
        now = self._clock()
        expired = self._lanes.expired(now)
        for carrier in self._pool.carriers.values():
            for flight in carrier.expired(now):
                carrier.correlator.end(flight)
                expired.append(flight.message)
        await self._expire(expired, now)

    async def expire_in_store(self) -> None:
        """The same for messages that wait in the store."""
        while True:
            now = self._clock()
            expired = await self._store.expired(now, SLICE)
            self._places.enter("settlement", [message.id for message in expired])
            self._ledger.leased(expired)
            await self._expire(expired, now)
            if len(expired) < SLICE:
                return

    async def give_up_receipts(self) -> None:
        """Messages whose receipts did not come by the deadline end in what is known of them."""
        while True:
            overdue = await self._store.overdue(self._clock(), SLICE)
            await self._settler.give_up(overdue)
            if len(overdue) < SLICE:
                return

    async def give_up_halves(self) -> None:
        """Parked receipts and parts of inbound messages whose other half did not come."""
        plan = Plan(self._clock())
        for carrier in [*self._pool.carriers.values(), *self.gone]:
            over = carrier.correlator.given_up(plan.now)
            plan.settlement.drop += [("receipt", parked.key) for parked in over]
            if over:
                self._metrics.receipts_given_up.add(len(over), carrier.options.id)
        expired = [one for one in self.without_carrier if one.expires_at <= plan.now]
        if expired:
            self.without_carrier = [
                one for one in self.without_carrier if one.expires_at > plan.now
            ]
            plan.settlement.drop += [(one.kind, one.key) for one in expired]
        self.gone = [
            one for one in self.gone if one.correlator.parked or any(b.up for b in one.all_binds)
        ]
        await self._inbox.overdue(plan)
        if plan.settlement.drop:
            await self._settler.commit(plan)
            await self._inbox.settled()

    async def look_at_receipts(self) -> None:
        """Have receipts looked at again that were not sure, and messages with one of several;
        keep what was learnt."""
        correlators = [carrier.correlator for carrier in self._pool.carriers.values()]
        if any(one.unsettled or (one.parked and self._store.shared) for one in correlators):
            self._settler.look_again()
        await self._lessons.save(self._pool.carriers.values())

    async def look_for_responses(self) -> None:
        """Have receipts looked at again that have just come and matched nothing: another node may
        have had the response since."""
        await self._settler.until_parked()
        self._settler.look_for_responses(self._clock())

    async def look_at_carriers(self) -> None:
        """Have told what time alone has ended."""
        now = self._clock()
        for carrier in self._pool.carriers.values():
            carrier.look(now)

    async def look_at_consumers(self) -> None:
        """See how far behind consumers are."""
        now, connected = self._clock(), self._hub.connected()
        slowest: dict[str, int] = {}
        for one in await self._store.consumers():
            if (one.tenant, one.name) in connected or in_use(one, now):
                slowest[one.tenant] = max(one.lag, slowest.get(one.tenant, 0))
        self.unacknowledged = slowest

    async def look_at_ages(self) -> None:
        """See what has stood longest in the store."""
        self.oldest = await self._store.oldest(self._clock())

    async def look_at_server(self) -> None:
        """See how the server fares that has the store."""
        self.vitals = await self._store.vitals()

    async def keep_texted(self) -> None:
        """Put on record who texted whom last."""
        await self._settler.persistently(self._memos.keep)

    async def keep_ranges(self) -> None:
        """Put on record what is usual of one-time passwords."""
        await self._guard.keep()

    async def tell_ranges(self) -> None:
        """Have other nodes know of one-time passwords that went out here."""
        await self._guard.tell(self._clock())

    async def look_at_absent(self) -> None:
        """See which tenants are missed, and for how long already; put that on record."""
        self._absent.look()
        self.steering.holds.apply()
        memo = self._absent.memo()
        if memo is not None:
            await self._store.remember(absent.MEMO, memo)

    async def look_at_places(self) -> None:
        """See whether this process holds what the store says that it does."""
        await self._watchdog.look(self._clock())

    async def prune(self) -> None:
        """Forget history that is older than the retention, and consumers that were silent for as
        long: those that are connected are not."""
        await self._store.seen(self._hub.connected())
        while await self._store.prune(self._clock() - self.retention, SLICE):
            await trio.lowlevel.checkpoint()

    async def _expire(self, messages: Sequence[Message], now: float) -> None:
        ends = [(m, outcomes.event(m, "expired", now, "expired")) for m in messages]
        await self._settler.finish(ends, was_sent=False)


async def _every(seconds: float, job: Callable[[], Awaitable[None]]) -> None:
    complain = Sparing(log.error)
    while True:
        await trio.sleep(seconds)
        try:
            await job()
        except StoreError as error:
            reason = str(error)
            complain("upkeep_failed", reason, trio.current_time(), job=job.__name__, reason=reason)
        else:
            complain.over()
