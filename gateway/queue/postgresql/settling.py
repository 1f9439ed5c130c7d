"""What became of messages, made durable: sent, progress, outcomes and the events that tell them.

As in `accepting`, the rows are made in the event loop; what is left for the writer's thread is to
see which messages are still there, and to give events their ``seq``.
"""

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.numbers import canonical
from gateway.queue import events, store
from gateway.queue.accounts import settling
from gateway.queue.chunks import Owner
from gateway.queue.postgresql import (
    accounts,
    arrived,
    backlog,
    optouts,
    phones,
    records,
    statements,
    taken,
)
from gateway.queue.postgresql.appending import Stream
from gateway.queue.postgresql.arrays import (
    encode_handed,
    encode_life,
    encode_message,
    float8s,
    int2s,
    int4s,
    int8s,
    octets,
    texts,
)
from gateway.queue.postgresql.arrived import PartedRow
from gateway.queue.postgresql.schema import SENT
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.postgresql.sharing import combined, shard
from gateway.queue.postgresql.shelves import Departure, Shelves
from gateway.queue.postgresql.taken import Entry, Parts
from gateway.queue.store import (
    PASSED_ON,
    EventChunk,
    HeldKind,
    Progress,
    Sent,
    Settlement,
    went,
)
from gateway.queue.tallies import HOUR, Key, add, ended

SQL: Final = statements.load("settling")


class Settled(NamedTuple):
    """What came of a settlement, see `gateway.queue.store.Settled`; ``streams`` have the new
    events, once the transaction is made."""

    passed_over: frozenset[int]
    complete: dict[int, bytes]
    streams: list[Stream]

    @property
    def chunks(self) -> list[EventChunk]:
        return [chunk for one in self.streams for chunk in one.chunks]


class _Stream(msgspec.Struct):
    """What is to be appended to the events of one tenant: the outcomes of ``ids``, in their order,
    and behind them the notices; ``newest`` is the latest of their times."""

    ids: list[int] = []
    outcomes: list[bytes] = []
    lives: list[bytes] = []
    notices: list[bytes] = []
    newest: float = 0.0


class _Rows(msgspec.Struct):
    """A `Settlement` as columns."""

    finals: list[store.Final]
    final: Collection[int]
    repeated: set[int]
    streams: dict[str, _Stream]
    entries: list[Entry] = []
    owners: set[Owner] = set()
    parted: list[PartedRow] = []
    sent: dict[str, Any] | None = None
    marked: dict[str, Any] | None = None
    parts: Parts = {}
    expected: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    refs: list[tuple[str, bytes]] = []
    hold: dict[str, Any] | None = None
    drop: dict[str, Any] | None = None
    passed_on: int = 0
    uses_sent: list[tuple[str, str, int]] = []
    uses_back: list[tuple[str, str, int]] = []


def _rows(
    settlement: Settlement,
    told: Container[int],
    shelves: Shelves,
    now: float,
    *,
    alone: bool,
    passed_on: bool,
) -> _Rows:
    first: dict[int, store.Final] = {}
    repeated: set[int] = set()
    streams: dict[str, _Stream] = {}
    for one in settlement.finals:
        m, event = one.message, one.event
        if m.id in first:
            repeated.add(m.id)
            continue
        first[m.id] = one
        stream = streams.get(m.tenant) or streams.setdefault(m.tenant, _Stream())
        stream.ids.append(m.id)
        stream.outcomes.append(events.encode(event))
        stream.lives.append(encode_life(one.life))
        stream.newest = max(stream.newest, event.at)
    for tenant, event in settlement.notices:
        stream = streams.get(tenant) or streams.setdefault(tenant, _Stream())
        stream.notices.append(events.encode(event))
        stream.newest = max(stream.newest, event.at)
    rows = _Rows([*first.values()], first.keys(), repeated, streams)
    # A message that is sent and final at once never needs to be found by a receipt.
    sent = [one for one in settlement.sent if one.message.id not in first]
    _add_sent(rows, sent, told, shelves, now, alone=alone, passed_on=passed_on)
    if settlement.expected:
        states = dict(settlement.expected)
        rows.expected = {"ids": int8s([*states]), "states": octets([*states.values()])}
    if settlement.progress:
        rows.progress = _told(settlement.progress)
    in_taken = shelves.taken.holds  # whose parts have no rows of their own
    rows.refs = [
        (carrier, ref.encode())
        for one in first.values()
        if not in_taken(one.message.id)
        for carrier, ref in one.refs
    ]
    _add_held(rows, settlement)
    _add_uses(rows, settlement)
    return rows


