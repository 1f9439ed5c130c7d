"""When the messages of a load test are due."""

import pytest

from benchmarks.target.schedule import SHOP, day, read_curve, steady


def test_a_steady_rate_is_steady() -> None:
    schedule = steady(50, 10)
    assert (schedule.total, schedule.seconds) == (500, 10)
    assert [schedule.due(number) for number in (0, 1, 50, 499)] == pytest.approx([0, 0.02, 1, 9.98])


def test_a_day_peaks_at_the_rate_and_has_its_shape() -> None:
    schedule = day(((6 * 60, 1), (12 * 60, 4), (18 * 60, 1)), highest=400, seconds=24)
    dues = [schedule.due(number) for number in range(schedule.total)]
    assert dues == sorted(dues)
    assert dues[0] >= 0
    assert dues[-1] <= 24
    by_hour = [sum(hour <= due < hour + 1 for due in dues) for hour in range(24)]
    assert by_hour[2] == pytest.approx(100, abs=2)  # over midnight it stays at the least
    assert by_hour[11] == pytest.approx(375, abs=3)
    assert max(by_hour) <= 400
    assert by_hour[6:12] == sorted(by_hour[6:12])


def test_a_day_may_have_hours_without_anything() -> None:
    schedule = day(((8 * 60, 0), (9 * 60, 10), (10 * 60, 0)), highest=100, seconds=24)
    dues = [schedule.due(number) for number in range(schedule.total)]
    assert schedule.total == pytest.approx(100, abs=1)
    assert dues[1] >= 8
    assert dues[-2] <= 10


def test_the_day_that_is_shipped_is_one() -> None:
    assert [minute for minute, _ in SHOP] == sorted({minute for minute, _ in SHOP})
    assert day(SHOP, 100, 60).total > 0


@pytest.mark.parametrize(
    ("text", "curve"),
    [
        ("00:00,1\n12:00,3\n", [(0, 1), (720, 3)]),
        ("time,messages\n8:30,10\n23:59,2.5", [(510, 10), (1439, 2.5)]),
        ("# a day\n\n08:00,1\n09:00,0\n", [(480, 1), (540, 0)]),
    ],
)
def test_curves_are_read(text: str, curve: list[tuple[int, float]]) -> None:
    assert list(read_curve(text.splitlines())) == curve


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no two times"),
        ("08:00,1", "no two times"),
        ("08:00,0\n09:00,0", "nothing at any"),
        ("08:00,1\nnoon,2", "line 2: 'noon,2' is not HH:MM,NUMBER"),
        ("08:00,1\n25:00,2", "line 2: '25:00,2'"),
        ("08:00,1\n09:00", "line 2: '09:00'"),
        ("08:00,1\n09:00,many", "line 2: 'many' is not a number from 0 up"),
        ("08:00,1\n09:00,-1", "line 2: '-1' is not"),
        ("08:00,1\n09:00,nan", "line 2: 'nan' is not"),
        ("08:00,1\n08:00,2", "line 2: 08:00 is not later"),
    ],
)
def test_what_is_no_curve_is_named(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_curve(text.splitlines())
