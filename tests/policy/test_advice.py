"""What ``gateway check`` says of hours that are allowed."""

import pytest

from gateway.policy.advice import dropped
from gateway.policy.hours import RegionHours
from gateway.policy.quiet_hours import QuietHoursOptions

CLOSED = "closed"


@pytest.mark.parametrize(
    ("name", "written", "lost"),
    [
        ("FR", RegionHours(open="08:00-20:00"), 'sunday = "closed", holidays = "closed"'),
        ("FR", RegionHours(open="08:00-20:00", sunday=CLOSED), 'holidays = "closed"'),
        ("FR", RegionHours(sunday="10:00-12:00", holidays="10:00-12:00"), None),
        ("US-TX", RegionHours(open="09:00-21:00"), 'sunday = "12:00-21:00"'),
        ("CN", RegionHours(open="00:00-24:00"), None),
        ("JP", RegionHours(open="09:00-18:00"), None),
    ],
)
def test_an_entry_that_drops_days_which_the_shipped_hours_set_apart(
    name: str, written: RegionHours, lost: str | None
) -> None:
    found = list(dropped(QuietHoursOptions(regions={name: written})))
    assert [line.partition(" drops ")[2].partition(";")[0] for line in found] == (
        [] if lost is None else [lost]
    )
    assert all(line.startswith(f"regions.{name}: ") for line in found)
