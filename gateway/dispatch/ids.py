"""Numbers for messages: ascending, unique across restarts, and telling nobody another's volume."""

from typing import Final

TICKS: Final = 1_024_000
"""Ticks of the numbers' clock in a second: a call begins one of its own, and there are never a
million calls a second, so that numbers do not run ahead of the clock."""

COUNTER_BITS: Final = 10
"""Low bits that count within one call; one with more messages takes ticks to come as well:
one for each thousand, in far less than the time that they take to come."""


def began(number: int) -> float:
    """When a message number was given, in Unix seconds."""
    return (number >> COUNTER_BITS) / TICKS


class MessageNumbers:
    """Hands out `Message.id`s: ticks since 1970 in the high bits, a counter in the low.

    Every call begins a tick of its own, so that nobody can count another's messages by the gap
    between two numbers of their own.

    A clock that is set back does not make a number come twice: numbers never fall.
    """

    def __init__(self) -> None:
        self._last = 0

    def after(self, last: int) -> None:
        """Hand out only numbers above ``last``."""
        self._last = max(self._last, last)

    @property
    def last(self) -> int:
        """The highest number so far; 0 for none."""
        return self._last

    def take(self, count: int, now: float) -> range:
        """``count`` consecutive numbers, all higher than any before."""
        first = max((self._last >> COUNTER_BITS) + 1, int(now * TICKS)) << COUNTER_BITS
        self._last = first + count - 1
        return range(first, first + count)
