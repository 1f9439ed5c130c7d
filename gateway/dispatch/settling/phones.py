"""Whether the addresses of a receipt speak of the phone that a message went to.

By the book the source of a receipt is the phone. In the field it is written nationally, masked,
behind a prefix, is our own number because the addresses were not swapped, the carrier's, or empty.
So an address may agree with a message, say nothing, or disagree: only that is evidence against.
"""

import re
from enum import Enum
from typing import Final

from gateway.numbers import region_of, same_phone


class Agreement(Enum):
    """What an address says of a message's phone."""

    AGREES = "agrees"
    SILENT = "silent"
    DISAGREES = "disagrees"


AGREES, SILENT, DISAGREES = Agreement

SUBSCRIBER: Final = 6
"""The fewest digits at the end of a number that tell a phone, beside an id that fits as well."""

ALIKE: Final = 8
"""Numbers with so many last digits in common may be one behind two prefixes, and all numbers that
are one phone have them in common."""

_SEPARATORS: Final = re.compile(r"[\s()./-]|\Atel:", re.IGNORECASE)
_masked = re.compile(r"[0-9*#?xX]*[*#?xX][0-9*#?xX]*", re.ASCII).fullmatch
_hidden = re.compile(r"[*#?xX]+")


def agreement(source: str, destination: str, phone: str, sender: str = "") -> Agreement:
    """What a receipt's addresses say of the phone of a message, in E.164 digits, and its sender."""
    if source == phone:
        return AGREES
    said = _of_phone(source, phone, sender)
    if said is not AGREES and destination and _of_phone(destination, phone, sender) is AGREES:
        return AGREES  # the addresses stand as they were submitted
    return said


def _of_phone(address: str, phone: str, sender: str) -> Agreement:
    bare = _SEPARATORS.sub("", address).lstrip("+0")
    if not bare.isdigit():
        return _of_mask(bare, phone) if _masked(bare) else SILENT
    if sender and sender in bare:
        return SILENT
    if same_number(bare, phone):
        return AGREES
    if bare[-ALIKE:] == phone[-ALIKE:]:
        if same_phone(bare, phone):
            return AGREES
        return SILENT if region_of(bare) is None else DISAGREES
    return SILENT if len(bare) <= SUBSCRIBER else DISAGREES  # a short code is nobody's phone


def _of_mask(bare: str, phone: str) -> Agreement:
    shown = len(_hidden.sub("", bare))
    if shown < SUBSCRIBER:
        return SILENT
    pattern = r"\d+".join(map(re.escape, _hidden.split(bare)))
    return AGREES if re.fullmatch(rf"\d{{0,4}}{pattern}", phone) else DISAGREES


def same_number(one: str, other: str) -> bool:
    """Whether two spellings mean one phone: one may lack the country code or carry ``+`` or 0s."""
    if one == other:
        return True
    one, other = one.lstrip("+0"), other.lstrip("+0")
    return one == other or (
        min(len(one), len(other)) >= SUBSCRIBER and (one.endswith(other) or other.endswith(one))
    )
