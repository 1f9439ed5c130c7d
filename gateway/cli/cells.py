"""Reads the cells of a spreadsheet: takes off what only marks a value as text, and refuses a value
that the spreadsheet has spoilt, which nobody meant and nobody can restore."""

import json
import re
from datetime import datetime
from typing import Final

_VERBATIM: Final = frozenset({"text", "key", "campaign", "variant"})
"""Fields whose spaces count."""

_SIGNS: Final = frozenset("='#")
"""What the cells begin with that need a closer look, but for numbers: nearly none do."""

_FORMULA: Final = re.compile(r'="((?:[^"]|"")*)"', re.DOTALL)
"""Digits as a formula, which spreadsheets leave alone: ``="0044..."``."""

_GUARDED: Final = re.compile(r"'[=+\-@]")
"""An apostrophe before what would be a formula, as exports for spreadsheets put it."""

_ROUNDED: Final = re.compile(r"[+-]?\d(?:[.,\u066b]\d+)?E\+\d{1,3}")
"""A long number as a spreadsheet shows and saves it: most of its digits are gone."""

_ERROR: Final = re.compile(r"#[¡¿]?[^\W\d_]+(?:/0)?[!?]|#\w/\w|#NV|#YOK|#GETTING_DATA|##+")
"""What stands in a cell whose formula has failed, ``#NAME?`` or ``#WERT!``, or that is too narrow.
A text that begins with ``+`` or ``-`` is taken for a formula."""

_EARLIEST: Final = 100_000_000.0
"""Unix seconds, in 1973: what is below is the days that a spreadsheet counts."""


def plain(name: str, cell: str) -> str:
    """What a cell of a field says. Raises ValueError where a spreadsheet has spoilt it."""
    if name not in _VERBATIM:
        cell = cell.strip()
    if cell[:1] in _SIGNS:
        if formula := _FORMULA.fullmatch(cell):
            return formula[1].replace('""', '"')
        if cell[:1] == "'" and (name != "text" or _GUARDED.match(cell)):
            return cell[1:]
        if _ERROR.fullmatch(cell) and cell == cell.upper():
            raise ValueError(
                f"{cell[:40]!r} is the error of a spreadsheet: format the column as text and enter "
                "it again"
            )
    elif "E+" in cell and _ROUNDED.fullmatch(cell):
        raise ValueError(
            f"{cell!r} is a number that a spreadsheet has rounded: format the column as text and "
            "enter the number again"
        )
    if name == "text" and ("????" in cell or "\ufffd" in cell) and _is_lost(cell):
        raise ValueError(
            f"{cell[:40]!r} has lost characters where it was saved in an encoding without them: "
            'save it from where it came as "CSV UTF-8"'
        )
    return cell


def _is_lost(text: str) -> bool:
    """Whether there are signs for characters that an encoding did not have, rather than a text
    that asks something."""
    return "\ufffd" in text or text.count("?") > sum(map(str.isalpha, text))


def moment(text: str) -> float:
    """Unix seconds of a time as people write it. Raises ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = None
    if seconds is not None:
        if 0 < seconds < _EARLIEST:
            raise ValueError(
                f"{text[:40]!r} is the date of a spreadsheet as a number, not Unix seconds: write "
                "it as text, such as 2026-11-11T09:00+08:00"
            )
        return seconds
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(
            f"{text[:40]!r} is neither Unix seconds nor a time with its offset from UTC, such as "
            "2026-11-11T09:00+08:00"
        )
    return time.timestamp()


def variables(text: str) -> dict[str, str | int | float]:
    """Variables of a template, as a JSON object. Raises ValueError."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(value, str | int | float) and not isinstance(value, bool)
        for value in found.values()
    ):
        raise ValueError(f"{text[:40]!r} is no JSON object of texts and numbers")
    return found


TRUTHS: Final = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}


def truth(text: str) -> bool:
    """``yes`` or ``no``, as people and spreadsheets write it. Raises ValueError."""
    found = TRUTHS.get(text.strip().lower())
    if found is None:
        raise ValueError(f"{text[:40]!r} is neither yes nor no")
    return found


def parameters(text: str) -> dict[int | str, bytes | str]:
    """Optional parameters, as ``0x1400=1101456700000012345 0x1401=…``. Raises ValueError."""
    found: dict[int | str, bytes | str] = {}
    for pair in re.split(r"[\s,]+", text.strip(" \t,")):
        tag, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f"{pair[:40]!r} is not tag=text, such as 0x1400=1101456700000012345")
        found[tag] = value
    return found
