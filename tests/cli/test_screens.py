"""What ``gateway top`` shows: what is wrong first, in words, and no more than there is room for."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from gateway.cli.screens import screen
from gateway.ops.views import BindView, CarrierView, Finding, Overview, QueueView, TenantView


def carrier(name: str, state: Any) -> CarrierView:
    bind = BindView(
        name=f"{name}-1",
        carrier=name,
        mode="transceiver",
        state="bound" if state == "up" else "down",
        since=None,
        error=None,
        error_at=None,
        window=100,
        in_use=7,
        peer="",
    )
    return CarrierView(
        id=name,
        address="192.0.2.1:2775",
        state=state,
        since=None,
        error=None if state == "up" else "connection refused",
        pause=None,
        binds=(bind,),
        binds_up=int(state == "up"),
        routes=("default",),
        window=100,
        in_use=7,
        rate_stated=0.0,
        rate=20.0,
        rate_found=True,
        rate_set=None,
        throttled_since=None,
        statuses={},
        receipts={},
        receipts_silent_seconds=1900.0,
        receipt_seconds=None,
        receipts_parked=0,
        receipts_owed=0,
        receipts_unmatched=0,
        response=None,
        binds_lost=0,
        torn=0,
        waiting=0,
    )


def found(findings: int = 1, carriers: int = 2, tenants: int = 1) -> dict[str, Any]:
    """As the admin API says it."""
    overview = Overview(
        at=1_800_000_000.0,
        version="0.1.0",
        started_at=1_799_990_000.0,
        digest="abc123",
        loaded_at=1_799_990_000.0,
        well=not findings,
        findings=tuple(
            Finding(
                kind="carrier_down",
                severity="critical",
                subject=f"carrier beta{number or ''}",
                what="0 of 2 binds are up since 4 min",
                messages=12_310,
                oldest_seconds=180.0,
                safe="nothing is lost",
                do="call the carrier",
            )
            for number in range(findings)
        ),
        queued=12_310,
        deferred=5,
        sent=7,
        oldest_seconds=180.0,
        unanswered_seconds=0.2,
        receipt_seconds=9.0,
        carriers=2,
        carriers_up=1,
        binds=2,
        binds_up=1,
        pauses=0,
    )
    queue = QueueView(
        tenant="shop",
        category="otp",
        route="default",
        campaign=None,
        messages=12_310,
        ready=1000,
        parts=12_310,
        oldest_seconds=180.0,
        next_due=None,
        reason="no_bind",
        pause=None,
    )
    tenant = TenantView(
        id="shop",
        name="",
        configured=True,
        categories=("otp",),
        rate=5.0,
        rate_bound=True,
        weight=1.0,
        max_queued=1000,
        queued=12_310,
        deferred=5,
        sent=7,
        oldest_seconds=180.0,
        lag=1200,
        pause=None,
    )
    made: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(
            {
                "overview": overview,
                "carriers": [
                    carrier("alpha", "up"),
                    *(carrier(f"beta{number or ''}", "down") for number in range(carriers - 1)),
                ],
                "queues": [queue],
                "tenants": [msgspec.structs.replace(tenant, id=f"t{n}") for n in range(tenants)],
                "rates": {
                    "accepted": 1234.5,
                    "answered": 10.0,
                    "ended": 9.0,
                    "carriers": {"alpha": 10.0},
                    "tenants": {"t0": 1234.5},
                },
            }
        )
    )
    return made


def lines(seen: dict[str, Any], trouble: str = "", height: int = 40) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=120, markup=False, highlight=False, emoji=False)
    console.print(screen(seen, "http://gw:7601", trouble, height))
    return out.getvalue().splitlines()


def test_what_is_wrong_comes_first_with_what_is_safe_and_what_to_do() -> None:
    text = lines(found())
    assert text[0].startswith("gateway 0.1.0 at http://gw:7601")
    assert text[1] == "CRITICAL carrier beta: 0 of 2 binds are up since 4 min"
    assert text[2:4] == ["    safe: nothing is lost", "    do: call the carrier"]
    assert text[4:6] == [
        "queued 12,310, deferred 5, with carriers 7; the oldest is due since 3 min",
        "a second: 1,234.5 accepted, 10.0 parts answered, 9.0 ended",
    ]


def test_what_is_well_says_so() -> None:
    assert "All is well." in lines(found(findings=0))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("beta ", ["down", "0/1", "20/s", "32 min", "connection refused"]),
        ("shop ", ["otp", "default", "12,310", "3 min", "no bind"]),
        ("t0 ", ["1,234.5", "12,310", "1,200", "at its rate"]),
    ],
)
def test_tables_tell_in_words(row: str, words: list[str]) -> None:
    [line] = [one for one in lines(found()) if one.strip().startswith(row)]
    assert all(word in line for word in words)


def test_a_carrier_that_is_down_stands_above_those_that_are_up() -> None:
    names = [one.split()[0] for one in lines(found()) if one.strip().startswith(("alpha", "beta"))]
    assert names == ["beta", "alpha"]


def test_a_long_reason_takes_no_second_line() -> None:
    seen = found()
    seen["carriers"][1]["error"] = "it was said that " * 20
    assert len(lines(seen)) == len(lines(found()))


def test_what_is_old_says_so() -> None:
    assert lines(found(), "cannot reach it")[1] == "what follows is old: cannot reach it"


@pytest.mark.parametrize("height", [24, 40, 60])
def test_a_thousand_of_everything_fit_on_a_screen(height: int) -> None:
    text = lines(found(findings=50, carriers=100, tenants=1000), height=height)
    assert len(text) <= height + 6
    told = [one.strip() for one in text if one.strip().startswith("… and")]
    assert len(told) == 3, "of sentences, carriers and tenants"
