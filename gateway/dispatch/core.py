"""All parts of a message's way, wired together: what `gateway.app` runs and tests drive."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec
import structlog
import trio

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.fleet import GRACE, HASTE, CarrierSettings, Fleet, MakeBind
from gateway.dispatch.carriers.learnt import Lessons
from gateway.dispatch.grants import Rate
from gateway.dispatch.ids import MessageNumbers
from gateway.dispatch.inbound.consents import Consents
from gateway.dispatch.inbound.conversations import Conversations
from gateway.dispatch.inbound.inbound import Inbox
from gateway.dispatch.inbound.ownership import users
from gateway.dispatch.inbound.reach import Reach
from gateway.dispatch.intake.guard import Guard
from gateway.dispatch.intake.intake import Intake
from gateway.dispatch.intake.templates import Templates
from gateway.dispatch.intake.tenants import Tenant, TenantOptions, Tenants
from gateway.dispatch.intake.texted import Texted
from gateway.dispatch.intake.texted_memos import TextedMemos
from gateway.dispatch.intake.wording import Wordings, carriers_of
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.nodes import Nodes, rate_of
from gateway.dispatch.places import Places
from gateway.dispatch.release import absent
from gateway.dispatch.release.absent import Absent
from gateway.dispatch.release.aside import Aside
from gateway.dispatch.release.debts import Debts
from gateway.dispatch.release.holds import Holds
from gateway.dispatch.release.pool import CarrierPool, routes_or_default
from gateway.dispatch.release.refill import Refiller
from gateway.dispatch.release.release import Releaser
from gateway.dispatch.release.routing import RouteOptions, Router, common_tables, narrow_routes
from gateway.dispatch.release.steering import Steering
from gateway.dispatch.release.stops import Stops
from gateway.dispatch.serving.erasure import Erasure
from gateway.dispatch.serving.events import EventHub
from gateway.dispatch.serving.imports import Imports
from gateway.dispatch.serving.service import Service
from gateway.dispatch.settling.correlation import Parked
from gateway.dispatch.settling.plan import Plan
from gateway.dispatch.settling.settle import Settler
from gateway.dispatch.upkeep import Upkeep
from gateway.dispatch.watchdog import Misplaced, Watchdog
from gateway.message import LaneKey, message_id
from gateway.ops.metrics import Metrics
from gateway.policy import chain
from gateway.policy.content.options import Ban
from gateway.policy.prices import Pricing, prices
from gateway.queue.lanes import Lanes
from gateway.queue.operators import OperatorStore
from gateway.queue.scheduler import Scheduler, SchedulerOptions
from gateway.queue.store import Held, Recovery
from gateway.smpp.bind import Bind
from gateway.smpp.pdu import DataSm, DeliverSm

log = structlog.get_logger(__name__)

RETENTION = 7 * 86_400.0
"""Seconds for which events, outcomes and keys are kept unless the configuration says otherwise."""

LAST_WORDS = 5.0
"""Seconds that a store may take for what the end of the binds left in doubt."""


class DispatchOptions(msgspec.Struct, frozen=True):
    """Everything about dispatch that a reload may change.

    Attributes:
        tenants: who may submit.
        policy: what holds for all tenants' policies.
        policies: what each tenant's policy depends on, by tenant.
        scheduler: shares and floors.
        carriers: with their binds.
        routes: in order; none for one that every carrier shares.
        retention: seconds for which history is kept.
        digest: names the configuration that says all this.
        shared: names what of it nodes that share a store are to have alike.
    """

    tenants: Sequence[TenantOptions] = ()
    policy: chain.PolicyOptions = chain.PolicyOptions()
    policies: Mapping[str, chain.TenantOptions] = {}
    scheduler: SchedulerOptions = SchedulerOptions()
    carriers: Sequence[CarrierSettings] = ()
    routes: Sequence[RouteOptions] = ()
    retention: float = RETENTION
    digest: str = ""
    shared: str = ""


class Dispatch:
    """The flow of messages. `recover` and `configure` come before `run`.

    Attributes:
        options: what it goes by now.
        in_doubt: it is not on record which messages carriers may have: `run` is not over, or the
            store has not taken its last words. It must not be closed in order then.

    Args:
        store: opened by the caller, who has what it recovered.
        metrics: told what happens.
        clock: Unix time.
        make_bind: makes each session with a carrier.
        places: knows where each message is; left out, one that tells of mistakes and goes on.
    """

    def __init__(
        self,
        store: OperatorStore,
        metrics: Metrics,
        clock: Callable[[], float],
        make_bind: MakeBind = Bind,
        places: Places | None = None,
    ) -> None:
        self.in_doubt = False
        self._store = store
        self._clock = clock
        self.tenants = Tenants()
        self.lanes = Lanes()
        self._misplaced = Misplaced(metrics)
        self.places = places or Places(self._misplaced.moved)
        self.ledger = Ledger()
        self.pool = CarrierPool()
        self.hub = EventHub(store, clock)
        self.scheduler = Scheduler(self.lanes, SchedulerOptions())
        self._numbers = MessageNumbers()
        self._aside = Aside()
        self._reach = Reach()
        self._guard = Guard(store)
        self._settler = Settler(
            store=store,
            pool=self.pool,
            lanes=self.lanes,
            places=self.places,
            ledger=self.ledger,
            aside=self._aside,
            reach=self._reach,
            metrics=metrics,
            clock=clock,
            take_text=self._take_text,
            take_passed_on=self._take_passed_on,
            on_settled=self._send_replies,
            on_room=self._wake,
            refund=self.scheduler.refund,
            name=lambda: message_id(self._numbers.take(1, clock())[0]),
        )
        self._expect = metrics.expect
        self.fleet = Fleet(
            sink=self._settler,
            metrics=metrics,
            clock=clock,
            on_room=self._wake,
            make_bind=make_bind,
        )
        self._intake = Intake(
            store=store,
            lanes=self.lanes,
            places=self.places,
            ledger=self.ledger,
            aside=self._aside,
            metrics=metrics,
            numbers=self._numbers,
            guard=self._guard,
            clock=clock,
            on_ready=self._wake,
        )
        self._texted = Texted()
        self._memos = TextedMemos(store, self._texted, clock)
        self._templates = Templates(store, clock, self._reword)
        self._wordings = Wordings(self._templates.of)
        conversations = Conversations(store)
        self._imports = Imports(store, self._settler, metrics, clock)
        consents = Consents(store, self._intake, self._imports, metrics, clock)
        self._inbox = Inbox(
            store=store,
            tenants=self.tenants,
            intake=self._intake,
            settler=self._settler,
            texted=self._texted,
            consents=consents,
            conversations=conversations,
            templates=self._templates,
            reach=self._reach,
            metrics=metrics,
        )
        self._refiller = Refiller(
            store=store,
            lanes=self.lanes,
            places=self.places,
            ledger=self.ledger,
            clock=clock,
            on_ready=self._wake,
        )
        self._absent = Absent(self.ledger, clock)
        self.stops = Stops(store, clock, self._steer)
        self._holds = Holds(
            store=store,
            lanes=self.lanes,
            absent=self._absent,
            stops=self.stops,
            last=lambda: self._numbers.last,
            clock=clock,
            on_change=self._wake,
        )
        self._steering = Steering(
            store=store,
            lanes=self.lanes,
            places=self.places,
            ledger=self.ledger,
            settler=self._settler,
            holds=self._holds,
            stops=self.stops,
            paused=self._is_paused,
            clock=clock,
        )
        self.nodes = Nodes(
            store=store,
            lanes=self.lanes,
            places=self.places,
            ledger=self.ledger,
            numbers=self._numbers,
            settler=self._settler,
            steering=self._steering,
            templates=self._templates,
            clock=clock,
            config=lambda: self.options.shared,
            binds=lambda: {one.options.id: one.slots for one in self.options.carriers},
            occupied=lambda: self.fleet.occupied,
            rates=self._rates,
            on_share=self._share,
            on_slots=self._bind,
            on_rates=self._take_rates,
            on_held=self._take_held,
            on_handed=conversations.follow,
            on_erased=self._forget,
            on_come=self._memos.load,
            on_left=self._leave,
            on_change=self._wake,
        )
        self.debts = Debts(
            store=store,
            settler=self._settler,
            ledger=self.ledger,
            lanes=self.lanes,
            pool=self.pool,
            clock=clock,
            on_ready=self._wake,
        )
        self._releaser = Releaser(
            store=store,
            lanes=self.lanes,
            scheduler=self.scheduler,
            places=self.places,
            pool=self.pool,
            tenants=self.tenants,
            settler=self._settler,
            ledger=self.ledger,
            holds=self._holds,
            absent=self._absent,
            texted=self._texted,
            guard=self._guard,
            aside=self._aside,
            metrics=metrics,
            clock=clock,
            on_taken=self._refiller.wake,
        )
        self._lessons = Lessons(store)
        self.upkeep = Upkeep(
            store=store,
            lanes=self.lanes,
            places=self.places,
            pool=self.pool,
            settler=self._settler,
            inbox=self._inbox,
            lessons=self._lessons,
            memos=self._memos,
            templates=self._templates,
            guard=self._guard,
            steering=self._steering,
            absent=self._absent,
            watchdog=Watchdog(
                store=store,
                places=self.places,
                lanes=self.lanes,
                ledger=self.ledger,
                misplaced=self._misplaced,
            ),
            ledger=self.ledger,
            hub=self.hub,
            metrics=metrics,
            clock=clock,
        )
        self.erasure = Erasure(
            store=store,
            steering=self._steering,
            settler=self._settler,
            fleet=self.fleet,
            conversations=conversations,
            texted=self._texted,
            memos=self._memos,
        )
        self.service = Service(
            store=store,
            tenants=self.tenants,
            intake=self._intake,
            steering=self._steering,
            consents=consents,
            imports=self._imports,
            conversations=conversations,
            erasure=self.erasure,
            templates=self._templates,
            hub=self.hub,
            metrics=metrics,
            clock=clock,
            paused=self._is_paused,
        )
        self._settling = trio.CancelScope(shield=True)
        self.options = DispatchOptions()

    def recover(self, recovery: Recovery) -> None:
        """Take over what an opened store holds."""
        now = self._clock()
        if self._store.restored:
            log.warning("restored", epoch=self._store.epoch)
        self.nodes.begin(recovery)
        self._memos.begin(self.nodes.number, self.nodes.nodes)
        self._releaser.begin(self.nodes.number, self.nodes.nodes)
        self._numbers.begin(recovery.node, recovery.last_id)
        self.upkeep.expect(recovery.last_accepted, now)
        self.ledger.start(recovery.counts, recovery.last_id, now)
        for key, due in recovery.lanes.items():
            self.lanes.deferred(key, due, now)
        self._take_held(recovery.held)

    def configure(self, options: DispatchOptions) -> None:
        """Go on with these options; called within `run`'s time, and again on each reload."""
        self.options = options
        carriers = [one.options.id for one in options.carriers]
        routes = routes_or_default(options.routes, carriers)
        through = carriers_of(routes)
        banned = {one.options.id: one.options.bans for one in options.carriers}
        bans = {
            route: frozenset[Ban]().union(*(banned[name] for name in names))
            for route, names in through.items()
        }
        policies = chain.build(options.policy, options.policies, self._clock(), bans, through)
        self._wordings.configure(options.policy.content, options.policies, through)
        self._guard.configure(options.policy.pumping)
        rules = {name: one.unreachable for name, one in policies.items()}
        self._reach.configure({name: rule for name, rule in rules.items() if rule is not None})
        self.tenants.configure(
            [Tenant(one, policies[one.id], self._wordings.of(one.id)) for one in options.tenants]
        )
        known = prices(options.policy.price)
        self._settler.prices = known
        self._intake.pricing = None if known is None else Pricing(known, through)
        self._share()
        before = self.fleet.carriers
        self._bind()
        self.upkeep.gone += [one for one in before if one not in self.fleet.carriers]
        self._lessons.teach(self.fleet.carriers)
        use = users(routes, carriers, [one.id for one in options.tenants])
        carried = [one.options for one in options.carriers]
        self._inbox.configure(options.policy.optout, carried, use)
        self._texted.configure(name for name, tenants in use.items() if len(tenants) > 1)
        self.pool.configure(self.fleet.carriers, routes)
        self._expect((one.id for one in options.tenants), carriers)
        narrow = {one.options.id for one in options.carriers if one.options.narrow}
        tables = {one.options.id: one.options.shift_tables for one in options.carriers}
        self._intake.drafter.router = self._releaser.router = Router(
            routes, narrow_routes(routes, narrow), common_tables(routes, tables)
        )
        self._absent.configure(
            [one.id for one in options.tenants], [route.name for route in routes]
        )
        self._steer()
        self.upkeep.retention = options.retention
        self._intake.drafter.config = self._releaser.config = options.digest
        self._unpark()
        self.nodes.configured()
        self._wake()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Move messages until cancelled. Reports as started once it can be configured."""
        await self._settler.persistently(self._holds.load)
        await self._settler.persistently(self.stops.load)
        await self._settler.persistently(self._lessons.load)
        await self._settler.persistently(self._templates.look)
        await self._settler.persistently(self._memos.load)
        memo = await self._settler.persistently(lambda: self._store.recall(absent.MEMO))
        if memo is not None:
            self._absent.recall(memo)
        await self._settler.persistently(self._guard.load)
        self.in_doubt = True
        async with trio.open_nursery() as settling:
            settling.start_soon(self._settle)
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.fleet.run)
                    nursery.start_soon(self._refiller.run)
                    nursery.start_soon(self.upkeep.run)
                    nursery.start_soon(self._imports.run)
                    nursery.start_soon(self._releaser.run)
                    nursery.start_soon(self._store.until_fenced)
                    nursery.start_soon(self.nodes.run)
                    task_status.started()
            finally:
                try:
                    with trio.move_on_after(LAST_WORDS, shield=True):
                        await self._record_doubts()
                        self.in_doubt = False
                        await self._settler.persistently(self._memos.keep)
                        await self._settler.persistently(self._guard.keep)
                        await self.upkeep.look_at_absent()
                finally:  # whatever the store says
                    self._settling.cancel()
                    self._let_go()

    def _let_go(self) -> None:
        """What is held by now is the store's to put back when it is closed."""
        stuck = self.places.leave_at_stop()
        if stuck and not self.in_doubt:
            self._misplaced.found("left", stuck)

    @property
    def congested(self) -> bool:
        """Whether nothing is sent until the store has recorded what has happened."""
        return self._settler.congested

    @property
    def failing(self) -> bool:
        """Whether the store refuses to record what has happened."""
        return self._settler.failing

    async def drain(self) -> None:
        """Begin with no further message, let what is begun be completed, answered and settled, and
        unbind. How long that may take is the caller's to limit."""
        left = trio.current_effective_deadline() - trio.current_time()
        await self._releaser.finish(self._clock() + left)
        await self.fleet.drain()
        await self._settler.quiet()

    async def _settle(self) -> None:
        """Settle, and tell of it, until told to stop: longer than all that hands something over."""
        with self._settling:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.hub.listen)
                await self._settler.run()

    async def _record_doubts(self) -> None:
        """Put on record what carriers have answered, and which messages one may have, whole or in
        part, when all binds are gone: they may go out twice once the gateway runs again."""
        await self._settler.quiet()
        await self._releaser.put_on_record()
        torn = [
            msgspec.structs.replace(message, maybe_duplicate=True)
            for carrier in self.fleet.carriers
            for message in carrier.torn
        ]
        if torn:
            self.places.put("deferral", [message.id for message in torn])
            await self._settler.persistently(lambda: self._store.defer(torn))
            self.places.leave("deferral", [message.id for message in torn])
        await self._settler.persistently(lambda: self._lessons.save(self.fleet.carriers))

    def _steer(self) -> None:
        """Have what operators and tenants have said hold from now on."""
        for carrier in self.fleet.carriers:
            name = carrier.options.id
            rate = self.stops.rate(name)
            carrier.steer(
                paused=self.stops.carrier(name) is not None, rate=rate.rate if rate else None
            )
        self._holds.apply()

    def _take_held(self, held: Sequence[Held]) -> None:
        """Take over what waits for its other half."""
        self._inbox.recover(held)
        receipts = [one for one in held if one.kind == "receipt"]
        self.upkeep.without_carrier = [*self.upkeep.without_carrier, *receipts]
        self._unpark()
        self._settler.passed_on(held)

    async def _forget(self, tenant: str | None, phones: Collection[str]) -> None:
        """Another node has erased what was known of phones."""
        await self.erasure.forget(tenant, phones)

    async def _leave(self) -> None:
        """Some phones are other nodes' from now on."""
        await self._settler.past()
        self._inbox.leave()
        await self._settler.persistently(self._memos.leave)

    def _bind(self) -> None:
        """Have the binds that are this node's, and its part of their rates."""
        grace = HASTE if self.nodes.over else GRACE
        self.fleet.configure([self.nodes.carrier(one) for one in self.options.carriers], grace)
        for carrier in self.fleet.carriers:
            carrier.take_slots(self.nodes.slots_part(carrier.options.id))
            carrier.take_part(self.nodes.part(rate_of(carrier=carrier.options.id)))

    def _share(self) -> None:
        """Go by this node's part of what tenants may take."""
        options = self.nodes.scheduler(self.options.scheduler)
        self.scheduler.configure(options, self._clock())

    def _rates(self) -> Iterator[Rate]:
        """The rates that hold over all nodes, as they are used here."""
        share, dry = self.nodes.share, self.scheduler.dry
        for name, one in self.options.scheduler.shares.items():
            if one.rate:
                passed = self.scheduler.passed(name)
                yield Rate(rate_of(tenant=name), share, one.rate, passed, name in dry)
        for carrier in self.fleet.carriers:
            name, whole = carrier.options.id, carrier.whole
            if whole:
                weight = self.nodes.slots_part(name)
                yield Rate(rate_of(carrier=name), weight, whole, *carrier.usage())

    def _take_rates(self, names: Sequence[str]) -> None:
        """Go by this node's part of these rates."""
        changed = {*names}
        shares = self.options.scheduler.shares
        mine = {
            name: self.nodes.tenant(name, one)
            for name, one in shares.items()
            if rate_of(tenant=name) in changed
        }
        self.scheduler.limit(mine, self._clock())
        for carrier in self.fleet.carriers:
            carrier.take_part(self.nodes.part(rate_of(carrier=carrier.options.id)))
        self._wake()

    def _is_paused(self, key: LaneKey) -> bool:
        """Whether somebody has paused a queue, or the carriers that it goes by."""
        return self._holds.is_paused(key) or (self.stops.any_carrier and self.pool.holds(key.route))

    def _reword(self, tenant: str) -> None:
        """A tenant's templates are others now."""
        known = self.tenants.get(tenant)
        if known is not None:
            known.wording = self._wordings.of(tenant)

    async def _take_text(self, carrier: Carrier, pdu: DeliverSm | DataSm, plan: Plan) -> None:
        """A carrier has delivered what is no receipt."""
        await self._inbox.receive(carrier, pdu, plan)

    async def _take_passed_on(self, held: Held, plan: Plan) -> None:
        """Another node has received what a phone says that is this node's."""
        await self._inbox.take(held, plan)

    async def _send_replies(self) -> None:
        """What phones have said is durable."""
        await self._inbox.settled()

    def _wake(self) -> None:
        self._releaser.wake()
        self._refiller.wake()

    def _unpark(self) -> None:
        """Give the receipts that the store held, or carriers that were gone, to the carriers they
        came from."""
        for carrier in self.upkeep.gone:
            back = self.pool.carriers.get(carrier.options.id)
            if back is not None:
                for parked in carrier.correlator.take_parked():
                    back.correlator.park(parked)
        without_carrier: list[Held] = []
        for one in self.upkeep.without_carrier:
            name, parked = msgspec.msgpack.decode(one.body, type=tuple[str, Parked])
            if name in self.pool.carriers:
                self.pool.carriers[name].correlator.park(parked)
            else:
                without_carrier.append(one)
        self.upkeep.without_carrier = without_carrier
        passed_on, self._settler.without_carrier = self._settler.without_carrier, []
        self._settler.passed_on(passed_on)
