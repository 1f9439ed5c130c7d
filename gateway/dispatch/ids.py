"""Numbers for messages: ascending, unique across restarts, and telling nobody another's volume."""

COUNTER_BITS = 20
"""Low bits that count within one call; a million messages and more borrow from the next."""


def began(number: int) -> float:
    """When a message number was given, in Unix seconds."""
    return (number >> COUNTER_BITS) / 1000


class MessageNumbers:
    """Hands out `Message.id`s: milliseconds since 1970 in the high bits, a counter in the low.

    Every call begins a millisecond of its own, so that nobody can count another's messages by the
    gap between two numbers of their own.

    A clock that is set back does not make a number come twice: numbers never fall.
    """

    def __init__(self) -> None:
        self._last = 0

    def after(self, last: int) -> None:
        """Hand out only numbers above ``last``."""
        self._last = max(self._last, last)

    def take(self, count: int, now: float) -> range:
        """``count`` consecutive numbers, all higher than any before."""
        first = max((self._last >> COUNTER_BITS) + 1, int(now * 1000)) << COUNTER_BITS
        self._last = first + count - 1
        return range(first, first + count)
