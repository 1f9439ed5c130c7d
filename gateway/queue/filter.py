"""A filter that knows of most numbers, from memory alone, that they are not in a set.

One bit for each slot, and a number's slot is its hash: a clear bit says "not in the set", a set
bit says "perhaps", which the store then confirms. Numbers cannot be taken out; what was taken out
of the set costs a confirmation until the filter is filled anew.
"""

from collections.abc import Iterable, Sequence

SLOTS = 64
"""Slots for each number at least, so that one number in 64 that is not in the set needs to be
confirmed."""

SMALLEST = 1 << 24
"""Slots of an empty filter (2 MiB): nothing to grow for until a quarter of a million numbers."""

LARGEST = 1 << 32
"""Slots of one layer at most (512 MiB): beyond, more numbers only mean more confirmations."""

GROWTH = 4
"""How many times larger than the last one the next layer is: few layers, so few looks."""


class _Layer:
    __slots__ = ("bits", "mask", "room")

    def __init__(self, slots: int) -> None:
        self.bits = bytearray(slots >> 3)
        self.mask = slots - 1
        self.room = slots // SLOTS


class NumberFilter:
    """Perhaps-membership of strings.

    A full filter grows by a further layer, so that nothing already in it is ever touched again;
    one that is made for as many numbers as it gets has one layer, of 8 to 16 bytes a number.
    """

    def __init__(self, expected: int = 0) -> None:
        wanted = max(SMALLEST, min(LARGEST, expected * SLOTS))
        self._layers = [_Layer(1 << (wanted - 1).bit_length())]

    def add(self, numbers: Iterable[str]) -> None:
        """Put numbers in."""
        for number in numbers:
            layer = self._layers[-1]
            if layer.room == 0:
                layer = self._grown()
            layer.room -= 1
            slot = hash(number) & layer.mask
            layer.bits[slot >> 3] |= 1 << (slot & 7)

    def maybe(self, numbers: Sequence[str]) -> set[str]:
        """Those of ``numbers`` that may have been put in; every one that was is among them."""
        found: set[str] = set()
        for layer in self._layers:
            bits, mask = layer.bits, layer.mask
            found.update(
                [n for n in numbers if bits[(slot := hash(n) & mask) >> 3] >> (slot & 7) & 1]
            )
        return found

    def _grown(self) -> _Layer:
        slots = self._layers[-1].mask + 1
        if slots < LARGEST:
            self._layers.append(_Layer(min(LARGEST, slots * GROWTH)))
        return self._layers[-1]
