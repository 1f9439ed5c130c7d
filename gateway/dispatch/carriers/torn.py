"""Torn messages: a carrier has some of their parts and has refused others for now. What they wait
for is time, and that there is room; whether they may go still is judged by the releaser."""

from heapq import heapify, heappop, heappush
from itertools import count

from gateway.dispatch.carriers.flights import Flight
from gateway.message import Message

Parts = tuple[Flight, list[int]]
"""A message, and which of its parts are to be sent again."""


class Torn:
    """The torn messages of one carrier, the first that is due first."""

    def __init__(self) -> None:
        self._again: list[tuple[float, int, Flight, list[int]]] = []
        self._order = count()

    def add(self, flight: Flight, indexes: list[int], at: float) -> None:
        """Parts of a message are to be sent at a moment."""
        heappush(self._again, (at, next(self._order), flight, indexes))

    @property
    def next_at(self) -> float | None:
        """When the first one is due; None where there is none."""
        return self._again[0][0] if self._again else None

    @property
    def messages(self) -> list[Message]:
        return [flight.message for _, _, flight, _ in self._again]

    def due(self, now: float, room: int) -> list[Parts]:
        """Take out what is due, as much as there is room for."""
        found: list[Parts] = []
        while self._again and self._again[0][0] <= now and room > 0:
            _, _, flight, indexes = heappop(self._again)
            found.append((flight, indexes))
            room -= len(indexes)
        return found

    def expired(self, now: float) -> list[Flight]:
        """Take out the messages that may not be sent any longer."""
        over = [flight for _, _, flight, _ in self._again if flight.message.expires_at <= now]
        if over:
            self._again = [one for one in self._again if one[2].message.expires_at > now]
            heapify(self._again)
        return over

    def take_all(self) -> list[Parts]:
        """Take out everything."""
        again, self._again = self._again, []
        return [(flight, indexes) for _, _, flight, indexes in again]

    def set_back(self, seconds: float) -> None:
        """The clock was set back: nothing waits for so much longer."""
        self._again = [
            (at - seconds, order, flight, indexes) for at, order, flight, indexes in self._again
        ]
