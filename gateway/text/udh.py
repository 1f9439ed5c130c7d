"""User data headers (3GPP TS 23.040 9.2.3.24): builds the ones that join parts, reads any.

    06 08 04 ref-hi ref-lo total sequence          with a reference of 16 bits
    05 00 03 ref           total sequence          with one of 8 bits: an octet more for the text
    06 24 01 01 25 01 01                           with the shift tables of Turkish, which
                                                   concatenation follows

A header is a length and *information elements*, each an identifier, a length and octets. Of these
concatenation and the shift tables of national languages mean something here; ports and the rest are
passed over. Which reference a message gets, and keeping parts until all are there, are not for this
module.
"""

import struct
from typing import Final, NamedTuple

from gateway.errors import LocalProtocolError, RemoteProtocolError
from gateway.text.septets import NO_SHIFTS, Shifts

_CONCAT: Final = struct.Struct(">BBHBB")
_SHORT_CONCAT: Final = struct.Struct(">BBBBB")
_CONCAT_16: Final = 0x08

_CONCAT_8: Final = 0x00
_SINGLE, _LOCKING = 0x24, 0x25

_LAYOUTS: Final = {_CONCAT_8: struct.Struct(">BBB"), _CONCAT_16: struct.Struct(">HBB")}
_SIZES: Final = {kind: layout.size for kind, layout in _LAYOUTS.items()}
_CONCATS: Final = frozenset(_LAYOUTS)

_FIRST: Final = frozenset({_CONCAT_8, _CONCAT_16, 0x04, 0x05, _SINGLE, _LOCKING})
"""What headers begin with: concatenation, ports of 8 or 16 bits, shift tables."""


class Concat(NamedTuple):
    """A part's place in its message: the reference that its parts share, how many there are, and
    which one this is, from 1."""

    reference: int
    total: int
    sequence: int


class UserData(NamedTuple):
    """User data without its header. ``concat`` is None for a message of its own."""

    concat: Concat | None
    payload: bytes


def concat_header(concat: Concat, shifts: Shifts = NO_SHIFTS) -> bytes:
    """The header with a 16-bit reference, 7 octets, and 3 more for each shift table; the last octet
    is the part's number.

    Raises LocalProtocolError for numbers that do not fit or that name no part.
    """
    reference, total, sequence = concat
    if not (0 <= reference <= 0xFFFF and 1 <= sequence <= total <= 0xFF):
        raise LocalProtocolError(f"no part of a message: {concat}")
    return _headed(_CONCAT.pack(_CONCAT_16, 4, reference, total, sequence), shifts)


def short_header(concat: Concat, shifts: Shifts = NO_SHIFTS) -> bytes:
    """The header with an 8-bit reference, 6 octets, otherwise as `concat_header`.

    Raises LocalProtocolError for numbers that do not fit or that name no part.
    """
    reference, total, sequence = concat
    if not (0 <= reference <= 0xFF and 1 <= sequence <= total <= 0xFF):
        raise LocalProtocolError(f"no part of a message: {concat}")
    return _headed(_SHORT_CONCAT.pack(_CONCAT_8, 3, reference, total, sequence), shifts)


def shift_header(shifts: Shifts) -> bytes:
    """The header of a message in one part that is written with shift tables."""
    return _headed(b"", shifts)


def _headed(elements: bytes, shifts: Shifts) -> bytes:
    if shifts.locking:
        elements = bytes((_LOCKING, 1, shifts.locking)) + elements
    if shifts.single:
        elements = bytes((_SINGLE, 1, shifts.single)) + elements
    return bytes((len(elements),)) + elements


class Header(NamedTuple):
    """What a header says.

    Attributes:
        size: its octets, the length that it begins with among them.
        concat: the part's place; None for a message of its own.
        shifts: the languages of the shift tables, see `gateway.text.septets`.
        exact: its elements fill it, and none of those that mean something here is odd.
    """

    size: int
    concat: Concat | None = None
    shifts: Shifts = NO_SHIFTS
    exact: bool = True


def parse_user_data(octets: bytes) -> UserData:
    """Take the header off user data whose PDU says that it has one (UDHI), see `parse_header`.

    Raises RemoteProtocolError where it is longer than the octets.
    """
    header = parse_header(octets)
    return UserData(header.concat, octets[header.size :])


def parse_header(octets: bytes) -> Header:
    """The header at the beginning of user data.

    It is as long as its length says, whatever is in it: fill octets, elements that are unknown, and
    those that run out of it cost nothing but themselves. As the standard has it, the last of
    several concatenation elements counts; one that names no part (a total or sequence of 0, a
    sequence above the total) is passed over. Which of its two forms one has is told by its length,
    whatever its identifier says.

    Raises RemoteProtocolError where the header is longer than the octets.
    """
    if not octets or octets[0] >= len(octets):
        raise RemoteProtocolError(f"user data header longer than its {len(octets)} octets")
    end = octets[0] + 1
    concat, shifts, exact = None, NO_SHIFTS, True
    at = 1
    while at + 1 < end:
        kind, body = octets[at], at + 2
        after = body + octets[at + 1]
        value = octets[body : min(after, end)]
        exact = exact and after <= end
        if kind in _CONCATS:
            found = _concat(kind, value)
            exact = exact and found is not None and len(value) == _SIZES[kind]
            concat = found or concat
        elif kind == _SINGLE and value:
            shifts = shifts._replace(single=value[0])
        elif kind == _LOCKING and value:
            shifts = shifts._replace(locking=value[0])
        at = after
    return Header(end, concat, shifts, exact and at == end)


def unannounced(octets: bytes) -> Header | None:
    """The header of user data whose PDU does not say that there is one, where they can begin with
    nothing else: one that is exact and names a part."""
    if len(octets) < 7 or octets[1] not in _FIRST:
        return None
    try:
        header = parse_header(octets)
    except RemoteProtocolError:
        return None
    return header if header.exact and header.concat else None


def _concat(kind: int, value: bytes) -> Concat | None:
    """A part's place by an element that should have the size of its kind, and may not."""
    fitting = [other for other in _LAYOUTS if _SIZES[other] == len(value)]
    for other in (*fitting, kind, _CONCAT_8):
        if len(value) >= _SIZES[other]:
            found = Concat._make(_LAYOUTS[other].unpack_from(value))
            if 1 <= found.sequence <= found.total:
                return found
    return None
