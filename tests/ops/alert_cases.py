"""For each alert, series by which it fires and series by which it stays quiet, in the notation of
``promtool test rules``: a sample a minute, ``0+10x20`` for 0, 10, … 200."""

from typing import Final, NamedTuple

Series = dict[str, str]


class Case(NamedTuple):
    """What is seen for so many minutes, and whether the alert fires then."""

    fires: bool
    minutes: int
    series: Series


def metric(name: str, values: str, **labels: str) -> Series:
    """A series of one gateway."""
    told = {"job": "gateway", "instance": "one", **labels}
    inside = ",".join(f'{label}="{value}"' for label, value in told.items())
    return {f"{name}{{{inside}}}": values}


def seconds(name: str, most: float, **labels: str) -> Series:
    """A histogram that counts one of the given length a second."""
    found: Series = {}
    for bound in (most / 2, most):
        values = "0+60x200" if bound == most else "0+0x200"
        found |= metric(f"gateway_{name}_bucket", values, le=f"{bound:g}", **labels)
    return found | metric(f"gateway_{name}_bucket", "0+60x200", le="+Inf", **labels)


def oldest(category: str, values: str, place: str = "lane") -> Series:
    labels = {"tenant": "acme", "category": category, "place": place}
    return metric("gateway_oldest_message_seconds", values, **labels)


def held(reason: str, values: str = "5x120") -> Series:
    labels = {"tenant": "acme", "category": "otp", "route": "uk", "reason": reason}
    return metric("gateway_held_messages", values, **labels)


def parts(values: str, status: str = "ESME_ROK") -> Series:
    return metric("gateway_parts_submitted_total", values, carrier="alpha", status=status)


def receipts(values: str, state: str = "DELIVRD") -> Series:
    return metric("gateway_receipts_total", values, carrier="alpha", state=state)


def ended(values: str, outcome: str) -> Series:
    return of_carrier("carrier_outcomes_total", values, outcome=outcome)


def final(values: str, outcome: str) -> Series:
    return metric("gateway_messages_final_total", values, tenant="acme", outcome=outcome)


def put_off(values: str, rule: str) -> Series:
    return metric("gateway_messages_deferred_total", values, tenant="acme", rule=rule)


def of_carrier(name: str, values: str, **labels: str) -> Series:
    return metric(f"gateway_{name}", values, carrier="alpha", **labels)


def of_tenant(name: str, values: str, **labels: str) -> Series:
    return metric(f"gateway_{name}", values, tenant="acme", **labels)


def own(name: str, values: str, **labels: str) -> Series:
    return metric(f"gateway_{name}", values, **labels)


def node_info(node: str, digest: str, values: str = "1x90") -> Series:
    return own("node_info", values, node=node, version="1.0", digest=digest)


GIGABYTE: Final = 1 << 30

