"""Looks for the id of a request in a body that cannot be decoded: cut short, followed by something,
with a key that is no string, nested too deeply. What could be read is echoed. No I/O.

It walks the tokens of the map's own level and stops at the id. That is slow beside a decoder, so
it does not walk for ever; nothing but a mistake leads here.
"""

from typing import Final

import msgspec

Echo = int | str | float | bool | bytes
"""What an ``id`` may be to be echoed. Only an integer or a string is taken as one."""

_STEPS: Final = 20_000
"""Values to pass over in search of the id: some 5 ms."""

_decode = msgspec.msgpack.Decoder().decode


class _LostError(Exception):
    """Where the next value begins cannot be told."""


def echo(encoded: bytes | bytearray | msgspec.Raw) -> Echo | None:
    """The value of an encoded id, or None where it is none that could be echoed."""
    first = memoryview(encoded)[0]
    if not (0x80 <= first <= 0x9F or first in _NESTED):  # spares whole maps and arrays
        try:
            value = _decode(encoded)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if isinstance(value, int | str | float | bytes):
            return value
    return None


def find_id(body: bytes | bytearray) -> Echo | None:
    """The ``id`` among the fields of the map that ``body`` begins with, as far as it goes."""
    steps = _STEPS
    try:
        pairs, at = _map(body)
        for _ in range(pairs):
            key = at
            at, steps = _skip(body, at, steps)
            value = at
            at, steps = _skip(body, at, steps)
            if body[key:value].endswith(b"id") and _decode(body[key:value]) == "id":
                return echo(body[value:at])
    except (_LostError, IndexError, msgspec.DecodeError, UnicodeDecodeError):
        pass
    return None


def count(array: msgspec.Raw) -> int:
    """How many values an encoded array has by its header; 0 for anything else."""
    head = bytes(memoryview(array)[:5])
    if head[0] & 0xF0 == 0x90:
        return head[0] & 0x0F
    if head[0] == 0xDC:
        return int.from_bytes(head[1:3])
    return int.from_bytes(head[1:5]) if head[0] == 0xDD else 0


def pairs(body: bytes) -> int:
    """How many pairs the map in ``body`` has by its header."""
    return _map(body)[0]


def _map(body: bytes | bytearray) -> tuple[int, int]:
    """How many pairs a map has, and where the first one begins."""
    first = body[0]
    if first & 0xF0 == 0x80:
        return first & 0x0F, 1
    if first in (0xDE, 0xDF):
        size = 2 if first == 0xDE else 4
        return _number(body, 1, size), 1 + size
    raise _LostError


# How values go on behind their first octet: so many octets, and the number in the next so many
# octets of octets, values or pairs (msgpack's specification, "Overview").
_OCTETS: Final = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,
    0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_SIZED: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4}
_EXTENSIONS: Final = frozenset((0xC7, 0xC8, 0xC9))
_NESTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _skip(body: bytes | bytearray, at: int, steps: int) -> tuple[int, int]:
    """Where the value that begins at ``at`` ends, and how many of ``steps`` are left."""
    left = 1
    while left:
        left, steps = left - 1, steps - 1
        if not steps:
            raise _LostError
        first = body[at]
        at += 1
        if first <= 0x7F or first >= 0xE0:
            pass
        elif first >= 0xA0 and first <= 0xBF:
            at += first & 0x1F
        elif first <= 0x8F:
            left += 2 * (first & 0x0F)
        elif first <= 0x9F:
            left += first & 0x0F
        elif (octets := _OCTETS.get(first)) is not None:
            at += octets
        elif (size := _SIZED.get(first)) is not None:
            at += size + _number(body, at, size) + (first in _EXTENSIONS)
        elif (nested := _NESTED.get(first)) is not None:
            size, times = nested
            left += times * _number(body, at, size)
            at += size
        else:
            raise _LostError
    if at > len(body):
        raise _LostError
    return at, steps


def _number(body: bytes | bytearray, at: int, size: int) -> int:
    digits = body[at : at + size]
    if len(digits) < size:
        raise _LostError
    return int.from_bytes(digits)
