"""User data headers (3GPP TS 23.040 9.2.3.24): builds the one that joins parts, reads any.

    06 08 04 ref-hi ref-lo total sequence          the header that we send, with a 16-bit reference
    05 00 03 ref           total sequence          the older form with 8 bits

A header is a length and *information elements*, each an identifier, a length and octets. Of these
only concatenation means something here; ports and national alphabets are passed over. Which
reference a message gets, and keeping parts until all are there, are not for this module.
"""

import struct
from typing import Final, NamedTuple

from gateway.errors import LocalProtocolError, RemoteProtocolError

_CONCAT: Final = struct.Struct(">BBBHBB")
_CONCAT_16: Final = 0x08

# The layout of each kind of concatenation element.
_ELEMENTS: Final = {0x00: struct.Struct(">BBB"), _CONCAT_16: struct.Struct(">HBB")}


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


def concat_header(concat: Concat) -> bytes:
    """The header with a 16-bit reference, 7 octets.

    Raises LocalProtocolError for numbers that do not fit or that name no part.
    """
    reference, total, sequence = concat
    if not (0 <= reference <= 0xFFFF and 1 <= sequence <= total <= 0xFF):
        raise LocalProtocolError(f"no part of a message: {concat}")
    return _CONCAT.pack(6, _CONCAT_16, 4, reference, total, sequence)


def parse_user_data(octets: bytes) -> UserData:
    """Take the header off user data whose PDU says that it has one (UDHI).

    As the standard has it, the last of several concatenation elements counts, and one that names no
    part (a total or sequence of 0, a sequence above the total) is passed over.

    Raises RemoteProtocolError where lengths do not add up.
    """
    if not octets or octets[0] >= len(octets):
        raise RemoteProtocolError(f"user data header longer than its {len(octets)} octets")
    end = octets[0] + 1
    concat = None
    at = 1
    while at < end:
        body = at + 2
        if body > end or (after := body + octets[at + 1]) > end:
            raise RemoteProtocolError(f"information element at octet {at} runs out of its header")
        if layout := _ELEMENTS.get(octets[at]):
            if after - body != layout.size:
                raise RemoteProtocolError(f"concatenation element of {after - body} octets")
            found = Concat._make(layout.unpack_from(octets, body))
            if 1 <= found.sequence <= found.total:
                concat = found
        at = after
    return UserData(concat, octets[end:])
