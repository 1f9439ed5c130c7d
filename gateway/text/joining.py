"""Reads what carriers hand us: which alphabet a data_coding names, and the text of a message from
the payloads of its parts. Finding the parts that belong together is not for this module."""

from collections.abc import Iterable
from typing import Final, Literal

from gateway.text.alphabets import Alphabet, DefaultAlphabet, decode

_Coding = Alphabet | Literal["default"] | None

# SMPP 3.4 section 5.2.19. ASCII (1) is read as ISO 8859-1, of which it is a part. None is for
# octets that are no text (2, 4) or are in alphabets that the gateway does not read.
_SMPP: Final[tuple[_Coding, ...]] = (
    "default", "latin1", None, "latin1", None, None, None, None,
    "ucs2", None, None, "default", "default", None, None, "default",
)  # fmt: skip

# Bits 3 and 2 of a data coding scheme of 3GPP TS 23.038 section 4; its last alphabet is reserved,
# and what is reserved is to be read as the default.
_GENERAL: Final[tuple[_Coding, ...]] = ("gsm7", None, "ucs2", "gsm7")

_COMPRESSED: Final = 0x20


def _coding(value: int) -> _Coding:
    group = value >> 4
    if group == 0x0:
        return _SMPP[value]
    if group < 0x8:  # general, and the same with automatic deletion
        return None if value & _COMPRESSED else _GENERAL[value >> 2 & 3]
    if group < 0xC:  # reserved
        return "default"
    if group < 0xF:  # a message waits: the last of the three groups is in UCS-2
        return "ucs2" if group == 0xE else "gsm7"
    return None if value & 4 else "gsm7"  # a message class


_CODINGS: Final = tuple(map(_coding, range(256)))


def alphabet_of(data_coding: int, default: DefaultAlphabet) -> Alphabet | None:
    """The alphabet of a payload, or None where it is no text that can be read.

    Args:
        data_coding: of the PDU, an octet.
        default: what the carrier means by "SMSC default alphabet".
    """
    coding = _CODINGS[data_coding]
    return default if coding == "default" else coding


def join(payloads: Iterable[bytes], alphabet: Alphabet) -> str:
    """The text of a message from its parts' payloads, in order and without their headers.

    The octets are joined before they are read, so that an escape pair or a surrogate pair that the
    sender has cut becomes whole again. Never fails; see `alphabets.decode`.
    """
    return decode(b"".join(payloads), alphabet)
