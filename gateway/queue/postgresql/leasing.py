"""What is taken out of the store, and what goes back to wait."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue.chunks import Chunks
from gateway.queue.operators import Which
from gateway.queue.postgresql import arrived, backlog, sharing, statements
from gateway.queue.postgresql.arrays import (
    encode_message,
    float8s,
    int4s,
    int8s,
    messages,
    octets,
)
from gateway.queue.postgresql.backlog import Due, Gathered, Taken
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.schema import WAITING
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.postgresql.sharing import Division
from gateway.queue.postgresql.shelves import Departure, Shelves
from gateway.queue.store import Leased

SQL: Final = statements.load("leasing")

BLOCK: Final = 4_096
"""Messages changed at a time: some ten milliseconds."""


_SAME_DUE: Final = attrgetter("due", "id")


def lease(lane: LaneKey, now: float, limit: int, shards: int, chunks: Chunks) -> Work[Taken]:
    """Leases what is due in a lane, of some shards (`sharing`); says when the next one is."""

    def work(session: Session) -> Callable[[], Taken]:
        number = session.lane(lane)
        asked = {"lane": number, "shards": shards}
        due = backlog.due(session, number, now, shards)
        taken, rows = Taken([], []), None
        if due:
            taken = _lease_of_both(session, chunks, due, asked, now, limit)
        else:
            rows = session.execute(SQL["due"], asked | {"now": now, "limit": limit})
        following = session.execute(SQL["next_due"], asked)

        def finish() -> Taken:
            if rows is not None:
                taken.messages.extend(messages(rows.fetchall()))
            [[next_due]] = following.fetchall()
            return taken._replace(next_due=next_due)

        return finish

    return work


def _lease_of_both(
    session: Session,
    chunks: Chunks,
    due: Sequence[Due],
    asked: dict[str, int],
    now: float,
    limit: int,
) -> Taken:
    """Lease what is due of chunks and of rows, the longest due first."""
    last = due[-1].due if len(due) == backlog.AT_ONCE else now
    rows = session.execute(SQL["due_rows"], asked | {"now": last, "limit": limit}).fetchall()
    alone, together, room = list[int](), list[int](), limit
    for one in sorted([*due, *(Due(at, number, 0, 1) for at, number in rows)]):
        if room <= 0:
            break
        room -= one.size
        if one.number:
            together.append(one.number)
        else:
            alone.append(one.first)
    found: list[Message] = []
    if alone:
        found = messages(session.execute(SQL["these"], {"ids": int8s(alone)}).fetchall())
    room = limit - len(found)
    taken = backlog.take_first(session, chunks, together, room, asked["shards"])
    taken.messages.extend(found)
    taken.messages.sort(key=_SAME_DUE)
    return taken


def _taken(
    from_chunks: Callable[[Session, Taken], None], name: str, values: dict[str, Any], limit: int
) -> Work[Taken]:
    """Takes from chunks first, and then rows, since what is in chunks may get rows meanwhile."""

    def work(session: Session) -> Callable[[], Taken]:
        taken = Taken([], [])
        from_chunks(session, taken)
        room = limit - len(taken.messages)
        cursor = session.execute(SQL[name], values | {"limit": room}) if room > 0 else None

        def finish() -> Taken:
            if cursor is not None:
                taken.messages.extend(messages(cursor.fetchall()))
            return taken

        return finish

    return work


def lease_ids(tenant: str, numbers: Sequence[int], chunks: Chunks) -> Work[Taken]:
    """Leases those of a tenant's messages that wait."""

    def from_chunks(session: Session, taken: Taken) -> None:
        backlog.take_these(session, chunks, numbers, tenant, taken)

    return _taken(from_chunks, "ids", {"tenant": tenant, "ids": int8s(numbers)}, len(numbers))


def lease_where(which: Which, last: int, limit: int, chunks: Chunks) -> Work[Taken]:
    """Leases messages that wait."""
    names = backlog.names(which)

    def from_chunks(session: Session, taken: Taken) -> None:
        backlog.take_in(session, chunks, names, last, limit, taken)

    return _taken(from_chunks, "where", names | {"last": last}, limit)


def lease_expired(now: float, limit: int, shards: int, chunks: Chunks) -> Work[Taken]:
    """Leases waiting messages of some shards that have expired."""

    def from_chunks(session: Session, taken: Taken) -> None:
        backlog.take_expired(session, chunks, now, limit, shards, taken)

    return _taken(from_chunks, "expired", {"now": now, "shards": shards}, limit)


def waiting_where(connection: Connected, which: Which, last: int) -> int:
    """How many messages wait."""
    names = backlog.names(which)
    cursor = connection.cursor(binary=True)
    in_chunks = backlog.count(connection, names, last)
    [[alone]] = cursor.execute(SQL["count_where"], names | {"last": last}).fetchall()
    return int(alone) + in_chunks


def extend_block(tenant: str, campaign: str, seconds: float, after: int) -> Work[int | None]:
    """Lets some messages of a campaign expire later; gives where to go on, None at the end."""
    asked = {"tenant": tenant, "campaign": campaign.encode(), "after": after, "limit": BLOCK}

    def work(session: Session) -> Callable[[], int | None]:
        rows = session.execute(SQL["of_campaign"], asked).fetchall()
        if not rows:
            return lambda: None
        later = [
            msgspec.structs.replace(m, expires_at=m.expires_at + seconds) for m in messages(rows)
        ]
        values = {
            "ids": int8s([m.id for m in later]),
            "expires": float8s([m.expires_at for m in later]),
            "bodies": octets([encode_message(m) for m in later]),
        }
        session.execute(SQL["extend"], values)
        return lambda: rows[-1][0]

    return work


