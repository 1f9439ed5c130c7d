"""What an operator should know of dated closings and of the reopening; all of it is allowed."""

from collections.abc import Iterator
from datetime import date, timedelta

from gateway.policy.clocks import DAY
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.policy.windows import EPOCH


def over(options: QuietHoursOptions, today: date) -> Iterator[str]:
    """Closings that are over on every clock."""
    for index, closing in enumerate(options.closings):
        last = date.fromordinal(EPOCH + (closing.closed.end - 1) // DAY)
        if last < today - timedelta(days=1):
            yield f"closings[{index}]: was over on {last}, and holds nothing up; take it out"


def kept_by_nobody(options: QuietHoursOptions, tenants_keep: bool) -> Iterator[str]:
    """Closings and a reopening of hours that no tenant keeps."""
    if tenants_keep:
        return
    for key in ("closings", "reopening"):
        if getattr(options, key):
            yield (
                f"{key}: holds nothing up, since every tenant has quiet_hours = false; take it out,"
                " or let those keep quiet hours whose texts are to wait"
            )
