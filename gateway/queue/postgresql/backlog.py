"""What waits, as chunks: a row for messages of one lane that were accepted together, or put off
together, are due together, and are all for the phones of one node, as far as is known.

A row says when they are due, when the first of them expires, between which numbers theirs are and
of which shards they are; its body has all of them and nobody else. Leased, a chunk moves into
``arrived`` (`gateway.queue.postgresql.arrived`), as it is, and is the node's that leases it. It is
split only where some of its messages part ways: those that are taken are a chunk of their own, and
those that others are to send stay behind.

Several nodes may look into a chunk at once. Whoever changes one locks it first. What goes on
waiting stays in its row; only a lane that has room for few cuts the rest into others, and then the
first row is gone: whoever waited for it looks again.

A few messages are rows of ``message`` instead, and so are those of several parts.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue.chunks import Chunks
from gateway.queue.operators import Which
from gateway.queue.postgresql import arrived, sharing, statements
from gateway.queue.postgresql.arrays import float8s, int4s, int8s, octets
from gateway.queue.postgresql.arrived import ArrivedRow, PartedRow
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.schema import LEASED, WAITING
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.postgresql.sharing import Away, Division, shard

SQL: Final = statements.load("backlog")

SMALLEST: Final = 4
"""Messages from which on they are a chunk: three rows cost about as much."""

LARGEST: Final = 255
"""Messages of a chunk at most, so that an octet counts those of a shard: to split one writes some
50 KB, to look into it takes 0.2 ms."""

PIECES: Final = 4
"""Into how many times what was taken a chunk is cut that was too large for a lease."""

AT_ONCE: Final = 64
"""Chunks that one call takes at most."""

EXTENDED: Final = 8
"""Chunks of which every message is written anew, at a time: some 20 ms."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Message]).decode
_in_order = attrgetter("id")


class Contents(NamedTuple):
    """What a row says of its messages."""

    shards: int
    counts: bytes
    size: int
    expires: float
    low: int
    high: int
    body: bytes


def _contents(messages: Sequence[Message]) -> Contents:
    """The same, of messages in order."""
    counts = Counter([shard(m.to) for m in messages])
    return Contents(
        sharing.combined(counts),
        bytes(map(counts.__getitem__, range(sharing.SHARDS))),
        len(messages),
        min([m.expires_at for m in messages]),
        messages[0].id,
        messages[-1].id,
        _encode(messages),
    )


class Waiting(NamedTuple):
    """Messages that are to wait as a chunk, and since when."""

    lane: LaneKey
    due: float
    at: float
    messages: Sequence[Message]
    contents: Contents


class Gathered:
    """Messages that are to wait, put together as they can be.

    Attributes:
        away: what of them concerns other nodes.

    Args:
        division: who has which shards.
    """

    def __init__(self, division: Division) -> None:
        self.away: Away = {}
        self._division = division
        self._together: dict[tuple[LaneKey, float, float, int | None], list[Message]] = {}

    def add(self, message: Message, lane: LaneKey, at: float) -> None:
        """One of a single part, which waits since then."""
        division, number = self._division, shard(message.to)
        together, place = self._together, (lane, message.due, at, division.owner(number))
        if place in together:
            together[place].append(message)
        else:
            together[place] = [message]
        sharing.add_away(self.away, division, lane, number, message.due)

    def add_alone(self, message: Message, lane: LaneKey) -> None:
        """One that has a row of its own."""
        sharing.add_away(self.away, self._division, lane, shard(message.to), message.due)

    def chunks(self) -> tuple[list[Waiting], list[Message]]:
        """The chunks, which are not too large, and those that are too few for one."""
        found: list[Waiting] = []
        alone: list[Message] = []
        for (lane, due, at, _), those in self._together.items():
            if len(those) < SMALLEST:
                alone += those
            else:
                found += _cut(lane, due, at, those, LARGEST)
        return found, alone


def _cut(
    lane: LaneKey, due: float, at: float, messages: Sequence[Message], largest: int
) -> Iterable[Waiting]:
    for start in range(0, len(messages), largest):
        some = sorted(messages[start : start + largest], key=_in_order)
        yield Waiting(lane, due, at, some, _contents(some))


