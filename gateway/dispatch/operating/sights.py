"""The views of carriers, queues, tenants, campaigns and consumers, made when somebody asks."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from gateway.dispatch import gauges
from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.core import Dispatch
from gateway.dispatch.operating.owed import Owed
from gateway.dispatch.release.stops import Stop
from gateway.dispatch.serving.events import in_use
from gateway.message import CATEGORIES, Category, LaneKey
from gateway.ops.instruments import Labels
from gateway.ops.lately import Lately
from gateway.ops.metrics import Metrics
from gateway.ops.views import (
    BindState,
    BindView,
    CampaignView,
    CarrierView,
    ConsumerView,
    NodeView,
    PauseView,
    QueueView,
    RateView,
    SentView,
    SpreadView,
    Target,
    TenantView,
)
from gateway.queue.lanes import Lane
from gateway.queue.operators import OperatorStore, QueueCount, Which
from gateway.queue.tallies import HOUR
from gateway.smpp.bind import Bind

FRESH = 1.0
"""Seconds for which what waits in the store is not asked anew."""

DUTY = 20.0
"""How many times as long as the asking took it is not done again: so it takes 5 % of the reader."""

CAMPAIGNS = 200
"""Campaigns in a list, those that something was counted of last."""


class Sights:
    """Looks at a dispatch and its store.

    Attributes:
        owed: what carriers owe receipts for.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        store: OperatorStore,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._dispatch = dispatch
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._responses = Lately(metrics.submit_response_seconds, clock)
        self.owed = Owed(store)
        self._waiting: Sequence[QueueCount] = ()
        self._stale_at = 0.0
        self._asked_at: float | None = None

    # --- carriers ---

    def carriers(self, waiting: Mapping[str, int]) -> list[CarrierView]:
        """All carriers; ``waiting`` are the messages that wait, by route."""
        statuses = _by_first(self._metrics.parts_submitted.values())
        receipts = _by_first(self._metrics.receipts.values())
        _, spreads = self._responses.spreads()
        return [
            self._carrier(one, waiting, statuses, receipts, spreads.get((one.options.id,)))
            for one in self._dispatch.fleet.carriers
        ]

    def _carrier(
        self,
        carrier: Carrier,
        waiting: Mapping[str, int],
        statuses: Mapping[str, Mapping[str, int]],
        receipts: Mapping[str, Mapping[str, int]],
        response: SpreadView | None,
    ) -> CarrierView:
        name, now = carrier.options.id, self._clock()
        binds = tuple(self._bind(carrier, bind) for bind in carrier.all_binds)
        up = sum(1 for bind in carrier.all_binds if bind.up)
        worst = [one for one in binds if one.error is not None and one.state != "bound"]
        last = max(worst, key=lambda one: one.error_at or 0.0, default=None)
        since = min((one.since for one in binds if one.since is not None), default=None)
        routes = self._dispatch.pool.routes_of(name)
        stop = self._dispatch.stops.carrier(name)
        rate = self._dispatch.stops.rate(name)
        first = carrier.all_binds[0].options if carrier.all_binds else None
        return CarrierView(
            id=name,
            address=f"{first.host}:{first.port}" if first else "",
            state=self._carrier_state(carrier, up),
            since=carrier.standing.down_since if not carrier.up else since,
            error=last.error if last else None,
            pause=self.pause(stop, sum(waiting.get(route, 0) for route in routes)),
            binds=binds,
            binds_up=up,
            routes=tuple(routes),
            window=sum(bind.options.window for bind in carrier.binds),
            in_use=sum(one.in_use for one in binds),
            rate_stated=carrier.options.rate,
            rate=carrier.limit(now),
            rate_found=carrier.rate_found,
            rate_set=RateView(rate=rate.rate, by=rate.by, at=rate.at, until=rate.until)
            if rate
            else None,
            throttled_since=carrier.standing.throttled_since,
            statuses=statuses.get(name, {}),
            receipts=receipts.get(name, {}),
            receipts_silent_seconds=carrier.silent_for(now),
            receipt_seconds=self._metrics.delivery_seconds.median(name),
            receipts_parked=carrier.correlator.parked,
            receipts_owed=self.owed.of(name),
            receipts_unmatched=self._metrics.receipts_unmatched.values().get((name,), 0),
            response=response,
            binds_lost=self._metrics.binds_lost.values().get((name,), 0),
            torn=len(carrier.torn),
            waiting=sum(waiting.get(route, 0) for route in routes),
        )

    def _carrier_state(
        self, carrier: Carrier, up: int
    ) -> Literal["up", "degraded", "down", "elsewhere"]:
        if not carrier.all_binds and self._dispatch.nodes.nodes > 1:
            return "elsewhere"
        if not carrier.up:
            return "down"
        return "up" if up == len(carrier.all_binds) else "degraded"

    def _bind(self, carrier: Carrier, bind: Bind) -> BindView:
        stands = carrier.standing.of(bind.name)
        return BindView(
            name=bind.name,
            carrier=carrier.options.id,
            mode=bind.options.mode,
            state=_state(bind, failed=stands.since is not None and not stands.up),
            since=stands.since,
            error=stands.error,
            error_at=stands.error_at,
            window=bind.options.window,
            in_use=bind.in_use,
            peer=bind.peer,
        )

    # --- queues ---

    async def by_route(self) -> dict[str, int]:
        """How many messages wait for each route."""
        found: dict[str, int] = {}
        for one in await self.waiting():
            found[one.lane.route] = found.get(one.lane.route, 0) + one.due + one.later
        for lane in self._dispatch.lanes.each():
            if lane.messages:
                found[lane.key.route] = found.get(lane.key.route, 0) + len(lane.messages)
        return found

    async def waiting(self) -> Sequence[QueueCount]:
        """What waits in the store, as of a moment ago; one asks for all who want to know. While it
        does not answer, it is as it last was."""
        if time.monotonic() >= self._stale_at and self._asked_at is None:
            self._asked_at = began = time.monotonic()
            try:
                self._waiting = await self._store.waiting(self._clock())
            finally:
                self._asked_at = None
            ended = time.monotonic()
            self._stale_at = ended + max(FRESH, DUTY * (ended - began))
        return self._waiting

    @property
    def silent_for(self) -> float:
        """Seconds for which the store has not answered."""
        return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

    async def queues(self) -> list[QueueView]:
        """What no carrier has, the oldest first."""
        stored = {one.lane: one for one in await self.waiting()}
        now = self._clock()
        lanes = {lane.key: lane for lane in self._dispatch.lanes.each()}
        reason = gauges.reasons(self._dispatch, now)
        found = []
        for key in dict.fromkeys((*stored, *lanes)):
            # One that has none here is as it would be with some.
            lane = lanes.get(key) or Lane(key, self._dispatch.upkeep.steering.holds.paused(key))
            ready = lane.messages
            there = stored.get(key) or QueueCount(key, 0, 0, 0, None, None)
            messages = len(ready) + there.due + there.later
            if not messages:
                continue
            began = [there.since] if there.since is not None else []
            if ready:
                began.append(max(ready[0].accepted_at, ready[0].due))
            found.append(
                QueueView(
                    tenant=key.tenant,
                    category=key.category,
                    route=key.route,
                    campaign=key.campaign,
                    messages=messages,
                    ready=len(ready),
                    parts=sum(one.parts for one in ready) + there.parts,
                    oldest_seconds=max(0.0, now - min(began)) if began else None,
                    next_due=there.next_due,
                    reason=reason(lane),
                    pause=self.pause_of(key, messages),
                )
            )
        return sorted(found, key=lambda one: -(one.oldest_seconds or -1.0))

    def sent(self) -> list[SentView]:
        """What carriers have, the oldest first."""
        now = self._clock()
        counts: dict[tuple[str, str], int] = {}
        ages: dict[tuple[str, str, str], float] = {}
        for one in self._dispatch.ledger.counts():
            if one.state == "sent" and one.messages:
                counts[one.tenant, one.category] = one.messages
        for (tenant, category, place), age in gauges.oldest(self._dispatch, now).items():
            if place in ("carrier", "receipt"):
                ages[tenant, category, place] = age
                counts.setdefault((tenant, category), 0)
        found = [
            SentView(
                tenant=tenant,
                category=cast("Category", category),
                messages=messages,
                unanswered_seconds=ages.get((tenant, category, "carrier")),
                receipt_seconds=ages.get((tenant, category, "receipt")),
            )
            for (tenant, category), messages in counts.items()
        ]
        return sorted(
            found,
            key=lambda one: -max(one.unanswered_seconds or 0.0, one.receipt_seconds or 0.0),
        )

    def pause_of(self, key: LaneKey, held: int) -> PauseView | None:
        """The pause for which a queue is held, an operator's or its tenant's own."""
        stop = self._dispatch.stops.of(key)
        if stop is not None:
            return self.pause(stop, held)
        own = key.campaign and self._dispatch.upkeep.steering.holds.paused_at(
            key.tenant, key.campaign
        )
        if not own or key.campaign is None:
            return None
        return _own(key.tenant, key.campaign, own, held)

    def pause(self, stop: Stop | None, held: int) -> PauseView | None:
        """How an operator's pause is shown."""
        if stop is None:
            return None
        return PauseView(
            target=stop.target, by=stop.by, at=stop.at, until=stop.until, why=stop.why, held=held
        )

    def pauses(self, queues: Sequence[QueueView]) -> list[PauseView]:
        """All pauses, operators' and tenants', with how much of ``queues`` each holds."""
        holds, pool = self._dispatch.upkeep.steering.holds, self._dispatch.pool
        stops, own = self._dispatch.stops.each(), holds.paused_campaigns()
        if not stops and not own:
            return []
        held: dict[Target, int] = {}
        for queue in queues:
            key = key_of(queue)
            targets = [
                Target("tenant", key.tenant),
                Target("category", key.category),
                Target("route", key.route),
            ]
            if key.campaign is not None:
                targets.append(Target("campaign", key.campaign, key.tenant))
            if queue.reason == "paused" and queue.pause is None:
                targets += [Target("carrier", name) for name in pool.carriers_of(key.route)]
            for target in targets:
                held[target] = held.get(target, 0) + queue.messages
        found = [self.pause(stop, held.get(stop.target, 0)) for stop in stops]
        for tenant, campaign in own:
            at = holds.paused_at(tenant, campaign) or 0.0
            waits = held.get(Target("campaign", campaign, tenant), 0)
            found.append(_own(tenant, campaign, at, waits))
        return [one for one in found if one is not None]

    # --- tenants ---

    def tenants(self, queues: Sequence[QueueView]) -> list[TenantView]:
        """All tenants, and those that only have messages left."""
        dispatch = self._dispatch
        options = {one.id: one for one in dispatch.options.tenants}
        counts: dict[str, dict[str, int]] = {}
        for tenant, _, state, messages in dispatch.ledger.counts():
            states = counts.setdefault(tenant, {})
            states[state] = states.get(state, 0) + messages
        oldest: dict[str, float] = {}
        for queue in queues:
            if queue.oldest_seconds is not None:
                known = oldest.get(queue.tenant, 0.0)
                oldest[queue.tenant] = max(known, queue.oldest_seconds)
        dry = dispatch.scheduler.dry
        found = []
        for name in dict.fromkeys((*options, *counts)):
            mine, states = options.get(name), counts.get(name, {})
            if mine is None and not any(states.values()):
                continue
            share = dispatch.options.scheduler.shares.get(name)
            policy = dispatch.options.policies.get(name)
            waiting = states.get("queued", 0) + states.get("deferred", 0)
            allowed: tuple[Category, ...] = ()
            if mine is not None:
                allowed = tuple(one for one in CATEGORIES if one in mine.categories)
            found.append(
                TenantView(
                    id=name,
                    name=mine.name if mine else name,
                    configured=mine is not None,
                    categories=allowed,
                    rate=share.rate if share else 0.0,
                    rate_bound=name in dry,
                    weight=share.weight if share else 1.0,
                    max_queued=policy.max_queued if policy else 0,
                    queued=states.get("queued", 0),
                    deferred=states.get("deferred", 0),
                    sent=states.get("sent", 0),
                    oldest_seconds=oldest.get(name),
                    lag=dispatch.upkeep.unacknowledged.get(name, 0),
                    pause=self.pause(dispatch.stops.get(Target("tenant", name)), waiting),
                )
            )
        return found

    # --- campaigns and consumers ---

    async def campaigns(
        self, tenant: str | None, hours: int, queues: Sequence[QueueView]
    ) -> list[CampaignView]:
        """What was counted of campaigns in the last hours."""
        since = int(self._clock() // HOUR) - hours
        waiting: dict[tuple[str, str | None], int] = {}
        for queue in queues:
            name = (queue.tenant, queue.campaign)
            waiting[name] = waiting.get(name, 0) + queue.messages
        found: dict[tuple[str, str], _Campaign] = {}
        for one in await self._store.campaigns(tenant, since, CAMPAIGNS):
            campaign = found.setdefault((one.tenant, one.campaign), _Campaign(one.first, one.last))
            campaign.add(one.code, one.number)
        return [
            campaign.view(
                *name,
                waiting.get(name, 0),
                self.pause_of(LaneKey(name[0], "marketing", "", name[1]), waiting.get(name, 0)),
            )
            for name, campaign in found.items()
        ]

    async def nodes(self) -> list[NodeView]:
        """The nodes that share the store."""
        return [
            NodeView(
                number=one.number,
                name=one.name,
                here=one.here,
                alive=one.alive,
                version=one.version,
                config=one.config,
                phones=one.share,
                behind=one.behind,
                ahead=round(one.ahead, 1),
                moved=one.moved,
                slots=one.slots,
            )
            for one in await self._store.nodes()
        ]

    async def consumers(self) -> list[ConsumerView]:
        """Who reads events."""
        now, connected = self._clock(), self._dispatch.hub.connected()
        return [
            ConsumerView(
                tenant=one.tenant,
                name=one.name,
                connected=(one.tenant, one.name) in connected,
                missed=(one.tenant, one.name) not in connected and in_use(one, now),
                seq=one.seq,
                lag=one.lag,
                since=one.since,
                seen_at=one.seen,
            )
            for one in await self._store.consumers()
        ]


class _Campaign:
    """What was counted of a campaign, as it adds up."""

    def __init__(self, first: int, last: int) -> None:
        self._hours = (first, last)
        self._plain: dict[str, int] = {}
        self._named: dict[str, dict[str, int]] = {}

    def add(self, code: str, number: int) -> None:
        """So much was counted under a code (`gateway.queue.tallies.Key`)."""
        kind, *names = code.split(" ")
        if not names:
            self._plain[kind] = self._plain.get(kind, 0) + number
        if kind == "ended":
            self._add("outcomes", names[0], number)
            kind, names = "codes", names[1:]
        for name in names:
            self._add(kind, name, number)

    def _add(self, kind: str, name: str, number: int) -> None:
        counts = self._named.setdefault(kind, {})
        counts[name] = counts.get(name, 0) + number

    def view(
        self, tenant: str, campaign: str, waiting: int, pause: PauseView | None
    ) -> CampaignView:
        """How it is shown."""
        plain, named = self._plain, self._named
        first, last = self._hours
        return CampaignView(
            tenant=tenant,
            campaign=campaign,
            accepted=plain.get("accepted", 0),
            refused=named.get("refused", {}),
            deferred=named.get("deferred", {}),
            sent=plain.get("sent", 0),
            parts=plain.get("parts", 0),
            outcomes=named.get("outcomes", {}),
            codes=named.get("codes", {}),
            inbound=plain.get("inbound", 0),
            optouts=plain.get("optouts", 0),
            first_hour=first * HOUR,
            last_hour=last * HOUR,
            waiting=waiting,
            pause=pause,
        )


def which(target: Target) -> Which:
    """The messages that a pause of something holds; of a carrier, none that can be told so."""
    match target.scope:
        case "tenant":
            return Which(tenant=target.name)
        case "category":
            return Which(category=target.name)
        case "route":
            return Which(route=target.name)
        case _:
            return Which(tenant=target.tenant, campaign=target.name)


def key_of(queue: QueueView) -> LaneKey:
    """The lane that a view of a queue is of."""
    return LaneKey(queue.tenant, queue.category, queue.route, queue.campaign)


def _own(tenant: str, campaign: str, at: float, held: int) -> PauseView:
    """A tenant's own pause of its campaign."""
    target = Target("campaign", campaign, tenant)
    return PauseView(target=target, by=f"tenant {tenant}", at=at, until=None, why="", held=held)


def _state(bind: Bind, *, failed: bool) -> BindState:
    if bind.draining:
        return "draining" if bind.up else "drained"
    if bind.up:
        return "bound"
    return "down" if failed else "connecting"


def _by_first(counts: Mapping[Labels, int]) -> dict[str, dict[str, int]]:
    """Counts of two labels, by the first and then by the second."""
    found: dict[str, dict[str, int]] = {}
    for (first, second), number in counts.items():
        found.setdefault(first, {})[second] = number
    return found
