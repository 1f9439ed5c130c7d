"""National shift tables on the way out: texts of some languages in GSM 03.38, where their
characters would else force UCS-2 (3GPP TS 23.038, annex A).

A *single* table stands in the place of the extension table: its characters take an escape, two
septets. A *locking* one stands in the place of the default alphabet: one septet each. Each that is
used is named in the header of every part, three octets more, also where there is one part only
(3GPP TS 23.040 9.2.3.24.15 and .16). So a text with a few Turkish letters is shortest with the
single table, one in Hindi with both. Those of one language are used together and no others.

Whether a text goes so at all, and with which tables, is decided in `measuring`.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from gateway.text.alphabets import (
    BASIC,
    EXTENSION,
    first_outside_gsm7,
    gsm7_codes,
    gsm7_octets,
    spelling,
)
from gateway.text.septets import Shifts, table

if TYPE_CHECKING:
    from gateway.text.alphabets import Spelling

Language = Literal[
    "tr", "es", "pt", "bn", "gu", "hi", "kn", "ml", "or", "pa", "ta", "te", "ur"
]  # fmt: skip
"""A language that has tables, by its ISO 639-1 code."""

NUMBERS: Final[Mapping[Language, int]] = {
    "tr": 1, "es": 2, "pt": 3, "bn": 4, "gu": 5, "hi": 6, "kn": 7,
    "ml": 8, "or": 9, "pa": 10, "ta": 11, "te": 12, "ur": 13,
}  # fmt: skip
"""Its number in headers (3GPP TS 23.038 6.2.1.2.4)."""


class Form(NamedTuple):
    """A text as the tables of a language spell it: the tables, and its codes
    (`gateway.text.alphabets`)."""

    shifts: Shifts
    codes: bytes


def forms(text: str, languages: Collection[Language]) -> Iterator[Form]:
    """The ways to spell all of a text with the tables of one of these languages: the single tables
    first, then the locking ones, then both."""
    # Nearly every text that cannot be spelled so has none of the languages' characters at all.
    first = first_outside_gsm7(text)
    able = [one for one in languages if not first or first in _characters(one)]
    for shifts in chain.from_iterable(zip_longest(*map(_tables, able))):
        codes = None if shifts is None else gsm7_codes(text, _spelling(shifts))
        if codes is not None:
            yield Form(shifts, codes)


def octets_of(form: Form) -> bytes:
    """The septets that a form stands for, one an octet."""
    return gsm7_octets(form.codes, _pairs(form.shifts.single))


def _tables(language: Language) -> tuple[Shifts, ...]:
    """The single table of a language and, where it has one, its locking table, and both."""
    number = NUMBERS[language]
    if table("locking", number) is None:
        return (Shifts(single=number),)
    return Shifts(single=number), Shifts(locking=number), Shifts(number, number)


@cache
def _characters(language: Language) -> frozenset[str]:
    """All that the tables of a language have."""
    number = NUMBERS[language]
    both = (table("locking", number) or {}, table("single", number) or {})
    return frozenset(character for one in both for character in one.values())


@cache
def _spelling(shifts: Shifts) -> "Spelling":
    return spelling(table("locking", shifts.locking) or BASIC, _behind(shifts.single))


def _behind(single: int) -> Mapping[int, str]:
    """The characters behind an escape."""
    return table("single", single) or EXTENSION


@cache
def _pairs(single: int) -> list[tuple[bytes, bytes]]:
    return [(bytes([0x80 | code]), bytes([0x1B, code])) for code in _behind(single)]