def insert(session: Session, waiting: Iterable[Waiting], without: Container[int] = ()) -> None:
    """Have messages wait, but for some."""
    if without:
        waiting = [
            one._replace(messages=kept, contents=_contents(kept))
            for one in waiting
            if (kept := [m for m in one.messages if m.id not in without])
        ]
    rows = [*waiting]
    if rows:
        values = {
            "lanes": int4s([session.lane(row.lane) for row in rows]),
            "dues": float8s([row.due for row in rows]),
            "ats": float8s([row.at for row in rows]),
        }
        session.execute(SQL["insert"], values | _columns([row.contents for row in rows]))


def _columns(rows: Sequence[Contents]) -> dict[str, Any]:
    shards, counts, sizes, expires, lows, highs, bodies = zip(*rows, strict=True)
    return {
        "shards": int8s(shards),
        "counts": octets(counts),
        "sizes": int4s(sizes),
        "expires": float8s(expires),
        "lows": int8s(lows),
        "highs": int8s(highs),
        "bodies": octets(bodies),
    }


class _Row(NamedTuple):
    """A chunk that this node has locked."""

    number: int
    due: float
    at: float
    messages: list[Message]


def _lock(session: Session, chunks: Collection[int], statement: str = "lock") -> list[_Row]:
    """Those of these chunks that are there, the longest due first; the statement ``lock_free``
    passes those over that others change just now."""
    if not chunks:
        return []
    found = session.execute(SQL[statement], {"numbers": int8s([*chunks])}).fetchall()
    rows = [_Row(number, due, at, _decode(body)) for number, due, at, body in found]
    rows.sort(key=lambda row: (row.due, row.messages[0].id))
    return rows


class Taken(NamedTuple):
    """Messages that were leased, the chunks that some of them are in, with their lane, and where a
    lane was asked for when the next one of it is due."""

    messages: list[Message]
    chunks: list[tuple[int, LaneKey, list[int]]]
    next_due: float | None = None

    def add(self, chunk: int, messages: Sequence[Message]) -> None:
        """These too."""
        self.messages.extend(messages)
        self.chunks.append((chunk, messages[0].lane, [m.id for m in messages]))


class _Split:
    """What becomes of chunks that are locked."""

    def __init__(self, chunks: Chunks, taken: Taken) -> None:
        self._chunks = chunks
        self._taken = taken
        self._whole: list[tuple[int, int]] = []
        self._parted: list[ArrivedRow] = []
        self._rest: list[tuple[int, list[Message]]] = []
        self._gone: list[int] = []
        self._pieces: list[Waiting] = []

    def whole(self, row: _Row) -> None:
        """Lease all of it."""
        number = self._chunks.number()
        self._whole.append((row.number, number))
        self._taken.add(number, row.messages)

    def part(self, row: _Row, mine: list[Message]) -> None:
        """Lease some; the rest stays where it is."""
        self._part(row, mine)
        taken = {m.id for m in mine}
        self._rest.append((row.number, [m for m in row.messages if m.id not in taken]))

    def cut(self, row: _Row, mine: list[Message]) -> None:
        """The same for one who comes again for few: the rest is not written each time."""
        self._part(row, mine)
        taken = {m.id for m in mine}
        rest = [m for m in row.messages if m.id not in taken]
        self._gone.append(row.number)
        self._pieces += _cut(rest[0].lane, row.due, row.at, rest, PIECES * len(mine))

    def _part(self, row: _Row, mine: list[Message]) -> None:
        number = self._chunks.number()
        self._taken.add(number, mine)
        body = _encode(mine)
        self._parted.append(ArrivedRow(number, mine[0].lane, mine, body, row.due, row.at))

    def write(self, session: Session) -> None:
        """Have it so."""
        if self._whole:
            numbers, given = zip(*self._whole, strict=True)
            values = {"node": session.number, "numbers": int8s(numbers), "given": int8s(given)}
            session.execute(SQL["lease"], values)
        arrived.insert(session, self._parted)
        _rewrite(session, self._rest)
        delete(session, self._gone)
        insert(session, self._pieces)


def _rewrite(session: Session, rows: Sequence[tuple[int, Sequence[Message]]]) -> None:
    if rows:
        numbers = int8s([number for number, _ in rows])
        columns = _columns([_contents(messages) for _, messages in rows])
        session.execute(SQL["rewrite"], {"numbers": numbers} | columns)


