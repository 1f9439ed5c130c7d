"""What is taken out of the store, and what goes back to wait."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from gateway.message import LaneKey, Message
from gateway.queue.operators import Which
from gateway.queue.postgresql import arrived, sharing, statements
from gateway.queue.postgresql.arrays import (
    encode_message,
    float8s,
    int4s,
    int8s,
    messages,
    octets,
)
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.schema import WAITING
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.postgresql.shelves import Departure, Shelves
from gateway.queue.store import Lease, Leased

SQL: Final = statements.load("leasing")

BLOCK: Final = 4_096
"""Messages changed at a time: some ten milliseconds."""


def lease(lane: LaneKey, now: float, limit: int, shards: int) -> Work[Lease]:
    """Leases what is due in a lane, of some shards (`sharing`)."""

    def work(session: Session) -> Callable[[], Lease]:
        asked = {"lane": session.lane(lane), "shards": shards}
        due = session.execute(SQL["due"], asked | {"now": now, "limit": limit})
        following = session.execute(SQL["next_due"], asked)

        def finish() -> Lease:
            found = following.fetchone()
            return Lease(messages(due.fetchall()), None if found is None else found[0])

        return finish

    return work


def _taken(name: str, values: dict[str, Any]) -> Work[list[Message]]:
    def work(session: Session) -> Callable[[], list[Message]]:
        cursor = session.execute(SQL[name], values)
        return lambda: messages(cursor.fetchall())

    return work


def lease_ids(tenant: str, numbers: Sequence[int]) -> Work[list[Message]]:
    """Leases those of a tenant's messages that wait."""
    return _taken("ids", {"tenant": tenant, "ids": int8s(numbers)})


def lease_where(which: Which, last: int, limit: int) -> Work[list[Message]]:
    """Leases messages that wait."""
    return _taken("where", _names(which) | {"last": last, "limit": limit})


def lease_expired(now: float, limit: int, shards: int) -> Work[list[Message]]:
    """Leases waiting messages of some shards that have expired."""
    return _taken("expired", {"now": now, "limit": limit, "shards": shards})


def waiting_where(connection: Connected, which: Which, last: int) -> int:
    """How many messages wait."""
    cursor = connection.cursor(binary=True)
    row = cursor.execute(SQL["count_where"], _names(which) | {"last": last}).fetchone()
    return int(row[0]) if row else 0


def _names(which: Which) -> dict[str, Any]:
    names = msgspec.structs.asdict(which)
    if which.campaign is not None:
        names["campaign"] = which.campaign.encode()
    return names


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
    deferred: Sequence[Message], shelves: Shelves, now: float, shards: int
) -> tuple[Work[None], Departure]:
    """Puts leased messages back to waiting, and says what leaves chunks with it; where they are of
    no shard of this node's, for the one that has it. The statement does not let the planner think
    that few are leased, and compare each of these with all that are."""
    holds = shelves.arrived.holds
    parted = [arrived.parted(m, WAITING, now, m.due) for m in deferred if holds(m.id)]
    others = [m for m in deferred if not holds(m.id)]
    lanes = [m.lane for m in others]
    values: dict[str, Any] = {
        "now": now,
        "ids": int8s([m.id for m in others]),
        "dues": float8s([m.due for m in others]),
        "bodies": octets([encode_message(m) for m in others]),
    }
    away = sharing.away(deferred, shards)
    leaving = shelves.defer([row.id for row in parted])

    def work(session: Session) -> Callable[[], None]:
        leaving.begin(session)
        if others:
            numbers = int4s([session.lane(lane) for lane in lanes])
            session.execute(SQL["defer"], values | {"lanes": numbers})
        arrived.part(session, parted)
        leaving.end(session)
        sharing.arrive(session, away)
        return lambda: None

    return work, leaving


def hasten_block(start: int, now: float, moment: float) -> Work[int | None]:
    """Makes due those of some messages above ``start`` that were to wait for a moment only; gives
    where to go on, None at the end. What their bodies say stays."""

    def work(session: Session) -> Callable[[], int | None]:
        asked = {"start": start, "limit": BLOCK}
        row = session.execute(SQL["block"], asked).fetchone()
        stop: int | None = row[0] if row else None
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


def requeue(carrier: str, numbers: Sequence[int], now: float, shards: int) -> Work[list[Message]]:
    """Has messages wait that were sent, and forgets their parts."""

    def work(session: Session) -> Callable[[], list[Message]]:
        rows = session.execute(SQL["sent"], {"ids": int8s(numbers)}).fetchall()
        back = [msgspec.structs.replace(m, due=now, maybe_duplicate=True) for m in messages(rows)]
        if back:
            values = {"carrier": session.carrier(carrier), "ids": int8s([m.id for m in back])}
            session.execute(SQL["forget_parts_of"], values)
            _rewrite(session, "requeue", back, now=now)
            sharing.arrive(session, sharing.away(back, shards))
        return lambda: back

    return work


def _rewrite(session: Session, name: str, changed: Sequence[Message], **more: Any) -> None:
    ids = int8s([m.id for m in changed])
    bodies = octets([encode_message(m) for m in changed])
    session.execute(SQL[name], {"ids": ids, "bodies": bodies, **more})
