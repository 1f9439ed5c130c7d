"""What became of messages, and how long they took from when they were due."""

import pytest

from benchmarks.target.tally import Error, Result, Tally, Timeline

GOOD = Result(parts=1)


def refused(code: str) -> Result:
    return Result(error=Error(code))


@pytest.fixture
def tally() -> Tally:
    """A step whose messages are numbered from 100."""
    return Tally(100, "outcome", Timeline(), stamped=True)


def test_latencies_count_from_when_a_message_was_due(tally: Tally) -> None:
    # It left half a second too late: that is part of what it took.
    tally.offer(["1", "2"], due=10.0, now=10.5, otp=False)
    tally.offer(["3"], due=11.0, now=11.0, otp=True)
    tally.answer(100, [GOOD, GOOD], now=10.75)
    tally.answer(102, [GOOD], now=11.125)
    tally.arrive("1", 10.8)
    tally.end(100, "delivered", sent_at=10.9, now=12.0)
    tally.end(102, "delivered", sent_at=None, now=11.5)
    assert tally.late == 0.5
    assert tally.ordered("accepted") == [0.125, 0.75, 0.75]
    assert tally.ordered("accepted", otp=True) == [0.125]
    assert tally.ordered("arrived") == pytest.approx([0.8])
    assert tally.ordered("answered") == pytest.approx([0.9])
    assert tally.ordered("outcome") == [0.5, 2.0]
    assert (tally.open, tally.unanswered) == (1, 0)


def test_what_is_not_delivered_is_lost(tally: Tally) -> None:
    tally.offer([str(n) for n in range(8)], due=0.0, now=0.0, otp=False)
    tally.answer(100, [GOOD] * 6 + [refused("opted_out"), refused("queue_full")], now=0.1)
    for number, outcome in enumerate(["delivered", "sent", "failed", "expired", "unknown"], 100):
        tally.end(number, outcome, None, 1.0)
    assert tally.lost == 0.75
    assert tally.counts() == {
        "delivered": 1,
        "expired": 1,
        "failed": 1,
        "sent": 1,
        "unknown": 1,
        "refused, opted_out": 1,
        "refused, queue_full": 1,
        "without an outcome": 1,
    }
    # A failure is no latency.
    assert tally.ordered("outcome") == [1.0, 1.0]


def test_a_request_that_is_refused_whole_is_so_for_each_message(tally: Tally) -> None:
    tally.offer(["1", "2"], due=0.0, now=0.0, otp=False)
    tally.refuse(100, 2, "busy")
    assert tally.counts() == {"refused, busy": 2}
    assert (tally.lost, tally.open, tally.unanswered) == (1.0, 0, 0)


def test_an_event_counts_once_and_only_in_its_step(tally: Tally) -> None:
    tally.offer(["1"], due=0.0, now=0.0, otp=False)
    for number in (99, 100, 100, 101):
        tally.end(number, "delivered", None, 1.0)
    assert tally.counts() == {"delivered": 1}


def test_an_event_may_come_before_the_answer(tally: Tally) -> None:
    tally.offer(["1"], due=0.0, now=0.0, otp=False)
    tally.end(100, "delivered", None, 1.0)
    tally.answer(100, [GOOD], now=2.0)
    tally.end(100, "delivered", None, 3.0)
    assert tally.counts() == {"delivered": 1}
    assert tally.accepted == 1


def test_arrivals_of_one_number_are_in_the_order_of_its_messages(tally: Tally) -> None:
    tally.offer(["1", "1", "1"], due=0.0, now=0.0, otp=False)
    # The second never gets to the carrier.
    tally.answer(100, [GOOD, refused("frequency_capped"), GOOD], now=0.1)
    tally.offer(["1"], due=5.0, now=5.0, otp=False)
    for at in (1.0, 2.0, 7.0, 8.0):
        tally.arrive("1", at)
    tally.arrive("another", 9.0)
    assert tally.ordered("arrived") == [1.0, 2.0, 2.0]


def test_seconds_have_their_rates_and_latencies() -> None:
    timeline = Timeline()
    tally = Tally(0, "accepted", timeline, stamped=False)
    tally.offer(["1"] * 10, due=0.0, now=0.0, otp=False)
    tally.answer(0, [GOOD] * 10, now=0.25)
    timeline.tick(2.0)
    timeline.tick(3.0)
    assert [(s.offered, s.accepted, s.ended) for s in timeline.seconds] == [(5, 5, 0), (0, 0, 0)]
    assert [(s.p50, s.p99) for s in timeline.seconds] == [(0.25, 0.25), (None, None)]
