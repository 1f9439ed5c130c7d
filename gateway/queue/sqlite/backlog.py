"""What waits, as chunks: a row for messages of one lane that were accepted together, or put off
together, and are due together.

A row says when they are due, when the first of them expires and between which numbers theirs are;
its body has all of them and nobody else. Leased, a chunk is one of `gateway.queue.sqlite.arrived`,
without being written again: what leaves it from then on is not written into it. It is split only
where some of its messages part ways: those that are taken are a chunk of their own.

A few messages are rows of ``message`` instead, which is then as cheap.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Message
from gateway.queue.chunks import Chunks
from gateway.queue.sqlite import arrived
from gateway.queue.sqlite.bulk import Execute, Rows, decode_messages, first, numbers
from gateway.queue.sqlite.schema import LEASED, WAITING
from gateway.queue.sqlite.session import Session

SMALLEST: Final = 4
"""Messages from which on they are a chunk: four rows cost more."""

LARGEST: Final = 256
"""Messages of a chunk at most: to split one writes some 50 KB, to look into it takes 0.2 ms."""

PIECES: Final = 4
"""Into how many times what was taken a chunk is cut that was too large for a lease."""

AT_ONCE: Final = 64
"""Chunks that one call takes at most."""

EXTENDED: Final = 8
"""Chunks of which every message is written anew, at a time: some 20 ms."""

_COLUMNS: Final = "id, lane, state, due, expires, at, accepted, size, first, last, reach, body"
_CHUNK: Final = Rows.inserted(f"OR REPLACE INTO backlog ({_COLUMNS})", 12)

_HOLDING: Final = """WITH RECURSIVE kind (n) AS (SELECT min(reach) FROM backlog UNION ALL
    SELECT (SELECT min(reach) FROM backlog WHERE reach > n) FROM kind WHERE n NOT NULL)
    SELECT DISTINCT backlog.id FROM kind CROSS JOIN carray(?1) AS asked CROSS JOIN backlog
    ON reach = n AND first BETWEEN asked.value - n AND asked.value AND last >= asked.value
    WHERE n NOT NULL"""
"""Which chunks may have some of these messages: for each power of two up to which the numbers of
chunks reach, those that begin so far before a number at most."""

_encode = msgspec.msgpack.Encoder().encode
_in_order = attrgetter("id")


class Waiting(NamedTuple):
    """Messages that are to wait as a chunk, and since when."""

    number: int
    lane: int
    due: float
    at: float
    messages: Sequence[Message]


class Taken(NamedTuple):
    """Messages that were leased, and the chunks that some of them are in."""

    messages: list[Message]
    chunks: list[tuple[int, list[int]]]

    def add(self, chunk: int, messages: Sequence[Message]) -> None:
        """These too."""
        self.messages.extend(messages)
        self.chunks.append((chunk, [m.id for m in messages]))

    def beside(self, others: list[Message]) -> "Taken":
        """The same, with others that are in none."""
        return Taken([*others, *self.messages], self.chunks)


class _Row(NamedTuple):
    number: int
    lane: int
    due: float
    at: float
    messages: list[Message]


def gather(
    chunks: Chunks,
    lane: int,
    due: float,
    at: float,
    messages: Sequence[Message],
    largest: int = LARGEST,
) -> Iterator[Waiting]:
    """Messages that wait together, in chunks that are not too large."""
    for start in range(0, len(messages), largest):
        yield Waiting(chunks.number(), lane, due, at, messages[start : start + largest])


def insert(execute: Execute, waiting: Iterable[Waiting], without: Container[int] = ()) -> None:
    """Have messages wait, but for some."""
    flat: list[Any] = []
    for number, lane, due, at, messages in waiting:
        kept = [m for m in messages if m.id not in without] if without else messages
        if kept:
            flat += _columns(_Row(number, lane, due, at, [*kept]), WAITING)
    _CHUNK.run(execute, flat)


def _columns(row: _Row, state: int) -> tuple[Any, ...]:
    number, lane, due, at, messages = row
    messages.sort(key=_in_order)
    expires = min([m.expires_at for m in messages])
    accepted = min([m.accepted_at for m in messages])
    low, high = messages[0].id, messages[-1].id
    reach = (1 << (high - low).bit_length()) - 1
    size, body = len(messages), _encode(messages)
    return (number, lane, state, due, expires, at, accepted, size, low, high, reach, body)


def _rows(execute: Execute, chunks: Collection[int]) -> list[_Row]:
    """Those of these chunks that wait."""
    if not chunks:
        return []
    found = execute(
        """SELECT id, lane, due, at, body FROM backlog
        WHERE id IN (SELECT value FROM carray(?)) AND state = 0 ORDER BY due, first""",
        (numbers(chunks),),
    )
    return [
        _Row(number, lane, due, at, decode_messages(body))
        for number, lane, due, at, body in list(found)
    ]


def holding(execute: Execute, messages: Collection[int]) -> list[int]:
    """The chunks that may have some of these messages."""
    return [number for [number] in list(execute(_HOLDING, (numbers(messages),)))]


def take(
    session: Session,
    chunks: Chunks,
    among: Collection[int],
    limit: int,
    wanted: Callable[[Message], bool],
) -> Taken:
    """Lease up to ``limit`` messages of chunks that wait, those that are ``wanted``."""
    taken = Taken([], [])
    flat: list[Any] = []
    whole: list[int] = []
    for row in _rows(session.execute, among):
        mine = [m for m in row.messages if wanted(m)][: limit - len(taken.messages)]
        if len(mine) == len(row.messages):
            whole.append(row.number)
            taken.add(row.number, mine)
        elif mine:
            number = chunks.number()
            flat += _columns(row._replace(number=number, messages=mine), LEASED)
            flat += _columns(_without(row, {m.id for m in mine}), WAITING)
            taken.add(number, mine)
    _lease(session.execute, whole)
    _CHUNK.run(session.execute, flat)
    return taken


def _take_from(
    session: Session,
    chunks: Chunks,
    page: Callable[[], Iterable[tuple[int, int]]],
    limit: int,
    wanted: Callable[[Message], bool],
) -> Taken:
    """Lease as many messages of chunks as there are up to ``limit``; ``page`` tells of some chunks
    with messages that are ``wanted``, with the sizes of all they have."""
    taken = Taken([], [])
    while (room := limit - len(taken.messages)) > 0:
        among: list[int] = []
        for number, size in page():
            if room > 0:
                among.append(number)
            room -= size
        if not among:
            break
        more = take(session, chunks, among, limit - len(taken.messages), wanted)
        taken.messages.extend(more.messages)
        taken.chunks.extend(more.chunks)
    return taken


def take_expired(session: Session, chunks: Chunks, now: float, limit: int) -> Taken:
    """Lease messages that have expired."""
    query = "SELECT id, size FROM backlog WHERE state = 0 AND expires <= ? LIMIT ?"

    def page() -> list[tuple[Any, ...]]:
        return list(session.execute(query, (now, AT_ONCE)))

    return _take_from(session, chunks, page, limit, lambda m: m.expires_at <= now)


def take_in(
    session: Session, chunks: Chunks, lanes: str, names: Sequence[Any], last: int, limit: int
) -> Taken:
    """Lease messages numbered up to ``last`` that wait in ``lanes``, a condition with the
    parameters ``names``."""
    query = f"""SELECT id, size FROM backlog WHERE state = 0 AND {lanes}
        AND first <= ?{len(names) + 1} LIMIT {AT_ONCE}"""  # noqa: S608  texts of this package

    def page() -> list[tuple[Any, ...]]:
        return list(session.execute(query, (*names, last)))

    return _take_from(session, chunks, page, limit, lambda m: m.id <= last)


def take_first(session: Session, chunks: Chunks, among: Sequence[int], limit: int) -> Taken:
    """Lease up to ``limit`` messages of chunks that wait, the longest due first."""
    taken = Taken([], [])
    whole: list[int] = []
    for row in _rows(session.execute, among):
        room = limit - len(taken.messages)
        mine, rest = row.messages[:room], row.messages[room:]
        taken.add(row.number, mine)
        if rest:
            _CHUNK.run(session.execute, _columns(row._replace(messages=mine), LEASED))
            # Whoever has room for few comes again for few: the rest is not written each time.
            pieces = gather(chunks, row.lane, row.due, row.at, rest, PIECES * len(mine))
            insert(session.execute, pieces)
            break
        whole.append(row.number)
    _lease(session.execute, whole)
    return taken


def _lease(execute: Execute, chunks: Collection[int]) -> None:
    if chunks:
        query = "UPDATE backlog SET state = 1 WHERE id IN (SELECT value FROM carray(?))"
        execute(query, (numbers(chunks),))


def _without(row: _Row, gone: Container[int]) -> _Row:
    return row._replace(messages=[m for m in row.messages if m.id not in gone])


def take_these(session: Session, chunks: Chunks, messages: Collection[int], tenant: str) -> Taken:
    """Lease those of these messages that wait in chunks, and are a tenant's."""
    if not messages:
        return Taken([], [])
    asked = set(messages)
    among = holding(session.execute, asked)
    return take(session, chunks, among, len(asked), lambda m: m.id in asked and m.tenant == tenant)


