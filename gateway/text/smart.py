"""Smart encoding: texts that would go as UCS-2 for the sake of a few typographic characters, in
GSM 03.38, at half the price.

All or nothing: where one character has no plain form, the text stays as it was written, for then
nothing would be saved. What is in a link or a code stays as it is, or all does.
"""

# ruff: noqa: RUF001  what looks alike is what is replaced

import re
import unicodedata
from typing import Final

from gateway.text.alphabets import gsm7_codes

_PLAIN: Final = {
    # Quotes and what is typed for them.
    **dict.fromkeys("‘’‚‛′ʹʻʼʽˈ`´＇", "'"),
    **dict.fromkeys("“”„‟″«»〝〞＂", '"'),
    **dict.fromkeys("‹", "<"),
    **dict.fromkeys("›", ">"),
    # Dashes and hyphens.
    **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    # Spaces and tabs; a line or a paragraph separator is a line break.
    **dict.fromkeys("\t\v\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007", " "),
    **dict.fromkeys("\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    **dict.fromkeys("\u0085\u2028\u2029", "\n"),
    # What cannot be seen.
    **dict.fromkeys("\u00ad\u034f\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff", ""),
    # Ligatures, and signs that are several characters.
    "…": "...",
    "‥": "..",
    "ﬀ": "ff",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬃ": "ffi",
    "ﬄ": "ffl",
    "ﬅ": "st",
    "ﬆ": "st",
    "œ": "oe",
    "Œ": "OE",
    "ĳ": "ij",
    "Ĳ": "IJ",
    "‼": "!!",
    "⁇": "??",
    "№": "No.",
    "•": "-",
    "·": ".",
    "‣": "-",
    "⁄": "/",
    "×": "x",
    "™": "(TM)",
    "©": "(C)",
    "®": "(R)",
    # Full width.
    **{
        chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code) not in "＇＂－"
    },
}
_TABLE: Final = str.maketrans(_PLAIN)
_DASHES: Final = "‐‑‒–—―−"
# Each begins where a word does, and is no longer than it may be: the worst text takes time in
# proportion to its length.
_LINK: Final = re.compile(
    r"(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://|(?<![a-z0-9])www\."
    r"|(?<![a-z0-9.-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}/)"
    r"[^\s“”«»\"<>]*[^\s“”«»\"<>‘’'.,;!?…]"
    rf"|(?<![^\W_])[a-z0-9]{{1,63}}(?:[-{_DASHES}][a-z0-9]{{1,63}}){{1,8}}\.[a-z]{{2,24}}",
    re.IGNORECASE,
)
_WORD: Final = re.compile(rf"[^\W_]+(?:[{_DASHES}’·•⁄×…\u00ad\u200b-\u200f\u2060\ufeff]+[^\W_]+)*")
"""Letters and digits, and what may stand between them in a code."""


_NEVER: Final = re.compile("[\u0400-\u167f\u1681-\u180d\u180f-\u1cff\u3040-\u9fff\uac00-\ud7a3]")
"""Letters that nothing plain stands for, nor for what `unicodedata.normalize` makes of them. To
look for them first spares a Chinese text nearly all there is to do."""


def smart(text: str) -> str:
    """The text in plain characters where that lets it go in GSM 03.38, else as it is."""
    if (not text.isascii() and _NEVER.search(text)) or gsm7_codes(text) is not None:
        return text
    plain = _plain(text)
    if gsm7_codes(plain) is None:
        return text
    if any(link[0] not in plain for link in _LINK.finditer(text)) or _has_code(text):
        return text
    return plain


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(_TABLE)


def _has_code(text: str) -> bool:
    """Whether a coupon, say, would be another one: letters and digits that a shop has written with
    signs of its own. What begins with a digit and has no capital is a range, as of hours."""
    for hit in _WORD.finditer(text):
        word = hit[0]
        if word.isascii() or not any(map(str.isdigit, word)) or _plain(word) == word:
            continue
        if word[0].isalpha() or any(map(str.isupper, word)):
            return True
    return False