CASES: Final[dict[str, tuple[Case, ...]]] = {
    "GatewayDown": (
        Case(True, 5, metric("up", "1 0x10")),
        Case(False, 5, metric("up", "1x10")),
        Case(False, 5, metric("up", "1 0 1x10")),
    ),
    "OneTimePasswordsLate": (
        Case(True, 5, oldest("otp", "0+60x10")),
        Case(True, 5, oldest("otp", "0+60x10", "store")),
        Case(False, 5, oldest("otp", "5x10") | oldest("otp", "0+60x10", "receipt")),
        Case(False, 5, oldest("marketing", "0+60x10")),
    ),
    "TransactionalLate": (
        Case(True, 20, oldest("transactional", "0+60x30")),
        Case(False, 20, oldest("transactional", "0 60 120 0x30")),
        Case(False, 20, oldest("marketing", "0+60x30")),
    ),
    "NothingMoves": (
        Case(True, 15, oldest("marketing", "0+60x30") | parts("100x30")),
        Case(True, 15, oldest("marketing", "0+60x30")),
        Case(False, 15, oldest("marketing", "0+60x30") | parts("0+60x30")),
        Case(False, 15, oldest("marketing", "0+60x30") | held("paused")),
        Case(False, 15, oldest("marketing", "0+60x30", "receipt")),
    ),
    "NoBindForMessages": (
        Case(True, 5, held("no_bind")),
        Case(False, 5, held("window_full")),
        Case(False, 5, held("no_bind", "5 0x10")),
    ),
    "AcceptanceSlow": (
        Case(True, 60, seconds("accept_seconds", 2.5)),
        Case(False, 60, seconds("accept_seconds", 0.1)),
    ),
    "OneTimePasswordsSlow": (
        Case(True, 30, seconds("accept_to_submit_seconds", 30, category="otp")),
        Case(False, 30, seconds("accept_to_submit_seconds", 0.1, category="otp")),
        Case(False, 30, seconds("accept_to_submit_seconds", 3600, category="marketing")),
    ),
    "ReachLow": (
        Case(
            True,
            480,
            ended("0+60x360 21600+50x150", "delivered") | ended("0+6x360 2160+16x150", "failed"),
        ),
        # What is never heard of again is not reached either.
        Case(
            True,
            480,
            ended("0+60x360 21600+50x150", "delivered") | ended("0+6x360 2160+16x150", "unknown"),
        ),
        # Nine points of a hundred are no ten.
        Case(
            False,
            480,
            ended("0+60x360 21600+54x150", "delivered") | ended("0+6x360 2160+12x150", "failed"),
        ),
        Case(False, 480, ended("0+60x520", "delivered") | ended("0+6x520", "failed")),
        # Two phones of three at night tell nothing.
        Case(
            False,
            480,
            ended("0+60x360 21600+0.1x150", "delivered") | ended("0+6x360 2160+0.5x150", "failed"),
        ),
    ),
    "OneTimePasswordsHeld": (
        Case(True, 20, put_off("0x10 0+3x10", "pumping")),
        Case(False, 30, put_off("0x5 0+3x5 18x30", "pumping")),
        Case(False, 20, put_off("7x30", "pumping") | put_off("0+9x30", "quiet_hours")),
    ),
    "OutcomesUnknown": (
        Case(True, 100, final("0+6x120", "unknown") | final("0+60x120", "delivered")),
        Case(False, 100, final("0+1x120", "unknown") | final("0+60x120", "delivered")),
        Case(False, 100, final("0+0.1x120", "unknown")),
    ),
    "CarrierDown": (
        Case(True, 6, of_carrier("bind_up", "0x10", bind="alpha-1")),
        Case(
            False,
            6,
            of_carrier("bind_up", "0x10", bind="alpha-1")
            | of_carrier("bind_up", "1x10", bind="alpha-2"),
        ),
    ),
    "BindsFlap": (
        Case(True, 20, of_carrier("binds_lost_total", "0+1x30")),
        Case(False, 20, of_carrier("binds_lost_total", "0 1 2 2x30")),
    ),
    "CarrierSlow": (
        Case(True, 30, seconds("submit_response_seconds", 5, carrier="alpha")),
        Case(False, 30, seconds("submit_response_seconds", 0.5, carrier="alpha")),
    ),
    "CarrierThrottles": (
        Case(True, 45, parts("0+60x60") | parts("0+20x60", "ESME_RTHROTTLED")),
        Case(False, 45, parts("0+60x60") | parts("0+2x60", "ESME_RTHROTTLED")),
        Case(False, 45, parts("0+60x60") | parts("0+20x60", "ESME_RSYSERR")),
        # A rough ten minutes after an hour of calm ones.
        Case(False, 90, parts("0+900x120") | parts("0x79 0+120x10", "ESME_RTHROTTLED")),
    ),
    "CarrierRefuses": (
        Case(True, 90, parts("0+60x120") | parts("0+30x120", "ESME_RSUBMITFAIL")),
        Case(False, 90, parts("0+60x120") | parts("0+30x120", "ESME_RTHROTTLED")),
        # Five bad minutes within an hour of good ones.
        Case(False, 90, parts("0+600x120") | parts("0x85 0+200x5 1000x30", "ESME_RSUBMITFAIL")),
    ),
    "ReceiptsStopped": (
        Case(True, 60, of_carrier("receipts_silent_seconds", "0+60x120") | parts("0+10x120")),
        Case(False, 60, of_carrier("receipts_silent_seconds", "20x120") | parts("0+10x120")),
        # The one phone of the night is switched off.
        Case(False, 60, of_carrier("receipts_silent_seconds", "0+60x120") | parts("0 1x120")),
    ),
    "ReceiptsUnmatched": (
        Case(True, 60, of_carrier("receipts_unmatched_total", "0+20x90") | receipts("0+60x90")),
        Case(True, 60, of_carrier("receipts_unmatched_total", "0+20x90") | receipts("0x90")),
        Case(False, 60, of_carrier("receipts_unmatched_total", "0+1x90") | receipts("0+60x90")),
        # They came late, and all at once.
        Case(
            False, 90, of_carrier("receipts_unmatched_total", "0x70 0+9x40") | receipts("0+60x120")
        ),
    ),
    "StoreRefuses": (
        Case(True, 5, held("store_congested")),
        Case(False, 5, held("window_full")),
    ),
    "MessagesMisplaced": (
        Case(True, 10, own("messages_misplaced_total", "0x5 1x30", how="lost")),
        Case(False, 10, own("messages_misplaced_total", "0x30", how="lost")),
        Case(False, 60, own("messages_misplaced_total", "0x5 1x90", how="moved")),
    ),
    "StoreSlow": (
        Case(True, 30, seconds("store_commit_seconds", 1.0)),
        Case(False, 30, seconds("store_commit_seconds", 0.025)),
    ),
    "TransactionStaysOpen": (
        Case(True, 20, own("store_oldest_transaction_seconds", "0+60x90")),
        Case(False, 20, own("store_oldest_transaction_seconds", "0 60 120 0x90")),
    ),
    "DeadRowsStay": (
        Case(True, 80, own("store_dead_rows", "2000000x120", table="message")),
        Case(False, 80, own("store_dead_rows", "2000000x40 5000 2000000x80", table="message")),
        Case(False, 80, own("store_dead_rows", "90000x120", table="message")),
    ),
    "StandbyLost": (
        Case(True, 15, own("store_standbys", "2x10 1x90")),
        Case(False, 15, own("store_standbys", "1x10 2x90")),
        Case(False, 15, own("store_standbys", "0x90")),
    ),
    "ConfigurationsDiffer": (
        Case(True, 15, node_info("a", "c0ffee") | node_info("b", "decaf")),
        Case(False, 15, node_info("a", "c0ffee") | node_info("b", "c0ffee")),
        Case(False, 15, node_info("a", "c0ffee") | node_info("b", "decaf", "1x5 _x90")),
    ),
    "ClockDiffers": (
        Case(True, 10, own("node_clock_ahead_seconds", "-3600x90", node="a")),
        Case(False, 10, own("node_clock_ahead_seconds", "1.5x90", node="a")),
        Case(False, 10, own("node_clock_ahead_seconds", "30 30 0x90", node="a")),
    ),
    "BindsUnused": (
        Case(True, 15, own("slots_unused", "1x90", carrier="alpha")),
        Case(False, 15, own("slots_unused", "0 2x5 0x90", carrier="alpha")),
    ),
    "DiskNearlyFull": (
        Case(True, 5, own("store_free_bytes", f"{GIGABYTE // 2}x10")),
        Case(False, 5, own("store_free_bytes", f"{4 * GIGABYTE}x10")),
    ),
    "DiskFillsUp": (
        Case(True, 230, own("store_free_bytes", "100000000000-100000000x300")),
        Case(False, 230, own("store_free_bytes", "100000000000-10000000x300")),
        Case(False, 230, own("store_free_bytes", "10000000000x300")),
    ),
    "ConsumerBehind": (
        Case(True, 60, of_tenant("events_unacknowledged", "0+100x90")),
        Case(False, 60, of_tenant("events_unacknowledged", "100000-1000x90")),
        Case(False, 60, of_tenant("events_unacknowledged", "20x90")),
    ),
    "TenantAtItsRate": (
        Case(True, 30, held("tenant_rate")),
        Case(False, 30, held("carrier_rate")),
    ),
    "TenantQueueNearlyFull": (
        Case(
            True,
            20,
            of_tenant("queued_messages", "500x30", category="otp", state="queued")
            | of_tenant("queued_messages", "450x30", category="otp", state="sent")
            | of_tenant("queued_messages_limit", "1000x30"),
        ),
        Case(
            False,
            20,
            of_tenant("queued_messages", "500x30", category="otp", state="queued")
            | of_tenant("queued_messages_limit", "1000x30"),
        ),
    ),
    "RefusalsRise": (
        Case(
            True,
            60,
            of_tenant("messages_refused_total", "0+60x90", code="invalid_recipient")
            | of_tenant("messages_accepted_total", "0+10x90", category="marketing"),
        ),
        Case(
            True,
            60,
            of_tenant("messages_refused_total", "0+60x90", code="queue_full")
            | of_tenant("messages_accepted_total", "0x90", category="marketing"),
        ),
        Case(
            False,
            60,
            of_tenant("messages_refused_total", "0+10x90", code="invalid_recipient")
            | of_tenant("messages_accepted_total", "0+60x90", category="marketing"),
        ),
        # One bad list in an hour of good ones.
        Case(
            False,
            90,
            of_tenant("messages_refused_total", "0x70 0+90x40", code="invalid_recipient")
            | of_tenant("messages_accepted_total", "0+600x70 42000x50", category="marketing"),
        ),
    ),
    "InboundUnowned": (
        Case(True, 30, of_carrier("inbound_unowned_total", "0x20 1x40")),
        Case(False, 30, of_carrier("inbound_unowned_total", "7x60")),
    ),
    "WrongTokens": (
        Case(True, 20, own("api_connections_ended_total", "0+10x30", reason="unauthenticated")),
        Case(False, 20, own("api_connections_ended_total", "0+10x30", reason="idle")),
        Case(False, 20, own("api_connections_ended_total", "0+1x30", reason="unauthenticated")),
    ),
    "MayBeDuplicates": (
        Case(True, 70, of_tenant("messages_maybe_duplicate_total", "0+10x90")),
        Case(False, 70, of_tenant("messages_maybe_duplicate_total", "0+0.5x90")),
    ),
    "TenantMissing": (
        Case(True, 5, held("tenant_missing")),
        Case(True, 5, held("tenant_missing", "0x120")),  # all of them in the store
        Case(False, 5, held("paused")),
    ),
    "PausedForLong": (
        Case(True, 80, of_tenant("paused_messages", "50x120")),
        Case(False, 80, of_tenant("paused_messages", "50x30 0x90")),
        Case(False, 50, of_tenant("paused_messages", "50x120")),
    ),
    "ReloadRefused": (
        Case(True, 5, own("reload_refused", "1x10")),
        Case(False, 5, own("reload_refused", "0x10")),
    ),
    "RestartNeeded": (
        Case(True, 1450, own("restart_needed", "1x1500")),
        Case(False, 1300, own("restart_needed", "1x1500")),
    ),
    "CertificateExpires": (
        Case(True, 5, own("certificate_expiry_timestamp_seconds", "1000000x10", key="api.tls")),
        Case(False, 5, own("certificate_expiry_timestamp_seconds", "2000000x10", key="api.tls")),
    ),
    "HolidaysUnknown": (
        Case(True, 5, own("holidays_known_until_timestamp_seconds", "2000000x10", region="FR")),
        Case(False, 5, own("holidays_known_until_timestamp_seconds", "9000000x10", region="FR")),
    ),
    "EventLoopBlocked": (
        Case(True, 10, own("event_loop_longest_turn_seconds", "0.8x20")),
        Case(False, 10, own("event_loop_longest_turn_seconds", "0.02x5 2x1 0.02x20")),
    ),
    "MemoryHigh": (
        Case(
            True,
            20,
            metric("process_resident_memory_bytes", "950x30")
            | own("memory_limit_bytes", "1000x30"),
        ),
        Case(
            False,
            20,
            metric("process_resident_memory_bytes", "300x30")
            | own("memory_limit_bytes", "1000x30"),
        ),
    ),
}
