"""What operators ask (`gateway.queue.operators`), on the connections."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue import events
from gateway.queue.chunks import Chunks
from gateway.queue.operators import (
    KEPT,
    Change,
    Counted,
    HourCount,
    Means,
    Owing,
    QueueCount,
    Which,
)
from gateway.queue.search import CHUNKS, ROWS
from gateway.queue.sqlite import backlog, reads
from gateway.queue.sqlite.backlog import Taken
from gateway.queue.sqlite.bulk import (
    Execute,
    decode_handed,
    decode_life,
    decode_message,
    first,
    messages,
    numbers,
)
from gateway.queue.sqlite.schema import TENANT_BITS
from gateway.queue.sqlite.session import Session
from gateway.queue.sqlite.writes import defer_columns, lane_name, lease_in, put_off
from gateway.queue.store import NEWEST, EventChunk, Owed, Record

SAMPLE: Final = 8
"""Messages of a lane whose parts stand for those of all."""

_IN: Final = """lane IN (SELECT id FROM lane WHERE tenant = coalesce(?1, tenant)
    AND campaign = coalesce(?2, campaign) AND category = coalesce(?3, category)
    AND route = coalesce(?4, route))"""


def waiting(execute: Execute, now: float, means: Means) -> list[QueueCount]:
    """What waits by lane: over the index of what is due, 40 ms for a million messages."""
    found = execute(
        f"""SELECT tenant, category, route, campaign, lane.id, sum(ready), sum(later),
        min(earliest), min(following) FROM {reads.WAITING_BY_LANE} AS waiting
        JOIN lane ON lane.id = waiting.lane GROUP BY lane.id""",  # noqa: S608
        (now,),
    )
    counts = []
    for tenant, category, route, campaign, lane, due, later, earliest, following in list(found):
        mean = means.of(lane, now, partial(_sample, execute, lane))
        counts.append(
            QueueCount(
                LaneKey(tenant, category, route, campaign or None),
                due,
                later,
                round(mean * (due + later)),
                earliest if due else None,
                following,
            )
        )
    return counts


def _sample(execute: Execute, lane: int) -> list[Message]:
    query = "SELECT body FROM message WHERE state = 0 AND lane = ? ORDER BY due LIMIT ?"
    found = messages(execute, query, (lane, SAMPLE))
    return found or backlog.sample(execute, lane, SAMPLE)


def _names(which: Which) -> tuple[str | None, ...]:
    return (which.tenant, which.campaign, which.category, which.route)


def waiting_where(execute: Execute, which: Which, last: int) -> int:
    """How many messages wait."""
    return reads.waiting_in(execute, _IN, _names(which), last)


def lease_where(session: Session, chunks: Chunks, which: Which, last: int, limit: int) -> Taken:
    """Lease messages that wait."""
    return lease_in(session, chunks, _IN, _names(which), last, limit)


_OWED: Final = """FROM (SELECT message, part FROM part WHERE carrier = ?1 AND ref > ?4
    ORDER BY ref LIMIT ?5) AS part JOIN message ON message.id = part.message
    WHERE part = 0 AND state = 2 AND message.at < ?2 AND expires > ?3"""


def owed_slice(
    execute: Execute, carrier: int, owed: Owing, after: str, limit: int
) -> tuple[list[Owed], str | None]:
    """The messages among some parts of a carrier for which receipts are owed, by their first part,
    and where to go on."""
    names = (carrier, owed.before, owed.alive, after, limit)
    found = []
    for body, states, at, handed in execute(
        f"SELECT body, states, message.at, handed {_OWED}", names
    ):
        message = decode_message(body)
        how = None if handed is None else decode_handed(handed)
        found.append(Owed(message, states or bytes(message.parts), at, how))
    return found, _last_of(execute, carrier, after, limit)


def owed_count_slice(
    execute: Execute, carrier: int, owed: Owing, after: str
) -> tuple[int, str | None]:
    """How many those are, and where to go on."""
    names = (carrier, owed.before, owed.alive, after, ROWS)
    count: int = first(execute, f"SELECT count(*) {_OWED}", names, 0)
    return count, _last_of(execute, carrier, after, ROWS)


def _last_of(execute: Execute, carrier: int, after: str, limit: int) -> str | None:
    """The last of some parts of a carrier; None where there are none."""
    query = """SELECT max(ref) FROM
        (SELECT ref FROM part WHERE carrier = ? AND ref > ? ORDER BY ref LIMIT ?)"""
    return first(execute, query, (carrier, after, limit), None)


def requeue(session: Session, carrier: int, ids: Sequence[int], now: float) -> list[Message]:
    """Have messages wait that were sent, and forget their parts."""
    found = [
        msgspec.structs.replace(one, due=now, maybe_duplicate=True)
        for one in messages(
            session.execute,
            "SELECT body FROM message WHERE id IN (SELECT value FROM carray(?)) AND state = 2",
            (numbers(ids),),
        )
    ]
    if not found:
        return []
    mine = [one.id for one in found]
    session.execute(
        "DELETE FROM part WHERE carrier = ? AND message IN (SELECT value FROM carray(?))",
        (carrier, numbers(mine)),
    )
    # By way of being leased, as what else goes back to waiting.
    session.execute(
        "UPDATE message SET state = 1, states = NULL WHERE id IN (SELECT value FROM carray(?))",
        (numbers(mine),),
    )
    flat: list[Any] = []
    for one in found:
        flat += defer_columns(one, session.lanes.number(lane_name(one.lane)), now)
    put_off(session, flat)
    return found


def find_any(execute: Execute, number: int, now: float) -> tuple[str, Record] | None:
    """What became of a message, whoever's it is."""
    for one in backlog.find(execute, [number]).values():
        found = reads.find(execute, one.message.tenant, [number], now)
        return one.message.tenant, found[number]
    for query in (
        "SELECT tenant FROM message JOIN lane ON lane.id = lane WHERE message.id = ?",
        "SELECT name FROM finished JOIN tenant ON tenant.id = tenant WHERE finished.id = ?",
    ):
        tenant: str | None = first(execute, query, (number,), None)
        if tenant is not None:
            record = reads.find(execute, tenant, [number], now).get(number)
            return None if record is None else (tenant, record)
    return None


