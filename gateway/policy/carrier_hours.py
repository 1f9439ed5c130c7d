"""A carrier's own hours: when it takes texts of some categories, and when it refuses them.

They are written as quiet hours are, and looked up in the same way; but they are the carrier's
and not the recipient's: they never refuse a message, and another carrier may take it. Where
nothing is written, the carrier takes everything. ``gateway.dispatch.release.pool`` asks at release.
"""

from collections.abc import Iterable
from math import inf
from typing import Final

import msgspec

from gateway.message import Category, Message
from gateway.policy import holidays
from gateway.policy.clocks import zone_of
from gateway.policy.hours import RegionHours, names_of
from gateway.policy.openings import Openings
from gateway.policy.regions import PLACES, Place
from gateway.policy.windows import Schedule

ALWAYS: Final = "00:00-24:00"

MARGIN: Final = 60
"""Seconds before a carrier closes from which on nothing more is given to it: what is sent then may
be counted when it is closed."""


class CarrierHoursOptions(RegionHours, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[carriers.hours]``: hours as a region has them, absent ones for any time.

    Attributes:
        categories: which messages the carrier takes within its hours only.
        zone: the IANA time zone in which they are meant; absent, that of the recipient, every one
            where that may be.
        regions: hours of its own for recipients in a region or subdivision.
    """

    categories: frozenset[Category] = frozenset({"marketing"})
    zone: str | None = None
    regions: dict[str, RegionHours] = msgspec.field(default_factory=dict)

    def mistakes(self) -> list[str]:
        """What is wrong, each with its key."""
        found = self.faults()
        if self.zone is not None:
            try:
                zone_of(self.zone)
            except ValueError as error:
                found.append(f"zone: {error}")
        for name, hours in self.regions.items():
            found += hours.problems(name)
        return found


class CarrierHours:
    """Tells whether a carrier takes messages, and until when.

    Attributes:
        openings: the windows of recipients.

    Raises ValueError where the options are wrong.
    """

    name = "carrier_hours"

    def __init__(self, options: CarrierHoursOptions) -> None:
        problems = options.mistakes()
        if problems:
            raise ValueError("\n".join(problems))
        self.options = options
        self.openings = Openings(self._schedule, MARGIN, options.zone)

    def load(self, years: Iterable[int]) -> None:
        """Have the holidays of these years at hand wherever the carrier's hours depend on them."""
        for place in PLACES:
            if self.hours_at(place).keeps_holidays:
                holidays.calendar(place).load(years)

    def opens(self, message: Message, at: float) -> float:
        """The first moment from ``at`` on at which the carrier takes a message, infinite where
        none is in sight. What the law asks for (`Message.exempt`) it takes at any time."""
        if message.exempt or message.category not in self.options.categories:
            return at
        state = self.openings.of(message.to).state(at)
        return at if state.open else state.until

    def closes(self, message: Message, at: float) -> float:
        """When it ceases to take a message that it takes at ``at``."""
        if message.exempt or message.category not in self.options.categories:
            return inf
        return self.openings.of(message.to).state(at).until + MARGIN

    def hours_at(self, place: Place) -> RegionHours:
        """Its hours for recipients at a place, as they are written."""
        regions = self.options.regions
        return next((regions[name] for name in names_of(place) if name in regions), self.options)

    def _schedule(self, place: Place) -> Schedule:
        return self.hours_at(place).schedule(self.options.open or ALWAYS, place)
