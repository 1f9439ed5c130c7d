"""What submit_sm responses mean for messages."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.dispatch.carriers.actions import Action
from gateway.dispatch.carriers.flights import UNANSWERED, Flight, Part
from gateway.dispatch.release.pool import CarrierPool
from gateway.dispatch.release.routing import CarrierShare, RouteOptions
from gateway.dispatch.settling import responses
from gateway.dispatch.settling.correlation import Parked
from gateway.dispatch.settling.plan import Plan
from gateway.message import Event
from gateway.smpp.events import Response
from gateway.smpp.status import Status


class Desk:
    """A carrier, another one of the same route, and the plan of one round."""

    def __init__(self, bench: Any, now: float, *, alone: bool = False, **options: Any) -> None:
        self.carrier = bench.carrier("alpha", **options)
        self.pool = CarrierPool()
        others = [] if alone else [bench.carrier("beta")]
        shares = [CarrierShare(c.options.id) for c in (self.carrier, *others)]
        self.pool.configure([self.carrier, *others], [RouteOptions("default", shares)])
        self.plan = Plan(now)

    def answer(self, flight: Flight, *statuses: int, parts: Sequence[int] = ()) -> None:
        """Answer parts in order, or those that are named."""
        responses.take(
            self.carrier,
            self.pool,
            [
                Response(Part(flight, part), status, "" if status else f"id{part}", 0.0)
                for part, status in zip(parts or range(len(statuses)), statuses, strict=True)
            ],
            self.plan,
        )

    @property
    def events(self) -> list[Event]:
        return [final.event for final in self.plan.complete().finals]


@pytest.fixture
def desk(bench: Any, start: float) -> Desk:
    return Desk(bench, start)


def test_a_message_is_sent_once_every_part_is_taken(
    desk: Desk, bench: Any, make_message: Any, start: float
) -> None:
    flight = bench.flight(desk.carrier, make_message(text="x" * 400, parts=3))
    desk.answer(flight, 0, 0, parts=[2, 0])
    assert desk.plan.complete().sent == []
    desk.answer(flight, 0, parts=[1])
    [sent] = desk.plan.complete().sent
    assert sent.refs == ("id0", "id1", "id2")
    assert sent.deadline == flight.message.expires_at + 72 * 3600
    assert desk.carrier.correlator.find("id1") == Part(flight, 1)


def test_without_a_receipt_it_ends_as_sent(desk: Desk, bench: Any, make_message: Any) -> None:
    flight = bench.flight(desk.carrier, make_message(report="none"))
    desk.answer(flight, 0)
    assert [event.type for event in desk.events] == ["sent"]
    assert desk.carrier.correlator.find("id0") is None
    assert desk.plan.complete().sent == []


def test_a_receipt_that_came_before_decides_at_once(
    desk: Desk, bench: Any, make_message: Any
) -> None:
    parked = Parked("alpha:ID0", ("id0",), "447400123456", 5, "021", 1e12)
    desk.carrier.correlator.park(parked)
    desk.answer(bench.flight(desk.carrier, make_message()), 0)
    [event] = desk.events
    assert event.type == "failed"
    assert event.detail is not None
    assert event.detail["receipt_error"] == "021"
    assert desk.plan.settlement.drop == [("receipt", "alpha:ID0")]


def test_a_refusal_for_good_ends_it(desk: Desk, bench: Any, make_message: Any) -> None:
    desk.answer(bench.flight(desk.carrier, make_message()), Status.ESME_RINVDSTADR)
    [event] = desk.events
    assert (event.type, event.code) == ("failed", "carrier_refused")
    assert desk.plan.soon == desk.plan.later == []


def test_a_throttled_message_stays_in_front(desk: Desk, bench: Any, make_message: Any) -> None:
    message = make_message()
    desk.answer(bench.flight(desk.carrier, message), Status.ESME_RTHROTTLED)
    assert [one.id for one in desk.plan.soon] == [message.id]


def test_a_long_wait_is_spent_in_the_store(
    desk: Desk, bench: Any, make_message: Any, start: float
) -> None:
    desk.answer(bench.flight(desk.carrier, make_message()), Status.ESME_RSYSERR)
    [message] = desk.plan.later
    assert (message.due, message.attempts) == (start + 5, 1)


def test_a_phone_whose_queue_is_full_is_tried_ever_later(
    bench: Any, make_message: Any, start: float
) -> None:
    message, delays = make_message(), []
    for _ in range(4):
        desk = Desk(bench, start, alone=True)
        desk.answer(bench.flight(desk.carrier, message), Status.ESME_RMSGQFUL)
        [message] = desk.plan.later
        delays.append(message.due - start)
    assert delays == [30, 60, 120, 240]
    desk = Desk(bench, start, alone=True)
    desk.answer(bench.flight(desk.carrier, message), Status.ESME_RMSGQFUL)
    assert [event.code for event in desk.events] == ["carrier_refused"]


def test_after_some_tries_another_carrier_has_its_turn(
    desk: Desk, bench: Any, make_message: Any
) -> None:
    message = make_message(attempts=2)
    desk.answer(bench.flight(desk.carrier, message), Status.ESME_RSYSERR)
    assert [one.id for one in desk.plan.soon] == [message.id]
    [(carrier, _)], _ = desk.pool.place("default", [message], 0.0)
    assert carrier.options.id == "beta"


def test_without_another_carrier_it_fails(bench: Any, make_message: Any, start: float) -> None:
    desk = Desk(bench, start, alone=True)
    desk.answer(bench.flight(desk.carrier, make_message()), Status.ESME_RINVSRCADR)
    assert [event.type for event in desk.events] == ["failed"]


def test_a_carrier_may_use_a_status_in_its_own_way(
    bench: Any, make_message: Any, start: float
) -> None:
    statuses = {0x0B: Action("wait", delay=1), 0x58: Action("refuse")}
    desk = Desk(bench, start, statuses=statuses)
    desk.answer(bench.flight(desk.carrier, make_message(1)), Status.ESME_RINVDSTADR)
    desk.answer(bench.flight(desk.carrier, make_message(2)), Status.ESME_RTHROTTLED)
    assert [message.id for message in desk.plan.soon] == [1]
    assert [event.message_id for event in desk.events] == ["2"]


# --- no response ---


def test_what_was_not_answered_is_sent_again_and_marked_in_the_store(
    desk: Desk, bench: Any, make_message: Any
) -> None:
    desk.answer(bench.flight(desk.carrier, make_message()), UNANSWERED)
    [message] = desk.plan.later
    assert message.maybe_duplicate
    assert message.due == make_message().due  # it does not go behind what came later
    assert desk.events == []


def test_a_carrier_that_never_answers_does_not_get_a_message_for_ever(
    bench: Any, make_message: Any, start: float
) -> None:
    message = make_message()
    for _ in range(responses.RESENDS):
        desk = Desk(bench, start, alone=True)
        desk.answer(bench.flight(desk.carrier, message), UNANSWERED)
        [message] = desk.plan.later
    desk = Desk(bench, start, alone=True)
    desk.answer(bench.flight(desk.carrier, message), UNANSWERED)
    [event] = desk.events
    assert (event.type, event.code, event.maybe_duplicate) == ("unknown", "no_response", True)


def test_or_its_outcome_is_unknown_at_once(bench: Any, make_message: Any, start: float) -> None:
    desk = Desk(bench, start, unanswered="unknown")
    desk.answer(bench.flight(desk.carrier, make_message()), UNANSWERED)
    [event] = desk.events
    assert (event.type, event.code, event.maybe_duplicate) == ("unknown", "no_response", False)
    assert desk.plan.later == []


# --- long messages, partly refused ---


@pytest.fixture
def long(desk: Desk, bench: Any, make_message: Any) -> Flight:
    flight: Flight = bench.flight(desk.carrier, make_message(text="x" * 400, parts=3))
    return flight


def test_only_the_parts_that_were_refused_are_sent_again(
    desk: Desk, long: Flight, start: float
) -> None:
    desk.answer(long, 0, Status.ESME_RTHROTTLED, Status.ESME_RTHROTTLED)
    assert [desk.plan.soon, desk.plan.later] == [[], []]
    assert desk.events == []
    [(flight, indexes)] = desk.carrier.due_again(start + 1)
    assert (flight, indexes) == (long, [1, 2])
    desk.carrier.resubmit(flight, indexes, start + 1)
    desk.answer(long, 0, 0, parts=[1, 2])
    [sent] = desk.plan.complete().sent
    assert sent.refs == ("id0", "id1", "id2")


def test_a_torn_message_is_not_tried_for_ever(desk: Desk, long: Flight, start: float) -> None:
    desk.answer(long, 0, 0, Status.ESME_RTHROTTLED)
    for attempt in range(responses.PARTS_AGAIN):
        [again] = desk.carrier.due_again(start + 2 * attempt + 2)
        desk.carrier.resubmit(*again, start)
        desk.answer(long, Status.ESME_RTHROTTLED, parts=[2])
    [event] = desk.events
    assert event.type == "failed"
    assert event.detail is not None
    assert event.detail["parts_taken"] == 2
    assert desk.carrier.torn == []


def test_the_gravest_answer_decides(desk: Desk, long: Flight) -> None:
    desk.answer(long, Status.ESME_RTHROTTLED, Status.ESME_RINVDSTADR, 0)
    [event] = desk.events
    assert event.detail is not None
    assert event.detail["smpp_status"] == "ESME_RINVDSTADR"


def test_other_carriers_get_no_half_of_a_message(desk: Desk, long: Flight) -> None:
    desk.answer(long, 0, Status.ESME_RINVSRCADR, 0)
    assert [event.type for event in desk.events] == ["failed"]


def test_a_message_of_which_nothing_was_taken_goes_out_again_whole(
    desk: Desk, long: Flight
) -> None:
    desk.answer(long, *[Status.ESME_RTHROTTLED] * 3)
    assert [one.id for one in desk.plan.soon] == [long.message.id]


def test_what_was_torn_at_a_removed_carrier_ends(desk: Desk, long: Flight) -> None:
    desk.carrier.retire()
    desk.answer(long, 0, Status.ESME_RTHROTTLED, 0)
    [event] = desk.events
    assert event.type == "failed"
    assert desk.carrier.torn == []


def test_a_torn_message_without_answers_ends_as_unknown(
    desk: Desk, long: Flight, start: float
) -> None:
    desk.answer(long, 0, UNANSWERED, 0)
    for _ in range(responses.RESENDS):
        [again] = desk.carrier.due_again(start)
        desk.carrier.resubmit(*again, start)
        desk.answer(long, UNANSWERED, parts=[1])
    [event] = desk.events
    assert (event.type, event.maybe_duplicate) == ("unknown", True)
