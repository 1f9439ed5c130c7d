"""The quiet-hours rule: no text at an hour at which its recipient's place is closed.

A message waits until every time zone where its recipient may be is open. Which hours those are is
looked up from the most to the least exact: what the configuration says of the subdivision, of the
region, of everywhere (``open``); and where it says nothing of everywhere, what `KNOWN_HOURS` says
of the subdivision, of the region, and `DEFAULT_OPEN`. So hours that somebody wrote down are never
narrowed or widened behind their back, and without any the careful ones hold.

A smooth reopening, when a night's messages come due at once, is the scheduler's business.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from math import inf
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gateway.message import Category, Message
from gateway.policy.hours import DEFAULT_OPEN, KNOWN_HOURS, RegionHours
from gateway.policy.regions import DEPTHS, HEAD, RECENT, Place, place_of
from gateway.policy.rules import Defer, Facts, Refuse, Verdict, Verdicts
from gateway.policy.windows import Window, parse_hours

MAX_MARGIN: Final = 3600
"""A margin beyond an hour would rather be written as earlier hours."""


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


class _Local:
    """What the rule holds of one place: its window, and the verdicts of one closing, which all the
    messages that it holds up share."""

    __slots__ = ("_place", "_verdicts", "window")

    def __init__(self, place: Place, window: Window) -> None:
        self._place = place
        self.window = window
        self._verdicts = self._closed_until(inf)

    def held_up(self, until: float, expires_at: float) -> Verdict:
        """The verdict on a message that finds the window closed."""
        defer, refuse = self._verdicts
        if defer.until != until:
            defer, refuse = self._verdicts = self._closed_until(until)
        return refuse if until >= expires_at else defer

    def _closed_until(self, until: float) -> tuple[Defer, Refuse]:
        why = f"quiet hours in {_where(self._place)}: {_opening(self._place, until)}"
        return (
            Defer(QuietHours.name, until, why),
            Refuse(QuietHours.name, "expired", f"{why}, and the message expires before"),
        )


class QuietHours:
    """Defers messages to the next opening, and refuses as `expired` those that will not live to
    see it. A number whose time zone nobody knows (a satellite phone) has no opening at all.

    Holds the windows of the places it has met, so tenants should share one.

    Raises ValueError where the options have `QuietHoursOptions.problems`.
    """

    name = "quiet_hours"

    def __init__(self, options: QuietHoursOptions) -> None:
        problems = options.problems()
        if problems:
            raise ValueError("\n".join(problems))
        self._options = options
        self._recent: dict[str, _Local] = {}
        self._by_place: dict[Place, _Local] = {}

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        verdicts: Verdicts = {}
        categories = self._options.categories
        depth = DEPTHS.get
        recent = self._recent
        for index, message in enumerate(messages):
            if message.category in categories:
                to = message.to
                # `_local` without the call, which would take 0.1 of 0.6 µs a message.
                local = recent.get(to[: depth(to[:HEAD], HEAD)]) or self._local(to)
                state = local.window.state(max(message.due, now))
                if not state.open:
                    verdicts[index] = local.held_up(state.until, message.expires_at)
        return verdicts

    def ends(self, messages: Sequence[Message], now: float) -> list[float]:
        """Until when carriers may try to deliver messages that are sent ``now``: until the hours
        end in which that may be, ``now`` where they have, or until the message expires."""
        categories, margin = self._options.categories, self._options.margin
        ends = []
        for message in messages:
            end = message.expires_at
            if message.category in categories and not message.exempt:
                state = self._local(message.to).window.state(now)
                closing = state.until + margin if state.open else now
                end = min(end, closing)
            ends.append(end)
        return ends

    def _local(self, number: str) -> _Local:
        prefix = number[: DEPTHS.get(number[:HEAD], HEAD)]
        local = self._recent.get(prefix)
        if local is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            place = place_of(number)
            local = self._by_place.get(place)
            if local is None:
                general = self._options.open or DEFAULT_OPEN
                schedule = self._hours(place).schedule(general, place)
                window = Window(place.zones, schedule, self._options.margin)
                local = self._by_place[place] = _Local(place, window)
            self._recent[prefix] = local
        return local

    def _hours(self, place: Place) -> RegionHours:
        tables: list[Mapping[str, RegionHours]] = [self._options.regions]
        if self._options.open is None:
            tables.append(KNOWN_HOURS)
        names = [name for name in (place.subdivision, place.region) if name is not None]
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
