"""What is worth a sentence of the overview: what is stuck, where, why, what is safe and what to do.
Pure: it reads views and says what follows from them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.ops.operations import Running
from gateway.ops.views import (
    CarrierView,
    ConsumerView,
    Finding,
    PauseView,
    QueueView,
    Reason,
    Severity,
)

SILENT: Final = 600.0
"""Seconds without a receipt after which a carrier that owes some is told of."""

BEHIND: Final = 10_000
"""Events that a consumer has not handled from which on it is told of."""

WAITED: Final = 30.0
"""Seconds that messages wait for a rate or a window before it is told: less is the normal flow."""

QUIET: Final = 0.5
"""Seconds for which the store has not answered, after which it is told."""

LOST: Final = "nothing is lost"

ORDER: Final[Sequence[Severity]] = ("critical", "warning", "notice")


def findings(
    running: Running,
    *,
    silent: float,
    failing: bool,
    congested: bool,
    carriers: Sequence[CarrierView],
    queues: Sequence[QueueView],
    bound: Collection[str],
    consumers: Sequence[ConsumerView],
    pauses: Sequence[PauseView],
    looming: Iterable[Finding] = (),
    now: float,
) -> tuple[Finding, ...]:
    """All that is worth telling, the worst first. ``bound`` are the tenants whose own rate holds
    messages, ``looming`` is what others found."""
    waits = _waits_of(queues)
    found = [
        *_silence(silent),
        *_store(failing, congested, queues),
        *(one for carrier in carriers for one in _carrier(carrier, waits, now)),
        *_waits(queues, bound, carriers),
        *(_paused(pause, now) for pause in pauses),
        *(one for consumer in consumers for one in _consumer(consumer)),
        *_configuration(running),
        *looming,
    ]
    return tuple(sorted(found, key=_rank))


def _rank(one: Finding) -> tuple[int, bool, int]:
    """The worst first, what concerns everything before what concerns some, the most before less."""
    return ORDER.index(one.severity), one.subject != "store", -one.messages


def _silence(seconds: float) -> Iterator[Finding]:
    if seconds >= QUIET:
        yield Finding(
            kind="store_silent",
            severity="critical",
            subject="store",
            what=f"it has not answered for {duration(seconds)}; what waits is told as it last was",
            messages=0,
            oldest_seconds=None,
            safe="what was accepted is safe",
            do="look at the disk: is it full, or gone? A restart does not help it",
            runbook="StoreRefuses",
        )


def _store(failing: bool, congested: bool, queues: Sequence[QueueView]) -> Iterator[Finding]:
    if failing or congested:
        messages, oldest = _sum(queues)
        yield Finding(
            kind="store_failing" if failing else "store_congested",
            severity="critical" if failing else "warning",
            subject="store",
            what="the store refuses to record what happens, and nothing is sent"
            if failing
            else "the store is slow, and sending waits for it",
            messages=messages,
            oldest_seconds=oldest,
            safe="what was accepted is safe, and outcomes wait in memory",
            do="look at the disk: make room, or find what keeps it busy; do not restart",
            runbook="StoreRefuses" if failing else "StoreSlow",
        )


Waits = Mapping[tuple[str, Reason], tuple[int, float | None]]
"""How many messages wait and for how long the oldest has, by route and reason."""


def _waits_of(queues: Sequence[QueueView]) -> Waits:
    """Summed once for all carriers: there may be a hundred, and queues of a thousand tenants. Of
    queues of which nothing is due, nothing waits for a carrier."""
    groups: dict[tuple[str, Reason], list[QueueView]] = {}
    for one in queues:
        if one.oldest_seconds is not None:
            groups.setdefault((one.route, one.reason), []).append(one)
    return {key: _sum(those) for key, those in groups.items()}


def _of_routes(carrier: CarrierView, reason: Reason, waits: Waits) -> tuple[int, float | None]:
    those = [waits.get((route, reason), (0, None)) for route in carrier.routes]
    ages = [oldest for _, oldest in those if oldest is not None]
    return sum(messages for messages, _ in those), max(ages, default=None)


def _carrier(carrier: CarrierView, waits: Waits, now: float) -> Iterator[Finding]:
    subject = f"carrier {carrier.id}"
    if carrier.state not in ("up", "elsewhere"):
        messages, oldest = _of_routes(carrier, "no_bind", waits)
        down = carrier.state == "down"
        why = f": {carrier.error}" if carrier.error else ""
        since = f" for {duration(now - carrier.since)}" if down and carrier.since else ""
        yield Finding(
            kind="carrier_down" if down else "carrier_degraded",
            severity="critical" if down and messages else "warning" if down else "notice",
            subject=subject,
            what=f"{carrier.binds_up} of {len(carrier.binds)} binds are up{since}{why}",
            messages=messages,
            oldest_seconds=oldest,
            safe=f"{LOST}: messages wait, or go by other carriers of their route",
            do="if the reason is ours (password, address), mend it and reload; else tell the "
            "carrier, and see whether a backup takes its routes",
            verb="/rebind",
            runbook="CarrierDown",
        )
    if carrier.throttled_since is not None:
        messages, oldest = _of_routes(carrier, "carrier_rate", waits)
        yield Finding(
            kind="carrier_throttles",
            severity="notice",
            subject=subject,
            what=f"it takes no more than {carrier.rate:,.0f} parts a second",
            messages=messages,
            oldest_seconds=oldest,
            safe=f"{LOST}, and it is sent no faster than it bears",
            do="ask the carrier for more, or add one to the route",
            runbook="CarrierThrottles",
        )
    if carrier.receipts_silent_seconds >= SILENT:
        yield Finding(
            kind="receipts_silent",
            severity="warning",
            subject=subject,
            what="it has taken parts and given no receipt for "
            f"{duration(carrier.receipts_silent_seconds)}",
            messages=0,
            oldest_seconds=None,
            safe="messages are with the carrier; their outcomes are late",
            do="is a bind up that receives? then ask the carrier",
            verb="/settle",
            runbook="ReceiptsStopped",
        )


_WAITS: Final[dict[Reason, tuple[Severity, str, str, str, str]]] = {
    "tenant_missing": (
        "warning",
        "tenant",
        "its messages wait, and the configuration does not have it",
        "put the tenant back into the configuration and reload, or let them be cancelled",
        "TenantMissing",
    ),
    "no_bind": (
        "critical",
        "route",
        "no carrier of it is up",
        "see the carriers; `backup` in the route takes over, by a reload",
        "NoBindForMessages",
    ),
    "tenant_rate": (
        "notice",
        "tenant",
        "its own rate holds its messages",
        "nothing, or raise `rate` of the tenant and reload",
        "TenantAtItsRate",
    ),
    "window_full": (
        "notice",
        "route",
        "the windows of its carriers are full: they answer slowly, or there is much to send",
        "compare the carrier's round trip with its window: a larger one, or more `binds`, may help",
        "CarrierSlow",
    ),
    "carrier_rate": (
        "notice",
        "route",
        "its carriers take no more",
        "ask the carrier for more, or add one to the route",
        "CarrierThrottles",
    ),
    "none": (
        "critical",
        "route",
        "nothing holds its messages, and they do not go",
        "look at the log; this should not be: report it",
        "NothingMoves",
    ),
}
"""What it means that messages wait, by why: how bad, of whom it is told, what is the matter, what
to do, and the runbook. The store and pauses are told of elsewhere."""


def _waits(
    queues: Sequence[QueueView], bound: Collection[str], carriers: Sequence[CarrierView]
) -> Iterator[Finding]:
    groups: dict[tuple[Reason, str], list[QueueView]] = {}
    told = {route for one in carriers if one.state == "down" for route in one.routes}
    for queue in queues:
        if queue.reason not in _WAITS or queue.oldest_seconds is None:
            continue
        if queue.reason == "no_bind" and queue.route in told:
            continue  # its carriers are told of, with what waits for them
        of = queue.tenant if _WAITS[queue.reason][1] == "tenant" else queue.route
        groups.setdefault((queue.reason, of), []).append(queue)
    for (reason, of), those in groups.items():
        severity, kind, what, do, runbook = _WAITS[reason]
        messages, oldest = _sum(those)
        if (oldest or 0.0) < WAITED or (reason == "tenant_rate" and of not in bound):
            continue
        yield Finding(
            kind=reason if reason != "none" else "nothing_moves",
            severity=severity,
            subject=f"{kind} {of}",
            what=what,
            messages=messages,
            oldest_seconds=oldest,
            safe=f"{LOST}: they wait, until they expire",
            do=do,
            runbook=runbook,
        )


def _paused(pause: PauseView, now: float) -> Finding:
    until = "" if pause.until is None else f", for {duration(pause.until - now)} more"
    why = f" ({pause.why})" if pause.why else ""
    return Finding(
        kind="paused",
        severity="notice",
        subject=str(pause.target),
        what=f"paused by {pause.by} {duration(now - pause.at)} ago{until}{why}",
        messages=pause.held,
        oldest_seconds=now - pause.at,
        safe=f"{LOST}; what waits may expire meanwhile",
        do="its tenant resumes it" if pause.own else "resume it when the reason is gone",
        verb=None if pause.own else "/resume",
        runbook="PausedForLong",
    )


def _consumer(consumer: ConsumerView) -> Iterator[Finding]:
    if (consumer.connected or consumer.missed) and consumer.lag >= BEHIND:
        there = "is connected and" if consumer.connected else "is not connected and"
        yield Finding(
            kind="consumer_behind",
            severity="warning",
            subject=f"consumer {consumer.name} of {consumer.tenant}",
            what=f"{there} has not handled {consumer.lag:,} events",
            messages=0,
            oldest_seconds=None,
            safe="events wait for it until the retention ends",
            do="tell the tenant; one that nobody needs is to be deleted",
            verb="/disconnect" if consumer.connected else None,
            runbook="ConsumerBehind",
        )


def _configuration(running: Running) -> Iterator[Finding]:
    told: list[tuple[bool, str, str, str, str]] = [
        (
            running.refused,
            "reload_refused",
            "the last reload was refused: the file has mistakes, and the old one holds",
            "`gateway check` tells the mistakes; mend them and reload",
            "ReloadRefused",
        ),
        (
            running.waiting,
            "restart_needed",
            "some of the configuration holds from the next start on",
            "restart when it suits, or put the keys back",
            "RestartNeeded",
        ),
    ]
    for holds, kind, what, do, runbook in told:
        if holds:
            yield Finding(
                kind=kind,
                severity="warning",
                subject="configuration",
                what=what,
                messages=0,
                oldest_seconds=None,
                safe="the gateway runs by the configuration that it has",
                do=do,
                verb="/reload",
                runbook=runbook,
            )


def _sum(queues: Iterable[QueueView]) -> tuple[int, float | None]:
    """How many messages wait, and for how long the oldest has."""
    those = list(queues)
    ages = [one.oldest_seconds for one in those if one.oldest_seconds is not None]
    return sum(one.messages for one in those), max(ages, default=None)


def duration(seconds: float) -> str:
    """A span for people: ``40 s``, ``4 min``, ``3 h``, ``2 days``."""
    for unit, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
