"""Opening hours as written (``08:00-20:00``, ``closed``), and when they are open on real clocks.

A `Window` is open at an instant when the wall clock of *every* one of its time zones stands within
the hours of its day. Wall clocks jump: where one skips an hour or shows it twice, what it shows at
that instant decides. Whose hours these are and what follows from them is `quiet_hours`' business.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import reduce
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

import msgspec

from gateway.policy.clocks import DAY, Stretch, clock

EPOCH: Final = date(1970, 1, 1).toordinal()

HORIZON: Final = 31
"""Days ahead in which an opening is looked for: longer than any run of public holidays, and than a
dated closing. A message that waits longer for an hour at which all its time zones are open will not
find one."""

REMEMBERED: Final = 1 << 15
"""Days of windows that are kept at hand, some 15 MB; forgotten all at once when full. One that is
not at hand takes some 10 µs, with 40 time zones 50 µs."""

AHEAD: Final = 31
"""Days ahead within which so many open seconds must pass as are asked for."""


class Span(NamedTuple):
    """Part of a day, in seconds of wall clock from 00:00; ``end`` is not part of it."""

    start: int
    end: int


Hours = tuple[Span, ...]
"""The spans of a day in order, apart from each other; none for a day that is closed."""

ALWAYS: Final[Hours] = (Span(0, DAY),)
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)

_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


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


def parse_hour(text: str) -> int:
    """``10:00`` as seconds of wall clock. Raises ValueError, with a sentence."""
    match = _HOUR.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no hour such as '10:00'")
    hour, minute = map(int, match.groups())
    return hour * 3600 + minute * 60


class Closed(NamedTuple):
    """A time at which a place is closed whatever its hours, in seconds that its wall clock shows
    since 1970; ``end`` is not part of it."""

    start: int
    end: int


class Schedule(msgspec.Struct, frozen=True):
    """The hours of every day.

    Attributes:
        days: hours from Monday to Sunday.
        holidays: hours on public holidays, None where those are days like any other.
        is_holiday: tells public holidays; not asked where ``holidays`` is None.
        is_worked: tells days of a weekend that are worked in exchange for a holiday, as in China;
            they have the hours of a Monday. Not asked where ``holidays`` is None.
        holidays_from: seconds of wall clock before which public holidays are closed; None where
            they are no different in that.
        closings: times at which nothing is open, whatever the day.
    """

    days: tuple[Hours, ...]
    holidays: Hours | None = None
    is_holiday: Callable[[date], bool] | None = None
    is_worked: Callable[[date], bool] | None = None
    holidays_from: int | None = None
    closings: tuple[Closed, ...] = ()

    def on(self, day: date) -> Hours:
        hours = self._usually(day)
        if not self.closings:
            return hours
        midnight = (day.toordinal() - EPOCH) * DAY
        for start, end in self.closings:
            if start < midnight + DAY and midnight < end:
                hours = _without(hours, start - midnight, end - midnight)
        return hours

    def _usually(self, day: date) -> Hours:
        if self.holidays is not None or self.holidays_from is not None:
            if self.is_holiday is not None and self.is_holiday(day):
                hours = self.days[day.weekday()] if self.holidays is None else self.holidays
                return _without(hours, 0, self.holidays_from or 0)
            if self.is_worked is not None and self.is_worked(day):
                return self.days[0]
        return self.days[day.weekday()]

    @property
    def always(self) -> bool:
        return (
            self.holidays in (None, ALWAYS)
            and not self.holidays_from
            and not self.closings
            and all(hours == ALWAYS for hours in self.days)
        )

    @property
    def never(self) -> bool:
        return not self.holidays and not any(self.days)


def _without(hours: Hours, start: int, end: int) -> Hours:
    """What is left of hours when a stretch is taken out."""
    left = []
    for span in hours:
        before, after = Span(span.start, min(span.end, start)), Span(max(span.start, end), span.end)
        left += [one for one in (before, after) if one.start < one.end]
    return tuple(left) if start < end else hours


class State(NamedTuple):
    """Whether a window is open at every instant t with ``since`` <= t < ``until``.

    ``until`` is infinite for a window that never closes, and for one that does not open within the
    horizon. One that stays open beyond the horizon is said to close there."""

    open: bool
    since: float
    until: float


class After(NamedTuple):
    """When so many open seconds are over that begin to count at any t with ``since`` <= t <
    ``until``: at ``end``, or ``shift`` seconds after t where there is none."""

    seconds: float
    since: float
    until: float
    shift: float
    end: float | None


class Opening(NamedTuple):
    """An interval of Unix seconds; ``end`` is not part of it."""

    start: int
    end: int


Openings = tuple[Opening, ...]


class Memory:
    """What windows have worked out, by window and day; several windows share one."""

    def __init__(self) -> None:
        self.days: dict[tuple[Window, int], Openings] = {}
        self.views: dict[tuple[Window, int], Openings] = {}
        self.seconds: dict[tuple[Window, int], int] = {}

    def make_room(self) -> None:
        """Forget everything where there is as much as may be."""
        if len(self.days) + len(self.views) + len(self.seconds) >= REMEMBERED:
            self.days.clear()
            self.views.clear()
            self.seconds.clear()


class Window:
    """The opening hours of all the numbers that share time zones and a schedule.

    Asking costs a comparison while the answer stays the same, and a look into the memory where it
    was asked of that day before, in whatever order.

    Args:
        zones: IANA names. Without any, nobody knows what a clock there shows, and the window is
            open only if the schedule is so at any hour.
        schedule: the hours on each of these wall clocks.
        margin: seconds before a closing in which the window counts as closed, for what is let
            through must still arrive. An opening shorter than that does not count.
        memory: shared with other windows; left out, its own.
    """

    def __init__(
        self,
        zones: Iterable[str],
        schedule: Schedule,
        margin: int = 0,
        memory: Memory | None = None,
    ) -> None:
        self._clocks = [clock(name) for name in sorted(zones)]
        self._schedule = schedule
        self._margin = margin
        self._memory = Memory() if memory is None else memory
        self._never = schedule.never or not self._clocks
        self._last = State(True, -inf, inf) if schedule.always else State(False, inf, -inf)
        self._last_after = After(0.0, inf, -inf, 0.0, None)

    def state(self, at: float) -> State:
        """What holds at an instant (Unix seconds) and for how long."""
        last = self._last
        if last.since <= at < last.until:
            return last
        for opening in self._view(int(at // DAY)):
            if at < opening.end:
                if opening.start <= at:
                    self._last = State(True, float(opening.start), float(opening.end))
                else:
                    self._last = State(False, at, float(opening.start))
                return self._last
        return State(False, at, inf)

    def after(self, start: float, seconds: float) -> float:
        """The moment by which the window has been open for so long since ``start``. Not later than
        `AHEAD` days, or ``seconds`` where those are more."""
        last = self._last_after
        if last.seconds == seconds and last.since <= start < last.until:
            return start + last.shift if last.end is None else last.end
        first = self.state(start)
        if first.open and seconds <= first.until - start:
            return start + seconds
        latest = start + max(seconds, AHEAD * DAY)
        day = int(start // DAY)
        # From the begin of the day on, so that days count whole.
        left = seconds + sum(max(0.0, min(start, end) - begin) for begin, end in self._open(day))
        while left > (whole := self._open_seconds(day)):
            left -= whole
            day += 1
            if day * DAY >= latest:
                return latest
        for begin, end in self._open(day):
            if left <= end - begin:
                at = begin + left
                break
            left -= end - begin
        else:  # none were asked for, of a day without any
            return start
        if at >= latest:
            return latest
        if first.open:
            shift = at - start
            since, until = max(first.since, begin - shift), min(first.until, end - shift)
            self._last_after = After(seconds, since, until, shift, None)
        else:
            self._last_after = After(seconds, start, first.until, 0.0, at)
        return at

    def _open_seconds(self, day: int) -> int:
        """How long the window is open in a day."""
        found = self._memory.seconds.get((self, day))
        if found is None:
            self._memory.make_room()
            found = sum(end - begin for begin, end in self._open(day))
            self._memory.seconds[self, day] = found
        return found

    def _open(self, day: int) -> Openings:
        """The openings, less the margin, within a day."""
        begin, end = day * DAY, (day + 1) * DAY
        return tuple(
            Opening(max(one.start, begin), min(one.end, end))
            for one in self._view(day)
            if one.start < end
        )

    def _view(self, day: int) -> Openings:
        """The openings, less the margin, that answer for any instant of a day: those that end after
        it began, up to the first that ends after it is over."""
        found = self._memory.views.get((self, day))
        if found is None:
            self._memory.make_room()
            found = self._memory.views[self, day] = () if self._never else (*self._search(day),)
        return found

    def _search(self, first: int) -> Iterator[Opening]:
        end = (first + 1) * DAY
        for opening in self._from(first):
            latest = opening.end - self._margin
            if opening.start < latest:
                yield Opening(opening.start, latest)
                if latest >= end:
                    return

    def _from(self, first: int) -> Iterator[Opening]:
        """The openings from the begin of a day on, up to the horizon."""
        current: Opening | None = None
        for day in range(first, first + HORIZON):
            for opening in self._day(day):
                if current is None:
                    current = opening
                elif current.end == opening.start:
                    current = Opening(current.start, opening.end)
                else:
                    yield current
                    current = opening
        if current is not None:
            yield current

    def _day(self, day: int) -> Openings:
        """The openings of a day in all zones."""
        found = self._memory.days.get((self, day))
        if found is None:
            self._memory.make_room()
            # What counts is not how many zones there are, but how many clocks that differ that day.
            clocks = {one.through(day) for one in self._clocks}
            hours: dict[int, Hours] = {}
            each = [_openings(stretches, self._schedule, hours) for stretches in clocks]
            found = self._memory.days[self, day] = reduce(_both, each)
        return found


def _openings(
    stretches: Iterable[Stretch], schedule: Schedule, hours: dict[int, Hours]
) -> Openings:
    """When a wall clock shows open hours, in the stretches of one day of UTC. ``hours`` are those
    of local days that were looked up already."""
    found = []
    for begin, end, ahead in stretches:
        for day in range((begin + ahead) // DAY, (end - 1 + ahead) // DAY + 1):
            if day not in hours:
                hours[day] = schedule.on(date.fromordinal(EPOCH + day))
            midnight = day * DAY - ahead
            for span in hours[day]:
                opening = Opening(max(begin, midnight + span.start), min(end, midnight + span.end))
                if opening.start < opening.end:
                    found.append(opening)
    return tuple(found)


def _both(left: Openings, right: Openings) -> Openings:
    """Where two series of openings overlap."""
    return tuple(
        Opening(max(a.start, b.start), min(a.end, b.end))
        for a in left
        for b in right
        if max(a.start, b.start) < min(a.end, b.end)
    )
