"""What the commands print: a table for a person at a terminal, JSON lines for everything else.

Results go to stdout. Progress, refusals and errors go to stderr, so that results can be piped.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gateway.errors import GatewayError

Record = Mapping[str, Any]

_TIMES: Final = frozenset(
    {
        "at", "updated_at", "not_before", "seen_at", "hour", "since", "until", "accepted_at", "due",
        "expires_at",
    }
)  # fmt: skip
"""Fields that are Unix seconds."""


_WIRE_NAMES: Final = {"sender": "from"}


class UsageError(GatewayError):
    """A command line that asks for nothing, or for too much."""


def record(result: Any) -> dict[str, Any]:
    """A result of the client (a NamedTuple) under the names of the wire API, without what is absent
    or false by default."""
    defaults = result._field_defaults
    return {
        _WIRE_NAMES.get(name, name): value
        for name, value in result._asdict().items()
        if name not in defaults or value != defaults[name]
    }


def show(records: Sequence[Record]) -> None:
    """Print records: a table on a terminal, else one JSON object a line."""
    if not sys.stdout.isatty():
        for each in records:
            print_line(each)
        return
    # They take longer to import than a small command does, and scripts have no use for them.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    if len(records) == 1:
        table = Table.grid(padding=(0, 2))
        for name, value in records[0].items():
            table.add_row(name, _cell(name, value))
    else:
        columns = list(dict.fromkeys(name for each in records for name in each))
        table = Table(*columns, box=box.SIMPLE_HEAD)
        for each in records:
            table.add_row(*(_cell(name, each.get(name)) for name in columns))
    Console(markup=False, highlight=False, emoji=False).print(table)


def print_line(each: Record) -> None:
    """Print a record as a line of JSON, at once."""
    print(msgspec.json.encode(each).decode(), flush=True)


def _cell(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if name in _TIMES and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).astimezone().isoformat(" ", "seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)
