"""Opening hours against an oracle that does nothing but look at the clock on the wall."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy import clocks, windows
from gateway.policy.clocks import DAY
from gateway.policy.regions import place_of
from gateway.policy.windows import (
    AHEAD,
    ALWAYS,
    HORIZON,
    Memory,
    Schedule,
    Span,
    Window,
    parse_hours,
)

Moment = Callable[[str], float]
HOUR = 3600
QUARTER = 900


def daily(hours: str) -> Schedule:
    return Schedule(days=(parse_hours(hours),) * 7)


def shows_open(schedule: Schedule, zones: Iterable[str], at: float) -> bool:
    """The oracle: what the clocks on the walls show at an instant."""
    for zone in zones:
        local = datetime.fromtimestamp(at, ZoneInfo(zone))
        second = local.hour * HOUR + local.minute * 60 + local.second
        if not any(span.start <= second < span.end for span in schedule.on(local.date())):
            return False
    return True


# --- hours as written ---


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("closed", ()),
        ("08:00-20:00", (Span(8 * HOUR, 20 * HOUR),)),
        ("00:00-24:00", ALWAYS),
        ("09:30-12:00,13:00-20:15", (Span(34200, 43200), Span(46800, 72900))),
        ("09:00-12:00, 13:00-20:00", (Span(32400, 43200), Span(46800, 72000))),
    ],
)
def test_hours_as_written(text: str, spans: tuple[Span, ...]) -> None:
    assert parse_hours(text) == spans


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open",
        "8:00-20:00",
        "08:00",
        "08:00-",
        "08:00-20:60",
        "25:00-26:00",
        "00:00-24:01",
        "20:00-08:00",
        "08:00-08:00",
        "08:00-12:00,12:00-20:00",
        "13:00-20:00,08:00-12:00",
        "08:00-20:00,",
        "٠٨:00-20:00",
    ],
)
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        parse_hours(text)


# --- days on which clocks are changed ---


@pytest.mark.parametrize(
    ("zone", "hours", "at", "opens", "closes"),
    [
        # The night is an hour shorter or longer, the opening stands at its hour of the wall clock.
        ("Europe/Paris", "08:00-20:00", "2026-03-28 22:00+01:00",
         "2026-03-29 08:00+02:00", "2026-03-29 20:00+02:00"),
        ("Europe/Paris", "08:00-20:00", "2026-10-24 22:00+02:00",
         "2026-10-25 08:00+01:00", "2026-10-25 20:00+01:00"),
        ("America/New_York", "08:00-21:00", "2026-03-07 23:00-05:00",
         "2026-03-08 08:00-04:00", "2026-03-08 21:00-04:00"),
        ("America/New_York", "08:00-21:00", "2026-10-31 23:00-04:00",
         "2026-11-01 08:00-05:00", "2026-11-01 21:00-05:00"),
        # By half an hour.
        ("Australia/Lord_Howe", "09:00-20:00", "2026-04-04 22:00+11:00",
         "2026-04-05 09:00+10:30", "2026-04-05 20:00+10:30"),
        ("Australia/Lord_Howe", "09:00-20:00", "2026-10-03 22:00+10:30",
         "2026-10-04 09:00+11:00", "2026-10-04 20:00+11:00"),
        # An opening in the hour that the clock skips begins when the clock has passed it.
        ("America/New_York", "02:30-21:00", "2026-03-08 01:00-05:00",
         "2026-03-08 03:00-04:00", "2026-03-08 21:00-04:00"),
        # A closing in the hour that it shows twice holds the first time, and again the second.
        ("America/New_York", "00:30-01:30", "2026-11-01 00:00-04:00",
         "2026-11-01 00:30-04:00", "2026-11-01 01:30-04:00"),
        ("America/New_York", "00:30-01:30", "2026-11-01 01:45-04:00",
         "2026-11-01 01:00-05:00", "2026-11-01 01:30-05:00"),
        # The end of the year, and a place that skipped a day.
        ("Europe/London", "09:00-20:00", "2026-12-31 21:00+00:00",
         "2027-01-01 09:00+00:00", "2027-01-01 20:00+00:00"),
        ("Pacific/Apia", "09:00-20:00", "2011-12-29 21:00-10:00",
         "2011-12-31 09:00+14:00", "2011-12-31 20:00+14:00"),
    ],
)  # fmt: skip
def test_changes_of_the_clock(
    moment: Moment, zone: str, hours: str, at: str, opens: str, closes: str
) -> None:
    window = Window([zone], daily(hours))
    closed = window.state(moment(at))
    assert not closed.open
    assert closed.until == moment(opens)
    opened = window.state(closed.until)
    assert opened.open
    assert opened.until == moment(closes)


def test_hours_up_to_midnight_go_on_into_the_next_day(moment: Moment) -> None:
    hours = (parse_hours("12:00-24:00"), parse_hours("00:00-10:00"), *[()] * 5)
    window = Window(["Europe/Paris"], Schedule(days=hours))
    state = window.state(moment("2026-11-23 20:00+01:00"))  # a Monday
    assert state.open
    assert state.until == moment("2026-11-24 10:00+01:00")


def test_a_holiday_comes_before_the_day_of_the_week(moment: Moment) -> None:
    schedule = Schedule(
        days=(parse_hours("09:00-20:00"),) * 7,
        holidays=parse_hours("10:00-12:00"),
        is_holiday=lambda day: day == date(2026, 12, 25),
    )
    window = Window(["Europe/Paris"], schedule)
    assert window.state(moment("2026-12-25 11:00+01:00")).until == moment("2026-12-25 12:00+01:00")
    assert window.state(moment("2026-12-25 13:00+01:00")).until == moment("2026-12-26 09:00+01:00")


def test_a_weekend_that_is_worked_has_the_hours_of_a_monday(moment: Moment) -> None:
    monday, weekend = parse_hours("09:00-20:00"), parse_hours("closed")
    worked = date(2026, 2, 14)  # a Saturday, for the Friday after the Spring Festival
    schedule = Schedule(
        days=(monday,) * 5 + (weekend,) * 2,
        holidays=weekend,
        is_holiday=lambda day: day == date(2026, 2, 20),
        is_worked=lambda day: day == worked,
    )
    window = Window(["Asia/Shanghai"], schedule)
    assert window.state(moment("2026-02-14 08:00+08:00")).until == moment("2026-02-14 09:00+08:00")
    assert window.state(moment("2026-02-15 08:00+08:00")).until == moment("2026-02-16 09:00+08:00")
    assert window.state(moment("2026-02-20 08:00+08:00")).until == moment("2026-02-23 09:00+08:00")
    every_day = Schedule(schedule.days, None, schedule.is_holiday, schedule.is_worked)
    assert (
        every_day.on(worked) == weekend
    )  # holidays are days like others, and so are exchanged ones


# --- several zones ---


def test_every_zone_must_be_open(moment: Moment) -> None:
    window = Window(["America/New_York", "America/Los_Angeles"], daily("08:00-20:00"))
    opens, closes = moment("2026-11-24 08:00-08:00"), moment("2026-11-24 20:00-05:00")
    assert window.state(moment("2026-11-24 08:00-05:00")).until == opens
    assert window.state(opens) == (True, opens, closes)


def test_zones_that_are_never_open_at_once(moment: Moment) -> None:
    window = Window(["Pacific/Honolulu", "Asia/Tokyo"], daily("10:00-12:00"))
    at = moment("2026-11-24 08:00+00:00")
    assert window.state(at) == (False, at, inf)
    assert window.state(at) == (False, at, inf)


def test_zones_that_are_open_at_once_on_some_days_only(moment: Moment) -> None:
    # When London opens on a Saturday it is evening in Auckland, which is open then on no other day.
    days = [parse_hours("08:00-12:00")] * 7
    days[5] = parse_hours("08:00-24:00")
    window = Window(["Europe/London", "Pacific/Auckland"], Schedule(days=tuple(days)))
    state = window.state(moment("2026-06-01 00:00+00:00"))  # a Monday
    assert not state.open
    assert state.until == moment("2026-06-06 08:00+01:00")


def test_without_a_zone_only_hours_that_never_close_are_open() -> None:
    assert Window([], daily("00:00-24:00")).state(1e9).open
    assert Window([], daily("00:00-23:59")).state(1e9) == (False, 1e9, inf)


def test_what_never_closes_is_told_at_once() -> None:
    assert Window(["Europe/Paris"], daily("00:00-24:00")).state(1e9) == (True, -inf, inf)


# --- the margin ---


def test_within_the_margin_of_a_closing_the_next_opening_counts(moment: Moment) -> None:
    window = Window(["Europe/Paris"], daily("08:00-20:00"), margin=60)
    closes = moment("2026-11-24 20:00+01:00") - 60
    assert window.state(closes - 1) == (True, moment("2026-11-24 08:00+01:00"), closes)
    assert window.state(closes) == (False, closes, moment("2026-11-25 08:00+01:00"))


def test_an_opening_within_the_margin_does_not_count(moment: Moment) -> None:
    window = Window(["Europe/Paris"], daily("08:00-08:01,09:00-20:00"), margin=60)
    at = moment("2026-11-24 07:00+01:00")
    assert window.state(at) == (False, at, moment("2026-11-24 09:00+01:00"))


# --- any hours, anywhere, at any time ---

zones = st.lists(
    st.sampled_from(
        [
            "Africa/Casablanca", "America/Havana", "America/Los_Angeles", "America/New_York",
            "America/Santiago", "America/St_Johns", "Asia/Kathmandu", "Asia/Kolkata",
            "Asia/Shanghai", "Australia/Lord_Howe", "Australia/Sydney", "Europe/London",
            "Europe/Paris", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
        ]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)  # fmt: skip
quarters = st.lists(st.integers(0, 96), min_size=2, max_size=4, unique=True).map(sorted)
hours = st.one_of(
    st.just(()),
    st.just(ALWAYS),
    quarters.map(
        lambda marks: tuple(
            Span(start * QUARTER, end * QUARTER)
            for start, end in zip(marks[::2], marks[1::2], strict=False)
        )
    ),
)
schedules = st.builds(
    Schedule,
    days=st.tuples(*[hours] * 7),
    holidays=st.one_of(st.none(), hours),
    is_holiday=st.just(lambda day: day.toordinal() % 5 == 0),
)
year_2026 = st.integers(1_767_225_600, 1_798_761_600)


@settings(max_examples=150, deadline=None)
@given(zones, schedules, st.lists(year_2026, min_size=1, max_size=3))
def test_agrees_with_the_clocks_on_the_walls(
    zones: list[str], schedule: Schedule, instants: list[int]
) -> None:
    window = Window(zones, schedule)
    for at in instants:
        state = window.state(at)
        assert state.open == shows_open(schedule, zones, at)
        if state.until == inf:
            # The last of the days that were looked through began 13 days after this one.
            end = at + (HORIZON - 1) * DAY
        else:
            end = int(state.until)
            if state.open:
                assert state.since <= at < state.until
            else:
                assert window.state(end).open
                assert shows_open(schedule, zones, end)
        # Every clock's hours and changes fall on quarters of an hour.
        for tick in range(at - at % QUARTER + QUARTER, min(end, at + HORIZON * DAY), QUARTER):
            assert state.open == shows_open(schedule, zones, tick)


@settings(max_examples=100, deadline=None)
@given(zones, schedules, year_2026, st.integers(0, 3600))
def test_what_is_let_through_has_the_margin_to_arrive(
    zones: list[str], schedule: Schedule, at: int, margin: int
) -> None:
    state = Window(zones, schedule, margin).state(at)
    begin = at if state.open else state.until
    if begin != inf:
        for later in (0, margin // 2, margin):
            assert shows_open(schedule, zones, begin + later)


# --- open time ---


@pytest.mark.parametrize(
    ("hours", "start", "seconds", "end"),
    [
        ("08:00-20:00", "2026-11-24 12:00", 3600, "2026-11-24 13:00"),
        ("08:00-20:00", "2026-11-24 12:00", 8 * HOUR, "2026-11-24 20:00"),
        ("08:00-20:00", "2026-11-24 12:00", 9 * HOUR, "2026-11-25 09:00"),
        ("08:00-20:00", "2026-11-24 22:00", 3600, "2026-11-25 09:00"),
        ("08:00-20:00", "2026-11-24 22:00", 48 * HOUR, "2026-11-28 20:00"),
        ("00:00-24:00", "2026-11-24 22:00", 48 * HOUR, "2026-11-26 22:00"),
        ("08:00-09:00", "2026-11-24 00:00", 48 * HOUR, "2026-12-25 00:00"),  # a month at most
        ("closed", "2026-11-24 00:00", 3600, "2026-12-25 00:00"),
        ("closed", "2026-11-24 00:00", 40 * DAY, "2027-01-03 00:00"),
    ],
)
def test_when_so_much_open_time_is_over(
    moment: Moment, hours: str, start: str, seconds: float, end: str
) -> None:
    window = Window(["Europe/Paris"], daily(hours))
    assert window.after(moment(f"{start}+01:00"), seconds) == moment(f"{end}+01:00")


def test_the_margin_is_no_open_time(moment: Moment) -> None:
    window = Window(["Europe/Paris"], daily("08:00-20:00"), margin=HOUR)
    at = moment("2026-11-24 12:00+01:00")
    assert window.after(at, 8 * HOUR) == moment("2026-11-25 09:00+01:00")


@settings(max_examples=150, deadline=None)
@given(
    zones,
    schedules,
    st.lists(year_2026, min_size=1, max_size=5),
    st.integers(0, 192),
    st.integers(0, 3 * HOUR),
)
def test_so_much_open_time_has_passed_on_the_clocks_on_the_walls(
    zones: list[str], schedule: Schedule, instants: list[int], quarters: int, step: int
) -> None:
    window = Window(zones, schedule)
    for first in instants:
        for start in (first, first + step, first):
            begin, seconds = start - start % QUARTER, quarters * QUARTER
            end = window.after(begin, seconds)
            if end == begin + AHEAD * DAY:
                continue
            ticks = range(begin, int(end), QUARTER)
            assert sum(shows_open(schedule, zones, tick) for tick in ticks) == quarters


# --- what it costs ---


def test_in_whatever_order_days_are_asked_for_each_is_worked_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: Counter[tuple[str, int]] = Counter()
    through = clocks.Clock.through

    def count(clock: clocks.Clock, day: int) -> Any:
        looked_up[str(clock), day] += 1
        return through(clock, day)

    monkeypatch.setattr(clocks.Clock, "through", count)
    # From Kaliningrad to Kamchatka, at times in any order over a year.
    window = Window(place_of("79161234567").zones, daily("08:00-20:00"))
    chance = random.Random(20261126)
    for _ in range(20_000):
        window.state(chance.uniform(1_795e6, 1_795e6 + 365 * DAY))
    assert set(looked_up.values()) == {1}
    assert len({day for _, day in looked_up}) <= 365 + HORIZON


def test_windows_that_share_a_memory_have_their_own_hours(moment: Moment) -> None:
    memory = Memory()
    early = Window(["Europe/Paris"], daily("06:00-07:00"), memory=memory)
    late = Window(["Europe/Paris"], daily("21:00-22:00"), memory=memory)
    at = moment("2026-11-24 06:30+01:00")
    assert early.state(at).open
    assert not late.state(at).open


def test_what_a_window_remembers_is_bounded(
    monkeypatch: pytest.MonkeyPatch, weigh: Callable[[object], int]
) -> None:
    monkeypatch.setattr(windows, "REMEMBERED", 3)
    window = Window(["Europe/Paris"], daily("08:00-20:00"))
    window.state(0.0)
    one = weigh(window)
    for day in range(50):
        window.state(float(day * DAY))
        assert weigh(window) < one + 3 * 2_000