def part_with(session: Session, messages: Collection[int]) -> None:
    """Give those of these messages rows of their own that wait in chunks."""
    asked = set(messages)
    among = holding(session.execute, asked)
    alone: list[Any] = []
    for row in _rows(session.execute, among):
        mine = [m for m in row.messages if m.id in asked]
        if mine:
            rest = _without(row, asked)
            if rest.messages:
                _CHUNK.run(session.execute, _columns(rest, WAITING))
            else:
                delete(session.execute, [row.number])
        for m in mine:
            alone += arrived.columns(m, row.lane, row.at, row.due)
    arrived.part(session, alone, WAITING)


def delete(execute: Execute, chunks: Iterable[int]) -> None:
    """Forget chunks that all messages have left."""
    execute("DELETE FROM backlog WHERE id IN (SELECT value FROM carray(?))", (numbers(chunks),))


class Due(NamedTuple):
    """A chunk that is due, the ``first`` of its messages, and how many they are."""

    due: float
    first: int
    number: int
    size: int


def due(execute: Execute, lane: int, now: float) -> list[Due]:
    """Chunks of a lane that are due, the longest due first."""
    found = execute(
        """SELECT due, first, id, size FROM backlog WHERE state = 0 AND lane = ? AND due <= ?
        ORDER BY due, first LIMIT ?""",
        (lane, now, AT_ONCE),
    )
    return [Due(*row) for row in list(found)]


