"""The hours of each region: how they are written, and those that hold where nobody wrote any.

`KNOWN` is a careful reading of law and practice for promotional texts, not legal advice: where
sources differ it takes the narrower hours. ``docs/quiet-hours.md`` has the same table.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from gateway.policy import holidays
from gateway.policy.regions import REGIONS, Place
from gateway.policy.windows import ALWAYS, Schedule, parse_hour, parse_hours

DEFAULT_OPEN: Final = "08:00-20:00"
"""The hours of regions that nothing more is known of."""

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class RegionHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hours of one region, each as `parse_hours` reads it.

    Attributes:
        open: every day that has no hours of its own; absent, the hours outside all regions.
        holidays: public holidays, which come before the day of the week; absent, days like others.
        holidays_from: before which hour nothing goes out on public holidays, ``10:00``.
    """

    open: str | None = None
    monday: str | None = None
    tuesday: str | None = None
    wednesday: str | None = None
    thursday: str | None = None
    friday: str | None = None
    saturday: str | None = None
    sunday: str | None = None
    holidays: str | None = None
    holidays_from: str | None = None

    @property
    def keeps_holidays(self) -> bool:
        """Whether public holidays are other than the days of the week that they fall on."""
        return self.holidays is not None or self.holidays_from is not None

    def schedule(self, general: str, place: Place) -> Schedule:
        """These hours as a schedule for one place, with ``general`` where ``open`` is absent."""
        daily = self.open or general
        days = tuple(parse_hours(getattr(self, day) or daily) for day in WEEKDAYS)
        if not self.keeps_holidays:
            return Schedule(days)
        calendar = holidays.calendar(place)
        special = None if self.holidays is None else parse_hours(self.holidays)
        late = None if self.holidays_from is None else parse_hour(self.holidays_from)
        return Schedule(days, special, calendar, calendar.is_worked, late)

    def faults(self) -> list[str]:
        """What is wrong with hours as they are written, each with its key: ``sunday: 'shut' …``."""
        found = []
        for key in ("open", *WEEKDAYS, "holidays"):
            written = getattr(self, key)
            if written is not None:
                try:
                    parse_hours(written)
                except ValueError as error:
                    found.append(f"{key}: {error}")
        if self.holidays_from is not None and not found:
            found += self._faults_of_mornings(self.holidays_from)
        return found

    def _faults_of_mornings(self, written: str) -> list[str]:
        """What is wrong with the hour before which holidays are closed."""
        try:
            late = parse_hour(written)
        except ValueError as error:
            return [f"holidays_from: {error}"]
        if self.holidays is not None:
            those = parse_hours(self.holidays)
        else:
            those = parse_hours(self.open) if self.open is not None else ALWAYS
        if late >= max((span.end for span in those), default=0):
            mend = 'write an earlier hour, or holidays = "closed"'
            return [f"holidays_from: {written} leaves nothing of the hours of a holiday; {mend}"]
        return []

    def problems(self, name: str) -> list[str]:
        """What is wrong with the hours of the region ``name``, each with its key,
        ``regions.FR.sunday: …``."""
        found = [f"regions.{name}.{fault}" for fault in self.faults()]
        if name not in REGIONS:
            found.append(f"regions.{name}: no number belongs there; write a code as FR or US-TX")
        elif self.keeps_holidays and not holidays.known(name):
            key = "holidays" if self.holidays is not None else "holidays_from"
            found.append(f"regions.{name}.{key}: its public holidays are not known")
        return found


_CLOSED: Final = "closed"


def names_of(place: Place) -> list[str]:
    """The regions whose hours may hold at a place, the nearest first: its subdivision, itself, and
    the country that a territory belongs to."""
    names = (place.subdivision, place.region, TERRITORIES.get(place.region or ""))
    return [name for name in names if name is not None]


TERRITORIES: Final = {
    territory: country
    for country, territories in {
        "AU": "CC CX NF",
        "DK": "FO GL",
        "FI": "AX",
        "FR": "BL GF GP MF MQ NC PF PM RE WF YT",
        "GB": "AC AI BM FK GG GI IM IO JE KY MS SH TA TC VG",
        "NL": "AW BQ CW SX",
        "NO": "SJ",
        "NZ": "CK NU TK",
        "US": "AS GU MP PR VI",
    }.items()
    for territory in territories.split()
}
"""Territories and the countries whose hours they keep unless they have their own."""


def with_territories(regions: Iterable[str]) -> frozenset[str]:
    """Regions and the territories that belong to them: what is the law of the United States is
    that of Puerto Rico."""
    names = frozenset(regions)
    return names.union(name for name, country in TERRITORIES.items() if country in names)


class Known(NamedTuple):
    """The hours of a region, and where they come from.

    ``source`` begins with its kind: ``law`` on texts, or on all telephone solicitation; ``calls``,
    law or a code on telephone calls, taken over for texts; ``carrier``, what carriers let through;
    ``tracker``, lists of law kept by others; ``practice``, what vendors keep to.
    """

    source: str
    hours: RegionHours


def _known(source: str, opened: str, **days: str) -> Known:
    return Known(source, RegionHours(open=opened, **days))


_NO_SUNDAY: Final = {"sunday": _CLOSED}
_NO_HOLIDAY: Final = {"holidays": _CLOSED}
_NEITHER: Final = {"sunday": _CLOSED, "holidays": _CLOSED}
_WORKDAYS: Final = {"saturday": _CLOSED, **_NEITHER}

