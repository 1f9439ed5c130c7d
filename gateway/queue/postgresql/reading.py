"""What the reading calls ask, on the connection that does not wait for commits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gateway.facts import Use
from gateway.message import Handed, Message, WaitingState
from gateway.queue import events, marks
from gateway.queue.chunks import Owner
from gateway.queue.postgresql import backlog, sharing, statements, taken
from gateway.queue.postgresql.arrays import (
    decode_handed,
    decode_life,
    decode_message,
    int8s,
    octets,
    texts,
)
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.schema import LEASED, SENT, WAITING
from gateway.queue.store import Consumer, EventChunk, Held, Match, Oldest, Owed, Record, Ref
from gateway.queue.tallies import SPAN, Stat, Stats

SQL: Final = statements.load("reading")

NEXT_DEADLINES: Final = 10_000
"""Sent messages among which the oldest is looked for, by their deadline."""

Row = tuple[Any, ...]


def ask(connection: Connected, statement: str, **values: Any) -> list[Row]:
    """The rows that a statement of the file ``reading`` gives."""
    found: list[Row] = connection.cursor(binary=True).execute(SQL[statement], values).fetchall()
    return found


def match(connection: Connected, refs: Sequence[Ref]) -> dict[Ref, Match]:
    """The known parts among references. The statement has a LIMIT in each look-up, so that it is
    one by the key whatever the planner believes of tables that grow from nothing: as a mere join it
    went through all parts of the carrier for each reference."""
    carriers, named = texts(ref.carrier for ref in refs), [ref.ref.encode() for ref in refs]
    found = {}
    for carrier, ref, part, states, at, body, handed in ask(
        connection, "match", carriers=carriers, refs=octets(named)
    ):
        message = decode_message(body)
        known = states or bytes(message.parts)
        found[Ref(carrier, bytes(ref).decode())] = Match(
            message, part, bytes(known), at, decode_handed(handed)
        )
    return found


def overdue(connection: Connected, now: float, limit: int, shards: int) -> list[Owed]:
    """Sent messages of some shards past their deadline."""
    rows = ask(connection, "overdue", now=now, limit=limit, shards=shards)
    return [owed(*row) for row in rows]


def owed(body: Any, states: Any, at: float, handed: Any) -> Owed:
    """A sent message, from its columns."""
    message = decode_message(body)
    return Owed(message, bytes(states or bytes(message.parts)), at, decode_handed(handed))


def find(connection: Connected, tenant: str, asked: Iterable[int], now: float) -> dict[int, Record]:
    """What became of a tenant's messages; unknown ones are left out."""
    wanted = set(asked)
    records = {}
    # In this order, so that a message which leaves its chunk or gets its outcome in between is
    # found.
    in_chunks = backlog.find(connection, wanted)
    sent = taken.among(connection, [n for n, one in in_chunks.items() if one.state == LEASED])
    for place, due, at, body, handed in ask(
        connection, "live", ids=int8s([*wanted]), tenant=tenant
    ):
        message = decode_message(body)
        state = waiting_state(place, due > now)
        how = decode_handed(handed) if place == SENT else None
        records[message.id] = Record(message.id, at, message=message, state=state, handed=how)
    if missing := wanted - records.keys():
        records |= _finished(connection, tenant, missing)
    for number in in_chunks.keys() - records.keys():
        place, due, at, m = in_chunks[number]
        if m.tenant == tenant:
            records[number] = in_chunk(m, at, waiting_state(place, due > now), sent.get(number))
    return records


def in_chunk(
    message: Message, at: float, state: WaitingState, sent: tuple[float, Handed | None] | None
) -> Record:
    """What is known of a message in a chunk, and of when and how a carrier got it."""
    if sent is None:
        return Record(message.id, at, message=message, state=state)
    since, handed = sent
    return Record(message.id, since, message=message, state="sent", handed=handed)


def waiting_state(place: int, later: bool) -> WaitingState:
    """The word for where a message is; ``later`` says that it is due later."""
    if place == SENT:
        return "sent"
    return "deferred" if place == WAITING and later else "queued"


def _finished(connection: Connected, tenant: str, asked: Iterable[int]) -> dict[int, Record]:
    records = {}
    chunk, encoded = EventChunk(tenant, 0, 0, b""), list[Any]()
    for seq, message, number, life in ask(
        connection, "finished", ids=int8s([*asked]), tenant=tenant
    ):
        if seq > chunk.last:
            stored = history(connection, tenant, number, seq - 1, 1)
            if not stored or stored[0].first > seq:
                continue  # forgotten
            chunk, encoded = stored[0], events.split(stored[0])
        event = events.decode(encoded[seq - chunk.first])
        records[message] = Record(
            message, event.at, event=event, life=None if life is None else decode_life(life)
        )
    return records


def history(
    connection: Connected, tenant: str, number: int, after: int, limit: int
) -> list[EventChunk]:
    """The stored chunks that hold events after a ``seq``, about ``limit`` of them."""
    rows = ask(connection, "chunks", tenant=number, after=after, limit=limit)
    chunks = [EventChunk(tenant, first, size, bytes(body)) for first, size, body in rows]
    return [chunk for chunk in chunks if chunk.last > after]


