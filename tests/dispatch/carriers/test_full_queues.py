"""Whose queue it is that is full."""

import pytest

from gateway.dispatch.carriers.full_queues import CROWD, WITHIN, FullQueues

PHONES = [f"4474000{n:05}" for n in range(1000)]


def test_a_few_phones_are_only_those_phones() -> None:
    full = FullQueues()
    assert not any(full.met([phone], 10.0) for phone in PHONES[: CROWD - 1])


def test_the_same_phone_counts_once() -> None:
    full = FullQueues()
    assert not any(full.met(PHONES[:3], 10.0 + n / 100) for n in range(100))


def test_many_at_once_are_the_account() -> None:
    full = FullQueues()
    told = [full.met([phone], 10.0 + n / 100) for n, phone in enumerate(PHONES[: 2 * CROWD])]
    assert told.count(True) == 2
    assert told.index(True) == CROWD - 1


def test_many_in_one_batch_too() -> None:
    assert FullQueues().met(PHONES[:CROWD], 10.0)


def test_as_many_over_a_long_time_are_not() -> None:
    full = FullQueues()
    assert not any(full.met([phone], n * WITHIN / 10) for n, phone in enumerate(PHONES))


@pytest.mark.parametrize(("taken", "account"), [(0, True), (CROWD, True), (10 * CROWD, False)])
def test_nor_are_those_among_many_others_that_are_taken(taken: int, account: bool) -> None:
    full = FullQueues()
    full.met(PHONES[:1], 10.0)
    full.taken(taken)
    assert any(full.met([phone], 10.1) for phone in PHONES[1 : CROWD + 1]) is account


def test_a_clock_that_is_set_back_begins_anew() -> None:
    full = FullQueues()
    full.met(PHONES[: CROWD - 1], 1e9)
    assert not full.met(PHONES[CROWD : CROWD + 1], 5.0)
