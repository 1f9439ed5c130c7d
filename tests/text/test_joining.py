from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.alphabets import Alphabet, DefaultAlphabet, decode
from gateway.text.joining import alphabet_of, join


@pytest.mark.parametrize(
    ("payloads", "alphabet", "text"),
    [
        ([], "gsm7", ""),
        ([b"5\x1b", b"e!"], "gsm7", "5€!"),
        ([b"\xd8\x3d", b"\xde\x00"], "ucs2", "😀"),
        ([b"\x4e\x2d\x4e", b"\x2d"], "ucs2", "中中"),
        ([b"a\xe9", b"b"], "latin1", "aéb"),
    ],
)
def test_what_a_careless_sender_has_cut_becomes_whole(
    payloads: list[bytes], alphabet: Alphabet, text: str
) -> None:
    assert join(payloads, alphabet) == text


@given(st.lists(st.binary(max_size=8)), st.sampled_from(["gsm7", "latin1", "ucs2"]))
def test_where_the_cuts_are_makes_no_difference(payloads: list[bytes], alphabet: Alphabet) -> None:
    assert join(iter(payloads), alphabet) == decode(b"".join(payloads), alphabet)


@pytest.mark.parametrize(
    ("data_coding", "alphabet"),
    [
        (0x00, "default"),
        (0x01, "latin1"),
        (0x02, None),
        (0x03, "latin1"),
        (0x04, None),
        (0x05, None),
        (0x06, None),
        (0x08, "ucs2"),
        (0x0D, None),
        (0x10, "gsm7"),
        (0x14, None),
        (0x18, "ucs2"),
        (0x1C, "gsm7"),
        (0x20, None),
        (0x48, "ucs2"),
        (0x80, "default"),
        (0xC0, "gsm7"),
        (0xD0, "gsm7"),
        (0xE0, "ucs2"),
        (0xF0, "gsm7"),
        (0xF3, "gsm7"),
        (0xF4, None),
        (0xF6, None),
    ],
)
def test_alphabet_of_a_data_coding(
    data_coding: int, alphabet: Alphabet | Literal["default"] | None
) -> None:
    defaults: list[DefaultAlphabet] = ["gsm7", "latin1"]
    for default in defaults:
        expected = default if alphabet == "default" else alphabet
        assert alphabet_of(data_coding, default) == expected


def test_every_octet_has_an_answer() -> None:
    answers = {alphabet_of(data_coding, "gsm7") for data_coding in range(256)}
    assert answers == {"gsm7", "latin1", "ucs2", None}
