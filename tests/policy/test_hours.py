import re
from pathlib import Path

import pytest

from gateway.policy.hours import (
    KNOWN,
    KNOWN_HOURS,
    TERRITORIES,
    WEEKDAYS,
    RegionHours,
    names_of,
)
from gateway.policy.regions import REGIONS, place_of
from gateway.policy.windows import parse_hours


def test_the_hours_that_are_known_are_sound() -> None:
    for name, hours in KNOWN_HOURS.items():
        assert hours.problems(name) == []


def test_days_without_hours_of_their_own_have_the_open_hours() -> None:
    schedule = RegionHours(open="09:00-21:00", sunday="closed").schedule(
        "08:00-20:00", place_of("15125550100")
    )
    assert schedule.days == (*[parse_hours("09:00-21:00")] * 6, ())
    assert schedule.holidays is None


def test_without_open_hours_the_general_ones_hold() -> None:
    schedule = RegionHours(sunday="closed").schedule("08:00-20:00", place_of("15125550100"))
    assert schedule.days == (*[parse_hours("08:00-20:00")] * 6, ())


def test_problems_name_the_key_and_the_value() -> None:
    hours = RegionHours(open="9-21", sunday="shut", holidays="closed")
    assert hours.problems("AC") == [
        "regions.AC.open: '9-21' is neither 'closed' nor hours such as '08:00-20:00'",
        "regions.AC.sunday: 'shut' is neither 'closed' nor hours such as '08:00-20:00'",
        "regions.AC.holidays: its public holidays are not known",
    ]
    assert RegionHours().problems("FRA") == [
        "regions.FRA: no number belongs there; write a code as FR or US-TX"
    ]


PAGE = Path(__file__).parents[2] / "docs" / "quiet-hours.md"


def test_the_page_has_the_hours_that_are_known_with_their_sources() -> None:
    documented = re.findall(r"(?m)^\| ([A-Z-]+) \| (\S+) \| (.*?) ?\| (.+) \|$", PAGE.read_text())
    shipped = []
    for name, known in KNOWN.items():
        days = {key: getattr(known.hours, key) for key in (*WEEKDAYS, "holidays")}
        other = ", ".join(f"{key} {hours}" for key, hours in days.items() if hours is not None)
        shipped.append((name, known.hours.open, other, known.source))
    assert documented == shipped
    assert all(
        source.split(":")[0] in ("law", "calls", "carrier", "tracker", "practice")
        for *_, source in shipped
    )


@pytest.mark.parametrize(
    ("to", "names"),
    [
        ("12055550100", ["US-AL", "US"]),
        ("33612345678", ["FR"]),
        ("262692123456", ["RE", "FR"]),
        ("590690123456", ["GP", "FR"]),
        ("17875550100", ["PR", "US"]),
        ("447624123456", ["IM", "GB"]),
        ("447797712345", ["JE", "GB"]),
        ("447781123456", ["GG", "GB"]),
        ("870773123456", []),
    ],
)
def test_whose_hours_may_hold(to: str, names: list[str]) -> None:
    assert names_of(place_of(to)) == names


def test_every_territory_has_numbers_and_hours_or_the_careful_default() -> None:
    assert TERRITORIES.keys() <= REGIONS
    assert set(TERRITORIES.values()) <= REGIONS
