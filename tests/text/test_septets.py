"""Septets: national shift tables and packing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.alphabets import decode
from gateway.text.septets import Shifts, text_of, unpack

# Numbers of languages (3GPP TS 23.038, 6.2.1.2.4).
TURKISH, SPANISH, PORTUGUESE, BENGALI, HINDI, TAMIL, URDU = 1, 2, 3, 4, 6, 11, 13


@pytest.mark.parametrize(
    ("shifts", "septets", "text"),
    [
        # Turkish: letters of its own in the locking table, and behind the escape.
        (Shifts(TURKISH, 0), b"\x40PTAL \x0c\x07", "İPTAL ğı"),
        (Shifts(0, TURKISH), b"\x1bIptal \x1bs\x1be", "İptal ş€"),
        (Shifts(TURKISH, TURKISH), b"\x04\x1bS", "€Ş"),
        (Shifts(0, SPANISH), b"m\x1bas \x1bu \x1bi", "más ú í"),
        (Shifts(SPANISH, SPANISH), b"\x1bA", "Á"),  # it has no locking table
        (Shifts(PORTUGUESE, 0), b"N\x7bo \x1ae", "Não |e"),
        (Shifts(0, PORTUGUESE), b"\x1b\x7bo \x1bA", "ão À"),
        (Shifts(HINDI, 0), b"\x2c\x00", ",ँ"),
        (Shifts(HINDI, HINDI), b"\x00\x1b\x1c\x15", "ँ०क"),
        (Shifts(BENGALI, 0), b"\x03\x1be", "অ€"),
        (Shifts(TAMIL, 0), b"\x15", "க"),
        (Shifts(URDU, 0), b"\x00\x02", "اب"),
        # A language that is not known is the default; so is an escape pair that is in no table.
        (Shifts(99, 99), b"\x00\x1be", "@€"),
        (Shifts(TURKISH, 0), b"\x1be\x1b\x40", "€|"),
        (Shifts(0, TURKISH), b"\x1bX\x1b", "X "),
        (Shifts(0, 0), b"\x1b\x1b", decode(b"\x1b\x1b", "gsm7")),
    ],
)
def test_shift_tables(shifts: Shifts, septets: bytes, text: str) -> None:
    assert text_of(septets, shifts) == text


@pytest.mark.parametrize("language", range(1, 14))
def test_every_language_has_what_all_share(language: int) -> None:
    digits = text_of(b"0123456789", Shifts(language, language))
    assert digits == "0123456789"
    assert text_of(b"abcxyz", Shifts(language, 0)) == "abcxyz"
    assert text_of(b"\x1b\x65\x1b\x3c\x1b\x3e", Shifts(0, language)) == "€[]"


@given(st.binary(max_size=80).map(lambda octets: bytes(octet & 0x7F for octet in octets)),
       st.integers(0, 14), st.integers(0, 14))  # fmt: skip
def test_any_septets_can_be_read(septets: bytes, locking: int, single: int) -> None:
    assert isinstance(text_of(septets, Shifts(locking, single)), str)
    assert text_of(septets) == decode(septets, "gsm7")


def pack(septets: bytes, header: int = 0) -> bytes:
    """Septets in as few octets as hold them, from the next multiple of 7 bits behind a header."""
    fill = -8 * header % 7
    bits = sum(septet << fill + 7 * at for at, septet in enumerate(septets))
    return bits.to_bytes(-(-(fill + 7 * len(septets)) // 8), "little")


def test_packing_of_the_standard() -> None:
    assert pack(b"hello") == bytes.fromhex("e8329bfd06")
    assert unpack(bytes.fromhex("e8329bfd06")) == b"hello"


@given(
    st.binary(min_size=1, max_size=160).map(lambda some: bytes(octet & 0x7F for octet in some)),
    st.integers(0, 20),
)
def test_what_was_packed_is_unpacked(septets: bytes, header: int) -> None:
    found = unpack(pack(septets, header), header)
    # A last @ where a whole septet could be padding is taken for that, as phones pad.
    assert found == septets or found == septets[:-1] or found[:-1] == septets
