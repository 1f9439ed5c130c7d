"""What the writing calls do inside a transaction, and how their rows are made beforehand.

A ``…Rows`` type is made in the event loop, where a mistake in a message shows before anything is
written; the function beside it runs in the writer's thread, where little is left to do but SQL.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Message
from gateway.numbers import canonical
from gateway.queue.accounts import Charged, charged
from gateway.queue.chunks import Chunks, Leaving
from gateway.queue.sqlite import accounts, arrived, backlog, keys, reads, reserved
from gateway.queue.sqlite.arrived import Arrived, ArrivedRow
from gateway.queue.sqlite.backlog import Due, Taken, Waiting
from gateway.queue.sqlite.bulk import (
    Execute,
    Rows,
    encode_message,
    first,
    messages,
    numbers,
    texts,
)
from gateway.queue.sqlite.keys import KeyIndex, KeyRow, KeyRows
from gateway.queue.sqlite.schema import GLOBAL_SCOPE, WAITING
from gateway.queue.sqlite.session import LaneName, Session
from gateway.queue.sqlite.stats import Place
from gateway.queue.store import GLOBAL, LIFTS, Entry, Known, OptoutChange
from gateway.queue.tallies import Key, accepted, add

# An insertion that may fail half-way keeps the old pages of what it changes, unless its failure
# undoes the whole transaction, which is what happens here in any case: hence OR ROLLBACK.
_COLUMNS: Final = 5
_ACCEPT: Final = Rows.inserted(
    "OR ROLLBACK INTO message (state, at, id, lane, due, expires, body)", _COLUMNS, shared=2
)
_DEFER: Final = Rows(
    "WITH new (id, lane, due, at, body) AS (",
    5,
    """) UPDATE OR ROLLBACK message SET state = 0, lane = new.lane, due = new.due, at = new.at,
    body = new.body FROM new WHERE message.id = new.id AND state = 1""",
)
_EXTEND: Final = Rows(
    "WITH new (id, expires, body) AS (",
    3,
    """) UPDATE OR ROLLBACK message SET expires = new.expires, body = new.body
    FROM new WHERE message.id = new.id""",
)
_decode_due = msgspec.json.Decoder(list[tuple[float, int]]).decode
_in_order = attrgetter("due", "id")

EXTENDED: Final = 2_000
"""Messages whose expiry is put off at a time: some 20 ms."""

_SEEN: Final = Rows(
    "WITH new (tenant, consumer, at) AS (",
    3,
    """) UPDATE OR ROLLBACK cursor SET seen = new.at FROM new
    WHERE cursor.tenant = new.tenant AND cursor.consumer = new.consumer""",
)
_OPTOUT: Final = Rows.inserted("OR ROLLBACK INTO optout", 6)


class AcceptRows(NamedTuple):
    """Entries as rows: ``ids`` of all; the ``messages`` that wait by their ``at``, with `_COLUMNS`
    columns each, one after the other, where they are few, else in ``waiting``; those that do not
    in ``chunks``; ``counts`` are of them all, in that ``hour``."""

    entries: Sequence[Entry]
    hour: int
    counts: dict[Place, int]
    ids: list[int]
    messages: list[tuple[float, list[Any]]]
    chunks: list[ArrivedRow]
    waiting: list[Waiting]
    keys: KeyRows | None
    charged: Charged | None


class _Lane(msgspec.Struct):
    """The number of a lane, how many messages a call brings for it, and those that are leased."""

    number: int
    leased: list[Message]
    messages: int = 0


def accept_rows(
    session: Session,
    index: KeyIndex,
    chunks: Chunks,
    entries: Sequence[Entry],
    limits: Mapping[str, int] | None,
    hour: int,
) -> AcceptRows:
    """The rows of entries, at least one, that come in an hour."""
    together: dict[tuple[int, float, float], list[Message]] = {}
    leased: dict[int, list[Message]] = {}
    prefixes: dict[str, str] = {}
    lanes: dict[tuple[str, str, str, str | None, str | None], _Lane] = {}
    ids: list[int] = []
    keyed: list[int] = []
    names: list[str] = []
    for at, entry in enumerate(entries):
        m = entry.message
        # With the variant: to count here costs a quarter of what `tallies.accepted` would.
        name = (m.tenant, m.category, m.route, m.campaign, m.variant)
        lane = lanes.get(name)
        if lane is None:
            number = session.lanes.number(lane_name(name[:4]))
            lane = lanes[name] = _Lane(number, leased.setdefault(number, []))
            prefixes[m.tenant] = keys.name(session.tenants.number(m.tenant), "")
        lane.messages += 1
        if entry.leased:
            lane.leased.append(m)
        else:
            place = (lane.number, m.due, m.accepted_at)
            if place in together:
                together[place].append(m)
            else:
                together[place] = [m]
        ids.append(m.id)
        key = m.key
        if key is not None:
            keyed.append(at)
            names.append(prefixes[m.tenant] + key)
    counts: dict[Key, int] = {}
    for (tenant, _, _, campaign, variant), lane in lanes.items():
        add(counts, {(tenant, campaign, variant, "", "accepted"): lane.messages})
    places = session.places(counts, hour)
    key_rows = _key_rows(index, entries, keyed, names) if keyed else None
    charges = charged(entries, limits)
    rows_of: dict[float, list[Any]] = {}
    waiting: list[Waiting] = []
    for (number, due, came), those in together.items():
        if len(those) >= backlog.SMALLEST:
            waiting += backlog.gather(chunks, number, due, came, those)
        else:
            alone = rows_of.setdefault(came, [])
            for m in those:
                alone += (m.id, number, due, m.expires_at, encode_message(m))
    return AcceptRows(
        entries,
        hour,
        places,
        ids,
        [*rows_of.items()],
        arrived.rows(chunks, leased),
        waiting,
        key_rows,
        charges,
    )


def lane_name(key: tuple[str, str, str, str | None]) -> LaneName:
    """A `LaneKey` as the tables have it."""
    tenant, category, route, campaign = key
    return tenant, category, route, campaign or ""


def _key_rows(
    index: KeyIndex, entries: Sequence[Entry], keyed: Sequence[int], names: Sequence[str]
) -> KeyRows:
    """The rows of the keys of ``keyed`` entries, which have these ``names``."""
    came = max([entries[at].message.accepted_at for at in keyed])
    perhaps = index.note(names, came)
    rows = KeyRows([], [], index.newest(), index.slices(), came)
    fresh = rows.fresh
    for at, name in zip(keyed, names, strict=True):
        row = keys.row(name, entries[at])
        if name in perhaps:
            rows.perhaps.append((at, KeyRow(*row)))
        else:
            fresh += row
    return rows


def accept(
    session: Session, rows: AcceptRows, counting: reserved.Accepting | None
) -> dict[int, Known] | None:
    """Store messages, but for duplicates by their key, and that they count; None where more counts
    of their phones than was seen, or an account would exceed its limit, and nothing was stored."""
    if counting and reserved.overtaken(session.execute, counting):
        return None
    if rows.charged and accounts.overdrawn(session.execute, rows.charged):
        return None
    duplicates = keys.insert(session.execute, rows.keys) if rows.keys else {}
    passed_over = {rows.ids[at] for at in duplicates}
    session.stats.add(rows.counts)
    if duplicates:
        twice = accepted([rows.entries[at].message for at in duplicates])
        session.stats.add(session.places(twice, rows.hour), -1)
    for at, flat in rows.messages:
        stored = _without(passed_over, flat) if passed_over else flat
        _ACCEPT.run(session.execute, stored, (WAITING, at))
    arrived.insert(session.execute, rows.chunks, passed_over)
    backlog.insert(session.execute, rows.waiting, passed_over)
    if counting:
        reserved.insert(session.execute, counting, passed_over)
    if rows.charged:
        accounts.add(session.execute, rows.charged.without(duplicates))
    session.execute(
        "UPDATE node SET last_id = max(last_id, ?), last_accepted = max(last_accepted, ?)",
        (max(rows.ids), rows.entries[0].message.accepted_at),
    )
    return duplicates


def _without(ids: set[int], flat: list[Any]) -> list[Any]:
    """Rows of `_COLUMNS` but for those of these messages."""
    starts = range(0, len(flat), _COLUMNS)
    kept = [flat[at : at + _COLUMNS] for at in starts if flat[at] not in ids]
    return [*chain.from_iterable(kept)]


def lease(
    session: Session, chunks: Chunks, lane: int, now: float, limit: int
) -> tuple[Taken, float | None]:
    """Lease what is due in a lane; says when the next one is."""
    execute = session.execute
    due = backlog.due(execute, lane, now)
    taken = _lease_of_both(session, chunks, lane, due, now, limit) if due else Taken([], [])
    if not due:
        found = messages(
            execute,
            """SELECT body FROM message WHERE state = 0 AND lane = ? AND due <= ?
            ORDER BY due, id LIMIT ?""",
            (lane, now, limit),
        )
        taken.messages.extend(mark_leased(session, found))
    query = "SELECT min(due) FROM message WHERE state = 0 AND lane = ?"
    following = [first(execute, query, (lane,), None), backlog.next_due(execute, lane)]
    return taken, min([at for at in following if at is not None], default=None)


def _lease_of_both(
    session: Session, chunks: Chunks, lane: int, due: Sequence[Due], now: float, limit: int
) -> Taken:
    """Lease what is due of chunks and of rows, the longest due first."""
    last = due[-1].due if len(due) == backlog.AT_ONCE else now
    rows = first(
        session.execute,
        """SELECT json_group_array(json_array(due, id)) FROM (SELECT due, id FROM message
        WHERE state = 0 AND lane = ? AND due <= ? ORDER BY due, id LIMIT ?)""",
        (lane, last, limit),
        "[]",
    )
    alone, together, room = list[int](), list[int](), limit
    for one in sorted([*due, *(Due(at, number, 0, 1) for at, number in _decode_due(rows))]):
        if room <= 0:
            break
        room -= one.size
        if one.number:
            together.append(one.number)
        else:
            alone.append(one.first)
    found = _by_number(session.execute, alone) if alone else []
    taken = backlog.take_first(session, chunks, together, limit - len(found))
    taken.messages.extend(mark_leased(session, found))
    taken.messages.sort(key=_in_order)
    return taken


def _by_number(execute: Execute, ids: Sequence[int]) -> list[Message]:
    query = "SELECT body FROM message WHERE id IN (SELECT value FROM carray(?)) AND state = 0"
    return messages(execute, query, (numbers(ids),))


def lease_ids(session: Session, chunks: Chunks, tenant: str, ids: Sequence[int]) -> Taken:
    """Lease those of a tenant's messages that wait."""
    found = messages(
        session.execute,
        """SELECT body FROM message WHERE id IN (SELECT value FROM carray(?))
        AND state = 0 AND lane IN (SELECT id FROM lane WHERE tenant = ?)""",
        (numbers(ids), tenant),
    )
    mark_leased(session, found)
    missing = {*ids}.difference([m.id for m in found])
    return backlog.take_these(session, chunks, missing, tenant).beside(found)


