"""What is hardly meant of closings and a reopening."""

from datetime import date

import pytest

from gateway.policy import closing_advice
from gateway.policy.closings import Closing
from gateway.policy.quiet_hours import QuietHoursOptions

OVER = "closings[0]: was over on 2026-11-24, and holds nothing up; take it out"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("2026-11-24", [OVER]),
        ("2026-11-25T00:00", [OVER]),
        ("2026-11-25", []),  # on some clocks it is yesterday still
        ("2026-11-26T12:00", []),
        ("2026-12-01", []),
    ],
)
def test_closings_that_are_over(end: str, said: list[str]) -> None:
    options = QuietHoursOptions(closings=(Closing(start="2026-11-20", end=end),))
    assert list(closing_advice.over(options, date(2026, 11, 26))) == said


def test_closings_that_hold_nobody() -> None:
    closings = (Closing(start="2026-11-20", end="2026-11-21"),)
    options = QuietHoursOptions(closings=closings, reopening=60)
    assert [line.split(":")[0] for line in closing_advice.kept_by_nobody(options, False)] == [
        "closings",
        "reopening",
    ]
    assert list(closing_advice.kept_by_nobody(options, True)) == []
    assert list(closing_advice.kept_by_nobody(QuietHoursOptions(), False)) == []
