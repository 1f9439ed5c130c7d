"""What operators ask (`gateway.queue.operators`), on the connections."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue import events
from gateway.queue.operators import KEPT, Change, Counted, HourCount, Means, Owing, QueueCount
from gateway.queue.postgresql import arrived, backlog, reading, statements, taken
from gateway.queue.postgresql.arrays import decode_life, decode_message, int8s, messages, octets
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.reading import ask
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.search import CHUNKS, ROWS
from gateway.queue.store import NEWEST, EventChunk, Owed, Record

WRITES: Final = statements.load("settling")

SAMPLE: Final = 8
"""Messages of a lane whose parts stand for those of all."""


def waiting(connection: Connected, now: float, means: Means) -> list[QueueCount]:
    """What waits by lane. What is in chunks has one part each."""
    counts = []
    for tenant, category, route, campaign, lane, due, later, alone, earliest, following in ask(
        connection, "waiting", now=now
    ):
        mean = means.of(lane, now, partial(_sample, connection, lane)) if alone else 1.0
        counts.append(
            QueueCount(
                LaneKey(tenant, category, route, bytes(campaign).decode() or None),
                due,
                later,
                due + later - alone + round(mean * alone),
                earliest if due else None,
                following,
            )
        )
    return counts


def _sample(connection: Connected, lane: int) -> list[Message]:
    return messages(ask(connection, "sample", lane=lane, limit=SAMPLE))


def owed_count(connection: Connected, owed: Owing) -> int:
    """How many messages a carrier owes receipts for."""
    [[count]] = ask(connection, "owed_count", **owed._asdict())
    return int(count)


def owed_about(connection: Connected, carrier: str, most: int) -> int:
    """How many those are, up to so many."""
    [[count]] = ask(connection, "owed_about", carrier=carrier, most=most)
    return int(count)


def owed_slice(
    connection: Connected, owed: Owing, after: str, limit: int
) -> tuple[list[Owed], str | None]:
    """Those among some parts of a carrier, and where to go on."""
    asked = owed._asdict() | {"after": after.encode(), "limit": limit}
    found = [reading.owed(*row) for row in ask(connection, "owed", **asked)]
    [[last]] = ask(connection, "owed_last", **asked)
    return found, None if last is None else bytes(last).decode()


def find_any(connection: Connected, number: int, now: float) -> tuple[str, Record] | None:
    """What became of a message, whoever's it is."""
    in_chunks = backlog.find(connection, [number])
    owners = [tenant for [tenant] in ask(connection, "owner", id=number)]
    for tenant in owners or [one.message.tenant for one in in_chunks.values()]:
        record = reading.find(connection, tenant, [number], now).get(number)
        return None if record is None else (tenant, record)
    return None


def _octets_of(phones: Sequence[str]) -> Any:
    return octets([phone.encode() for phone in phones])


def live_slice(
    connection: Connected, phones: Sequence[str], below: int, now: float
) -> tuple[list[tuple[str, Record]], int | None]:
    """Messages to these phones among the next that are numbered ``below``, and where to go on:
    first, and under 0, among the chunks of those that wait, then those that nodes have, then the
    rows. So does a message go."""
    found: list[tuple[str, Record]] = []
    if below < 0 or below == NEWEST:
        first = -below if below < 0 else NEWEST
        chunks, lowest = backlog.with_phones(connection, phones, first, CHUNKS)
        for place, due, at, m in chunks:
            state = reading.waiting_state(place, due > now)
            found.append((m.tenant, Record(m.id, at, message=m, state=state)))
        if lowest is not None:
            return found, -lowest
        below = NEWEST
        found += _elsewhere(connection, phones)
    rows = ask(connection, "live_slice", phones=_octets_of(phones), below=below, limit=ROWS)
    for number, place, due, at, body in rows:
        if body is not None and (message := decode_message(body)).to in phones:
            state = reading.waiting_state(place, due > now)
            found.append((message.tenant, Record(number, at, message=message, state=state)))
    return found, rows[-1][0] if len(rows) == ROWS else None


def _elsewhere(connection: Connected, phones: Sequence[str]) -> list[tuple[str, Record]]:
    messages = arrived.telling(connection, phones)
    if not messages:
        return []
    sent = taken.among(connection, messages)
    gone = arrived.left(connection, messages)
    return [
        (m.tenant, reading.in_chunk(m, m.accepted_at, "queued", sent.get(number)))
        for number, m in messages.items()
        if number not in gone
    ]


def tenants(connection: Connected) -> list[tuple[int, str]]:
    """All tenants there ever were."""
    return [(number, name) for number, name in ask(connection, "tenants")]


def ended_slice(
    connection: Connected, tenant: int, name: str, phones: Sequence[str], below: int
) -> tuple[list[tuple[str, Record]], int | None]:
    """Outcomes of messages to these phones among the next chunks of a tenant's events before a
    ``seq``, and where to go on."""
    asked = {"phones": _octets_of(phones), "tenant": tenant, "below": below, "limit": CHUNKS}
    rows = ask(connection, "ended_slice", **asked)
    found: list[tuple[str, Record]] = []
    for first, size, body in rows:
        if body is None:
            continue
        for encoded in reversed(events.split(EventChunk(name, first, size, bytes(body)))):
            event = events.decode(encoded)
            number = int(event.message_id, 16) if event.message_id else 0
            if number and event.to in phones:
                found.append((name, Record(number, event.at, event=event)))
    return _with_lives(connection, found), rows[-1][0] if len(rows) == CHUNKS else None


def _with_lives(
    connection: Connected, found: Sequence[tuple[str, Record]]
) -> list[tuple[str, Record]]:
    """Records of outcomes with what is kept beside them."""
    if not found:
        return []
    stored: dict[int, bytes | None] = dict(
        ask(connection, "lives", ids=int8s([one.number for _, one in found]))
    )
    lives = {number: decode_life(life) for number, life in stored.items() if life is not None}
    return [(name, msgspec.structs.replace(one, life=lives.get(one.number))) for name, one in found]


def campaigns(connection: Connected, tenant: str | None, since: int, limit: int) -> list[Counted]:
    """What was counted of the latest campaigns, since an hour."""
    rows = ask(connection, "campaigns", tenant=tenant, since=since, limit=limit)
    return [
        Counted(owner, bytes(campaign).decode(), code, count, first, last)
        for owner, campaign, code, count, first, last in rows
    ]


def counted_in(connection: Connected, hour: int) -> list[HourCount]:
    """What was counted in an hour."""
    return [HourCount(*row) for row in ask(connection, "counted_in", hour=hour)]


def note_change(number: int | None, at: float, body: bytes) -> Work[int]:
    """Keeps a record, and forgets those that are old."""

    def work(session: Session) -> Callable[[], int]:
        session.execute(WRITES["forget_changes"], {"before": at - KEPT})
        values = {"number": number, "at": at, "body": body}
        [row] = session.execute(WRITES["note_change"], values).fetchall()
        kept = int(row[0])
        return lambda: kept

    return work


def changes(connection: Connected, before: int, limit: int) -> list[Change]:
    """The newest records before one."""
    rows = ask(connection, "changes", before=before, limit=limit)
    return [Change(number, at, bytes(body)) for number, at, body in rows]
