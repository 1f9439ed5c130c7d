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
_COLUMNS: Final = 5
_ACCEPT: Final = Rows.inserted(
    "OR ROLLBACK INTO message (lane, state, at, id, due, expires, campaign, body)",
    _COLUMNS,
    shared=3,
)
_DEFER: Final = Rows(
    "WITH new (id, lane, due, at, body) AS (",
    5,
    """) UPDATE OR ROLLBACK message SET state = 0, lane = new.lane, due = new.due, at = new.at,
    body = new.body FROM new WHERE message.id = new.id AND state = 1""",
)
_OPTOUT: Final = Rows.inserted("OR ROLLBACK INTO optout", 4)


class AcceptRows(NamedTuple):
    """Entries as rows: ``ids`` of all; ``messages`` by their lane, ``state`` and ``at``, with
    `_COLUMNS` columns each, one after the other."""

    ids: list[int]
    messages: list[tuple[tuple[int, int, float], list[Any]]]
    keys: KeyRows | None


def accept_rows(session: Session, index: KeyIndex, entries: Sequence[Entry]) -> AcceptRows:
    """The rows of entries, at least one."""
    places: dict[tuple[str, str, str, bool, float], list[Any]] = {}
    prefixes: dict[str, str] = {}
    ids: list[int] = []
    keyed: list[int] = []
    names: list[str] = []
    for at, entry in enumerate(entries):
        m = entry.message
        tenant = m.tenant
        place = (tenant, m.category, m.route, entry.leased, m.accepted_at)
        rows = places.get(place)
        if rows is None:
            rows = places[place] = []
            prefixes[tenant] = keys.name(session.tenants.number(tenant), "")
        rows += (m.id, m.due, m.expires_at, m.campaign, encode_message(m))
        ids.append(m.id)
        key = m.key
        if key is not None:
            keyed.append(at)
            names.append(prefixes[tenant] + key)
    lane = session.lanes.number
    return AcceptRows(
        ids,
        [
            ((lane((tenant, category, route)), LEASED if leased else WAITING, at), rows)
            for (tenant, category, route, leased, at), rows in places.items()
        ],
        _key_rows(index, entries, keyed, names) if keyed else None,
    )


def _key_rows(
    index: KeyIndex, entries: Sequence[Entry], keyed: Sequence[int], names: Sequence[str]
) -> KeyRows:
    """The rows of the keys of ``keyed`` entries, which have these ``names``."""
    came = max([entries[at].message.accepted_at for at in keyed])
    perhaps = index.note(names, came)
    rows = KeyRows([], [], index.numbers(), came)
    fresh = rows.fresh
    for at, name in zip(keyed, names, strict=True):
        entry = entries[at]
        if name in perhaps:
            rows.perhaps.append((at, KeyRow(name, entry.message.id, entry.digest)))
        else:
            fresh += (name, entry.message.id, entry.digest)
    return rows


def accept(session: Session, rows: AcceptRows) -> dict[int, Known]:
    """Store messages, but for duplicates by their key."""
    duplicates = keys.insert(session.execute, rows.keys) if rows.keys else {}
    passed_over = {rows.ids[at] for at in duplicates}
    for place, flat in rows.messages:
        stored = _without(passed_over, flat) if passed_over else flat
        _ACCEPT.run(session.execute, stored, place)
    session.execute("UPDATE node SET last_id = max(last_id, ?)", (max(rows.ids),))
    return duplicates


def _without(ids: set[int], flat: list[Any]) -> list[Any]:
    """Rows of `_COLUMNS` but for those of these messages."""
    starts = range(0, len(flat), _COLUMNS)
    kept = [flat[at : at + _COLUMNS] for at in starts if flat[at] not in ids]
    return [*chain.from_iterable(kept)]


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
    """Move a cursor forward, unless there is no such event; returns where it stands."""
    # The event loop may not have been told of a commit whose events the consumer has read already.
    if seq > session.last_seq(tenant):
        return reads.cursor(session.execute, tenant, consumer)
    [[stands]] = session.execute(
        """INSERT INTO cursor VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq) RETURNING seq""",
        (tenant, consumer, seq),
    )
    return int(stands)


def remember(session: Session, name: str, value: bytes) -> None:
    """Keep a named value."""
    session.execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (name, value))