def defer(
    deferred: Sequence[Message], shelves: Shelves, now: float, division: Division
) -> tuple[Work[None], Departure]:
    """Puts leased messages back to waiting, and says what leaves chunks with it; where they are of
    no shard of this node's, for the one that has it. Those that leave chunks together are a chunk
    again. The statement does not let the planner think that few are leased, and compare each of
    these with all that are."""
    holds = shelves.arrived.holds
    gathered = Gathered(division)
    others: list[Message] = []
    for m in deferred:
        if holds(m.id):
            gathered.add(m, m.lane, now)
        else:
            gathered.add_alone(m, m.lane)
            others.append(m)
    waiting, few = gathered.chunks()
    parted = [arrived.parted(m, WAITING, now, m.due) for m in few]
    lanes = [m.lane for m in others]
    values: dict[str, Any] = {
        "now": now,
        "ids": int8s([m.id for m in others]),
        "dues": float8s([m.due for m in others]),
        "bodies": octets([encode_message(m) for m in others]),
    }
    leaving = shelves.defer([m.id for m in deferred])
    moved: dict[int, set[int]] = {}
    for one in waiting:
        for m in one.messages:
            moved.setdefault(leaving.from_arrived.chunk_of[m.id], set()).add(m.id)
    for number in leaving.from_arrived.emptied:
        moved.pop(number, None)  # goes, with all of them

    def work(session: Session) -> Callable[[], None]:
        leaving.begin(session)
        if others:
            numbers = int4s([session.lane(lane) for lane in lanes])
            session.execute(SQL["defer"], values | {"lanes": numbers})
        arrived.part(session, parted)
        arrived.take_out(session, moved)
        backlog.insert(session, waiting)
        leaving.end(session)
        sharing.arrive(session, gathered.away)
        return lambda: None

    return work, leaving


def hasten_block(start: int, now: float, moment: float) -> Work[int | None]:
    """Makes due those of some messages above ``start`` that were to wait for a moment only; gives
    where to go on, None at the end. What their bodies say stays."""

    def work(session: Session) -> Callable[[], int | None]:
        asked = {"start": start, "limit": BLOCK}
        row = session.execute(SQL["block"], asked).fetchone()
        stop: int | None = row[0] if row else None
        if not start:
            session.execute(backlog.SQL["hasten"], {"now": now, "moment": moment})
        if stop is not None:
            values = {"start": start, "stop": stop, "now": now, "moment": moment}
            session.execute(SQL["hasten"], values)
        return lambda: stop

    return work


def mark_block(shards: int) -> Work[bool]:
    """Puts some leased messages of shards back to waiting, marked `maybe_duplicate`; gives False
    for none."""

    def work(session: Session) -> Callable[[], bool]:
        asked = {"limit": BLOCK, "shards": shards}
        rows = session.execute(SQL["leased"], asked).fetchall()
        marked = [msgspec.structs.replace(m, maybe_duplicate=True) for m in messages(rows)]
        if marked:
            _rewrite(session, "mark", marked, now=None)
        return lambda: bool(marked)

    return work


def leased(connection: Connected, after: int, limit: int, shards: int) -> Leased:
    """How many messages of some shards are leased, and which."""
    cursor = connection.cursor(binary=True)
    [[count]] = cursor.execute(SQL["count_leased"], {"shards": shards}).fetchall()
    asked = {"after": after, "limit": limit, "shards": shards}
    found = cursor.execute(SQL["leased_after"], asked).fetchall()
    return Leased(count, every(found))


def none_leased(shards: int) -> Work[bool]:
    """Says whether no message of some shards is leased, once what was asked before is done."""

    def work(session: Session) -> Callable[[], bool]:
        [[count]] = session.execute(SQL["count_leased"], {"shards": shards}).fetchall()
        return lambda: count == 0

    return work


def put_back(numbers: Sequence[int], now: float) -> Work[list[Message]]:
    """Puts messages back to waiting that are leased, marked `maybe_duplicate`."""

    def work(session: Session) -> Callable[[], list[Message]]:
        rows = session.execute(SQL["among_leased"], {"ids": int8s(numbers)}).fetchall()
        back = [msgspec.structs.replace(m, maybe_duplicate=True) for m in messages(rows)]
        if back:
            _rewrite(session, "mark", back, now=now)
        return lambda: back

    return work


def unlease(shards: int) -> Work[None]:
    """Puts leased messages of a node's shards back to waiting, and lets go in order."""

    def work(session: Session) -> Callable[[], None]:
        session.execute(SQL["unlease"], {"shards": shards})
        sharing.let_go(session)
        return lambda: None

    return work


def requeue(
    carrier: str, numbers: Sequence[int], now: float, division: Division
) -> Work[list[Message]]:
    """Has messages wait that were sent, and forgets their parts."""

    def work(session: Session) -> Callable[[], list[Message]]:
        rows = session.execute(SQL["sent"], {"ids": int8s(numbers)}).fetchall()
        back = [msgspec.structs.replace(m, due=now, maybe_duplicate=True) for m in messages(rows)]
        if back:
            values = {"carrier": session.carrier(carrier), "ids": int8s([m.id for m in back])}
            session.execute(SQL["forget_parts_of"], values)
            _rewrite(session, "requeue", back, now=now)
            sharing.arrive(session, sharing.away(back, division))
        return lambda: back

    return work


def _rewrite(session: Session, name: str, changed: Sequence[Message], **more: Any) -> None:
    ids = int8s([m.id for m in changed])
    bodies = octets([encode_message(m) for m in changed])
    session.execute(SQL[name], {"ids": ids, "bodies": bodies, **more})