def lease_in(
    session: Session, chunks: Chunks, lanes: str, names: Sequence[Any], last: int, limit: int
) -> Taken:
    """Lease waiting messages up to the number ``last``, in ``lanes``, a condition with the
    parameters ``names``."""
    n = len(names) + 1
    found = messages(
        session.execute,
        f"SELECT body FROM message WHERE state = 0 AND {lanes} AND id <= ?{n} LIMIT ?{n + 1}",  # noqa: S608
        (*names, last, limit),
    )
    mark_leased(session, found)
    room = limit - len(found)
    return backlog.take_in(session, chunks, lanes, names, last, room).beside(found)


def extend(session: Session, ids: Sequence[int], seconds: float) -> None:
    """Let messages expire later, those that wait still."""
    found = messages(
        session.execute,
        "SELECT body FROM message WHERE id IN (SELECT value FROM carray(?)) AND state = 0",
        (numbers(ids),),
    )
    rows: list[Any] = []
    for m in found:
        later = msgspec.structs.replace(m, expires_at=m.expires_at + seconds)
        rows += (m.id, later.expires_at, encode_message(later))
    _EXTEND.run(session.execute, rows)


def lease_expired(session: Session, chunks: Chunks, now: float, limit: int) -> Taken:
    """Lease waiting messages that have expired."""
    found = messages(
        session.execute,
        "SELECT body FROM message WHERE state = 0 AND expires <= ? LIMIT ?",
        (now, limit),
    )
    mark_leased(session, found)
    return backlog.take_expired(session, chunks, now, limit - len(found)).beside(found)


