"""Where in the world a number is: its region, its state or province, its time zones.

The table `prefixes.txt` beside this module is written by ``tools/prefixes.py`` from the data of
`phonenumbers`, with corrections, and neither is needed to run. It tells what leading digits tell
and no more: a phone abroad, or a North American number carried along to another state, is where its
digits say.
"""

from pathlib import Path
from typing import Final

import msgspec

HEAD: Final = 4
"""Digits that settle the place of most numbers. `DEPTHS` has those that take more."""

RECENT: Final = 1 << 15
"""Prefixes whose place is kept at hand, about 4 MB; a campaign meets far fewer."""


class Place(msgspec.Struct, frozen=True, eq=False):
    """Where a number is. Numbers of the same place have the same object, compared with ``is``.

    Attributes:
        region: ISO 3166 alpha-2, None for numbers of no country (satellite phones, 870).
        subdivision: ISO 3166-2 (``US-TX``) for the area codes of the United States and Canada
            that lie in one state or province; None elsewhere.
        zones: every IANA time zone where the phone may be: several for prefixes shared by them,
            the whole country's for numbers that tell no more; none where there is no country.
    """

    region: str | None
    subdivision: str | None
    zones: frozenset[str]

    @property
    def name(self) -> str:
        """For people: ``US-TX``, ``FR``, ``the world``."""
        return self.subdivision or self.region or "the world"


NOWHERE: Final = Place(None, None, frozenset())
"""The place of a number whose country code does not exist."""


def place_of(number: str) -> Place:
    """The place of E.164 digits (no ``+``), by the longest prefix that is known; `NOWHERE` where
    no country code fits. A number not in service has the place of the numbers around it."""
    prefix = number[: DEPTHS.get(number[:HEAD], HEAD)]
    place = _recent.get(prefix)
    if place is None:
        if len(_recent) >= RECENT:
            _recent.clear()
        sizes = range(len(prefix), 0, -1)
        known = (TABLE[prefix[:size]] for size in sizes if prefix[:size] in TABLE)
        place = _recent[prefix] = next(known, NOWHERE)
    return place


def _load(path: Path) -> dict[str, Place]:
    """The table as prefix -> place."""
    table: dict[str, Place] = {}
    places: dict[str, Place] = {}
    for line in path.read_text("ascii").splitlines():
        if line.startswith("#"):
            continue
        key, _, answer = line.partition(" ")
        place = places.get(answer)
        if place is None:
            name, *zones = answer.split(" ")
            region = None if name == "-" else name[:2]
            subdivision = name if len(name) > 2 else None
            place = places[answer] = Place(region, subdivision, frozenset(zones))
        stem, _, last = key.partition("[")
        for digit in last.rstrip("]") or ("",):
            table[stem + digit] = place
    return table


TABLE: Final = _load(Path(__file__).with_name("prefixes.txt"))
"""The place of every prefix that tells one; a longer prefix overrules a shorter one."""

_recent: Final[dict[str, Place]] = {}

DEPTHS: Final = {
    prefix[:HEAD]: len(prefix) for prefix in sorted(TABLE, key=len) if len(prefix) > HEAD
}
"""How many leading digits tell the place of a number, by its first `HEAD`; absent, `HEAD` do."""

PLACES: Final = frozenset(TABLE.values())
"""Every place where a number can be."""

REGIONS: Final = frozenset(
    name for place in PLACES for name in (place.region, place.subdivision) if name
)
"""Every region and subdivision that a number can belong to."""

CODES: Final = frozenset(
    f"{prefix}{rest:0{3 - len(prefix)}}"[:3]
    for prefix in TABLE
    if len(prefix) <= 3
    for rest in range(10 ** (3 - len(prefix)))
)
"""The first three digits of all numbers whose country code (one to three digits) exists."""
