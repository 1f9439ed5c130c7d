"""What a reader sees as one character, by UAX #29 and by the scripts that people text in."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from gateway.text.graphemes import last_boundary


def boundaries(text: str, start: int = 0) -> Iterator[int]:
    """Every place behind ``start`` where a cluster ends, each found by itself."""
    for at in range(start + 1, len(text)):
        if last_boundary(text, start, at) == at:
            yield at


def clusters(text: str) -> list[str]:
    ends = [0, *boundaries(text), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(["a", "b", "中", "文", "。", "\uff0c", "\uff11"], id="plain"),
        pytest.param(["e\u0301", "e\u0323\u0301", "a"], id="accents"),
        pytest.param(["a", "\r\n", "\n", "\r", "\u0301"], id="line breaks"),
        pytest.param(["👨‍👩‍👧‍👦", "👩🏽‍🚀", "👍🏿", "👍"], id="families and skin tones"),
        pytest.param(["❤️", "❤️‍🔥", "🙂‍↔️", "🏳️‍🌈", "☎️"], id="joined emoji"),
        pytest.param(["1️⃣", "2", "#️⃣"], id="keycaps"),
        pytest.param(["🇫🇷", "🇨🇳", "🇺"], id="flags"),
        pytest.param(["a", "🇫🇷", "b", "🇫🇷"], id="flags among letters"),
        pytest.param([ENGLAND, "🏴"], id="flag of a region"),
        pytest.param(["a\u200d", "©", "👁\u200d©"], id="a joiner joins pictures only"),
        # A conjunct is one in the scripts whose virama binds (InCB=Linker) …
        pytest.param(["न", "म", "स्ते", "क्षि", "न"], id="Devanagari"),
        pytest.param(["क्\u200dष", "क्\u200c", "ष"], id="Devanagari, joiner and non-joiner"),
        pytest.param(["স্বা", "গ", "ত", "ম", "ন্ত্র", "ণ"], id="Bengali"),
        pytest.param(["ગુ", "જ", "રા", "તી", "ન", "મ", "સ્તે"], id="Gujarati"),
        pytest.param(["తె", "లు", "గు", "న", "మ", "స్కా", "రం"], id="Telugu"),
        pytest.param(["ന", "മ", "സ്കാ", "രം"], id="Malayalam"),
        pytest.param(["မ", "န္တ", "လေ", "း"], id="Burmese"),
        # … and not in those whose pulli or killer binds nothing.
        pytest.param(["வ", "ண", "க்", "க", "ம்"], id="Tamil"),
        pytest.param(["க்", "ஷ", "ஸ்", "ரீ"], id="Tamil ksha and sri"),
        pytest.param(["ස්", "තූ", "ති"], id="Sinhala"),
        pytest.param(["ਪੰ", "ਜਾ", "ਬੀ"], id="Gurmukhi"),
        pytest.param(["ನ", "ಮ", "ಸ್", "ಕಾ", "ರ"], id="Kannada"),
        pytest.param(["ก็", "น้ำ", "เ", "ป็", "น"], id="Thai"),
        pytest.param(["ສ", "ະ", "ບ", "າ", "ຍ", "ດີ"], id="Lao"),
        pytest.param(["ខ្មែ", "រ"], id="Khmer"),
        pytest.param(["مُ", "حَ", "مَّ", "د"], id="Arabic with its vowels"),
        pytest.param(["\u0644\u200d", "\u0647"], id="Arabic with a joiner"),
        pytest.param(["\u06001", "2"], id="Arabic number sign"),
        pytest.param(["שָׁ", "ל", "וֹ", "ם"], id="Hebrew with its points"),
        pytest.param(["한", "국", "어"], id="Hangul syllables"),
        pytest.param(["\u1112\u1161\u11ab", "\u1100\u1173", "한"], id="Hangul spelled out"),
        pytest.param(["\ua960\u1160\ud7cb", "\u1100\u1100\u1161\u11a8\u11a8"], id="old Hangul"),
        pytest.param(["가\u11a8", "각\u11a8", "\u1100가", "각", "\u1161"], id="Hangul completed"),
        pytest.param(["ｶﾞ", "ｶ"], id="halfwidth kana"),
        pytest.param(["か\u3099", "葛\U000e0101", "葛"], id="variants of ideographs"),
    ],
)
def test_what_a_reader_sees_as_one_character(expected: list[str]) -> None:
    assert clusters("".join(expected)) == expected


def test_signs_of_a_newer_unicode_than_the_interpreters_are_known() -> None:
    # Garay (Unicode 16) and Tulu-Tigalari (16): a vowel sign, and a virama that binds.
    assert clusters("\U00010d50\U00010d69\U00010d51") == ["\U00010d50\U00010d69", "\U00010d51"]
    assert clusters("\U00011392\U000113d0\U00011393") == ["\U00011392\U000113d0\U00011393"]


def test_flags_are_paired_from_the_start() -> None:
    text = "🇺" + "🇫🇷"
    assert list(boundaries(text)) == [2]
    assert list(boundaries(text, start=1)) == []


def test_where_nothing_ends_the_start_is_told() -> None:
    assert last_boundary("z" + "\u0323" * 9, 0, 5) == 0
    assert last_boundary("az" + "\u0323" * 9, 1, 5) == 1
    assert last_boundary("az" + "\u0323" * 9, 0, 5) == 1


PIECES = "aé\r\n中한ᄀ\u1161\u11a8가👩🏽\u200d🚀❤️🇫🇷\u0600\u0301\u094dकष\u0bcdகா©ำ\u200c\U000e0067"


@given(st.text(st.sampled_from(PIECES), min_size=2, max_size=30), st.data())
def test_it_is_what_the_whole_text_says(text: str, data: st.DataObject) -> None:
    """Looking at no more than what stands before a place and one character behind it is enough."""
    whole = [match.start() for match in regex.finditer(r"\X", text)]
    end = data.draw(st.integers(1, len(text) - 1))
    assert last_boundary(text, 0, end) == max(at for at in whole if at <= end)
