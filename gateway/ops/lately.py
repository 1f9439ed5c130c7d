"""What histograms have observed lately, and how fast counters have grown: kept only while somebody
asks, from one question to the next."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import inf, isinf
from typing import Final

from gateway.ops.instruments import Histogram, Labels
from gateway.ops.views import SpreadView

SPAN: Final = 600.0
"""Seconds that are told of, where somebody has asked before."""

STEP: Final = 30.0
"""Seconds between what is kept of before."""


class Lately:
    """Looks at a histogram again and again.

    Args:
        clock: seconds, of any beginning, the same as the first that is told of.
    """

    def __init__(self, histogram: Histogram, clock: Callable[[], float]) -> None:
        self._histogram = histogram
        self._clock = clock
        self._before: deque[tuple[float, Mapping[Labels, Sequence[int]]]] = deque([(clock(), {})])

    def spreads(self) -> tuple[float, dict[Labels, SpreadView]]:
        """Of how many seconds, at least `SPAN` where it has run for so long; and how what was
        observed in them was spread, by labels. Those of which nothing was are left out."""
        now, counts = self._clock(), self._histogram.counts()
        before = self._before
        while len(before) > 1 and before[1][0] <= now - SPAN:
            before.popleft()
        since, earlier = before[0]
        if now - before[-1][0] >= STEP:
            before.append((now, counts))
        found = {}
        for labels, numbers in counts.items():
            then = earlier.get(labels)
            new = [n - m for n, m in zip(numbers, then, strict=True)] if then else numbers
            if any(new):
                found[labels] = spread(self._histogram.buckets, new)
        return now - since, found


def spread(bounds: Sequence[float], counts: Sequence[int]) -> SpreadView:
    """Of some counts, by the upper bounds of their buckets; the last has none."""
    sums = list(accumulate(counts))
    buckets = list(zip([*bounds, inf], sums, strict=True))
    median, p90, p99 = (within(share * sums[-1], buckets) for share in (0.5, 0.9, 0.99))
    return SpreadView(count=sums[-1], median=median, p90=p90, p99=p99)


def within(rank: float, buckets: Iterable[tuple[float, float]]) -> float:
    """The value at a rank, by interpolation within its bucket, as Prometheus has it. Buckets are
    upper bounds with how many are below them."""
    low = below = 0.0
    for bound, count in buckets:
        if count >= rank:
            if isinf(bound):
                return low
            return low + (bound - low) * (rank - below) / (count - below) if count > below else low
        low, below = bound, count
    return low
