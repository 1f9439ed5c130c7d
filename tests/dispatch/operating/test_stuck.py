"""The sentences of the overview, by what there is to see."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.dispatch.operating import stuck
from gateway.dispatch.operating.stuck import duration, findings
from gateway.ops.operations import Running
from gateway.ops.views import (
    CarrierView,
    ConsumerView,
    Finding,
    PauseView,
    QueueView,
    Target,
    TenantView,
)

NOW = 10_000.0
RUNNING = Running("0.1.0", 0.0, "aaaa", 0.0, refused=False, waiting=False)

CARRIER = CarrierView(
    id="alpha", address="a:1", state="up", since=NOW - 240.0, error=None, pause=None, binds=(),
    binds_up=2, routes=("uk",), window=20, in_use=0, rate_stated=0.0, rate=0.0, rate_found=False,
    rate_set=None, throttled_since=None, statuses={}, receipts={}, receipts_silent_seconds=0.0,
    receipt_seconds=None, receipts_parked=0, receipts_owed=0,
    receipts_unmatched=0, response=None, binds_lost=0, torn=0, waiting=0,
)  # fmt: skip
QUEUE = QueueView(
    tenant="acme", category="marketing", route="uk", campaign=None, messages=12_310, ready=1,
    parts=12_310, oldest_seconds=180.0, next_due=None, reason="none", pause=None,
)  # fmt: skip
TENANT = TenantView(
    id="acme", name="Acme", configured=True, categories=(), rate=5.0, rate_bound=True, weight=1.0,
    max_queued=9, queued=0, deferred=0, sent=0, oldest_seconds=None, lag=0, pause=None,
)  # fmt: skip
CONSUMER = ConsumerView(
    tenant="acme", name="crm", connected=True, missed=False, seq=1, lag=20_000,
    since=0.0, seen_at=1.0,
)  # fmt: skip
PAUSE = PauseView(
    target=Target("tenant", "acme"), by="ann", at=NOW - 7_200.0, until=NOW + 600.0,
    why="they asked", held=7,
)  # fmt: skip


def seen(**there: Any) -> list[Finding]:
    """What is found where there is this, and nothing else."""
    nothing: dict[str, Any] = {
        "silent": 0.0, "failing": False, "congested": False, "carriers": (), "queues": (),
        "bound": ("acme",), "consumers": (), "pauses": (), "running": RUNNING,
    }  # fmt: skip
    given = nothing | there
    return list(findings(given.pop("running"), now=NOW, **given))


def carrier(**changes: Any) -> dict[str, Any]:
    return {"carriers": (msgspec.structs.replace(CARRIER, **changes),)}


def queue(**changes: Any) -> dict[str, Any]:
    return {"queues": (msgspec.structs.replace(QUEUE, **changes),)}


DOWN = {"state": "down", "binds_up": 0, "error": "connection refused"}
NO_BIND = queue(reason="no_bind")

CASES: list[tuple[dict[str, Any], list[tuple[str, str, str, int]]]] = [
    # what there is; the kind, severity, subject and messages of what is told
    ({}, []),
    (carrier() | queue(oldest_seconds=1.0), []),
    (queue(oldest_seconds=None), []),  # due later
    ({"silent": 4.0}, [("store_silent", "critical", "store", 0)]),
    ({"failing": True} | queue(reason="store_congested"),
     [("store_failing", "critical", "store", 12_310)]),
    ({"congested": True}, [("store_congested", "warning", "store", 0)]),
    (carrier(**DOWN), [("carrier_down", "warning", "carrier alpha", 0)]),
    (carrier(**DOWN) | NO_BIND, [("carrier_down", "critical", "carrier alpha", 12_310)]),
    (carrier(**DOWN) | queue(reason="no_bind", oldest_seconds=None),  # due later
     [("carrier_down", "warning", "carrier alpha", 0)]),
    (carrier(state="degraded", binds_up=1),
     [("carrier_degraded", "notice", "carrier alpha", 0)]),
    (carrier(throttled_since=NOW - 60.0) | queue(reason="carrier_rate", oldest_seconds=5.0),
     [("carrier_throttles", "notice", "carrier alpha", 12_310)]),
    (carrier(receipts_silent_seconds=900.0),
     [("receipts_silent", "warning", "carrier alpha", 0)]),
    (carrier(receipts_silent_seconds=500.0), []),
    (NO_BIND, [("no_bind", "critical", "route uk", 12_310)]),  # no carrier of it is there
    (queue(reason="tenant_missing"), [("tenant_missing", "warning", "tenant acme", 12_310)]),
    (queue(reason="tenant_rate"), [("tenant_rate", "notice", "tenant acme", 12_310)]),
    (queue(reason="window_full"), [("window_full", "notice", "route uk", 12_310)]),
    (queue(reason="carrier_rate"), [("carrier_rate", "notice", "route uk", 12_310)]),
    (queue(reason="none"), [("nothing_moves", "critical", "route uk", 12_310)]),
    (queue(reason="paused"), []),  # the pause tells of it
    ({"pauses": (PAUSE,)}, [("paused", "notice", "tenant acme", 7)]),
    ({"consumers": (CONSUMER,)}, [("consumer_behind", "warning", "consumer crm of acme", 0)]),
    ({"consumers": (msgspec.structs.replace(CONSUMER, connected=False),)}, []),  # nobody misses it
    ({"running": msgspec.structs.replace(RUNNING, refused=True)},
     [("reload_refused", "warning", "configuration", 0)]),
    ({"running": msgspec.structs.replace(RUNNING, waiting=True)},
     [("restart_needed", "warning", "configuration", 0)]),
]  # fmt: skip


@pytest.mark.parametrize(("there", "told"), CASES)
def test_what_is_told(there: dict[str, Any], told: list[tuple[str, str, str, int]]) -> None:
    found = seen(**there)
    assert [(one.kind, one.severity, one.subject, one.messages) for one in found] == told
    for one in found:
        assert one.what
        assert one.safe
        assert one.do


def test_the_sentence_says_since_when_why_and_how_much() -> None:
    [found] = seen(**carrier(**DOWN) | NO_BIND)
    assert found.what == "0 of 0 binds are up for 4 min: connection refused"
    assert (found.messages, found.oldest_seconds, found.verb) == (12_310, 180.0, "/rebind")


def test_a_pause_says_by_whom_and_for_how_long_and_a_tenants_own_is_its_to_lift() -> None:
    [found] = seen(pauses=(PAUSE,))
    assert found.what == "paused by ann 2 h ago, for 10 min more (they asked)"
    assert found.verb == "/resume"
    own = msgspec.structs.replace(PAUSE, by="tenant acme", until=None, why="")
    [found] = seen(pauses=(own,))
    assert (found.what, found.verb) == ("paused by tenant acme 2 h ago", None)


def test_the_worst_comes_first_and_the_store_before_all() -> None:
    found = seen(**carrier(**DOWN), **NO_BIND, pauses=(PAUSE,), silent=9.0)
    assert [one.kind for one in found] == ["store_silent", "carrier_down", "paused"]


def test_every_finding_has_its_section_in_the_runbooks() -> None:
    page = (Path(__file__).parents[3] / "docs" / "runbooks.md").read_text()
    for there, _ in CASES:
        for one in seen(**there):
            assert f"## {one.runbook}\n" in page


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1.0, "0 s"), (0.4, "0 s"), (59.0, "59 s"), (119.0, "119 s"), (120.0, "2 min"),
     (7_200.0, "2 h"), (172_800.0, "2 days")],
)  # fmt: skip
def test_spans_for_people(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_the_bounds_are_those_of_the_alerts_or_sooner() -> None:
    assert stuck.WAITED <= 60.0
    assert stuck.SILENT <= 900.0
