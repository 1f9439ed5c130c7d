"""Which rates a ramp tries, and which it finds."""

import pytest

from benchmarks.target.ramp import Limits, Trial, best, next_rate, why_not

LIMITS = Limits(p99=1.0, loss=0.001)


def held(rate: float) -> Trial:
    return Trial(rate, rate, 0.1, 0.0)


def slow(rate: float) -> Trial:
    return Trial(rate, rate, 5.0, 0.0)


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        (held(100), ""),
        (Trial(100, 100, 1.0, 0.001), ""),  # the limits themselves hold
        (Trial(100, 95, 0.1, 0.0), ""),
        (slow(100), "p99 5,000 ms, more than 1,000 ms"),
        (Trial(100, 100, 0.1, 0.002), "0.200% lost, more than 0.100%"),
        (Trial(100, 100, None, 0.0), "no message came through"),
        (Trial(1000, 900, 0.1, 0.0), "only 900 of 1,000 a second left"),
    ],
)
def test_what_holds(trial: Trial, why: str) -> None:
    assert why_not(trial, LIMITS) == why


@pytest.mark.parametrize(
    ("trials", "following"),
    [
        ([], 100),
        # Up by doubling, down by halving.
        ([held(100)], 200),
        ([held(100), held(200)], 400),
        ([slow(100)], 50),
        ([slow(100), slow(50)], 25),
        # Between what held and what did not.
        ([held(100), slow(200)], 150),
        ([held(100), slow(200), held(150)], 175),
        ([held(100), slow(200), slow(150)], 125),
        ([slow(100), held(50)], 75),
        ([held(100), slow(200), held(150), held(175), held(187.5)], None),
        # What held above a rate that did not was luck.
        ([held(100), held(200), slow(150)], 125),
        # Bounds.
        ([held(600)], 1000),
        ([held(600), held(1000)], None),
        ([slow(0.15)], None),
    ],
)
def test_the_rate_that_is_tried_next(trials: list[Trial], following: float | None) -> None:
    assert next_rate(trials, LIMITS, first=100, highest=1000) == following


@pytest.mark.parametrize("capacity", [0.5, 3, 99, 100, 777, 5_000, 99_999])
def test_a_gateway_of_any_capacity_is_found_out(capacity: float) -> None:
    trials: list[Trial] = []
    while (rate := next_rate(trials, LIMITS, first=100, highest=10_000)) is not None:
        trials.append(held(rate) if rate <= capacity else slow(rate))
    found = best(trials, LIMITS)
    assert found is not None
    assert found.rate <= capacity
    assert found.rate * 1.1 >= min(capacity, 10_000)
    assert len(trials) < 20


def test_nothing_is_found_where_nothing_holds() -> None:
    trials: list[Trial] = []
    while (rate := next_rate(trials, LIMITS, first=100, highest=10_000)) is not None:
        trials.append(slow(rate))
    assert best(trials, LIMITS) is None
    assert len(trials) < 12
