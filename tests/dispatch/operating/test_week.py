"""What was counted hour by hour: reach beside its median, rules."""

from collections.abc import Sequence
from typing import cast

import pytest

from gateway.dispatch.operating import week as weeks
from gateway.dispatch.operating.week import DAY, WEEK, Week
from gateway.queue.operators import HourCount, OperatorStore

PRESENT = 1_000


class Counts:
    """A store that has counted this, and notes which hours it is asked for."""

    def __init__(self) -> None:
        self.hours: dict[int, list[HourCount]] = {}
        self.asked: list[int] = []

    async def counted_in(self, hour: int) -> Sequence[HourCount]:
        self.asked.append(hour)
        return self.hours.get(hour, [])


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture(autouse=True)
def at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, and however soon one looks again."""
    monkeypatch.setattr(weeks, "AT_ONCE", 1e9)
    monkeypatch.setattr(weeks, "FRESH", -1e9)
    monkeypatch.setattr(weeks, "DUTY", 0.0)


def week(counts: Counts, now: float = PRESENT * 3_600.0 + 600.0) -> Week:
    return Week(cast("OperatorStore", counts), lambda: now)


def ended(delivered: int, failed: int, unknown: int = 0, carrier: str = "alpha") -> list[HourCount]:
    return [
        HourCount(carrier, "ended delivered", delivered),
        HourCount(carrier, "ended failed UNDELIV", failed),
        HourCount(carrier, "ended failed REJECTD", 0),
        HourCount(carrier, "ended unknown", unknown),
        HourCount(carrier, "sent", 1_000),
        HourCount("", "ended cancelled", 50),
    ]


async def test_reach_is_told_by_the_hour_beside_the_median_of_seven_days(counts: Counts) -> None:
    counts.hours = {
        PRESENT: ended(3, 1),  # too few to tell
        PRESENT - 1: ended(60, 38, 2),
        PRESENT - 2: ended(90, 10),
        PRESENT - DAY: ended(95, 5, 7),  # more than a day ago
        PRESENT - WEEK: ended(99, 1),
        PRESENT - WEEK - 1: ended(0, 100),  # older than that
    }
    looked = week(counts)
    await looked.look()
    reach = looked.reach("alpha")
    assert (reach.reach, reach.reach_at) == (0.6, (PRESENT - 1) * 3_600)
    assert reach.median == pytest.approx((0.9 + 95 / 107) / 2)
    assert reach.median_hours == 4
    assert reach.unknown == 2
    assert [(one.at, one.reach) for one in reach.hours] == [
        (PRESENT * 3_600, 0.75),
        ((PRESENT - 1) * 3_600, 0.6),
        ((PRESENT - 2) * 3_600, 0.9),
    ]
    assert reach.hours[1].outcomes == {"delivered": 60, "failed": 38, "unknown": 2}
    nobody = looked.reach("nobody")
    assert (nobody.reach, nobody.median, nobody.hours) == (None, None, ())


async def test_an_hour_that_is_over_is_asked_for_once(counts: Counts) -> None:
    looked = week(counts)
    await looked.look()
    assert counts.asked == list(range(PRESENT, PRESENT - WEEK - 1, -1))
    counts.asked.clear()
    counts.hours[PRESENT] = ended(50, 50)
    await looked.look()
    assert counts.asked == [PRESENT]
    assert looked.reach("alpha").reach == 0.5


async def test_an_hour_that_ended_a_moment_ago_is_asked_for_once_more(counts: Counts) -> None:
    looked = week(counts, PRESENT * 3_600.0 + 10.0)
    await looked.look()
    counts.asked.clear()
    await looked.look()
    assert counts.asked == [PRESENT, PRESENT - 1]


async def test_a_look_takes_only_so_long_and_the_next_goes_on(
    counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weeks, "AT_ONCE", 0.0)
    looked = week(counts)
    await looked.look()
    assert counts.asked == [PRESENT]


async def test_rules_are_told_for_a_day_and_for_this_hour(counts: Counts) -> None:
    counts.hours = {
        PRESENT: [
            HourCount("", "deferred quiet_hours", 10),
            HourCount("", "ruled_out optout", 3),
            HourCount("", "refused opted_out", 3),
        ],
        PRESENT - 5: [
            HourCount("", "deferred quiet_hours", 100),
            HourCount("", "refused invalid_recipient", 4),
        ],
        PRESENT - DAY: [HourCount("", "deferred quiet_hours", 5_000)],
    }
    looked = week(counts)
    await looked.look()
    rules, codes = looked.rules()
    assert [
        (one.rule, one.refused, one.refused_hour, one.deferred, one.deferred_hour) for one in rules
    ] == [("quiet_hours", 0, 0, 110, 10), ("optout", 3, 3, 0, 0)]
    assert codes == {"opted_out": 3, "invalid_recipient": 4}
