"""Filters that know of most things, from memory alone, that they are not in a set.

A thing's hash names one word of 64 bits and five bits of it: where one of them is clear the thing
was never put in; where all are set it perhaps was, and the store is asked. Nothing is ever taken
out alone: what left the set costs a question until its whole layer is forgotten, or the filter
filled anew. Hashes of texts hold for one process only, so a filter is never stored.
"""

from array import array
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

BYTES: Final = 2
"""Bytes for each thing at least, so that a full layer asks in vain four times in a thousand."""

SMALLEST: Final = 1 << 16
"""Bytes of a layer at least (64 KiB, which a processor keeps at hand): 32 thousand things."""

LARGEST: Final = 1 << 35
"""Bytes of a layer at most, as many as the hash has bits for beside the pattern's."""

_PATTERN_BITS: Final = 5
_PATTERN_SHIFT: Final = 48
_PATTERN_MASK: Final = (1 << 13) - 1


def _patterns(count: int) -> Iterable[int]:
    """Words with `_PATTERN_BITS` bits set, spread by the multiplier of a 64-bit generator."""
    state = 1
    for _ in range(count):
        bits: set[int] = set()
        while len(bits) < _PATTERN_BITS:
            state = state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407 & (1 << 64) - 1
            bits.add(state >> 58)
        yield sum(1 << bit for bit in bits)


_PATTERNS: Final = tuple(_patterns(_PATTERN_MASK + 1))


class _Layer:
    __slots__ = ("mask", "newest", "room", "used", "words")

    def __init__(self, wanted: int) -> None:
        size = 1 << (max(SMALLEST, min(LARGEST, wanted)) - 1).bit_length()
        self.words = array("Q", bytes(size))
        self.mask = size // 8 - 1
        self.room = size // BYTES
        self.newest = 0
        self.used = False

    def add(self, things: Iterable[Thing]) -> list[Thing]:
        """Put things in; returns those that may have been in."""
        words, mask, patterns = self.words, self.mask, _PATTERNS
        shift, patterns_mask = _PATTERN_SHIFT, _PATTERN_MASK
        there = []
        for thing in things:
            code = hash(thing)
            at = code & mask
            before = words[at]
            after = before | patterns[code >> shift & patterns_mask]
            if before == after:
                there.append(thing)
            else:
                words[at] = after
        return there

    def maybe(self, things: Iterable[Thing]) -> list[Thing]:
        words, mask, patterns = self.words, self.mask, _PATTERNS
        return [
            thing
            for thing in things
            if (wanted := patterns[(code := hash(thing)) >> _PATTERN_SHIFT & _PATTERN_MASK])
            & words[code & mask]
            == wanted
        ]


class BitFilter:
    """Perhaps-membership of hashable things, in 2 to 4 bytes of memory each.

    When the last layer is full, another is added, as large as all there are: what is in already
    is never moved.
    """

    def __init__(self, expected: int = 0) -> None:
        self._layers = [_Layer(expected * BYTES)]

    def add(self, things: Sequence[Thing], age: int = 0) -> set[Thing]:
        """Put things in; ``age`` never descends from call to call. Returns those that may have been
        in, and those that are among them twice."""
        there: set[Thing] = set()
        start = 0
        while start < len(things):
            layer = self._layers[-1] if self._layers[-1].room else self._grow()
            stop = min(start + layer.room, len(things))
            for older in self._layers[:-1]:
                if older.used:
                    there.update(older.maybe(things[start:stop]))
            there.update(layer.add(things[start:stop]))
            layer.room -= stop - start
            layer.newest = age
            layer.used = True
            start = stop
        return there

    def include(self, things: Sequence[Hashable]) -> None:
        """Put in what does not seem to be in: what comes again and again takes no more room. Only
        for a filter that forgets nothing."""
        there = self.maybe(things)
        self.add([thing for thing in dict.fromkeys(things) if thing not in there])

    def maybe(self, things: Sequence[Thing]) -> set[Thing]:
        """Those that may have been put in; every one that was is among them."""
        found: set[Thing] = set()
        for layer in self._layers:
            if layer.used:
                found.update(layer.maybe(things))
        return found

    @property
    def empty(self) -> bool:
        """Whether nothing was ever put in, as far as is known."""
        return not any(layer.used for layer in self._layers)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return sum(8 * len(layer.words) for layer in self._layers)

    def forget(self, age: int) -> None:
        """Let go of full layers with nothing newer than ``age``."""
        full, last = self._layers[:-1], self._layers[-1]
        self._layers = [*(layer for layer in full if layer.newest > age), last]

    def _grow(self) -> _Layer:
        self._layers.append(_Layer(self.size))
        return self._layers[-1]


class SlicedFilter:
    """For each thing, in which of `COLUMNS` sets it may be, all of them asked in one go.

    A thing's hash names two rows of bits, one bit for each set: it is in none whose bit is clear in
    one of the rows. With 2 bytes for each thing, it looks in vain in one set of seventy; a third
    row would make that one of two hundred, and cost every thing that is put in 0.1 µs.

    Args:
        room: things in each set.
    """

    COLUMNS: Final = 32

    __slots__ = ("_mask", "_rows")

    def __init__(self, room: int) -> None:
        rows = 1 << (8 * BYTES * max(1, room) - 1).bit_length()
        self._rows = array("I", bytes(4 * rows))
        self._mask = rows - 1

    def add(self, things: Iterable[Hashable], column: int) -> None:
        """Put things into a set."""
        rows, mask, bit = self._rows, self._mask, 1 << column
        for thing in things:
            code = hash(thing)
            rows[code & mask] |= bit
            rows[code >> 32 & mask] |= bit

    def columns(self, thing: Hashable) -> list[int]:
        """The sets that a thing may be in, the highest first."""
        rows, mask, code = self._rows, self._mask, hash(thing)
        found = rows[code & mask] & rows[code >> 32 & mask]
        return [column for column in range(found.bit_length() - 1, -1, -1) if found >> column & 1]