def mark_leased(session: Session, found: list[Message]) -> list[Message]:
    if found:
        session.execute(
            "UPDATE message SET state = 1 WHERE id IN (SELECT value FROM carray(?))",
            (numbers(m.id for m in found),),
        )
    return found


class DeferRows(NamedTuple):
    """Leased messages that go back, as rows: those that have one, and ``parted``, those that leave
    a chunk; the chunks that are late (`Chunks.late`) first. Those that leave chunks for others are
    in ``waiting``, and ``moved`` says out of which."""

    late: list[int]
    leaving: Leaving
    rows: list[Any]
    parted: list[Any]
    waiting: list[Waiting]
    moved: dict[int, list[int]]


def defer_rows(
    session: Session, chunks: Arrived, deferred: Sequence[Message], now: float
) -> DeferRows:
    """The rows of leased messages that go back."""
    rows: list[Any] = []
    parted: list[Any] = []
    together: dict[tuple[int, float], list[Message]] = {}
    for m in deferred:
        lane = session.lanes.number(lane_name(m.lane))
        if not chunks.holds(m.id):
            rows += defer_columns(m, lane, now)
        elif m.id in chunks.progressed:
            parted += arrived.columns(m, lane, now, m.due)
        else:
            together.setdefault((lane, m.due), []).append(m)
    waiting: list[Waiting] = []
    for (lane, due), those in together.items():
        if len(those) >= backlog.SMALLEST:
            waiting += backlog.gather(chunks, lane, due, now, those)
        else:
            for m in those:
                parted += arrived.columns(m, lane, now, due)
    late, leaving = chunks.late(), chunks.leave([m.id for m in deferred])
    moved: dict[int, list[int]] = {}
    for one in waiting:
        for m in one.messages:
            moved.setdefault(leaving.chunk_of[m.id], []).append(m.id)
    for number in leaving.emptied:
        moved.pop(number, None)  # goes, with all of them
    return DeferRows(late, leaving, rows, parted, waiting, moved)


