"""Makes the octets of a message's parts, without their headers.

Cuts fall between characters, so that no escape pair and no surrogate pair is ever cut, and between
grapheme clusters wherever that costs no further part. What a part holds, and how many a text needs,
is told in `measuring`.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import pairwise
from operator import itemgetter

import msgspec

from gateway.message import Encoding
from gateway.text.alphabets import (
    Alphabet,
    DefaultAlphabet,
    gsm7_codes,
    gsm7_octets,
    gsm7_size,
    latin1_octets,
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
    gsm7_count,
    gsm7_offsets,
    room_of,
    shifted,
    ucs2_offsets,
)
from gateway.text.septets import NO_SHIFTS, Shifts
from gateway.text.shifting import Form, Language, octets_of


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """The parts of a message as a carrier takes them.

    Attributes:
        alphabet: how the octets are to be read, which the PDUs' data_coding must say.
        payloads: the user data of each part. Where there are several, each needs a concatenation
            header (`udh.concat_header`) before it, and has room for it.
        narrow: whether there is room for a header with a 16-bit reference. Otherwise parts are
            filled until one with an 8-bit reference just fits.
        shifts: the national shift tables that every part's header has to name, also that of a
            single one.
    """

    alphabet: Alphabet
    payloads: tuple[bytes, ...]
    narrow: bool = True
    shifts: Shifts = NO_SHIFTS


def encode(
    text: str,
    encoding: Encoding,
    default: DefaultAlphabet = "gsm7",
    parts: float = 0,
    languages: Collection[Language] = (),
) -> Encoded:
    """The parts of a text in the encoding that `measuring.measure` chose for it.

    There are as many parts as were measured, or fewer where the carrier takes the shift tables of
    more languages than were measured with; but for a text in gsm7 that the carrier cannot be given
    as such (``€`` and Greek where it is ``latin1``, and what needs shift tables that it does not
    take): it goes as UCS-2, in more parts. Other texts go to a ``latin1`` carrier in ISO 8859-1,
    cut as if in GSM 03.38, in which they reach the phone.

    Args:
        text: not empty.
        encoding: the encoding that the message was measured in.
        default: the carrier's default alphabet.
        parts: how many there are to be. They are ``narrow`` where the text fits into so many that
            are: with 0 they never are, with infinity always.
        languages: whose shift tables the carrier takes; those that were measured with among them.

    Raises:
        TooLongError: more than `measuring.MAX_PARTS` parts; of a measured text, only by UCS-2 in
            the place of GSM 03.38.
        UnencodableError: the text is none that was measured.
    """
    if encoding == "gsm7":
        codes = gsm7_codes(text)
        if languages and (codes is None or not codes.isascii()):
            form = _shortest(text, codes, languages, parts)
            if form is not None:
                return _as_form(text, form, parts)
        if codes is not None:
            if default == "gsm7":
                return _as_gsm7(text, codes, parts)
            if (octets := latin1_octets(text)) is not None:
                return _as_latin1(text, codes, octets, parts)
    return _as_ucs2(text, parts)


def _shortest(
    text: str, codes: bytes | None, languages: Collection[Language], parts: float
) -> Form | None:
    """The text as the shift tables spell it that make the fewest parts of it; None where those that
    its codes make without any are as few, or none have its characters."""
    narrow = math.isinf(parts)
    plain = MAX_PARTS + 1 if codes is None else gsm7_count(codes, GSM7_ROOM, narrow)
    if plain == 1:
        return None
    found = min(shifted(text, languages, narrow), key=itemgetter(0), default=None)
    return None if found is None or plain <= found[0] else found[1]


def _as_form(text: str, form: Form, parts: float) -> Encoded:
    rooms, octets = room_of(form.shifts), octets_of(form)
    if len(octets) <= rooms.alone:
        return Encoded("gsm7", (octets,), shifts=form.shifts)
    offsets = gsm7_offsets(form.codes)
    ends, narrow = _ends(text, offsets, rooms, parts)
    payloads = _sliced(octets, [offsets[end] for end in ends])
    return Encoded("gsm7", payloads, narrow, form.shifts)


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
