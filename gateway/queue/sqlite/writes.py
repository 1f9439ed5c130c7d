"""What the writing calls do inside a transaction, and how their rows are made beforehand.

A ``…Rows`` type is made in the event loop, where a mistake in a message shows before anything is
written; the function beside it runs in the writer's thread, where little is left to do but SQL.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from gateway.message import Message
from gateway.queue.sqlite import keys, reads
from gateway.queue.sqlite.bulk import (
    Rows,
    encode_message,
    first,
    messages,
    numbers,
    texts,
)
from gateway.queue.sqlite.keys import KeyIndex, KeyRow, KeyRows
from gateway.queue.sqlite.schema import GLOBAL_SCOPE, LEASED, WAITING
from gateway.queue.sqlite.session import Session
from gateway.queue.store import GLOBAL, Entry, Known, Lease, OptoutChange

# An insertion that may fail half-way keeps the old pages of what it changes, unless its failure
# undoes the whole transaction, which is what happens here in any case: hence OR ROLLBACK.
_COLUMNS: Final = 8
_ACCEPT: Final = Rows(
    "INSERT OR ROLLBACK INTO message (id, lane, state, due, expires, at, campaign, body)", _COLUMNS
)
_DEFER: Final = Rows(
    "WITH new (id, lane, due, at, body) AS (",
    5,
    """) UPDATE OR ROLLBACK message SET state = 0, lane = new.lane, due = new.due, at = new.at,
    body = new.body FROM new WHERE message.id = new.id AND state = 1""",
)
_OPTOUT: Final = Rows("INSERT OR ROLLBACK INTO optout", 4)


class AcceptRows(NamedTuple):
    """Entries as rows: ``messages`` of `_COLUMNS` columns each, one after the other."""

    messages: list[Any]
    keys: KeyRows
    last_id: int


def accept_rows(session: Session, index: KeyIndex, entries: Sequence[Entry]) -> AcceptRows:
    """The rows of entries, at least one."""
    lane = session.lanes.number
    rows: list[Any] = []
    keyed: list[tuple[int, Message, str, int]] = []
    for at, entry in enumerate(entries):
        m = entry.message
        rows += (
            m.id,
            lane((m.tenant, m.category, m.route)),
            LEASED if entry.leased else WAITING,
            m.due,
            m.expires_at,
            m.accepted_at,
            m.campaign,
            encode_message(m),
        )
        if m.key is not None:
            keyed.append((at, m, m.key, entry.digest))
    key_rows = _key_rows(session, index, keyed) if keyed else KeyRows([], [], [])
    return AcceptRows(rows, key_rows, max(entry.message.id for entry in entries))


def _key_rows(
    session: Session, index: KeyIndex, keyed: Sequence[tuple[int, Message, str, int]]
) -> KeyRows:
    tenant = session.tenants.number
    names = [keys.name(tenant(m.tenant), key) for _, m, key, _ in keyed]
    generation, perhaps = index.note(names, max([m.accepted_at for _, m, _, _ in keyed]))
    rows = KeyRows([], [], index.numbers())
    fresh = rows.fresh
    for name, (at, m, _, digest) in zip(names, keyed, strict=True):
        if name in perhaps:
            rows.perhaps.append((at, KeyRow(generation, name, m.id, digest, m.accepted_at)))
        else:
            fresh += (generation, name, m.id, digest, m.accepted_at)
    return rows


def accept(session: Session, rows: AcceptRows) -> dict[int, Known]:
    """Store messages, but for duplicates by their key."""
    duplicates = keys.insert(session.execute, rows.keys)
    stored = rows.messages
    if duplicates:
        stored = [v for at, v in enumerate(stored) if at // _COLUMNS not in duplicates]
    _ACCEPT.run(session.execute, stored)
    session.execute("UPDATE node SET last_id = max(last_id, ?)", (rows.last_id,))
    return duplicates


def lease(session: Session, lane: int, now: float, limit: int) -> Lease:
    """Lease what is due in a lane."""
    found = messages(
        session.execute,
        """SELECT body FROM message WHERE state = 0 AND lane = ? AND due <= ?
        ORDER BY due, id LIMIT ?""",
        (lane, now, limit),
    )
    mark_leased(session, found)
    next_due: float | None = first(
        session.execute,
        "SELECT due FROM message WHERE state = 0 AND lane = ? ORDER BY due LIMIT 1",
        (lane,),
        None,
    )
    return Lease(found, next_due)


def lease_ids(session: Session, tenant: str, ids: Sequence[int]) -> list[Message]:
    """Lease those of a tenant's messages that wait."""
    found = messages(
        session.execute,
        """SELECT body FROM message WHERE id IN (SELECT value FROM carray(?))
        AND state = 0 AND lane IN (SELECT id FROM lane WHERE tenant = ?)""",
        (numbers(ids), tenant),
    )
    return mark_leased(session, found)


