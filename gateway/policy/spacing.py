"""When one more fits among moments of which so many may lie in a time. Pure arithmetic."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def next_free(taken: Sequence[float], at: float, most: int, width: float) -> float:
    """The first moment from ``at`` on at which one more leaves no ``width`` with more than ``most``
    in it, before it or behind. Two that lie ``width`` apart are not in the same.

    Args:
        taken: the moments of the others, ascending.
    """
    while True:
        first = bisect_left(taken, at - width)
        around = [one for one in taken[first:] if at - width < one < at + width]
        if len(around) < most:
            return at
        place = bisect_right(around, at)
        row = [*around[:place], at, *around[place:]]
        starts = range(max(0, place - most), min(place, len(around) - most) + 1)
        crowded = [i for i in starts if row[i + most] - row[i] < width]
        if not crowded:
            return at
        # Behind the first of the others in the last crowd that it would be in.
        last = crowded[-1]
        at = row[last + 1 if last == place else last] + width
