import pytest

from gateway.ops.console.words import MARKS, count, measure, moment, rate, share, since, span
from tests.ops.console.staging import NOW


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "–"),  # noqa: RUF001
        (0.0, "0 s"),
        (0.44, "0.4 s"),
        (9.0, "9 s"),
        (59.6, "60 s"),
        (119.0, "119 s"),
        (185.0, "3 min"),
        (7_199.0, "119 min"),
        (7_200.0, "2 h"),
        (11_100.0, "3 h 5 min"),
        (90_000.0, "25 h"),
        (1_000_000.0, "11 d"),
        (-30.0, "-30 s"),
    ],
)
def test_spans_are_told_as_people_say_them(seconds: float | None, told: str) -> None:
    assert span(seconds) == told


def test_times_name_their_day_unless_it_is_today() -> None:
    assert ">02:20:00<" in moment(NOW, NOW)
    assert ">2026-11-11 02:20:00<" in moment(NOW, NOW + 86_400)
    assert 'title="2026-11-11 02:20:00 UTC"' in moment(NOW)
    assert since(NOW - 185, NOW) == "3 min"
    assert since(NOW + 5, NOW) == "0 s"  # a clock that was set back


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (None, "s", "–"),  # noqa: RUF001
        (float("nan"), "s", "–"),  # noqa: RUF001
        (0.0047, "s", "4.7 ms"),
        (185.0, "s", "3 min"),
        (1_530_000_000.0, "bytes", "1.53 GB"),
        (0.934, "percentunit", "93.4%"),
        (12.34, "ops", "12.3/s"),
        (12_345.6, "ops", "12,346/s"),
        (1.0, "bool", "yes"),
        (0.0, "bool", "no"),
        (12_711.4, "short", "12,711"),
        (0.5, "short", "0.5"),
        (NOW * 1000, "dateTimeAsIso", "2026-11-11 02:20:00 UTC"),
    ],
)
def test_values_of_panels_are_told_in_their_unit(value: float | None, unit: str, told: str) -> None:
    assert measure(value, unit) == told


def test_numbers_are_grouped() -> None:
    assert (count(12_310), count(None)) == ("12,310", "–")  # noqa: RUF001
    assert (rate(0), rate(2.5), rate(1500)) == ("unlimited", "2.5/s", "1,500/s")
    assert (share(1, 4), share(1, 0)) == ("25%", "–")  # noqa: RUF001


def test_every_look_has_a_word() -> None:
    assert all(word for _, word in MARKS.values())
