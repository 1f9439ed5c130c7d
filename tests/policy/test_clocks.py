from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.clocks import BLOCK, BLOCKS, DAY, Clock, clock, newest, release
from gateway.policy.regions import PLACES

ZONES = sorted({zone for place in PLACES for zone in place.zones})


def folder(path: Path, mark: str) -> str:
    """A folder of time zones of some release; of none where ``mark`` is empty."""
    (path / "Europe").mkdir(parents=True)
    if mark:
        (path / "tzdata.zi").write_text(f"# version {mark}\n# This zic input file is …\n")
    return str(path)


@pytest.mark.parametrize(
    ("system", "first"),
    [
        ("2025b", "packaged"),
        ("2026f", "system"),
        ("2026g", "system"),
        ("2031a", "system"),
        ("", "packaged"),  # some systems do not say
    ],
)
def test_the_newest_time_zones_hold(tmp_path: Path, system: str, first: str) -> None:
    packaged = folder(tmp_path / "packaged", "2026f")
    found = newest([folder(tmp_path / "system", system)], packaged)
    assert found[0] == str(tmp_path / first)


def test_a_system_without_time_zones_has_the_package_s(tmp_path: Path) -> None:
    packaged = folder(tmp_path / "packaged", "2026f")
    assert newest([str(tmp_path / "nowhere")], packaged)[0] == packaged
    assert newest([], packaged) == [packaged]
    assert release(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        # What changed in the two years before this was written; a system of 2025 has other clocks.
        ("America/Vancouver", -7),
        ("America/Edmonton", -6),
        ("America/Winnipeg", -5),
        ("Africa/Casablanca", 0),
        ("America/Coyhaique", -3),
    ],
)
def test_clocks_that_are_changed_no_more(zone: str, hours: int) -> None:
    for month in (1, 7):
        day = int(datetime(2027, month, 15, tzinfo=UTC).timestamp()) // DAY
        assert [ahead for _, _, ahead in clock(zone).through(day)] == [hours * 3600]


@given(st.sampled_from(ZONES), st.integers(15_000, 25_000), st.integers(0, DAY - 1))
def test_a_clock_shows_what_its_zone_says(zone: str, day: int, second: int) -> None:
    at = day * DAY + second
    [ahead] = [ahead for begin, end, ahead in clock(zone).through(day) if begin <= at < end]
    expected = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
    assert expected is not None
    assert ahead == expected.total_seconds()


def test_a_clock_is_changed_to_the_second() -> None:
    day = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp()) // DAY
    begin, change, end = day * DAY, day * DAY + 3600, (day + 1) * DAY
    assert clock("Europe/Paris").through(day) == ((begin, change, 3600), (change, end, 7200))
    day = int(datetime(2026, 10, 4, tzinfo=UTC).timestamp()) // DAY
    assert len(clock("Australia/Lord_Howe").through(day - 1)) == 2  # at 15:30 UTC, by 30 minutes


@pytest.mark.parametrize("zone", ["Atlantic/Azores", "Europe/London", "Asia/Beirut"])
def test_a_change_at_midnight_of_utc_is_seen_once(zone: str) -> None:
    shown = [ahead for day in range(19_700, 20_065) for _, _, ahead in clock(zone).through(day)]
    assert sum(one != other for one, other in pairwise(shown)) == 2
    days = [clock(zone).through(day) for day in range(19_700, 20_065)]
    assert all(today[-1][1] == after[0][0] for today, after in pairwise(days))


def test_what_a_clock_keeps_is_bounded(weigh: Callable[[object], int]) -> None:
    one = Clock("Asia/Kolkata")
    for block in range(BLOCKS):
        one.through(block * BLOCK)
    full = weigh(one)
    for block in range(BLOCKS, 10 * BLOCKS):
        one.through(block * BLOCK)
        assert weigh(one) < 1.1 * full
