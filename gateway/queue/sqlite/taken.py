"""What carriers have taken a moment ago: a row for all of one settlement, not for each message.

Most messages have their receipt within seconds. Until then all that has to be on record is that a
carrier has them, under which ids and until when, which one blob tells; it goes when the last of
them has its outcome. What waits longer is *shelved*: written into ``message`` and ``part``, where
each is found by itself. Whoever asks for single messages or parts has all of them shelved first.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Handed
from gateway.queue.sqlite.bulk import Execute, Rows, encode_handed, numbers
from gateway.queue.sqlite.session import Session

AGE: Final = 30.0
"""Seconds after which what has no outcome is shelved, with the next settlements."""

MOST: Final = 131_072
"""Messages from which on the oldest are shelved, some 20 MB of memory."""

AT_ONCE: Final = 2
"""Settlements that are shelved with another: as many come as go, and more."""

_SENT: Final = Rows(
    "WITH new (id, deadline, at, handed) AS (",
    4,
    """) UPDATE OR ROLLBACK message SET state = 2, due = new.deadline, at = new.at,
    handed = new.handed FROM new WHERE message.id = new.id""",
)
_PARTS: Final = Rows.inserted("OR REPLACE INTO part", 5)

BLOCK: Final = 8
"""Settlements that are shelved in one transaction: some 20 ms."""

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


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Stored]).decode
_decode_ids = msgspec.json.Decoder(list[int]).decode


class TakenRow(NamedTuple):
    """A row of ``taken``."""

    number: int
    at: float
    body: bytes


class _Open(msgspec.Struct):
    """A row: its messages, how many have no outcome, since when, and the first deadline."""

    messages: list[int]
    left: int
    at: float
    due: float


class Taken:
    """What the event loop knows of the messages that are not shelved.

    They are noted when a call is made. After one that fails they are noted anew with the next, and
    a row that never came to be is shelved in vain.

    Args:
        last: the highest number that a row has.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._row_of: dict[int, int] = {}
        self._rows: dict[int, _Open] = {}  # in order of their numbers, so of their age
        self._late: list[int] = []

    def note(self, entries: Sequence[Entry], now: float) -> TakenRow:
        """The row of messages that a carrier has taken."""
        self._last += 1
        number = self._last
        messages = [entry[0] for entry in entries]
        self._row_of.update(dict.fromkeys(messages, number))
        due = min([entry[2] for entry in entries])
        self._rows[number] = _Open(messages, len(messages), now, due)
        return TakenRow(number, now, _encode(entries))

    def end(self, message: int, emptied: list[int]) -> bool:
        """A message has its outcome: whether it was not shelved; ``emptied`` gets the number of its
        row where it was the last one there."""
        number = self._row_of.pop(message, None)
        if number is None:
            return False
        row = self._rows.get(number)
        if row is not None:
            row.left -= 1
            if not row.left:
                del self._rows[number]
                emptied.append(number)
        return True

    def ripe(self, now: float) -> list[int]:
        """Take out rows that are to be shelved now, the oldest."""
        found, self._late = self._late, []
        while self._rows and len(found) < AT_ONCE:
            number, row = next(iter(self._rows.items()))
            if row.at > now - AGE and len(self._row_of) <= MOST:
                break
            found.append(number)
            self._forget(number)
        return found

    def late(self, rows: Iterable[int]) -> None:
        """A call has failed that was to empty or shelve rows: the next one is to shelve them."""
        self._late += rows

    def due(self, now: float) -> bool:
        """Whether a deadline has passed."""
        return any(row.due <= now for row in self._rows.values())

    def take(self) -> list[int]:
        """Take out all rows."""
        found = [*self._late, *self._rows]
        self._late = []
        self._rows.clear()
        self._row_of.clear()
        return found

    def _forget(self, number: int) -> None:
        row_of = self._row_of
        for message in self._rows.pop(number).messages:
            if row_of.get(message) == number:
                del row_of[message]

    @property
    def empty(self) -> bool:
        """Whether all are shelved."""
        return not (self._rows or self._late)


def insert(execute: Execute, row: TakenRow) -> None:
    """Put messages on record as taken."""
    execute("INSERT INTO taken VALUES (?, ?, ?)", row)


def delete(execute: Execute, rows: Iterable[int]) -> None:
    """Forget rows whose messages all have their outcome."""
    execute("DELETE FROM taken WHERE id IN (SELECT value FROM carray(?))", (numbers(rows),))


def shelve(session: Session, rows: Sequence[int]) -> None:
    """Put the messages of rows that have no outcome where each is found by itself."""
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
    rows = [
        number for [number] in session.execute("SELECT id FROM taken ORDER BY id LIMIT ?", (BLOCK,))
    ]
    if rows:
        shelve(session, rows)
    return bool(rows)
