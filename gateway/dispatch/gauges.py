"""What goes up and down in dispatch, for the metrics: read where the truth is, when somebody asks.

The hard questions are here too: how old is the oldest message in each place, and why do messages
not move. Both are answered for all lanes at once, in a microsecond or two for each.
"""

import math
from collections.abc import Callable, Mapping

from gateway.dispatch.core import Dispatch
from gateway.message import Category
from gateway.ops.instruments import Labels
from gateway.ops.metrics import Metrics
from gateway.ops.views import Reason
from gateway.queue.lanes import Lane
from gateway.queue.operators import NodeState, Vitals
from gateway.smpp.bind import Bind

Values = dict[Labels, float]


def feed(metrics: Metrics, dispatch: Dispatch, clock: Callable[[], float]) -> None:
    """Say where the metrics of dispatch that go up and down are read."""
    fleet, upkeep, lanes = dispatch.fleet, dispatch.upkeep, dispatch.lanes

    def binds(read: Callable[[Bind], float]) -> Callable[[], Values]:
        return lambda: {
            (carrier.options.id, bind.name): read(bind)
            for carrier in fleet.carriers
            for bind in carrier.all_binds
        }

    metrics.queued_messages.feed(
        lambda: {
            (one.tenant, one.category, one.state): one.messages for one in dispatch.ledger.counts()
        }
    )
    metrics.queued_messages_limit.feed(
        lambda: {(name,): one.max_queued for name, one in dispatch.options.policies.items()}
    )
    metrics.tenant_rate_limit.feed(
        lambda: {(name,): one.rate for name, one in dispatch.options.scheduler.shares.items()}
    )
    metrics.oldest_message_seconds.feed(lambda: oldest(dispatch, clock()))
    metrics.held_messages.feed(lambda: held(dispatch, clock()))
    metrics.deferred_due_seconds.feed(lambda: next_due(dispatch, clock()))
    metrics.paused_messages.feed(
        lambda: {(tenant,): count for tenant, count in upkeep.steering.held.items()}
    )
    metrics.places_messages.feed(
        lambda: {(place,): count for place, count in dispatch.places.counts().items()}
    )
    metrics.lane_messages.feed(lambda: {(): lanes.statistics().messages})
    metrics.lane_messages_limit.feed(lambda: {(): lanes.budget})
    metrics.bind_up.feed(binds(lambda bind: bind.up))
    metrics.carrier_info.feed(
        lambda: {
            (carrier.options.id, bind.peer): 1.0
            for carrier in fleet.carriers
            for bind in carrier.all_binds
            if bind.up
        }
    )
    metrics.window_in_use.feed(binds(lambda bind: bind.in_use))
    metrics.window_size.feed(binds(lambda bind: bind.options.window))
    metrics.carrier_rate_limit.feed(
        lambda: {(c.options.id,): c.limit(clock()) for c in fleet.carriers}
    )
    metrics.receipts_silent_seconds.feed(
        lambda: {(c.options.id,): c.silent_for(clock()) for c in fleet.carriers}
    )
    metrics.receipts_parked.feed(
        lambda: {(c.options.id,): c.correlator.parked for c in fleet.carriers}
    )

    def nodes(read: Callable[[NodeState], float]) -> Callable[[], Values]:
        return lambda: {(one.name,): read(one) for one in dispatch.nodes.seen}

    metrics.node_up.feed(nodes(lambda one: one.alive))
    metrics.node_moved.feed(nodes(lambda one: one.moved))
    metrics.node_phones.feed(nodes(lambda one: one.share))
    metrics.node_behind.feed(nodes(lambda one: one.behind if one.alive else 0))
    metrics.node_clock_ahead.feed(nodes(lambda one: one.ahead if one.alive else 0.0))
    metrics.node_slots.feed(
        lambda: {
            (one.name, carrier): count
            for one in dispatch.nodes.seen
            for carrier, count in one.slots.items()
        }
    )
    metrics.node_info.feed(
        lambda: {
            (one.name, one.version, one.config): 1.0
            for one in dispatch.nodes.seen
            if one.alive and one.config
        }
    )
    metrics.slots_unused.feed(
        lambda: {(name,): count for name, count in dispatch.nodes.unused().items()}
    )

    def server(read: Callable[[Vitals], Values]) -> Callable[[], Values]:
        return lambda: {} if upkeep.vitals is None else read(upkeep.vitals)

    def named(values: Mapping[str, float]) -> Values:
        return {(name,): value for name, value in values.items()}

    metrics.store_table_bytes.feed(server(lambda seen: named(seen.sizes)))
    metrics.store_dead_rows.feed(server(lambda seen: named(seen.dead)))
    metrics.store_oldest_transaction_seconds.feed(
        server(lambda seen: {(): seen.oldest_transaction})
    )
    metrics.store_standbys.feed(server(lambda seen: {(): seen.standbys}))
    metrics.store_standby_lag_bytes.feed(server(lambda seen: named(seen.lags)))
    metrics.events_unacknowledged.feed(
        lambda: {(tenant,): count for tenant, count in upkeep.unacknowledged.items()}
    )


