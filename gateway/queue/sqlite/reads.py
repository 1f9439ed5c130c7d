"""What the reading calls ask, on the connection that does not wait for commits."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.message import Handed, Message, WaitingState
from gateway.queue import events
from gateway.queue.chunks import Owner
from gateway.queue.sqlite import backlog
from gateway.queue.sqlite.bulk import (
    Execute,
    decode_block,
    decode_handed,
    decode_life,
    decode_message,
    first,
    numbers,
    texts,
)
from gateway.queue.sqlite.schema import SENT, TENANT_BITS, WAITING
from gateway.queue.store import (
    EventChunk,
    Leased,
    Match,
    Oldest,
    OptoutEntry,
    Owed,
    Record,
    Ref,
)

_decode_ids = msgspec.json.Decoder(list[int]).decode
_decode_parts = msgspec.json.Decoder(list[tuple[str, int, str, float, str]]).decode
_decode_owed = msgspec.json.Decoder(list[tuple[str, float, str]]).decode
_decode_sources = msgspec.json.Decoder(list[tuple[str, str, float]]).decode
_decode_sizes = msgspec.json.Decoder(list[tuple[int, int, int]]).decode


IN_CAMPAIGN: Final = "lane IN (SELECT id FROM lane WHERE tenant = ?1 AND campaign = ?2)"
"""What holds for the messages of a campaign."""


WAITING_BY_LANE: Final = """(SELECT lane, sum(due <= ?1) AS ready, sum(due > ?1) AS later,
    min(due) AS earliest, min(CASE WHEN due > ?1 THEN due END) AS following
    FROM message WHERE state = 0 GROUP BY lane
    UNION ALL SELECT lane, sum((due <= ?1) * size), sum((due > ?1) * size), min(due),
    min(CASE WHEN due > ?1 THEN due END) FROM backlog WHERE state = 0 GROUP BY lane)"""
"""What waits at a moment, the first parameter: of each lane the rows, and the chunks."""


def waiting_in(execute: Execute, lanes: str, names: Sequence[Any], last: int) -> int:
    """How many messages wait in ``lanes``, a condition with the parameters ``names``, up to the
    number ``last``."""
    query = f"SELECT count(*) FROM message WHERE state = 0 AND {lanes} AND id <= ?{len(names) + 1}"  # noqa: S608
    alone: int = first(execute, query, (*names, last), 0)
    return alone + backlog.count(execute, lanes, names, last)


def campaign_ids(execute: Execute, tenant: str, campaign: str) -> list[int]:
    """The messages of a campaign that wait."""
    query = f"SELECT json_group_array(id) FROM message WHERE state = 0 AND {IN_CAMPAIGN}"  # noqa: S608
    return _decode_ids(first(execute, query, (tenant, campaign), "[]"))


def leased(execute: Execute, after: int, limit: int) -> Leased:
    """How many messages are leased, and some of them."""
    messages = first(execute, "SELECT count(*) FROM message WHERE state = 1", (), 0)
    found = first(
        execute,
        """SELECT json_group_array(id) FROM
        (SELECT id FROM message WHERE state = 1 AND id > ? ORDER BY id LIMIT ?)""",
        (after, limit),
        "[]",
    )
    return Leased(messages, _decode_ids(found))


def used_lanes(execute: Execute) -> set[int]:
    """The numbers of the lanes that messages are in."""
    query = """SELECT DISTINCT lane FROM message UNION SELECT lane FROM arrived
        UNION SELECT lane FROM backlog WHERE state = 0 UNION
        SELECT lane FROM backlog WHERE state = 1"""
    return {number for [number] in execute(query)}


def optout_sources(
    execute: Execute, scope: int, asked: Iterable[str]
) -> list[tuple[str, str, float]]:
    """Which of ``asked`` are opted out in a scope, with each of their sources, and since when."""
    [[found]] = execute(
        """SELECT json_group_array(json_array(number, source, at)) FROM optout WHERE scope = ?
        AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (scope, texts(asked)),
    )
    return _decode_sources(found)


