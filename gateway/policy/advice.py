"""What an operator should know of the hours that a configuration comes to; all of it is allowed."""

from collections.abc import Iterator

from gateway.policy.hours import KNOWN_HOURS, WEEKDAYS, RegionHours
from gateway.policy.quiet_hours import QuietHoursOptions

RULES = (*WEEKDAYS, "holidays")
"""The keys of a region that set days apart."""


def dropped(options: QuietHoursOptions) -> Iterator[str]:
    """Days that the shipped hours set apart, and that the hours written instead do not speak of:
    an entry replaces what is shipped for its region as a whole."""
    for name, written in options.regions.items():
        lost = _lost(name, written)
        if lost:
            yield (
                f"regions.{name}: replaces the shipped hours as a whole, and so drops {lost}; "
                "write them into the entry to keep them"
            )


def _lost(name: str, written: RegionHours) -> str:
    shipped = KNOWN_HOURS.get(name, RegionHours())
    return ", ".join(
        f'{key} = "{getattr(shipped, key)}"'
        for key in RULES
        if getattr(shipped, key) is not None and getattr(written, key) is None
    )
