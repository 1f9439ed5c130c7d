"""What other nodes do that concerns this one, where several share a store: messages that they have
accepted for it, what they were told to pause or cancel, and how the work is shared.

Each phone is one node's at a time, which alone sends to it, and so is each bind of a carrier. Rates
that are stated hold over all nodes (`grants`); of one that was found out a node has as much as of
the carrier's binds. A node that others may take for dead has no sessions. Where there is one node,
nothing of this is ever done.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import structlog
import trio

from gateway import __version__
from gateway.dispatch.carriers.carriers import LEAST_PART
from gateway.dispatch.carriers.fleet import CarrierSettings
from gateway.dispatch.grants import Grants, Rate
from gateway.dispatch.ids import MessageNumbers
from gateway.dispatch.intake.templates import Templates
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.dispatch.release.steering import Steering
from gateway.dispatch.settling.settle import Settler
from gateway.errors import StoreError, StoreFenced
from gateway.ops.logs import Sparing
from gateway.queue.lanes import Lanes
from gateway.queue.operators import NodeState, OperatorStore
from gateway.queue.scheduler import SchedulerOptions, Share
from gateway.queue.store import Heard, Held, OwnSlots, Recovery, Slot
from gateway.smpp.bind import Left

log = structlog.get_logger(__name__)

RETRY: Final = 0.5
"""Seconds between attempts to hear of the others while the store does not answer."""

WATCH: Final = 0.1
"""Seconds between looks whether the time of this node is over."""

INTERVAL: Final = 0.1
"""Seconds between statements by which nodes share rates, where there is anything to say or hear."""

LONGEST: Final = 2.5
"""Seconds between them where there is nothing."""

QUIET: Final = 0.25
"""Seconds between looks whether there is, while nobody has wanted anything of late."""

PATIENCE: Final = 5.0
"""Seconds without an answer after which a node goes by none of them: long before its time is over,
and others may have what it had."""

LINGER: Final = 300.0
"""Seconds for which a carrier may keep a session that nobody has ended: it asks whether somebody is
there after a minute or so, waits for an answer as long, and may ask again."""

ASTRAY: Final = 2.0
"""Seconds by which a node's clock may differ from the database's before it says so: clocks that
anything keeps together differ by far less."""

TELLING: Final = 0.5
"""Seconds by which what a node tells of its clock may be off."""


class Nodes:
    """Follows the other nodes.

    Attributes:
        number, nodes: this node, counted from 0, and how many there may be.
        share: of all phones, how many are this node's.
        seen: the nodes, as they stood some seconds ago; none where there is one.

    Args:
        config: names what nodes are to have alike of the configuration in force.
        binds: tells how many slots each carrier has by it.
        occupied: tells the slots that have sessions here, see `Fleet.occupied`.
        rates: tells the rates that hold over all nodes, as they are used here.
        on_share: called when that is another.
        on_rates: told the names of rates of which this node has another part.
        on_slots: called when others of the slots are this node's.
        on_held: told what is kept here from now on.
        on_handed: told which conversations others have opened and closed.
        on_erased: told whose phones another node has erased, of one tenant or all.
        on_come: called when phones have come to this node.
        on_left: called when phones are others' from now on.
        on_change: called when there may be something to send.
    """

    def __init__(
        self,
        *,
        store: OperatorStore,
        lanes: Lanes,
        places: Places,
        ledger: Ledger,
        numbers: MessageNumbers,
        settler: Settler,
        steering: Steering,
        templates: Templates,
        clock: Callable[[], float],
        config: Callable[[], str],
        binds: Callable[[], Mapping[str, int]],
        occupied: Callable[[], Collection[tuple[str, int]]],
        rates: Callable[[], Iterable[Rate]],
        on_share: Callable[[], None],
        on_rates: Callable[[Sequence[str]], None],
        on_slots: Callable[[], None],
        on_held: Callable[[Sequence[Held]], None],
        on_handed: Callable[[Mapping[str, float]], None],
        on_erased: Callable[[str | None, Collection[str]], Awaitable[None]],
        on_come: Callable[[], Awaitable[None]],
        on_left: Callable[[], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self.number = 0
        self.nodes = 1
        self.share = 1.0
        self.seen: Sequence[NodeState] = ()
        self._store = store
        self._lanes = lanes
        self._places = places
        self._ledger = ledger
        self._numbers = numbers
        self._settler = settler
        self._steering = steering
        self._templates = templates
        self._clock = clock
        self._config = config
        self._binds = binds
        self._occupied = occupied
        self._rates = rates
        self._grants = Grants()
        self._granted_at = 0.0
        self._wanted = True
        self._news = trio.Event()
        self._ahead = 0.0
        self._slots: Mapping[str, OwnSlots] = {}
        self._left: dict[Slot, Left] = {}
        self._began: Left | None = None
        self._over = False
        self._warn = Sparing(log.warning)
        self._on_share = on_share
        self._on_slots = on_slots
        self._on_rates = on_rates
        self._on_held = on_held
        self._on_handed = on_handed
        self._on_erased = on_erased
        self._on_come = on_come
        self._on_left = on_left
        self._on_change = on_change

    def begin(self, recovery: Recovery) -> None:
        """Take over what an opened store says."""
        self.number, self.nodes = recovery.node or 0, recovery.nodes
        self._grants.me = self.number
        if not recovery.clean:
            self._began = Left("the gateway before this one", trio.current_time() + LINGER)

    def configured(self) -> None:
        """The configuration is another."""
        self._news.set()

    async def run(self) -> None:
        """Hear of the others, and tell them of this one, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._repeat, self._hear)
            nursery.start_soon(self._repeat, self._introduce)
            nursery.start_soon(self._watch)
            if self.nodes > 1:
                nursery.start_soon(self._repeat, self._grant)

    async def _repeat(self, once: Callable[[], Awaitable[None]]) -> None:
        complain = Sparing(log.error)
        while True:
            try:
                await once()
            except StoreFenced:
                raise
            except StoreError as error:
                reason = str(error)
                complain("nodes_not_heard", reason, trio.current_time(), reason=reason)
                await trio.sleep(RETRY)
            else:
                complain.over()

    async def _hear(self) -> None:
        await self._take(await self._store.heard())

    async def _introduce(self) -> None:
        """Tell the others what this node is, once that is new."""
        await self._news.wait()
        self._news = trio.Event()
        try:
            ahead = self._ahead
            await self._store.introduce(__version__, self._config(), self._binds(), ahead)
        except StoreError:
            self._news.set()
            raise

    async def _grant(self) -> None:
        """Tell what this node wants of rates, and go by what all have told."""
        await trio.sleep(INTERVAL if self._grants.wanting or self._wanted else QUIET)
        now = trio.current_time()
        if self._store.lapsed or now - self._granted_at > PATIENCE:
            self._on_rates(self._grants.forget())
        asks = self._grants.asks(self._rates(), now)
        if not (asks or self._wanted or now > self._granted_at + LONGEST):
            return
        self._wanted = False
        if self._grants:
            try:
                rows = await self._store.grant(asks)
            except StoreError:
                self._grants.untold()
                self._wanted = True
                raise
            if changed := self._grants.take(rows):
                self._on_rates(changed)
        self._granted_at = trio.current_time()

    async def _watch(self) -> None:
        """Have no sessions while others may take what this node has, or soon will: what it had is
        theirs then, and a carrier allows no more sessions than all have together."""
        while self.nodes > 1:
            await trio.sleep(WATCH)
            if self._store.lapsed != self._over:
                self._over = not self._over
                if self._over:
                    log.warning("lease_over")
                else:
                    log.info("lease_renewed")
                self._on_slots()

    async def _compare(self, now: float) -> None:
        """See whether all nodes go by the same configuration, and this one by the right time."""
        self.seen = await self._store.nodes()
        there = [one for one in self.seen if one.alive and one.config]
        mine = next((one.config for one in there if one.here), "")
        others = {one.name: one.config for one in there if one.config != mine}
        if others:
            self._warn("configurations_differ", str(others), now, mine=mine, others=others)
        ahead = await self._store.ahead()
        if abs(ahead - self._ahead) >= TELLING:
            self._ahead = ahead
            self._news.set()
        if abs(ahead) > ASTRAY:
            self._warn("clock_differs", "", now, ahead=round(ahead, 1))

    async def _take(self, heard: Heard) -> None:
        """Go by what was heard; it counts as done once this returns."""
        now = self._clock()
        self._numbers.follow(heard.newest)
        self._wanted |= heard.rates
        if "memo" in heard.notices:
            await self._steering.holds.reload()
            await self._steering.stops.reload()
            await self._steering.heed()
        if "template" in heard.notices:
            await self._templates.look()
        if heard.share is not None:
            if not heard.left:
                await self._on_come()
            self.share = heard.share
            self._ledger.take_part(heard.share)
            log.info("share", phones=f"{heard.share:.0%}")
            self._on_share()
        until = trio.current_time() + LINGER
        self._left |= {slot: Left(f"node {name}", until) for slot, name in heard.inherited.items()}
        if heard.slots is not None:
            self._slots = heard.slots
            counts = {name: len(one.numbers) for name, one in heard.slots.items()}
            log.info("slots", binds=counts)
            await trio.lowlevel.checkpoint_if_cancelled()  # then the binds are over
            self._on_slots()
        if free := [slot for slot in heard.leaving if slot not in self._occupied()]:
            await self._store.vacate(free)
        self._on_handed(heard.handed)
        for tenant, phones in heard.erased:
            await self._on_erased(tenant, phones)
        if heard.held:
            self._on_held(heard.held)
        self._places.enter("lane", [message.id for message in heard.came])
        self._ledger.leased(heard.came)
        self._lanes.insert(heard.came)
        for lane, due in heard.lanes.items():
            self._lanes.deferred(lane, due, now)
        if heard.left:
            await self._put_back()
            await self._on_left()
        if heard.counts is not None:
            self._ledger.anew(heard.counts, self._numbers.last, now)
            await self._compare(now)
        self._on_change()

    async def _put_back(self) -> None:
        """Messages to phones that are another node's from now on go to that one, unless they are
        begun."""
        held = [message for lane in self._lanes.each() for message in lane.messages]
        away = {held[position].id for position in self._store.elsewhere(held)}
        found = self._lanes.withdraw(lambda _: True, lambda message: message.id in away)
        ids = [message.id for message in found]
        self._places.move("lane", "deferral", ids)
        await self._settler.persistently(lambda: self._store.defer(found))
        self._places.leave("deferral", ids)

    # --- what this node's part is ---

    def unused(self) -> dict[str, int]:
        """How many slots of each carrier no node has, as it stood some seconds ago."""
        had = Counter[str]()
        for one in self.seen:
            if one.alive:
                had.update(one.slots)
        return {name: max(0, own.of - had[name]) for name, own in self._slots.items()}

    @property
    def sends(self) -> bool:
        """Whether it has binds; else it accepts for others, and is there to take their places."""
        return self.nodes == 1 or any(one.numbers for one in self._slots.values())

    @property
    def over(self) -> bool:
        """Whether others may take what this node has: it has no sessions."""
        return self._over

    def carrier(self, whole: CarrierSettings) -> CarrierSettings:
        """What runs here of a carrier."""
        if self.nodes == 1:
            return msgspec.structs.replace(whole, left=self._left_of(whole, range(whole.slots)))
        mine = () if self._over else self._own(whole.options.id).numbers
        mine = tuple(n for n in mine if n < whole.slots)
        return msgspec.structs.replace(whole, mine=mine, left=self._left_of(whole, mine))

    def _left_of(self, carrier: CarrierSettings, slots: Iterable[int]) -> Mapping[int, Left]:
        """The sessions whose places those in some slots of a carrier take."""
        name, now = carrier.options.id, trio.current_time()
        found = {n: self._left.get(Slot(name, n), self._began) for n in slots}
        return {n: left for n, left in found.items() if left is not None and now < left.until}

    def slots_part(self, carrier: str) -> float:
        """Of a carrier's binds, how many are this node's."""
        if self.nodes == 1:
            return 1.0
        own = self._own(carrier)
        return len(own.numbers) / own.of

    def _own(self, carrier: str) -> OwnSlots:
        return self._slots.get(carrier, OwnSlots((), 1))

    def part(self, rate: str) -> float:
        """Of a rate that holds over all nodes, what is this node's."""
        return 1.0 if self.nodes == 1 else max(self._grants.part(rate), LEAST_PART)

    def scheduler(self, whole: SchedulerOptions) -> SchedulerOptions:
        """What tenants may take here."""
        if self.nodes == 1:
            return whole
        shares = {name: self.tenant(name, one) for name, one in whole.shares.items()}
        return msgspec.structs.replace(whole, shares=shares)

    def tenant(self, name: str, whole: Share) -> Share:
        """What a tenant may take here."""
        part = self.part(rate_of(tenant=name)) if whole.rate else 1.0
        return msgspec.structs.replace(whole, rate=whole.rate * part, burst=whole.burst * part)


def rate_of(*, tenant: str = "", carrier: str = "") -> str:
    """The name of the rate of a tenant, or of a carrier."""
    return f"tenant {tenant}" if tenant else f"carrier {carrier}"
