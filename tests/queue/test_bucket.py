"""Token buckets and the discovery of a carrier's rate."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.queue.bucket import COOLDOWN, UNLIMITED, AdaptiveRate, TokenBucket


def test_a_full_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(10, burst=5)
    assert bucket.available(100.0) == 5
    bucket.take(5, 100.0)
    assert bucket.available(100.0) == 0
    assert bucket.available(100.25) == 2
    assert bucket.available(200.0) == 5


def test_without_a_burst_one_second_of_parts_may_go_at_once() -> None:
    assert TokenBucket(30).available(0.0) == 30
    assert TokenBucket(0.1).available(0.0) == 1


def test_a_rate_of_zero_is_no_limit() -> None:
    bucket = TokenBucket(0)
    bucket.take(10_000_000, 5.0)
    assert bucket.available(5.0) == UNLIMITED
    assert bucket.ready_at(5.0) == 5.0


def test_a_long_message_goes_whole_and_is_waited_for() -> None:
    bucket = TokenBucket(1, burst=1)
    bucket.take(5, 10.0)
    assert bucket.available(10.0) < 0
    assert bucket.ready_at(10.0) == pytest.approx(15.0)
    assert bucket.available(15.0) == 1


def test_parts_that_were_not_sent_can_be_given_back() -> None:
    bucket = TokenBucket(10, burst=10)
    bucket.take(10, 0.0)
    bucket.take(-4, 0.0)
    assert bucket.available(0.0) == 4
    bucket.take(-40, 0.0)
    assert bucket.available(0.0) == 10


def test_a_new_rate_keeps_the_debt_and_counts_from_now() -> None:
    bucket = TokenBucket(1, burst=1)
    bucket.take(11, 0.0)
    bucket.change(100, 100, 5.0)  # five of the ten overdrawn parts were earned at the old rate
    assert bucket.available(5.0) == -5
    assert bucket.ready_at(5.0) == pytest.approx(5.06)
    bucket.change(100, 2, 50.0)
    assert bucket.available(50.0) == 2


def test_a_clock_that_is_set_back_neither_gives_nor_takes() -> None:
    bucket = TokenBucket(10, burst=10)
    bucket.take(10, 1_000_000.0)
    assert bucket.available(5.0) == 0
    assert bucket.ready_at(5.0) == pytest.approx(5.1)
    assert bucket.available(6.0) == 10


@given(
    rate=st.floats(0.01, 1e5),
    burst=st.floats(1, 1000),
    now=st.floats(0, 2e9),
    parts=st.lists(st.integers(1, 255), max_size=20),
)
def test_ready_at_is_never_too_early(
    rate: float, burst: float, now: float, parts: list[int]
) -> None:
    bucket = TokenBucket(rate, burst)
    bucket.available(now)
    for count in parts:
        bucket.take(count, now)
    at = bucket.ready_at(now)
    assert at >= now
    assert bucket.available(at) >= 1


@given(
    rate=st.floats(0.5, 500),
    burst=st.floats(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 9)), min_size=1, max_size=200),
)
def test_no_window_sees_more_than_burst_and_rate_allow(
    rate: float, burst: float, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate, burst)
    now = 1000.0
    passed: list[tuple[float, int]] = []
    for pause, parts in steps:
        now += pause
        if bucket.available(now) >= 1:
            bucket.take(parts, now)
            passed.append((now, parts))
    for first, (start, _) in enumerate(passed):
        total = 0
        for at, parts in passed[first:]:
            total += parts
            assert total <= burst + rate * (at - start) + 8 + 1e-6


class Carrier:
    """Takes ``capacity`` parts a second and refuses the rest; driven in steps of 10 ms."""

    def __init__(self, rate: AdaptiveRate, capacity: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self.now = 1000.0
        self.refused = 0
        self._ours = TokenBucket(0)
        self._theirs = TokenBucket(capacity, capacity * 0.1)

    def change(self, capacity: float) -> None:
        self.capacity = capacity
        self._theirs.change(capacity, capacity * 0.1, self.now)

    def run(self, seconds: float, until: Callable[[float], bool] = lambda _limit: False) -> float:
        """Offer all that the limit allows; returns after how long ``until`` held of the limit."""
        start = self.now
        theirs = self._theirs
        while self.now < start + seconds and not until(self.rate.limit(self.now)):
            self.now += 0.01
            limit = self.rate.limit(self.now)
            if limit != self._ours.rate:
                self._ours.change(limit, max(1.0, limit * 0.02), self.now)
            offered = min(self._ours.available(self.now), int(max(20.0, self.capacity / 20)))
            taken = max(0, min(offered, theirs.available(self.now)))
            self._ours.take(offered, self.now)
            theirs.take(taken, self.now)
            self.rate.taken(taken, self.now)
            if taken < offered:
                self.refused += offered - taken
                self.rate.throttled(self.now)
        return self.now - start


def test_a_carrier_that_never_refuses_is_not_slowed() -> None:
    assert AdaptiveRate().limit(5.0) == 0
    assert AdaptiveRate(250).limit(5.0) == 250


def test_the_rate_of_an_unlimited_carrier_is_found_and_mostly_used() -> None:
    rate = AdaptiveRate()
    carrier = Carrier(rate, capacity=500)
    carrier.run(10)
    samples = []
    for _ in range(300):
        carrier.run(0.1)
        samples.append(rate.limit(carrier.now))
    assert 0.85 * 500 < sum(samples) / len(samples) < 1.1 * 500
    assert carrier.refused < 0.02 * 500 * 40


def test_ninety_per_cent_are_back_five_seconds_after_a_cut() -> None:
    rate = AdaptiveRate(1000)
    rate.taken(1000, 10.0)
    rate.taken(1000, 11.0)
    rate.throttled(11.0)
    assert rate.limit(11.0) == pytest.approx(800)
    assert rate.limit(16.0) >= 900
    assert rate.limit(30.0) == 1000


def test_a_collapsed_carrier_is_followed_down_and_back_up() -> None:
    rate = AdaptiveRate(1000)
    carrier = Carrier(rate, capacity=1000)
    carrier.run(5)
    carrier.change(10)
    assert carrier.run(60, until=lambda limit: 0 < limit <= 15) < 10
    carrier.run(10)
    carrier.change(1000)
    assert carrier.run(60, until=lambda limit: limit >= 900) < 45


def test_what_was_taken_may_be_told_after_what_was_refused() -> None:
    rate = AdaptiveRate()
    rate.throttled(10.0)
    assert rate.limit(10.0) == 1
    rate.taken(100, 10.1)
    assert rate.limit(10.1) >= 80
    rate.taken(10_000, 10.0 + COOLDOWN)
    assert rate.limit(10.0 + COOLDOWN) < 500


def test_refusals_of_one_round_cut_once() -> None:
    rate = AdaptiveRate(1000)
    rate.taken(1000, 10.0)
    rate.throttled(10.5)
    limit = rate.limit(10.5)
    for step in range(9):
        rate.throttled(10.5 + step / 10)
    assert rate.limit(10.5 + 0.9) >= limit
    rate.throttled(10.5 + COOLDOWN + 0.01)
    assert rate.limit(10.5 + COOLDOWN + 0.01) < limit


def test_one_refusal_after_silence_costs_no_more_than_half() -> None:
    rate = AdaptiveRate(1000)
    rate.throttled(50.0)
    assert rate.limit(50.0) == 500


def test_the_configured_rate_is_never_exceeded_and_can_change() -> None:
    rate = AdaptiveRate(100)
    rate.taken(100, 1.0)
    rate.throttled(1.5)
    assert rate.limit(1e9) == 100
    rate.change(50)
    assert rate.limit(1e9) == 50


def test_a_clock_that_is_set_back_holds_the_rate_and_lets_it_climb_again() -> None:
    rate = AdaptiveRate(1000)
    rate.taken(1000, 1e9)
    rate.throttled(1e9)
    assert rate.limit(5.0) <= 800
    assert rate.limit(5.0 + 60) == 1000


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans(), st.integers(0, 10_000)), max_size=50))
def test_a_limit_is_never_below_one_part_a_second(calls: list[tuple[float, bool, int]]) -> None:
    rate = AdaptiveRate()
    for now, refused, parts in calls:
        rate.taken(parts, now)
        if refused:
            rate.throttled(now)
        limit = rate.limit(now)
        assert limit == 0 or limit >= 1
