"""What ``gateway check`` says of hours: the keys are those of the file."""

from collections.abc import Callable
from datetime import date

import pytest

from gateway.config import Settings, warnings

Read = Callable[..., Settings]

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("tables", "begin"),
    [
        (
            {"policy": {"quiet_hours": {"regions": {"FR": {"open": "08:00-20:00"}}}}},
            "policy.quiet_hours.regions.FR: replaces the shipped hours as a whole",
        ),
        (
            {"policy": {"quiet_hours": {"regions": {"RU": {"open": "09:00-18:00"}}}}},
            "policy.quiet_hours.regions.RU: leaves some numbers of RU without an hour",
        ),
        (
            {"policy": {"quiet_hours": {"regions": {"LK": {"holidays": "closed"}}}}},
            "policy.quiet_hours.regions.LK.holidays: not all public holidays of LK in",
        ),
        (
            {"carrier": {"hours": {"open": "09:00-12:00"}}},
            "carriers[0].hours: there is no hour within the quiet hours of their place at which",
        ),
        (
            {"carrier": {"hours": {"regions": {"LK": {"holidays": "closed"}}}}},
            "carriers[0].hours.regions.LK.holidays: not all public holidays of LK in",
        ),
        (
            {"carrier": {"hours": {"open": "08:00-22:00", "categories": []}}},
            "carriers[0].hours.categories: is empty",
        ),
        (
            {"policy": {"quiet_hours": {"categories": []}}},
            "policy.quiet_hours.categories: is empty",
        ),
    ],
)
def test_hours_that_are_hardly_meant(
    read: Read, tables: dict[str, dict[str, object]], begin: str
) -> None:
    asked = date(2200, 1, 1) if "LK" in begin else TODAY
    assert [line for line in warnings.found(read(**tables), asked) if line.startswith(begin)]
    assert not [line for line in warnings.found(read(), TODAY) if "hours" in line]
