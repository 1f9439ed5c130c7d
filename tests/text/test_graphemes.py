import pytest

from gateway.text.graphemes import is_boundary


def clusters(text: str) -> list[str]:
    found: list[str] = []
    start = 0
    for at in range(1, len(text)):
        if is_boundary(text, at, start):
            found.append(text[start:at])
            start = at
    return [*found, text[start:]]


@pytest.mark.parametrize(
    "expected",
    [
        ["a", "b", "中", "文"],
        ["e\u0301", "e\u0323\u0301", "a"],
        ["a", "\r\n", "\n", "\r", "\u0301"],
        ["👨‍👩‍👧‍👦", "👩🏽‍🚀", "👍🏿", "👍"],
        ["❤️", "❤️‍🔥", "🙂‍↔️", "🏳️‍🌈"],
        ["1️⃣", "2", "#️⃣"],
        ["🇫🇷", "🇨🇳", "🇺"],
        ["a", "🇫🇷", "b", "🇫🇷"],
        ["🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏴"],
        ["नि", "क्षि", "न"],
        ["ก็", "น้ำ", "เ"],
        ["\u1112\u1161\u11ab", "\u1100\u1173", "한"],
        ["ｶﾞ", "ｶ"],
        ["\u0915\u094d\u200d\u0937", "\u0644\u200d\u0647"],
    ],
    ids=ascii,
)
def test_what_a_reader_sees_as_one_character(expected: list[str]) -> None:
    assert clusters("".join(expected)) == expected


def test_flags_are_paired_from_the_start() -> None:
    text = "🇺" + "🇫🇷"
    assert not is_boundary(text, 1, start=0)
    assert is_boundary(text, 2, start=0)
    assert not is_boundary(text, 2, start=1)
