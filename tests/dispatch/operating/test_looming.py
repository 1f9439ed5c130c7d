"""What is worth a sentence before any message waits for it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.dispatch.operating.looming import looming
from gateway.ops.views import ExpiryView, Finding, SpreadView
from tests.dispatch.operating.test_stuck import CARRIER, TENANT
from tests.ops.console.staging import NOW, POLICY, REACH, SYSTEM

DAY = 86_400.0
WELL = replace(
    SYSTEM, full_in_seconds=None, certificates=(ExpiryView(name="api", until=NOW + 90 * DAY),)
)
SPREAD = SpreadView(count=900, median=0.1, p90=0.4, p99=2.5)
USUAL = replace(REACH[0], reach=0.9, median=0.95)


def found(**there: Any) -> list[Finding]:
    """What is told where there is this, and all else is well."""
    well: dict[str, Any] = {
        "system": WELL,
        "policy": replace(POLICY, unowned={}),
        "reach": (USUAL,),
        "carriers": (CARRIER,),
        "tenants": (replace(TENANT, max_queued=100),),
    }
    return list(looming(**well | there, now=NOW))


CASES: list[tuple[dict[str, Any], list[tuple[str, str, str]]]] = [
    ({}, []),
    ({"system": replace(WELL, free_bytes=5e8)}, [("disk_nearly_full", "critical", "disk")]),
    ({"system": replace(WELL, full_in_seconds=7_200.0)}, [("disk_fills_up", "warning", "disk")]),
    ({"system": replace(WELL, full_in_seconds=7_200.0, started_at=NOW - 600)}, []),
    ({"system": replace(WELL, free_bytes=None)}, []),  # PostgreSQL has a disk of its own
    ({"system": replace(WELL, memory_bytes=1.9e9)}, [("memory_high", "warning", "process")]),
    (
        {"system": replace(WELL, certificates=(ExpiryView(name="api", until=NOW + 9 * DAY),))},
        [("certificate_expires", "warning", "configuration")],
    ),
    (
        {"system": replace(WELL, holidays=(ExpiryView(name="FR", until=NOW + 9 * DAY),))},
        [("holidays_unknown", "warning", "configuration")],
    ),
    ({"reach": (replace(USUAL, reach=0.8),)}, [("reach_low", "warning", "carrier beta")]),
    ({"reach": (replace(USUAL, reach=0.8, median=None),)}, []),
    (
        {"carriers": (replace(CARRIER, receipts_unmatched=150, receipts={"DELIVRD": 900}),)},
        [("receipts_unmatched", "warning", "carrier alpha")],
    ),
    ({"carriers": (replace(CARRIER, receipts_unmatched=50),)}, []),
    (
        {"carriers": (replace(CARRIER, statuses={"ESME_ROK": 90, "ESME_RSYSERR": 10}),)},
        [("carrier_refuses", "warning", "carrier alpha")],
    ),
    ({"carriers": (replace(CARRIER, statuses={"ESME_ROK": 90, "ESME_RTHROTTLED": 90}),)}, []),
    (
        {"carriers": (replace(CARRIER, response=replace(SPREAD, p90=3.3)),)},
        [("carrier_slow", "warning", "carrier alpha")],
    ),
    ({"carriers": (replace(CARRIER, response=SPREAD),)}, []),
    ({"carriers": (replace(CARRIER, response=replace(SPREAD, count=9, p90=3.3)),)}, []),
    (
        {"tenants": (replace(TENANT, max_queued=100, queued=60, deferred=30, sent=5),)},
        [("tenant_nearly_full", "warning", "tenant acme")],
    ),
    (
        {"policy": replace(POLICY, unowned={"beta": 2})},
        [("inbound_unowned", "warning", "texts from phones")],
    ),
]


@pytest.mark.parametrize(("there", "told"), CASES)
def test_what_looms_is_told_once_with_what_to_do(
    there: dict[str, Any], told: list[tuple[str, str, str]]
) -> None:
    findings = found(**there)
    assert [(one.kind, one.severity, one.subject) for one in findings] == told
    runbooks = (Path(__file__).parents[3] / "docs" / "runbooks.md").read_text()
    for one in findings:
        assert one.what
        assert one.safe
        assert one.do
        assert f"\n## {one.runbook}\n" in runbooks
