"""When messages are due: at a steady rate, or as on a day that is squeezed into less time. Pure."""

import csv
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

DAY: Final = 24 * 60
"""Minutes."""

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")

Curve = Sequence[tuple[int, float]]
"""How much there is at each minute of a day, in any unit; in between, in straight lines."""

SHOP: Final[Curve] = (
    (0, 4), (5 * 60, 1), (7 * 60, 10), (9 * 60, 60), (10 * 60, 100), (12 * 60, 70), (14 * 60, 45),
    (17 * 60, 55), (19 * 60, 85), (20 * 60, 95), (21 * 60, 40), (23 * 60, 10),
)  # fmt: skip
"""A shop's day: campaigns at ten and at eight in the evening, little at night."""


class Schedule:
    """How many messages are due by when.

    Attributes:
        total: messages in all.
        seconds: until the last is due.
    """

    def __init__(self, points: Iterable[tuple[float, float]]) -> None:
        """``points`` are seconds and messages a second then, from 0 on; in between, the rate
        changes in a straight line."""
        times, counts = [0.0], [0.0]
        for (start, before), (end, after) in pairwise(points):
            pieces = 1 if before == after else 64
            for piece in range(1, pieces + 1):
                share = piece / pieces
                until = start + (end - start) * share
                rate = before + (after - before) * share
                last = before + (after - before) * (piece - 1) / pieces
                counts.append(counts[-1] + (until - times[-1]) * (rate + last) / 2)
                times.append(until)
        self._times, self._counts = times, counts
        self.total = round(counts[-1])
        self.seconds = times[-1]

    def due(self, number: int) -> float:
        """When message ``number`` (from 0 up) is due, in seconds from the start."""
        at = min(max(bisect_left(self._counts, number), 1), len(self._counts) - 1)
        before, after = self._counts[at - 1], self._counts[at]
        start, end = self._times[at - 1], self._times[at]
        return start + (end - start) * (number - before) / (after - before)


def steady(rate: float, seconds: float) -> Schedule:
    """So many messages a second."""
    return Schedule([(0, rate), (seconds, rate)])


def day(curve: Curve, highest: float, seconds: float) -> Schedule:
    """A day in so many seconds, with ``highest`` messages a second in its busiest minute."""
    scale = highest / max(value for _, value in curve)
    (first, at_first), (last, at_last) = curve[0], curve[-1]
    # Over midnight, from the last point to the first.
    gap = first + DAY - last
    midnight = at_last + (at_first - at_last) * ((DAY - last) / gap)
    whole = [(0, midnight), *curve, (DAY, midnight)]
    points = {minute: max(value * scale, highest / 1e6) for minute, value in whole}
    return Schedule((minute / DAY * seconds, rate) for minute, rate in points.items())


def read_curve(lines: Iterable[str]) -> Curve:
    """The curve in a CSV file of ``HH:MM,how much``; a first line without a time is a heading.
    Raises ValueError, which names the line."""
    curve: list[tuple[int, float]] = []
    for number, row in enumerate(csv.reader(lines), 1):
        if not row or row[0].startswith("#"):
            continue
        clock = _CLOCK.fullmatch(row[0].strip())
        if clock is None and number == 1:
            continue
        if clock is None or len(row) != 2:
            raise ValueError(f"line {number}: {','.join(row)!r} is not HH:MM,NUMBER")
        try:
            value = float(row[1])
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e12:
            raise ValueError(f"line {number}: {row[1]!r} is not a number from 0 up")
        minute = int(clock[1]) * 60 + int(clock[2])
        if curve and minute <= curve[-1][0]:
            raise ValueError(f"line {number}: {row[0]} is not later than the line before")
        curve.append((minute, value))
    if len(curve) < 2 or not any(value for _, value in curve):
        raise ValueError("it has no two times, or nothing at any of them")
    return curve
