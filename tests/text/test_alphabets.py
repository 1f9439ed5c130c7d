import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib.gsm import gsm_encode

from gateway.text.alphabets import (
    Alphabet,
    decode,
    gsm7_codes,
    gsm7_octets,
    gsm7_size,
    gsm7_widths,
    latin1_octets,
    outside_gsm7,
    ucs2_octets,
)
from gateway.text.errors import UnencodableError

EVERY_CHARACTER = "".join(map(chr, range(0x110000)))
ALPHABETS: list[Alphabet] = ["gsm7", "latin1", "ucs2"]

GSM7 = "".join(character for character in EVERY_CHARACTER if gsm7_codes(character) is not None)
EXTENSION = "\f^{}\\[~]|€"


def octets(text: str) -> bytes:
    codes = gsm7_codes(text)
    assert codes is not None
    return gsm7_octets(codes)


def test_the_alphabet_has_127_characters_and_10_more_in_its_extension_table() -> None:
    assert len(GSM7) == 137
    assert {character for character in GSM7 if len(octets(character)) == 2} == set(EXTENSION)
    assert len({octets(character) for character in GSM7}) == 137


def test_octets_are_those_of_another_implementation() -> None:
    shared = GSM7.replace("\f", "").replace("§", "")  # that one knows neither
    assert octets(shared) == gsm_encode(shared)
    assert octets("§\f") == b"\x5f\x1b\x0a"


def test_characters_outside() -> None:
    for character in "\0\x1b`ç\u20ab中😀\ud83d\ufffe":
        assert gsm7_codes(character) is None
        assert gsm7_codes(f"ab{character}c") is None


@given(st.text(GSM7))
def test_codes_have_the_indices_of_the_text_and_the_size_of_its_octets(text: str) -> None:
    codes = gsm7_codes(text)
    assert codes is not None
    assert len(codes) == len(text)
    assert gsm7_size(codes) == sum(gsm7_widths(codes)) == len(gsm7_octets(codes))
    assert all(septet < 0x80 for septet in gsm7_octets(codes))


def test_the_first_character_outside_is_named() -> None:
    error = outside_gsm7("it`s 中")
    assert (error.character, error.position) == ("`", 2)
    assert str(error) == "U+0060 (GRAVE ACCENT) at position 2 has no form in gsm7"
    assert outside_gsm7("a\0").position == 1


def test_half_a_surrogate_pair_has_no_form_and_can_be_reported() -> None:
    with pytest.raises(UnencodableError) as caught:
        ucs2_octets("ab\ud83d")
    assert (caught.value.character, caught.value.position) == ("\ud83d", 2)
    assert str(caught.value).isascii()


def test_latin1() -> None:
    assert latin1_octets("é{") == b"\xe9{"
    assert latin1_octets("€") is None


@given(st.text(GSM7))
def test_gsm7_round_trip(text: str) -> None:
    assert decode(octets(text), "gsm7") == text


@given(st.text())
def test_ucs2_round_trip(text: str) -> None:
    assert decode(ucs2_octets(text), "ucs2") == text


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_latin1_round_trip(text: str) -> None:
    found = latin1_octets(text)
    assert found is not None
    assert decode(found, "latin1") == text


@pytest.mark.parametrize("alphabet", ALPHABETS)
@given(payload=st.binary())
def test_any_octets_are_read_as_text_that_can_be_stored(payload: bytes, alphabet: Alphabet) -> None:
    decode(payload, alphabet).encode()


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", ""),
        (b"\x1b\x65!", "€!"),
        (b"\x1b\x0a", "\f"),
        (b"\x1bA", "A"),  # not in the extension table
        (b"\x1b\x0d", "\r"),
        (b"\x1b\x1be", " e"),  # a further table, which does not exist
        (b"a\x1b", "a "),
        (b"a\xe9b", "a\ufffdb"),  # no septet
        (b"\x1b\xe9", "\ufffd"),
    ],
)
def test_gsm7_from_careless_senders(payload: bytes, text: str) -> None:
    assert decode(payload, "gsm7") == text


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", ""),
        (b"\x4e\x2d\x00", "中\ufffd"),  # an odd length
        (b"\xd8\x3d", "\ufffd"),
        (b"\xd8\x3d\x00a", "\ufffda"),  # half a pair
        (b"\xde\x00\x00a", "\ufffda"),
        (b"\xd8\x3d\xde\x00", "😀"),
    ],
)
def test_ucs2_from_careless_senders(payload: bytes, text: str) -> None:
    assert decode(payload, "ucs2") == text
