"""Texts of phones, as they are compared with keywords: folded, in atoms, without what is not said.

An *atom* is a word of letters, a run of digits or, in scripts that put nothing between words, a
character. Capitals, accents, width, signs, emoji and what cannot be seen are folded away. Which
atoms mean something is told in `gateway.policy.words`.
"""

# ruff: noqa: RUF001, RUF002  the letters of many languages look alike

import unicodedata
from html import unescape
from typing import Final

import regex

Phrase = tuple[str, ...]
"""Atoms in a row."""

_SCRIPTS: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts that put nothing between words, or whose words run together (Korean)."""

_ATOM: Final = regex.compile(
    rf"[{_SCRIPTS}]\p{{M}}*|\p{{N}}+|[[\p{{L}}\p{{M}}]--[{_SCRIPTS}]]+", regex.V1
)
_APART: Final = regex.compile(f"[{_SCRIPTS}]")
_HAN: Final = regex.compile(r"\p{Han}")

# What is dropped: formatting, fillers that are letters by name only, the points and strokes of
# Latin, Greek, Cyrillic, Hebrew and Arabic writing. Signs of Indic scripts are letters in effect.
_DROPPED: Final = regex.compile(
    r"[\p{Cf}\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f"
    r"\u0591-\u05c7\u064b-\u065f\u0670\u06d6-\u06ed\u0640\u115f\u1160\u3164\uffa0\u2800"
    r"'’‘ʼʻ`´·]"
)
# Letters that are typed one for the other, and that no decomposition brings together.
_ALIKE: Final = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ۀ": "ه", "ہ": "ه"}
)
# Small capitals, which no case folding knows, and letters in boxes and discs.
_DRESSED: Final = str.maketrans(
    dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
    | {chr(start + at): chr(ord("a") + at) for start in (0x1F150, 0x1F170) for at in range(26)}
)
_DRAWN_OUT: Final = regex.compile(r"(\p{L})\1{2,}")
"""A letter three times and more, which no keyword has."""

# What looks like a letter of Latin and is another's, or a digit.
_SIMILAR: Final = str.maketrans(
    {"0": "o", "1": "l", "3": "e", "5": "s", "$": "s", "@": "a"}
    | dict(zip("авсԁеһніјкӏморԛѕтԝхуԍ", "abcdehhijklmopqstwxyg", strict=True))
    | dict(zip("αβεικνορτυχ", "abeikvoptux", strict=True))
)


def fold(text: str) -> str:
    """A text without what does not matter: ``İPTAL`` and ``ıptal`` are both ``iptal``, and so is
    ``iptaaaal``."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_DRESSED)
    text = _DROPPED.sub("", unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFC", text).translate(_ALIKE)
    return str(_DRAWN_OUT.sub(r"\1", text))


def lookalike(text: str) -> str:
    """A folded text in Latin letters as far as its signs look like them."""
    return text.translate(_SIMILAR)


def atoms(text: str) -> tuple[str, ...]:
    """The words, numbers and lone characters of a text, folded."""
    return tuple(map(_digits, _ATOM.findall(fold(text))))


def has_han(line: Phrase) -> bool:
    """Whether Chinese characters are in it."""
    return any(map(_HAN.match, line))


def stands_apart(atom: str) -> bool:
    """Whether an atom is one character of a script without spaces: half a word, so to speak."""
    return _APART.match(atom) is not None


def _digits(atom: str) -> str:
    """Digits of any script as those of ASCII."""
    if atom.isascii() or not atom.isdecimal():
        return atom
    return "".join(str(unicodedata.digit(digit)) for digit in atom)


_TAG: Final = regex.compile(r"<[a-zA-Z/!][^<>]{0,200}>")
_QUOTED: Final = regex.compile(r"^\s*(?:>|\|)")
_BELOW: Final = regex.compile(
    r"""^\s*(?:
        --+\s*$ | _{3,} | -{2,}\s*\p{L}[^\n]*-{2,} | \*{3,}
        | (?:on|am|le|el|il|op|den|em|w\ dniu)\b[^\n]{0,80}(?:wrote|schrieb|écrit|escribió|scritto
          |schreef|skrev|escreveu|napisał)[^\n]{0,20}:
        | (?:from|von|de|da|van|от|发件人|寄件者|差出人)\s*[:：]
        | begin:vcard | original\ message | 原文 | 原始信息 | 引用
    )""",
    regex.VERBOSE | regex.IGNORECASE,
)
_SIGNED: Final = regex.compile(
    r"""\b(?:
        sent\ (?:from|via|by|with)\ (?:my|an?|the|outlook|gmail|yahoo|samsung|iphone|android|mail)
        | get\ outlook\ for | envoyé\ (?:de|depuis)\ mon | von\ mei(?:nem|ner)\ \S+\ \S*gesendet
        | gesendet\ (?:von|mit) | enviado\ (?:desde|do)\ m(?:i|eu) | inviato\ da(?:l\ mio)?
        | verzonden\ (?:vanaf|met)\ mijn | skickat\ från\ min | sendt\ fra\ min
        | lähetetty | wysłane\ z | odesláno\ z | отправлено\ с | надіслано\ з
    )\b[^\n]* | 发自我的[^\n]* | 從我的[^\n]*傳送 | iphoneから送信 | 나의\ \S+에서\ 보냄""",
    regex.VERBOSE | regex.IGNORECASE,
)


def written_lines(text: str) -> list[str]:
    """The lines that somebody wrote: without tags, what they quote and what their phone signs."""
    if "<" in text or "&" in text:
        text = _TAG.sub("\n", unescape(text))
    lines: list[str] = []
    for line in text.splitlines():
        if lines and _BELOW.match(line):
            break
        if not _QUOTED.match(line):
            lines.append(_SIGNED.sub("", line))
    return [line for line in lines if atoms(line)]
