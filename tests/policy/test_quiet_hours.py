"""Quiet hours as a compliance officer would ask about them."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.facts import Facts
from gateway.message import Category, Message
from gateway.policy import clocks, holidays
from gateway.policy.chain import PolicyOptions, TenantOptions, build
from gateway.policy.hours import RegionHours
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.regions import place_of
from gateway.policy.rules import Defer, Refuse, Verdict
from gateway.policy.windows import HORIZON

MakeMessage = Callable[..., Message]
Moment = Callable[[str], float]

FR, GB, CN = "33612345678", "447400123456", "8613812345678"
TEXAS, NEW_YORK, TOLL_FREE = "15125550100", "12125550100", "18005550100"
RUSSIA, AUSTRALIA, SATELLITE = "79161234567", "61412345678", "870773123456"


def verdict(options: QuietHoursOptions, message: Message, now: float) -> Verdict | None:
    return QuietHours(options).judge([message], Facts(), now).get(0)


def opens(options: QuietHoursOptions, message: Message, now: float) -> float:
    """When the message may be sent: now, or when its deferral ends."""
    found = verdict(options, message, now)
    if found is None:
        return now
    assert isinstance(found, Defer)
    return found.until


@pytest.mark.parametrize(
    ("to", "now", "expected"),
    [
        (GB, "2026-11-24 12:00+00:00", "2026-11-24 12:00+00:00"),
        (GB, "2026-11-24 08:59+00:00", "2026-11-24 09:00+00:00"),
        (GB, "2026-11-24 20:00+00:00", "2026-11-25 09:00+00:00"),
        (CN, "2026-11-24 20:30+08:00", "2026-11-24 20:30+08:00"),
        (CN, "2026-11-24 21:00+08:00", "2026-11-25 08:00+08:00"),
        # France: no Sunday, no public holiday, whichever side of the weekend it falls on.
        (FR, "2026-11-21 20:00+01:00", "2026-11-23 08:00+01:00"),
        (FR, "2026-11-11 12:00+01:00", "2026-11-12 08:00+01:00"),
        (FR, "2026-12-24 21:00+01:00", "2026-12-26 08:00+01:00"),
        (FR, "2027-04-30 20:00+02:00", "2027-05-03 08:00+02:00"),
        (FR, "2026-12-31 22:00+01:00", "2027-01-02 08:00+01:00"),
        # Its territories, which have their own clocks and holidays.
        ("262692123456", "2026-11-21 21:00+04:00", "2026-11-23 08:00+04:00"),
        ("262692123456", "2026-12-20 12:00+04:00", "2026-12-21 08:00+04:00"),
        ("590690123456", "2026-11-22 12:00-04:00", "2026-11-23 08:00-04:00"),
        ("447624123456", "2026-11-24 08:30+00:00", "2026-11-24 09:00+00:00"),
        ("17875550100", "2026-11-24 20:30-04:00", "2026-11-24 20:30-04:00"),
        # South Africa, Colombia, Australia: Saturdays are short, Sundays and holidays closed.
        ("27821234567", "2026-11-21 08:00+02:00", "2026-11-21 09:00+02:00"),
        ("27821234567", "2026-11-21 13:00+02:00", "2026-11-23 08:00+02:00"),
        ("27821234567", "2026-12-15 20:30+02:00", "2026-12-17 08:00+02:00"),  # the 16th is one
        ("573001234567", "2026-11-24 19:00-05:00", "2026-11-25 07:00-05:00"),
        ("573001234567", "2026-11-21 15:30-05:00", "2026-11-23 07:00-05:00"),
        ("573001234567", "2026-12-08 12:00-05:00", "2026-12-09 07:00-05:00"),
        ("61282311234", "2027-01-26 12:00+11:00", "2027-01-27 09:00+11:00"),  # Sydney, 26 January
        # Calls may be made there on weekdays; Italy and the Netherlands; Utah and Rhode Island.
        ("393331234567", "2026-11-21 09:00+01:00", "2026-11-21 10:00+01:00"),
        ("393331234567", "2026-11-21 19:00+01:00", "2026-11-23 09:00+01:00"),
        ("31612345678", "2026-11-21 16:00+01:00", "2026-11-23 09:00+01:00"),
        ("18015550100", "2026-11-22 12:00-07:00", "2026-11-23 08:00-07:00"),
        ("14015550100", "2026-11-21 17:00-05:00", "2026-11-23 09:00-05:00"),
        ("16055550100", "2026-11-21 12:00-06:00", "2026-11-23 09:00-07:00"),
        ("15035550100", "2026-11-24 20:00-08:00", "2026-11-25 08:00-08:00"),
        ("254712345678", "2026-11-24 18:00+03:00", "2026-11-25 08:00+03:00"),
        ("966501234567", "2026-11-24 20:00+03:00", "2026-11-25 09:00+03:00"),
        # The clock goes forward in the night to a Sunday, back in another.
        (FR, "2026-03-28 20:00+01:00", "2026-03-30 08:00+02:00"),
        (FR, "2026-10-24 20:00+02:00", "2026-10-26 08:00+01:00"),
        # Texas: 9 to 21, on a Sunday from noon.
        (TEXAS, "2026-11-21 08:00-06:00", "2026-11-21 09:00-06:00"),
        (TEXAS, "2026-11-22 09:00-06:00", "2026-11-22 12:00-06:00"),
        (TEXAS, "2026-11-22 21:00-06:00", "2026-11-23 09:00-06:00"),
        (TEXAS, "2026-03-08 01:00-06:00", "2026-03-08 12:00-05:00"),
        (NEW_YORK, "2026-11-22 07:00-05:00", "2026-11-22 08:00-05:00"),
        # Anywhere from American Samoa and Guam to Newfoundland.
        (TOLL_FREE, "2026-11-24 12:00-05:00", "2026-11-25 08:00+10:00"),
        # Anywhere from Kaliningrad to Kamchatka.
        (RUSSIA, "2026-11-24 12:00+12:00", "2026-11-24 08:00+02:00"),
        (RUSSIA, "2026-11-24 20:00+12:00", "2026-11-25 08:00+02:00"),
        # Anywhere from the Cocos Islands to Lord Howe: a Saturday ends early, in the east.
        (AUSTRALIA, "2026-11-27 20:00+11:00", "2026-11-28 09:00+06:30"),
        (AUSTRALIA, "2026-11-28 17:00+11:00", "2026-11-30 09:00+06:30"),
    ],
)
def test_when_a_message_may_be_sent(
    make_message: MakeMessage, moment: Moment, to: str, now: str, expected: str
) -> None:
    assert opens(QuietHoursOptions(), make_message(to), moment(now)) == moment(expected)


def test_a_deferral_says_where_and_until_when(make_message: MakeMessage, moment: Moment) -> None:
    quiet = QuietHours(QuietHoursOptions())
    now = moment("2026-06-28 03:00+00:00")
    verdicts = quiet.judge([make_message(to) for to in (FR, TEXAS, GB, RUSSIA)], Facts(), now)
    assert [(found.rule, found.why) for found in verdicts.values()] == [
        (
            "quiet_hours",
            "quiet hours in FR (Europe/Paris): closed until 2026-06-29 08:00+02:00",
        ),
        (
            "quiet_hours",
            "quiet hours in US-TX (America/Chicago): closed until 2026-06-28 12:00-05:00",
        ),
        ("quiet_hours", "quiet hours in GB (4 time zones): closed until 2026-06-28 09:00+01:00"),
        ("quiet_hours", "quiet hours in RU (16 time zones): closed until 2026-06-28 06:00+00:00"),
    ]


def test_a_message_that_is_due_later_is_judged_then(
    make_message: MakeMessage, moment: Moment
) -> None:
    night, noon = moment("2026-11-24 02:00+00:00"), moment("2026-11-24 12:00+00:00")
    evening = moment("2026-11-24 22:00+00:00")
    options = QuietHoursOptions()
    assert verdict(options, make_message(GB, due=noon), night) is None
    assert opens(options, make_message(GB, due=evening), noon) == moment("2026-11-25 09:00+00:00")
    assert verdict(options, make_message(GB, due=night), noon) is None


def test_a_message_that_would_expire_first_is_refused(
    make_message: MakeMessage, moment: Moment
) -> None:
    now, morning = moment("2026-11-24 22:00+00:00"), moment("2026-11-25 09:00+00:00")
    found = verdict(QuietHoursOptions(), make_message(GB, expires_at=morning), now)
    assert isinstance(found, Refuse)
    assert found.code == "expired"
    assert "closed until 2026-11-25 09:00+00:00, and the message expires before" in found.why
    assert opens(QuietHoursOptions(), make_message(GB, expires_at=morning + 1), now) == morning


def test_only_the_categories_named_are_kept_quiet(
    make_message: MakeMessage, moment: Moment
) -> None:
    now = moment("2026-11-24 03:00+00:00")
    messages = [make_message(GB, category=name) for name in ("otp", "transactional", "marketing")]
    assert set(QuietHours(QuietHoursOptions()).judge(messages, Facts(), now)) == {2}
    both = QuietHoursOptions(categories=frozenset({"marketing", "transactional"}))
    assert set(QuietHours(both).judge(messages, Facts(), now)) == {1, 2}


# --- whose hours hold ---


@pytest.mark.parametrize(
    ("options", "to", "expected"),
    [
        # Nothing written: what is known of the subdivision, the region, and the careful default.
        (QuietHoursOptions(), TEXAS, "12:00"),
        (QuietHoursOptions(), NEW_YORK, "08:00"),
        (QuietHoursOptions(), "4915112345678", "08:00"),
        (QuietHoursOptions(), "46701234567", "08:00"),
        # What is written holds, for everywhere or for a region.
        (QuietHoursOptions(open="07:00-21:00"), TEXAS, "07:00"),
        (QuietHoursOptions(open="07:00-21:00"), GB, "07:00"),
        (QuietHoursOptions(regions={"US": RegionHours(open="06:00-22:00")}), TEXAS, "06:00"),
        (QuietHoursOptions(regions={"US": RegionHours(open="06:00-22:00")}), GB, "09:00"),
        (
            QuietHoursOptions(
                open="07:00-21:00",
                regions={
                    "US": RegionHours(open="06:00-22:00"),
                    "US-TX": RegionHours(sunday="11:00-21:00"),
                },
            ),
            TEXAS,
            "11:00",
        ),
        (QuietHoursOptions(regions={"GB": RegionHours()}), GB, "08:00"),
    ],
)
def test_whose_hours_hold(
    make_message: MakeMessage, options: QuietHoursOptions, to: str, expected: str
) -> None:
    zone = ZoneInfo(min(place_of(to).zones))
    sunday = datetime(2026, 11, 22, 1, tzinfo=zone)
    hour, minute = map(int, expected.split(":"))
    opening = sunday.replace(hour=hour, minute=minute)
    assert opens(options, make_message(to), sunday.timestamp()) == opening.timestamp()


@pytest.mark.parametrize("to", [FR, TOLL_FREE, SATELLITE])
def test_hours_that_are_always_open_hold_nobody_up(make_message: MakeMessage, to: str) -> None:
    options = QuietHoursOptions(open="00:00-24:00")
    for hour in range(24):
        assert verdict(options, make_message(to), 1.8e9 + hour * 3600) is None


@pytest.mark.parametrize(
    ("options", "to", "why"),
    [
        (QuietHoursOptions(), SATELLITE, "the world (time zone unknown)"),
        (QuietHoursOptions(open="09:00-12:00"), TOLL_FREE, "US (42 time zones)"),
        (QuietHoursOptions(open="closed"), FR, "FR (Europe/Paris)"),
    ],
)
def test_where_no_opening_is_in_sight_a_message_is_refused(
    make_message: MakeMessage, options: QuietHoursOptions, to: str, why: str
) -> None:
    found = verdict(options, make_message(to), 1.8e9)
    assert isinstance(found, Refuse)
    assert found.code == "expired"
    assert found.why.startswith(f"quiet hours in {why}: no hour at which it is open is in sight")


def test_options_that_are_wrong_are_named_all_at_once() -> None:
    options = QuietHoursOptions(
        open="8-20", margin=-1, regions={"FR": RegionHours(sunday="shut"), "XX": RegionHours()}
    )
    assert [problem.partition(": ")[0] for problem in options.problems()] == [
        "open",
        "margin",
        "regions.FR.sunday",
        "regions.XX",
    ]
    with pytest.raises(ValueError, match="margin: -1 is not between 0 and 3600"):
        QuietHours(options)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # 2026: 14 and 28 February are Saturdays that are worked, 16 to 23 February is a holiday.
        ("2026-02-14 08:00+08:00", "2026-02-14 09:00+08:00"),
        ("2026-02-15 12:00+08:00", "2026-02-24 09:00+08:00"),
        ("2026-02-21 12:00+08:00", "2026-02-24 09:00+08:00"),
        ("2026-02-28 12:00+08:00", "2026-02-28 12:00+08:00"),
        ("2026-10-10 12:00+08:00", "2026-10-10 12:00+08:00"),
        ("2026-10-11 12:00+08:00", "2026-10-12 09:00+08:00"),
    ],
)
def test_days_that_china_exchanges(
    make_message: MakeMessage, moment: Moment, now: str, expected: str
) -> None:
    hours = RegionHours(open="09:00-20:00", saturday="closed", sunday="closed", holidays="closed")
    options = QuietHoursOptions(regions={"CN": hours})
    assert opens(options, make_message(CN), moment(now)) == moment(expected)


def test_an_entry_for_a_country_holds_in_its_territories(
    make_message: MakeMessage, moment: Moment
) -> None:
    now = moment("2026-11-24 08:30+04:00")
    written = QuietHoursOptions(regions={"FR": RegionHours(open="10:00-18:00")})
    assert opens(written, make_message("262692123456"), now) == moment("2026-11-24 10:00+04:00")
    own = QuietHoursOptions(
        regions={"FR": RegionHours(open="10:00-18:00"), "RE": RegionHours(open="08:00-18:00")}
    )
    assert opens(own, make_message("262692123456"), now) == now


# --- the closing ---


def test_what_is_let_through_may_take_until_the_closing(
    make_message: MakeMessage, moment: Moment
) -> None:
    quiet = QuietHours(QuietHoursOptions())
    closing = moment("2026-11-24 20:00+00:00")
    noon = moment("2026-11-24 12:00+00:00")
    late = closing + 40_000
    messages = [
        make_message(GB, expires_at=late),
        make_message(GB, expires_at=noon + 60),
        make_message(GB, expires_at=late, category="otp"),
        make_message(GB, expires_at=late, exempt=True),
    ]
    assert quiet.ends(messages, noon) == [closing, noon + 60, late, late]
    assert quiet.ends(messages[:1], closing + 5) == [closing + 5]
    always = QuietHours(QuietHoursOptions(open="00:00-24:00"))
    assert always.ends(messages, noon) == [late, noon + 60, late, late]


def test_nothing_is_let_through_right_before_the_closing(
    make_message: MakeMessage, moment: Moment
) -> None:
    closing, morning = moment("2026-11-24 20:00+00:00"), moment("2026-11-25 09:00+00:00")
    options = QuietHoursOptions(margin=300)
    assert verdict(options, make_message(GB), closing - 301) is None
    assert opens(options, make_message(GB), closing - 300) == morning


# --- open time ---


@pytest.mark.parametrize(
    ("to", "category", "start", "hours", "end"),
    [
        # A Friday evening's text to Spain: Monday and Tuesday, 9 to 21, have the first 24 hours.
        ("34612345678", "marketing", "2026-11-20 21:30+01:00", 2, "2026-11-23 12:00+01:00"),
        (GB, "marketing", "2026-11-24 19:00+00:00", 1.5, "2026-11-25 09:31+00:00"),
        (GB, "otp", "2026-11-24 19:00+00:00", 1.5, "2026-11-24 20:30+00:00"),
        (SATELLITE, "marketing", "2026-11-24 19:00+00:00", 48, "2026-12-25 19:00+00:00"),
    ],
)
def test_open_time(
    moment: Moment, to: str, category: Category, start: str, hours: float, end: str
) -> None:
    quiet = QuietHours(QuietHoursOptions())
    found = quiet.open_seconds_end(to, category, None, moment(start), hours * 3600)
    assert found == moment(end)


# --- what it costs ---


def test_holidays_are_loaded_with_the_configuration(moment: Moment) -> None:
    now = moment("2041-05-05 12:00+00:00")
    build(PolicyOptions(), {"acme": TenantOptions()}, now)
    for to in (FR, "12055550100", "262692123456"):
        assert {2041, 2042, 2043} <= holidays.calendar(place_of(to)).years


def test_a_year_of_times_costs_no_more_than_its_days(
    make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = 0
    through = clocks.Clock.through

    def count(clock: clocks.Clock, day: int) -> Any:
        nonlocal looked_up
        looked_up += 1
        return through(clock, day)

    monkeypatch.setattr(clocks.Clock, "through", count)
    quiet = QuietHours(QuietHoursOptions())
    chance = random.Random(20261126)

    def judge(numbers: list[str]) -> None:
        messages = [
            make_message(chance.choice(numbers), due=chance.uniform(1_795e6, 1_826e6))
            for _ in range(5_000)
        ]
        quiet.judge(messages, Facts(), 1_795e6)

    judge([RUSSIA])
    first, looked_up = looked_up, 0
    assert first <= len(place_of(RUSSIA).zones) * (359 + HORIZON)
    judge([RUSSIA])
    assert looked_up < first // 100
    # All over the world: three days a message at the most, in each of its zones.
    looked_up = 0
    judge([FR, GB, CN, TEXAS, NEW_YORK])
    assert looked_up <= 5 * 4 * (359 + HORIZON)


# --- any number, any hour ---

recipients = st.builds(
    "{}{:07}".format,
    st.sampled_from(
        ["1512", "1208", "1800", "1902", "4474", "3361", "791", "614", "617", "8613", "9198",
         "5511", "7701", "3469", "870", "52664", "1907"]
    ),
    st.integers(0, 9_999_999),
)  # fmt: skip
OPTIONS = QuietHoursOptions(
    margin=0, regions={"FR": RegionHours(open="08:00-12:00,14:00-20:00", sunday="closed")}
)
OPEN_AT_MOST = (7, 22)
"""No region's known hours begin earlier or end later."""


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(recipients, st.integers(0, 10 * 86_400)), max_size=20),
    st.integers(1_767_225_600, 1_798_761_600),
)
def test_no_phone_is_texted_at_night(
    make_message: MakeMessage, batch: list[tuple[str, int]], now: int
) -> None:
    quiet = QuietHours(OPTIONS)
    messages = [make_message(to, due=float(now + wait)) for to, wait in batch]
    verdicts = quiet.judge(messages, Facts(), float(now))
    for index, message in enumerate(messages):
        found = verdicts.get(index)
        if isinstance(found, Refuse):
            assert not place_of(message.to).zones
            continue
        at = message.due if found is None else found.until
        assert at >= message.due
        assert quiet.judge([make_message(message.to, due=at)], Facts(), float(now)) == {}
        for zone in place_of(message.to).zones:
            local = datetime.fromtimestamp(at, ZoneInfo(zone))
            assert OPEN_AT_MOST[0] <= local.hour < OPEN_AT_MOST[1]
