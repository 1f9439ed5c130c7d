"""What octets from carriers say: by the book, as stated, and as they must have been meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.alphabets import gsm7_codes, gsm7_octets
from gateway.text.reading import ALPHABETS, Dialect, Part, Reading, join, plain_ascii, read
from gateway.text.scripts import is_plausible
from gateway.text.septets import Shifts
from gateway.text.splitting import encode

BOOK = Dialect()


def packed(text: str) -> bytes:
    """ASCII letters as packed septets."""
    bits = sum(ord(letter) << 7 * at for at, letter in enumerate(text))
    return bits.to_bytes(-(-7 * len(text) // 8), "little")


def be(text: str) -> bytes:
    return text.encode("utf-16-be")


def le(text: str) -> bytes:
    return text.encode("utf-16-le")


# --- by the book ---


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0x00, b"5\x1be\x00", "5€@"),
        (0x00, b"", ""),
        (0x00, b"\x00\x00\x00\x00", "@@@@"),
        (0x01, b"STOP", "STOP"),
        (0x03, b"\xe9t\xe9", "été"),
        (0x03, b"5\x80 \x93ok\x94", "5€ “ok”"),  # Windows' signs, where Latin-1 has controls
        (0x05, b"\x44\x64\x3b\x5f", "停止"),
        (0x06, "СТОП".encode("iso8859_5"), "СТОП"),
        (0x07, "הסר".encode("iso8859_8"), "הסר"),
        (0x08, be("退订"), "退订"),
        (0x08, be("STOP 🛑"), "STOP 🛑"),
        (0x08, be("توقف"), "توقف"),
        (0x08, be("数信息"), "数信息"),
        (0x0A, "停止".encode("iso2022_jp"), "停止"),
        (0x0E, "수신거부".encode("euc_kr"), "수신거부"),
        (0x0F, "回T退订".encode("gbk"), "回T退订"),
        (0x0F, b"STOP", "STOP"),
        (0x10, b"STOP", "STOP"),
        (0x18, be("退订"), "退订"),
        (0x1C, b"STOP", "STOP"),
        (0x48, be("退订"), "退订"),
        (0xC0, b"\x00", "@"),
        (0xE0, be("退订"), "退订"),
        (0xF0, b"STOP", "STOP"),
        (0xF1, b"\x00", "@"),
        (0xF3, b"STOP", "STOP"),
    ],
)
def test_octets_by_the_book(data_coding: int, octets: bytes, text: str) -> None:
    assert read(octets, data_coding, BOOK)[::2] == (text, True)


@given(st.text(min_size=1, max_size=200))
def test_what_we_send_is_what_we_read(text: str) -> None:
    codes = gsm7_codes(text)
    if codes is not None and not is_plausible_as_pairs(gsm7_octets(codes)):
        assert read(gsm7_octets(codes), 0, BOOK).text == text
    if is_plausible(text):
        payloads = encode(text, "ucs2").payloads
        assert join([Part(payload, 8) for payload in payloads], BOOK) == Reading(text, "ucs2")


def is_plausible_as_pairs(octets: bytes) -> bool:
    """Whether GSM 03.38 could be UTF-16 as well: odd texts alone are, see the table below."""
    return len(octets) % 2 == 0 and is_plausible(octets.decode("utf-16-be", "replace"))


# --- octets that are not what they are said to be ---


@pytest.mark.parametrize(
    ("data_coding", "octets", "text", "alphabet", "certain"),
    [
        # UCS-2 with a byte order mark, which is no part of the text
        (8, b"\xfe\xff" + be("退订"), "退订", "ucs2", True),
        (8, b"\xff\xfe" + le("退订"), "退订", "ucs2", True),
        (8, b"\xff\xfe" + le("STOP"), "STOP", "ucs2", True),
        # plainly little-endian
        (8, le("退订"), "退订", "ucs2_le", False),
        (8, le("STOP"), "STOP", "ucs2_le", False),
        (8, le("T"), "T", "ucs2_le", False),
        (8, le("TD"), "TD", "ucs2_le", False),
        (8, le("СТОП"), "СТОП", "ucs2_le", False),
        (8, le("توقف"), "توقف", "ucs2_le", False),
        (8, le("בטל"), "בטל", "ucs2_le", False),
        (8, le("बंद करें"), "बंद करें", "ucs2_le", False),
        (8, le("หยุด"), "หยุด", "ucs2_le", False),
        (8, le("수신거부"), "수신거부", "ucs2_le", False),
        (8, le("配信停止"), "配信停止", "ucs2_le", False),
        (8, le("Ça va? 😀"), "Ça va? 😀", "ucs2_le", False),
        (0x18, le("退订"), "退订", "ucs2_le", False),
        # ASCII and others under UCS-2
        (8, b"STOP!", "STOP!", "ascii", False),
        (8, b"stop", "stop", "ascii", False),
        (8, b"Please stop sending me texts", "Please stop sending me texts", "ascii", False),
        (8, "退订".encode(), "退订", "utf8", False),
        (8, "我要退订".encode("gbk"), "我要退订", "gbk", False),
        (8, be("退订") + b"\0", "退订", "ucs2", False),
        # UCS-2 under the default alphabet
        (0, be("退订"), "退订", "ucs2", False),
        (0, be("你好"), "你好", "ucs2", False),  # whose octets are all septets
        (0, be("СТОП"), "СТОП", "ucs2", False),
        (0, be("STOP"), "STOP", "ucs2", False),
        (0, le("STOP"), "STOP", "ucs2_le", False),
        (0, be("수신거부"), "수신거부", "ucs2", False),
        (0, be("回T"), "回T", "ucs2", False),
        (0, le("退订"), "退订", "ucs2_le", False),
        (0, b"\xfe\xff" + be("退订"), "退订", "ucs2", False),
        # other alphabets with high bits there
        (0, b"caf\xe9", "café", "latin1", False),
        (0, "für dich".encode("latin-1"), "für dich", "latin1", False),
        (0, "退订".encode(), "退订", "utf8", False),
        (0, "café".encode(), "café", "utf8", False),
        (0, "我要退订".encode("gbk"), "我要退订", "gbk", False),
        # packed septets there
        (0, packed("STOP"), "STOP", "gsm7_packed", False),
        (0, packed("Hello, this is packed."), "Hello, this is packed.", "gsm7_packed", False),
        # GSM 03.38 under ASCII, which has controls where it has letters
        (1, b"me\x00home.com", "me@home.com", "gsm7", False),
        (1, b"\x1be5", "€5", "gsm7", False),
        (1, be("STOP"), "STOP", "ucs2", False),
        (1, "été".encode(), "été", "utf8", False),
        (3, "été".encode(), "été", "utf8", False),
        (3, be("STOP"), "STOP", "ucs2", False),
        # text under what is none
        (2, b"STOP", "STOP", "ascii", False),
        (4, b"STOP", "STOP", "ascii", False),
        (4, "退订".encode(), "退订", "utf8", False),
        (0xF4, b"STOP", "STOP", "ascii", False),
        (0xF5, b"stop\r\n", "stop\r\n", "ascii", False),
        (4, b"\x01\xff", "", "binary", False),
        (0x20, b"\x01\xff", "", "binary", False),
        (4, b"", "", "binary", False),
        # Shift JIS, as Japanese phones send it
        (5, "停止".encode("shift_jis"), "停止", "jis", True),
        (9, "停止".encode("shift_jis"), "停止", "shift_jis", True),
        # an alphabet that it cannot be
        (6, "退订".encode(), "退订", "utf8", False),
        (15, "退订".encode()[:5], "閫\ufffd璁", "gbk", False),
        (14, b"\xff\xff", "\ufffd\ufffd", "euc_kr", False),
        (8, b"\xd8\x00\x00", "\ufffd", "ucs2", False),
    ],
)  # fmt: skip
def test_octets_as_they_must_have_been_meant(
    data_coding: int, octets: bytes, text: str, alphabet: str, certain: bool
) -> None:
    assert read(octets, data_coding, BOOK) == Reading(text, alphabet, certain)


@pytest.mark.parametrize(
    "text",
    ["Test", "Yes!", "über", "año?", "Señor Ñuñez", "è già là", "ÄÖÜ!", "5€ {x}", "OK", "Ja",
     "¿Qué?", "20£", "@me", "à", "àà"],
)  # fmt: skip
def test_gsm_texts_are_left_alone(text: str) -> None:
    codes = gsm7_codes(text)
    assert codes is not None
    assert read(gsm7_octets(codes), 0, BOOK) == Reading(text, "gsm7")


@pytest.mark.parametrize(
    "text",
    [
        "协佐",
        "好",
        "一",
        "刀",
        "退",
        "是的",
        "没有",
        "可以",
        "謝謝",
        "はい",
        "네",
        "да",
        "ok",
        "1",
    ],
)
def test_short_ucs2_texts_are_left_alone(text: str) -> None:
    found = read(be(text), 8, BOOK)
    assert (found.text, found.alphabet) == (text, "ucs2")


def test_octets_that_are_ascii_are_known_as_such() -> None:
    assert plain_ascii(b"STOP\r\n") == "STOP\r\n"
    assert plain_ascii(b"") is None
    assert plain_ascii(b"ST\x00P") is None
    assert plain_ascii("é".encode()) is None


# --- as a carrier's configuration says ---


@pytest.mark.parametrize(
    ("dialect", "data_coding", "octets", "text"),
    [
        (Dialect("latin1"), 0, b"caf\xe9 @", "café @"),
        (Dialect("gsm7", {1: "gsm7"}), 1, b"\x00", "@"),
        (Dialect("gsm7", {24: "ucs2"}), 24, be("退订"), "退订"),
        (Dialect("gsm7", {0: "latin1"}), 0, b"\xe9", "é"),
        (Dialect("gsm7", {}, {0: "gsm7_packed"}), 0, packed("STOP"), "STOP"),
        (Dialect("gsm7", {}, {0: "gsm7_packed"}), 0, packed("hellohello"), "hellohello"),
        (Dialect("gsm7", {}, {8: "ucs2_le"}), 8, le("一"), "一"),
        (Dialect("gsm7", {}, {4: "gsm7"}), 4, b"\x00", "@"),
        (Dialect("gsm7", {}, {3: "cp1251"}), 3, "СТОП".encode("cp1251"), "СТОП"),
        (Dialect("gsm7", {}, {8: "utf8"}), 8, "退订".encode(), "退订"),
        (Dialect("gsm7", {}, {0: "latin1"}), 0, b"\0S\0T\0O\0P", "\0S\0T\0O\0P"),
    ],
)
def test_octets_as_it_is_stated(
    dialect: Dialect, data_coding: int, octets: bytes, text: str
) -> None:
    assert read(octets, data_coding, dialect).text == text


def test_what_is_stated_and_cannot_be_read_is_doubtful() -> None:
    dialect = Dialect("gsm7", {}, {0: "gbk", 1: "binary", 2: "gsm7"})
    assert read(b"ok \xff", 0, dialect) == Reading("ok \ufffd", "gbk", certain=False)
    assert read(b"STOP", 1, dialect) == Reading("", "binary", certain=False)
    assert read(b"\xd3TOP", 2, dialect) == Reading("STOP", "gsm7", certain=False)


@pytest.mark.parametrize("alphabet", ALPHABETS)
@given(octets=st.binary(max_size=160))
def test_every_alphabet_reads_anything(alphabet: str, octets: bytes) -> None:
    found = read(octets, 0, Dialect("gsm7", {}, {0: alphabet}))
    found.text.encode()  # no half of a surrogate pair, which no event could tell


@given(st.binary(max_size=160), st.integers(0, 255), st.sampled_from(["gsm7", "latin1"]))
def test_any_octets_can_be_read(octets: bytes, data_coding: int, default: str) -> None:
    found = read(octets, data_coding, Dialect("latin1" if default == "latin1" else "gsm7"))
    assert found.text or not found.certain or octets in (b"", b"\xfe\xff", b"\xff\xfe")
    found.text.encode()


# --- several parts ---


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([Part(b"5\x1b"), Part(b"e!")], "5€!"),
        ([Part(b"\xd8\x3d", 8), Part(b"\xde\x00", 8)], "😀"),
        ([Part(be("退"), 8), Part(be("订"), 8)], "退订"),
        # each in its own alphabet
        ([Part(b"Hi ", 0), Part(be("你好"), 8), Part(b" bye", 0)], "Hi 你好 bye"),
        ([Part(b"\x00", 0), Part(b"@", 1)], "@@"),
        ([Part(b"caf\xe9", 3), Part(be("退订"), 8)], "café退订"),
        # a byte order mark on each
        ([Part(b"\xff\xfe" + le("退"), 8), Part(b"\xff\xfe" + le("订"), 8)], "退订"),
        # the shift tables of one are not the other's
        ([Part(b"\x04", shifts=Shifts(1, 1)), Part(b"\x04")], "€è"),
        ([], ""),
    ],
)
def test_parts_are_joined(parts: list[Part], text: str) -> None:
    assert join(parts, BOOK).text == text


def test_packed_parts_are_unpacked_one_by_one() -> None:
    dialect = Dialect("gsm7", {}, {0: "gsm7_packed"})
    # Behind a header of 6 octets one bit is filled up, behind one of 7 none.
    one = (int.from_bytes(packed("one "), "little") << 1).to_bytes(4, "little")
    two = packed("two")
    assert join([Part(one, header=6), Part(two, header=7)], dialect).text == "one two"


@given(st.lists(st.binary(max_size=8), max_size=6), st.sampled_from([0, 3, 8]))
def test_where_the_cuts_are_makes_no_difference(payloads: list[bytes], data_coding: int) -> None:
    whole = read(b"".join(payloads), data_coding, BOOK)
    if not any(payload[:2] in (b"\xfe\xff", b"\xff\xfe") for payload in payloads[1:]):
        assert join([Part(payload, data_coding) for payload in payloads or [b""]], BOOK) == whole
