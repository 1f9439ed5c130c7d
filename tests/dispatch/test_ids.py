"""Numbers for messages."""

import pytest

from gateway.dispatch.ids import COUNTER_BITS, MessageNumbers, began

NOW = 1_790_000_000.0


def test_numbers_ascend_within_and_between_batches() -> None:
    numbers = MessageNumbers()
    taken = [*numbers.take(3, NOW), *numbers.take(2, NOW), *numbers.take(1, NOW + 1)]
    assert taken == sorted(set(taken))


def test_a_number_tells_when_it_was_given() -> None:
    [number] = MessageNumbers().take(1, NOW)
    assert began(number) == pytest.approx(NOW, abs=1e-5)


def test_numbers_do_not_run_ahead_of_the_clock() -> None:
    numbers = MessageNumbers()
    for call in range(20_000):  # in a second, some of them with many messages
        last = numbers.take(1 + call % 7 * 50, NOW + call / 20_000)[-1]
    assert began(last) == pytest.approx(NOW + 1, abs=1e-3)


def test_numbers_of_an_earlier_version_are_lower_than_those_of_the_same_millisecond() -> None:
    earlier = int(NOW * 1000) << 20  # milliseconds, and 20 bits that count
    assert earlier <= MessageNumbers().take(1, NOW)[0] < earlier + (1 << 20)


def test_a_clock_that_is_set_back_repeats_no_number() -> None:
    numbers = MessageNumbers()
    before = numbers.take(5, NOW)
    assert numbers.take(5, NOW - 3600)[0] > before[-1]


def test_numbers_go_on_above_those_of_an_earlier_run() -> None:
    earlier = MessageNumbers().take(1, NOW + 3600)[0]
    numbers = MessageNumbers()
    numbers.after(earlier)
    assert numbers.take(1, NOW)[0] > earlier


def test_a_burst_beyond_the_counter_borrows_from_the_ticks_to_come() -> None:
    numbers = MessageNumbers()
    first = numbers.take(2 << COUNTER_BITS, NOW)
    assert numbers.take(1, NOW + 0.001)[0] > first[-1]


def test_numbers_fit_a_signed_64_bit_column_for_a_century() -> None:
    assert MessageNumbers().take(1, NOW + 100 * 366 * 86_400)[0] < 1 << 63
