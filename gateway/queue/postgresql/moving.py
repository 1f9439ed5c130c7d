"""The tables of the database as rows that any engine takes, and such rows as those of the database:
see `gateway.queue.moving`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.message import LaneKey
from gateway.queue.moving import MOVING, TABLES, Kind, Numbers, Place, Row
from gateway.queue.postgresql import generations, settling
from gateway.queue.postgresql.arrays import decode_message
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.postgresql.sharing import shard


class _How(NamedTuple):
    """How columns of a kind are read, of which type they are given, and how they are written."""

    read: str = "{0}"
    type: str = "text"
    write: str = "{0}"


_NAME: Final = "(SELECT n.name FROM {table} AS n WHERE n.id = {{0}})"

_KINDS: Final[Mapping[Kind, _How]] = {
    "tenant": _How(_NAME.format(table="tenant"), "int4"),
    "carrier": _How(f"coalesce({_NAME.format(table='carrier')}, '')", "int4"),
    "scope": _How(),
    "number": _How(type="int8"),
    "real": _How(type="float8"),
    "flag": _How(type="bool"),
    "text": _How(),
    "words": _How(type="bytea"),
    "octets": _How(type="bytea"),
    "times": _How(write="{0}::float8[]"),
}

_LANE: Final = "(SELECT lane.{0} FROM lane WHERE lane.id = message.lane)"
_LANES: Final = {
    f"lane_{name}": _LANE.format(name) for name in ("tenant", "category", "route", "campaign")
}
"""How columns are read that are not there under their name."""


def _query(table: str, after: bool) -> bytes:
    """What reads a page: the key of each row, and its columns."""
    key, columns = TABLES[table]
    names = [f"{table}.{name}" for name in key]
    read = [
        _LANES.get(name) or _KINDS[kind].read.format(f"{table}.{name}")
        for name, kind in columns.items()
    ]
    place = ", ".join(names)
    where = f"WHERE ({place}) > ({', '.join(['%s'] * len(names))}) " if after else ""
    query = f"SELECT {', '.join([*names, *read])} FROM {table} {where}ORDER BY {place} LIMIT %s"  # noqa: S608  texts of this module
    return query.encode()


_READ: Final[Mapping[Kind, Callable[[Any], Any]]] = {"words": bytes.decode, "times": tuple}
_WRITTEN: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    "words": str.encode,
    "times": lambda times: f"{{{','.join(map(repr, times))}}}",
}


def _changed(row: Row, changes: Mapping[int, Callable[[Any], Any]]) -> Row:
    return tuple(
        value if value is None or (change := changes.get(position)) is None else change(value)
        for position, value in enumerate(row)
    )


def read(
    connection: Connected, table: str, after: Place | None, limit: int
) -> tuple[list[Row], Place | None]:
    """The next rows of a table, and the place of the last one."""
    key, columns = TABLES[table]
    query, values = _query(table, after is not None), (*(after or ()), limit)
    found = connection.cursor(binary=True).execute(query, values).fetchall()
    kinds = enumerate(columns.values())
    changes = {at: change for at, kind in kinds if (change := _READ.get(kind)) is not None}
    rows = [_changed(row[len(key) :], changes) for row in found]
    return rows, tuple(found[-1][: len(key)]) if found else None


def count(connection: Connected, table: str) -> int:
    """How many rows a table has."""
    [[found]] = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()  # noqa: S608  a text of ours
    return int(found)


def numbers(connection: Connected) -> Numbers:
    """What goes on counting."""
    query = b"""SELECT epoch, max(last_id), max(last_accepted) FROM gateway, node
        GROUP BY epoch"""
    [row] = connection.execute(query).fetchall()
    return Numbers(*row)


def adopt(new: Numbers) -> Work[None]:
    """Has it go on from there."""

    def work(session: Session) -> Callable[[], None]:
        session.execute(b"UPDATE gateway SET epoch = %s", (new.epoch,))
        session.accepted(new.last_id, new.last_accepted)
        return lambda: None

    return work


def write(table: str, rows: Sequence[Row], note: bytes) -> Work[None]:
    """Adds rows, and remembers a note."""

    def work(session: Session) -> Callable[[], None]:
        if table == "tenant":
            numbers = [session.tenant(name) for name, _ in rows]
            seqs = [seq for _, seq in rows]
            session.execute(settling.SQL["seqs"], {"tenants": numbers, "seqs": seqs})
        elif rows:
            _insert(session, table, rows)
        session.execute(settling.SQL["remember"], {"name": MOVING, "value": note})
        return lambda: None

    return work


def _insert(session: Session, table: str, rows: Sequence[Row]) -> None:
    become: dict[Kind, Callable[[Any], Any]] = {
        **_WRITTEN,
        "tenant": session.tenant,
        "carrier": session.carrier,
    }
    columns: dict[str, Kind] = dict(TABLES[table].columns)
    kinds = enumerate(columns.values())
    changes = {at: change for at, kind in kinds if (change := become.get(kind)) is not None}
    values = [_changed(row, changes) for row in rows]
    if table == "message":
        values = [_message(session, row) for row in rows]
        rest = {name: kind for name, kind in columns.items() if not name.startswith("lane_")}
        columns = {"id": "number", "lane": "number", "shard": "number", **rest}
    names = ", ".join(columns)
    given = ", ".join(f"%s::{_KINDS[kind].type}[]" for kind in columns.values())
    written = ", ".join(_KINDS[kind].write.format(name) for name, kind in columns.items())
    place = generations.mixed(table)
    statement = (
        f"INSERT INTO {place} ({names}) SELECT {written} FROM unnest({given}) AS new ({names})"  # noqa: S608  texts of this module
    )
    session.execute(statement.encode(), [list(column) for column in zip(*values, strict=True)])
    if table == "audit":
        session.execute(b"SELECT setval(pg_get_serial_sequence('audit', 'id'), max(id)) FROM audit")


def _message(session: Session, row: Row) -> Row:
    number, tenant, category, route, campaign, state, due, expires, at, body, *rest = row
    lane = session.lane(LaneKey(tenant, category, route, campaign or None))
    place = shard(decode_message(body).to)
    return (number, lane, place, state, due, expires, at, body, *rest)