def live_slice(
    execute: Execute, phones: Sequence[str], below: int, now: float
) -> tuple[list[tuple[str, Record]], int | None]:
    """Messages to these phones among the next that are numbered ``below``, and where to go on:
    under 0, among the chunks of those that wait."""
    found: list[tuple[str, Record]] = []
    if below > 0:
        found, following = _live_alone(execute, phones, below, now)
        if following is not None:
            return found, following
        below = -NEWEST
    chunks, lowest = backlog.with_phones(execute, phones, -below, CHUNKS)
    return found + [
        _record(one.message, one.state, one.due, one.at, now) for one in chunks
    ], None if lowest is None else -lowest


def _live_alone(
    execute: Execute, phones: Sequence[str], below: int, now: float
) -> tuple[list[tuple[str, Record]], int | None]:
    ids = list(
        execute("SELECT id FROM message WHERE id < ? ORDER BY id DESC LIMIT ?", (below, ROWS))
    )
    if not ids:
        return [], None
    [lowest] = ids[-1]
    like = " OR ".join(["instr(body, CAST(? AS BLOB))"] * len(phones))
    rows = execute(
        f"""SELECT state, due, at, body FROM message WHERE id < ? AND id >= ? AND ({like})
        ORDER BY id DESC""",  # noqa: S608
        (below, lowest, *phones),
    )
    found = []
    for place, due, at, body in rows:
        message = decode_message(body)
        if message.to in phones:
            found.append(_record(message, place, due, at, now))
    return found, lowest if len(ids) == ROWS else None


def _record(message: Message, place: int, due: float, at: float, now: float) -> tuple[str, Record]:
    state = reads.waiting_state(place, due > now)
    return message.tenant, Record(message.id, at, message=message, state=state)


def tenants(execute: Execute) -> list[tuple[int, str]]:
    """All tenants there ever were."""
    return [(number, name) for number, name in execute("SELECT id, name FROM tenant ORDER BY id")]


