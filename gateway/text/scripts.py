"""Whether octets that were read as UTF-16 can have been meant so: which characters people text.

Two octets are nearly always some character, so that reading them the wrong way round, or reading
ASCII in pairs, gives rare Chinese ones, signs, and scripts that nobody mixes. `is_plausible` says
whether a text has only characters in use, of one script beside Latin.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

_SHARED: Final = "shared"
"""Letters and signs that stand beside any script."""

# First and last code points of the blocks whose assigned characters are in use, by script.
_BLOCKS: Final = (
    (0x0020, 0x007E, _SHARED),
    (0x00A0, 0x017F, _SHARED),
    (0x0192, 0x0192, _SHARED),
    (0x01A0, 0x01B0, _SHARED),
    (0x0218, 0x021B, _SHARED),
    (0x0259, 0x0259, _SHARED),
    (0x02BB, 0x02DD, _SHARED),
    (0x0300, 0x0331, _SHARED),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0531, 0x058F, "armenian"),
    (0x05B0, 0x05F4, "hebrew"),
    (0x0600, 0x06FF, "arabic"),
    (0x0900, 0x097F, "devanagari"),
    (0x0980, 0x09FF, "bengali"),
    (0x0A00, 0x0A7F, "gurmukhi"),
    (0x0A80, 0x0AFF, "gujarati"),
    (0x0B00, 0x0B7F, "oriya"),
    (0x0B80, 0x0BFF, "tamil"),
    (0x0C00, 0x0C7F, "telugu"),
    (0x0C80, 0x0CFF, "kannada"),
    (0x0D00, 0x0D7F, "malayalam"),
    (0x0D80, 0x0DFF, "sinhala"),
    (0x0E00, 0x0E5B, "thai"),
    (0x0E80, 0x0EFF, "lao"),
    (0x1000, 0x109F, "myanmar"),
    (0x10A0, 0x10FF, "georgian"),
    (0x1200, 0x137C, "ethiopic"),
    (0x1780, 0x17F9, "khmer"),
    (0x1820, 0x18AA, "mongolian"),
    (0x1EA0, 0x1EF9, _SHARED),
    (0x200B, 0x2027, _SHARED),
    (0x202F, 0x203D, _SHARED),
    (0x20A0, 0x20BF, _SHARED),
    (0x20E3, 0x20E3, _SHARED),
    (0x2116, 0x2122, _SHARED),
    (0x2190, 0x2199, _SHARED),
    (0x2460, 0x2473, _SHARED),
    (0x25A0, 0x25CF, _SHARED),
    (0x2600, 0x27BF, _SHARED),
    (0x3001, 0x301B, "cjk"),
    (0x3041, 0x30FF, "cjk"),
    (0x3105, 0x3129, "cjk"),
    (0x3131, 0x318E, "cjk"),
    (0xFE0F, 0xFE0F, _SHARED),
    (0xFEFF, 0xFEFF, _SHARED),
    (0xFF01, 0xFF5E, "cjk"),
    (0xFF61, 0xFF9F, "cjk"),
    (0xFFE0, 0xFFE6, "cjk"),
)

_EVERYDAY: Final = (
    # GB 2312: the 6,763 characters of modern Chinese.
    ("gb2312", 0xB0, 0xF7, 0xA1, 0xFE),
    # Big5, its first level: the 5,401 of Taiwan's schools.
    ("big5", 0xA4, 0xC6, 0x40, 0xFE),
    # JIS X 0208, its first level: 2,965.
    ("euc_jp", 0xB0, 0xCF, 0xA1, 0xFE),
    # KS X 1001: 2,350 syllables.
    ("euc_kr", 0xB0, 0xC8, 0xA1, 0xFE),
)
"""Chinese characters and Korean syllables in use: codec, and the bounds of both octets."""

_EMOJI: Final = range(0x1F000, 0x1FB00)
_WHITE: Final = "\n\r\t\f"


def is_plausible(text: str) -> bool:
    """Whether a text, not empty, has only characters in use and mixes no two foreign scripts."""
    scripts = _scripts()
    found = {scripts.get(character, "") for character in set(text)}
    found.discard(_SHARED)
    return bool(text) and "" not in found and len(found) <= 1


@cache
def _scripts() -> dict[str, str]:
    """The script of each character in use; 3 MB, made in some 20 ms when first needed."""
    return dict.fromkeys(_WHITE, _SHARED) | dict(_listed()) | dict.fromkeys(_everyday(), "cjk")


def _listed() -> Iterator[tuple[str, str]]:
    for first, last, script in _BLOCKS:
        for point in range(first, last + 1):
            if unicodedata.category(chr(point)) != "Cn":
                yield chr(point), script
    yield from ((chr(point), _SHARED) for point in _EMOJI)


def _everyday() -> Iterator[str]:
    for codec, first, last, low, high in _EVERYDAY:
        for lead in range(first, last + 1):
            pairs = (bytes((lead, trail)).decode(codec, "ignore") for trail in range(low, high + 1))
            yield from (character for character in pairs if len(character) == 1)