def events_after(connection: Connected, tenant: str, after: int, limit: int) -> list[EventChunk]:
    """The same, by the name of the tenant."""
    rows = ask(connection, "tenant", tenant=tenant)
    return history(connection, tenant, rows[0][0], after, limit) if rows else []


def bounds(connection: Connected, tenant: str) -> tuple[int, int]:
    """The first ``seq`` of a tenant that is still kept, and the last one given."""
    rows = ask(connection, "bounds", tenant=tenant)
    return (rows[0][0], rows[0][1]) if rows else (1, 0)


def held_of_shards(connection: Connected, shards: int) -> list[Held]:
    """What is kept of the phones of some shards, but for texts that are to be taken."""
    return sharing.held(ask(connection, "held_of_shards", shards=shards))


def handed(connection: Connected, keys: Sequence[str]) -> dict[str, float]:
    """Until when persons have these conversations; 0 for those that nobody has."""
    asked = octets([key.encode() for key in keys])
    found = {bytes(key).decode(): until for key, until in ask(connection, "handed", keys=asked)}
    return {key: found.get(key, 0.0) for key in keys}


def texts_left(connection: Connected, keys: Sequence[str]) -> int:
    """How many of some texts are not dropped."""
    asked = octets([key.encode() for key in keys])
    [[count]] = ask(connection, "held_texts", keys=asked)
    return int(count)


def last_seqs(connection: Connected) -> dict[str, int]:
    """The last ``seq`` given, by tenant."""
    return dict(ask(connection, "seqs"))


def consumers(connection: Connected, tenant: str | None, last: Any) -> list[Consumer]:
    """The consumers of a tenant, or of all; ``last`` tells the last ``seq`` of one."""
    return [
        Consumer(owner, bytes(name).decode(), seq, max(0, last(owner) - seq), since, seen)
        for owner, name, seq, since, seen in ask(connection, "consumers", tenant=tenant)
    ]


def uses(connection: Connected, tenant: str, phones: set[str]) -> dict[str, list[Use]]:
    """What counts of phones, for a tenant; those without anything are left out."""
    found: dict[str, list[Use]] = {}
    for phone, *row in ask(connection, "uses", tenant=tenant, numbers=texts(phones)):
        found.setdefault(phone, []).extend(marks.uses(*row))
    return found


def some_uses(connection: Connected) -> bool:
    """Whether anything counts at all."""
    return bool(ask(connection, "uses_some"))


def oldest(connection: Connected, now: float, taken: Mapping[Owner, float]) -> list[Oldest]:
    """The message that has stood longest, by tenant, category and place; ``taken``: since when
    chunks are there with messages that are sent."""
    waiting = ask(connection, "oldest_waiting", now=now)
    sent = ask(connection, "oldest_sent", limit=NEXT_DEADLINES)
    found = [Oldest(tenant, category, "waiting", since) for tenant, category, since in waiting]
    sent_since: dict[Owner, float] = {(tenant, category): at for tenant, category, at in sent}
    for owner, at in taken.items():
        sent_since[owner] = min(at, sent_since.get(owner, at))
    return found + [Oldest(*owner, "sent", at) for owner, at in sent_since.items()]


def recall(connection: Connected, name: str) -> bytes | None:
    """A named value."""
    rows = ask(connection, "recall", name=name)
    return bytes(rows[0][0]) if rows else None


def stats(
    connection: Connected, tenant: str, campaign: str | None, start: int, stop: int, limit: int
) -> Stats:
    """Counts of hours from ``start`` until before ``stop``; see `Store.stats`."""
    named = None if campaign is None else campaign.encode()
    asked: Mapping[str, Any] = {"tenant": tenant, "campaign": named}
    [[begun]] = ask(connection, "stat_start", start=start, stop=stop, **asked)
    if begun is None:
        return Stats([], None)
    until = min(stop, begun + SPAN)
    rows = _stats(connection, asked, begun, until, limit + 1)
    if len(rows) <= limit:
        return Stats(rows, _next(connection, asked, until, stop))
    cut = rows[limit].hour
    if rows[0].hour == cut:  # that has more
        rows = _stats(connection, asked, cut, cut + 1, None)
        return Stats(rows, _next(connection, asked, cut + 1, stop))
    return Stats([row for row in rows if row.hour < cut], cut)


def _next(connection: Connected, asked: Mapping[str, Any], start: int, stop: int) -> int | None:
    """The hour to go on with, if there is any."""
    [[hour]] = ask(connection, "stat_start", start=start, stop=stop, **asked)
    return None if hour is None else int(hour)


def _stats(
    connection: Connected, asked: Mapping[str, Any], start: int, stop: int, limit: int | None
) -> list[Stat]:
    rows = ask(connection, "stats", start=start, stop=stop, limit=limit, **asked)
    return [
        Stat(hour, bytes(name).decode() or None, bytes(of).decode() or None, carrier, code, count)
        for hour, name, of, carrier, code, count in rows
    ]
