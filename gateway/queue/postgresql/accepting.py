"""Accepting messages, their idempotency keys, and what they count as against caps.

Rows are made in the event loop, where a mistake in a message shows before anything is written; in
the writer's thread, names become numbers and columns go out as arrays.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.message import Encoding, LaneKey, Message
from gateway.numbers import canonical
from gateway.queue.accounts import charged
from gateway.queue.chunks import Chunks
from gateway.queue.marks import keep, marks
from gateway.queue.postgresql import accounts, arrived, backlog, sharing, statements
from gateway.queue.postgresql.arrays import (
    encode_message,
    float8s,
    int2s,
    int4s,
    int8s,
    maybe_float8s,
    octets,
    texts,
)
from gateway.queue.postgresql.arrived import ArrivedRow
from gateway.queue.postgresql.backlog import Gathered
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.schema import LEASED, WAITING
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.postgresql.sharing import Division
from gateway.queue.store import Entry, Known, Seen
from gateway.queue.tallies import accepted

SQL: Final = statements.load("accepting")

_LOCK: Final = b"SELECT pg_advisory_xact_lock(21316)"
"""Held until the commit by whoever goes by what counts: two nodes never spend the same room twice.
One lock for all, so that nobody waits crosswise."""

Answer = Mapping[int, Known] | None
"""What `accept` comes to; None where others were first (`gateway.queue.store.Overtaken`)."""


class _Rows(msgspec.Struct):
    """Columns of messages."""

    messages: list[Message] = []
    lanes: list[LaneKey] = []
    states: list[int] = []
    bodies: list[bytes] = []

    def add(self, message: Message, lane: LaneKey, leased: bool) -> None:
        self.messages.append(message)
        self.lanes.append(lane)
        self.states.append(LEASED if leased else WAITING)
        self.bodies.append(encode_message(message))

    def without(self, ids: Container[int]) -> "_Rows":
        """The same but for some messages."""
        kept = [at for at, one in enumerate(self.messages) if one.id not in ids]
        return _Rows(
            [self.messages[at] for at in kept],
            [self.lanes[at] for at in kept],
            [self.states[at] for at in kept],
            [self.bodies[at] for at in kept],
        )

    def columns(self, session: Session) -> dict[str, Any]:
        return {
            "ids": int8s([m.id for m in self.messages]),
            "lanes": int4s([session.lane(lane) for lane in self.lanes]),
            "shards": int2s([sharing.shard(m.to) for m in self.messages]),
            "states": int2s(self.states),
            "dues": float8s([m.due for m in self.messages]),
            "expires": float8s([m.expires_at for m in self.messages]),
            "ats": float8s([m.accepted_at for m in self.messages]),
            "bodies": octets(self.bodies),
        }


class _Keys(msgspec.Struct):
    """Columns of the keys of messages.

    Attributes:
        waits: whether any of these messages is to wait, for this node or another.
    """

    ids: list[int] = []
    ats: list[float] = []
    waits: bool = False
    tenants: list[str] = []
    names: list[bytes] = []
    digests: list[int] = []
    got: list[int] = []
    not_befores: list[float | None] = []

    def add(self, entry: Entry, key: str) -> None:
        m = entry.message
        self.ids.append(m.id)
        self.ats.append(m.accepted_at)
        self.waits = self.waits or not entry.leased
        self.tenants.append(m.tenant)
        self.names.append(key.encode())
        self.digests.append(entry.digest)
        self.got.append(m.parts << 1 | (m.encoding == "ucs2"))
        self.not_befores.append(m.due if m.due > m.accepted_at else None)

    def where(self, session: Session) -> dict[str, Any]:
        return {
            "tenants": int4s([session.tenant(tenant) for tenant in self.tenants]),
            "names": octets(self.names),
        }

    def columns(self, session: Session) -> dict[str, Any]:
        return self.where(session) | {
            "ids": int8s(self.ids),
            "ats": float8s(self.ats),
            "digests": int8s(self.digests),
            "got": int4s(self.got),
            "not_befores": maybe_float8s(self.not_befores),
        }


def accept(
    entries: Sequence[Entry],
    seen: Seen | None,
    limits: Mapping[str, int] | None,
    hour: int,
    division: Division,
    chunks: Chunks,
) -> tuple[Work[Answer], Sequence[ArrivedRow]]:
    """Accepts entries, at least one, that come in an hour, at a node that knows who has which
    shards; those of one part are in chunks, and the rows of those that go straight to a lane are
    returned too."""
    rows, keys, gathered = _Rows(), _Keys(), Gathered(division)
    lanes: dict[tuple[Any, ...], LaneKey] = {}
    leased: dict[LaneKey, list[Message]] = {}
    for entry in entries:
        m = entry.message
        name = (m.tenant, m.category, m.route, m.campaign)
        lane = lanes.get(name) or lanes.setdefault(name, m.lane)
        if entry.leased and m.parts == 1:
            leased.setdefault(lane, []).append(m)
        elif m.parts == 1:
            gathered.add(m, lane, m.accepted_at)
        else:
            rows.add(m, lane, entry.leased)
            if not entry.leased:
                gathered.add_alone(m, lane)
        if m.key is not None:
            keys.add(entry, m.key)
    waiting, few = gathered.chunks()
    for m in few:
        rows.add(m, m.lane, leased=False)
    newest = max(entry.message.id for entry in entries)
    came = entries[0].message.accepted_at
    charges = charged(entries, limits)
    counting = [] if seen is None else [entry for entry in entries if entry.message.counted]

    of_chunks = arrived.rows(chunks, leased)  # from here on nothing fails any more

    def work(session: Session) -> Callable[[], Answer]:
        if not session.alone and (seen is not None or limits is not None):
            session.execute(_LOCK)
        if seen is not None and counting and _overtaken(session, counting, seen):
            return lambda: None
        if charges is not None and accounts.overdrawn(session, charges):
            return lambda: None
        offered, stored = None, rows
        twice: set[int] = set()
        if keys.ids:
            offered = session.execute(session.placed(SQL["keys"]), keys.columns(session))
            # Whoever leases, or counts, in the same transaction must not find a duplicate.
            if keys.waits or counting or charges is not None:
                twice = set(keys.ids).difference(every(offered.fetchall()))
                stored = rows.without(twice) if twice else rows
        # At once, for who accepts others in the same transaction.
        if counting:
            _reserve(session, [one for one in counting if one.message.id not in twice])
        if charges is not None:
            without = [at for at, one in enumerate(entries) if one.message.id in twice]
            accounts.add(session, charges.without(without))
        if stored.messages:
            session.execute(SQL["messages"], stored.columns(session))
        arrived.insert(session, of_chunks)
        backlog.insert(session, waiting, twice)
        sharing.arrive(session, gathered.away)

        def finish() -> Answer:
            duplicates: dict[int, Known] = {}
            if offered is not None and offered.rowcount < len(keys.ids):
                duplicates = _duplicates(session, entries, keys)
            fresh = entries
            if duplicates:
                fresh = [one for at, one in enumerate(entries) if at not in duplicates]
                ids = {entries[at].message.id for at in duplicates}
                session.execute(SQL["duplicates"], {"ids": int8s([*ids])})
                arrived.never_came(session, of_chunks, ids)
            session.count(accepted([one.message for one in fresh]), hour)
            session.accepted(newest, came)
            return duplicates

        return finish

    return work, of_chunks


def _duplicates(session: Session, entries: Sequence[Entry], keys: _Keys) -> dict[int, Known]:
    """What the keys of those entries stand for that are not stored."""
    cursor = session.execute(SQL["standing"], keys.where(session))
    standing: dict[tuple[bytes, int], Known] = {}
    by_name: dict[bytes, list[Known]] = {}
    for name, *rest in cursor.fetchall():
        found = known(*rest)
        by_name.setdefault(name, []).append(found)
        standing[name, found.message] = found
    duplicates: dict[int, Known] = {}
    several = len({entry.message.tenant for entry in entries}) > 1
    for at, entry in enumerate(entries):
        m = entry.message
        if m.key is None or (m.key.encode(), m.id) in standing:
            continue
        if several:
            duplicates[at] = _one(session, m.tenant, m.key.encode())
        else:
            [duplicates[at], *_] = by_name[m.key.encode()]
    return duplicates


def _one(session: Session, tenant: str, name: bytes) -> Known:
    [row] = session.execute(SQL["known"], {"tenant": tenant, "names": octets([name])}).fetchall()
    return known(*row[1:])


def known(message: int, digest: int, got: int, not_before: float | None) -> Known:
    """What a key stands for, from its row."""
    encoding: Encoding = "ucs2" if got & 1 else "gsm7"
    return Known(message, digest, got >> 1, encoding, not_before)


def look_up(connection: Connected, tenant: str, asked: Sequence[str]) -> dict[str, Known]:
    """What a tenant's keys stand for; unknown ones are left out."""
    values = {"tenant": tenant, "names": octets([key.encode() for key in asked])}
    rows = connection.cursor(binary=True).execute(SQL["known"], values)
    return {bytes(name).decode(): known(*rest) for name, *rest in rows}


def _overtaken(session: Session, counting: Sequence[Entry], seen: Seen) -> bool:
    """Whether more counts of a phone than was seen."""
    phones = {canonical(entry.message.to) for entry in counting}
    tenant = session.tenant(counting[0].message.tenant)
    rows = session.execute(SQL["counting"], {"tenant": tenant, "phones": texts(phones)})
    nobody = frozenset[int]()
    return any(number not in seen.get(phone, nobody) for phone, number in rows.fetchall())


def _reserve(session: Session, entries: Sequence[Entry]) -> None:
    """Let messages count."""
    rows = [
        (session.tenant(m.tenant), canonical(m.to), m.id, marks(c), m.due, keep(c))
        for m in (entry.message for entry in entries)
        if (c := m.counted)
    ]
    if rows:
        tenants, phones, ids, counted, ats, keeps = zip(*rows, strict=True)
        session.execute(
            SQL["reserve"],
            {
                "tenants": int4s(tenants),
                "phones": texts(phones),
                "ids": int8s(ids),
                "marks": octets(counted),
                "ats": float8s(ats),
                "keeps": int8s(keeps),
            },
        )
