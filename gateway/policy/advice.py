"""What an operator should know of the hours that a configuration comes to; all of it is allowed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from gateway.policy import holidays
from gateway.policy.carrier_hours import CarrierHours, CarrierHoursOptions
from gateway.policy.clocks import DAY
from gateway.policy.hours import (
    DEFAULT_OPEN,
    KNOWN_HOURS,
    TERRITORIES,
    WEEKDAYS,
    RegionHours,
    names_of,
)
from gateway.policy.openings import Openings
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions, hours_at
from gateway.policy.regions import PLACES, Place
from gateway.policy.windows import ALWAYS, EPOCH, HORIZON, Window, parse_hours

RULES: Final = (*WEEKDAYS, "holidays")
"""The keys of a region that set days apart."""

QUARTER: Final = 91
"""Days. Whether clocks are ever open at once is seen by looking at each season."""


def dropped(options: QuietHoursOptions) -> Iterator[str]:
    """Hours and days that are shipped, and that what is written instead does not speak of."""
    general = options.open or DEFAULT_OPEN
    if options.open is not None and parse_hours(options.open) != ALWAYS:
        bare = [name for name in sorted(KNOWN_HOURS) if name not in options.regions]
        apart = [name for name in bare if _apart(KNOWN_HOURS[name])]
        narrow = [name for name in bare if _beyond(general, KNOWN_HOURS[name].open)]
        lost = [f"the closed Sundays or holidays of {', '.join(apart)}"] if apart else []
        if narrow:
            lost.append(f"the narrower hours of {', '.join(narrow)}")
        if lost:
            yield (
                "open: holds wherever a region has no entry, and so drops the shipped hours, with "
                f"{' and '.join(lost)}; leave it out, or give them an entry"
            )
    for name, written in options.regions.items():
        lost = _lost(name, written, general)
        if lost:
            yield (
                f"regions.{name}: replaces the shipped hours as a whole, and so drops "
                f"{', '.join(lost)}; write them into the entry to keep them"
            )
        below = [
            one
            for one in sorted(KNOWN_HOURS)
            if one.startswith(f"{name}-") and one not in options.regions
        ]
        if below and options.open is None:
            yield (
                f"regions.{name}: holds in {', '.join(below)} too, and so drops the hours that are "
                "shipped for these; give them an entry to keep theirs"
            )


def _apart(hours: RegionHours) -> bool:
    return any(getattr(hours, key) is not None for key in RULES)


def _beyond(general: str, shipped: str | None) -> bool:
    """Whether hours are open at some time at which the shipped ones, where there are any, are
    not."""
    spans = ALWAYS if shipped is None else parse_hours(shipped)
    return not all(
        any(one.start <= span.start and span.end <= one.end for one in spans)
        for span in parse_hours(general)
    )


def _lost(name: str, written: RegionHours, general: str) -> list[str]:
    """What is shipped for a region, or for the country that it belongs to, and that an entry for it
    does not speak of: days, and hours narrower than the general ones that hold instead."""
    country = TERRITORIES.get(name) or name.partition("-")[0]
    shipped = KNOWN_HOURS.get(name) or KNOWN_HOURS.get(country) or RegionHours()
    keys = RULES if not _beyond(general, shipped.open) else ("open", *RULES)
    return [
        f'{key} = "{getattr(shipped, key)}"'
        for key in keys
        if getattr(shipped, key) is not None and getattr(written, key) is None
    ]


def never_open(options: QuietHoursOptions, today: date) -> Iterator[str]:
    """Numbers that may be in so many time zones that no hour is open in all of them."""
    shut: dict[str, set[str]] = {}
    for place in _shut([QuietHours(options).openings], today):
        entry = next((one for one in names_of(place) if one in options.regions), None)
        shut.setdefault(f"regions.{entry}" if entry else "open", set()).add(place.name)
    for entry, names in sorted(shut.items()):
        yield (
            f"{entry}: leaves some numbers of {_some(names)} without an hour at which all their "
            f"time zones are open, within {HORIZON} days of some season; what keeps to hours is "
            "refused there as expired"
        )


def carrier_never_open(
    options: CarrierHoursOptions, quiet: QuietHoursOptions, today: date
) -> Iterator[str]:
    """Numbers to which a carrier takes texts at no hour, or at none that quiet hours allow."""
    openings = [CarrierHours(options).openings]
    within = ""
    if not options.categories.isdisjoint(quiet.categories):
        openings.append(QuietHours(quiet).openings)
        within = " within the quiet hours of their place"
    names = {place.name for place in _shut(openings, today)}
    if names:
        yield (
            f"there is no hour{within} at which it takes texts to some numbers of {_some(names)}; "
            "widen its hours, state its `zone`, or have another carrier in their route"
        )


def _some(names: set[str], most: int = 10) -> str:
    shown = sorted(names)
    return ", ".join(shown[:most] + ["…"] * (len(shown) > most))


def _shut(hours: Sequence[Openings], today: date) -> Iterator[Place]:
    """The places whose zones are known, and that have no opening in some season which all these
    hours share."""
    first = today.toordinal() - EPOCH
    for place in PLACES:
        windows = [one.at(place) for one in hours]
        if place.zones and not all(
            _meet(windows, float(first + season * QUARTER) * DAY) for season in range(4)
        ):
            yield place


def _meet(windows: Sequence[Window], at: float) -> bool:
    """Whether windows are open at once at some time, from a moment on."""
    end = at + HORIZON * DAY
    while at < end:
        opens = max(
            (state.until for one in windows if not (state := one.state(at)).open), default=at
        )
        if opens == at:
            return True
        at = opens
    return False


def unknown_holidays(options: QuietHoursOptions, today: date) -> Iterator[str]:
    """Public holidays that hours depend on, of this year or the next, and that are not known."""
    return _unknown(lambda place: hours_at(place, options), options.regions, today)


def carrier_unknown_holidays(options: CarrierHoursOptions, today: date) -> Iterator[str]:
    """The same of a carrier's own hours."""
    return _unknown(CarrierHours(options).hours_at, options.regions, today)


