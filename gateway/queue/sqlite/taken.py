"""What carriers have taken a moment ago: a row for all of one settlement, not for each message.

Most messages have their receipt within seconds. Until then all that has to be on record is that a
carrier has them, under which ids and until when, which one blob tells; it goes when the last of
them has its outcome. What waits longer is *shelved* (`gateway.queue.chunks`): written into
``message`` and ``part``, where each is found by itself.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Handed
from gateway.queue.sqlite.arrived import first_rows
from gateway.queue.sqlite.bulk import Execute, Rows, encode_handed, numbers
from gateway.queue.sqlite.session import Session

_SENT: Final = Rows(
    "WITH new (id, deadline, at, handed) AS (",
    4,
    """) UPDATE OR ROLLBACK message SET state = 2, due = new.deadline, at = new.at,
    handed = new.handed FROM new WHERE message.id = new.id""",
)
_PARTS: Final = Rows.inserted("OR REPLACE INTO part", 5)

Entry = tuple[int, int, float, Sequence[str], Handed | None]
"""A message, the number of its carrier, its deadline, the ids of its parts there, and how the
carrier got it."""


class _Stored(msgspec.Struct, array_like=True, gc=False):
    """An `Entry` as it is read: one of an earlier version is shorter."""

    message: int
    carrier: int
    deadline: float
    refs: list[str]
    handed: Handed | None = None


encode = msgspec.msgpack.Encoder().encode
"""The body of a row of a list of `Entry`."""

_decode = msgspec.msgpack.Decoder(list[_Stored]).decode
_decode_ids = msgspec.json.Decoder(list[int]).decode


class TakenRow(NamedTuple):
    """A row of ``taken``."""

    number: int
    at: float
    body: bytes


def insert(execute: Execute, row: TakenRow) -> None:
    """Put messages on record as taken."""
    execute("INSERT INTO taken VALUES (?, ?, ?)", row)


def delete(execute: Execute, rows: Iterable[int]) -> None:
    """Forget rows whose messages all have their outcome."""
    execute("DELETE FROM taken WHERE id IN (SELECT value FROM carray(?))", (numbers(rows),))


def shelve(session: Session, rows: Sequence[int]) -> None:
    """Put the messages of rows that have no outcome where each is found by itself. They must not be
    among those that have ``arrived`` any more."""
    execute = session.execute
    which = "id IN (SELECT value FROM carray(?))"
    for at, body in list(execute(f"SELECT at, body FROM taken WHERE {which}", (numbers(rows),))):  # noqa: S608
        entries = _decode(body)
        [[found]] = execute(
            f"SELECT json_group_array(id) FROM message WHERE {which} AND state < 2",  # noqa: S608
            (numbers(entry.message for entry in entries),),
        )
        there = set(_decode_ids(found))
        sent: list[Any] = []
        parts: list[Any] = []
        for entry in entries:
            if entry.message in there:
                sent += (entry.message, entry.deadline, at, encode_handed(entry.handed))
                for part, ref in enumerate(entry.refs):
                    if ref:
                        parts += (entry.carrier, ref, entry.message, part, at)
        _SENT.run(execute, sent)
        _PARTS.run(execute, parts)
    delete(execute, rows)


def shelve_some(session: Session) -> bool:
    """Shelve some of all rows, as a store does that is opened; False where there are none."""
    rows = first_rows(session.execute, "taken")
    if rows:
        shelve(session, rows)
    return bool(rows)
