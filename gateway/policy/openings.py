"""When the phones of numbers may be texted, under one set of hours: a window for each place.

Whose hours these are is not known here: the policy's (`gateway.policy.quiet_hours`) and a carrier's
(`gateway.policy.carrier_hours`) are looked up in the same way.
"""

from collections.abc import Callable

from gateway.policy.regions import DEPTHS, HEAD, RECENT, Place, place_of
from gateway.policy.windows import Memory, Schedule, Window


class Openings:
    """The windows of numbers. Those that share time zones and a schedule share one.

    Args:
        schedule: the hours at a place.
        margin: as `Window` has it.
        zone: of the clock that counts whatever the place is; None for those of the place.
    """

    def __init__(
        self, schedule: Callable[[Place], Schedule], margin: int, zone: str | None = None
    ) -> None:
        # By the leading digits that settle a number's place; it forgets.
        self._recent: dict[str, Window] = {}
        self._schedule = schedule
        self._margin = margin
        self._zones = None if zone is None else frozenset({zone})
        self._by_place: dict[Place, Window] = {}
        self._windows: dict[tuple[frozenset[str], Schedule], Window] = {}
        self._memory = Memory()

    def of(self, number: str) -> Window:
        """The window of E.164 digits."""
        prefix = number[: DEPTHS.get(number[:HEAD], HEAD)]
        window = self._recent.get(prefix)
        if window is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            window = self._recent[prefix] = self.at(place_of(number))
        return window

    def window(self, place: Place, schedule: Schedule, margin: int) -> Window:
        """A window of other hours at a place; not kept here, but it remembers with the others."""
        zones = place.zones if self._zones is None else self._zones
        return Window(zones, schedule, margin, self._memory)

    def at(self, place: Place) -> Window:
        """The window of a place."""
        window = self._by_place.get(place)
        if window is None:
            schedule = self._schedule(place)
            key = (place.zones if self._zones is None else self._zones, schedule)
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = Window(*key, self._margin, self._memory)
            self._by_place[place] = window
        return window
