"""Public holidays by region, from the `holidays` package.

That package takes 130 ms to import and each calendar up to 3 ms for a year, so both are loaded when
hours are configured that depend on them (`load`), and not when the first message asks.
"""

import warnings
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

from gateway.policy.regions import Place

if TYPE_CHECKING:
    from holidays import HolidayBase

LATELY: Final = 3
"""Years in which a country that announces exchanged days every year has done so at least twice."""


YEARS: Final = 3
"""Years of holidays that are loaded: this one, and the two that messages accepted until its end can
be about."""


STRETCHES: Final = frozenset({"CN"})
"""Countries that announce holidays as days in a row, the weekends among them: National Day of 2026
is 1 to 7 October (notice of the General Office of the State Council of November 2025), of which the
package has no Sunday."""

WEEKEND: Final = 5
"""Saturday, as `date.weekday` counts; Sunday is the day after."""


def years_ahead(now: float) -> range:
    """The years whose holidays are to be at hand from a moment on."""
    year = datetime.fromtimestamp(now, UTC).year
    return range(year, year + YEARS)


class Calendar:
    """Tells the public holidays of one place. A year not yet loaded is when it is asked for.

    Attributes:
        years: those that are loaded.
    """

    def __init__(self, country: "HolidayBase | None") -> None:
        self.years: frozenset[int] = frozenset()
        self._country = country
        self._holidays: frozenset[date] = frozenset()
        self._worked: frozenset[date] = frozenset()

    def load(self, years: Iterable[int]) -> None:
        """Have the holidays of these years at hand."""
        new = set(years) - self.years
        if not new:
            return
        self.years |= new
        if self._country is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # far years of moon calendars, of which it tells us
                for year in new:
                    date(year, 1, 1) in self._country  # noqa: B015 - what works out the year
            self._holidays = frozenset(self._country)
            # What is worked in exchange for a holiday is none, whatever else falls on that day.
            self._worked = frozenset(self._country.weekend_workdays) - self._holidays
            if self._country.country in STRETCHES:
                self._holidays = _with_weekends(self._holidays, self._worked)

    def __call__(self, day: date) -> bool:
        """Whether a day is a public holiday, or a day off that was exchanged for a worked one."""
        # A weekend before New Year's Day may be of that.
        self.load({day.year, (day + timedelta(days=2)).year})
        return day in self._holidays

    def is_worked(self, day: date) -> bool:
        """Whether a day of the weekend is worked in exchange for another, as China does."""
        self.load((day.year,))
        return day in self._worked


def _with_weekends(holidays: frozenset[date], worked: frozenset[date]) -> frozenset[date]:
    """Holidays and the weekends beside them that are not worked."""
    found = set(holidays)
    for holiday in holidays:
        for step in (timedelta(days=1), timedelta(days=-1)):
            day = holiday + step
            while day.weekday() >= WEEKEND and day not in worked and day not in holidays:
                found.add(day)
                day += step
    return frozenset(found)


def known(name: str) -> bool:
    """Whether there is a calendar for a region or subdivision (``FR``, ``US-TX``)."""
    return _find(name) is not None


def known_in(name: str, year: int) -> bool:
    """Whether the holidays of a year are known. Some countries announce each year's exchanged days
    in the autumn before; until then its calendar has only what the law says."""
    country = _country(name)
    if country is None or not country.start_year <= year <= country.end_year:
        return False
    announced: list[int] = sorted(getattr(country, "special_public_holidays", None) or ())
    if not country.has_substituted_holidays or len(announced) < 2:
        return True
    before, last = announced[-2:]
    regular = last >= year - LATELY and before >= last - LATELY
    return year <= last or not regular


def reckoned_in(name: str, year: int, today: date) -> bool:
    """Whether public holidays of a year, from a day on, are reckoned and not announced: those that
    go by the moon may yet be a day off."""
    country = _country(name, "en_US")
    if country is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        date(year, 1, 1) in country  # noqa: B015 - what works out the year
    return any(
        day.year == year and day >= today and "estimated" in called
        for day, called in country.items()
    )


def calendar(place: Place) -> Calendar:
    """The public holidays of a place, those of its subdivision where it has one. A place without a
    calendar has none."""
    return (place.subdivision and _find(place.subdivision)) or _find(place.region or "") or NONE


@cache
def _find(name: str) -> Calendar | None:
    country = _country(name)
    return None if country is None else Calendar(country)


@cache
def _country(name: str, language: str | None = None) -> "HolidayBase | None":
    from holidays import country_holidays  # noqa: PLC0415 - see the top of this module

    region, _, subdivision = name.partition("-")
    try:
        return country_holidays(region, subdiv=subdivision or None, language=language)
    except NotImplementedError:
        return None


NONE: Final = Calendar(None)
"""No holidays at all."""
