"""What is worth a sentence of the overview though no message waits for it yet: disk, certificates,
reach, texts that found no owner, limits that are near. Pure, as is `stuck`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.dispatch.operating.stuck import LOST, duration
from gateway.ops.views import (
    CarrierView,
    Finding,
    PolicyView,
    ReachView,
    Severity,
    SystemView,
    TenantView,
)

ROOM: Final = 1 << 30
"""Bytes of free disk below which it is nearly full."""

FILLS: Final = 86_400.0
"""Seconds within which a disk that fills is told of."""

SEEN: Final = 1800.0
"""Seconds for which a process has to have seen the disk, to foretell of it: a log that is written
and emptied again fills nothing."""

CERTIFICATE: Final = 14 * 86_400.0
HOLIDAYS: Final = 30 * 86_400.0
"""Seconds before its end from which on one is told of."""

POINTS: Final = 0.1
"""Less than its median that a carrier reaches, to be told of."""

FULL: Final = 0.9
"""Of a limit, from which on it is told of."""

SLOW: Final = 2.0
"""Seconds that one of ten answers of a carrier takes, from which on it is told of."""

REFUSES: Final = 0.05
ANSWERS: Final = 100
"""The share of parts that a carrier refuses, to be told of; and of how many answers at least."""


def looming(
    *,
    system: SystemView,
    policy: PolicyView,
    reach: Sequence[ReachView],
    carriers: Sequence[CarrierView],
    tenants: Sequence[TenantView],
    now: float,
) -> Iterable[Finding]:
    """All of it."""
    yield from _disk(system)
    yield from _process(system)
    yield from _expiries(system, now)
    for one in reach:
        yield from _reach(one)
    for carrier in carriers:
        yield from _carrier(carrier)
    for tenant in tenants:
        yield from _tenant(tenant)
    if policy.unowned:
        texts = sum(policy.unowned.values())
        yield _finding(
            "inbound_unowned",
            "warning",
            "texts from phones",
            f"since the start {texts:,} came to a number that no tenant has, by "
            f"{', '.join(sorted(policy.unowned))}: one may be a STOP",
            "an opt-out among them holds for every tenant that it may mean",
            "list the number, which the log has as `inbound_unowned`, in the `numbers` of its "
            "tenant, and reload",
            "InboundUnowned",
        )


def _finding(
    kind: str, severity: Severity, subject: str, what: str, safe: str, do: str, runbook: str
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        subject=subject,
        what=what,
        messages=0,
        oldest_seconds=None,
        safe=safe,
        do=do,
        runbook=runbook,
    )


def _disk(system: SystemView) -> Iterator[Finding]:
    safe = "what is stored stays; when the disk is full, submissions are refused"
    free, full = system.free_bytes, system.full_in_seconds
    if free is not None and free < ROOM:
        yield _finding(
            "disk_nearly_full",
            "critical",
            "disk",
            f"{free / 1e6:,.0f} MB are free where the store is",
            safe,
            "make room: remove what is not the gateway's, or enlarge the disk; delete nothing "
            "that begins with the store's name",
            "DiskNearlyFull",
        )
    elif full is not None and full < FILLS and system.at - system.started_at >= SEEN:
        yield _finding(
            "disk_fills_up",
            "warning",
            "disk",
            f"it is full in {duration(full)} at the pace of the last hours",
            safe,
            "make room before the night, or keep events for fewer days (`retention_days`)",
            "DiskFillsUp",
        )


def _process(system: SystemView) -> Iterator[Finding]:
    used, limit = system.memory_bytes, system.memory_limit_bytes
    if used and limit and used > FULL * limit:
        yield _finding(
            "memory_high",
            "warning",
            "process",
            f"it uses {used / limit:.0%} of the memory that it may",
            "what was accepted is on disk",
            "give it more memory, or lower the limits of connections",
            "MemoryHigh",
        )


def _expiries(system: SystemView, now: float) -> Iterator[Finding]:
    for one in system.certificates:
        if one.until - now < CERTIFICATE:
            holds = f"holds for {duration(one.until - now)} more" if one.until > now else "is over"
            yield _finding(
                "certificate_expires",
                "warning",
                "configuration",
                f"the certificate of `{one.name}` {holds}",
                "connections that are open stay so",
                "put the new one in its place and reload",
                "CertificateExpires",
            )
    for one in system.holidays:
        if one.until - now < HOLIDAYS:
            yield _finding(
                "holidays_unknown",
                "warning",
                "configuration",
                f"public holidays of {one.name} are known for {duration(one.until - now)} more",
                "quiet hours hold on all other days",
                "update the `holidays` package and restart",
                "HolidaysUnknown",
            )


def _reach(one: ReachView) -> Iterator[Finding]:
    if one.reach is not None and one.median is not None and one.reach < one.median - POINTS:
        yield _finding(
            "reach_low",
            "warning",
            f"carrier {one.carrier}",
            f"it reaches {one.reach:.0%} of phones, and {one.median:.0%} in the median hour of "
            "seven days",
            f"{LOST}; each message has its outcome",
            "compare the outcomes by hour, and ask the carrier; shift weight by a reload",
            "ReachLow",
        )


def _carrier(carrier: CarrierView) -> Iterator[Finding]:
    lost, known = carrier.receipts_unmatched, sum(carrier.receipts.values())
    if lost >= ANSWERS and lost > 0.1 * (lost + known):
        yield _finding(
            "receipts_unmatched",
            "warning",
            f"carrier {carrier.id}",
            f"{lost:,} of its receipts since the start match no message",
            "they wait for an hour, for their message to show",
            "state `receipt_id`, or `long_receipts`, and reload: see the runbook",
            "ReceiptsUnmatched",
        )
    answered = sum(carrier.statuses.values())
    refused = answered - sum(
        carrier.statuses.get(name, 0) for name in ("ESME_ROK", "ESME_RTHROTTLED", "ESME_RMSGQFUL")
    )
    if answered >= ANSWERS and refused > REFUSES * answered:
        yield _finding(
            "carrier_refuses",
            "warning",
            f"carrier {carrier.id}",
            f"it has refused {refused / answered:.0%} of {answered:,} parts since the start",
            f"{LOST}: they go elsewhere, are tried again, or fail, by the status",
            "ask the carrier with the status; shift weight to another by a reload",
            "CarrierRefuses",
        )

    response = carrier.response
    if response is not None and response.count >= ANSWERS and response.p90 > SLOW:
        yield _finding(
            "carrier_slow",
            "warning",
            f"carrier {carrier.id}",
            f"one of ten of its answers takes {duration(response.p90)} or more, of "
            f"{response.count:,} lately",
            f"{LOST}: as much goes out as its windows hold in that time",
            "ask the carrier; a larger `window`, if the contract allows it, or less weight in the "
            "routes",
            "CarrierSlow",
        )


def _tenant(tenant: TenantView) -> Iterator[Finding]:
    waiting = tenant.queued + tenant.deferred + tenant.sent
    if tenant.configured and tenant.max_queued and waiting > FULL * tenant.max_queued:
        yield _finding(
            "tenant_nearly_full",
            "warning",
            f"tenant {tenant.id}",
            f"it has {waiting / tenant.max_queued:.0%} of the messages that it may have without "
            "an outcome",
            "what was accepted goes on; beyond the limit its submissions are refused",
            "raise its `max_queued` and reload, where the disk has room",
            "TenantQueueNearlyFull",
        )
