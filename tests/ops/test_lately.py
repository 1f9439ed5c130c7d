"""How what was observed lately is spread."""

import pytest

from gateway.ops.lately import SPAN, STEP, Lately, within
from gateway.ops.metrics import Metrics
from tests.ops.console.staging import Clock


def test_what_was_observed_since_the_start_is_told_to_who_asks_first() -> None:
    metrics, clock = Metrics(), Clock()
    lately = Lately(metrics.store_commit_seconds, clock)
    metrics.store_commit_seconds.observe_many([0.003] * 98 + [0.2] * 2)
    clock.now += 90
    seconds, found = lately.spreads()
    assert seconds == 90
    assert found[()].count == 100
    assert 0.0025 <= found[()].median <= 0.005
    assert 0.1 <= found[()].p99 <= 0.25


def test_what_is_long_ago_is_left_out_once_somebody_has_asked() -> None:
    metrics, clock = Metrics(), Clock()
    commits = metrics.store_commit_seconds
    lately = Lately(commits, clock)
    commits.observe(2.0, 1_000)
    told = []
    for _ in range(int(2 * SPAN / STEP)):
        clock.now += STEP
        commits.observe(0.003)
        told.append(lately.spreads())
    seconds, found = told[-1]
    assert seconds == SPAN
    assert found[()].count == SPAN / STEP
    assert found[()].p99 < 0.01
    assert told[5] == (6 * STEP, told[5][1])
    assert told[5][1][()].count == 1_006


def test_labels_of_which_nothing_came_are_left_out() -> None:
    metrics, clock = Metrics(), Clock()
    lately = Lately(metrics.accept_to_submit_seconds, clock)
    metrics.accept_to_submit_seconds.observe(0.01, 5, "otp")
    assert set(lately.spreads()[1]) == {("otp",)}
    clock.now += STEP
    lately.spreads()
    clock.now += SPAN
    assert lately.spreads()[1] == {}


@pytest.mark.parametrize(("rank", "value"), [(0, 0.0), (5, 0.5), (10, 1.0), (15, 1.5), (30, 2.0)])
def test_a_rank_is_found_within_its_bucket(rank: float, value: float) -> None:
    assert within(rank, [(1.0, 10), (2.0, 20), (float("inf"), 30)]) == value
