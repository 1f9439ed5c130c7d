"""What queries come to, by cases whose answers Prometheus gives too."""

import math

import pytest

from gateway.ops.console.evaluating import Facts, Past, evaluate
from gateway.ops.console.queries import read
from gateway.ops.instruments import Labels, Table

SENT = Table(
    ("carrier", "status"),
    {("alpha", "ok"): 160.0, ("alpha", "busy"): 40.0, ("beta", "ok"): 30.0},
)
BEFORE = Table(("carrier", "status"), {("alpha", "ok"): 100.0, ("beta", "ok"): 50.0})
BUCKETS = Table(
    ("carrier", "le"),
    {
        ("alpha", "0.1"): 50.0, ("alpha", "1.0"): 90.0, ("alpha", "+Inf"): 100.0,
        ("beta", "0.1"): 0.0, ("beta", "1.0"): 0.0, ("beta", "+Inf"): 0.0,
    },
)  # fmt: skip
TABLES = {
    "sent": SENT,
    "buckets": BUCKETS,
    "window": Table(("carrier",), {("alpha",): 64.0, ("beta",): 0.0}),
    "used": Table(("carrier",), {("alpha",): 16.0, ("beta",): 0.0, ("gamma",): 1.0}),
    "free": Table((), {(): 1_000.0}),
}


def asked(text: str) -> dict[Labels, float]:
    def past(name: str, seconds: float) -> Past | None:
        return Past(BEFORE if name == "sent" else Table((), {(): 1_500.0}), 10.0)

    return dict(evaluate(read(text), Facts(1_000_000.0, TABLES, past)).values)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('sent{carrier="beta"}', {("beta", "ok"): 30.0}),
        ('sent{carrier!="beta",status=~"o.*"}', {("alpha", "ok"): 160.0}),
        ('sent{status!~"ok|busy"}', {}),
        ('sent{nothing=""}', dict(SENT.values)),
        ("missing", {}),
        ("sum by (carrier) (sent)", {("alpha",): 200.0, ("beta",): 30.0}),
        ("max (sent)", {(): 160.0}),
        ("min by (status) (sent)", {("ok",): 30.0, ("busy",): 40.0}),
        ("count (sent)", {(): 3.0}),
        ("sum by (nowhere) (sent)", {("",): 230.0}),
        ("free * 2 + 1", {(): 2_001.0}),
        ("time() - free", {(): 999_000.0}),
        ("used / window", {("alpha",): 0.25, ("beta",): math.nan}),
        ("used > 0", {("alpha",): 16.0, ("gamma",): 1.0}),
        ("topk(2, used)", {("alpha",): 16.0, ("gamma",): 1.0}),
        ("(used - window) / 2 < 0", {("alpha",): -24.0}),
    ],
)
def test_queries_come_to_this(text: str, found: dict[Labels, float]) -> None:
    assert asked(text) == pytest.approx(found, nan_ok=True)


def test_rates_are_a_second_and_take_new_series_and_restarts_for_what_they_are() -> None:
    assert asked("rate(sent[20s])") == {
        ("alpha", "ok"): 6.0,
        ("alpha", "busy"): 4.0,  # was not there before
        ("beta", "ok"): 3.0,  # fell from 50: began anew
    }
    assert asked("increase(sent[1h])")["alpha", "ok"] == 60.0
    assert asked("deriv(free[3h])") == {(): -50.0}
    assert asked("free / -deriv(free[3h]) / 3600 > 0") == {(): pytest.approx(20 / 3600)}


@pytest.mark.parametrize(
    ("quantile", "seconds"), [(0.25, 0.05), (0.5, 0.1), (0.9, 1.0), (0.99, 1.0)]
)
def test_quantiles_lie_within_their_bucket(quantile: float, seconds: float) -> None:
    found = asked(f"histogram_quantile({quantile}, sum by (carrier, le) (buckets))")
    assert found == {("alpha",): pytest.approx(seconds)}  # of beta nothing was observed


def test_what_only_prometheus_keeps_is_nothing_here() -> None:
    assert asked("quantile_over_time(0.5, sent[7d])") == {}


def test_without_a_past_there_is_no_rate() -> None:
    facts = Facts(0.0, TABLES, lambda *_: None)
    assert evaluate(read("rate(sent[20s])"), facts).values == {}
