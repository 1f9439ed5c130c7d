"""What erases a person (`gateway.queue.operators`), on the connections."""

from collections.abc import Collection
from typing import NamedTuple

from gateway.queue import events
from gateway.queue.operators import DIGITS, held_of
from gateway.queue.search import CHUNKS
from gateway.queue.sqlite import keys
from gateway.queue.sqlite.bulk import Execute, numbers, texts
from gateway.queue.sqlite.schema import TENANT_BITS
from gateway.queue.sqlite.session import Session
from gateway.queue.store import EventChunk


class Chunks(NamedTuple):
    """The rows of some chunks in which phones are, and where to go on, None at the end."""

    rows: list[int]
    next: int | None


def chunks_with(execute: Execute, tenant: int, phones: Collection[str], after: int) -> Chunks:
    """Those among the next chunks of a tenant that end after a ``seq``."""
    base = tenant << TENANT_BITS
    like = " OR ".join(["instr(body, CAST(? AS BLOB))"] * len(phones))
    rows = list(
        execute(
            f"SELECT id, size, {like} FROM event WHERE id > ? AND id < ? ORDER BY id LIMIT ?",  # noqa: S608
            (*phones, base + after, base + (1 << TENANT_BITS), CHUNKS),
        )
    )
    following = rows[-1][0] + rows[-1][1] - 1 - base if len(rows) == CHUNKS else None
    return Chunks([row for row, _, there in rows if there], following)


def erase_events(
    session: Session, tenant: int, name: str, phones: Collection[str], rows: Collection[int]
) -> int:
    """Erase what chunks tell of phones; returns how many events that were."""
    execute = session.execute
    erased = 0
    query = "SELECT id, size, body FROM event WHERE id IN (SELECT value FROM carray(?))"
    for row, size, body in list(execute(query, (numbers(rows),))):
        chunk = EventChunk(name, row - (tenant << TENANT_BITS), size, body)
        found = events.erase(chunk, phones)
        if found is None:
            continue
        execute("UPDATE event SET body = ? WHERE id = ?", (found.chunk.body, row))
        if found.messages:
            execute(
                "UPDATE finished SET life = NULL WHERE id IN (SELECT value FROM carray(?))",
                (numbers(found.messages),),
            )
        if found.keys:
            keys.forget(execute, [keys.name(tenant, key) for key in found.keys])
        erased += found.events
    return erased


def erase_records(
    session: Session, tenant: int | None, name: str | None, phones: Collection[str]
) -> int:
    """Erase what else is on record of phones; returns how many records that were."""
    execute, change = session.execute, session.connection
    before = change.total_changes()
    asked = (tenant, texts(phones))
    where = """tenant = coalesce(?, tenant)
        AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))"""
    for table in ("consent", "use", "failing", "refusal"):
        execute(f"DELETE FROM {table} WHERE {where}", asked)  # noqa: S608  texts of this module
    for tail in {phone[-DIGITS:] for phone in phones}:
        execute(
            """DELETE FROM held WHERE (instr(key, ?1) OR instr(body, CAST(?1 AS BLOB)))
            AND substr(key, 1, length(?2)) = ?2""",
            (tail, held_of(name)),
        )
    gone = change.total_changes() - before
    execute(
        """UPDATE optout SET message = NULL, text = NULL WHERE scope = coalesce(?, scope)
        AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        asked,
    )
    return gone