def optout_entries(
    execute: Execute, scopes: Mapping[int, str], asked: Iterable[str]
) -> dict[str, list[OptoutEntry]]:
    """The opt-outs of ``asked`` in the scopes, given by number with their names."""
    found: dict[str, list[OptoutEntry]] = {}
    for scope, name in scopes.items():
        rows = execute(
            """SELECT number, source, at, message, text FROM optout WHERE scope = ?
            AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (scope, texts(asked)),
        )
        for number, *rest in rows:
            found.setdefault(number, []).append(OptoutEntry(name, number, *rest))
    return found


def optout_list(
    execute: Execute, tenant: str, scope: int, after: str, limit: int
) -> list[OptoutEntry]:
    """The opt-outs of the next numbers of a tenant."""
    rows = execute(
        """SELECT number, source, at, message, text FROM optout WHERE scope = ?1 AND number IN
        (SELECT DISTINCT number FROM optout WHERE scope = ?1 AND number > ?2
        ORDER BY number LIMIT ?3) ORDER BY number""",
        (scope, after, limit),
    )
    return [OptoutEntry(tenant, *row) for row in rows]


def match(execute: Execute, asked: Iterable[tuple[int, str, Sequence[str]]]) -> dict[Ref, Match]:
    """The known parts among references, these by the number and name of their carrier."""
    found = {}
    for carrier, name, refs in asked:
        [(count, parts, bodies)] = execute(
            """SELECT count(*), json_group_array(json_array(ref, part, hex(states), message.at,
            hex(handed))),
            CAST(group_concat(body, '') AS BLOB)
            FROM part JOIN message ON message.id = part.message
            WHERE carrier = ? AND ref IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (carrier, texts(refs)),
        )
        for (ref, part, states, at, handed), message in zip(
            _decode_parts(parts), decode_block(count, bodies), strict=True
        ):
            found[Ref(name, ref)] = Match(
                message, part, _progress(message, states), at, _handed(handed)
            )
    return found


def overdue(execute: Execute, now: float, limit: int) -> list[Owed]:
    """Sent messages past their deadline."""
    [(count, known, bodies)] = execute(
        """SELECT count(*), json_group_array(json_array(hex(states), at, hex(handed))),
        CAST(group_concat(body, '') AS BLOB)
        FROM (SELECT states, at, handed, body FROM message WHERE state = 2 AND due <= ?
        ORDER BY due LIMIT ?)""",
        (now, limit),
    )
    return [
        Owed(message, _progress(message, states), at, _handed(handed))
        for message, (states, at, handed) in zip(
            decode_block(count, bodies), _decode_owed(known), strict=True
        )
    ]


def _progress(message: Message, states: str) -> bytes:
    """The states of a message's parts from their stored form, hex, empty until one is final."""
    return bytes.fromhex(states) or bytes(message.parts)


def _handed(stored: str) -> Handed | None:
    """How a carrier got a message, from its stored form, hex, empty where that is not known."""
    return decode_handed(bytes.fromhex(stored)) if stored else None


def find(execute: Execute, tenant: str, asked: Iterable[int], now: float) -> dict[int, Record]:
    """What became of a tenant's messages; unknown ones are left out."""
    asked = set(asked)
    records = _live(execute, tenant, asked, now) if asked else {}
    if missing := asked - records.keys():
        records |= _finished(execute, tenant, missing)
    if missing := asked - records.keys():
        records |= _in_chunks(execute, tenant, missing, now)
    return records


def _in_chunks(
    execute: Execute, tenant: str, asked: Collection[int], now: float
) -> dict[int, Record]:
    return {
        number: Record(
            number, one.at, message=one.message, state=waiting_state(one.state, one.due > now)
        )
        for number, one in backlog.find(execute, asked).items()
        if one.message.tenant == tenant
    }


def _live(execute: Execute, tenant: str, asked: Iterable[int], now: float) -> dict[int, Record]:
    found = execute(
        """SELECT state, due, at, body, handed FROM message
        WHERE id IN (SELECT value FROM carray(?))
        AND lane IN (SELECT id FROM lane WHERE tenant = ?)""",
        (numbers(asked), tenant),
    )
    records = {}
    for place, due, at, body, handed in found:
        message = decode_message(body)
        records[message.id] = Record(
            message.id,
            at,
            message=message,
            state=waiting_state(place, due > now),
            handed=decode_handed(handed) if handed is not None and place == SENT else None,
        )
    return records


def waiting_state(place: int, later: bool) -> WaitingState:
    """The word for where a message is; ``later`` says that it is due later."""
    if place == SENT:
        return "sent"
    return "deferred" if place == WAITING and later else "queued"


def _finished(execute: Execute, tenant: str, asked: Iterable[int]) -> dict[int, Record]:
    found = execute(
        """SELECT finished.seq, finished.id, tenant.id, life
        FROM finished JOIN tenant ON tenant.id = finished.tenant
        WHERE name = ? AND finished.id IN (SELECT value FROM carray(?))""",
        (tenant, numbers(asked)),
    )
    records = {}
    chunk, encoded = EventChunk(tenant, 0, 0, b""), list[msgspec.Raw]()
    for seq, message, number, life in sorted(found, key=lambda row: row[0]):
        if seq > chunk.last:
            stored = history(execute, tenant, number, seq - 1, 1)
            if not stored or stored[0].first > seq:
                continue  # forgotten
            chunk, encoded = stored[0], events.split(stored[0])
        event = events.decode(encoded[seq - chunk.first])
        records[message] = Record(
            message, event.at, event=event, life=None if life is None else decode_life(life)
        )
    return records