def next_due(execute: Execute, lane: int) -> float | None:
    """When the first chunk of a lane is due."""
    query = "SELECT min(due) FROM backlog WHERE state = 0 AND lane = ?"
    return first(execute, query, (lane,), None)


def count_all(execute: Execute) -> int:
    """How many messages wait in chunks."""
    return first(execute, "SELECT coalesce(sum(size), 0) FROM backlog WHERE state = 0", (), 0)


def count(execute: Execute, lanes: str, names: Sequence[Any], last: int) -> int:
    """How many messages numbered up to ``last`` wait in chunks in ``lanes``, as for `take_in`."""
    n = len(names) + 1
    where = f"FROM backlog WHERE state = 0 AND {lanes}"
    whole = f"SELECT coalesce(sum(size), 0) {where} AND last <= ?{n}"
    split = f"SELECT body {where} AND first <= ?{n} AND last > ?{n}"
    found: int = first(execute, whole, (*names, last), 0)
    for [body] in list(execute(split, (*names, last))):
        found += sum(m.id <= last for m in decode_messages(body))
    return found


def sample(execute: Execute, lane: int, size: int) -> list[Message]:
    """Some messages that wait in chunks of a lane."""
    query = "SELECT body FROM backlog WHERE state = 0 AND lane = ? ORDER BY due LIMIT ?"
    bodies = list(execute(query, (lane, size)))
    return [m for [body] in bodies for m in decode_messages(body)][:size]


