"""National shift tables on the way out: texts come back from the octets as they were, in as few
parts as any tables allow."""

import math
from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.measuring import Measure, measure
from gateway.text.reading import Dialect, Part, join
from gateway.text.septets import Shifts, table
from gateway.text.shifting import NUMBERS, Language
from gateway.text.splitting import Encoded, encode
from gateway.text.udh import Concat, concat_header, parse_header, shift_header, short_header

LANGUAGES: tuple[Language, ...] = get_args(Language)


def letters(language: Language) -> str:
    number = NUMBERS[language]
    both = (table("locking", number) or {}, table("single", number) or {})
    return "".join(sorted({char for one in both for char in one.values()} - {"\f"}))


@st.composite
def texts(draw: st.DrawFn) -> tuple[Language, str]:
    """A language and a text of its letters, of plain ones, or of both, of any length."""
    language = draw(st.sampled_from(LANGUAGES))
    own = letters(language)
    foreign = [char for char in own if ord(char) > 0x7F] or list(own)
    of = st.sampled_from([*draw(st.sampled_from(["abc ", own, "€[", ""])), *foreign])
    size = draw(st.integers(1, 400))
    return language, draw(st.text(of, min_size=size, max_size=size))


def user_data(encoded: Encoded) -> list[bytes]:
    """The user data of each part, as a carrier gets it."""
    total = len(encoded.payloads)
    if total == 1:
        head = shift_header(encoded.shifts) if any(encoded.shifts) else b""
        return [head + encoded.payloads[0]]
    header = concat_header if encoded.narrow else short_header
    return [
        header(Concat(7, total, number), encoded.shifts) + payload
        for number, payload in enumerate(encoded.payloads, 1)
    ]


def read(encoded: Encoded) -> str:
    parts = []
    for octets in user_data(encoded):
        has_header = len(encoded.payloads) > 1 or any(encoded.shifts)
        size, _, shifts, exact = parse_header(octets) if has_header else (0, None, Shifts(), True)
        assert exact
        coding = 8 if encoded.alphabet == "ucs2" else 0
        text = octets[size:]
        on_the_air = len(text) if coding else (len(text) * 7 + 7) // 8
        assert size + on_the_air <= 140
        parts.append(Part(text, coding, shifts, size))
    # Each by itself, too: no escape pair is cut.
    stated = Dialect(stated={0: "gsm7"})
    assert "".join(join([part], stated).text for part in parts) == join(parts, stated).text
    return join(parts, stated).text


@given(texts())
def test_a_text_comes_back_in_as_many_parts_as_were_counted(drawn: tuple[Language, str]) -> None:
    language, text = drawn
    for narrow in (False, True):
        encoding, parts = measure(text, "auto", narrow, [language])
        encoded = encode(text, encoding, "gsm7", math.inf if narrow else parts, [language])
        assert encoded.alphabet == encoding
        assert len(encoded.payloads) == parts
        assert read(encoded) == text
        assert parts <= measure(text, "auto", narrow).parts, "they never cost a part"


@given(texts(), st.sets(st.sampled_from(LANGUAGES)))
def test_a_carrier_with_more_tables_sends_no_more_parts(
    drawn: tuple[Language, str], others: set[Language]
) -> None:
    language, text = drawn
    encoding, parts = measure(text, languages=[language])
    encoded = encode(text, encoding, "gsm7", parts, sorted({language, *others}))
    assert len(encoded.payloads) <= parts
    assert read(encoded) == text


@pytest.mark.parametrize(
    ("text", "languages", "expected", "shifts"),
    [
        # A few Turkish letters: the single table. 155 septets, of which each takes two.
        ("ş" * 4 + "a" * 147, ["tr"], Measure("gsm7", 1), Shifts(0, 1)),
        # Many: the locking one.
        ("ş" * 155, ["tr"], Measure("gsm7", 1), Shifts(1, 0)),
        ("ş" * 156, ["tr"], Measure("gsm7", 2), Shifts(1, 0)),
        # Hindi digits are behind an escape, its letters are not: both.
        ("क" * 148 + "१" * 2, ["hi"], Measure("gsm7", 1), Shifts(6, 6)),
        ("क" * 298, ["hi"], Measure("gsm7", 2), Shifts(6, 0)),
        # Spanish has a single table only.
        ("á" + "a" * 153, ["es"], Measure("gsm7", 1), Shifts(0, 2)),
        ("á" + "a" * 154, ["es"], Measure("gsm7", 2), Shifts(0, 2)),
        # The language that has all of it, of several.
        ("ã" * 80, ["es", "hi", "pt", "tr"], Measure("gsm7", 1), Shifts(3, 0)),
        # Signs of the extension table cost one septet in the locking one.
        ("€" * 155, ["tr"], Measure("gsm7", 1), Shifts(1, 0)),
        # Nothing is saved: it stays as phones of all ages can show it.
        ("ş" * 70, ["tr"], Measure("ucs2", 1), Shifts()),
        ("€" * 80, ["tr"], Measure("gsm7", 1), Shifts()),
        ("a" * 306, ["tr"], Measure("gsm7", 2), Shifts()),
        # No table has it.
        ("ş中" * 60, ["tr"], Measure("ucs2", 2), Shifts()),
        ("क" * 100, ["tr", "pt"], Measure("ucs2", 2), Shifts()),
        ("ş" * 100, [], Measure("ucs2", 2), Shifts()),
    ],
)
def test_which_tables(
    text: str, languages: Sequence[Language], expected: Measure, shifts: Shifts
) -> None:
    assert measure(text, languages=languages) == expected
    encoded = encode(text, expected.encoding, "gsm7", expected.parts, languages)
    assert (encoded.alphabet, len(encoded.payloads)) == expected
    assert encoded.shifts == shifts
    assert read(encoded) == text


def test_what_is_asked_for_is_heeded() -> None:
    assert measure("ş" * 100, "ucs2", languages=["tr"]) == ("ucs2", 2)
    assert measure("ş", "gsm7", languages=["tr"]) == ("gsm7", 1)
    assert encode("ş", "gsm7", "gsm7", 1, ["tr"]).shifts == Shifts(0, 1)


def test_no_cluster_is_torn_that_fits() -> None:
    """A Hindi consonant and its vowel sign are two characters and one of a reader's."""
    text = "कि" * 150
    encoded = encode(text, *measure(text, languages=["hi"])[:1], "gsm7", 3, ["hi"])
    assert len(encoded.payloads) == 3
    assert all(len(payload) % 2 == 0 for payload in encoded.payloads)


def test_headers() -> None:
    assert shift_header(Shifts(1, 2)) == bytes.fromhex("06 24 01 02 25 01 01")
    assert short_header(Concat(9, 2, 1), Shifts(3, 0)) == bytes.fromhex(
        "08 25 01 03 00 03 09 02 01"
    )
    for shifts in (Shifts(), Shifts(6, 0), Shifts(0, 6), Shifts(6, 6)):
        header = concat_header(Concat(0x1234, 2, 1), shifts)
        assert parse_header(header + b"x") == (len(header), Concat(0x1234, 2, 1), shifts, True)
