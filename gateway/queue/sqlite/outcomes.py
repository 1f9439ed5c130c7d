"""What became of messages, made durable: sent, progress, outcomes and the events that tell them.

As in `writes`, the rows are made in the event loop; what is left for the writer's thread is to
see which messages are still there, to give events their ``seq``, and the SQL.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from gateway.queue import events, store
from gateway.queue.accounts import Settling, settling
from gateway.queue.consents import Consent
from gateway.queue.sqlite import accounts, consents, failing, uses, writes
from gateway.queue.sqlite import taken as taken_rows
from gateway.queue.sqlite.bulk import Rows, encode_life, encode_message, numbers, texts
from gateway.queue.sqlite.schema import TENANT_BITS
from gateway.queue.sqlite.session import Session
from gateway.queue.sqlite.stats import Place
from gateway.queue.sqlite.taken import Taken, TakenRow
from gateway.queue.store import EventChunk, HeldKind, Settlement
from gateway.queue.tallies import HOUR, add, ended

_MARK: Final = Rows(
    "WITH new (id, body) AS (",
    2,
    ") UPDATE OR ROLLBACK message SET body = new.body FROM new WHERE message.id = new.id",
)
_PROGRESS: Final = Rows(
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
    """A `Settlement` as rows; ``counts`` are those of the ``hour``, with all of ``finals``."""

    hour: int
    finals: list[store.Final] = []
    counts: dict[Place, int] = {}
    streams: dict[str, Stream] = {}
    repeated: set[int] = set()
    taken: TakenRow | None = None
    emptied: list[int] = []
    ripe: list[int] = []
    marked: list[Any] = []
    progress: list[Any] = []
    refs: dict[int, list[str]] = {}
    hold: list[Any] = []
    drop: list[tuple[HeldKind, str]] = []
    optouts: list[writes.OptoutRow] = []
    spent: uses.Spent | None = None
    charges: Settling | None = None
    consents: list[tuple[int, Consent]] = []
    silent: failing.FailingRows | None = None


class Settled(NamedTuple):
    """``passed_over`` had their outcome already; ``chunks`` are the new events."""

    passed_over: frozenset[int]
    chunks: list[EventChunk]


def settlement_rows(
    session: Session,
    settlement: Settlement,
    taken: Taken,
    now: float,
    *,
    counting: bool,
    charging: bool,
) -> SettlementRows:
    """The rows of a settlement; ``counting`` says whether messages count against caps at all,
    ``charging`` whether any are charged."""
    rows = SettlementRows(int(now // HOUR), drop=settlement.drop)
    number_of = session.carriers.number
    refs: dict[str, list[str]] = {}
    carriers: dict[str, int] = {}
    final: set[int] = set()
    for one in settlement.finals:
        message, event = one.message, one.event
        if message.id in final:
            rows.repeated.add(message.id)
            continue
        final.add(message.id)
        stream = rows.streams.get(message.tenant) or _stream(session, rows, message.tenant)
        stream.ids.append(message.id)
        stream.lives.append(encode_life(one.life))
        stream.outcomes.append(events.encode(event))
        stream.times.append(event.at)
        if taken.end(message.id, rows.emptied):
            continue  # its parts have no rows of their own
        for carrier, ref in one.refs:
            of_carrier = refs.get(carrier)
            if of_carrier is None:
                of_carrier = refs[carrier] = []
            of_carrier.append(ref)
    for tenant, event in settlement.notices:
        stream = rows.streams.get(tenant) or _stream(session, rows, tenant)
        stream.notices.append(events.encode(event))
        stream.times.append(event.at)
    entries: list[taken_rows.Entry] = []
    for sent in settlement.sent:
        message = sent.message
        # A message that is sent and final at once never needs to be found by a receipt.
        if message.id not in final:
            if message.maybe_duplicate:
                rows.marked += (message.id, encode_message(message))
            carrier = sent.carrier
            number = carriers.get(carrier) or carriers.setdefault(carrier, number_of(carrier))
            entries.append((message.id, number, sent.deadline, sent.refs, sent.handed))
    if entries:
        rows.taken = taken.note(entries, now)
    rows.ripe = taken.ripe(now)
    rows.refs = {number_of(carrier): gone for carrier, gone in refs.items()}
    for number, states in settlement.progress:
        rows.progress += (number, bytes(states))
    for held in settlement.hold:
        rows.hold += held
    rows.optouts = writes.optout_rows(session, settlement.optouts)
    rows.consents = consents.rows(session, settlement.consents)
    rows.silent = failing.rows(session, settlement.strikes, settlement.heard)
    rows.finals = settlement.finals
    if counting:
        rows.spent = uses.spent(session, settlement, now)
    if charging:
        rows.charges = settling(settlement)
    if rows.repeated:  # the first one counts
        rows.finals = [*{one.message.id: one for one in reversed(settlement.finals)}.values()]
    counts = ended(rows.finals)
    add(counts, settlement.tallies)
    rows.counts = session.places(counts, rows.hour)
    return rows


def _stream(session: Session, rows: SettlementRows, tenant: str) -> Stream:
    stream = rows.streams[tenant] = Stream(tenant, session.tenants.number(tenant))
    return stream


def settle(session: Session, rows: SettlementRows) -> Settled:
    """Record a settlement."""
    execute = session.execute
    if rows.taken:
        taken_rows.insert(execute, rows.taken)
    _MARK.run(execute, rows.marked)
    _PROGRESS.run(execute, rows.progress)
    gone = _remove(session, rows.streams.values())
    chunks = _append(session, rows.streams.values(), gone)
    if rows.emptied:
        taken_rows.delete(execute, rows.emptied)
    if rows.ripe:
        taken_rows.shelve(session, rows.ripe)
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
    if rows.spent:
        uses.settle(execute, rows.spent)
    if rows.charges:
        accounts.settle(execute, rows.charges)
    if rows.optouts:
        writes.optout(session, rows.optouts)
    session.stats.add(rows.counts)
    if gone:
        late = ended([one for one in rows.finals if one.message.id in gone])
        session.stats.add(session.places(late, rows.hour), -1)
    return Settled(frozenset(gone | rows.repeated), chunks)


def _remove(session: Session, streams: Iterable[Stream]) -> set[int]:
    """Take messages with an outcome out of the queue; returns those that were not in it."""
    ids = [number for stream in streams for number in stream.ids]
    if not ids:
        return set()
    among = "FROM message WHERE id IN (SELECT value FROM carray(?))"
    [[present]] = session.execute(f"SELECT count(*) {among}", (numbers(ids),))
    gone = set()
    if present < len(ids):
        gone = set(ids).difference(*session.execute(f"SELECT id {among}", (numbers(ids),)))
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
