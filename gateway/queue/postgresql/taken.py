"""What carriers have taken a moment ago: a row for all of one settlement (`gateway.queue.chunks`).

It says that a carrier has the messages, under which ids and until when. What waits longer is
shelved: written into ``message`` and ``part``, where each is found by itself. Only the node itself
looks for parts in its chunks; receipts that come to another node are passed on to it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Handed
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import encode_handed, float8s, int2s, int4s, int8s, octets
from gateway.queue.postgresql.arrived import SQL, first
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, every

_SETTLING: Final = statements.load("settling")


class Entry(msgspec.Struct, array_like=True, gc=False):
    """A message, its carrier, its deadline, the ids of its parts there, and how the carrier got
    it."""

    message: int
    carrier: str
    deadline: float
    refs: Sequence[str]
    handed: Handed | None


class TakenRow(NamedTuple):
    """A row of ``taken``."""

    number: int
    at: float
    body: bytes


encode = msgspec.msgpack.Encoder().encode
"""The body of a row of a list of `Entry`."""

_encode_id = msgspec.msgpack.Encoder().encode
"""A number as it stands in such a body."""

_decode = msgspec.msgpack.Decoder(list[Entry]).decode


def insert(session: Session, row: TakenRow) -> None:
    """Put messages on record as taken."""
    session.execute(SQL["insert_taken"], {"node": session.number, **row._asdict()})


def delete(session: Session, rows: Sequence[int]) -> None:
    """Forget rows whose messages all have their outcome."""
    if rows:
        session.execute(SQL["delete_taken"], {"node": session.number, "numbers": int8s(rows)})


def shelve(session: Session, numbers: Sequence[int]) -> None:
    """Put the messages of rows that have no outcome where each is found by itself. They must not be
    among those that have ``arrived`` any more."""
    if numbers:
        asked = {"node": session.number, "numbers": int8s(numbers)}
        _shelve(session, session.execute(SQL["delete_taken"], asked).fetchall())


def shelve_some(session: Session) -> bool:
    """Shelve some of all rows of this node; False where there are none."""
    numbers = first(session, "first_taken")
    shelve(session, numbers)
    return bool(numbers)


def shelve_left(session: Session) -> None:
    """Shelve what nodes have left behind that are gone."""
    _shelve(session, session.execute(SQL["left_taken"], {"node": session.number}).fetchall())


def _shelve(session: Session, rows: Iterable[tuple[float, Any]]) -> None:
    for at, body in rows:
        entries = _decode(body)
        ids = int8s([entry.message for entry in entries])
        there = set(every(session.execute(SQL["not_sent"], {"ids": ids}).fetchall()))
        there -= session.ending
        sent = [entry for entry in entries if entry.message in there]
        values = {
            "ids": int8s([entry.message for entry in sent]),
            "deadlines": float8s([entry.deadline for entry in sent]),
            "handed": octets([encode_handed(entry.handed) for entry in sent]),
        }
        session.execute(_SETTLING["sent"], values | {"now": at})
        put_parts(session, parts_of(sent), at)


def among(connection: Connected, ids: Collection[int]) -> dict[int, tuple[float, Handed | None]]:
    """Those of these messages that are in a chunk of any node: since when, and how the carrier got
    them."""
    if not ids:
        return {}
    asked = {"ids": octets([_encode_id(number) for number in ids])}
    cursor = connection.cursor(binary=True).execute(SQL["among_taken"], asked)
    return {
        entry.message: (at, entry.handed)
        for at, body in cursor.fetchall()
        for entry in _decode(body)
        if entry.message in ids
    }


Parts = dict[tuple[str, bytes], tuple[int, int]]
"""By a carrier and its id of a part: the message, and which of its parts it is."""


def parts_of(entries: Iterable[Entry]) -> Parts:
    """The parts that carriers have named."""
    return {
        (entry.carrier, ref.encode()): (entry.message, part)
        for entry in entries
        for part, ref in enumerate(entry.refs)
        if ref
    }


def put_parts(session: Session, parts: Parts, now: float) -> None:
    """Have parts be found by a carrier's id."""
    if parts:
        values = {
            "carriers": int4s([session.carrier(carrier) for carrier, _ in parts]),
            "refs": octets([ref for _, ref in parts]),
            "ids": int8s([number for number, _ in parts.values()]),
            "parts": int2s([part for _, part in parts.values()]),
            "now": now,
        }
        session.execute(_SETTLING["parts"], values)
