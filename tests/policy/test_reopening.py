"""A smooth reopening: what waited for the hours goes out at a steady rate."""

from collections import Counter
from collections.abc import Callable

import pytest

from gateway.facts import Facts
from gateway.message import Local, Message
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.rules import Defer, Refuse

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]

CN = "8613812345678"
NIGHT, MORNING = "2026-11-11 02:00+08:00", "2026-11-11 08:00+08:00"


def untils(quiet: QuietHours, messages: list[Message], now: float) -> list[float]:
    found = quiet.judge(messages, Facts(), now)
    assert len(found) == len(messages)
    return [one.until for one in found.values() if isinstance(one, Defer)]


@pytest.mark.parametrize("step", [1, 3, 1024, 1_000_003])
def test_a_night_of_messages_is_spread_evenly(
    make_message: MakeMessage, moment: Moment, step: int
) -> None:
    quiet = QuietHours(QuietHoursOptions(reopening=600))
    first = 1_800_000_000_000_000 * 1024
    messages = [make_message(CN, id=first + number * step) for number in range(12_000)]
    offsets = [at - moment(MORNING) for at in untils(quiet, messages, moment(NIGHT))]
    assert set(offsets) == set(range(600))
    a_second = Counter(offsets)
    assert 17 <= min(a_second.values()) <= max(a_second.values()) <= 23
    # It is as steady for the first thousand of them.
    early = Counter(offset // 60 for offset in offsets[:1000])
    assert 90 <= min(early.values()) <= max(early.values()) <= 110


def test_what_is_fresh_or_urgent_goes_at_once(make_message: MakeMessage, moment: Moment) -> None:
    quiet = QuietHours(QuietHoursOptions(reopening=600))
    fresh = [make_message(CN, category=one) for one in ("otp", "transactional", "marketing")]
    assert quiet.judge(fresh, Facts(), moment(MORNING)) == {}
    assert quiet.judge(fresh[:2], Facts(), moment(NIGHT)) == {}
    # One that is to go when the hours begin does.
    assert quiet.judge([make_message(CN, due=moment(MORNING))], Facts(), moment(NIGHT)) == {}


def test_nothing_is_spread_beyond_the_hours_or_its_expiry(
    make_message: MakeMessage, moment: Moment
) -> None:
    quiet = QuietHours(QuietHoursOptions(reopening=3600))
    morning = moment(MORNING)
    brief = [make_message(CN, id=number, expires_at=morning + 90) for number in range(200)]
    assert max(untils(quiet, brief, moment(NIGHT))) < morning + 90
    window = Local(None, None, "08:00-08:10")
    narrow = [make_message(CN, id=number, local=window) for number in range(200)]
    found = untils(quiet, narrow, moment(NIGHT))
    assert morning + 500 < max(found) < morning + 540  # the margin is a minute
    assert quiet.judge(narrow, Facts(), max(found)) == {}
    doomed = make_message(CN, expires_at=morning)
    assert isinstance(quiet.judge([doomed], Facts(), moment(NIGHT))[0], Refuse)


def test_all_at_once_unless_it_is_asked_for(make_message: MakeMessage, moment: Moment) -> None:
    quiet = QuietHours(QuietHoursOptions())
    messages = [make_message(CN, id=number) for number in range(100)]
    assert set(untils(quiet, messages, moment(NIGHT))) == {moment(MORNING)}


@pytest.mark.parametrize("seconds", [-1, 21_601])
def test_its_bounds(seconds: int) -> None:
    [problem] = QuietHoursOptions(reopening=seconds).problems()
    assert problem == f"reopening: {seconds} is not between 0 and 21600"
