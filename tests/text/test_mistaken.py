"""What octets say in other alphabets than they were read in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.mistaken import SHORT, misreadings
from gateway.text.reading import CODECS, Dialect, read


@pytest.mark.parametrize(
    ("octets", "read_as", "meant"),
    [
        ("拒收".encode("utf-16-be"), "bÒe6", "拒收"),
        ("停止".encode("utf-16-be"), "PÖkb", "停止"),
        ("T".encode("utf-16-be"), "@T", "T"),
        ("T".encode("utf-16-le"), "T@", "T"),
        ("退订".encode("gbk"), "ÍË¶©", "退订"),
        ("СТОП".encode("cp1251"), "бвЮЯ", "СТОП"),
        ("СТОП".encode("koi8_r"), "рстп", "СТОП"),
        ("קף".encode("cp1255"), "÷ó", "קף"),
        (b"STOP\0", "協佐", "STOP"),
        (b"\xff\xfe" + "STOP".encode("utf-16-le"), "", "STOP"),
        (bytes.fromhex("53ea130a"), "Sê", "STOP"),
        # with the NUL of a C string behind it
        ("退订".encode("utf-16-be") + b"\0", "", "退订"),
        ("СТОП".encode("utf-16-le") + b"\0", "", "СТОП"),
    ],
)
def test_what_was_meant_is_among_them(octets: bytes, read_as: str, meant: str) -> None:
    found = list(misreadings(octets, read_as))
    assert meant in [reading.text for reading in found]
    assert not any(reading.certain for reading in found)


def test_a_long_text_is_no_keyword() -> None:
    assert list(misreadings(b"STOP" * SHORT, "")) == []


@given(st.binary(max_size=SHORT + 2), st.integers(0, 255))
def test_whatever_the_octets_each_is_another_reading(octets: bytes, coding: int) -> None:
    text = read(octets, coding, Dialect()).text
    found = list(misreadings(octets, text))
    texts = [reading.text for reading in found]
    assert len(set(texts)) == len(texts)
    assert text not in texts
    assert {reading.alphabet for reading in found} <= {*CODECS, "gsm7_packed"}