def waiting(execute: Execute, lanes: str, names: Sequence[Any]) -> list[int]:
    """The chunks that wait in ``lanes``, as for `take_in`."""
    query = f"SELECT id FROM backlog WHERE state = 0 AND {lanes}"  # noqa: S608  see above
    return [number for [number] in list(execute(query, names))]


def extend(session: Session, chunks: Sequence[int], seconds: float) -> None:
    """Let the messages of chunks that wait expire later."""
    flat: list[Any] = []
    for row in _rows(session.execute, chunks):
        later = [
            msgspec.structs.replace(m, expires_at=m.expires_at + seconds) for m in row.messages
        ]
        flat += _columns(row._replace(messages=later), WAITING)
    _CHUNK.run(session.execute, flat)


_HASTY: Final = "state = 0 AND due > ?1 AND due <= at + ?2"


def hasty(execute: Execute, now: float, moment: float) -> list[int]:
    """The chunks that were to wait for ``moment`` seconds at most after ``now``."""
    query = f"SELECT id FROM backlog INDEXED BY backlog_due WHERE {_HASTY}"  # noqa: S608  texts of this module
    return [number for [number] in list(execute(query, (now, moment)))]


def hasten(session: Session, chunks: Collection[int], now: float, moment: float) -> None:
    """Have them be due now. What their messages say stays."""
    session.execute(
        f"""UPDATE backlog SET due = ?1 WHERE id IN (SELECT value FROM carray(?3))
        AND {_HASTY}""",  # noqa: S608  texts of this module
        (now, moment, numbers(chunks)),
    )


class Found(NamedTuple):
    """A message in a chunk: its place, and as the columns of ``message`` would tell it."""

    state: int
    due: float
    at: float
    message: Message


def find(execute: Execute, messages: Collection[int]) -> dict[int, Found]:
    """Those of these messages that are in chunks which wait, or did. One in a chunk that does not
    wait any more may have left it."""
    asked = set(messages)
    found: dict[int, Found] = {}
    for chunk in holding(execute, asked):
        query = "SELECT state, due, at, body FROM backlog WHERE id = ?"
        for state, due, at, body in list(execute(query, (chunk,))):
            for message in decode_messages(body):
                if message.id in asked:
                    found[message.id] = Found(state, due, at, message)
    return found


def with_phones(
    execute: Execute, phones: Sequence[str], below: int, limit: int
) -> tuple[list[Found], int | None]:
    """The messages to phones among the next chunks that wait, numbered ``below``, and where to go
    on."""
    query = "SELECT id FROM backlog WHERE state = 0 AND id < ? ORDER BY id DESC LIMIT ?"
    chunks = [number for [number] in list(execute(query, (below, limit)))]
    if not chunks:
        return [], None
    like = " OR ".join(["instr(body, CAST(? AS BLOB))"] * len(phones))
    rows = execute(
        f"""SELECT state, due, at, body FROM backlog
        WHERE id IN (SELECT value FROM carray(?)) AND ({like})""",  # noqa: S608
        (numbers(chunks), *phones),
    )
    found = [
        Found(state, due, at, message)
        for state, due, at, body in list(rows)
        for message in decode_messages(body)
        if message.to in phones
    ]
    return found, chunks[-1] if len(chunks) == limit else None


def last(execute: Execute) -> int:
    """The highest number of a chunk."""
    return first(execute, "SELECT max(id) FROM backlog", (), 0) or 0


def accepted_before(execute: Execute, before: float) -> list[int]:
    """Some chunks that wait with messages that were accepted before a moment."""
    query = """SELECT id FROM backlog INDEXED BY backlog_due
        WHERE state = 0 AND accepted < ? LIMIT ?"""
    return [number for [number] in list(execute(query, (before, EXTENDED)))]


def part(session: Session, before: float) -> int:
    """Give messages that wait rows of their own, those of some such chunks; returns how many chunks
    those are."""
    execute = session.execute
    chunks = accepted_before(execute, before)
    if chunks:
        flat: list[Any] = []
        for row in _rows(execute, chunks):
            for m in row.messages:
                flat += arrived.columns(m, row.lane, row.at, row.due)
        arrived.part(session, flat, WAITING)
        delete(execute, chunks)
    return len(chunks)
