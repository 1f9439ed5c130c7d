"""Type of number and numbering plan (SMPP 3.4, 5.2.5 and 5.2.6) by the kind of an address, which is
told by its form. Which types a carrier wants, where it is not those of the book, is configured."""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

from gateway.numbers import Kind, kind_of

AddressKind = Literal["international", "national", "alphanumeric", "short_code"]


class ByKind(NamedTuple):
    """A type of number, or a numbering plan, for each kind of address."""

    international: int
    national: int
    alphanumeric: int
    short_code: int


TON: Final = ByKind(international=1, national=2, alphanumeric=5, short_code=3)
NPI: Final = ByKind(international=1, national=1, alphanumeric=0, short_code=0)
"""Those of the book. A short code is the network's own; it and a name are of no plan."""

SHORT_CODE: Final = 6
"""The most digits of a short code: one too short for a country and a subscriber."""


@lru_cache(maxsize=4096)
def sender_kind(sender: str) -> AddressKind:
    """The kind of one of our addresses. Digits that no country's numbers begin with, as those of
    ``10690001``, are national."""
    if not sender.isdigit():
        return "alphanumeric"
    if len(sender) <= SHORT_CODE:
        return "short_code"
    return "national" if kind_of(sender) is Kind.UNKNOWN else "international"