def _add_sent(
    rows: _Rows,
    sent: Sequence[Sent],
    told: Container[int],
    shelves: Shelves,
    now: float,
    *,
    alone: bool,
    passed_on: bool,
) -> None:
    """Messages of one part stay in chunks; others that were in one go on in rows. Where several
    nodes work, so does what has a row: its shard may be about to go to another. And everything does
    where one of them does not pass on the receipts that come to it."""
    in_rows: list[Sent] = []
    entries: list[Entry] = []
    for one in sent:
        m = one.message
        entry = Entry(m.id, one.carrier, one.deadline, one.refs, one.handed)
        in_chunk = shelves.arrived.holds(m.id)
        stays = alone or (in_chunk and passed_on)
        if stays and m.parts == 1 and not m.maybe_duplicate and m.id not in told:
            rows.entries.append(entry)
            rows.owners.add((m.tenant, m.category))
            continue
        entries.append(entry)
        if in_chunk:
            rows.parted.append(arrived.parted(m, SENT, now, one.deadline, one.handed))
        else:
            in_rows.append(one)
    rows.parts = taken.parts_of(entries)
    if in_rows:
        rows.sent = {
            "ids": int8s([one.message.id for one in in_rows]),
            "deadlines": float8s([one.deadline for one in in_rows]),
            "handed": octets([encode_handed(one.handed) for one in in_rows]),
        }
        marked = [one.message for one in in_rows if one.message.maybe_duplicate]
        if marked:
            rows.marked = {
                "ids": int8s([m.id for m in marked]),
                "bodies": octets([encode_message(m) for m in marked]),
            }


def _told(progress: Sequence[Progress]) -> dict[str, Any]:
    none, parts, came = (dict[int, bytearray]() for _ in range(3))
    for number, part, state, size in progress:
        none.setdefault(number, bytearray(size))
        parts.setdefault(number, bytearray()).append(part)
        came.setdefault(number, bytearray()).append(state)
    columns = {"none": none, "parts": parts, "came": came}
    return {
        "ids": int8s([*none]),
        **{name: octets([*map(bytes, of.values())]) for name, of in columns.items()},
    }


def _add_held(rows: _Rows, settlement: Settlement) -> None:
    held = {(one.kind, one.key): one for one in settlement.hold}
    if held:
        rows.hold = {
            "kinds": texts(one.kind for one in held.values()),
            "keys": octets([one.key.encode() for one in held.values()]),
            "bodies": octets([one.body for one in held.values()]),
            "expires": float8s([one.expires_at for one in held.values()]),
            "shards": int2s(
                [-1 if one.phone is None else shard(one.phone) for one in held.values()]
            ),
        }
        rows.passed_on = combined(
            [shard(one.phone) for one in held.values() if one.kind in PASSED_ON and one.phone]
        )
    if settlement.drop:
        rows.drop = {
            "kinds": texts(kind for kind, _ in settlement.drop),
            "keys": octets([key.encode() for _, key in settlement.drop]),
        }


def _add_uses(rows: _Rows, settlement: Settlement) -> None:
    for sent in settlement.sent:
        if (m := sent.message).counted:
            rows.uses_sent.append((m.tenant, canonical(m.to), m.id))
    for final in settlement.finals:
        if (m := final.message).counted:
            of = rows.uses_sent if went(final.event) else rows.uses_back
            of.append((m.tenant, canonical(m.to), m.id))


