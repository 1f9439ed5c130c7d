"""A filter that knows of most things, from memory alone, that they are not in a set.

A thing's hash names one byte and four bits of it: where one of them is clear the thing was never
put in; where all are set it perhaps was, and the store is asked. Nothing is ever taken out alone:
what left the set costs a question until its whole layer is forgotten, or the filter filled anew.
"""

from collections.abc import Hashable, Sequence
from itertools import combinations, islice
from typing import Final, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

BYTES: Final = 8
"""Bytes for each thing at least, so that a full layer asks in vain three times in a thousand."""

SMALLEST: Final = 1 << 16
"""Bytes of a layer at least (64 KiB, which a processor keeps at hand): eight thousand things."""

LARGEST: Final = 1 << 32
"""Bytes of a layer at most, as many as half a hash can tell apart."""

_PATTERNS = tuple(sum(1 << bit for bit in four) for four in islice(combinations(range(8), 4), 64))


class _Layer:
    __slots__ = ("bits", "mask", "newest", "room")

    def __init__(self, wanted: int) -> None:
        size = 1 << (max(SMALLEST, min(LARGEST, wanted)) - 1).bit_length()
        self.bits = bytearray(size)
        self.mask = size - 1
        self.room = size // BYTES
        self.newest = 0


class BitFilter:
    """Perhaps-membership of hashable things, in 8 to 16 bytes of memory each.

    When the last layer is full, another is added, as large as all there are: what is in already
    is never moved. Hashes of texts hold for one process only, so a filter is never stored.
    """

    def __init__(self, expected: int = 0) -> None:
        self._layers = [_Layer(expected * BYTES)]

    def add(self, things: Sequence[Hashable], age: int = 0) -> None:
        """Put things in; ``age`` never descends from call to call."""
        start = 0
        while start < len(things):
            layer = self._layers[-1] if self._layers[-1].room else self._grow()
            some = things[start : start + layer.room]
            bits, mask = layer.bits, layer.mask
            for thing in some:
                code = hash(thing)
                bits[code & mask] |= _PATTERNS[code >> 32 & 63]
            layer.room -= len(some)
            layer.newest = age
            start += len(some)

    def include(self, things: Sequence[Hashable]) -> None:
        """Put in what does not seem to be in: what comes again and again takes no more room. Only
        for a filter that forgets nothing."""
        there = self.maybe(things)
        self.add([thing for thing in dict.fromkeys(things) if thing not in there])

    def maybe(self, things: Sequence[Thing]) -> set[Thing]:
        """Those that may have been put in; every one that was is among them."""
        found: set[Thing] = set()
        for layer in self._layers:
            bits, mask = layer.bits, layer.mask
            # Most bytes are empty, so that only the first line counts.
            some = [thing for thing in things if bits[hash(thing) & mask]]
            found.update(
                thing
                for thing in some
                if not _PATTERNS[hash(thing) >> 32 & 63] & ~bits[hash(thing) & mask]
            )
        return found

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return sum(layer.mask + 1 for layer in self._layers)

    def forget(self, age: int) -> None:
        """Let go of full layers with nothing newer than ``age``."""
        full, last = self._layers[:-1], self._layers[-1]
        self._layers = [*(layer for layer in full if layer.newest > age), last]

    def _grow(self) -> _Layer:
        self._layers.append(_Layer(self.size))
        return self._layers[-1]
