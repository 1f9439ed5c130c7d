"""Dated closings: times at which a region gets no texts that keep hours, whatever its hours are.

Elections, days of mourning, emergencies: nobody can ship them, so they are written in
``[[policy.quiet_hours.closings]]`` as they are announced, on the wall clocks of the region.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from gateway.policy.clocks import DAY
from gateway.policy.hours import names_of
from gateway.policy.regions import REGIONS, Place
from gateway.policy.windows import EPOCH, Closed

LONGEST: Final = 28
"""Days of a closing: what waits longer than that had better be cancelled."""

MOST: Final = 1_000
"""Closings: those of a few years, in every country."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)


class Closing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[policy.quiet_hours.closings]]``.

    Attributes:
        regions: ISO 3166 codes of regions and subdivisions, with all that belongs to them; none
            for everywhere.
        start: (``from`` in the file) ``2026-12-13``, or ``2026-12-13T06:00``.
        end: (``to``) the last day of it, ``2026-12-13``, or when it is over.
        why: what it is, for those who ask why a message waited.
    """

    regions: tuple[str, ...] = ()
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    why: str = ""

    def problems(self) -> Iterator[str]:
        """What is wrong, each with its key."""
        for index, name in enumerate(self.regions):
            if name not in REGIONS:
                yield f"regions[{index}]: no number belongs to {name[:16]!r}; write FR or US-TX"
        try:
            start, end = self.closed
        except ValueError as error:
            yield str(error)
            return
        if end <= start:
            yield f"to: {self.end} is not after {self.start}, where it begins"
        elif end - start > LONGEST * DAY:
            yield f"to: {self.end} is more than {LONGEST} days after {self.start}; write several"

    @property
    def closed(self) -> Closed:
        """As the wall clocks of its regions show it. Raises ValueError, with key and sentence."""
        return Closed(_shown("from", self.start, 0), _shown("to", self.end, DAY))


def _shown(key: str, text: str, whole: int) -> int:
    """Seconds that a clock shows since 1970; of a day alone, so many after it began."""
    try:
        if _DATE.fullmatch(text):
            return (date.fromisoformat(text).toordinal() - EPOCH) * DAY + whole
        if _TIME.fullmatch(text):
            shown = datetime.fromisoformat(text)
            return (shown.toordinal() - EPOCH) * DAY + shown.hour * 3600 + shown.minute * 60
    except ValueError:
        pass
    raise ValueError(f"{key}: {text[:40]!r} is neither a day nor a time as '2026-12-13T06:00'")


def closings_at(place: Place, closings: Sequence[Closing]) -> list[Closing]:
    """Those that hold at a place."""
    names = {*names_of(place)}
    return [one for one in closings if not one.regions or not names.isdisjoint(one.regions)]
