"""The hours of each region: how they are written, and those that hold where nobody wrote any.

The table is a careful reading of law and practice for promotional texts, not legal advice: where
sources differ it takes the narrower hours.
"""

from typing import Final

import msgspec

from gateway.policy import holidays
from gateway.policy.regions import REGIONS, Place
from gateway.policy.windows import Schedule, parse_hours

DEFAULT_OPEN: Final = "08:00-20:00"
"""The hours of regions that nothing more is known of."""

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class RegionHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hours of one region, each as `parse_hours` reads it.

    Attributes:
        open: every day that has no hours of its own; absent, the hours outside all regions.
        holidays: public holidays, which come before the day of the week; absent, days like others.
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

    def schedule(self, general: str, place: Place) -> Schedule:
        """These hours as a schedule for one place, with ``general`` where ``open`` is absent."""
        daily = self.open or general
        days = tuple(parse_hours(getattr(self, day) or daily) for day in WEEKDAYS)
        if self.holidays is None:
            return Schedule(days)
        calendar = holidays.calendar(place)
        return Schedule(days, parse_hours(self.holidays), calendar, calendar.is_worked)

    def problems(self, name: str) -> list[str]:
        """What is wrong with the hours of the region ``name``, each with its key,
        ``regions.FR.sunday: …``."""
        found = []
        for key in ("open", *WEEKDAYS, "holidays"):
            written = getattr(self, key)
            if written is not None:
                try:
                    parse_hours(written)
                except ValueError as error:
                    found.append(f"regions.{name}.{key}: {error}")
        if name not in REGIONS:
            found.append(f"regions.{name}: no number belongs there; write a code as FR or US-TX")
        elif self.holidays is not None and not holidays.known(name):
            found.append(f"regions.{name}.holidays: its public holidays are not known")
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
        "MA": "EH",
        "NL": "AW BQ CW SX",
        "NO": "SJ",
        "NZ": "CK NU TK",
        "US": "AS GU MP PR VI",
    }.items()
    for territory in territories.split()
}
"""Territories and the countries whose hours they keep unless they have their own."""

# law: a statute or regulator; tracker: compliance trackers of state law; carrier: operators' rules;
# calls: law on telephone calls, taken over for texts; practice: what vendors keep to.
KNOWN_HOURS: Final[dict[str, RegionHours]] = {
    "US": RegionHours(open="08:00-21:00"),  # law: 47 CFR 64.1200(c)(1)
    "US-AL": RegionHours(open="08:00-20:00", sunday=_CLOSED, holidays=_CLOSED),  # tracker
    "US-CT": RegionHours(open="09:00-20:00"),  # tracker
    "US-FL": RegionHours(open="08:00-20:00"),  # tracker
    "US-IL": RegionHours(open="09:00-21:00"),  # tracker; others say from 8
    "US-KY": RegionHours(open="10:00-21:00"),  # tracker
    "US-LA": RegionHours(open="08:00-20:00", sunday=_CLOSED, holidays=_CLOSED),  # tracker
    "US-MA": RegionHours(open="08:00-20:00"),  # tracker
    "US-MD": RegionHours(open="08:00-20:00"),  # tracker
    "US-MI": RegionHours(open="09:00-21:00"),  # tracker
    "US-MN": RegionHours(open="09:00-21:00"),  # tracker
    "US-MS": RegionHours(open="08:00-20:00", sunday=_CLOSED),  # tracker
    "US-NJ": RegionHours(open="08:00-20:00"),  # tracker
    "US-NM": RegionHours(open="09:00-21:00"),  # tracker
    "US-NV": RegionHours(open="09:00-20:00"),  # tracker
    "US-OK": RegionHours(open="08:00-20:00"),  # tracker
    "US-PA": RegionHours(open="08:00-21:00", holidays=_CLOSED),  # tracker
    "US-RI": RegionHours(
        open="09:00-18:00", saturday="10:00-17:00", sunday="10:00-17:00", holidays=_CLOSED
    ),  # tracker
    "US-TX": RegionHours(open="09:00-21:00", sunday="12:00-21:00"),  # law: SB 140, 2025-09-01
    "US-UT": RegionHours(open="08:00-21:00", holidays=_CLOSED),  # tracker
    "US-WA": RegionHours(open="08:00-20:00"),  # tracker; hours unconfirmed
    "AE": RegionHours(open="07:00-21:00"),  # law
    "AU": RegionHours(open="09:00-20:00", saturday="09:00-17:00", sunday=_CLOSED),  # calls
    "BE": RegionHours(open="09:00-20:00"),  # practice
    "BR": RegionHours(open="08:00-21:00"),  # practice
    "CA": RegionHours(open="09:00-21:00", saturday="10:00-18:00", sunday="10:00-18:00"),  # calls
    "CN": RegionHours(open="08:00-21:00"),  # practice; carriers block outside 8-22
    "DE": RegionHours(open="08:00-20:00"),  # practice
    "ES": RegionHours(
        open="09:00-21:00", saturday=_CLOSED, sunday=_CLOSED, holidays=_CLOSED
    ),  # calls
    "FR": RegionHours(open="08:00-20:00", sunday=_CLOSED, holidays=_CLOSED),  # carrier; some to 22
    "GB": RegionHours(open="09:00-20:00"),  # practice
    "IN": RegionHours(open="10:00-21:00"),  # carrier: DLT error 651
    "KR": RegionHours(open="08:00-21:00"),  # law, without consent to texts at night
}
"""Promotional hours by region or subdivision."""
