"""The last hour of every panel's lines, sampled every few seconds in this process, in memory that
is bounded whatever the number of tenants and carriers."""

import math
import re
import threading
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

import msgspec

from gateway.ops.console.evaluating import Facts, Past, evaluate
from gateway.ops.console.queries import Query, QueryError, ranges, read, selects
from gateway.ops.instruments import Labels, Table
from gateway.ops.watching.declared import Panel, Recording

EVERY: Final = 5.0
"""Seconds between samples."""

KEPT: Final = 720
"""Samples of a line: an hour."""

LINES: Final = 40
"""Lines of a panel that are kept, 6 kB each: 16 MB for all panels of a large installation. Others
are counted, and take the place of one that has come to nothing."""

SHORT: Final = 60.0
"""Seconds that a range may have for what is kept of every metric; for longer ones, a minute apart,
only what they look at is."""

MINUTE: Final = 60.0

FINE, THIN = 120, 6
"""Samples that are drawn one by one, ten minutes of them; of those before, one of six is."""

UP: Final = Table((), {(): 1.0})
"""What Prometheus would say of a process that takes samples of itself."""

FADES: Final = 0.995
"""What is left of a peak from sample to sample: half of it in twelve minutes."""


class Line(msgspec.Struct):
    """A line of a panel.

    Attributes:
        values: one for every sample, in a ring; not a number where there was none.
        last: the newest value, None where there is none now.
        seen: the number of the last sample that had one.
        peak: the largest value of late, to tell which lines matter.
    """

    name: str
    labels: Mapping[str, str]
    values: "array[float]"
    last: float | None = None
    seen: int = 0
    peak: float = 0.0


class Kept(msgspec.Struct):
    """What is kept of a panel: its lines by their names, and how many more there are."""

    queries: Sequence[tuple[Query, str]]
    lines: dict[str, Line]
    rest: int = 0


Found = Mapping[str, tuple[float, Labels, Labels]]
"""The values of a panel's lines, with the names and values of their labels, by their names."""

OURSELVES: Final = "this gateway"
"""What a line is called whose labels tell one gateway from another."""


