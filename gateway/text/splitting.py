"""Makes the octets of a message's parts, without their headers.

Cuts fall between characters, so that no escape pair and no surrogate pair is ever cut, and between
grapheme clusters wherever that costs no further part. What a part holds, and how many a text needs,
is told in `measuring`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from gateway.message import Encoding
from gateway.text.alphabets import (
    Alphabet,
    DefaultAlphabet,
    gsm7_codes,
    gsm7_octets,
    gsm7_size,
    latin1_octets,
    outside_gsm7,
    ucs2_octets,
)
from gateway.text.errors import TooLongError
from gateway.text.graphemes import last_boundary
from gateway.text.measuring import (
    GSM7_ROOM,
    MAX_PARTS,
    UCS2_ROOM,
    Room,
    earliest_ends,
    fits,
    gsm7_offsets,
    ucs2_offsets,
)


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """The parts of a message as a carrier takes them.

    Attributes:
        alphabet: how the octets are to be read, which the PDUs' data_coding must say.
        payloads: the user data of each part. Where there are several, each needs a concatenation
            header (`udh.concat_header`) before it, and has room for it.
        narrow: whether there is room for a header with a 16-bit reference. Otherwise parts are
            filled until one with an 8-bit reference just fits.
    """

    alphabet: Alphabet
    payloads: tuple[bytes, ...]
    narrow: bool = True


def encode(
    text: str, encoding: Encoding, default: DefaultAlphabet = "gsm7", parts: float = 0
) -> Encoded:
    """The parts of a text in the encoding that `measuring.measure` chose for it.

    There are as many parts as were measured, but for a text in gsm7 that a ``latin1`` carrier
    cannot be given as such (``€``, Greek): it goes as UCS-2, in more parts. Other texts go to such
    a carrier in ISO 8859-1, cut as if in GSM 03.38, in which they reach the phone.

    Args:
        text: not empty.
        encoding: the encoding that the message was measured in.
        default: the carrier's default alphabet.
        parts: how many there are to be. They are ``narrow`` where the text fits into so many that
            are: with 0 they never are, with infinity always.

    Raises:
        TooLongError: more than `measuring.MAX_PARTS` parts; of a measured text, only by UCS-2 in
            the place of ISO 8859-1.
        UnencodableError: the text was not measured in this encoding.
    """
    if encoding == "gsm7":
        codes = gsm7_codes(text)
        if codes is None:
            raise outside_gsm7(text)
        if default == "gsm7":
            return _as_gsm7(text, codes, parts)
        if (octets := latin1_octets(text)) is not None:
            return _as_latin1(text, codes, octets, parts)
    return _as_ucs2(text, parts)


def _as_gsm7(text: str, codes: bytes, parts: float) -> Encoded:
    octets = gsm7_octets(codes)
    if len(octets) <= GSM7_ROOM.alone:
        return Encoded("gsm7", (octets,))
    offsets = gsm7_offsets(codes)
    ends, narrow = _ends(text, offsets, GSM7_ROOM, parts)
    return Encoded("gsm7", _sliced(octets, [offsets[end] for end in ends]), narrow)


def _as_latin1(text: str, codes: bytes, octets: bytes, parts: float) -> Encoded:
    if gsm7_size(codes) <= GSM7_ROOM.alone:
        return Encoded("latin1", (octets,))
    ends, narrow = _ends(text, gsm7_offsets(codes), GSM7_ROOM, parts)
    return Encoded("latin1", _sliced(octets, ends), narrow)


def _as_ucs2(text: str, parts: float) -> Encoded:
    octets = ucs2_octets(text)
    units = len(octets) >> 1
    if units <= UCS2_ROOM.alone:
        return Encoded("ucs2", (octets,))
    offsets = ucs2_offsets(text, units)
    ends, narrow = _ends(text, offsets, UCS2_ROOM, parts)
    return Encoded("ucs2", _sliced(octets, [2 * offsets[end] for end in ends]), narrow)


def _sliced(octets: bytes, ends: Sequence[int]) -> tuple[bytes, ...]:
    return tuple(octets[start:end] for start, end in pairwise((0, *ends)))


def _ends(text: str, offsets: Sequence[int], rooms: Room, parts: float) -> tuple[list[int], bool]:
    """Where each part ends, as indices of characters, and whether they are narrow.

    A part is filled. If that tears a grapheme cluster, it ends at the last boundary from which the
    rest still fits into the parts that are left, and stays full where there is none. So no cluster
    is torn if the fewest parts allow that at all.
    """
    narrow = fits(offsets, parts, rooms.narrow)
    room = rooms.narrow if narrow else rooms.of_several
    ends: list[int] = []
    earliest: list[int] = []
    start, last = 0, len(offsets) - 1
    while (limit := offsets[start] + room) < offsets[last]:
        end = min(start + room, last)
        if offsets[end] != limit:
            end = bisect_right(offsets, limit, start, end) - 1
        boundary = last_boundary(text, start, end)
        if boundary != end:
            earliest = earliest or earliest_ends(offsets, room)[::-1]
            end = boundary if boundary >= earliest[len(ends)] else end
        ends.append(end)
        start = end
    if len(ends) >= MAX_PARTS:
        raise TooLongError(last, MAX_PARTS)
    ends.append(last)
    return ends, narrow
