"""Tells where a text may be cut without tearing what a reader sees as one character.

The rules and their data are those of Unicode's UAX #29, extended grapheme clusters, as the `regex`
package has them: of a newer Unicode than the interpreter's, so that this year's emoji stay whole.
"""

from functools import lru_cache
from typing import Final

import regex

_CLUSTER: Final = regex.compile(r"\X")

_PLAIN: Final = regex.compile(
    r"[\p{GCB=Other}\p{GCB=LV}\p{GCB=LVT}\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}]"
)
"""Between any two of these there is a boundary, but for a line break of two characters: what makes
a sign, a flag, a syllable or a joined emoji of several characters has another property."""


def last_boundary(text: str, start: int, end: int) -> int:
    """The last place up to ``end`` where a grapheme cluster ends; ``start`` where there is none.

    Args:
        text: any text.
        start: where a cluster begins, or counts as beginning, before ``end``.
        end: between two characters of the text.
    """
    before, after = text[end - 1], text[end]
    # Nearly all texts are plain there. Looking for clusters takes some 20 µs, this 0.2.
    if _is_plain(before) and _is_plain(after) and (after != "\n" or before != "\r"):
        return end
    # What stands before a place and the one character behind it decide whether it is a boundary.
    return end + 1 - len(_CLUSTER.findall(text[start : end + 1])[-1])


@lru_cache(maxsize=8192)  # as many as even Chinese texts are made of
def _is_plain(character: str) -> bool:
    return _PLAIN.match(character) is not None
