"""How fast a carrier is sent to: the rate that it bears is found, used and followed."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.carriers.pace import BURST, FORGOTTEN, LONGEST_PAUSE, PAUSE, SEARCH_FROM, Pace
from gateway.queue.bucket import TokenBucket

START = 1_790_000_000.0
STEP = 0.002


class Model(Protocol):
    """How a carrier limits an account."""

    def takes(self, now: float) -> bool: ...
    def change(self, rate: float, now: float) -> None: ...


class Bucket:
    """So many a second, and what is saved up for ``seconds``."""

    def __init__(self, rate: float, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._bucket = TokenBucket(rate, rate * seconds)

    def takes(self, now: float) -> bool:
        taken = self._bucket.available(now) >= 1
        if taken:
            self._bucket.take(1, now)
        return taken

    def change(self, rate: float, now: float) -> None:
        self._bucket.change(rate, rate * self._seconds, now)


class Seconds:
    """So many in each second of its own clock, which is ahead of ours."""

    def __init__(self, rate: float, ahead: float = 0.0) -> None:
        self._rate = rate
        self._ahead = ahead
        self._second = 0
        self._taken = 0

    def takes(self, now: float) -> bool:
        if int(now + self._ahead) != self._second:
            self._second, self._taken = int(now + self._ahead), 0
        taken = self._taken < self._rate
        self._taken += taken
        return taken

    def change(self, rate: float, now: float) -> None:
        self._rate = rate


class Sending:
    """Messages to a carrier, as fast as its pace, its window and its answers allow.

    Attributes:
        taken, refused: how many in each second of ours.
        sent: how many in each tenth of a second.
        flying: what is not answered: when it will be, and how.
    """

    def __init__(
        self, model: Model, pace: Pace | None = None, *, round_trip: float = 0.01, window: int = 128
    ) -> None:
        self.model = model
        self.pace = pace or Pace()
        self.round_trip = round_trip
        self.window = window
        self.now = START
        self.taken: list[int] = []
        self.refused: list[int] = []
        self.sent: list[int] = []
        self.flying: deque[tuple[float, bool]] = deque()

    def run(self, seconds: float, *, rate: float = 0.0, until: Callable[[], bool] = bool) -> float:
        """Send for so long, ``rate`` messages a second at most; returns after how long ``until``
        held."""
        began, given = self.now, 0
        while self.now < began + seconds and not until():
            self._answer()
            room = min(self.pace.room(self.now), self.window - len(self.flying))
            if rate:
                room = min(room, int(rate * (self.now - began)) - given)
            for _ in range(room):
                taken = self.model.takes(self.now)
                self.flying.append((self.now + self.round_trip, taken))
            if room > 0:
                self.pace.sent(room, self.now)
                given += room
                self._count(self.sent, room, 10)
            self.now += STEP
        return self.now - began

    def _answer(self) -> None:
        answers = []
        while self.flying and self.flying[0][0] <= self.now:
            answers.append(self.flying.popleft()[1])
        taken, refused = answers.count(True), answers.count(False)
        if taken:
            self.pace.taken(taken, self.now)
            self._count(self.taken, taken)
        if refused:
            self.pace.refused(self.now)
            self._count(self.refused, refused)

    def _count(self, counts: list[int], number: int, a_second: int = 1) -> None:
        place = int((self.now - START) * a_second)
        counts.extend([0] * (place + 1 - len(counts)))
        counts[place] += number


def mean(counts: Sequence[int], first: int, last: int) -> float:
    """Of so many seconds."""
    return sum(counts[first:last]) / (last - first)


CARRIERS: dict[str, tuple[float, Callable[[float], Model], float, int]] = {
    "20 a second": (20, Bucket, 0.01, 128),
    "20, a tenth saved up": (20, lambda rate: Bucket(rate, 0.1), 0.01, 128),
    "20 by the clock": (20, Seconds, 0.01, 128),
    "500 a second": (500, Bucket, 0.01, 128),
    "500, a tenth saved up": (500, lambda rate: Bucket(rate, 0.1), 0.01, 128),
    "500, five seconds saved up": (500, lambda rate: Bucket(rate, 5.0), 0.01, 1280),
    "500 by the clock": (500, Seconds, 0.01, 128),
    "500 by a clock half a second ahead": (500, lambda rate: Seconds(rate, 0.5), 0.01, 128),
    "500 by a clock nearly a second ahead": (500, lambda rate: Seconds(rate, 0.8), 0.01, 128),
    "500, far away": (500, Bucket, 0.2, 640),
    "500 by the clock, far away": (500, Seconds, 0.2, 640),
    "5,000 a second": (5000, Bucket, 0.01, 128),
    "5,000, a tenth saved up": (5000, lambda rate: Bucket(rate, 0.1), 0.01, 128),
    "5,000 by the clock": (5000, Seconds, 0.01, 128),
}
"""What a carrier takes a second and how it counts, its round trip and our window."""


@pytest.mark.parametrize("stated", ["not stated", "twice", "ten times"])
@pytest.mark.parametrize("case", CARRIERS)
def test_the_rate_is_found_within_three_seconds(case: str, stated: str) -> None:
    rate, model, round_trip, window = CARRIERS[case]
    ceiling = rate * {"not stated": 0, "twice": 2, "ten times": 10}[stated]
    sending = Sending(model(rate), Pace(ceiling), round_trip=round_trip, window=window)
    sending.run(13.0)
    assert mean(sending.taken, 3, 13) >= 0.9 * rate
    assert sum(sending.refused[3:]) <= 0.05 * 10 * rate + window * round_trip * 20


def test_a_carrier_that_saves_nothing_up_is_used_to_most_of_its_rate() -> None:
    """Two parts must be 20 ms apart: every second one is refused where they are 19 ms apart."""
    sending = Sending(Bucket(50, 1 / 50))
    sending.run(13.0)
    assert mean(sending.taken, 3, 13) >= 0.7 * 50


@pytest.mark.parametrize("case", ["500 a second", "500, a tenth saved up", "500 by the clock"])
def test_eight_thousand_messages_take_little_longer_than_they_must(case: str) -> None:
    rate, model, round_trip, window = CARRIERS[case]
    sending = Sending(model(rate), round_trip=round_trip, window=window)
    assert sending.run(60.0, until=lambda: sum(sending.taken) >= 8_000) < 17.0
    assert sum(sending.refused) < 0.03 * 8_000


def test_what_is_found_is_the_limit() -> None:
    sending = Sending(Bucket(500))
    sending.run(3.0)
    assert sending.pace.limit(sending.now) == pytest.approx(500, rel=0.05)


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [(Bucket, 500, 50), (Seconds, 500, 50), (Bucket, 1000, 10), (Seconds, 1000, 10)],
)
def test_a_rate_that_drops_is_followed(
    model: Callable[[float], Model], before: float, after: float
) -> None:
    sending = Sending(model(before))
    sending.run(10.0)
    sending.model.change(after, sending.now)
    sending.run(13.0)
    assert mean(sending.taken, 13, 23) >= 0.9 * after
    assert sum(sending.refused[13:]) < 0.2 * after * 10


@pytest.mark.parametrize("model", [Bucket, Seconds])
@pytest.mark.parametrize(
    ("before", "after", "within"), [(250, 500, 10), (50, 500, 20), (10, 1000, 35)]
)
def test_a_rate_that_rises_is_found(
    model: Callable[[float], Model], before: float, after: float, within: float
) -> None:
    sending = Sending(model(before))
    sending.run(10.0)
    sending.model.change(after, sending.now)
    pace = sending.pace
    assert sending.run(60.0, until=lambda: pace.limit(sending.now) >= 0.9 * after) < within
    began = len(sending.taken)
    sending.run(10.0)
    assert mean(sending.taken, began, began + 9) >= 0.9 * after


def test_a_carrier_that_refuses_everything_for_a_while_is_asked_now_and_then() -> None:
    sending = Sending(Bucket(500))
    sending.run(5.0)
    sending.model.change(0.0001, sending.now)
    sending.run(60.0)
    assert sum(sending.sent[100:]) < 150
    assert sum(sending.sent[600:]) <= 10
    sending.model.change(500, sending.now)
    sending.run(30.0)
    assert mean(sending.taken, 90, 95) >= 0.9 * 500


def test_one_refusal_costs_next_to_nothing() -> None:
    sending = Sending(Bucket(100_000), Pace(1000))
    sending.run(5.0, rate=800)
    sending.pace.refused(sending.now)
    sending.run(5.0, rate=800)
    assert mean(sending.taken, 6, 10) >= 0.99 * 800


def test_nor_does_one_after_silence() -> None:
    pace = Pace(1000)
    pace.refused(START)
    assert pace.limit(START) == 500
    pace.taken(1, START + 0.1)
    assert pace.limit(START + 1.1) == 1000


@pytest.mark.parametrize("model", [Bucket(100_000), Bucket(500), Seconds(500)])
def test_the_stated_rate_is_never_exceeded(model: Model) -> None:
    sending = Sending(model, Pace(300))
    sending.run(20.0)
    allowed = 300 * (1 + BURST)
    assert all(sum(sending.sent[at : at + 10]) <= allowed + 1 for at in range(190))
    assert mean(sending.taken, 1, 20) >= 0.95 * 300


def test_another_rate_is_kept_to_at_once_and_what_was_learnt_is_kept() -> None:
    sending = Sending(Bucket(500), Pace(1000))
    sending.run(5.0)
    found = sending.pace.limit(sending.now)
    sending.pace.change(100)
    assert sending.pace.limit(sending.now) == 100
    pace = Pace(1000)
    pace.refused(START)
    pace.change(2000)
    assert pace.limit(START) == 500
    assert found == pytest.approx(500, rel=0.05)


def test_a_carrier_that_never_refuses_is_not_slowed() -> None:
    assert Pace().limit(START) == 0
    assert Pace(250).limit(START) == 250
    sending = Sending(Bucket(1e9))
    sending.run(2.0)
    assert sum(sending.taken) == pytest.approx(2.0 / 0.01 * 128, rel=0.3)


# --- pauses ---


def test_a_refusal_pauses_and_then_one_part_asks() -> None:
    pace = Pace()
    pace.taken(50, START)
    pace.refused(START)
    assert pace.room(START) == 0
    assert pace.ready_at(START) == pytest.approx(START + PAUSE)
    at = START + PAUSE
    assert pace.room(at) == 1
    pace.sent(1, at)
    assert pace.room(at) == 0
    assert pace.room(at + PAUSE) == 1  # it may never be answered
    pace.taken(1, at + 0.005)
    assert pace.limit(at + 0.005) == SEARCH_FROM
    assert pace.room(at + 0.005) == 0
    assert pace.room(at + 0.025) >= 1


def test_refusals_of_what_was_sent_before_make_the_pause_no_longer() -> None:
    pace = Pace()
    for step in range(10):
        pace.refused(START + step * 0.001)
    assert pace.ready_at(START) == pytest.approx(START + PAUSE)


def test_pauses_grow_while_nothing_is_taken() -> None:
    pace, now, pauses = Pace(), START, []
    for _ in range(100):
        pace.refused(now)
        pauses.append(pace.ready_at(now) - now)
        now = pace.ready_at(now)
    assert pauses[:3] == pytest.approx([PAUSE, 2 * PAUSE, 3 * PAUSE], abs=1e-6)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE, abs=1e-6)
    pace.taken(1, now)
    pace.refused(now + 0.1)
    assert pace.ready_at(now) == pytest.approx(now + 0.1 + PAUSE)


@pytest.mark.parametrize("pause", [2.0, 30.0])
def test_a_stated_pause_is_kept_whole(pause: float) -> None:
    pace = Pace()
    pace.refused(START, pause)
    pace.taken(5, START + 0.01)  # answers to what was sent before
    assert pace.room(START + pause - 0.01) == 0
    assert pace.room(START + pause) >= 1


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    pace = Pace(1000)
    pace.refused(START, 5.0)
    pace.set_back(86_400)
    assert pace.ready_at(START - 86_400) == pytest.approx(START - 86_400 + 5.0)
    now = START - 86_400 + 6.0
    assert pace.room(now) == 1
    pace.sent(1, now)
    pace.taken(1, now + 0.01)
    assert pace.limit(now + 5.0) == 1000


@given(
    st.floats(0, 1e4),
    st.lists(
        st.tuples(st.floats(-10, 1e4), st.sampled_from(["taken", "refused", "sent"])), max_size=60
    ),
)
def test_whatever_happens_something_may_be_sent_in_time(
    ceiling: float, calls: list[tuple[float, str]]
) -> None:
    pace, now = Pace(ceiling), START
    for pause, what in calls:
        now += pause
        match what:
            case "taken":
                pace.taken(7, now)
            case "refused":
                pace.refused(now)
            case "sent":
                pace.sent(3, now)
        limit = pace.limit(now)
        assert limit == 0 or min(1.0, ceiling or 1.0) <= limit <= (ceiling or FORGOTTEN)
    pace.set_back(max(0.0, pace.ready_at(now) - now - 1000))
    assert pace.room(max(now, pace.ready_at(now)) + 0.001) >= 1
