from datetime import date

import pytest

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