class Samples:
    """Samples of panels.

    Args:
        panels: by any name.
        recordings: what Prometheus keeps under names that panels use.

    Attributes:
        names: of the metrics that all of these look at.
    """

    def __init__(self, panels: Mapping[str, Panel], recordings: Sequence[Recording]) -> None:
        self._recordings = [
            (one.name, query) for one in recordings if (query := _readable(one.expr)) is not None
        ]
        self.panels = {
            name: Kept(
                [
                    (query, one.legend)
                    for one in panel.queries
                    if (query := _readable(one.expr)) is not None
                ],
                {},
            )
            for name, panel in panels.items()
        }
        self._times: deque[float] = deque(maxlen=KEPT)
        self._number = 0
        self._lock = threading.Lock()  # samples are taken, and series read, in worker threads
        self._recent: deque[tuple[float, Mapping[str, Table]]] = deque()
        self._minutes: deque[tuple[float, Mapping[str, Table]]] = deque()
        self.names = {one.name for query in self._queries() for one in selects(query)}
        spans = [ranges(query) for query in self._queries()]
        self._long = {name for span in spans for name, seconds in span.items() if seconds > SHORT}
        self._longest = max((max(span.values(), default=0.0) for span in spans), default=0.0)

    def drawn(self, panel: str, of: Mapping[str, str], most: int) -> tuple[list[Line], int]:
        """The lines of a panel that matter most, and how many more there are; only those that have
        no other value of the labels ``of``."""
        kept = self.panels[panel]
        with self._lock:
            lines = [
                line
                for line in kept.lines.values()
                if all(line.labels.get(label, value) == value for label, value in of.items())
            ]
        lines.sort(key=lambda line: (-line.peak, line.name))
        rest = len(lines) - most + kept.rest if len(lines) > most else 0 if of else kept.rest
        return sorted(lines[:most], key=lambda line: line.name), rest

    def series(self, lines: Sequence[Line]) -> tuple[list[float], list[list[float | None]]]:
        """The values of lines and when they were, the oldest first: all of the last minutes, and
        one of `THIN` before."""
        with self._lock:
            first = self._number - len(self._times)
            coarse = self._number - FINE
            numbers = [
                number
                for number in range(first, self._number)
                if number >= coarse or number % THIN == 0
            ]
            times = [round(self._times[number - first], 1) for number in numbers]
            values = [[line.values[number % KEPT] for number in numbers] for line in lines]
        return times, [[_rounded(value) for value in one] for one in values]

    def take(self, tables: Mapping[str, Table], now: float) -> None:
        """Take a sample, given all that they look at: a millisecond or so for a small
        installation."""
        known = {**tables, "up": UP}
        facts = Facts(now, known, lambda name, seconds: self._past(name, seconds, now))
        for name, query in self._recordings:
            known[name] = evaluate(query, facts)
        found = [(kept, _lines(kept, facts)) for kept in self.panels.values()]
        with self._lock:
            for kept, lines in found:
                self._note(kept, lines)
            self._number += 1
            self._times.append(now)
            while self._times[0] <= now - KEPT * EVERY:  # less were taken while nobody looked
                self._times.popleft()
        self._remember(tables, now)

    def _queries(self) -> list[Query]:
        own = [query for kept in self.panels.values() for query, _ in kept.queries]
        return own + [query for _, query in self._recordings]

    def _note(self, kept: Kept, found: Found) -> None:
        number, place = self._number, self._number % KEPT
        kept.rest = 0
        first = number - len(self._times)
        for name, line in list(kept.lines.items()):
            line.last = found[name][0] if name in found else None
            line.values[place] = math.nan if line.last is None else line.last
            line.peak *= FADES
            if line.last is not None:
                line.seen, line.peak = number, max(line.peak, abs(line.last))
            elif line.seen <= first:
                del kept.lines[name]
        new = [name for name in found if name not in kept.lines]
        new.sort(key=lambda name: -abs(found[name][0]))
        idle = iter([name for name, line in kept.lines.items() if not line.last])
        for name in new:
            value, labels, those = found[name]
            if len(kept.lines) >= LINES:
                gone = next(idle, None) if value else None
                if gone is None:
                    kept.rest += 1
                    continue
                del kept.lines[gone]
            values = array("d", [math.nan]) * KEPT
            values[place] = value
            kept.lines[name] = Line(
                name, dict(zip(labels, those, strict=True)), values, value, number, abs(value)
            )

    def _past(self, name: str, seconds: float, now: float) -> Past | None:
        """A metric as it was so many seconds ago or, where nobody looked then, a little before;
        else as long ago as is known."""
        found = None
        for at, tables in reversed(self._minutes if seconds > SHORT else self._recent):
            if name in tables:
                found = Past(tables[name], now - at)
                if at <= now - seconds + EVERY / 2:
                    break
        return found

    def _remember(self, tables: Mapping[str, Table], now: float) -> None:
        self._recent.append((now, tables))
        while self._recent[0][0] < now - SHORT:
            self._recent.popleft()
        if not self._minutes or now - self._minutes[-1][0] >= MINUTE - EVERY / 2:
            self._minutes.append((now, {name: tables[name] for name in self._long & tables.keys()}))
        while self._minutes[0][0] < now - self._longest - MINUTE:
            self._minutes.popleft()


def _readable(expr: str) -> Query | None:
    try:
        return read(expr)
    except QueryError:
        return None


def _lines(kept: Kept, facts: Facts) -> Found:
    found: dict[str, tuple[float, Labels, Labels]] = {}
    for query, legend in kept.queries:
        table = evaluate(query, facts)
        called = _namer(legend, table.labels)
        for labels, value in table.values.items():
            if math.isfinite(value):
                found[called(*labels)] = (value, table.labels, labels)
    return found


@cache
def _namer(legend: str, labels: Labels) -> Callable[..., str]:
    """Makes the names of lines: their legend with their labels put in."""
    parts = re.split(r"\{\{(\w+)\}\}", legend)
    for place in range(1, len(parts), 2):
        label = parts[place]
        parts[place] = f"{{{labels.index(label)}}}" if label in labels else ""
    named = "".join(parts).format
    return lambda *those: named(*those).strip() or OURSELVES


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.4g}")