def lease_campaign(session: Session, tenant: str, campaign: str, limit: int) -> list[Message]:
    """Lease waiting messages of a campaign."""
    found = messages(
        session.execute,
        """SELECT body FROM message WHERE state = 0 AND campaign = ?
        AND lane IN (SELECT id FROM lane WHERE tenant = ?) LIMIT ?""",
        (campaign, tenant, limit),
    )
    return mark_leased(session, found)


def lease_expired(session: Session, now: float, limit: int) -> list[Message]:
    """Lease waiting messages that have expired."""
    found = messages(
        session.execute,
        "SELECT body FROM message WHERE state = 0 AND expires <= ? LIMIT ?",
        (now, limit),
    )
    return mark_leased(session, found)


def mark_leased(session: Session, found: list[Message]) -> list[Message]:
    if found:
        session.execute(
            "UPDATE message SET state = 1 WHERE id IN (SELECT value FROM carray(?))",
            (numbers(m.id for m in found),),
        )
    return found


def defer_rows(session: Session, deferred: Sequence[Message], now: float) -> list[Any]:
    """The rows of leased messages that go back."""
    rows: list[Any] = []
    for m in deferred:
        lane = session.lanes.number((m.tenant, m.category, m.route))
        rows += (m.id, lane, m.due, now, encode_message(m))
    return rows


def defer(session: Session, rows: Sequence[Any]) -> None:
    """Put leased messages back to waiting."""
    _DEFER.run(session.execute, rows)


class OptoutRow(NamedTuple):
    scope: int
    number: str
    out: bool
    source: str
    at: float


def optout_rows(session: Session, changes: Sequence[OptoutChange]) -> list[OptoutRow]:
    """Changes with the number of their scope."""
    tenant = session.tenants.number
    return [
        OptoutRow(GLOBAL_SCOPE if scope == GLOBAL else tenant(scope), number, out, source, at)
        for scope, number, out, source, at in changes
    ]


def optout(session: Session, rows: Sequence[OptoutRow]) -> list[bool]:
    """Add and remove opt-outs, in order; says of each whether it changed anything."""
    stored: set[tuple[int, str]] = set()
    for scope in {row.scope for row in rows}:
        asked = [row.number for row in rows if row.scope == scope]
        found = reads.stored_numbers(session.execute, scope, asked)
        stored.update((scope, number) for number in found)
    latest: dict[tuple[int, str], OptoutRow] = {}
    changed = []
    for row in rows:
        key = row.scope, row.number
        last = latest.get(key)
        changed.append(row.out != (last.out if last else key in stored))
        if changed[-1]:
            latest[key] = row
    for scope in {scope for scope, number in latest if (scope, number) in stored}:
        gone = texts(number for owner, number in latest if owner == scope)
        session.execute(
            """DELETE FROM optout WHERE scope = ?
            AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (scope, gone),
        )
    added = [(row.scope, row.number, row.source, row.at) for row in latest.values() if row.out]
    _OPTOUT.run(session.execute, [*chain.from_iterable(added)])
    return changed


def acknowledge(session: Session, tenant: int, consumer: str, seq: int) -> int:
    """Move a cursor forward; returns where it stands."""
    [[stands]] = session.execute(
        """INSERT INTO cursor VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq) RETURNING seq""",
        (tenant, consumer, seq),
    )
    return int(stands)


def remember(session: Session, name: str, value: bytes) -> None:
    """Keep a named value."""
    session.execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (name, value))
