"""The alphabets of short messages: text to octets and back, whole, in each.

GSM 03.38 is the default alphabet with its extension table, unpacked (a septet an octet) as SMPP
carries it; the tables of national languages are in `shifting`, spelled as the default ones are.
Which alphabet a text travels in is decided in `measuring` and `splitting`.

On the way out a text is first spelled as *codes*, one byte a character, of which the high bit marks
a character of the extension table::

    text      a     @     €     b
    codes    61    1B    E5    62        1B, the escape, which no text spells, stands in for @
    octets   61    00    1B 65 62

Codes have the indices of the text, so that a cut between two of them never cuts an escape pair.
"""

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from gateway.text.errors import UnencodableError

if TYPE_CHECKING:
    from _codecs import _EncodingMap

    Spelling = dict[int, int] | _EncodingMap

Alphabet = Literal["gsm7", "latin1", "ucs2"]
"""How octets spell text: unpacked GSM 03.38, ISO 8859-1, or UTF-16BE."""

DefaultAlphabet = Literal["gsm7", "latin1"]
"""What a carrier means by "SMSC default alphabet" (data_coding 0)."""

_ESCAPE: Final = "\x1b"

# 3GPP TS 23.038 6.2.1, in order of the septets; the escape code stands for itself.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ" + _ESCAPE + "ÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

# 3GPP TS 23.038 6.2.1.1: the septet after the escape.
_EXTENSION: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip

BASIC: Final[Mapping[int, str]] = {
    code: character for code, character in enumerate(_BASIC) if character != _ESCAPE
}
"""The default alphabet: a character by its septet."""

EXTENSION: Final[Mapping[int, str]] = _EXTENSION
"""The extension table: a character by the septet behind the escape."""

_HIGH: Final = 0x80
_UNDEFINED: Final = "\ufffe"


def spelling(basic: Mapping[int, str], extension: Mapping[int, str]) -> "Spelling":
    """How characters are spelled as codes by a table of septets and one of those behind an escape.
    What both have is spelled without the escape."""
    # A table whose position 0 is NUL becomes a trie, walked in C: 270 ns for 100 characters, 1.9 µs
    # with a dict. That is why the character whose septet is 0 has a stand-in.
    shown = ["\0"] + [_UNDEFINED] * 255
    once = set(basic.values())
    for septet, character in extension.items():
        if character not in once:
            shown[_HIGH | septet] = character
    for septet, character in basic.items():
        shown[septet or 0x1B] = character
    return codecs.charmap_build("".join(shown))


_SPELLING: Final = spelling(BASIC, EXTENSION)
_OUTSIDE: Final = re.compile(
    "[^" + re.escape("".join([*BASIC.values(), *EXTENSION.values()])) + "]"
)
_PAIRS: Final = [(bytes([_HIGH | code]), bytes([0x1B, code])) for code in EXTENSION]
_WIDTHS: Final = bytes([1] * 128 + [2] * 128)
_ONE_SEPTET: Final = bytes(range(128))

_READING: Final = _BASIC + "\N{REPLACEMENT CHARACTER}" * 128
_ESCAPE_PAIR: Final = re.compile(_ESCAPE + "(.?)", re.DOTALL)
_UNESCAPED: Final = {_BASIC[code]: character for code, character in _EXTENSION.items()} | {
    # An escape that leads to no other table is shown as a space (the notes to 6.2.1 and 6.2.1.1).
    _ESCAPE: " ",
    "": " ",
}


def gsm7_codes(text: str, by: "Spelling" = _SPELLING) -> bytes | None:
    """The codes of a text, or None where a character is outside the alphabet; ``by`` is the
    `spelling` of a language's tables."""
    # To ignore what is outside, and find that something is missing, is cheaper than an exception.
    codes = codecs.charmap_encode(text, "ignore", by)[0]
    return None if len(codes) != len(text) or 0 in codes else codes


def first_outside_gsm7(text: str) -> str:
    """The first character of a text that is outside the alphabet; empty where none is."""
    found = _OUTSIDE.search(text)
    return "" if found is None else found[0]


def outside_gsm7(text: str) -> UnencodableError:
    """The exception that names the first character of a text that has no codes."""
    first = first_outside_gsm7(text)
    return UnencodableError(first, text.index(first), "gsm7")


def gsm7_size(codes: bytes) -> int:
    """How many septets codes stand for."""
    return len(codes) if codes.isascii() else len(codes) + len(codes.translate(None, _ONE_SEPTET))


def gsm7_widths(codes: bytes) -> bytes:
    """How many septets each code stands for, 1 or 2."""
    return codes.translate(_WIDTHS)


def gsm7_octets(codes: bytes, pairs: "Sequence[tuple[bytes, bytes]]" = _PAIRS) -> bytes:
    """The septets that codes stand for, one an octet; ``pairs`` are those of all codes with the
    high bit that may be among them."""
    octets = codes.replace(b"\x1b", b"\0")
    if not octets.isascii():
        for code, pair in pairs:
            octets = octets.replace(code, pair)
    return octets


def latin1_octets(text: str) -> bytes | None:
    """A text in ISO 8859-1, or None where a character is outside it."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def ucs2_octets(text: str) -> bytes:
    """A text in UTF-16BE. Raises UnencodableError for half a surrogate pair."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise UnencodableError(text[error.start], error.start, "ucs2") from None


def decode(payload: bytes, alphabet: Alphabet) -> str:
    """The text that octets spell. Never fails; what spells nothing becomes U+FFFD.

    In gsm7 an escape before a septet that is not in the extension table is passed over (3GPP TS
    23.038 6.2.1.1), and a last, halved character in ucs2 is a U+FFFD too.
    """
    return _DECODERS[alphabet](payload)


def _gsm7_text(octets: bytes) -> str:
    text = codecs.charmap_decode(octets, "strict", _READING)[0]
    if _ESCAPE in text:
        return _ESCAPE_PAIR.sub(lambda pair: _UNESCAPED.get(pair[1], pair[1]), text)
    return text


def _latin1_text(octets: bytes) -> str:
    return octets.decode("latin-1")


def _ucs2_text(octets: bytes) -> str:
    return octets.decode("utf-16-be", "replace")


_DECODERS: Final[dict[Alphabet, Callable[[bytes], str]]] = {
    "gsm7": _gsm7_text,
    "latin1": _latin1_text,
    "ucs2": _ucs2_text,
}