KNOWN: Final[dict[str, Known]] = {
    "US": _known("law: 47 CFR 64.1200(c)(1)", "08:00-21:00"),
    "US-AL": _known("tracker: Ala. Admin. Code 770-X-5-.17", "08:00-20:00", **_NEITHER),
    "US-CA": _known("calls: Cal. Pub. Util. Code 2872(c), automated", "09:00-21:00"),
    "US-CT": _known("law: Conn. Gen. Stat. 42-288a (SB 1058)", "09:00-20:00"),
    "US-FL": _known("law: Fla. Stat. 501.616 (FTSA)", "08:00-20:00"),
    "US-IL": _known("tracker: 815 ILCS 305; others say from 8", "09:00-21:00"),
    "US-KY": _known("law: KRS 367.46955", "10:00-21:00"),
    "US-LA": _known("law: La. PSC General Order R-29617", "08:00-20:00", **_NEITHER),
    "US-MA": _known("law: 201 CMR 12.00", "08:00-20:00"),
    "US-MD": _known("law: Md. Com. Law 14-4501 ff. (Stop the Spam Calls)", "08:00-20:00"),
    "US-MI": _known("tracker: MCL 750.540e", "09:00-21:00"),
    "US-MN": _known("law: Minn. Stat. 325E.30", "09:00-21:00"),
    "US-MS": _known("tracker: also no holidays", "08:00-20:00", **_NEITHER),
    "US-NJ": _known("tracker", "08:00-20:00"),
    "US-NM": _known("tracker", "09:00-21:00"),
    "US-NV": _known("tracker", "09:00-20:00"),
    "US-OK": _known("law: Okla. Stat. 15-775C", "08:00-20:00"),
    "US-OR": _known("law: HB 3865, names texts, since 2026", "08:00-20:00"),
    "US-PA": _known("tracker: no holidays", "08:00-21:00", **_NO_HOLIDAY),
    "US-RI": _known(
        "law: R.I. Gen. Laws 5-61-2, 5-61-3.6", "09:00-18:00", saturday="10:00-17:00", **_NEITHER
    ),
    "US-SD": _known(
        "calls: SDCL 37-30-28, automated, weekdays only",
        "09:00-21:00",
        saturday=_CLOSED,
        **_NO_SUNDAY,
    ),
    "US-TX": _known("law: SB 140, names texts, since 2025-09", "09:00-21:00", sunday="12:00-21:00"),
    "US-UT": _known("law: Utah Code 13-25a-103(3)", "08:00-21:00", **_NEITHER),
    "US-WA": _known("law: HB 1497 of 2022", "08:00-20:00"),
    "AE": _known("law: TDRA, advertisements by text", "07:00-21:00"),
    "AU": _known(
        "calls: Telemarketing and Research Calls Industry Standard 2017, national holidays",
        "09:00-20:00",
        saturday="09:00-17:00",
        **_NEITHER,
    ),
    "BE": _known("practice", "09:00-20:00"),
    "BR": _known("practice", "08:00-21:00"),
    "CA": _known(
        "calls: CRTC Unsolicited Telecommunications Rules, to 21:30 on weekdays",
        "09:00-21:00",
        saturday="10:00-18:00",
        sunday="10:00-18:00",
    ),
    "CN": _known("practice: guides of the trade; carriers have hours of their own", "08:00-21:00"),
    "CO": _known(
        "law: Ley 2300 de 2023, names texts", "07:00-19:00", saturday="08:00-15:00", **_NEITHER
    ),
    "DE": _known("practice", "08:00-20:00"),
    "ES": _known("calls: RDL 1/2007 art. 96.2", "09:00-21:00", **_WORKDAYS),
    "FR": _known("carrier: 8 to 22 on working days, many to 20", "08:00-20:00", **_NEITHER),
    "GB": _known("practice", "09:00-20:00"),
    "IN": _known("carrier: DLT error 651; TRAI's own hours begin at 9", "10:00-21:00"),
    "IT": _known(
        "calls: codice di condotta of 2024; the day before a holiday to 19:00",
        "09:00-20:00",
        saturday="10:00-19:00",
        **_NEITHER,
    ),
    "KE": _known("carrier: Safaricom, promotional senders", "08:00-18:00"),
    "KR": _known("law: Network Act art. 50(3), without consent for the night", "08:00-21:00"),
    "KZ": _known("practice: from 9", "09:00-20:00"),
    "NL": _known(
        "calls: Code Telemarketing art. 9, on working days to 22:00; by practice to 20:00",
        "09:00-20:00",
        saturday="10:00-16:00",
        **_NEITHER,
    ),
    "PH": _known("law: NTC Memorandum Circular 03-03-2005", "07:00-21:00"),
    "SA": _known(
        "carrier: CST's rules; sources say from 8 or 9 and to 20, 21 or 22", "09:00-20:00"
    ),
    "ZA": _known(
        "law: Consumer Protection Act, notice R293 of 2011",
        "08:00-20:00",
        saturday="09:00-13:00",
        **_NEITHER,
    ),
}
"""Promotional hours by region or subdivision."""

KNOWN_HOURS: Final = {name: known.hours for name, known in KNOWN.items()}
"""The same without the sources."""
