"""What was accepted a moment ago and went straight to a lane: a row for all messages of one queue
that came in one call, not for each message. So is, once it is leased, what waited as a chunk
(`gateway.queue.sqlite.backlog`).

Most of them have their outcome within seconds. All that has to be on record until then is that they
are there, which one blob tells. A message is in its chunk for as long as neither ``finished`` nor
``message`` knows it: nothing is written into the chunk when one leaves, and after a crash those
that have not are read again. One that parts ways gets a row of its own; what waits longer is
*shelved* (`gateway.queue.chunks`), all of it, into ``message``. ``progress`` keeps what
receipts for some parts have said until then.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Message
from gateway.queue.chunks import BLOCK, Chunks
from gateway.queue.sqlite.bulk import Execute, Rows, decode_messages, encode_message, numbers
from gateway.queue.sqlite.schema import LEASED
from gateway.queue.sqlite.session import Session

_CHUNK: Final = Rows.inserted("OR ROLLBACK INTO arrived", 3)
_COLUMNS: Final = 6
_MESSAGE: Final = Rows(
    """INSERT OR ROLLBACK INTO message (state, id, lane, due, expires, at, body, states)
    SELECT ?, *, (SELECT states FROM progress WHERE message = column1) FROM (""",
    _COLUMNS,
    ") WHERE column1 NOT NULL",
)
_PROGRESS: Final = Rows.inserted("OR REPLACE INTO progress", 2)

_encode = msgspec.msgpack.Encoder().encode
_decode_ids = msgspec.json.Decoder(list[int]).decode
_decode_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class _Numbered(msgspec.Struct, array_like=True, gc=False):
    """Of a `Message`, its number."""

    id: int


_decode_numbered = msgspec.msgpack.Decoder(list[_Numbered]).decode

_CHUNKS: Final = """SELECT lane, NULL, NULL, body FROM arrived
    WHERE id IN (SELECT value FROM carray(?1)) UNION ALL SELECT lane, due, at, body FROM backlog
    WHERE id IN (SELECT value FROM carray(?1))"""


BLOCK_SIZE: Final = 524_288
"""Octets of rows that are shelved in one transaction where a store is opened: the same."""


class ArrivedRow(NamedTuple):
    """A row of ``arrived``, and what its body says."""

    number: int
    lane: int
    body: bytes
    messages: Sequence[Message]


class Arrived(Chunks):
    """The chunks of ``arrived``.

    Attributes:
        progressed: the messages of which ``progress`` may know something.
    """

    def __init__(self, last: int = 0) -> None:
        super().__init__(last)
        self.progressed: set[int] = set()

    def forget(self, number: int) -> None:
        if self.progressed:
            self.progressed.difference_update(self.messages([number]))
        super().forget(number)


def rows(chunks: Chunks, by_lane: Mapping[int, Sequence[Message]]) -> list[ArrivedRow]:
    """The rows of messages of some queues, by the numbers of these."""
    bodies = [(lane, _encode(messages), messages) for lane, messages in by_lane.items() if messages]
    return [
        ArrivedRow(chunks.note([m.id for m in some], some[0].accepted_at), lane, body, some)
        for lane, body, some in bodies
    ]


def insert(execute: Execute, rows: Iterable[ArrivedRow], without: Container[int]) -> None:
    """Store messages, but for some."""
    flat: list[Any] = []
    for number, lane, body, messages in rows:
        if not without:
            flat += (number, lane, body)
        elif kept := [m for m in messages if m.id not in without]:
            flat += (number, lane, _encode(kept))
    _CHUNK.run(execute, flat)


def delete(execute: Execute, rows: Collection[int]) -> None:
    """Forget rows that all messages have left."""
    for table in ("arrived", "backlog"):
        query = f"DELETE FROM {table} WHERE id IN (SELECT value FROM carray(?))"  # noqa: S608
        execute(query, (numbers(rows),))


def take_out(execute: Execute, leaving: Mapping[int, Collection[int]]) -> None:
    """Some messages, given by their row, are in others from now on: take them out of it."""
    for table in ("arrived", "backlog"):
        query = f"SELECT id, body FROM {table} WHERE id IN (SELECT value FROM carray(?))"  # noqa: S608
        for row, body in list(execute(query, (numbers(leaving),))):
            gone = leaving[row]
            pairs = zip(_decode_numbered(body), _decode_raw(body), strict=True)
            kept = _encode([raw for one, raw in pairs if one.id not in gone])
            execute(f"UPDATE {table} SET body = ? WHERE id = ?", (kept, row))  # noqa: S608


def part(session: Session, flat: Sequence[Any], state: int) -> None:
    """Give messages rows of their own; they are given by `columns`, one after the other."""
    if flat:
        _MESSAGE.run(session.execute, flat, (state,))
        forget_progress(session.execute, flat[::_COLUMNS])


def columns(message: Message, lane: int, at: float, due: float) -> tuple[Any, ...]:
    """What `part` takes of a message that is in a place since ``at``."""
    return (message.id, lane, due, message.expires_at, at, encode_message(message))


def shelve(session: Session, rows: Collection[int]) -> None:
    """Give all messages of chunks rows of their own, but for those that have left."""
    execute = session.execute
    flat: list[Any] = []
    for lane, due, at, body in list(execute(_CHUNKS, (numbers(rows),))):
        for message in _remaining(execute, body):
            flat += columns(message, lane, at or message.accepted_at, due or message.due)
    part(session, flat, LEASED)
    delete(execute, rows)


def shelve_some(session: Session) -> bool:
    """Shelve some of all rows, as a store does that is opened; False where there are none."""
    rows = first_rows(session.execute, "arrived") or first_rows(
        session.execute, "backlog", "state = 1"
    )
    if rows:
        shelve(session, rows)
    return bool(rows)


def count(execute: Execute, table: str) -> int:
    """How many messages are in chunks that are leased; ``table`` has them."""
    bodies = execute(f"SELECT body FROM {table}")  # noqa: S608  names of this package
    return sum(len(_remaining(execute, body)) for [body] in list(bodies))


def _remaining(execute: Execute, body: bytes) -> list[Message]:
    """The messages of a chunk that have not left it."""
    messages = decode_messages(body)
    ids = numbers(m.id for m in messages)
    [[left]] = execute(
        """SELECT json_group_array(id) FROM (
        SELECT id FROM finished WHERE id IN (SELECT value FROM carray(?1)) UNION ALL
        SELECT id FROM message WHERE id IN (SELECT value FROM carray(?1)))""",
        (ids,),
    )
    gone = set(_decode_ids(left))
    return [m for m in messages if m.id not in gone]


def note_progress(execute: Execute, flat: Sequence[Any]) -> None:
    """Keep the states of the parts of messages in chunks: a message, its states, and so on."""
    _PROGRESS.run(execute, flat)


def progress(execute: Execute, messages: Iterable[int]) -> dict[int, bytes]:
    """The states of the parts of messages in chunks, as far as anything is known of them."""
    query = "SELECT * FROM progress WHERE message IN (SELECT value FROM carray(?))"
    return dict(execute(query, (numbers(messages),)))


def forget_progress(execute: Execute, messages: Iterable[int]) -> None:
    """Messages are in no chunk any more."""
    execute(
        "DELETE FROM progress WHERE message IN (SELECT value FROM carray(?))", (numbers(messages),)
    )


def first_rows(execute: Execute, table: str, where: str = "true") -> list[int]:
    """The first rows of a table of chunks, as many as one transaction is to shelve, of those for
    which something holds."""
    found: list[int] = []
    size = 0
    query = f"SELECT id, length(body) FROM {table} WHERE {where} ORDER BY id LIMIT {BLOCK}"  # noqa: S608
    for number, length in list(execute(query)):
        if size >= BLOCK_SIZE:
            break
        found.append(number)
        size += length
    return found