def defer_columns(message: Message, lane: int, now: float) -> tuple[Any, ...]:
    """What `put_off` takes of a message."""
    return (message.id, lane, message.due, now, encode_message(message))


def defer(session: Session, rows: DeferRows) -> None:
    """Put leased messages back to waiting."""
    if rows.late:
        arrived.shelve(session, rows.late)
    put_off(session, rows.rows)
    arrived.part(session, rows.parted, WAITING)
    if rows.moved:
        arrived.take_out(session.execute, rows.moved)
    backlog.insert(session.execute, rows.waiting)
    if rows.leaving.emptied:
        arrived.delete(session.execute, rows.leaving.emptied)


def put_off(session: Session, flat: Sequence[Any]) -> None:
    """Put leased messages back to waiting that have rows of their own; they are given by
    `defer_columns`, one after the other."""
    _DEFER.run(session.execute, flat)


class OptoutRow(NamedTuple):
    """An `OptoutChange` with the number of its scope; ``entry`` is its row where it adds one."""

    scope: int
    number: str
    source: str
    at: float
    entry: tuple[Any, ...] | None


def optout_rows(session: Session, changes: Sequence[OptoutChange]) -> list[OptoutRow]:
    """Changes with the number of their scope, under the number that stands for their phone."""
    tenant = session.tenants.number
    rows = []
    for scope, written, out, source, at, *rest in changes:
        number = canonical(written)
        owner = GLOBAL_SCOPE if scope == GLOBAL else tenant(scope)
        entry = (owner, number, source, at, *rest) if out else None
        rows.append(OptoutRow(owner, number, source, at, entry))
    return rows


