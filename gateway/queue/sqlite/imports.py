"""Imports: a row for each, and one for all that was staged of it in one call."""

from collections.abc import Sequence

from gateway.queue.consents import Consent
from gateway.queue.sqlite import consents, writes
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Import, Staged

Key = tuple[int, str]
"""A tenant by its number, and the name of its import."""


def find(execute: Execute, key: Key) -> Import | None:
    """How an import stands."""
    query = "SELECT size, rest, changed, marked FROM import WHERE tenant = ? AND name = ?"
    found = [Import(*row) for row in execute(query, key)]
    return found[0] if found else None


def stage(session: Session, key: Key, staged: Staged, now: float) -> Import:
    """Put changes aside, unless they are there already or the import is marked."""
    execute = session.execute
    known = find(execute, key) or Import(0, 0, 0, None)
    if known.marked is not None:
        return known
    execute("INSERT OR IGNORE INTO staged VALUES (?, ?, ?, ?, ?)", (*key, *staged[2:]))
    if session.connection.changes():
        known = Import(known.size + staged.size, known.rest + staged.size, 0, None)
        execute("INSERT OR REPLACE INTO import VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, now, *known))
    return known


def apply(session: Session, key: Key, size: int, now: float) -> Import | None:
    """Mark an import, if so many changes are staged."""
    session.execute(
        """UPDATE import SET marked = ?3, at = ?3
        WHERE tenant = ?1 AND name = ?2 AND size = ?4 AND marked IS NULL""",
        (*key, now, size),
    )
    return find(session.execute, key)


def next_staged(execute: Execute) -> Staged | None:
    """What is to be carried out next."""
    marked = execute(
        """SELECT tenant.name, import.tenant, import.name FROM import
        JOIN tenant ON tenant.id = import.tenant WHERE marked IS NOT NULL AND rest > 0
        ORDER BY marked, import.tenant, import.name LIMIT 1"""
    )
    query = (
        "SELECT part, size, body FROM staged WHERE tenant = ? AND name = ? ORDER BY part LIMIT 1"
    )
    for tenant, *key in [*marked]:
        for row in execute(query, key):
            return Staged(tenant, key[1], *row)
    return None


def carry_out(
    session: Session,
    key: Key,
    staged: Staged,
    optouts: Sequence[writes.OptoutRow],
    records: Sequence[tuple[int, Consent]],
    now: float,
) -> list[bool] | None:
    """Make changes, unless what was staged of them is gone."""
    session.execute(
        "DELETE FROM staged WHERE tenant = ? AND name = ? AND part = ?", (*key, staged.part)
    )
    if not session.connection.changes():
        return None
    changed = writes.optout(session, optouts, dated=True) + consents.add(session.execute, records)
    session.execute(
        """UPDATE import SET rest = rest - ?3, changed = changed + ?4, at = ?5
        WHERE tenant = ?1 AND name = ?2""",
        (*key, staged.size, sum(changed), now),
    )
    return changed


def forget(session: Session, before: float) -> int:
    """Forget one that nobody has applied, or that is done; returns how many."""
    old = [
        *session.execute(
            """SELECT tenant, name FROM import WHERE at < ? AND (marked IS NULL OR rest = 0)
            LIMIT 1""",
            (before,),
        )
    ]
    for key in old:
        session.execute("DELETE FROM staged WHERE tenant = ? AND name = ?", key)
        session.execute("DELETE FROM import WHERE tenant = ? AND name = ?", key)
    return len(old)
