"""Numbers for messages."""

from gateway.dispatch.ids import COUNTER_BITS, MessageNumbers

NOW = 1_790_000_000.0


def test_numbers_ascend_within_and_between_batches() -> None:
    numbers = MessageNumbers()
    taken = [*numbers.take(3, NOW), *numbers.take(2, NOW), *numbers.take(1, NOW + 1)]
    assert taken == sorted(set(taken))


def test_a_number_tells_when_it_was_given() -> None:
    [number] = MessageNumbers().take(1, NOW)
    assert number >> COUNTER_BITS == int(NOW * 1000)


def test_a_clock_that_is_set_back_repeats_no_number() -> None:
    numbers = MessageNumbers()
    before = numbers.take(5, NOW)
    assert numbers.take(5, NOW - 3600)[0] > before[-1]


def test_numbers_go_on_above_those_of_an_earlier_run() -> None:
    earlier = MessageNumbers().take(1, NOW + 3600)[0]
    numbers = MessageNumbers()
    numbers.after(earlier)
    assert numbers.take(1, NOW)[0] > earlier


def test_a_burst_beyond_the_counter_borrows_from_the_next_millisecond() -> None:
    numbers = MessageNumbers()
    first = numbers.take(2 << COUNTER_BITS, NOW)
    assert numbers.take(1, NOW + 0.001)[0] > first[-1]


def test_numbers_fit_a_signed_64_bit_column_for_a_century() -> None:
    assert MessageNumbers().take(1, NOW + 100 * 366 * 86_400)[0] < 1 << 63
