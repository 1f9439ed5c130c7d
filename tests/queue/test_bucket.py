"""Token buckets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.queue.bucket import UNLIMITED, TokenBucket


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
    bucket.give_back(4)
    assert bucket.available(0.0) == 4
    bucket.give_back(40)
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
