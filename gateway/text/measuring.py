"""Chooses the encoding of a text and counts its parts.

Every message passes here at intake, so no part is made here: `splitting` makes them, when the
message is sent, and makes exactly as many as were counted.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from gateway.message import Encoding
from gateway.text.alphabets import gsm7_codes, gsm7_size, gsm7_widths, outside_gsm7, ucs2_octets
from gateway.text.errors import EmptyTextError, TooLongError
from gateway.text.septets import Shifts
from gateway.text.shifting import Form, Language, forms

MAX_PARTS: Final = 255
"""The concatenation header numbers the parts in one octet (3GPP TS 23.040 9.2.3.24.8)."""


class Room(NamedTuple):
    """What 140 octets hold: all of a text in one part, or a part of several with its header: of 6
    octets with an 8-bit reference, or of 7 with one of 16 bits (`udh`), which leaves less."""

    alone: int
    of_several: int
    narrow: int


GSM7_ROOM: Final = Room(160, 153, 152)
"""In septets; a character of the extension table takes two."""

UCS2_ROOM: Final = Room(70, 67, 66)
"""In UTF-16 code units; a character beyond U+FFFF takes two."""

ONE_TABLE: Final = Room(155, 149, 148)
TWO_TABLES: Final = Room(152, 146, 145)
"""In septets, where the header names one national shift table, in three octets, or two."""


class Measure(NamedTuple):
    """The encoding that a text takes, and how many parts it needs in it."""

    encoding: Encoding
    parts: int


_GSM7: Final = tuple(Measure("gsm7", parts) for parts in range(MAX_PARTS + 1))
_UCS2: Final = tuple(Measure("ucs2", parts) for parts in range(MAX_PARTS + 1))


def measure(
    text: str,
    wanted: Literal["auto", "gsm7", "ucs2"] = "auto",
    narrow: bool = False,
    languages: Collection[Language] = (),
) -> Measure:
    """The encoding and the number of parts of a text; ``auto`` takes gsm7 wherever it can, and with
    a language's shift tables wherever these save a part: not every phone knows them.

    The work is bounded, however long the text.

    Args:
        text: to be sent.
        wanted: the encoding.
        narrow: headers have 7 octets, whether or not fewer would save a part.
        languages: whose shift tables every carrier takes that may be given the text.

    Raises:
        EmptyTextError: there is no text.
        TooLongError: it needs more than `MAX_PARTS` parts.
        UnencodableError: a character has no form in the encoding that is wanted, or is half a
            surrogate pair, which has none in any.
    """
    if not text:
        raise EmptyTextError
    if len(text) > MAX_PARTS * GSM7_ROOM.of_several:
        raise TooLongError(len(text), MAX_PARTS)
    if wanted != "ucs2":
        codes = gsm7_codes(text)
        if codes is not None:
            units = gsm7_size(codes)
            if units <= GSM7_ROOM.alone:
                return _GSM7[1]
            plain = gsm7_count(codes, GSM7_ROOM, narrow)
            if not languages or codes.isascii():
                return _GSM7[plain]
            return _GSM7[min(plain, _fewest(text, languages, narrow))]
        if wanted == "gsm7":
            fewest = _fewest(text, languages, narrow)
            if fewest > MAX_PARTS:
                raise outside_gsm7(text)
            return _GSM7[fewest]
    units = len(ucs2_octets(text)) >> 1
    if units <= UCS2_ROOM.alone:
        return _UCS2[1]
    parts = _ucs2_count(text, units, narrow)
    if languages and wanted == "auto":
        fewest = _fewest(text, languages, narrow)
        if fewest < parts:
            return _GSM7[fewest]
    return _UCS2[parts]


def shifted(text: str, languages: Collection[Language], narrow: bool) -> Iterator[tuple[int, Form]]:
    """A text as the shift tables of each of these languages spell it, of those that have all of its
    characters, with the parts that it takes then."""
    for form in forms(text, languages):
        with suppress(TooLongError):
            yield gsm7_count(form.codes, room_of(form.shifts), narrow), form


def _fewest(text: str, languages: Collection[Language], narrow: bool) -> int:
    """The fewest parts that a text takes with shift tables; over `MAX_PARTS` where it cannot."""
    return min([parts for parts, _ in shifted(text, languages, narrow)], default=MAX_PARTS + 1)


def room_of(shifts: Shifts) -> Room:
    """What a part holds whose header names these tables."""
    return TWO_TABLES if all(shifts) else ONE_TABLE


def gsm7_count(codes: bytes, rooms: Room, narrow: bool) -> int:
    """The fewest parts that codes take. Raises TooLongError."""
    units = gsm7_size(codes)
    if units <= rooms.alone:
        return 1
    room = rooms.narrow if narrow else rooms.of_several
    return _certain_count(units, room) or len(earliest_ends(gsm7_offsets(codes), room))


def _ucs2_count(text: str, units: int, narrow: bool) -> int:
    room = UCS2_ROOM.narrow if narrow else UCS2_ROOM.of_several
    return _certain_count(units, room) or len(earliest_ends(ucs2_offsets(text, units), room))


def gsm7_offsets(codes: bytes) -> Sequence[int]:
    """How many septets stand before each character and, last, in all."""
    if codes.isascii():
        return range(len(codes) + 1)
    return list(accumulate(gsm7_widths(codes), initial=0))


# By the plane of a character: those beyond plane 0 take a surrogate pair.
_UNITS: Final = bytes([1] + [2] * 255)


def ucs2_offsets(text: str, units: int) -> Sequence[int]:
    """How many UTF-16 code units stand before each character and, last, in all (``units``)."""
    if units == len(text):
        return range(units + 1)
    planes = text.encode("utf-32-le")[2::4]
    return list(accumulate(planes.translate(_UNITS), initial=0))


def earliest_ends(offsets: Sequence[int], room: int) -> list[int]:
    """Where each part may end at the earliest, the last part first, as indices of characters.

    There are as many as the fewest parts that the text can be cut into between characters: the last
    part is filled from its end, then the one before it, and so on.

    Raises TooLongError.
    """
    end = len(offsets) - 1
    ends = [end]
    if offsets[end] <= MAX_PARTS * room:
        while (first := offsets[end] - room) > 0:
            start = max(end - room, 0)
            end = start if offsets[start] == first else bisect_left(offsets, first, start, end)
            ends.append(end)
        if len(ends) <= MAX_PARTS:
            return ends
    raise TooLongError(len(offsets) - 1, MAX_PARTS)


def fits(offsets: Sequence[int], parts: float, room: int) -> bool:
    """Whether a text can be cut into so many parts with this room each."""
    units = offsets[-1]
    if units > parts * room:
        return False
    return units <= parts * (room - 1) or len(earliest_ends(offsets, room)) <= parts


def _certain_count(units: int, room: int) -> int:
    """The fewest parts, or 0 where it depends on which characters take two units.

    A part wastes at most the one unit before such a character. This spares most texts of several
    parts their offsets, some 20 ns a character.
    """
    parts = -(-units // room)
    return parts if parts == -(-units // (room - 1)) and parts <= MAX_PARTS else 0
