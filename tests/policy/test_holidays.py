from datetime import date

import pytest
from holidays import country_holidays

from gateway.policy import holidays
from gateway.policy.hours import KNOWN_HOURS
from gateway.policy.regions import NOWHERE, place_of


@pytest.mark.parametrize(
    ("number", "day", "expected"),
    [
        ("33612345678", date(2026, 7, 14), True),
        ("33612345678", date(2026, 7, 15), False),
        ("33612345678", date(2027, 5, 1), True),
        ("12055550100", date(2026, 4, 27), True),  # Alabama: Confederate Memorial Day
        ("12125550100", date(2026, 4, 27), False),  # New York
        ("12125550100", date(2026, 9, 6), False),  # the Sunday before Labor Day
        ("19025550100", date(2026, 7, 1), True),  # a Canadian number of no one province
        ("870773123456", date(2026, 12, 25), False),
    ],
)
def test_public_holidays(number: str, day: date, expected: bool) -> None:
    assert holidays.calendar(place_of(number))(day) is expected


def test_what_has_no_calendar_has_no_holidays() -> None:
    assert not holidays.known("AC")
    assert not holidays.known("US-XX")
    assert not holidays.calendar(NOWHERE)(date(2026, 12, 25))


def test_every_region_known_to_keep_holidays_has_a_calendar() -> None:
    assert all(
        holidays.known(name) for name, hours in KNOWN_HOURS.items() if hours.holidays is not None
    )


@pytest.mark.parametrize(
    ("day", "holiday", "worked"),
    [
        (date(2026, 2, 14), False, True),  # a Saturday, worked for
        (date(2026, 2, 20), True, False),  # a Friday off
        (date(2026, 2, 28), False, True),
        (date(2026, 10, 7), True, False),
        (date(2026, 2, 15), True, False),  # the weekends of a holiday are of it
        (date(2026, 2, 21), True, False),
        (date(2026, 6, 21), True, False),
        (date(2026, 10, 4), True, False),
        (date(2028, 12, 30), True, False),  # a Saturday before New Year's Day
        (date(2028, 12, 29), False, False),
        (date(2026, 10, 10), False, True),
        (date(2026, 10, 11), False, False),  # a Sunday like others
        (date(2026, 10, 12), False, False),
    ],
)
def test_days_that_china_exchanges(day: date, *, holiday: bool, worked: bool) -> None:
    calendar = holidays.calendar(place_of("8613812345678"))
    assert (calendar(day), calendar.is_worked(day)) == (holiday, worked)


@pytest.mark.parametrize(
    ("name", "year", "expected"),
    [
        ("FR", 2027, True),
        ("US-AL", 2030, True),
        ("CN", 2026, True),
        ("AM", 2029, True),  # exchanged days in some years, and in no rhythm
        ("GB", 2200, False),
        ("XX", 2027, False),
    ],
)
def test_years_whose_holidays_are_known(name: str, year: int, *, expected: bool) -> None:
    assert holidays.known_in(name, year) is expected


def test_days_that_are_announced_each_autumn_are_not_known_before() -> None:
    announced: int = max(country_holidays("CN").special_public_holidays)
    assert holidays.known_in("CN", announced)
    assert not holidays.known_in("CN", announced + 1)


@pytest.mark.parametrize(
    ("name", "year", "today", "expected"),
    [
        ("MA", 2027, date(2026, 11, 26), True),  # Eid is where the moon is
        ("MA", 2026, date(2026, 11, 26), False),  # the last of them is over
        ("FR", 2027, date(2026, 11, 26), False),
        ("XX", 2027, date(2026, 11, 26), False),
    ],
)
def test_days_that_go_by_the_moon_are_reckoned(
    name: str, year: int, today: date, *, expected: bool
) -> None:
    assert holidays.reckoned_in(name, year, today) is expected


def test_a_calendar_has_at_hand_what_was_loaded() -> None:
    calendar = holidays.calendar(place_of("3906698"))
    calendar.load(range(2030, 2033))
    loaded = calendar.years
    assert {2030, 2031, 2032} <= loaded
    assert calendar(date(2031, 12, 25))
    assert calendar.years == loaded
    assert calendar(date(2077, 12, 25))
    assert calendar.years == loaded | {2077}
