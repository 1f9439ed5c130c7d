"""Numbers for messages."""

import pytest

from gateway.dispatch.ids import LOW_BITS, NODE_BITS, MessageNumbers
from gateway.queue.store import NODES

NOW = 1_790_000_000.0


def test_numbers_ascend_within_and_between_batches() -> None:
    numbers = MessageNumbers()
    taken = [*numbers.take(3, NOW), *numbers.take(2, NOW), *numbers.take(1, NOW + 1)]
    assert taken == sorted(set(taken))


def test_numbers_do_not_run_ahead_of_the_clock() -> None:
    numbers = MessageNumbers()
    for call in range(20_000):  # in a second, some of them with many messages
        last = numbers.take(1 + call % 7 * 50, NOW + call / 20_000)[-1]
    assert last < MessageNumbers().take(1, NOW + 1.001)[0]


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
    numbers.begin(None, earlier)
    assert numbers.take(1, NOW)[0] > earlier


@pytest.mark.parametrize("count", [1, 16, 17, 1_000])
def test_nodes_never_give_the_same_number(count: int) -> None:
    taken: list[int] = []
    for node in range(NODES):  # all at the same moment, twice
        numbers = MessageNumbers()
        numbers.begin(node, 0)
        taken += [*numbers.take(count, NOW), *numbers.take(count, NOW)]
        assert {number % NODES for number in taken[-count:]} == {node}
    assert len(set(taken)) == len(taken) == NODES * 2 * count
    assert 1 << NODE_BITS == NODES


def test_none_are_given_to_who_asks_for_none() -> None:
    assert list(MessageNumbers().take(0, NOW)) == []


def test_one_node_alone_numbers_without_gaps() -> None:
    numbers = MessageNumbers()
    numbers.begin(None, 0)
    taken = numbers.take(1_000, NOW)
    assert list(taken) == list(range(taken[0], taken[0] + 1_000))


def test_a_burst_beyond_the_counter_borrows_from_the_ticks_to_come() -> None:
    numbers = MessageNumbers()
    first = numbers.take(2 << LOW_BITS, NOW)
    assert numbers.take(1, NOW + 0.001)[0] > first[-1]


def test_numbers_fit_a_signed_64_bit_column_for_a_century() -> None:
    assert MessageNumbers().take(1, NOW + 100 * 366 * 86_400)[0] < 1 << 63
