"""The quiet-hours rule: no text at an hour at which its recipient's place is closed.

A message waits until every time zone where its recipient may be is open. Which hours those are is
looked up from the most to the least exact: what the configuration says of the subdivision, of the
region, of everywhere (``open``); and where it says nothing of everywhere, what `KNOWN_HOURS` says
of the subdivision, of the region, and `DEFAULT_OPEN`. So hours that somebody wrote down are never
narrowed or widened behind their back, and without any the careful ones hold.

A smooth reopening, when a night's messages come due at once, is the scheduler's business.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from math import inf
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gateway.facts import NOTHING, Facts
from gateway.message import Category, Message
from gateway.policy import holidays
from gateway.policy.hours import DEFAULT_OPEN, KNOWN_HOURS, RegionHours, names_of
from gateway.policy.openings import Openings
from gateway.policy.regions import DEPTHS, HEAD, PLACES, Place, place_of
from gateway.policy.rules import Defer, Refuse, Verdicts
from gateway.policy.windows import Schedule, State, parse_hours

MAX_MARGIN: Final = 3600
"""A margin beyond an hour would rather be written as earlier hours."""


CLOSINGS: Final = 1 << 13
"""Closings of places whose verdicts are kept at hand, about 5 MB; forgotten all at once when full.
"""


class QuietHoursOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.quiet_hours]``.

    Attributes:
        open: the hours in every region without an entry in ``regions``, ``00:00-24:00`` for any
            time; absent, those of `KNOWN_HOURS`.
        categories: which messages keep to them.
        margin: seconds before a closing from which on a message waits for the next opening, so
            that a carrier has time to deliver what was let through.
        regions: by ISO 3166 code of a region or subdivision, ``FR`` or ``US-TX``.
    """

    open: str | None = None
    categories: frozenset[Category] = frozenset({"marketing"})
    margin: int = 60
    regions: dict[str, RegionHours] = {}

    def problems(self) -> list[str]:
        """What is wrong, each with its key: ``regions.FR.sunday: 'shut' is neither …``."""
        found = []
        if self.open is not None:
            try:
                parse_hours(self.open)
            except ValueError as error:
                found.append(f"open: {error}")
        if not 0 <= self.margin <= MAX_MARGIN:
            found.append(f"margin: {self.margin} is not between 0 and {MAX_MARGIN}")
        for name, hours in self.regions.items():
            found += hours.problems(name)
        return found


class QuietHours:
    """Defers messages to the next opening, and refuses as `expired` those that will not live to
    see it. A number whose time zone nobody knows (a satellite phone) has no opening at all.

    Holds the windows of the places it has met, so tenants should share one.

    Attributes:
        openings: the windows.

    Raises ValueError where the options have `QuietHoursOptions.problems`.
    """

    name = "quiet_hours"
    wants = NOTHING

    def __init__(self, options: QuietHoursOptions) -> None:
        problems = options.problems()
        if problems:
            raise ValueError("\n".join(problems))
        self._options = options
        self.openings = Openings(self._schedule, options.margin)
        self._verdicts: dict[tuple[Place, float], tuple[Defer, Refuse]] = {}
        self._counted = (0.0, 0.0)
        self._ends: dict[str, float] = {}  # of what was counted, by the digits that settle a place

    def load(self, years: Iterable[int]) -> None:
        """Have the holidays of these years at hand wherever hours depend on them: what is loaded
        now holds nobody up later."""
        for place in PLACES:
            if hours_at(place, self._options).holidays is not None:
                holidays.calendar(place).load(years)

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        verdicts: Verdicts = {}
        categories = self._options.categories
        states: dict[str, State] = {}  # of now, by the leading digits that settle a place
        depth = DEPTHS.get
        for index, message in enumerate(messages):
            if message.category in categories:
                to = message.to
                if message.due > now:
                    state = self.openings.of(to).state(message.due)
                else:
                    start = to[: depth(to[:HEAD], HEAD)]
                    state = states.get(start) or self._state(to, now, start, states)
                if not state.open:
                    defer, refuse = self._closed(place_of(to), state.until)
                    verdicts[index] = refuse if state.until >= message.expires_at else defer
        return verdicts

    def ends(self, messages: Sequence[Message], now: float) -> list[float]:
        """Until when carriers may try to deliver messages that are sent ``now``: until the hours
        end in which that may be, ``now`` where they have, or until the message expires."""
        categories, margin = self._options.categories, self._options.margin
        states: dict[str, State] = {}
        depth = DEPTHS.get
        ends = []
        for message in messages:
            end = message.expires_at
            if message.category in categories and not message.exempt:
                to = message.to
                start = to[: depth(to[:HEAD], HEAD)]
                state = states.get(start) or self._state(to, now, start, states)
                closing = state.until + margin if state.open else now
                end = min(end, closing)
            ends.append(end)
        return ends

    def opens(self, message: Message, at: float) -> float:
        """When a message may go, at a moment or after it; infinite where never."""
        if message.category not in self._options.categories:
            return at
        state = self.openings.of(message.to).state(at)
        return at if state.open else state.until

    def open_seconds_end(self, to: str, category: Category, start: float, seconds: float) -> float:
        """When so many seconds have passed since ``start`` in which a message of this category to
        this number could be sent: any seconds where the category keeps no hours. At most a month
        (`gateway.policy.windows.AHEAD`) later, or ``seconds`` where those are more."""
        if category not in self._options.categories:
            return start + seconds
        if self._counted != (start, seconds):  # as the others of a batch have them
            self._counted = (start, seconds)
            self._ends.clear()
        prefix = to[: DEPTHS.get(to[:HEAD], HEAD)]
        end = self._ends.get(prefix)
        if end is None:
            end = self._ends[prefix] = self.openings.of(to).after(start, seconds)
        return end

    def _state(self, to: str, now: float, start: str, states: dict[str, State]) -> State:
        """What holds now at a number's place, noted among the states of one batch."""
        state = states[start] = self.openings.of(to).state(now)
        return state

    def _schedule(self, place: Place) -> Schedule:
        return hours_at(place, self._options).schedule(self._options.open or DEFAULT_OPEN, place)

    def _closed(self, place: Place, until: float) -> tuple[Defer, Refuse]:
        """The verdicts on messages that find a place closed: that they wait, or that they expire
        before. All the messages that one closing holds up share them."""
        found = self._verdicts.get((place, until))
        if found is None:
            if len(self._verdicts) >= CLOSINGS:
                self._verdicts.clear()
            why = f"quiet hours in {_where(place)}: {_opening(place, until)}"
            found = self._verdicts[place, until] = (
                Defer(self.name, until, why),
                Refuse(self.name, "expired", f"{why}, and the message expires before"),
            )
        return found


def hours_at(place: Place, options: QuietHoursOptions) -> RegionHours:
    """The hours that hold at a place, see the top of this module."""
    names = names_of(place)
    tables = [options.regions] if options.open is not None else [options.regions, KNOWN_HOURS]
    found = (table[name] for table in tables for name in names if name in table)
    return next(found, RegionHours())


def _where(place: Place) -> str:
    match sorted(place.zones):
        case []:
            zones = "time zone unknown"
        case [zone]:
            zones = zone
        case several:
            zones = f"{len(several)} time zones"
    return f"{place.name} ({zones})"


def _opening(place: Place, until: float) -> str:
    if until == inf:
        return "no hour at which it is open is in sight"
    clocks = {_shown(until, ZoneInfo(zone)) for zone in place.zones}
    return f"closed until {clocks.pop() if len(clocks) == 1 else _shown(until, UTC)}"


def _shown(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).isoformat(" ", "minutes")