def delete(session: Session, chunks: Sequence[int]) -> None:
    """Forget chunks that all messages have left."""
    if chunks:
        session.execute(SQL["delete"], {"numbers": int8s(chunks)})


class Due(NamedTuple):
    """A chunk that is due, the ``first`` of its messages, and how many of them are asked for; or a
    message that has a row, where the number is 0."""

    due: float
    first: int
    number: int
    size: int


def due(session: Session, lane: int, now: float, shards: int) -> list[Due]:
    """Chunks of a lane that are due, with messages of some shards, the longest due first."""
    asked = {"lane": lane, "now": now, "shards": shards, "limit": AT_ONCE}
    return [Due(*row) for row in session.execute(SQL["due"], asked).fetchall()]


def take_first(
    session: Session, chunks: Chunks, among: Sequence[int], limit: int, shards: int
) -> Taken:
    """Lease up to ``limit`` messages of some shards of chunks, the longest due first."""
    taken = Taken([], [])
    split = _Split(chunks, taken)
    for row in _lock(session, among, "lock_free"):
        mine = [m for m in row.messages if sharing.has(shards, m.to)]
        room = limit - len(taken.messages)
        if not mine or room <= 0:
            continue
        if len(mine) > room:
            split.cut(row, mine[:room])
        elif len(mine) < len(row.messages):
            split.part(row, mine)
        else:
            split.whole(row)
    split.write(session)
    return taken


def take(
    session: Session,
    chunks: Chunks,
    page: Callable[[], Iterable[int]],
    limit: int,
    wanted: Callable[[Message], bool],
    taken: Taken,
    statement: str = "lock",
) -> None:
    """Lease messages that are ``wanted``, up to ``limit``; ``page`` tells of some chunks that may
    have some. Where one of those is gone once it is locked, its messages may be in others."""
    while limit > len(taken.messages) and (among := [*page()]):
        split = _Split(chunks, taken)
        before, rows = len(taken.messages), _lock(session, among, statement)
        for row in rows:
            mine = [m for m in row.messages if wanted(m)][: limit - len(taken.messages)]
            if len(mine) == len(row.messages):
                split.whole(row)
            elif mine:
                split.part(row, mine)
        split.write(session)
        if len(taken.messages) == before and (len(rows) == len(among) or statement != "lock"):
            break


def take_these(
    session: Session, chunks: Chunks, messages: Collection[int], tenant: str, taken: Taken
) -> None:
    """Lease those of these messages that wait in chunks, and are a tenant's."""
    asked = set(messages)

    def wanted(message: Message) -> bool:
        return message.id in asked and message.tenant == tenant

    def page() -> Iterable[int]:
        return _holding(session, asked.difference(m.id for m in taken.messages))

    take(session, chunks, page, len(asked), wanted, taken)


def take_in(
    session: Session, chunks: Chunks, names: dict[str, Any], last: int, limit: int, taken: Taken
) -> None:
    """Lease messages numbered up to ``last`` that wait in queues of these ``names``."""
    asked = names | {"last": last, "limit": AT_ONCE}

    def page() -> Iterable[int]:
        return _enough(session.execute(SQL["where"], asked).fetchall(), limit, taken)

    take(session, chunks, page, limit, lambda m: m.id <= last, taken)


def take_expired(
    session: Session, chunks: Chunks, now: float, limit: int, shards: int, taken: Taken
) -> None:
    """Lease messages of some shards that have expired."""
    asked = {"now": now, "shards": shards, "limit": AT_ONCE}

    def wanted(message: Message) -> bool:
        return message.expires_at <= now and sharing.has(shards, message.to)

    def page() -> Iterable[int]:
        return _enough(session.execute(SQL["expired"], asked).fetchall(), limit, taken)

    take(session, chunks, page, limit, wanted, taken, "lock_free")


def _enough(rows: Iterable[tuple[int, int]], limit: int, taken: Taken) -> Iterable[int]:
    """The first chunks of a page that have as many messages as there is room for."""
    room = limit - len(taken.messages)
    for number, size in rows:
        if room <= 0:
            break
        room -= size
        yield number


# --- what else is done to them ---


