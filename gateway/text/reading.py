"""Reads what carriers hand us: the text of octets under a data_coding, as it must have been meant.

A data_coding names an alphabet: by SMPP 3.4 (section 5.2.19) and 3GPP TS 23.038, as the carrier's
configuration says, or, where the octets cannot be that, by the rules below. They are conservative:
the book holds wherever its reading makes sense, and what was guessed says so.

    the book says     the octets                                          are read as
    UCS-2             begin with a byte order mark                        what it says
                      are printable ASCII, and no UCS-2 in use            ASCII
                      make sense with their octets swapped, and only so   UTF-16LE
                      are UTF-8 of several octets, and no UCS-2 in use    UTF-8
    GSM 03.38         every second one is 0                               UTF-16
                      are a third signs that texts seldom have, and all   UTF-16BE
                      of it makes sense as UCS-2 of one foreign script
                      have a high bit, which septets do not               UTF-8, UTF-16, Latin-1,
                                                                          packed septets, GBK: the
                                                                          first that makes sense
    Latin-1, ASCII    the same zeros; UTF-8 of several octets             UTF-16, UTF-8
                      are septets with controls that are letters in GSM   GSM 03.38 (ASCII only)
    no text           are printable ASCII                                 ASCII

No I/O; whatever the octets, it never fails.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from gateway.text.alphabets import DefaultAlphabet
from gateway.text.scripts import is_plausible
from gateway.text.septets import NO_SHIFTS, Shifts, text_of, unpack

BINARY: Final = "binary"
"""Stands for octets that are no text."""

CODECS: Final[Mapping[str, str]] = {
    "ascii": "ascii", "latin1": "cp1252", "latin2": "iso8859_2", "cyrillic": "iso8859_5",
    "arabic": "iso8859_6", "greek": "iso8859_7", "hebrew": "iso8859_8", "turkish": "iso8859_9",
    "cp1250": "cp1250", "cp1251": "cp1251", "cp1252": "cp1252", "cp1253": "cp1253",
    "cp1254": "cp1254", "cp1255": "cp1255", "cp1256": "cp1256", "koi8_r": "koi8_r",
    "koi8_u": "koi8_u", "thai": "cp874", "vietnamese": "cp1258", "utf8": "utf_8",
    "ucs2": "utf_16_be", "ucs2_le": "utf_16_le", "gbk": "gb18030", "big5": "big5hkscs",
    "shift_jis": "cp932", "iso2022_jp": "iso2022_jp_2", "euc_jp": "euc_jis_2004",
    "euc_kr": "cp949",
}  # fmt: skip
"""Python's codecs of the alphabets that are none of GSM 03.38's, each the widest of its kind."""

ALPHABETS: Final = ("gsm7", "gsm7_packed", *CODECS, "jis", "jis_supplement", BINARY)
"""Every alphabet that can be read, as configurations name them."""

# SMPP 3.4 section 5.2.19; 15 is reserved there and GBK in China (CMPP's msg_fmt).
_SMPP: Final = (
    "default", "ascii", BINARY, "latin1", BINARY, "jis", "cyrillic", "hebrew",
    "ucs2", "shift_jis", "iso2022_jp", "default", "default", "jis_supplement", "euc_kr", "gbk",
)  # fmt: skip

# Bits 3 and 2 of a data coding scheme of 3GPP TS 23.038 section 4; its last alphabet is reserved,
# and what is reserved is to be read as the default.
_GENERAL: Final = ("gsm7", BINARY, "ucs2", "gsm7")

_COMPRESSED: Final = 0x20


def _by_the_book(value: int) -> str:
    group = value >> 4
    if group == 0x0:
        return _SMPP[value]
    if group < 0x8:  # general, and the same with automatic deletion
        return BINARY if value & _COMPRESSED else _GENERAL[value >> 2 & 3]
    if group < 0xC:  # reserved
        return "default"
    if group < 0xF:  # a message waits: the last of the three groups is in UCS-2
        return "ucs2" if group == 0xE else "gsm7"
    return BINARY if value & 4 else "gsm7"  # a message class


_BOOK: Final = tuple(map(_by_the_book, range(256)))


class Dialect(msgspec.Struct, frozen=True):
    """Which alphabet each data_coding of a carrier names.

    Attributes:
        default: what it means by "SMSC default alphabet".
        ours: data_codings that it has us use for an alphabet in its own way.
        stated: those that its configuration says the alphabet of; nothing is guessed there.
    """

    default: DefaultAlphabet = "gsm7"
    ours: Mapping[int, str] = {}
    stated: Mapping[int, str] = {}

    def alphabet(self, data_coding: int) -> str:
        """The alphabet of a data_coding, an octet; `BINARY` for what is no text."""
        named = self.stated.get(data_coding) or self.ours.get(data_coding) or _BOOK[data_coding]
        return self.default if named == "default" else named


class Part(NamedTuple):
    """The octets of a part of a message, without its header, and how they are written.

    Attributes:
        header: how many octets the header had.
    """

    octets: bytes
    data_coding: int = 0
    shifts: Shifts = NO_SHIFTS
    header: int = 0


class Reading(NamedTuple):
    """A text, as well as it could be read.

    Attributes:
        alphabet: the one it was read in.
        certain: False where that was guessed, or not all octets are text: they are to be passed on
            beside it.
    """

    text: str
    alphabet: str
    certain: bool = True


class _Run(NamedTuple):
    """Octets that are written alike: in which alphabet, and whether that is stated."""

    alphabet: str
    stated: bool
    octets: bytes
    shifts: Shifts
    header: int


def read(octets: bytes, data_coding: int, dialect: Dialect) -> Reading:
    """What octets under a data_coding say, see above."""
    return join([Part(octets, data_coding)], dialect)


def join(parts: Iterable[Part], dialect: Dialect) -> Reading:
    """The text of a message from its parts, in order, each read as it is written.

    The octets of neighbours that are written alike are joined before they are read, so that an
    escape pair or a surrogate pair that the sender has cut becomes whole again.
    """
    readings = [_read(run) for run in _runs(parts, dialect)]
    if len(readings) == 1:
        return readings[0]
    return Reading(
        "".join(reading.text for reading in readings),
        readings[0].alphabet if readings else dialect.default,
        all(reading.certain for reading in readings),
    )


def plain_ascii(octets: bytes) -> str | None:
    """The text of octets that are printable ASCII and nothing else; None for others."""
    return octets.decode("ascii") if octets and not octets.translate(None, _PRINTABLE) else None


def _runs(parts: Iterable[Part], dialect: Dialect) -> list[_Run]:
    runs: list[_Run] = []
    for part in parts:
        run = _Run(
            dialect.alphabet(part.data_coding),
            part.data_coding in dialect.stated,
            part.octets,
            part.shifts,
            part.header,
        )
        if run.alphabet == "gsm7_packed":  # each part by itself, since each begins with a septet
            octets = unpack(run.octets, run.header)
            run = run._replace(alphabet="gsm7", octets=octets)
        if runs and run[:2] == runs[-1][:2] and run.shifts == runs[-1].shifts:
            octets = runs[-1].octets + _without_mark(run)
            runs[-1] = runs[-1]._replace(octets=octets)
        else:
            runs.append(run)
    return runs


def _without_mark(run: _Run) -> bytes:
    """The octets of a part that follows another, without a byte order mark of its own."""
    marked = run.alphabet.startswith("ucs2") and run.octets[:2] in _MARKS
    return run.octets[2:] if marked else run.octets


def _read(run: _Run) -> Reading:
    if run.alphabet == BINARY:
        return _no_text(run)
    if run.alphabet == "gsm7" and run.stated:
        return _septets(run)
    if not run.stated and (rule := _RULES.get(run.alphabet)):
        return rule(run)
    found = _strictly(run.octets, run.alphabet)
    if found is not None:
        return found
    if not run.stated and (guess := _first(run, _utf8, _ascii)):
        return guess
    return _as_far_as_it_goes(run)


# --- strict readings: the text, or None where the octets are not that ---


def _strictly(octets: bytes, alphabet: str) -> Reading | None:
    """A reading by the book, where every octet is text in that alphabet."""
    try:
        text = _decoded(octets, alphabet, "strict")
    except UnicodeDecodeError:
        return None
    return Reading(text, alphabet) if _is_text(text) else None


def _decoded(octets: bytes, alphabet: str, errors: str) -> str:
    if alphabet in ("ucs2", "ucs2_le") and octets[:2] in _MARKS:
        return octets[2:].decode(_MARKS[octets[:2]], errors)
    if alphabet in ("jis", "jis_supplement"):
        return _jis(octets, alphabet, errors)
    return octets.decode(CODECS[alphabet], errors)


def _jis(octets: bytes, alphabet: str, errors: str) -> str:
    """JIS X 0208 or 0212: pairs of septets, as ISO-2022-JP has them behind its escape; with a high
    bit, Shift JIS as Japanese phones send it."""
    if octets.isascii() and 0x1B not in octets:
        escape = b"\x1b$B" if alphabet == "jis" else b"\x1b$(D"
        return (escape + octets + b"\x1b(B").decode("iso2022_jp_2", errors)
    return octets.decode(CODECS["iso2022_jp" if 0x1B in octets else "shift_jis"], errors)


def _is_text(text: str) -> bool:
    """Whether nothing in it is a control, unassigned or private."""
    if text.isascii() and text.isprintable():
        return True
    return not any(
        unicodedata.category(character) in _NO_TEXT and character not in "\n\r\t\f"
        for character in set(text)
    )


def _plausible(octets: bytes, alphabet: str) -> Reading | None:
    if len(octets) % 2 or not octets:
        return None
    found = _strictly(octets, alphabet)
    return found if found and is_plausible(found.text) else None


# --- guesses: a reading that is not by the book ---

_Guess = Callable[[_Run], Reading | None]


def _first(run: _Run, *guesses: _Guess) -> Reading | None:
    """The first guess that makes sense, marked as one."""
    for guess in guesses:
        if found := guess(run):
            return found._replace(certain=False)
    return None


def _zeros(run: _Run) -> Reading | None:
    """UTF-16 of ASCII: every second octet is 0. Two octets alone could be anything."""
    even, odd = run.octets[::2], run.octets[1::2]
    if len(run.octets) < 4 or len(run.octets) % 2:
        return None
    if not any(even) and plain_ascii(odd):
        return Reading(odd.decode("ascii"), "ucs2")
    if not any(odd) and plain_ascii(even):
        return Reading(even.decode("ascii"), "ucs2_le")
    return None


def _marked(run: _Run) -> Reading | None:
    return _strictly(run.octets, "ucs2") if run.octets[:2] in _MARKS else None


def _utf16(run: _Run) -> Reading | None:
    return _plausible(run.octets, "ucs2")


def _swapped(run: _Run) -> Reading | None:
    return _plausible(run.octets, "ucs2_le")


def _utf8(run: _Run) -> Reading | None:
    return None if run.octets.isascii() else _strictly(run.octets, "utf8")


def _ascii(run: _Run) -> Reading | None:
    text = plain_ascii(run.octets)
    return Reading(text, "ascii") if text is not None else None


def _ascii_words(run: _Run) -> Reading | None:
    """ASCII that is letters and spaces for the most part."""
    letters = len(run.octets) - len(run.octets.translate(None, _LETTERS))
    return _ascii(run) if 5 * letters >= 4 * len(run.octets) else None


def _words(run: _Run) -> Reading | None:
    """Latin-1 that looks like words: letters of ASCII for the most part, and of Latin-1."""
    letters = len(run.octets) - len(run.octets.translate(None, _LETTERS))
    high = [octet for octet in run.octets if octet >= 0x80]
    if 2 * letters < len(run.octets) or any(octet < 0xC0 for octet in high):
        return None
    return _strictly(run.octets, "latin1")


def _packed(run: _Run) -> Reading | None:
    """Packed septets that spell common characters alone."""
    septets = unpack(run.octets, run.header)
    if len(septets) < 3 or septets.translate(None, _COMMON):
        return None
    return Reading(text_of(septets, run.shifts), "gsm7_packed")


def _chinese(run: _Run) -> Reading | None:
    """GBK that is nothing but pairs of GB 2312."""
    if len(run.octets) % 2 or min(run.octets, default=0) < 0xA1:
        return None
    found = _strictly(run.octets, "gbk")
    return found if found and is_plausible(found.text) else None


def _cut(run: _Run) -> Reading | None:
    """UTF-16 with an octet too many at its end."""
    return _plausible(run.octets[:-1], "ucs2") if len(run.octets) % 2 else None


def _foreign(run: _Run) -> Reading | None:
    """UTF-16 whose octets are septets too, but such as texts seldom have."""
    rare = len(run.octets.translate(None, _COMMON))
    if len(run.octets) < 4 or 3 * rare < len(run.octets):
        return None
    found = _plausible(run.octets, "ucs2")
    return None if found is None or found.text.isascii() else found


def _controls(run: _Run) -> Reading | None:
    """GSM 03.38 under ASCII: it has letters and @ where ASCII has controls."""
    if not run.octets.isascii() or not run.octets.translate(None, _NOT_CONTROLS):
        return None
    return _septets(run)


# --- the rules, by the alphabet of the book ---


def _rule_ucs2(run: _Run) -> Reading:
    return (
        _marked(run)
        or _plausible(run.octets, "ucs2")
        or _first(run, _ascii_words, _swapped, _ascii, _utf8, _chinese, _cut)
        or (_strictly(run.octets, "ucs2") if len(run.octets) % 2 == 0 else None)
        or _as_far_as_it_goes(run)
    )


def _rule_gsm7(run: _Run) -> Reading:
    if run.octets.isascii():
        return _first(run, _zeros, _foreign) or _septets(run)
    return _first(
        run, _marked, _utf8, _words, _utf16, _swapped, _packed, _chinese, _latin1
    ) or _as_far_as_it_goes(run)


def _rule_latin1(run: _Run) -> Reading:
    return (
        _first(run, _zeros, _marked, _utf8)
        or _strictly(run.octets, "latin1")
        or _first(run, _utf16, _swapped)
        or _as_far_as_it_goes(run)
    )


def _rule_ascii(run: _Run) -> Reading:
    return _first(run, _zeros, _controls) or _rule_latin1(run)


def _latin1(run: _Run) -> Reading | None:
    return _strictly(run.octets, "latin1")


def _no_text(run: _Run) -> Reading:
    """Octets that are said to be no text; many carriers say so of ASCII."""
    guess = None if run.stated else _first(run, _ascii, _utf8)
    return guess or Reading("", BINARY, certain=False)


def _septets(run: _Run) -> Reading:
    text = text_of(bytes(octet & 0x7F for octet in run.octets), run.shifts)
    return Reading(text, "gsm7", run.octets.isascii() and "\ufffd" not in text)


def _as_far_as_it_goes(run: _Run) -> Reading:
    """What can be read, with U+FFFD for the rest."""
    if run.alphabet == "gsm7":
        text = text_of(run.octets, run.shifts) if run.octets.isascii() else _windows(run.octets)
        return Reading(text, run.alphabet, certain=False)
    return Reading(_decoded(run.octets, run.alphabet, "replace"), run.alphabet, certain=False)


def _windows(octets: bytes) -> str:
    return octets.decode(CODECS["latin1"], "replace")


_RULES: Final[Mapping[str, Callable[[_Run], Reading]]] = {
    "ucs2": _rule_ucs2,
    "gsm7": _rule_gsm7,
    "latin1": _rule_latin1,
    "ascii": _rule_ascii,
}

_MARKS: Final = {b"\xfe\xff": "utf_16_be", b"\xff\xfe": "utf_16_le"}
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\n\r\t"
_LETTERS: Final = bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B)) + b" "
_COMMON: Final = _LETTERS + b"0123456789.,;:!?'\"()/&%+-*=#\n\r"
_NOT_CONTROLS: Final = bytes(range(0x20, 0x80)) + b"\n\r\t"
_NO_TEXT: Final = ("Cc", "Cn", "Co", "Cs")
