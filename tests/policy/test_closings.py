"""Dated closings and the mornings of holidays."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy.closings import Closing
from gateway.policy.hours import RegionHours
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.rules import Defer

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]

FR, CN, REUNION = "33612345678", "8613812345678", "262692123456"
TEXAS, NEW_YORK = "15125550100", "12125550100"


def opens(quiet: QuietHours, message: Message, now: float) -> float:
    found = quiet.judge([message], Facts(), now).get(0)
    if found is None:
        return now
    assert isinstance(found, Defer)
    return found.until


def closing(start: str, end: str, *regions: str, why: str = "") -> Closing:
    return Closing(regions=regions, start=start, end=end, why=why)


@pytest.mark.parametrize(
    ("to", "closings", "now", "expected"),
    [
        # A day of mourning: the whole day, and then the hours of the next.
        (CN, [("2026-12-13", "2026-12-13", "CN")], "2026-12-12 20:30+08:00", "2026-12-12 20:30"),
        (CN, [("2026-12-13", "2026-12-13", "CN")], "2026-12-12 21:30+08:00", "2026-12-14 08:00"),
        (CN, [("2026-12-13", "2026-12-13", "CN")], "2026-12-13 12:00+08:00", "2026-12-14 08:00"),
        # A morning of it.
        (
            CN,
            [("2026-12-13", "2026-12-13T12:00", "CN")],
            "2026-12-13 09:00+08:00",
            "2026-12-13 12:00",
        ),
        # From an emergency's hour on, in the middle of a day.
        (
            CN,
            [("2026-12-13T14:00", "2026-12-14", "CN")],
            "2026-12-13 13:00+08:00",
            "2026-12-13 13:00",
        ),
        (
            CN,
            [("2026-12-13T14:00", "2026-12-14", "CN")],
            "2026-12-13 14:00+08:00",
            "2026-12-15 08:00",
        ),
        # Two that overlap, and one elsewhere.
        (
            CN,
            [("2026-12-13", "2026-12-14", "CN"), ("2026-12-14", "2026-12-15", "CN")],
            "2026-12-13 12:00+08:00",
            "2026-12-16 08:00",
        ),
        (CN, [("2026-12-13", "2026-12-13", "FR")], "2026-12-13 12:00+08:00", "2026-12-13 12:00"),
        # Everywhere.
        (CN, [("2026-12-13", "2026-12-13")], "2026-12-13 12:00+08:00", "2026-12-14 08:00"),
        # Elections in a state, and not in another; in a country, and so in its states.
        (
            TEXAS,
            [("2026-11-03", "2026-11-03", "US-TX")],
            "2026-11-03 12:00-06:00",
            "2026-11-04 09:00",
        ),
        (
            NEW_YORK,
            [("2026-11-03", "2026-11-03", "US-TX")],
            "2026-11-03 12:00-05:00",
            "2026-11-03 12:00",
        ),
        (TEXAS, [("2026-11-03", "2026-11-03", "US")], "2026-11-03 12:00-06:00", "2026-11-04 09:00"),
        # In a territory too, on its own clock.
        (
            REUNION,
            [("2026-11-13", "2026-11-13", "FR")],
            "2026-11-13 12:00+04:00",
            "2026-11-14 08:00",
        ),
        # The night on which the clock goes back has an hour more.
        (
            FR,
            [("2026-10-24T12:00", "2026-10-26T10:00", "FR")],
            "2026-10-24 13:00+02:00",
            "2026-10-26 10:00",
        ),
        # Four weeks, the longest there are.
        (CN, [("2026-12-01", "2026-12-28", "CN")], "2026-12-01 12:00+08:00", "2026-12-29 08:00"),
    ],
)
def test_when_a_message_goes(
    make_message: MakeMessage,
    moment: Moment,
    to: str,
    closings: list[tuple[str, ...]],
    now: str,
    expected: str,
) -> None:
    options = QuietHoursOptions(closings=tuple(closing(*one) for one in closings))
    zone = now[-6:] if "2026-10-24" not in now else "+01:00"
    found = opens(QuietHours(options), make_message(to), moment(now))
    assert found == moment(expected + zone)


def test_a_message_that_waits_for_a_closing_is_told_why(
    make_message: MakeMessage, moment: Moment
) -> None:
    options = QuietHoursOptions(
        closings=(closing("2026-12-13", "2026-12-13", "CN", why="memorial day"),)
    )
    quiet = QuietHours(options)
    [found] = quiet.judge([make_message(CN)], Facts(), moment("2026-12-12 22:00+08:00")).values()
    assert found.why == (
        "quiet hours in CN (Asia/Shanghai): closed until 2026-12-14 08:00+08:00 (memorial day)"
    )
    [night] = quiet.judge([make_message(CN)], Facts(), moment("2026-12-14 22:00+08:00")).values()
    assert "memorial" not in night.why


def test_other_categories_go_on(make_message: MakeMessage, moment: Moment) -> None:
    quiet = QuietHours(QuietHoursOptions(closings=(closing("2026-12-13", "2026-12-13"),)))
    now = moment("2026-12-13 12:00+08:00")
    messages = [make_message(CN, category=one) for one in ("otp", "transactional")]
    assert quiet.judge(messages, Facts(), now) == {}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": "2026-12-14", "end": "2026-12-13"}, "to: 2026-12-13 is not after 2026-12-14"),
        ({"start": "2026-12-13T08:00", "end": "2026-12-13T08:00"}, "is not after"),
        ({"start": "2026-12-32", "end": "2026-12-31"}, "from: '2026-12-32' is neither a day nor"),
        ({"start": "2026-12-01", "end": "tomorrow"}, "to: 'tomorrow' is neither a day nor a time"),
        ({"start": "2026-12-01T25:00", "end": "2026-12-02"}, "from: '2026-12-01T25:00' is neither"),
        ({"start": "2026-12-01", "end": "2026-12-29"}, "is more than 28 days after 2026-12-01"),
        ({"regions": ("Texas",), "start": "2026-12-01", "end": "2026-12-01"},
         "regions[0]: no number belongs to 'Texas'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(fields: dict[str, Any], said: str) -> None:
    problems = QuietHoursOptions(closings=(Closing(**fields),)).problems()
    assert len(problems) == 1
    assert problems[0].startswith("closings[0].")
    assert said in problems[0]


# --- the mornings of holidays ---


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-10-01 08:30+08:00", "2026-10-01 12:00+08:00"),  # the national day, a Thursday
        ("2026-10-01 12:00+08:00", "2026-10-01 12:00+08:00"),
        ("2026-10-01 21:00+08:00", "2026-10-02 12:00+08:00"),  # a week of holidays
        ("2026-10-09 08:30+08:00", "2026-10-09 08:30+08:00"),  # a working day
        ("2026-09-20 08:30+08:00", "2026-09-20 08:30+08:00"),  # a Sunday that is worked for it
    ],
)
def test_not_on_a_holiday_morning(
    make_message: MakeMessage, moment: Moment, now: str, expected: str
) -> None:
    hours = RegionHours(open="08:00-21:00", holidays_from="12:00")
    quiet = QuietHours(QuietHoursOptions(regions={"CN": hours}))
    assert opens(quiet, make_message(CN), moment(now)) == moment(expected)


def test_a_holiday_on_a_short_day_ends_as_early(make_message: MakeMessage, moment: Moment) -> None:
    """In South Africa, 26 December 2026 is a Saturday."""
    hours = RegionHours(open="08:00-20:00", saturday="09:00-13:00", holidays_from="10:00")
    quiet = QuietHours(QuietHoursOptions(regions={"ZA": hours}))
    message = make_message("27821234567")
    begin, end = moment("2026-12-26 09:00+02:00"), moment("2026-12-26 13:00+02:00")
    assert opens(quiet, message, begin) == moment("2026-12-26 10:00+02:00")
    assert opens(quiet, message, end) == moment("2026-12-27 08:00+02:00")


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ({"holidays_from": "noon"}, "holidays_from: 'noon' is no hour such as '10:00'"),
        ({"holidays_from": "24:00"}, "holidays_from: '24:00' is no hour"),
        ({"holidays_from": "12:00", "holidays": "closed"}, "leaves nothing of the hours"),
        ({"holidays_from": "20:00", "open": "08:00-20:00"}, "leaves nothing of the hours"),
    ],
)
def test_mornings_that_make_no_sense(hours: dict[str, str], said: str) -> None:
    [problem] = QuietHoursOptions(regions={"CN": RegionHours(**hours)}).problems()
    assert problem.startswith("regions.CN.holidays_from: ")
    assert said in problem
