"""Finds phone numbers, and other ways to get in touch, in a text: some carriers take neither in
promotions. What may as well be a code, a price, a date or the number of an order is none."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import re
import unicodedata
from typing import Final, NamedTuple

_DIGITS: Final = re.compile(r"[+(（]?\d[\d .()（）-]{3,24}\d")
"""What may be a phone number: nothing else is looked at closely."""

_PHONE: Final = re.compile(
    r"""(?:
        \+\d(?:[\ .()-]{0,2}\d){6,14}                          # +44 7700 900123
        | (?:\(\d{2,4}\)|（\d{2,4}）)[\ -]?\d{3,4}[\ -]?\d{4}  # (020) 8888 6666
        | 0\d{2,3}-\d{7,8}                                     # 021-88886666
        | [2-9]\d{2}[-.\ ][2-9]\d{2}[-.\ ]\d{4}                # 212-555-0100
        | 1[3-9]\d(?:[\ -]?\d{4}){2}                           # 138 1234 5678
        | [48]00(?:-?\d{3,4}){2}                               # 400-820-8820
    )(?![A-Za-z0-9-])(?!\.\d)""",
    re.VERBOSE,
)
_BEFORE: Final = re.compile(
    r"(?:电话|热线|致电|拨打|客服|手机|tel(?:ephone)?|phone|call(?:\s+us)?|dial)"
    r"\s*(?:号码|at|on|us)?\s*[:：]?\s*\Z",
    re.IGNORECASE,
)
_CALLED: Final = re.compile(r"\d(?:[ -]?\d){4,11}(?![A-Za-z0-9])")
_FEWEST, _FEWEST_CALLED = "0" * 7, "0" * 5
"""Digits of a phone number, and of one behind a word that says so."""

_RUNS: Final = bytes(0x30 if chr(octet) in "0123456789" else 0x20 for octet in range(256))
_OTHER_DIGITS: Final = re.compile(r"[^\D0-9]")

_BEFORE_MOST: Final = 24
"""Characters before digits that may say that they are to be called."""

_CONTACT: Final = re.compile(
    r"""[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+
    | (?:微信|薇信|威信|[vV]信|weixin|wechat|(?<![a-z])wx(?![a-z]))\s*(?:号|id)?\s*[:：是为]?\s*
      [a-z0-9][\w-]{4,19}
    | (?:加|扫|添加)\s*(?:我|客服|店主)?\s*的?\s*(?:微信|薇信|威信|[vV]信|[vV]x|wx|qq)
    | (?<![a-z])qq\s*(?:群|号)*\s*[:：]?\s*[1-9]\d{4,10}(?!\d)
    | (?:whatsapp|telegram|(?<![a-z])line\s+id|skype)\s*[:：]?\s*[@+]?[\w.]{4,32}
    | (?<![\w/])(?:t|wa)\.me/\S+
    | (?<![\w@.])@[a-z][\w.]{4,31}""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class Contact(NamedTuple):
    """How a text has it, and where."""

    written: str
    place: int


def phone(text: str) -> Contact | None:
    """The first phone number."""
    return _phone(text) if _may_have_phone(text, _folded(text)) else None


def contact(text: str) -> Contact | None:
    """The first address, account or handle by which somebody is met elsewhere."""
    return _contact(text) if _may_have_contact(text, _folded(text)) else None


def phone_or_contact(text: str) -> tuple[Contact | None, Contact | None]:
    """The first phone number or, where there is none, the first of the others."""
    low = _folded(text)
    if _may_have_phone(text, low) and (found := _phone(text)) is not None:
        return found, None
    return None, _contact(text) if _may_have_contact(text, low) else None


def _folded(text: str) -> str:
    """A text in lower case, with question marks for all but ASCII: it is searched in a third of the
    time."""
    return text.encode("ascii", "replace").lower().decode("ascii")


def _phone(text: str) -> Contact | None:
    plain = text
    if not text.isascii() and _OTHER_DIGITS.search(text):
        plain = "".join(map(_plain, text))
    for hit in _DIGITS.finditer(plain):
        start = hit.start()
        before = plain[max(start - _BEFORE_MOST, 0) : start]
        if before[-1:].isascii() and (before[-1:].isalnum() or before[-1:] == "."):
            continue
        found = _PHONE.match(plain, start)
        if found is None and _BEFORE.search(before):
            found = _CALLED.match(plain, start)
        if found is not None:
            return Contact(text[start : found.end()], start)
    return None


def _plain(char: str) -> str:
    """A digit of another script or width, or a sign of full width, as ASCII has it."""
    if char.isdecimal():
        return str(unicodedata.digit(char))
    return unicodedata.normalize("NFKC", char) if "\uff00" < char < "\uff5f" else char


def _may_have_phone(text: str, low: str) -> bool:
    """Whether there are as many digits in a row as it takes, where looking closely takes four
    microseconds."""
    runs = low.encode("ascii").translate(_RUNS, b" .()-").decode("ascii")
    if _FEWEST_CALLED in runs and (_FEWEST in runs or _may_say_so(text, low)):
        return True
    return not text.isascii() and _OTHER_DIGITS.search(text) is not None


def _may_say_so(text: str, low: str) -> bool:
    """Whether one of the words is there that `_BEFORE` finds."""
    if "tel" in low or "phone" in low or "call" in low or "dial" in low:
        return True
    return not text.isascii() and (
        "电话" in text
        or "热线" in text
        or "致电" in text
        or "拨打" in text
        or "客服" in text
        or "手机" in text
    )


def _may_have_contact(text: str, low: str) -> bool:
    """Whether there is something that is in every contact. Written out: a third of the time that a
    loop takes, which is what most texts of a campaign cost. A single letter is found soonest."""
    return (
        "@" in low
        or ("x" in low and ("wx" in low or "vx" in low or "weixin" in low))
        or ("q" in low and "qq" in low)
        or "wechat" in low
        or "whatsapp" in low
        or "telegram" in low
        or "line id" in low
        or "skype" in low
        or ".me/" in low
        or (not text.isascii() and "信" in text)
    )


def _contact(text: str) -> Contact | None:
    found = _CONTACT.search(text)
    return None if found is None else Contact(found[0], found.start())
