"""The tables of the file as rows that any engine takes, and such rows as those of the file: see
`gateway.queue.moving`. Messages and parts have to be where each is found by itself."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from gateway.queue.moving import MOVING, TABLES, Kind, Numbers, Place, Row
from gateway.queue.sqlite import keys, stats
from gateway.queue.sqlite.bulk import Execute, Rows, first
from gateway.queue.sqlite.schema import GLOBAL_SCOPE, TENANT_BITS
from gateway.queue.sqlite.session import Session
from gateway.queue.store import GLOBAL

Stored = tuple[Any, ...]
"""A row as the file has it."""

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "event": ("id",),
    "key": ("generation", "name"),
    "stat": ("tenant", "hour", "name", "carrier", "code"),
}
"""The keys of those tables that have others than elsewhere."""

_TENANT: Final = "(SELECT t.name FROM tenant AS t WHERE t.id = {})"
_NAME: Final = "coalesce((SELECT n.{0} FROM stat_name AS n WHERE n.id = stat.name), '')"
_LANE: Final = "(SELECT lane.{0} FROM lane WHERE lane.id = message.lane)"

_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "event": {
        "tenant": _TENANT.format(f"event.id >> {TENANT_BITS}"),
        "first": f"event.id & {(1 << TENANT_BITS) - 1}",
    },
    "key": {"tenant": _TENANT.format("CAST(key.name AS INTEGER)")},  # of what is before the colon
    "stat": {name: _NAME.format(name) for name in ("campaign", "variant")},
    "message": {
        f"lane_{name}": _LANE.format(name) for name in ("tenant", "category", "route", "campaign")
    },
}
"""How columns are read that are not there under their name."""

_KINDS: Final[Mapping[Kind, str]] = {
    "tenant": _TENANT.format("{0}"),
    "carrier": "coalesce((SELECT c.name FROM carrier AS c WHERE c.id = {0}), '')",
    "scope": f"iif({{0}} = {GLOBAL_SCOPE}, '{GLOBAL}', {_TENANT.format('{0}')})",
}
"""How columns of a kind are read."""

_decode_times = msgspec.json.Decoder(tuple[float, ...]).decode


def _query(table: str, after: bool) -> str:
    """What reads a page: the key of each row, and its columns."""
    key, columns = TABLES[table]
    names = [f"{table}.{name}" for name in _KEYS.get(table, key)]
    special = _COLUMNS.get(table, {})
    read = [
        special.get(name) or _KINDS.get(kind, "{0}").format(f"{table}.{name}")
        for name, kind in columns.items()
    ]
    place = ", ".join(names)
    where = f"WHERE ({place}) > ({', '.join('?' * len(names))}) " if after else ""
    return f"SELECT {', '.join([*names, *read])} FROM {table} {where}ORDER BY {place} LIMIT ?"  # noqa: S608  texts of this module


def read(
    execute: Execute, table: str, after: Place | None, limit: int
) -> tuple[list[Row], Place | None]:
    """The next rows of a table, and the place of the last one."""
    key, columns = TABLES[table]
    width = len(_KEYS.get(table, key))
    found = list(execute(_query(table, after is not None), (*(after or ()), limit)))
    rows: list[Row] = [stored[width:] for stored in found]
    if table == "key":
        rows = [(tenant, keys.key(name), *rest) for tenant, name, *rest in rows]
    for position, kind in enumerate(columns.values()):
        if kind == "flag":
            rows = [_with(row, position, bool(row[position])) for row in rows]
        elif kind == "times":
            rows = [_with(row, position, _decode_times(row[position])) for row in rows]
    return rows, found[-1][:width] if found else None


def _with(row: Row, position: int, value: Any) -> Row:
    return (*row[:position], value, *row[position + 1 :])


def count(execute: Execute, table: str) -> int:
    """How many rows a table has."""
    return first(execute, f"SELECT count(*) FROM {table}", (), 0)  # noqa: S608


def numbers(execute: Execute, epoch: str) -> Numbers:
    """What goes on counting."""
    [(last_id, last_accepted)] = execute("SELECT last_id, last_accepted FROM node")
    return Numbers(epoch, last_id, last_accepted)


def adopt(session: Session, new: Numbers) -> None:
    """Have ids go on from there."""
    session.execute("UPDATE node SET last_id = ?, last_accepted = ?", new[1:])


def stored(session: Session, table: str, rows: Sequence[Row]) -> list[Stored]:
    """Rows as the file has them, in the event loop: names become numbers."""
    tenant, carrier = session.tenants.number, session.carriers.number
    become: Mapping[Kind, Callable[[Any], Any]] = {
        "tenant": tenant,
        "carrier": lambda name: carrier(name) if name else stats.UNNAMED,
        "scope": lambda name: GLOBAL_SCOPE if name == GLOBAL else tenant(name),
        "times": lambda times: msgspec.json.encode(times).decode(),
        "flag": int,
    }
    found: list[Stored] = [*rows]
    for position, kind in enumerate(TABLES[table].columns.values()):
        if (change := become.get(kind)) is not None:
            found = [_with(row, position, change(row[position])) for row in found]
    if table == "message":
        return [(row[0], session.lanes.number(row[1:5]), *row[5:]) for row in found]
    if table == "event":
        return [((owner << TENANT_BITS) + first, *rest) for owner, first, *rest in found]
    if table == "key":
        return [(keys.name(owner, name), *rest) for owner, name, *rest in found]
    if table == "tenant":
        return [(seq, tenant(name)) for name, seq in found]
    return found


def _insertion(table: str) -> Rows:
    columns = [*TABLES[table].columns]
    if table == "message":
        columns = ["id", "lane", *columns[5:]]
    elif table == "event":
        columns = ["id", *columns[2:]]
    elif table == "key":
        return Rows.inserted(f"INTO key (generation, {', '.join(columns[1:])})", 6, shared=1)
    return Rows.inserted(f"INTO {table} ({', '.join(columns)})", len(columns))


_INSERTIONS: Final = {table: _insertion(table) for table in TABLES}


def write(session: Session, table: str, rows: Sequence[Stored], note: bytes) -> None:
    """Add rows, as `stored` gives them, and remember a note."""
    execute = session.execute
    if table == "tenant":
        for row in rows:
            execute("UPDATE tenant SET seq = ? WHERE id = ?", row)
    elif table == "stat":
        for tenant, hour, campaign, variant, *rest in rows:
            name = stats.name(execute, tenant, hour, campaign, variant)
            execute("INSERT INTO stat VALUES (?, ?, ?, ?, ?, ?)", (tenant, hour, name, *rest))
    elif table == "key":
        last = first(execute, "SELECT max(generation) FROM key", (), None) or 1
        full = "SELECT count(*) >= ? FROM key WHERE generation = ?"
        generation = last + first(execute, full, (keys.GENERATION, last), 0)
        _INSERTIONS[table].run(execute, [*chain.from_iterable(rows)], (generation,))
    else:
        _INSERTIONS[table].run(execute, [*chain.from_iterable(rows)])
    execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (MOVING, note))
