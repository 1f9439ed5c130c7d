"""Public holidays by region, from the `holidays` package.

That package costs about 80 ms to import and as much again for the first calendar, so nothing here
touches it before hours are asked for that depend on holidays.
"""

from collections.abc import Callable
from datetime import date
from functools import cache

from gateway.policy.regions import Place


def known(name: str) -> bool:
    """Whether there is a calendar for a region or subdivision (``FR``, ``US-TX``)."""
    return _find(name) is not None


@cache
def calendar(place: Place) -> Callable[[date], bool]:
    """Tells the public holidays of a place, those of its subdivision where it has one. A place
    without a calendar has none."""
    return (place.subdivision and _find(place.subdivision)) or _find(place.region or "") or _none


@cache
def _find(name: str) -> Callable[[date], bool] | None:
    from holidays import country_holidays  # noqa: PLC0415 - see the top of this module

    region, _, subdivision = name.partition("-")
    try:
        return country_holidays(region, subdiv=subdivision or None).__contains__
    except NotImplementedError:
        return None


def _none(_day: date) -> bool:
    return False
