"""A filter that knows of most things, from memory alone, that they are not in a set.

Two bits for each thing, at places its hash gives: where one is clear the thing was never put in;
where both are set it perhaps was, and the store is asked. Nothing is ever taken out alone: what
left the set costs a question until its whole layer is forgotten, or the filter filled anew.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

SLOTS: Final = 64
"""Bits for each thing at least, so that a full layer asks in vain once in a thousand times."""

SMALLEST: Final = 1 << 24
"""Bits of a layer at least (2 MiB): a quarter of a million things before a second one."""

LARGEST: Final = 1 << 32
"""Bits of a layer at most (512 MiB), and as many as half a hash can tell apart."""


class _Layer:
    __slots__ = ("bits", "mask", "newest", "room")

    def __init__(self, wanted: int) -> None:
        slots = 1 << (max(SMALLEST, min(LARGEST, wanted)) - 1).bit_length()
        self.bits = bytearray(slots >> 3)
        self.mask = slots - 1
        self.room = slots // SLOTS
        self.newest = 0


class BitFilter:
    """Perhaps-membership of hashable things, in 8 to 16 bytes of memory each.

    When the last layer is full, another is added, as large as all there are: what is in already
    is never moved. Hashes of texts hold for one process only, so a filter is never stored.
    """

    def __init__(self, expected: int = 0) -> None:
        self._layers = [_Layer(expected * SLOTS)]

    def add(self, things: Iterable[Hashable], age: int = 0) -> None:
        """Put things in; ``age`` never descends from call to call."""
        layer = self._layers[-1]
        for thing in things:
            if layer.room <= 0:
                layer.newest = age
                layer = self._grow()
            layer.room -= 1
            code = hash(thing)
            slot = code & layer.mask
            layer.bits[slot >> 3] |= 1 << (slot & 7)
            slot = code >> 32 & layer.mask
            layer.bits[slot >> 3] |= 1 << (slot & 7)
        layer.newest = age

    def maybe(self, things: Sequence[Thing]) -> set[Thing]:
        """Those that may have been put in; every one that was is among them."""
        found: set[Thing] = set()
        for layer in self._layers:
            bits, mask = layer.bits, layer.mask
            # Few get past the first bit, so that only the first line counts.
            some = [t for t in things if bits[(slot := hash(t) & mask) >> 3] >> (slot & 7) & 1]
            if some:
                found.update(
                    t for t in some if bits[(slot := hash(t) >> 32 & mask) >> 3] >> (slot & 7) & 1
                )
        return found

    def forget(self, age: int) -> None:
        """Let go of full layers with nothing newer than ``age``."""
        full, last = self._layers[:-1], self._layers[-1]
        self._layers = [*(layer for layer in full if layer.newest > age), last]

    def _grow(self) -> _Layer:
        self._layers.append(_Layer(sum(layer.mask + 1 for layer in self._layers)))
        return self._layers[-1]