def ended_slice(
    execute: Execute, tenant: int, name: str, phones: Sequence[str], below: int
) -> tuple[list[tuple[str, Record]], int | None]:
    """Outcomes of messages to these phones among the next chunks of a tenant's events before a
    ``seq``, and where to go on."""
    base = tenant << TENANT_BITS
    like = " OR ".join(["instr(body, CAST(? AS BLOB))"] * len(phones))
    rows = list(
        execute(
            f"""SELECT id, size, CASE WHEN {like} THEN body END FROM event
            WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?""",  # noqa: S608
            (*phones, base, base + min(below, 1 << TENANT_BITS), CHUNKS),
        )
    )
    found: list[tuple[str, Record]] = []
    for row, size, body in rows:
        if body is None:
            continue
        for encoded in reversed(events.split(EventChunk(name, row - base, size, body))):
            event = events.decode(encoded)
            number = int(event.message_id, 16) if event.message_id else 0
            if number and event.to in phones:
                found.append((name, Record(number, event.at, event=event)))
    return _with_lives(execute, found), rows[-1][0] - base if len(rows) == CHUNKS else None


def _with_lives(execute: Execute, found: Sequence[tuple[str, Record]]) -> list[tuple[str, Record]]:
    """Records of outcomes with what is kept beside them."""
    if not found:
        return []
    query = "SELECT id, life FROM finished WHERE id IN (SELECT value FROM carray(?))"
    stored: dict[int, bytes | None] = dict(
        execute(query, (numbers(one.number for _, one in found),))
    )
    lives = {number: decode_life(life) for number, life in stored.items() if life is not None}
    return [(name, msgspec.structs.replace(one, life=lives.get(one.number))) for name, one in found]


def campaigns(execute: Execute, tenant: str | None, since: int, limit: int) -> list[Counted]:
    """What was counted of the latest campaigns, since an hour."""
    names = execute(
        """SELECT tenant.id, name, campaign, max(min(first), ?2), max(last) FROM stat_name
        JOIN tenant ON tenant.id = stat_name.tenant WHERE campaign <> '' AND last >= ?2
        AND name = coalesce(?1, name) GROUP BY tenant.id, campaign ORDER BY max(last) DESC,
        max(stat_name.id) DESC LIMIT ?3""",
        (tenant, since, limit),
    )
    found: list[Counted] = []
    for number, owner, campaign, start, stop in list(names):
        rows: Any = execute(
            """WITH RECURSIVE hours (at) AS
            (SELECT ?2 UNION ALL SELECT at + 1 FROM hours WHERE at < ?3)
            SELECT code, sum(count) FROM hours CROSS JOIN stat_name CROSS JOIN stat
            WHERE stat_name.tenant = ?1 AND campaign = ?4
            AND stat.tenant = ?1 AND hour = at AND stat.name = stat_name.id GROUP BY code""",
            (number, start, stop, campaign),
        )
        found += [Counted(owner, campaign, code, count, start, stop) for code, count in rows]
    return found


def counted_in(execute: Execute, hour: int) -> list[HourCount]:
    """What was counted in an hour: a look into the table for each tenant."""
    rows = execute(
        """SELECT coalesce(carrier.name, ''), code, sum(count) FROM tenant CROSS JOIN stat
        ON stat.tenant = tenant.id AND hour = ?
        LEFT JOIN carrier ON carrier.id = stat.carrier GROUP BY stat.carrier, code""",
        (hour,),
    )
    return [HourCount(*row) for row in rows]


def note_change(session: Session, number: int | None, at: float, body: bytes) -> int:
    """Keep a record, and forget those that are old."""
    execute = session.execute
    execute("DELETE FROM audit WHERE at < ?", (at - KEPT,))
    [[kept]] = execute(
        "INSERT OR REPLACE INTO audit (id, at, body) VALUES (?, ?, ?) RETURNING id",
        (number, at, body),
    )
    return int(kept)


def changes(execute: Execute, before: int, limit: int) -> list[Change]:
    """The newest records before one."""
    query = "SELECT id, at, body FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"
    return [Change(*row) for row in execute(query, (before, limit))]