def part_with(session: Session, messages: Collection[int]) -> None:
    """Give those of these messages rows of their own that wait in chunks."""
    missing = set(messages)
    while missing and (among := _holding(session, missing)):
        rows, before = _lock(session, among), len(missing)
        alone: list[PartedRow] = []
        rest: list[tuple[int, list[Message]]] = []
        for row in rows:
            mine = [m for m in row.messages if m.id in missing]
            alone += [arrived.parted(m, WAITING, row.at, row.due) for m in mine]
            if mine:
                rest.append((row.number, [m for m in row.messages if m.id not in missing]))
        arrived.part(session, alone)
        _rewrite(session, [(number, kept) for number, kept in rest if kept])
        delete(session, [number for number, kept in rest if not kept])
        missing.difference_update([one.id for one in alone])
        if len(missing) == before and len(rows) == len(among):
            break


def _holding(session: Session, messages: Collection[int]) -> list[int]:
    """The chunks that may have some of these messages."""
    return every(session.execute(SQL["holding"], {"ids": int8s(sorted(messages))}).fetchall())


def extend(chunks: Sequence[int], seconds: float) -> Work[None]:
    """Lets the messages of chunks that wait expire later."""

    def work(session: Session) -> Callable[[], None]:
        later = [
            (
                row.number,
                [
                    msgspec.structs.replace(m, expires_at=m.expires_at + seconds)
                    for m in row.messages
                ],
            )
            for row in _lock(session, chunks)
        ]
        _rewrite(session, later)
        return lambda: None

    return work


def part_some(session: Session) -> Callable[[], bool]:
    """Gives the messages of some chunks rows of their own; says whether there were any."""
    among = every(session.execute(SQL["first"], {"limit": EXTENDED}).fetchall())
    rows = _lock(session, among)
    alone = [arrived.parted(m, WAITING, row.at, row.due) for row in rows for m in row.messages]
    arrived.part(session, alone)
    delete(session, [row.number for row in rows])
    return lambda: bool(among)


# --- what is asked of them ---


def of_campaign(connection: Connected, tenant: str, campaign: str) -> list[int]:
    """The chunks that wait of a campaign."""
    asked = {"tenant": tenant, "campaign": campaign.encode()}
    return every(connection.cursor(binary=True).execute(SQL["of_campaign"], asked).fetchall())


def count(connection: Connected, names: dict[str, Any], last: int) -> int:
    """How many messages numbered up to ``last`` wait in chunks in queues of these ``names``."""
    cursor = connection.cursor(binary=True).execute(SQL["count_where"], names | {"last": last})
    return sum(
        size if body is None else sum(m.id <= last for m in _decode(body))
        for size, body in cursor.fetchall()
    )


class Found(NamedTuple):
    """A message in a chunk: its place, and as the columns of ``message`` would tell it."""

    state: int
    due: float
    at: float
    message: Message


def find(connection: Connected, ids: Collection[int]) -> dict[int, Found]:
    """Those of these messages that are in a chunk which waits, or that a node has; the latter may
    have left it since, which whoever asks finds out by looking for them afterwards."""
    if not ids:
        return {}
    asked = {"ids": int8s(sorted(ids))}
    cursor = connection.cursor(binary=True).execute(SQL["find"], asked)
    return {
        m.id: Found(LEASED if leased else WAITING, due or m.due, at or m.accepted_at, m)
        for leased, due, at, body in cursor.fetchall()
        for m in _decode(body)
        if m.id in ids
    }


def with_phones(
    connection: Connected, phones: Sequence[str], below: int, limit: int
) -> tuple[list[Found], int | None]:
    """The messages to phones among the next chunks that wait, numbered ``below``, and where to go
    on."""
    asked = {"phones": octets([p.encode() for p in phones]), "below": below, "limit": limit}
    rows = connection.cursor(binary=True).execute(SQL["slice"], asked).fetchall()
    found = [
        Found(WAITING, due, at, m)
        for _, due, at, body in rows
        for m in (() if body is None else _decode(body))
        if m.to in phones
    ]
    return found, rows[-1][0] if len(rows) == limit else None


def names(which: Which) -> dict[str, Any]:
    """The parameters that tell queues."""
    found = msgspec.structs.asdict(which)
    if which.campaign is not None:
        found["campaign"] = which.campaign.encode()
    return found
