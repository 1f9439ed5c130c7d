from typing import Any

import pytest

from gateway.dispatch.carriers.flights import Flight
from gateway.dispatch.carriers.torn import Torn


@pytest.fixture
def flights(bench: Any, make_message: Any) -> list[Flight]:
    """Messages of four parts; the second one expires first."""
    carrier = bench.carrier()
    return [
        bench.flight(carrier, make_message(n, text="x" * 600, parts=4, expires_at=2e9 + at))
        for n, at in enumerate([300.0, 100.0, 200.0])
    ]


def test_the_first_that_is_due_comes_first_as_far_as_there_is_room(flights: list[Flight]) -> None:
    one, two, three = flights
    torn = Torn()
    torn.add(one, [0, 1], 30.0)
    torn.add(two, [2], 10.0)
    torn.add(three, [0, 1, 2], 10.0)
    assert torn.next_at == 10.0
    assert torn.due(9.9, 10) == []
    assert torn.due(10.0, 0) == []
    assert torn.due(40.0, 2) == [(two, [2]), (three, [0, 1, 2])], "one is never split"
    assert torn.messages == [one.message]
    assert torn.take_all() == [(one, [0, 1])]
    assert torn.messages == []


def test_what_expires_is_taken_out_and_the_rest_keeps_its_order(flights: list[Flight]) -> None:
    one, two, three = flights
    torn = Torn()
    for at, flight in enumerate(flights):
        torn.add(flight, [0], float(at))
    assert torn.expired(2e9 + 99.0) == []
    assert torn.expired(2e9 + 100.0) == [two]
    assert [flight for flight, _ in torn.due(10.0, 10)] == [one, three]


def test_a_clock_that_is_set_back_keeps_nobody_waiting(flights: list[Flight]) -> None:
    torn = Torn()
    torn.set_back(900.0)
    torn.add(flights[0], [0], 1_000.0)
    torn.set_back(900.0)
    assert torn.next_at == 100.0