def oldest(dispatch: Dispatch, now: float) -> Values:
    """For how long the oldest message has been where it is, by tenant, category and place.

    ``store`` and ``lane`` count from when it was due, ``carrier`` from when it was given to one
    that has not answered, ``receipt`` from when one had taken it. What the store says is some
    seconds old and ages on: it does not have to answer.
    """
    since: Values = {}

    def note(tenant: str, category: str, place: str, at: float) -> None:
        key = (tenant, category, place)
        since[key] = min(at, since.get(key, math.inf))

    for lane in dispatch.lanes.each():
        if lane.messages:
            first = lane.messages[0]
            at = max(first.accepted_at, first.due)
            note(first.tenant, first.category, "lane", at)
    for carrier in dispatch.fleet.carriers:
        for part in carrier.unanswered():
            message = part.flight.message
            note(message.tenant, message.category, "carrier", part.flight.released_at)
    for one in dispatch.upkeep.oldest:
        note(one.tenant, one.category, "receipt" if one.place == "sent" else "store", one.since)
    return {key: max(0.0, now - at) for key, at in since.items()}


def reasons(dispatch: Dispatch, now: float) -> Callable[[Lane], Reason]:
    """Tells what the messages of a lane wait for."""
    dry = dispatch.scheduler.dry
    tenants = {one.id for one in dispatch.options.tenants}
    limits: dict[tuple[str, Category], Reason | None] = {}

    def reason(lane: Lane) -> Reason:
        if dispatch.congested:
            return "store_congested"
        tenant, category, route, _ = lane.key
        if lane.paused:
            return "paused" if tenant in tenants else "tenant_missing"
        if (route, category) not in limits:
            limits[route, category] = dispatch.pool.limited_by(route, now, category)
        limit = limits[route, category]
        if limit in ("no_bind", "paused"):
            return limit
        return "tenant_rate" if tenant in dry else limit or "none"

    return reason


def held(dispatch: Dispatch, now: float) -> Values:
    """The messages of all lanes, by tenant, category, route and `Reason`. A lane whose messages
    are all in the store counts with 0."""
    found: Values = {}
    reason = reasons(dispatch, now)
    for lane in dispatch.lanes.each():
        if lane.messages or lane.backlogged:
            tenant, category, route, _ = lane.key
            key = (tenant, category, route, reason(lane))
            found[key] = found.get(key, 0) + len(lane.messages)
    return found


def next_due(dispatch: Dispatch, now: float) -> Values:
    """When the first of the deferred messages is due, by tenant and category."""
    found: Values = {}
    for lane in dispatch.lanes.each():
        if lane.next_due < math.inf and not lane.resting:
            key = (lane.key.tenant, lane.key.category)
            found[key] = min(max(0.0, lane.next_due - now), found.get(key, math.inf))
    return found
