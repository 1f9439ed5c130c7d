"""Who of several carriers has had how much of a route lately, by weight.

Each carrier has its weight's share of the parts, as exactly as whole messages allow, while all have
room. One that had none for a while (it was down, or slow) then has a little more until it is even,
but not what it missed: it would be given everything for as long as that takes.

Pure: ``now`` is any clock in seconds.
"""

from collections.abc import Mapping
from typing import Final

LEAST_LEAD: Final = 3.0
"""Parts, for each unit of weight, that others may be ahead by at least."""

LEAD: Final = 1.0
"""Seconds' worth of the route's parts that others may be ahead by: what one that had no room for a
moment catches up with, and for how long, at most, one that comes back is given all there is."""


class Shares:
    """The shares of one route. Levels are parts for each unit of weight."""

    def __init__(self) -> None:
        self._levels: dict[str, float] = {}
        self._since = 0.0  # a second of counting began
        self._parts = 0
        self._before = 0  # parts in the one before

    def level(self, name: str) -> float:
        """How much a carrier has had: the one with the least is next."""
        return self._levels.get(name, 0.0)

    def add(self, name: str, weight: int, parts: int) -> None:
        """A carrier has been given so many parts."""
        self._levels[name] = self._levels.get(name, 0.0) + parts / weight
        self._parts += parts

    def even_out(self, weights: Mapping[str, int], now: float) -> None:
        """Count from the level of the least used carrier up, and forget what is too far ahead of
        it; ``weights`` has all that are up."""
        flow = max(self._before, self._parts) / sum(weights.values())
        most = max(LEAST_LEAD, flow)
        floor = min(map(self.level, weights))
        self._levels = {name: min(self.level(name) - floor, most) for name in weights}
        if not 0.0 <= now - self._since < LEAD:
            self._since, self._before, self._parts = now, self._parts, 0
