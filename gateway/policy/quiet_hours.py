"""The quiet-hours rule: no text at an hour at which its recipient's place is closed.

A message waits until every time zone where its recipient may be is open. Which hours those are is
looked up from the most to the least exact: what the configuration says of the subdivision, of the
region, of everywhere (``open``); and where it says nothing of everywhere, what `KNOWN_HOURS` says
of the subdivision, of the region, and `DEFAULT_OPEN`. So hours that somebody wrote down are never
narrowed or widened behind their back, and without any the careful ones hold.

What waited for an opening comes due in the seconds of ``reopening`` after it, spread evenly by the
message's number: a carrier gets a steady flow instead of a night's texts at once, and what is fresh
goes between them. A message may say more of its recipient's clock than the digits do
(`gateway.policy.local`); its window is kept in every category.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from math import inf
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from gateway.facts import NOTHING, Facts
from gateway.message import Category, Local, Message
from gateway.policy import holidays, local
from gateway.policy.closings import MOST, Closing, closings_at
from gateway.policy.hours import DEFAULT_OPEN, KNOWN_HOURS, RegionHours, names_of
from gateway.policy.openings import Openings
from gateway.policy.regions import DEPTHS, HEAD, PLACES, Place, place_of
from gateway.policy.rules import Defer, Refuse, Verdict, Verdicts
from gateway.policy.windows import Schedule, State, Window, parse_hours

MAX_MARGIN: Final = 3600
"""A margin beyond an hour would rather be written as earlier hours."""


CLOSINGS: Final = 1 << 13
"""Closings of places whose verdicts are kept at hand, about 5 MB; forgotten all at once when full.
"""

LOCALS: Final = 1 << 12
"""Windows that are kept at hand of messages that say where their recipients are; forgotten all at
once when full."""

MAX_REOPENING: Final = 6 * 3600
"""A reopening of more than six hours would leave little of a day."""

_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: its multiples, modulo 2^64, are spread evenly however many of
them there are, and so are message numbers in a row times this (Knuth, vol. 3, 6.4)."""


class QuietHoursOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.quiet_hours]``.

    Attributes:
        open: the hours in every region without an entry in ``regions``, ``00:00-24:00`` for any
            time; absent, those of `KNOWN_HOURS`.
        categories: which messages keep to them.
        margin: seconds before a closing from which on a message waits for the next opening, so
            that a carrier has time to deliver what was let through.
        reopening: seconds after an opening over which what waited for it is spread; 0 for at once.
        closings: dated times at which regions are closed whatever their hours.
        regions: by ISO 3166 code of a region or subdivision, ``FR`` or ``US-TX``.
    """

    open: str | None = None
    categories: frozenset[Category] = frozenset({"marketing"})
    margin: int = 60
    reopening: int = 0
    closings: tuple[Closing, ...] = ()
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
        if not 0 <= self.reopening <= MAX_REOPENING:
            found.append(f"reopening: {self.reopening} is not between 0 and {MAX_REOPENING}")
        if len(self.closings) > MOST:
            found.append(f"closings: {len(self.closings)} entries, over {MOST}")
        for index, closing in enumerate(self.closings):
            found += [f"closings[{index}].{problem}" for problem in closing.problems()]
        for name, hours in self.regions.items():
            found += hours.problems(name)
        return found


class _Closed(NamedTuple):
    """The verdicts on messages that find a place closed: that they wait, or that they expire
    before; and how many seconds of the opening are for those that waited."""

    defer: Defer
    refuse: Refuse
    room: float


class QuietHours:
    """Defers messages to the next opening, and refuses as `expired` those that will not live to
    see it. A number whose time zone nobody knows (a satellite phone) has no opening at all.

    Holds the windows of the places it has met, so tenants should share one.

    Attributes:
        openings: the windows.
        categories: the messages that keep to them.

    Raises ValueError where the options have `QuietHoursOptions.problems`.
    """

    name = "quiet_hours"
    wants = NOTHING

    def __init__(self, options: QuietHoursOptions) -> None:
        problems = options.problems()
        if problems:
            raise ValueError("\n".join(problems))
        self._options = options
        self.categories = options.categories
        self.openings = Openings(self._schedule, options.margin)
        self._verdicts: dict[tuple[Place, Window, float], _Closed] = {}
        self._own: dict[tuple[Place, Local, bool], tuple[Place, Window]] = {}
        self._counted = (0.0, 0.0)
        self._ends: dict[str, float] = {}  # of what was counted, by the digits that settle a place

    def load(self, years: Iterable[int]) -> None:
        """Have the holidays of these years at hand wherever hours depend on them: what is loaded
        now holds nobody up later."""
        for place in PLACES:
            if hours_at(place, self._options).keeps_holidays:
                holidays.calendar(place).load(years)

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        verdicts: Verdicts = {}
        categories = self.categories
        states: dict[str, State] = {}  # of now, by the leading digits that settle a place
        depth = DEPTHS.get
        for index, message in enumerate(messages):
            if message.local is not None:
                place, window = self._placed(message.to, message.local, message.category)
                state = window.state(max(now, message.due))
                if not state.open:
                    verdicts[index] = self._waits(message, place, window, now, state.until)
            elif message.category in categories:
                to = message.to
                if message.due > now:
                    state = self.openings.of(to).state(message.due)
                else:
                    start = to[: depth(to[:HEAD], HEAD)]
                    state = states.get(start) or self._state(to, now, start, states)
                if not state.open:
                    window = self.openings.of(to)
                    verdicts[index] = self._waits(message, place_of(to), window, now, state.until)
        return verdicts

    def ends(self, messages: Sequence[Message], now: float) -> list[float]:
        """Until when carriers may try to deliver messages that are sent ``now``: until the hours
        end in which that may be, ``now`` where they have, or until the message expires."""
        categories, margin = self.categories, self._options.margin
        states: dict[str, State] = {}
        depth = DEPTHS.get
        ends = []
        for message in messages:
            end = message.expires_at
            if message.local is not None:
                _, window = self._placed(message.to, message.local, message.category)
                state = window.state(now)
                end = min(end, state.until + margin if state.open else now)
            elif message.category in categories and not message.exempt:
                to = message.to
                start = to[: depth(to[:HEAD], HEAD)]
                state = states.get(start) or self._state(to, now, start, states)
                closing = state.until + margin if state.open else now
                end = min(end, closing)
            ends.append(end)
        return ends

    def opens(self, message: Message, at: float) -> float:
        """When a message may go, at a moment or after it; infinite where never."""
        if message.local is not None:
            _, window = self._placed(message.to, message.local, message.category)
            state = window.state(at)
        elif message.category not in self.categories:
            return at
        else:
            state = self.openings.of(message.to).state(at)
        return at if state.open else state.until

    def open_seconds_end(
        self, to: str, category: Category, own: Local | None, start: float, seconds: float
    ) -> float:
        """When so many seconds have passed since ``start`` in which a message of this category to
        this number could be sent: any seconds where the category keeps no hours. At most a month
        (`gateway.policy.windows.AHEAD`) later, or ``seconds`` where those are more."""
        if own is not None:
            return self._placed(to, own, category)[1].after(start, seconds)
        if category not in self.categories:
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
        hours = hours_at(place, self._options)
        schedule = hours.schedule(self._options.open or DEFAULT_OPEN, place)
        closings = closings_at(place, self._options.closings)
        if closings:
            closed = tuple(one.closed for one in closings)
            return msgspec.structs.replace(schedule, closings=closed)
        return schedule

    def _placed(self, to: str, own: Local, category: Category) -> tuple[Place, Window]:
        """Where and when a message may go that says so itself."""
        keeps = category in self.categories
        base = place_of(to)
        found = self._own.get((base, own, keeps))
        if found is None:
            if len(self._own) >= LOCALS:
                self._own.clear()
                self._verdicts.clear()
            place = local.placed(base, own)
            schedule = local.narrowed(self._schedule(place) if keeps else None, own.window)
            margin = self._options.margin if keeps or own.window is not None else 0
            found = place, self.openings.window(place, schedule, margin)
            self._own[base, own, keeps] = found
        return found

    def _waits(
        self, message: Message, place: Place, window: Window, now: float, until: float
    ) -> Verdict:
        """The verdict on a message that finds its place closed until then."""
        closed = self._verdicts.get((place, window, until))
        if closed is None:
            closed = self._closed(message, place, window, now, until)
        if until >= message.expires_at:
            return closed.refuse
        if not closed.room:
            return closed.defer
        room = min(closed.room, message.expires_at - until)
        share = (message.id * _GOLDEN & 0xFFFF_FFFF_FFFF_FFFF) / 0x1_0000_0000_0000_0000
        # In whole seconds: what comes due together is leased together.
        return Defer(self.name, until + int(room * share), closed.defer.why)

    def _closed(
        self, message: Message, place: Place, window: Window, now: float, until: float
    ) -> _Closed:
        """What holds for all the messages that find a place closed until then."""
        if len(self._verdicts) >= CLOSINGS:
            self._verdicts.clear()
        what = f"quiet hours in {_where(place)}"
        own = None if message.local is None else message.local.window
        if own is not None:
            what += f" and the message's window {own}"
        why = f"{what}: {_opening(place, until)}{self._reasons(place, now, until)}"
        refuse = Refuse(self.name, "expired", f"{why}, and the message expires before")
        if until == inf and own is not None and place.zones:
            said = f"window: {own} has nothing of the hours of {_where(place)}; widen it"
            refuse = Refuse(self.name, "invalid_value", said)
        room: float = self._options.reopening
        if room and until < inf:
            room = min(room, window.state(until).until - until)
        found = _Closed(Defer(self.name, until, why), refuse, room)
        self._verdicts[place, window, until] = found
        return found

    def _reasons(self, place: Place, start: float, end: float) -> str:
        """What the dated closings are called that hold at a place in some of this time."""
        clocks = [ZoneInfo(zone) for zone in place.zones]
        found = []
        for one in closings_at(place, self._options.closings):
            begin, over = one.closed
            if one.why and any(
                begin < _wall(end, zone) and _wall(start, zone) < over for zone in clocks
            ):
                found.append(one.why)
        return f" ({', '.join(dict.fromkeys(found))})" if found else ""


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


def _wall(at: float, zone: tzinfo) -> float:
    """Seconds that a clock shows since 1970; of a moment that never comes, that one."""
    if at == inf:
        return inf
    return datetime.fromtimestamp(at, zone).replace(tzinfo=UTC).timestamp()


def _shown(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).isoformat(" ", "minutes")
