"""Opening hours as written (``08:00-20:00``, ``closed``), and when they are open on real clocks.

A `Window` is open at an instant when the wall clock of *every* one of its time zones stands within
the hours of its day. Wall clocks jump: where one skips an hour or shows it twice, what it shows at
that instant decides. Whose hours these are and what follows from them is `quiet_hours`' business.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

DAY: Final = 86_400
EPOCH: Final = date(1970, 1, 1).toordinal()

HORIZON: Final = 14
"""Days ahead in which an opening is looked for: longer than any run of public holidays. A message
that waits longer for an hour at which all its time zones are open will not find one."""

REMEMBERED: Final = 64
"""Days whose openings a window keeps: those that messages scheduled ahead keep asking for."""


class Span(NamedTuple):
    """Part of a day, in seconds of wall clock from 00:00; ``end`` is not part of it."""

    start: int
    end: int


Hours = tuple[Span, ...]
"""The spans of a day in order, apart from each other; none for a day that is closed."""

ALWAYS: Final[Hours] = (Span(0, DAY),)
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


def parse_hours(text: str) -> Hours:
    """``closed``, ``08:00-20:00``, ``00:00-24:00`` (always) or ``09:00-12:00,13:00-20:00``.

    Raises ValueError, with a sentence that names the text and the mend."""
    if text == "closed":
        return ()
    spans = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{text[:40]!r} is neither 'closed' nor hours such as '08:00-20:00'")
        hour, minute, end_hour, end_minute = map(int, match.groups())
        spans.append(Span(hour * 3600 + minute * 60, end_hour * 3600 + end_minute * 60))
    if any(span.end <= span.start or span.end > DAY for span in spans):
        raise ValueError(
            f"{text[:40]!r} must end after it begins and by 24:00; a night is two spans"
        )
    if any(after.start <= before.end for before, after in pairwise(spans)):
        raise ValueError(f"{text[:40]!r} has spans that touch or are out of order")
    return tuple(spans)


class Schedule(msgspec.Struct, frozen=True):
    """The hours of every day.

    Attributes:
        days: hours from Monday to Sunday.
        holidays: hours on public holidays, None where those are days like any other.
        is_holiday: tells public holidays; not asked where ``holidays`` is None.
    """

    days: tuple[Hours, ...]
    holidays: Hours | None = None
    is_holiday: Callable[[date], bool] | None = None

    def on(self, day: date) -> Hours:
        if self.holidays is not None and self.is_holiday is not None and self.is_holiday(day):
            return self.holidays
        return self.days[day.weekday()]

    @property
    def always(self) -> bool:
        return self.holidays in (None, ALWAYS) and all(hours == ALWAYS for hours in self.days)


class State(NamedTuple):
    """Whether a window is open at every instant t with ``since`` <= t < ``until``.

    ``until`` is infinite for a window that never closes, and for one that does not open within the
    horizon. One that stays open beyond the horizon is said to close there."""

    open: bool
    since: float
    until: float


class Opening(NamedTuple):
    """An interval of Unix seconds; ``end`` is not part of it."""

    start: int
    end: int


class Window:
    """The opening hours of all the numbers that share time zones and a schedule.

    Asking costs a comparison while the answer stays the same, and some 5 µs when it changes.

    Args:
        zones: IANA names. Without any, nobody knows what a clock there shows, and the window is
            open only if the schedule is so at any hour.
        schedule: the hours on each of these wall clocks.
        margin: seconds before a closing in which the window counts as closed, for what is let
            through must still arrive. An opening shorter than that does not count.
    """

    def __init__(self, zones: Iterable[str], schedule: Schedule, margin: int = 0) -> None:
        self._zones = [ZoneInfo(name) for name in sorted(zones)]
        self._schedule = schedule
        self._margin = margin
        self._days: dict[int, Sequence[Opening]] = {}
        self._last = State(True, -inf, inf) if schedule.always else State(False, inf, -inf)

    def state(self, at: float) -> State:
        """What holds at an instant (Unix seconds) and for how long."""
        last = self._last
        if last.since <= at < last.until:
            return last
        for opening in self._from(at):
            latest = opening.end - self._margin
            if max(at, opening.start) < latest:
                if opening.start <= at:
                    self._last = State(True, float(opening.start), float(latest))
                else:
                    self._last = State(False, at, float(opening.start))
                return self._last
        return State(False, at, inf)

    def _from(self, at: float) -> Iterator[Opening]:
        """The openings that end after an instant, up to the horizon, and from its day on."""
        today = int(at // DAY)
        current: Opening | None = None
        for day in range(today, today + HORIZON):
            for opening in self._day(day):
                if current is not None and current.end == opening.start:
                    current = Opening(current.start, opening.end)
                    continue
                if current is not None and current.end > at:
                    yield current
                current = opening
        if current is not None and current.end > at:
            yield current

    def _day(self, day: int) -> Sequence[Opening]:
        """The openings of a day (of UTC, counted from 1970) in all zones."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= REMEMBERED:
                self._days.clear()
            each = [_openings(zone, self._schedule, day) for zone in self._zones]
            found = self._days[day] = reduce(_both, each) if each else ()
        return found


def _openings(zone: ZoneInfo, schedule: Schedule, day: int) -> Sequence[Opening]:
    """When the wall clock of a zone shows open hours, within one day of UTC."""
    found = []
    for begin, end in pairwise(_offset_changes(zone, day * DAY, (day + 1) * DAY)):
        offset = _offset(zone, begin)
        for local_day in range((begin + offset) // DAY, (end - 1 + offset) // DAY + 1):
            midnight = local_day * DAY - offset
            for span in schedule.on(date.fromordinal(EPOCH + local_day)):
                opening = Opening(max(begin, midnight + span.start), min(end, midnight + span.end))
                if opening.start < opening.end:
                    found.append(opening)
    return found


def _offset_changes(zone: ZoneInfo, begin: int, end: int) -> list[int]:
    """``begin``, the instant of the day at which the zone's clock is changed, if any, and ``end``.
    No zone changes its clock twice in a day."""
    before = _offset(zone, begin)
    if before == _offset(zone, end - 1):
        return [begin, end]
    old, new = begin, end - 1
    while new - old > 1:
        middle = (old + new) // 2
        if _offset(zone, middle) == before:
            old = middle
        else:
            new = middle
    return [begin, new, end]


def _offset(zone: ZoneInfo, at: int) -> int:
    """Seconds by which the zone's clock is ahead of UTC."""
    ahead = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    return int(ahead.total_seconds())


def _both(left: Sequence[Opening], right: Sequence[Opening]) -> Sequence[Opening]:
    """Where two series of openings overlap."""
    return [
        Opening(max(a.start, b.start), min(a.end, b.end))
        for a in left
        for b in right
        if max(a.start, b.start) < min(a.end, b.end)
    ]