AHEAD: Final = 3
"""Years, this one among them, for which it is looked whether holidays are known."""


def holidays_known_until(
    quiet: QuietHoursOptions, carriers: Iterable[CarrierHoursOptions], today: date
) -> dict[str, date]:
    """Until when the public holidays are known that hours depend on, by the name of the calendar;
    three years at most."""
    kept = [lambda place: hours_at(place, quiet), *(CarrierHours(one).hours_at for one in carriers)]
    names = {
        _calendar(place) for hours_of in kept for place in PLACES if hours_of(place).keeps_holidays
    }
    last = today.year + AHEAD
    return {
        name: date(
            next(
                (y for y in range(today.year, last) if not holidays.known_in(name, y)),
                last,
            ),
            1,
            1,
        )
        for name in sorted(names - {""})
    }


def _unknown(
    hours_of: Callable[[Place], RegionHours], regions: Mapping[str, RegionHours], today: date
) -> Iterator[str]:
    seen: set[tuple[str, int]] = set()
    for place in sorted(PLACES, key=_name):
        if not hours_of(place).keeps_holidays:
            continue
        calendar = _calendar(place)
        entry = next((one for one in names_of(place) if one in regions), None)
        for year in (today.year, today.year + 1):
            if not calendar or (calendar, year) in seen:
                continue
            seen.add((calendar, year))
            what = ""
            if not holidays.known_in(calendar, year):
                what = f"not all public holidays of {calendar} in {year} are known yet"
            elif entry == calendar and holidays.reckoned_in(calendar, year, today):
                what = (
                    f"public holidays of {calendar} in {year} that go by the moon may be a day off"
                )
            if what:
                key = f"regions.{entry}.holidays" if entry else "holidays"
                yield (f"{key}: {what}; update the `holidays` package once they are announced")


def _name(place: Place) -> str:
    return place.name


def _calendar(place: Place) -> str:
    """The name of the calendar that tells a place's holidays."""
    if place.subdivision is not None and holidays.known(place.subdivision):
        return place.subdivision
    return place.region or ""
