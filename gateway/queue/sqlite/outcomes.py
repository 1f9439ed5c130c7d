"""What became of messages, made durable: sent, progress, outcomes and the events that tell them.

As in `writes`, the rows are made in the event loop; what is left for the writer's thread is to
see which messages are still there, to give events their ``seq``, and the SQL.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec

from gateway.queue import events, parts, store
from gateway.queue.accounts import Settling, settling
from gateway.queue.chunks import NOBODY, Chunks, Leaving, Owner
from gateway.queue.consents import Consent
from gateway.queue.sqlite import accounts, arrived, backlog, consents, failing, reserved, writes
from gateway.queue.sqlite import taken as taken_rows
from gateway.queue.sqlite.arrived import Arrived
from gateway.queue.sqlite.bulk import Execute, Rows, encode_life, encode_message, numbers, texts
from gateway.queue.sqlite.reserved import Reservations
from gateway.queue.sqlite.schema import LEASED, TENANT_BITS
from gateway.queue.sqlite.session import Session
from gateway.queue.sqlite.stats import Place
from gateway.queue.sqlite.taken import TakenRow
from gateway.queue.store import EventChunk, HeldKind, Progress, Settlement
from gateway.queue.tallies import HOUR, add, ended

_MARK: Final = Rows(
    "WITH new (id, body) AS (",
    2,
    ") UPDATE OR ROLLBACK message SET body = new.body FROM new WHERE message.id = new.id",
)
_STATES: Final = Rows(
    "WITH new (id, states) AS (",
    2,
    ") UPDATE OR ROLLBACK message SET states = new.states FROM new WHERE message.id = new.id",
)
_EVENTS: Final = Rows.inserted("OR ROLLBACK INTO event", 4)
_FINISHED: Final = Rows.inserted("OR REPLACE INTO finished", 4)
_SEQS: Final = Rows(
    "WITH new (id, seq) AS (",
    2,
    ") UPDATE OR ROLLBACK tenant SET seq = new.seq FROM new WHERE tenant.id = new.id",
)
_HOLD: Final = Rows.inserted("OR REPLACE INTO held", 4)


class Stream(msgspec.Struct):
    """What is appended to the events of one tenant: the outcomes of ``ids``, in their order, and
    behind them the notices; ``times`` are those of all of them."""

    tenant: str
    number: int
    ids: list[int] = []
    lives: list[bytes] = []
    outcomes: list[bytes] = []
    notices: list[bytes] = []
    times: list[float] = []


class SettlementRows(msgspec.Struct):
    """A `Settlement` as rows; ``counts`` are those of the ``hour``, with all of ``finals``.

    Attributes:
        late: chunks that are shelved before anything else is done (`Chunks.late`).
        from_arrived, from_taken: which messages leave their chunks.
        parted: of these, those that go on in rows of their own.
        taken: the chunk of those that a carrier has taken now.
        alone: those that carriers have and that are in no chunk of ``arrived``.
        ripe, ripe_taken: chunks that are shelved after all else.
        expected, progress: of messages in rows; ``chunk_expected`` and ``chunk_progress`` of those
            in chunks.
    """

    hour: int
    late: list[int] = []
    from_arrived: Leaving = NOBODY
    from_taken: Leaving = NOBODY
    finals: list[store.Final] = []
    counts: dict[Place, int] = {}
    streams: dict[str, Stream] = {}
    repeated: set[int] = set()
    taken: TakenRow | None = None
    ripe: list[int] = []
    ripe_taken: list[int] = []
    marked: list[Any] = []
    parted: list[Any] = []
    expected: list[Any] = []
    chunk_expected: list[Any] = []
    progress: list[Progress] = []
    alone: set[int] = set()
    chunk_progress: list[Progress] = []
    forgotten: list[int] = []
    refs: dict[int, list[str]] = {}
    hold: list[Any] = []
    drop: list[tuple[HeldKind, str]] = []
    optouts: list[writes.OptoutRow] = []
    spending: reserved.Settling | None = None
    charges: Settling | None = None
    consents: list[tuple[int, Consent]] = []
    silent: failing.FailingRows | None = None


class Settled(NamedTuple):
    """What came of a settlement, see `gateway.queue.store.Settled`; ``chunks`` are the new
    events."""

    passed_over: frozenset[int]
    complete: dict[int, bytes]
    chunks: list[EventChunk]


def settlement_rows(
    session: Session,
    settlement: Settlement,
    arrived_chunks: Arrived,
    taken_chunks: Chunks,
    reservations: Reservations | None,
    now: float,
    *,
    charging: bool,
) -> SettlementRows:
    """The rows of a settlement; no ``reservations`` say that no message counts against caps,
    ``charging`` whether any are charged."""
    rows = SettlementRows(int(now // HOUR), drop=settlement.drop)
    number_of = session.carriers.number
    refs: dict[str, list[str]] = {}
    carriers: dict[str, int] = {}
    in_arrived, in_taken = arrived_chunks.holds, taken_chunks.holds
    finals = _firsts(rows, settlement.finals)
    final = {one.message.id for one in finals}
    for tenant, those in _by_tenant(finals):
        stream = _stream(session, rows, tenant)
        stream.ids = [one.message.id for one in those]
        stream.lives = [encode_life(one.life) for one in those]
        stream.outcomes = [events.encode(one.event) for one in those]
        stream.times = [one.event.at for one in those]
    for one in finals:
        if not in_taken(one.message.id):  # else its parts have no rows of their own
            for carrier, ref in one.refs:
                refs.setdefault(carrier, []).append(ref)
    for tenant, event in settlement.notices:
        stream = rows.streams.get(tenant) or _stream(session, rows, tenant)
        stream.notices.append(events.encode(event))
        stream.times.append(event.at)
    entries: list[taken_rows.Entry] = []
    marked: set[int] = set()
    owners: set[Owner] = set()
    due = math.inf
    for sent in settlement.sent:
        message = sent.message
        # A message that is sent and final at once never needs to be found by a receipt.
        if message.id not in final:
            if message.maybe_duplicate:
                marked.add(message.id)
                if in_arrived(message.id):
                    lane = session.lanes.number(writes.lane_name(message.lane))
                    rows.parted += arrived.columns(message, lane, now, message.due)
                else:
                    rows.marked += (message.id, encode_message(message))
            carrier = sent.carrier
            number = carriers.get(carrier) or carriers.setdefault(carrier, number_of(carrier))
            if not in_arrived(message.id):
                rows.alone.add(message.id)
            entries.append((message.id, number, sent.deadline, sent.refs, sent.handed))
            owners.add((message.tenant, message.category))
            due = min(due, sent.deadline)
    rows.refs = {number_of(carrier): gone for carrier, gone in refs.items()}
    for number, states in settlement.expected:
        in_chunk = in_arrived(number) and number not in marked
        (rows.chunk_expected if in_chunk else rows.expected).extend((number, states))
    for told in settlement.progress:
        in_chunk = in_arrived(told.message) and told.message not in marked
        (rows.chunk_progress if in_chunk else rows.progress).append(told)
    for held in settlement.hold:
        rows.hold += held[:4]
    rows.optouts = writes.optout_rows(session, settlement.optouts)
    rows.consents = consents.rows(session, settlement.consents)
    rows.silent = failing.rows(session, settlement.strikes, settlement.heard)
    if charging:
        rows.charges = settling(settlement)
    counts = ended(finals)
    add(counts, settlement.tallies)
    rows.counts = session.places(counts, rows.hour)
    body = taken_rows.encode(entries)
    # From here on nothing fails any more.
    if reservations is not None:
        rows.spending = reservations.settling(session.tenants.number, settlement.sent, finals, now)
    rows.late = arrived_chunks.late()
    rows.from_arrived = arrived_chunks.leave([*final, *marked])
    rows.from_taken = taken_chunks.leave(final)
    if entries:
        refs_of = frozenset([ref for entry in entries for ref in entry[3]])
        number = taken_chunks.note([entry[0] for entry in entries], now, due, owners, refs_of)
        rows.taken = TakenRow(number, now, body)
    arrived_chunks.progressed.update(rows.chunk_expected[::2])
    arrived_chunks.progressed.update([one.message for one in rows.chunk_progress])
    if arrived_chunks.progressed:
        rows.forgotten = [*arrived_chunks.progressed.intersection(rows.from_arrived.chunk_of)]
    _ripen(rows, arrived_chunks, taken_chunks, now)
    return rows


def _firsts(rows: SettlementRows, finals: list[store.Final]) -> list[store.Final]:
    """The first outcome of each message, which counts."""
    if len({one.message.id for one in finals}) < len(finals):
        first: dict[int, store.Final] = {}
        for one in finals:
            if one.message.id in first:
                rows.repeated.add(one.message.id)
            else:
                first[one.message.id] = one
        finals = [*first.values()]
    rows.finals = finals
    return finals


def _by_tenant(finals: list[store.Final]) -> Iterable[tuple[str, list[store.Final]]]:
    tenants = {one.message.tenant for one in finals}
    if len(tenants) == 1:  # nearly always
        return [(tenants.pop(), finals)]
    those: dict[str, list[store.Final]] = {}
    for one in finals:
        those.setdefault(one.message.tenant, []).append(one)
    return those.items()


def _ripen(rows: SettlementRows, arrived_chunks: Chunks, taken_chunks: Chunks, now: float) -> None:
    """Take out the chunks that are to be shelved: those of ``arrived`` first, whose rows those of
    ``taken`` need."""
    ripe = taken_chunks.ripe(now)
    rows.ripe_taken = [*taken_chunks.late(), *ripe]
    needed = arrived_chunks.with_any(chain.from_iterable(ripe.values()))
    for number in needed:
        arrived_chunks.forget(number)
    rows.ripe = [*needed, *arrived_chunks.ripe(now)]


def _stream(session: Session, rows: SettlementRows, tenant: str) -> Stream:
    stream = rows.streams[tenant] = Stream(tenant, session.tenants.number(tenant))
    return stream


def settle(session: Session, rows: SettlementRows) -> Settled:
    """Record a settlement."""
    execute = session.execute
    if rows.late:
        arrived.shelve(session, rows.late)
    if rows.alone or rows.expected or rows.progress:
        _have_rows(session, rows)
    if rows.taken:
        taken_rows.insert(execute, rows.taken)
    arrived.part(session, rows.parted, LEASED)
    _MARK.run(execute, rows.marked)
    _STATES.run(execute, rows.expected)
    arrived.note_progress(execute, rows.chunk_expected)
    complete = _hear(execute, rows)
    gone = _remove(session, rows)
    chunks = _append(session, rows.streams.values(), gone)
    _leave(session, rows)
    for carrier, refs in rows.refs.items():
        execute(
            """DELETE FROM part WHERE carrier = ?
            AND ref IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (carrier, texts(refs)),
        )
    _HOLD.run(execute, rows.hold)
    for kind in {kind for kind, _ in rows.drop}:
        keys = [key for of, key in rows.drop if of == kind]
        execute(
            """DELETE FROM held WHERE kind = ?
            AND key IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (kind, texts(keys)),
        )
    if rows.consents:
        consents.add(execute, rows.consents)
    if rows.silent:
        failing.settle(execute, rows.silent)
    if rows.spending:
        reserved.settle(execute, rows.spending)
    if rows.charges:
        accounts.settle(execute, rows.charges, gone)
    if rows.optouts:
        writes.optout(session, rows.optouts)
    session.stats.add(rows.counts)
    if gone:
        late = ended([one for one in rows.finals if one.message.id in gone])
        session.stats.add(session.places(late, rows.hour), -1)
    return Settled(frozenset(gone | rows.repeated), complete, chunks)


def _hear(execute: Execute, rows: SettlementRows) -> dict[int, bytes]:
    """Note the receipts of parts that have come; gives the messages that wait for none any more."""
    states: dict[int, bytes] = {}
    if rows.progress:
        ids = numbers(told.message for told in rows.progress)
        query = "SELECT id, states FROM message WHERE id IN (SELECT value FROM carray(?))"
        known: dict[int, bytes | None] = dict(execute(query, (ids,)))
        states = _filled(known, [told for told in rows.progress if told.message in known])
        _STATES.run(execute, [*chain.from_iterable(states.items())])
    if rows.chunk_progress:
        of_chunks = arrived.progress(execute, [told.message for told in rows.chunk_progress])
        filled = _filled(of_chunks, rows.chunk_progress)
        arrived.note_progress(execute, [*chain.from_iterable(filled.items())])
        states |= filled
    final = {one.message.id for one in rows.finals}
    return {n: of for n, of in states.items() if n not in final and parts.complete(of)}


def _filled(known: Mapping[int, Any], told: Iterable[Progress]) -> dict[int, bytes]:
    """The states of messages with what is told."""
    states: dict[int, bytearray] = {}
    for number, part, state, size in told:
        if number not in states:
            states[number] = bytearray(known.get(number) or size)
        parts.fill(states[number], part, state)
    return {number: bytes(of) for number, of in states.items()}


def be_due(session: Session, messages: Iterable[int], now: float) -> None:
    """Sent messages are overdue."""
    session.execute(
        """UPDATE message SET due = min(due, ?) WHERE state = 2
        AND id IN (SELECT value FROM carray(?))""",
        (now, numbers(messages)),
    )


def _have_rows(session: Session, rows: SettlementRows) -> None:
    """See to it that messages in no chunk of ``arrived`` have rows, and wait no more if a carrier
    has them. Nearly always they have, and do not."""
    execute = session.execute
    told = {*rows.alone, *rows.expected[::2], *[one.message for one in rows.progress]}
    query = "SELECT count(*) FROM message WHERE id IN (SELECT value FROM carray(?)) AND state <> 0"
    [[present]] = execute(query, (numbers(told),))
    if present < len(told):
        backlog.part_with(session, told)
        if rows.alone:
            query = "UPDATE message SET state = 1 WHERE id IN (SELECT value FROM carray(?))"
            execute(f"{query} AND state = 0", (numbers(rows.alone),))


def _leave(session: Session, rows: SettlementRows) -> None:
    """Forget the chunks that nothing is left in, and shelve those whose time has come: what has its
    outcome is known to have left them by now."""
    execute = session.execute
    if rows.forgotten:
        arrived.forget_progress(execute, rows.forgotten)
    if rows.from_arrived.emptied:
        arrived.delete(execute, rows.from_arrived.emptied)
    if rows.from_taken.emptied:
        taken_rows.delete(execute, rows.from_taken.emptied)
    if rows.ripe:
        arrived.shelve(session, rows.ripe)
    if rows.ripe_taken:
        taken_rows.shelve(session, rows.ripe_taken)


def _remove(session: Session, rows: SettlementRows) -> set[int]:
    """Take messages with an outcome out of the queue that have rows there; returns those that were
    not in it."""
    of_chunks = rows.from_arrived.chunk_of
    ids = [n for stream in rows.streams.values() for n in stream.ids if n not in of_chunks]
    if not ids:
        return set()
    among = "FROM message WHERE id IN (SELECT value FROM carray(?))"
    [[present]] = session.execute(f"SELECT count(*) {among}", (numbers(ids),))
    gone: set[int] = set()
    if present < len(ids):
        gone = set(ids).difference(*session.execute(f"SELECT id {among}", (numbers(ids),)))
    if gone:
        backlog.part_with(session, gone)
        gone.difference_update(*session.execute(f"SELECT id {among}", (numbers(gone),)))
    session.execute(f"DELETE {among}", (numbers(ids),))
    return gone


def _append(session: Session, streams: Iterable[Stream], gone: set[int]) -> list[EventChunk]:
    """Append the events of streams, but for the outcomes of messages that are gone."""
    seqs: list[int] = []
    finished: list[Any] = []
    stored: list[Any] = []
    made: list[EventChunk] = []
    for stream in streams:
        ids, outcomes, lives = stream.ids, stream.outcomes, stream.lives
        if not gone.isdisjoint(ids):
            kept = [at for at, number in enumerate(ids) if number not in gone]
            ids, outcomes = [ids[at] for at in kept], [outcomes[at] for at in kept]
            lives = [lives[at] for at in kept]
        encoded = outcomes + stream.notices
        if not encoded:
            continue
        tenant = stream.number
        last = session.last_seq(tenant)
        newest = max(stream.times)
        for chunk in events.chunks(stream.tenant, last + 1, encoded):
            made.append(chunk)
            stored += ((tenant << TENANT_BITS) + chunk.first, chunk.size, newest, chunk.body)
        session.seqs[tenant] = last + len(encoded)
        seqs += (tenant, session.seqs[tenant])
        for seq, (number, life) in enumerate(zip(ids, lives, strict=True), last + 1):
            finished += (number, tenant, seq, life)
    _EVENTS.run(session.execute, stored)
    _FINISHED.run(session.execute, finished)
    _SEQS.run(session.execute, seqs)
    return made
