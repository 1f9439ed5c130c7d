"""Smart encoding saves what can be saved, and nothing is lost for it."""

# ruff: noqa: RUF001  what looks alike is what is replaced

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.alphabets import gsm7_codes
from gateway.text.measuring import measure
from gateway.text.smart import _NEVER, _TABLE, smart


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Sale” – ‘today’ only…", "\"Sale\" - 'today' only..."),
        ("5\u00a0pm\tsharp", "5 pm sharp"),
        ("cafe\u0301 and u\u0308ber", "café and über"),
        ("ﬁnal oﬀer", "final offer"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("ＳＡＬＥ　５０％", "SALE 50%"),
        ("`code` 481516", "'code' 481516"),
        ("See “https://shop.example/a-b” now", 'See "https://shop.example/a-b" now'),
        ("one\u2028two", "one\ntwo"),
        ("10–20 % off – A1B2", "10-20 % off - A1B2"),
        ("“shop.example/a” – now", '"shop.example/a" - now'),
        ("9am–5pm, 5–10km", "9am-5pm, 5-10km"),
        ("Größe10 – iPhone’s", "Größe10 - iPhone's"),
        ("Mon–Fri", "Mon-Fri"),
    ],
)
def test_typography_becomes_plain(text: str, plain: str) -> None:
    assert measure(text).encoding == "ucs2"
    assert smart(text) == plain
    assert measure(plain).encoding == "gsm7"


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "é and € are in the alphabet",
        "“Sale” 双十一",
        "“Zażółć” – now",
        "“ê” has no plain form",
        "See https://shop.example/a–b now",
        "– www.shop.example/’x",
        "❤ – love",
        "See shop.example/a–b now",
        "“Only” with SAVE–20",
        "“Only” with Save–20",
        "code save\u201120 – now",
        "“Use” AB×12",
        "“Use” A1…B2",
        "“Use” ＳＡＶＥ２０",
        "“Use” A\u200bB12",
        "“Use” ﬁ2K9",
        "shop–x.com – now",
        "",
    ],
)
def test_all_or_nothing(text: str) -> None:
    assert smart(text) == text


@given(st.text(max_size=60))
def test_a_text_is_as_it_was_or_in_the_alphabet_and_never_dearer(text: str) -> None:
    found = smart(text)
    if found != text:
        assert gsm7_codes(found) is not None
        if found:
            assert measure(found).parts <= measure(text).parts


def test_codes_are_never_touched() -> None:
    assert smart("Your code – A1B2-C3") == "Your code - A1B2-C3"


def test_a_link_in_quotes_is_no_hindrance() -> None:
    assert smart("‘https://shop.example/a’ – now…") == "'https://shop.example/a' - now..."


@pytest.mark.parametrize("unit", ["A", "a.", "a-", "–a", "A1–", "9", "’", "://", "www."])
def test_no_text_takes_long(unit: str) -> None:
    """A pattern that looked ahead from each letter took seconds."""
    text = unit * (30_000 // len(unit)) + "’"
    started = time.process_time()
    smart(text)
    assert time.process_time() - started < 0.5


def test_what_is_passed_over_at_once_is_nothing_plain() -> None:
    for code in range(0x0400, 0xD7A4):
        char = chr(code)
        if _NEVER.search(char):
            plain = unicodedata.normalize("NFC", char).translate(_TABLE)
            assert gsm7_codes(plain) is None, hex(code)
