"""Finds phone numbers, and other ways to get in touch, in a text: some carriers take neither in
promotions. What may as well be a code, a price, a date or the number of an order is none."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import re
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
_BEFORE_MOST: Final = 24
"""Characters before digits that may say that they are to be called."""

_KEYS: Final = (
    "@", "微信", "薇信", "威信", "v信", "vx", "wx", "weixin", "wechat", "qq", "whatsapp",
    "telegram", "line id", "skype", "t.me/", "wa.me/",
)  # fmt: skip
"""One of these is in every contact."""

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
    for hit in _DIGITS.finditer(text):
        start = hit.start()
        before = text[max(start - _BEFORE_MOST, 0) : start]
        if before[-1:].isascii() and (before[-1:].isalnum() or before[-1:] == "."):
            continue
        found = _PHONE.match(text, start)
        if found is None and _BEFORE.search(before):
            found = _CALLED.match(text, start)
        if found is not None:
            return Contact(found[0], start)
    return None


def contact(text: str) -> Contact | None:
    """The first address, account or handle by which somebody is met elsewhere."""
    folded = text.casefold()
    if not any(key in folded for key in _KEYS):
        return None
    found = _CONTACT.search(text)
    return None if found is None else Contact(found[0], found.start())
