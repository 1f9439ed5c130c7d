"""What one round of settling is about to do."""

from typing import Any

from gateway.dispatch.settling import outcomes
from gateway.dispatch.settling.plan import Plan
from gateway.queue.store import Ref


def test_the_first_outcome_of_a_message_counts(make_message: Any) -> None:
    plan = Plan(1.0)
    message = make_message()
    plan.finish(message, outcomes.event(message, "delivered", 1.0), was_sent=True)
    plan.finish(message, outcomes.event(message, "failed", 1.0), was_sent=True)
    [final] = plan.complete().finals
    assert final.event.type == "delivered"


def test_a_message_that_is_sent_and_final_at_once_is_only_final(
    bench: Any, make_message: Any
) -> None:
    plan = Plan(1.0)
    flight = bench.flight(bench.carrier(), make_message())
    flight.refs[0] = "a"
    plan.send(flight, 99.0)
    plan.end(flight, outcomes.event(flight.message, "delivered", 1.0))
    settlement = plan.complete()
    assert settlement.sent == []
    assert settlement.finals[0].refs == ()
    assert plan.ended[flight.message.id][2] is False


def test_the_end_of_a_message_on_record_lets_go_of_its_parts(bench: Any, make_message: Any) -> None:
    plan = Plan(1.0)
    flight = bench.flight(bench.carrier(), make_message(text="x" * 200, parts=2))
    flight.refs[:] = ["a", "b"]
    flight.recorded = True
    plan.end(flight, outcomes.event(flight.message, "delivered", 1.0))
    assert plan.complete().finals[0].refs == (Ref("alpha", "a"), Ref("alpha", "b"))
    assert plan.ended[flight.message.id][2] is True


def test_sent_messages_name_their_parts_in_order(bench: Any, make_message: Any) -> None:
    plan = Plan(1.0)
    flight = bench.flight(bench.carrier(), make_message(text="x" * 200, parts=2))
    flight.refs[:] = ["b", "a"]
    plan.send(flight, 99.0)
    [sent] = plan.complete().sent
    assert (sent.carrier, sent.refs, sent.deadline) == ("alpha", ("b", "a"), 99.0)
