"""Lists of the admin API as CSV, for spreadsheets. Pure."""

import csv as csv_format
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gateway.ops.views import View

TIMES: Final = frozenset(
    {
        "at", "since", "until", "next_due", "error_at", "throttled_since", "seen_at", "accepted_at",
        "due", "expires_at", "updated_at", "first_hour", "last_hour",
    }
)  # fmt: skip
"""Fields that are Unix seconds."""

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula: a text from a phone must not be one."""


def csv(kind: type[View], rows: Iterable[View]) -> str:
    """A table with a row for each; a number of a phone stays the text that it is."""
    names = [field.name for field in msgspec.structs.fields(kind)]
    out = io.StringIO()
    writer = csv_format.writer(out)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(name, getattr(row, name)) for name in names])
    return out.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in TIMES:
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = value if isinstance(value, str | int) else msgspec.json.encode(value).decode()
    text = str(text)
    return f"'{text}" if text.startswith(FORMULA) else text
