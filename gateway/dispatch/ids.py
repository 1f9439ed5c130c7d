"""Numbers for messages: ascending, unique across restarts, and telling nobody another's volume."""

from typing import Final

TICKS: Final = 1_024_000
"""Ticks of the numbers' clock in a second: a call begins one of its own, and there are never a
million calls a second, so that numbers do not run ahead of the clock."""

LOW_BITS: Final = 10
"""Bits below the tick."""

NODE_BITS: Final = 6
"""How many of these say which node gave a number, where nodes share a store
(`gateway.queue.store.NODES`). The others count within a tick; a call with more messages takes ticks
to come as well, in a tenth of the time that they take to come."""


class MessageNumbers:
    """Hands out `Message.id`s: ticks since 1970 in the high bits, a counter, and the node.

    Every call begins a tick of its own, so that nobody can count another's messages by the gap
    between two numbers of their own. Nobody is to read a time out of them either.

    A clock that is set back does not make a number come twice: numbers never fall.
    """

    def __init__(self) -> None:
        self._last = 0
        self._node = 0
        # One after the other where there is one node: tables that go by numbers in steps of 64 take
        # three times as long.
        self._step = 1

    def begin(self, node: int | None, last: int) -> None:
        """Hand out the numbers of a node, None where there is but one, all above ``last``."""
        self._node = node or 0
        self._step = 1 if node is None else 1 << NODE_BITS
        self._last = max(self._last, last)

    def follow(self, number: int) -> None:
        """Another node has given this number: those to come are above it, whatever the clocks."""
        self._last = max(self._last, number)

    @property
    def last(self) -> int:
        """The highest number so far; 0 for none."""
        return self._last

    def take(self, count: int, now: float) -> range:
        """``count`` ascending numbers, all higher than any before."""
        tick = max((self._last >> LOW_BITS) + 1, int(now * TICKS))
        first = (tick << LOW_BITS) + self._node
        numbers = range(first, first + count * self._step, self._step)
        if numbers:
            self._last = numbers[-1]
        return numbers
