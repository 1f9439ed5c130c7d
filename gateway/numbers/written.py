"""What people, spreadsheets and address books write where a number belongs, reduced to its digits.

People put spaces, hyphens, dots, slashes and brackets between the digits, and programs put no-break
spaces, marks of direction and quotes around them; none of that says anything. What does say
something and cannot be texted (an extension, letters, a number that a spreadsheet has rounded) is
refused with what to do about it. Which number the digits are is for `gateway.numbers.meaning`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

LONGEST: Final = 80
"""Characters that are looked at: more than any way to write one number takes."""

SIZE: Final = 6
"""Digits that make what stands before an extension a number."""

SHOWN: Final = 32
"""Characters of what was written that an error repeats."""


class NumberError(ValueError):
    """What was written is no number that can be texted; says why, and the mend."""

    def __init__(self, written: str, why: str) -> None:
        super().__init__(f"{written[:SHOWN]!r} {why}")


class Written(NamedTuple):
    """The digits of a number, ASCII, and whether a plus sign stood before them."""

    digits: str
    plus: bool


_AROUND: Final = (
    "'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a=<>{},; "
)
"""Around a number: quotes, brackets, what lists leave behind it, and the signs by which
spreadsheets are told that it is a text."""

_PLUS: Final = frozenset("+\uff0b\ufe62\u207a\u2795")
_SEPARATORS: Final = frozenset(
    "-./()[]~_\u2212\u30fb\u30fc\uff70\u00b7\u2022\u2044\u2215\uff0e\uff0f\uff5e\u301c"
)
_OPENING: Final = frozenset("(\uff08")
_CLOSING: Final = frozenset(")\uff09")

_URI: Final = re.compile(
    r"(?i)(?:(?:tel|sms|smsto|mms|mmsto|callto|whatsapp|p|phone|mobile|cell)\s*:|tel\.)\s*(?://)?"
)
"""Schemes of URIs, and what exports put before a number: Facebook's leads have ``p:+44…``."""
_FORMATTED: Final = re.compile(r"(?i)\+?\d(?:[.,]\d*)?e\+?\d+")
_DECIMAL: Final = re.compile(r"\+?\d{5,}[.,]0+")
_EXTENSION: Final = re.compile(
    r"(?i)(?:[ -]|(?<=[\d)]))\s*"
    r"(?:extension|extn|ext|ex|x|poste|int|anexo|ramal|доб|内线|转|分机|;ext=|#)"
    r"\s*[.:]?\s*\d{1,7}"
)


@lru_cache(maxsize=4096)
def _plainly(char: str) -> str:
    """What a character means: an ASCII digit, ``+``, a bracket, a space for what only separates,
    nothing for what is not seen; itself where it means something else."""
    if char in _PLUS:
        return "+"
    if char in _OPENING:
        return "("
    if char in _CLOSING:
        return ")"
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category in {"Cf", "Mn", "Cc"} and char not in "\t\n\r":
        return ""
    if category in {"Zs", "Pd"}:
        return " "
    return char


def parse(written: str) -> Written:
    """The digits of a number. Raises NumberError."""
    if len(written) > LONGEST:
        raise NumberError(written, "is longer than any number; write one number alone")
    text = "".join(map(_plainly, written)).strip()
    uri = _URI.match(text)
    if uri is not None:
        text = "".join(map(_plainly, unquote(text[uri.end() :].partition("?")[0])))
    text = text.strip().strip(_AROUND).strip()
    if not text:
        raise NumberError(written, "is empty; write the number with its country code")
    _refuse_what_cannot_be_dialled(written, text)
    bare = "".join(char for char in text if char not in _SEPARATORS and char != " ")
    digits = bare.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise NumberError(written, _strange(digits))
    return Written(digits, bare.startswith("+"))


def _refuse_what_cannot_be_dialled(written: str, text: str) -> None:
    compact = text.replace(" ", "")
    if _FORMATTED.fullmatch(compact):
        raise NumberError(
            written,
            "was rounded by a spreadsheet, and its last digits are lost; give the column the "
            "format Text and export it anew",
        )
    if _DECIMAL.fullmatch(compact):
        raise NumberError(
            written,
            "was written by a spreadsheet as an amount; give the column the format Text",
        )
    extension = _EXTENSION.search(text)
    if extension is not None and sum(map(str.isdigit, text[: extension.start() + 1])) >= SIZE:
        raise NumberError(written, "has an extension, which no text reaches; leave it out")


def _strange(digits: str) -> str:
    """What is wrong with digits that are not all digits."""
    char = next((char for char in digits if not (char.isascii() and char.isdigit())), "")
    if not char:
        return "has no digits; write the number with its country code"
    if char == "+":
        return "has a + within it; write one number alone, with one + before it"
    if char in ",;&|\n\r\t" or char.isspace():
        return f"has {char!r} in it; write one number alone"
    if char.isalpha():
        return f"has the letter {char!r} in it; write the digits alone"
    return f"has {char!r} in it; write the digits alone, with + and the country code before them"