def optout(session: Session, rows: Sequence[OptoutRow], *, dated: bool = False) -> list[bool]:
    """Add opt-outs and take some back, in order; says of each whether it changed anything.
    ``dated``: only what was added until then is taken back."""
    # By scope and number, when each source said so, and its row; None for one that is stored.
    entries: dict[tuple[int, str], dict[str, tuple[float, tuple[Any, ...] | None]]] = {}
    gone: dict[tuple[int, str], list[str]] = {}
    for scope in {row.scope for row in rows}:
        asked = {row.number for row in rows if row.scope == scope}
        for number, source, since in reads.optout_sources(session.execute, scope, asked):
            entries.setdefault((scope, number), {})[source] = since, None
    changed = []
    for scope, number, source, at, entry in rows:
        held = entries.setdefault((scope, number), {})
        before = len(held)
        if entry is not None:
            held.setdefault(source, (at, entry))
        else:
            for lifted in LIFTS[source]:
                if lifted not in held or (dated and held[lifted][0] > at):
                    continue
                if held.pop(lifted)[1] is None:
                    gone.setdefault((scope, lifted), []).append(number)
        changed.append(len(held) != before)
    for (scope, source), numbers_back in gone.items():
        session.execute(
            """DELETE FROM optout WHERE scope = ? AND source = ?
            AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (scope, source, texts(numbers_back)),
        )
    added = [row for held in entries.values() for _, row in held.values() if row is not None]
    _OPTOUT.run(session.execute, [*chain.from_iterable(added)])
    return changed


def acknowledge(
    session: Session, tenant: int, consumer: str, seq: int, most: int, now: float
) -> int | None:
    """Move a cursor forward, unless there is no such event; returns where it stands, or None where
    it is one too many."""
    execute = session.execute
    key = (tenant, consumer)
    known = first(execute, "SELECT 1 FROM cursor WHERE tenant = ? AND consumer = ?", key, 0)
    # The event loop may not have been told of a commit whose events the consumer has read already.
    if seq > session.last_seq(tenant):
        seq = 0
        if not known:
            return 0
    if not known:
        [[count]] = execute("SELECT count(*) FROM cursor WHERE tenant = ?", (tenant,))
        if count >= most:
            return None
    [[stands]] = execute(
        """INSERT INTO cursor (tenant, consumer, seq, since, seen) VALUES (?, ?, ?, ?4, ?4)
        ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq), seen = excluded.seen
        RETURNING seq""",
        (*key, seq, now),
    )
    return int(stands)


def seen(session: Session, consumers: Sequence[tuple[int, str]], now: float) -> None:
    """Note that consumers are there."""
    _SEEN.run(session.execute, [*chain.from_iterable((*each, now) for each in consumers)])


def forget_consumer(session: Session, tenant: int, consumer: str) -> bool:
    """Forget a consumer."""
    session.execute("DELETE FROM cursor WHERE tenant = ? AND consumer = ?", (tenant, consumer))
    return bool(session.connection.changes())


def remember(session: Session, name: str, value: bytes) -> None:
    """Keep a named value."""
    session.execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (name, value))