def settle(
    settlement: Settlement, shelves: Shelves, now: float, *, alone: bool, passed_on: bool
) -> tuple[Work[Settled], Departure]:
    """Records a settlement, and says what leaves chunks with it; ``alone``: no other node works
    beside this one; ``passed_on``: all that do pass its receipts on."""
    told_of = {one.message for one in settlement.progress}
    told_of.update(number for number, _ in settlement.expected)
    if told_of:
        shelves.part(told_of)
    rows = _rows(settlement, told_of, shelves, now, alone=alone, passed_on=passed_on)
    hour = int(now // HOUR)
    changes, consents = optouts.rows(settlement.optouts), records.rows(settlement.consents)
    strikes, heard = phones.struck(settlement.strikes), phones.heard(settlement.heard)
    charges = settling(settlement)
    counts = ended(rows.finals)
    add(counts, settlement.tallies)
    parted = [row.id for row in rows.parted]
    beside = told_of.union(
        [m.id for m in (one.message for one in settlement.sent) if not shelves.arrived.holds(m.id)]
    ).difference(rows.final)
    # From here on nothing fails any more.
    leaving = shelves.settle(rows.final, parted, rows.entries, rows.owners, now)

    def work(session: Session) -> Callable[[], Settled]:
        execute = session.execute
        leaving.begin(session)
        _have_rows(session, beside)
        arrived.part(session, rows.parted)
        if rows.sent is not None:
            execute(SQL["sent"], rows.sent | {"now": now})
        if rows.marked is not None:
            execute(SQL["marked"], rows.marked)
        taken.put_parts(session, rows.parts, now)
        if rows.expected is not None:
            execute(SQL["expected"], rows.expected)
        told = None
        if rows.progress is not None:
            told = execute(SQL["progress"], rows.progress | {"now": now})
        in_chunks = leaving.from_arrived.chunk_of
        ids = [number for one in rows.streams.values() for number in one.ids]
        gone = _end(session, [number for number in ids if number not in in_chunks])
        appended = _append(session, rows.streams, gone)
        leaving.end(session)
        if rows.refs:
            carriers = int4s([session.carrier(carrier) for carrier, _ in rows.refs])
            refs = octets([ref for _, ref in rows.refs])
            execute(SQL["forget_parts"], {"carriers": carriers, "refs": refs})
        if rows.hold is not None:
            execute(SQL["hold"], rows.hold | {"node": session.number})
            session.news.passed_on |= rows.passed_on
        if rows.drop is not None:
            execute(SQL["drop"], rows.drop)
        if changes:
            optouts.change(session, changes)
        if consents:
            records.add(session, consents)
        accounts.settle(session, charges, gone)
        if strikes or heard:
            phones.note(session, strikes, heard)
        _spend(session, "uses_sent", rows.uses_sent, now)
        _spend(session, "uses_back", rows.uses_back, now)
        session.count(counts, hour)
        if gone:
            late: Mapping[Key, int] = ended([f for f in rows.finals if f.message.id in gone])
            session.count(late, hour, -1)

        def finish() -> Settled:
            came = told.fetchall() if told is not None else ()
            over = {n: states for n, is_over, states in came if is_over and n not in rows.final}
            return Settled(frozenset(gone | rows.repeated), over, appended)

        return finish

    return work, leaving


def revise(
    kind: HeldKind,
    keys: Sequence[str],
    change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]],
    expires_at: float,
) -> Work[Mapping[str, bytes]]:
    """Changes what nodes hold together, under keys in order."""
    asked = {"kind": kind, "keys": octets([key.encode() for key in keys])}

    def work(session: Session) -> Callable[[], Mapping[str, bytes]]:
        session.execute(SQL["make_held"], asked)  # so that there is a row to lock
        rows = session.execute(SQL["lock_held"], asked).fetchall()
        changed = change({bytes(key).decode(): bytes(body) for key, body in rows if body})
        values = {
            "keys": octets([key.encode() for key in changed]),
            "bodies": octets([*changed.values()]),
        }
        session.execute(SQL["revise"], {"kind": kind, "expires": expires_at, **values})
        return lambda: changed

    return work


def _spend(session: Session, name: str, uses: Sequence[tuple[str, str, int]], now: float) -> None:
    """Let messages count as sent, or no more."""
    if uses:
        tenants, numbers, ids = zip(*uses, strict=True)
        values = {
            "tenants": int4s([session.tenant(tenant) for tenant in tenants]),
            "phones": texts(numbers),
            "ids": int8s(ids),
            "now": now,
        }
        session.execute(SQL[name], values)


def _have_rows(session: Session, ids: Collection[int]) -> None:
    """See to it that messages in no chunk of ``arrived`` have rows, and wait no more. Nearly always
    they have, and do not."""
    if ids:
        asked = {"ids": int8s([*ids])}
        [[present]] = session.execute(SQL["not_waiting"], asked).fetchall()
        if present < len(ids):
            backlog.part_with(session, ids)
            session.execute(SQL["wait_no_more"], asked)


def _end(session: Session, ids: Sequence[int]) -> set[int]:
    """Take messages with an outcome out of the queue; returns those that were not in it."""
    if not ids:
        return set()
    found = session.execute(SQL["end"], {"ids": int8s(ids)}).fetchall()
    if len(found) == len(ids):
        return set()
    gone = set(ids).difference(every(found))
    backlog.part_with(session, gone)
    found = session.execute(SQL["end"], {"ids": int8s([*gone])}).fetchall()
    return gone.difference(every(found))


def _append(session: Session, streams: Mapping[str, _Stream], gone: set[int]) -> list[Stream]:
    """Append the events of streams, but for the outcomes of messages that are gone."""
    appended = []
    for name, stream in streams.items():
        ids, outcomes, lives = stream.ids, stream.outcomes, stream.lives
        if not gone.isdisjoint(ids):
            kept = [at for at, number in enumerate(ids) if number not in gone]
            ids, outcomes = [ids[at] for at in kept], [outcomes[at] for at in kept]
            lives = [lives[at] for at in kept]
        if encoded := outcomes + stream.notices:
            appended.append(Stream(name, ids, lives, encoded, stream.newest))
            session.append(appended[-1])
    return appended
