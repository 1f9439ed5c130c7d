"""What was accepted a moment ago and went straight to a lane of this node: a row for all messages
of one queue that came in one call (`gateway.queue.chunks`). So is, once this node has leased it,
what waited as a chunk (`gateway.queue.postgresql.backlog`).

A message is in its chunk for as long as neither ``finished`` nor ``message`` knows it. One that
parts ways gets a row of its own; what waits longer is shelved, all of it, into ``message``; and so
is what a node has left behind that is gone, by whoever fences it off. Only the node itself has
anything leave its chunks; others that look for single messages read them. Messages of several parts
have rows from the start: what receipts say of each part is kept there.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Handed, LaneKey, Message
from gateway.queue.chunks import BLOCK, Chunks
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import (
    encode_handed,
    encode_message,
    float8s,
    int2s,
    int4s,
    int8s,
    maybe_float8s,
    octets,
)
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.schema import LEASED
from gateway.queue.postgresql.session import Session, every
from gateway.queue.postgresql.sharing import shard

SQL: Final = statements.load("chunks")

BLOCK_SIZE: Final = 524_288
"""Octets of rows that are shelved in one transaction where a node begins or ends: some 20 ms."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Message]).decode


class ArrivedRow(NamedTuple):
    """A row of ``arrived``, and what its body says; with the time that it has where it waited."""

    number: int
    lane: LaneKey
    messages: Sequence[Message]
    body: bytes
    due: float | None = None
    at: float | None = None


def rows(chunks: Chunks, by_lane: Mapping[LaneKey, Sequence[Message]]) -> list[ArrivedRow]:
    """The rows of messages of some queues."""
    bodies = [(lane, some, _encode(some)) for lane, some in by_lane.items()]
    return [
        ArrivedRow(
            chunks.note(
                [m.id for m in some], some[0].accepted_at, owners=[(lane.tenant, lane.category)]
            ),
            lane,
            some,
            body,
        )
        for lane, some, body in bodies
    ]


def insert(session: Session, rows: Sequence[ArrivedRow]) -> None:
    """Store messages."""
    if rows:
        values = {
            "node": session.number,
            "numbers": int8s([row.number for row in rows]),
            "lanes": int4s([session.lane(row.lane) for row in rows]),
            "lows": int8s([min([m.id for m in row.messages]) for row in rows]),
            "highs": int8s([max([m.id for m in row.messages]) for row in rows]),
            "dues": maybe_float8s([row.due for row in rows]),
            "ats": maybe_float8s([row.at for row in rows]),
            "bodies": octets([row.body for row in rows]),
        }
        session.execute(SQL["insert_arrived"], values)


def never_came(session: Session, rows: Sequence[ArrivedRow], ids: Container[int]) -> None:
    """Take messages out that turn out to be duplicates. Where they have been shelved meanwhile,
    they are rows like others."""
    _rewrite(session, [(row.number, [m for m in row.messages if m.id not in ids]) for row in rows])


def take_out(session: Session, leaving: Mapping[int, Container[int]]) -> None:
    """Some messages, given by their row, wait in others from now on: take them out of it."""
    if leaving:
        asked = {"node": session.number, "numbers": int8s([*leaving])}
        found = session.execute(SQL["read_arrived"], asked).fetchall()
        _rewrite(
            session,
            [
                (number, [m for m in _decode(body) if m.id not in leaving[number]])
                for number, body in found
            ],
        )


def _rewrite(session: Session, kept: Sequence[tuple[int, Sequence[Message]]]) -> None:
    values = {
        "node": session.number,
        "numbers": int8s([number for number, _ in kept]),
        "bodies": octets([_encode(some) for _, some in kept]),
    }
    session.execute(SQL["rewrite_arrived"], values)


def delete(session: Session, rows: Sequence[int]) -> None:
    """Forget rows that all messages have left."""
    if rows:
        values = {"node": session.number, "numbers": int8s(rows)}
        session.execute(SQL["delete_arrived"], values)


class PartedRow(NamedTuple):
    """A row of ``message`` of one that leaves its chunk."""

    id: int
    lane: LaneKey
    shard: int
    place: int
    due: float
    expires: float
    at: float
    body: bytes
    handed: bytes


def parted(
    message: Message, place: int, at: float, due: float, handed: Handed | None = None
) -> PartedRow:
    """The row of a message that is in a place since ``at``."""
    return PartedRow(
        message.id,
        message.lane,
        shard(message.to),
        place,
        due,
        message.expires_at,
        at,
        encode_message(message),
        encode_handed(handed),
    )


def part(session: Session, rows: Sequence[PartedRow]) -> None:
    """Give messages rows of their own. There are some already where others have fenced this node
    off, which the end of the transaction is told."""
    if rows:
        ids, lanes, shards, places, dues, expires, ats, bodies, handed = zip(*rows, strict=True)
        values = {
            "ids": int8s(ids),
            "lanes": int4s([session.lane(lane) for lane in lanes]),
            "shards": int2s(shards),
            "places": int2s(places),
            "dues": float8s(dues),
            "expires": float8s(expires),
            "ats": float8s(ats),
            "bodies": octets(bodies),
            "handed": octets(handed),
        }
        session.execute(SQL["part"], values)


def shelve(session: Session, numbers: Sequence[int]) -> None:
    """Give all messages of chunks rows of their own, but for those that have left."""
    if numbers:
        asked = {"node": session.number, "numbers": int8s(numbers)}
        _shelve(session, session.execute(SQL["delete_arrived"], asked).fetchall())


def shelve_some(session: Session) -> bool:
    """Shelve some of all rows of this node; False where there are none."""
    numbers = first(session, "first_arrived")
    shelve(session, numbers)
    return bool(numbers)


def shelve_left(session: Session) -> None:
    """Shelve what nodes have left behind that are gone: whoever fences one off does so."""
    cursor = session.execute(SQL["left_arrived"], {"node": session.number})
    _shelve(session, cursor.fetchall())


def _shelve(session: Session, chunks: Iterable[tuple[float | None, float | None, Any]]) -> None:
    rows = [
        parted(m, LEASED, at or m.accepted_at, due or m.due)
        for due, at, body in chunks
        for m in _decode(body)
    ]
    if not rows:
        return
    asked = {"ids": int8s([row.id for row in rows])}
    gone = session.ending.union(every(session.execute(SQL["gone"], asked).fetchall()))
    part(session, [row for row in rows if row.id not in gone])


def first(session: Session, statement: str) -> list[int]:
    """The first rows of a table of chunks, as many as one transaction is to shelve."""
    found: list[int] = []
    size = 0
    asked = {"node": session.number, "limit": BLOCK}
    for number, length in session.execute(SQL[statement], asked).fetchall():
        if size >= BLOCK_SIZE:
            break
        found.append(number)
        size += length
    return found


# --- for others to find ---


def telling(connection: Connected, phones: Collection[str]) -> dict[int, Message]:
    """The messages to phones that are in a chunk of any node, by their number; they may have left
    it since, which `left` tells."""
    asked = {"phones": octets([phone.encode() for phone in phones])}
    cursor = connection.cursor(binary=True).execute(SQL["telling"], asked)
    return {m.id: m for [body] in cursor.fetchall() for m in _decode(body) if m.to in phones}


def left(connection: Connected, ids: Collection[int]) -> set[int]:
    """Those of these messages that are in no chunk any more."""
    cursor = connection.cursor(binary=True).execute(SQL["gone"], {"ids": int8s([*ids])})
    return set(every(cursor.fetchall()))