def history(execute: Execute, tenant: str, number: int, after: int, limit: int) -> list[EventChunk]:
    """The stored chunks that hold events after a ``seq``, about ``limit`` of them."""
    base = number << TENANT_BITS
    start = first(
        execute,
        "SELECT id FROM event WHERE id > ? AND id <= ? ORDER BY id DESC LIMIT 1",
        (base, base + after + 1),
        base + 1,
    )
    return chunks(execute, tenant, number, start, base + after + 1 + limit)


def chunks(
    execute: Execute, tenant: str, number: int, start: int, stop: int, before: float = math.inf
) -> list[EventChunk]:
    """The stored chunks of a tenant with ``start`` <= ``event.id`` < ``stop``, in their order,
    whose events are all from ``before`` a moment."""
    [(sizes, bodies)] = execute(
        """SELECT json_group_array(json_array(id, size, length(body))),
        CAST(group_concat(body, '') AS BLOB) FROM (SELECT id, size, body FROM event
        WHERE id >= ? AND id < ? AND at < ? ORDER BY id)""",
        (start, stop, before),
    )
    found = []
    at = 0
    for row, size, length in _decode_sizes(sizes):
        chunk_first = row - (number << TENANT_BITS)
        found.append(EventChunk(tenant, chunk_first, size, bodies[at : at + length]))
        at += length
    return found


def last_seqs(execute: Execute) -> dict[str, int]:
    """The last ``seq`` given, by tenant."""
    return {str(name): int(seq) for name, seq in execute("SELECT name, seq FROM tenant")}


def bounds(execute: Execute, number: int) -> tuple[int, int]:
    """The first ``seq`` of a tenant that is still kept, and the last one given."""
    base = number << TENANT_BITS
    last = first(execute, "SELECT seq FROM tenant WHERE id = ?", (number,), 0)
    row = first(
        execute,
        "SELECT id FROM event WHERE id > ? AND id <= ? ORDER BY id LIMIT 1",
        (base, base + last),
        base + last + 1,
    )
    return row - base, last


ConsumerRow = tuple[str, str, int, float, float]
"""The tenant and name of a consumer, its cursor, and since when and until when it was seen."""


def consumers(execute: Execute, tenant: str | None) -> list[ConsumerRow]:
    """The consumers of a tenant, or of all."""
    query = """SELECT name, consumer, cursor.seq, since, seen FROM cursor
        JOIN tenant ON tenant.id = cursor.tenant WHERE name = coalesce(?, name)
        ORDER BY name, consumer"""
    return [(name, *row) for name, *row in execute(query, (tenant,))]


def silent_consumers(execute: Execute, before: float) -> int:
    """How many consumers were not seen since a moment."""
    return first(execute, "SELECT count(*) FROM cursor WHERE seen < ?", (before,), 0)


NEXT_DEADLINES: Final = 10_000
"""Sent messages among which the oldest is looked for: an index has them by their deadline, which is
in the order of their age but for messages that are given more time. A millisecond or two."""


def oldest(execute: Execute, now: float, taken: Mapping[Owner, float]) -> list[Oldest]:
    """The message that has stood longest, by tenant, category and place; ``taken``: since when
    chunks are there with messages that are sent."""
    waiting = execute(
        """SELECT tenant, category, min(due) FROM (
        SELECT tenant, category, (SELECT min(due) FROM message
        WHERE message.lane = lane.id AND state = 0) AS due FROM lane UNION ALL
        SELECT tenant, category, (SELECT min(due) FROM backlog
        WHERE backlog.lane = lane.id AND state = 0) AS due FROM lane)
        WHERE due <= ? GROUP BY tenant, category""",
        (now,),
    )
    found = [Oldest(tenant, category, "waiting", due) for tenant, category, due in waiting]
    sent = execute(
        """SELECT tenant, category, min(at) FROM message JOIN lane ON lane.id = message.lane
        WHERE message.id IN (SELECT min(id) FROM (SELECT lane, id FROM message WHERE state = 2
        ORDER BY due LIMIT ?) GROUP BY lane) GROUP BY tenant, category""",
        (NEXT_DEADLINES,),
    )
    since = {(tenant, category): at for tenant, category, at in sent}
    for owner, at in taken.items():
        since[owner] = min(at, since.get(owner, at))
    return found + [Oldest(*owner, "sent", at) for owner, at in since.items()]


def data_version(execute: Execute) -> int:
    """A number that changes with every commit."""
    return first(execute, "PRAGMA data_version", (), 0)


def recall(execute: Execute, name: str) -> bytes | None:
    """A named value."""
    return first(execute, "SELECT value FROM memo WHERE name = ?", (name,), None)
