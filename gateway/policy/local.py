"""What a sender says of its recipient's wall clock: when, where, and within which hours.

`read` checks it, `placed` says where the phone is then, `moment` when a clock there shows a time,
and `narrowed` which hours are left of a place's own. A window never widens what is allowed.
"""

import re
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from gateway.message import Local, Message
from gateway.policy.clocks import clock, zone_of
from gateway.policy.regions import PLACES, REGIONS, Place, place_of
from gateway.policy.windows import Hours, Schedule, Span, parse_hours

WINDOW_MAX: Final = 120
"""Characters of a message's window: ten spans."""

REMEMBERED: Final = 1 << 12
"""Places, moments and windows that are kept at hand: a campaign has few."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", re.ASCII)


def read(time_zone: str | None, region: str | None, window: str | None) -> Local:
    """What is said, checked. Raises ValueError, saying which field is wrong and what to write."""
    if time_zone is not None:
        try:
            zone_of(time_zone)
        except ValueError as error:
            raise ValueError(f"time_zone: {error}") from None
    if region is not None and region not in REGIONS:
        raise ValueError(
            f"region: {region[:16]!r} is no ISO 3166 code of a country, such as 'FR', or of a state"
            " of the United States or province of Canada, such as 'US-TX'"
        )
    if window is not None:
        _window(window)
    return Local(time_zone, region, window)


@lru_cache(REMEMBERED)
def _window(text: str) -> Hours:
    """A message's window."""
    if len(text) > WINDOW_MAX:
        raise ValueError(f"window: {text[:40]!r}… is longer than {WINDOW_MAX} characters")
    try:
        hours = parse_hours(text)
    except ValueError as error:
        raise ValueError(f"window: {error}") from None
    if not hours:
        raise ValueError(f"window: {text!r} never opens; write hours such as '10:00-12:00'")
    return hours


def placed(base: Place, local: Local) -> Place:
    """Where a phone is whose digits say ``base``. Digits that agree with the region, or say more,
    are believed: a state's area code where the sender names the country."""
    return _placed(base, local.time_zone, local.region)


def place_for(message: Message) -> Place:
    """Where the phone of a message is, as its sender says, or its digits."""
    place = place_of(message.to)
    return place if message.local is None else placed(place, message.local)


@lru_cache(REMEMBERED)
def _placed(base: Place, time_zone: str | None, region: str | None) -> Place:
    name, subdivision, zones = base.region, base.subdivision, base.zones
    if region is not None and region not in (name, subdivision):
        name = region[:2]
        subdivision = region if len(region) > 2 else None
        zones = _zones(region)
    if time_zone is not None:
        zones = frozenset({time_zone})
    if (name, subdivision, zones) == (base.region, base.subdivision, base.zones):
        return base
    return Place(name, subdivision, zones)


def _zones(region: str) -> frozenset[str]:
    """Every time zone of a region: those of its states and provinces, where it has any."""
    inside = [place for place in PLACES if region in (place.region, place.subdivision)]
    states = [place for place in inside if place.subdivision is not None]
    return frozenset().union(*(place.zones for place in states or inside))


def narrowed(schedule: Schedule | None, window: str | None) -> Schedule:
    """The hours of a place that lie in a message's window; of a place without any, the window."""
    if window is None:
        # A schedule is left out only where there is a window, or nothing is kept to.
        return schedule or Schedule((parse_hours("00:00-24:00"),) * 7)
    within = _window(window)
    if schedule is None:
        return Schedule((within,) * 7)
    special = None if schedule.holidays is None else _both(schedule.holidays, within)
    days = tuple(_both(day, within) for day in schedule.days)
    return msgspec.structs.replace(schedule, days=days, holidays=special)


def _both(one: Hours, other: Hours) -> Hours:
    return tuple(
        Span(max(a.start, b.start), min(a.end, b.end))
        for a in one
        for b in other
        if max(a.start, b.start) < min(a.end, b.end)
    )


class Moment(NamedTuple):
    """When the last of several wall clocks shows a time, and whether the first did so earlier."""

    at: float
    several: bool


@lru_cache(REMEMBERED)
def moment(text: str, zones: AbstractSet[str]) -> Moment:
    """The first instant at which the clocks of all these zones have shown a time, written
    ``2026-11-11T10:00``. One that a clock skips is shown when it jumps, one that it shows twice the
    first time. Raises ValueError, with a sentence."""
    try:
        if _TIME.fullmatch(text) is None:
            raise ValueError(text)
        shown = datetime.fromisoformat(text)
    except ValueError:
        what = f"send_at_local: {text[:40]!r} is no time of a wall clock such as '2026-11-11T10:00'"
        raise ValueError(f"{what}; one with a time zone is a send_at") from None
    if not 1971 <= shown.year <= 2999:
        raise ValueError(f"send_at_local: {text!r} is not within a year from now")
    if not zones:
        raise ValueError(
            "send_at_local: nobody knows which time zone this phone is in; state time_zone"
        )
    found = {clock(zone).first_shows(shown) for zone in zones}
    return Moment(max(found), len(found) > 1)
