"""Tells where a text may be cut without tearing what a reader sees as one character.

The rules are those of Unicode's UAX #29 that texts meet, told from what `unicodedata` knows. They
err towards keeping characters together, which costs a part no more than a little of its room.
Signs that belong to the letter after them, and Korean letters of old, are left out.
"""

from typing import Final
from unicodedata import category, combining

_JOINER: Final = "\u200d"
_VIRAMA: Final = 9
"""The combining class of the signs that bind a consonant to the next."""

_FIRST_MARK: Final = "\u0300"
"""Below it nothing extends what stands before it."""

_MARKS: Final = frozenset({"Mn", "Mc", "Me"})

# What extends the character before it without being a mark by category: joiners, the vowel signs
# am of Thai and Lao, halfwidth voicing marks, skin tones, and tags (the flags of regions).
_EXTENDERS: Final = frozenset(
    "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f"
    + "".join(map(chr, range(0x1F3FB, 0x1F400)))
    + "".join(map(chr, range(0xE0020, 0xE0080)))
)


def is_boundary(text: str, at: int, start: int) -> bool:
    """Whether a grapheme cluster ends before ``text[at]``.

    Args:
        text: any text.
        at: between ``start`` and the end, both excluded.
        start: where a cluster begins; the letters that make flags are paired from there on.
    """
    before, after = text[at - 1], text[at]
    if after < _FIRST_MARK:
        return not (after == "\n" and before == "\r")
    if _extends(after):
        return category(before) == "Cc"
    if before == _JOINER:
        return False
    if _is_regional(before) and _is_regional(after):
        return _regionals_before(text, at, start) % 2 == 0
    if combining(before) == _VIRAMA:
        return category(after) != "Lo"
    return True


def _extends(character: str) -> bool:
    return (
        category(character) in _MARKS
        or character in _EXTENDERS
        # The vowels and finals of a Korean syllable spelled out.
        or "\u1160" <= character <= "\u11ff"
    )


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _regionals_before(text: str, at: int, start: int) -> int:
    first = at
    while first > start and _is_regional(text[first - 1]):
        first -= 1
    return at - first
