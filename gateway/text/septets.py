"""GSM 03.38 as phones send it: septets with national language shifts, packed or one an octet.

The default alphabet alone, in the form that the gateway sends, is in `gateway.text.alphabets`.
Which of this a carrier's octets are is decided in `gateway.text.reading`.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from gateway.text.alphabets import decode

ESCAPE: Final = 0x1B
UNASSIGNED: Final = "\N{REPLACEMENT CHARACTER}"


class Shifts(NamedTuple):
    """The languages of the tables that a header names, 0 for the default: of all septets, and of
    those behind an escape (3GPP TS 23.040, 9.2.3.24.15 and .16)."""

    locking: int = 0
    single: int = 0


NO_SHIFTS: Final = Shifts()


def text_of(septets: bytes, shifts: Shifts = NO_SHIFTS) -> str:
    """The text that septets, one an octet, spell; never fails.

    A language that is not known counts for the default, as the standard has it (TS 23.038,
    6.2.1.2.1); an escape pair that is in no table of its language is the character without escape.
    """
    main = table("locking", shifts.locking)
    behind = table("single", shifts.single)
    if main is None and behind is None:
        return decode(septets, "gsm7")
    pieces: list[str] = []
    at = 0
    while at < len(septets):
        septet = septets[at]
        at += 1
        if septet != ESCAPE:
            pieces.append(_character(septet, main))
        elif at == len(septets):
            pieces.append(" ")
        else:
            pieces.append(_escaped(septets[at], main, behind))
            at += 1
    return "".join(pieces)


def _character(septet: int, main: Mapping[int, str] | None) -> str:
    if main is None:
        return decode(bytes((septet,)), "gsm7")
    return main.get(septet, UNASSIGNED)


def _escaped(septet: int, main: Mapping[int, str] | None, behind: Mapping[int, str] | None) -> str:
    if septet == ESCAPE:
        return " "
    if behind is not None:
        return behind.get(septet) or _character(septet, main)
    pair = decode(bytes((ESCAPE, septet)), "gsm7")
    return pair if pair != decode(bytes((septet,)), "gsm7") else _character(septet, main)


def unpack(octets: bytes, header: int = 0) -> bytes:
    """Packed septets (TS 23.038, 6.1.2.1), one an octet.

    Args:
        octets: what stands behind the header.
        header: octets of the header before them: the septets begin at the next multiple of seven
            bits behind it.

    Where a whole septet of zeros may be padding it is taken for that: the length in septets, which
    would tell, is not in an SMPP PDU.
    """
    skip = -8 * header % 7
    bits = int.from_bytes(octets, "little") >> skip
    count = max(8 * len(octets) - skip, 0) // 7
    septets = bytes([bits >> 7 * at & 0x7F for at in range(count)])
    spare = 8 * len(octets) - skip - 7 * count
    if not spare and count > 1 and septets[-1] in (0x00, 0x0D):
        return septets[:-1]
    return septets


def table(kind: Literal["locking", "single"], language: int) -> Mapping[int, str] | None:
    """A table of a language: a character by its septet; None where the language has none."""
    return _tables().get((kind, language))


@cache
def _tables() -> dict[tuple[str, int], dict[int, str]]:
    """``shifts.txt``, read when the first text comes: by kind of table and language."""
    tables: dict[tuple[str, int], dict[int, str]] = {}
    for line in Path(__file__).with_name("shifts.txt").read_text("ascii").splitlines():
        if line.startswith("#"):
            continue
        language, kind, first, *points = line.split()
        table = tables.setdefault((kind, int(language)), {})
        table |= {
            septet: chr(int(point, 16))
            for septet, point in enumerate(points, int(first, 16))
            if point != "-"
        }
    return tables
