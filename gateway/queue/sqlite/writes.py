"""What the writing calls do inside a transaction, and how their rows are made beforehand.

A ``…Rows`` type is made in the event loop, where a mistake in a message shows before anything is
written; the function beside it runs in the writer's thread, where little is left to do but SQL.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from gateway.message import Message
from gateway.queue.sqlite.bulk import (
    TEXTS,
    Rows,
    decode_texts,
    encode_message,
    messages,
    numbers,
    texts,
)
from gateway.queue.sqlite.schema import LEASED, WAITING
from gateway.queue.sqlite.session import Session
from gateway.queue.store import GLOBAL, Entry, Known, Lease, OptoutChange

_ACCEPT: Final = Rows(
    "INSERT INTO message (id, lane, state, due, expires, at, campaign, body)", 8
)
_KEYS: Final = Rows("INSERT INTO idempotency", 5, "ON CONFLICT DO NOTHING")
_DEFER: Final = Rows(
    "WITH new (id, lane, due, at, body) AS (",
    5,
    f""") UPDATE message SET state = {WAITING}, lane = new.lane, due = new.due, at = new.at,
    body = new.body FROM new WHERE message.id = new.id AND state = {LEASED}""",
)
_OPTOUT: Final = Rows("INSERT INTO optout", 4)


class AcceptRows(NamedTuple):
    """Entries as rows: ``messages`` of 8 columns each, ``keys`` of 5; ``keyed`` has the index,
    tenant, key and message of each entry with a key."""

    messages: list[Any]
    keys: list[Any]
    keyed: list[tuple[int, int, str, int]]
    last_id: int


def accept_rows(session: Session, entries: Sequence[Entry]) -> AcceptRows:
    """The rows of entries, at least one."""
    lane, tenant = session.lanes.number, session.tenants.number
    rows: list[Any] = []
    keys: list[Any] = []
    keyed = []
    for index, (m, digest, leased) in enumerate(entries):
        rows += (
            m.id,
            lane((m.tenant, m.category, m.route)),
            LEASED if leased else WAITING,
            m.due,
            m.expires_at,
            m.accepted_at,
            m.campaign,
            encode_message(m),
        )
        if m.key is not None:
            number = tenant(m.tenant)
            keys += (number, m.key, m.id, digest, int(m.accepted_at))
            keyed.append((index, number, m.key, m.id))
    return AcceptRows(rows, keys, keyed, max(entry.message.id for entry in entries))


def accept(session: Session, rows: AcceptRows) -> dict[int, Known]:
    """Store messages, but for duplicates by their key."""
    duplicates: dict[int, Known] = {}
    fresh = rows.messages
    if rows.keyed:
        before = session.connection.total_changes()
        _KEYS.run(session.execute, rows.keys)
        if session.connection.total_changes() - before < len(rows.keyed):
            duplicates = _duplicates(session, rows.keyed)
            fresh = [
                value for at, value in enumerate(rows.messages) if at // 8 not in duplicates
            ]
    _ACCEPT.run(session.execute, fresh)
    session.execute("UPDATE node SET last_id = max(last_id, ?)", (rows.last_id,))
    return duplicates


def _duplicates(
    session: Session, keyed: Sequence[tuple[int, int, str, int]]
) -> dict[int, Known]:
    """The entries whose key stands for another message."""
    standing: dict[tuple[int, str], Known] = {}
    for tenant in {tenant for _, tenant, _, _ in keyed}:
        keys = texts(key for _, owner, key, _ in keyed if owner == tenant)
        for key, message, digest in session.execute(
            f"SELECT key, message, digest FROM idempotency WHERE tenant = ? AND key IN ({TEXTS})",
            (tenant, keys),
        ):
            standing[tenant, key] = Known(message, digest)
    return {
        index: standing[tenant, key]
        for index, tenant, key, message in keyed
        if standing[tenant, key].message != message
    }


def lease(session: Session, lane: int, now: float, limit: int) -> Lease:
    """Lease what is due in a lane."""
    found = messages(
        session.execute,
        f"""SELECT body FROM message WHERE state = {WAITING} AND lane = ? AND due <= ?
        ORDER BY due, id LIMIT ?""",
        (lane, now, limit),
    )
    mark_leased(session, found)
    rest = session.execute(
        f"SELECT due FROM message WHERE state = {WAITING} AND lane = ? ORDER BY due LIMIT 1",
        (lane,),
    ).fetchall()
    return Lease(found, rest[0][0] if rest else None)


def lease_ids(session: Session, tenant: str, ids: Sequence[int]) -> list[Message]:
    """Lease those of a tenant's messages that wait."""
    found = messages(
        session.execute,
        f"""SELECT body FROM message WHERE id IN (SELECT value FROM carray(?))
        AND state = {WAITING} AND lane IN (SELECT id FROM lane WHERE tenant = ?)""",
        (numbers(ids), tenant),
    )
    return mark_leased(session, found)


def lease_campaign(session: Session, tenant: str, campaign: str, limit: int) -> list[Message]:
    """Lease waiting messages of a campaign."""
    found = messages(
        session.execute,
        f"""SELECT body FROM message WHERE state = {WAITING} AND campaign = ?
        AND lane IN (SELECT id FROM lane WHERE tenant = ?) LIMIT ?""",
        (campaign, tenant, limit),
    )
    return mark_leased(session, found)


def lease_expired(session: Session, now: float, limit: int) -> list[Message]:
    """Lease waiting messages that have expired."""
    found = messages(
        session.execute,
        f"SELECT body FROM message WHERE state = {WAITING} AND expires <= ? LIMIT ?",
        (now, limit),
    )
    return mark_leased(session, found)


def mark_leased(session: Session, found: list[Message]) -> list[Message]:
    if found:
        session.execute(
            f"UPDATE message SET state = {LEASED} WHERE id IN (SELECT value FROM carray(?))",
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
    return [
        OptoutRow(0 if change.scope == GLOBAL else session.tenants.number(change.scope), *change[1:])
        for change in changes
    ]


def optout(session: Session, rows: Sequence[OptoutRow]) -> list[bool]:
    """Add and remove opt-outs, in order; says of each whether it changed anything."""
    stored: set[tuple[int, str]] = set()
    for scope in {row.scope for row in rows}:
        asked = texts(row.number for row in rows if row.scope == scope)
        [[found]] = session.execute(
            f"SELECT json_group_array(number) FROM optout WHERE scope = ? AND number IN ({TEXTS})",
            (scope, asked),
        )
        stored.update((scope, number) for number in decode_texts(found))
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
        session.execute(f"DELETE FROM optout WHERE scope = ? AND number IN ({TEXTS})", (scope, gone))
    added = [(row.scope, row.number, row.source, row.at) for row in latest.values() if row.out]
    _OPTOUT.run(session.execute, [*chain.from_iterable(added)])
    return changed


def acknowledge(session: Session, tenant: int, consumer: str, seq: int) -> None:
    """Move a cursor forward."""
    session.execute(
        "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
        (tenant, consumer, seq),
    )


def remember(session: Session, name: str, value: bytes) -> None:
    """Keep a named value."""
    session.execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (name, value))
