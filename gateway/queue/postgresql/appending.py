"""What a transaction appends to the streams of events, as its last act.

The last ``seq`` of a tenant is a row that whoever appends to the stream locks until its commit: so
events are numbered in the order in which they become visible, whichever node has recorded them.
All that the calls of a transaction append is written together, the tenants in order, so that two
nodes never wait for each other crosswise.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.queue import events
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import float8s, int4s, int8s, octets
from gateway.queue.store import EventChunk

if TYPE_CHECKING:
    from gateway.queue.postgresql.session import Session

SQL: Final = statements.load("settling")


class Stream(msgspec.Struct):
    """What is appended to the events of one tenant: the outcomes of ``ids``, in their order, with
    what is kept of their ``lives``, and behind them other notices; ``newest`` is the latest of
    their times. ``chunks`` is what came of it."""

    tenant: str
    ids: Sequence[int]
    lives: Sequence[bytes]
    encoded: Sequence[bytes]
    newest: float
    chunks: list[EventChunk] = []


def append(session: "Session", streams: Sequence[Stream]) -> None:
    """Append streams, in order."""
    if not streams:
        return
    last = _last(session, {session.tenant(one.tenant) for one in streams})
    made: list[EventChunk] = []
    tenants: list[int] = []
    times: list[float] = []
    finished: tuple[list[int], list[int], list[int], list[bytes]] = ([], [], [], [])
    for one in streams:
        tenant = session.tenant(one.tenant)
        first = last[tenant] + 1
        one.chunks = events.chunks(one.tenant, first, one.encoded)
        last[tenant] += len(one.encoded)
        session.news.seqs[one.tenant] = last[tenant]
        made += one.chunks
        tenants += [tenant] * len(one.chunks)
        times += [one.newest] * len(one.chunks)
        finished[0].extend(one.ids)
        finished[1].extend([tenant] * len(one.ids))
        finished[2].extend(range(first, first + len(one.ids)))
        finished[3].extend(one.lives)
    session.seqs.update(last)
    values = {
        "tenants": int4s(tenants),
        "firsts": int8s([chunk.first for chunk in made]),
        "sizes": int4s([chunk.size for chunk in made]),
        "ats": float8s(times),
        "bodies": octets([chunk.body for chunk in made]),
    }
    session.execute(session.placed(SQL["events"]), values)
    session.execute(SQL["seqs"], {"tenants": int4s([*last]), "seqs": int8s([*last.values()])})
    if finished[0]:
        values = {
            "ids": int8s(finished[0]),
            "tenants": int4s(finished[1]),
            "seqs": int8s(finished[2]),
            "lives": octets(finished[3]),
        }
        session.execute(session.placed(SQL["finished"]), values)


def _last(session: "Session", tenants: set[int]) -> dict[int, int]:
    """The last ``seq`` of tenants: as it is known, where no other node can have given one since."""
    if session.alone and session.seqs.keys() >= tenants:
        return {tenant: session.seqs[tenant] for tenant in tenants}
    asked = {"tenants": int4s(sorted(tenants))}
    return dict(session.execute(SQL["lock_seqs"], asked).fetchall())
