"""The embedded engine of `gateway.queue.store.Store`: one SQLite file, one process.

Here each call is put together from its parts: what the event loop keeps in memory (the names'
numbers, the index of keys, the filter of opt-outs, the newest events) and what is done in the
writer's or the reader's thread. The parts tell how; this module tells which.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import trio

from gateway.errors import StoreError, StoreFenced
from gateway.facts import CONSENTS, NO_FACTS, UNREACHABLE, USES, Facts, Use, Wants
from gateway.message import LaneKey, Message
from gateway.numbers import canonical
from gateway.queue import events
from gateway.queue.alone import Alone
from gateway.queue.chunks import Chunks
from gateway.queue.consents import Consent
from gateway.queue.moving import Numbers, Place, Row
from gateway.queue.operators import (
    Change,
    Counted,
    Found,
    HourCount,
    Means,
    Owing,
    QueueCount,
    Which,
)
from gateway.queue.search import Search
from gateway.queue.sqlite import (
    accounts,
    arrived,
    backlog,
    consents,
    erasing,
    facts,
    failing,
    imports,
    keys,
    moving,
    operators,
    outcomes,
    reads,
    refusals,
    reserved,
    stats,
    taken,
    templates,
    upkeep,
    uses,
    writes,
)
from gateway.queue.sqlite.backlog import Taken
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.engine import Engine, Synchronous
from gateway.queue.sqlite.lineage import Lineage
from gateway.queue.sqlite.pruning import Pruner
from gateway.queue.sqlite.schema import GLOBAL_SCOPE
from gateway.queue.sqlite.session import Session
from gateway.queue.store import (
    GLOBAL,
    IMPORT_KEPT,
    MANY,
    NEWEST,
    Consumer,
    Entry,
    EventChunk,
    Import,
    Known,
    Lease,
    Leased,
    Match,
    Oldest,
    OptoutChange,
    OptoutEntry,
    Overtaken,
    Owed,
    Record,
    Recovery,
    Ref,
    Refused,
    Seen,
    Settled,
    Settlement,
    Staged,
    TemplateChange,
    TemplateVersion,
)
from gateway.queue.tail import EventTail
from gateway.queue.tallies import HOUR, Stats
from gateway.queue.threads import PATIENCE

_OVERTAKEN: Final = "more messages of the same phones or accounts were accepted meanwhile"


class SqliteStore(Alone):
    """A `gateway.queue.store.Store` in an SQLite file.

    Reads that need not wait for a commit do not: they see what was durable when they were made.
    A call that was made takes its course even where its caller is cancelled.

    Args:
        path: the file; it, its directory and what SQLite keeps beside it are created.
        synchronous: see `gateway.queue.sqlite.engine.Synchronous`.
        clock: tells Unix time: what is due, and when something was recorded.
        observe_commit: told the seconds that each group of writing calls took, in the writer's
            thread.
    """

    def __init__(
        self,
        path: str,
        *,
        synchronous: Synchronous = "full",
        clock: Callable[[], float] = time.time,
        observe_commit: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._synchronous: Synchronous = synchronous
        self._clock = clock
        self._observe_commit = observe_commit
        self._opened: Engine | None = None
        self._lineage = Lineage()

    @property
    def epoch(self) -> str:
        return self._lineage.epoch

    @property
    def restored(self) -> bool:
        return self._lineage.restored

    async def open(self) -> Recovery:
        engine = await trio.to_thread.run_sync(
            Engine, self._path, self._synchronous, self._observe_commit
        )
        engine.start()
        try:
            clean = await engine.read(upkeep.was_clean)
            engine.session.token = await engine.write(lambda s: s.take())
            await _shelve_all(engine)
            self._reserved = reserved.Reservations()
            self._phones = uses.Phones()
            self._phones.renew(await engine.read(uses.load_phones))
            self._arrived = arrived.Arrived(await engine.read(backlog.last))
            self._taken = Chunks()
            self._shelving = trio.Lock()
            self._means = Means()
            while not clean and await engine.write(upkeep.mark_block):
                pass
            self._keys = await engine.read(keys.load)
            self._optouts = await engine.read(upkeep.load_optouts)
            self._withdrawals = await engine.read(consents.load_withdrawals)
            self._consented = await engine.read(consents.some)
            self._failing = await engine.read(failing.some)
            self._counting = await engine.read(uses.some)
            self._charging = await engine.read(accounts.some)
            self._uses_next: uses.UseKey | None = None
            self._uses_done = -math.inf
            self._tail = EventTail(await engine.read(reads.last_seqs))
            self._pruner = Pruner(engine, self._keys, self._tail, self._clock)
            now = self._clock()
            await self._lineage.begin(engine)
            recovery = await engine.write(lambda s: upkeep.begin(s, clean, now))
        except BaseException:
            await engine.aclose()
            raise
        self._opened = engine
        return recovery

    async def aclose(self, *, in_doubt: bool = False) -> None:
        if self._opened:
            engine, self._opened = self._opened, None
            try:
                await self._lineage.end(engine)
                if not in_doubt:
                    await _shelve_all(engine)
                    await engine.write(upkeep.end)
            except StoreFenced:
                pass  # another's, as it is
            finally:
                await engine.aclose()

    async def until_fenced(self) -> None:
        await self._engine.signals.until_fenced()

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            raise StoreError(f"{self._path}: the store is not open")
        return self._opened

    # --- the way in ---

    async def accept(
        self,
        entries: Sequence[Entry],
        seen: Seen | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Mapping[int, Known]:
        if not entries:
            return {}
        session, now = self._engine.session, self._clock()
        asked: list[reserved.Reserved] = []
        if seen is not None:
            await self._put_away(reserved.KEPT)
            asked = reserved.asked(session.tenants.number(entries[0].message.tenant), entries)
            if self._reserved.overtake(asked, seen):
                await self._engine.write(lambda _: None)  # what is on its way is known by then
                raise Overtaken(_OVERTAKEN)
        rows = writes.accept_rows(
            session, self._keys, self._arrived, entries, limits, int(now // HOUR)
        )
        counting = self._reserve(asked, seen) if asked and seen is not None else None
        self._counting = self._counting or counting is not None
        self._charging = self._charging or rows.charged is not None

        def applied(known: Mapping[int, Known] | None) -> None:
            if known is not None and counting is not None:
                self._reserved.accepted(counting.number, {rows.ids[at] for at in known})

        try:
            known = await self._engine.write(lambda s: writes.accept(s, rows, counting), applied)
            if known is None:
                raise Overtaken(_OVERTAKEN)
        except BaseException:
            for chunk in rows.chunks:
                self._arrived.forget(chunk.number)
            if counting is not None:
                self._reserved.refused(counting.number)
            raise
        if known:
            self._arrived.never_came([rows.ids[at] for at in known])
        return known

    def _reserve(self, asked: Sequence[reserved.Reserved], seen: Seen) -> reserved.Accepting:
        """Have messages count."""
        perhaps = self._phones.maybe({one.phone for one in asked})
        return reserved.Accepting(self._reserved.reserve(asked), asked, seen, perhaps)

    async def _put_away(self, most: int) -> None:
        """Have what counts be in rows, but for so many messages."""
        while away := self._reserved.away(most):
            self._phones.include(away.phones)
            try:
                await self._engine.write(partial(reserved.put_away, away=away))
            except BaseException:
                self._reserved.stays(away)
                raise
            self._reserved.gone(away)

    async def known(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Known]:
        lookup = self._lookup(tenant, keys)
        return await self._engine.read(lookup) if lookup else {}

    def _lookup(
        self, tenant: str, asked: Sequence[str]
    ) -> Callable[[Execute], dict[str, Known]] | None:
        """What looks keys up, None where none of them is known."""
        number = self._engine.session.tenants.known(tenant)
        if number is None:
            return None
        perhaps = self._keys.perhaps([keys.name(number, key) for key in asked])
        slices = self._keys.slices()

        def lookup(execute: Execute) -> dict[str, Known]:
            standing = keys.lookup(execute, slices, perhaps)
            return {keys.key(name): known for name, known in standing.items()}

        return lookup if perhaps else None

    async def facts(self, tenant: str, numbers: Sequence[str], wants: Wants) -> Facts:
        counting = wants >= USES and self._counting
        wants -= USES
        if not self._consented:
            wants -= CONSENTS
        if not self._failing:
            wants -= UNREACHABLE
        session = self._engine.session
        known: Mapping[str, Sequence[Use]] = {}
        used: set[str] = set()
        if counting and (own := session.tenants.known(tenant)) is not None:
            phones = set(map(canonical, numbers))
            # Before rows are looked up, in which what leaves memory meanwhile is found.
            known, used = self._reserved.of(own, phones), self._phones.maybe(phones)
        lookup = facts.lookup(
            tenant, numbers, wants, session, self._optouts, self._withdrawals, used
        )
        found = await self._engine.read(lookup) if lookup else NO_FACTS
        return facts.with_reserved(found, known) if known else found

    async def refuse(self, refused: Sequence[Refused]) -> None:
        if refused:
            rows = refusals.rows(self._engine.session, refused)
            await self._engine.write(lambda s: refusals.add(s.execute, rows))

    async def refusals(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Sequence[Refused]]:
        own = self._engine.session.tenants.known(tenant)
        if own is None or not keys:
            return {}
        return await self._engine.read(lambda e: refusals.find(e, own, tenant, keys))

    # --- lanes ---

    async def lease(self, lane: LaneKey, now: float, limit: int) -> Lease:
        number = self._engine.session.lanes.known(writes.lane_name(lane))
        if number is None:
            return Lease([], None)
        taken, next_due = await self._engine.write(
            lambda s: writes.lease(s, self._arrived, number, now, limit),
            lambda leased: self._note_taken(leased[0]),
        )
        return Lease(taken.messages, next_due)

    async def lease_ids(self, tenant: str, numbers: Sequence[int]) -> list[Message]:
        if not numbers:
            return []
        return await self._take(lambda s: writes.lease_ids(s, self._arrived, tenant, numbers))

    async def _take(self, work: Callable[[Session], Taken]) -> list[Message]:
        return (await self._engine.write(work, self._note_taken)).messages

    def _note_taken(self, taken: Taken) -> None:
        """Messages are leased, some of them in chunks."""
        now = self._clock()
        for number, messages in taken.chunks:
            self._arrived.note(messages, now, number=number)

    async def lease_campaign(
        self, tenant: str, campaign: str, last: int, limit: int
    ) -> list[Message]:
        lanes, names = reads.IN_CAMPAIGN, (tenant, campaign)
        return await self._take(
            lambda s: writes.lease_in(s, self._arrived, lanes, names, last, limit)
        )

    async def waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> int:
        lanes, names = reads.IN_CAMPAIGN, (tenant, campaign)
        return await self._engine.read(lambda e: reads.waiting_in(e, lanes, names, last))

    async def extend(self, tenant: str, campaign: str, seconds: float) -> None:
        ids = await self._engine.read(lambda e: reads.campaign_ids(e, tenant, campaign))
        for start in range(0, len(ids), writes.EXTENDED):
            some = ids[start : start + writes.EXTENDED]
            await self._engine.write(partial(writes.extend, ids=some, seconds=seconds))
        lanes, names = reads.IN_CAMPAIGN, (tenant, campaign)
        chunks = await self._engine.read(lambda e: backlog.waiting(e, lanes, names))
        for start in range(0, len(chunks), backlog.EXTENDED):
            some = chunks[start : start + backlog.EXTENDED]
            await self._engine.write(partial(backlog.extend, chunks=some, seconds=seconds))

    async def defer(self, messages: Sequence[Message]) -> None:
        rows = writes.defer_rows(self._engine.session, self._arrived, messages, self._clock())
        try:
            await self._engine.write(lambda s: writes.defer(s, rows))
        except BaseException:
            self._arrived.stay(rows.leaving)
            self._arrived.be_late(rows.late)
            raise
        self._arrived.left(rows.leaving)

    async def leased(self, after: int, limit: int) -> Leased:
        await self._shelve_all()
        return await self._engine.read(lambda e: reads.leased(e, after, limit))

    async def put_back(self, numbers: Sequence[int]) -> list[Message]:
        if not numbers:
            return []
        await self._shelve_messages(numbers)
        return await self._engine.write(lambda s: upkeep.put_back(s, numbers))

    # --- outcomes ---

    async def match(self, refs: Sequence[Ref]) -> Mapping[Ref, Match]:
        by_carrier: dict[str, list[str]] = {}
        for carrier, ref in refs:
            by_carrier.setdefault(carrier, []).append(ref)
        known = self._engine.session.carriers.known
        asked = [(n, name, r) for name, r in by_carrier.items() if (n := known(name)) is not None]
        # Mostly nobody has them yet: what comes with a receipt that is early stays where it is.
        await self._shelve([], self._taken.with_refs({ref for _, ref in refs}))
        return await self._engine.read(lambda e: reads.match(e, asked))

    async def settle(self, settlement: Settlement) -> Settled:
        session, now = self._engine.session, self._clock()
        rows = outcomes.settlement_rows(
            session,
            settlement,
            self._arrived,
            self._taken,
            self._reserved if self._counting else None,
            now,
            charging=self._charging,
        )
        self._note_optouts(rows.optouts)
        self._consented = self._consented or bool(settlement.consents)
        self._failing = self._failing or bool(settlement.strikes)
        self._note_withdrawals(rows.consents)
        try:
            settled = await self._engine.write(
                lambda s: outcomes.settle(s, rows),
                lambda settled: self._settled(settled, rows.spending),
            )
        except BaseException:
            if rows.taken:
                self._taken.forget(rows.taken.number)
            self._arrived.stay(rows.from_arrived)
            self._taken.stay(rows.from_taken)
            self._arrived.be_late([*rows.late, *rows.ripe])
            self._taken.be_late(rows.ripe_taken)
            raise
        self._arrived.left(rows.from_arrived)
        self._taken.left(rows.from_taken)
        if rows.forgotten:
            self._arrived.progressed.difference_update(rows.forgotten)
        if settled.complete:  # never, where the one node that there is has heard all receipts
            await self._shelve_messages(settled.complete)
            await self._engine.write(lambda s: outcomes.be_due(s, settled.complete, now))
        return Settled(settled.passed_over, settled.complete)

    def _settled(self, settled: outcomes.Settled, spending: reserved.Settling | None) -> None:
        if spending is not None:
            self._reserved.settled(spending)
        for chunk in settled.chunks:
            self._tail.append(chunk)
        self._engine.signals.told([chunk.tenant for chunk in settled.chunks])

    async def _shelve_all(self) -> None:
        """Have single messages and parts be found."""
        await self._shelve(self._arrived.all(), self._taken.all())

    async def _shelve_taken(self) -> None:
        """Have the messages be found that carriers have taken, and their parts."""
        await self._shelve([], self._taken.all())

    async def _shelve_messages(self, numbers: Collection[int]) -> None:
        """Have these messages be found."""
        await self._shelve(self._arrived.with_any(numbers), self._taken.with_any(numbers))

    async def _shelve(self, of_arrived: Collection[int], of_taken: Collection[int]) -> None:
        """Shelve chunks, and wait for what is on its way out of others: it may be asked for."""
        needed = self._arrived.with_any(self._taken.messages(of_taken))
        left = deque(dict.fromkeys([*of_arrived, *needed])), deque(of_taken)
        async with self._shelving:
            for chunks, numbers, work in (
                (self._arrived, left[0], arrived.shelve),
                (self._taken, left[1], taken.shelve),
            ):
                while block := chunks.block(numbers):
                    try:
                        await self._engine.write(partial(work, rows=block))
                    except BaseException:
                        chunks.be_late(block)
                        raise
            if self._arrived.under_way or self._taken.under_way:
                await self._engine.write(lambda _: None)

    async def overdue(self, now: float, limit: int) -> list[Owed]:
        if due := self._taken.due(now):
            await self._shelve([], due)
        return await self._engine.read(lambda e: reads.overdue(e, now, limit))

    async def expired(self, now: float, limit: int) -> list[Message]:
        return await self._take(lambda s: writes.lease_expired(s, self._arrived, now, limit))

    async def hasten(self, now: float, moment: float) -> None:
        start: int | None = 0
        while start is not None:
            start = await self._engine.write(
                partial(upkeep.hasten_block, start=start, now=now, moment=moment)
            )
        chunks = await self._engine.read(lambda e: backlog.hasty(e, now, moment))
        for at in range(0, len(chunks), backlog.AT_ONCE):
            some = chunks[at : at + backlog.AT_ONCE]
            await self._engine.write(partial(backlog.hasten, chunks=some, now=now, moment=moment))

    # --- what tenants ask ---

    async def find(
        self, tenant: str, numbers: Sequence[int], keys: Sequence[str]
    ) -> tuple[list[Record | None], list[Record | None]]:
        standing = {key: known.message for key, known in (await self.known(tenant, keys)).items()}
        asked, now = {*numbers, *standing.values()}, self._clock()
        await self._shelve_messages(asked)
        records = await self._engine.read(lambda e: reads.find(e, tenant, asked, now))
        by_key = [records.get(standing[key]) if key in standing else None for key in keys]
        return [records.get(number) for number in numbers], by_key

    async def optout_entries(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[OptoutEntry]]:
        engine = self._engine
        phones = list(map(canonical, numbers))
        perhaps = self._optouts.maybe(phones)
        if not perhaps:
            return {}
        scopes = {GLOBAL_SCOPE: GLOBAL}
        own = engine.session.tenants.known(tenant)
        if own is not None:
            scopes[own] = tenant
        found = await engine.read(lambda e: reads.optout_entries(e, scopes, perhaps))
        pairs = zip(numbers, phones, strict=True)
        return {number: found[phone] for number, phone in pairs if phone in found}

    async def optout_list(self, tenant: str, after: str, limit: int) -> Sequence[OptoutEntry]:
        own = GLOBAL_SCOPE if tenant == GLOBAL else self._engine.session.tenants.known(tenant)
        if own is None:
            return []
        return await self._engine.read(lambda e: reads.optout_list(e, tenant, own, after, limit))

    async def optout(self, changes: Sequence[OptoutChange]) -> list[bool]:
        rows = writes.optout_rows(self._engine.session, changes)
        self._note_optouts(rows)
        return await self._engine.write(lambda s: writes.optout(s, rows))

    async def consent(self, changes: Sequence[Consent]) -> list[bool]:
        rows = consents.rows(self._engine.session, changes)
        self._note_withdrawals(rows)
        self._consented = self._consented or bool(rows)
        return await self._engine.write(lambda s: consents.add(s.execute, rows))

    def _note_optouts(self, rows: Sequence[writes.OptoutRow]) -> None:
        """Before the commit, so that a check made right after it never misses one."""
        self._optouts.include([row.number for row in rows if row.entry is not None])

    def _note_withdrawals(self, rows: Sequence[tuple[int, Consent]]) -> None:
        """The same of purposes."""
        self._withdrawals.include([one.number for _, one in rows if one.state == "withdrawn"])

    async def consents(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[Consent]]:
        own = self._engine.session.tenants.known(tenant)
        phones = list(map(canonical, numbers))
        if own is None or not phones:
            return {}
        found = await self._engine.read(lambda e: consents.find(e, own, tenant, set(phones)))
        pairs = zip(numbers, phones, strict=True)
        return {number: found[phone] for number, phone in pairs if phone in found}

    async def consent_list(self, tenant: str, after: str, limit: int) -> Sequence[Consent]:
        own = self._engine.session.tenants.known(tenant)
        if own is None:
            return []
        return await self._engine.read(lambda e: consents.page(e, own, tenant, after, limit))

    # --- imports ---

    async def stage(self, staged: Staged, now: float) -> Import:
        key = self._engine.session.tenants.number(staged.tenant), staged.name
        return await self._engine.write(lambda s: imports.stage(s, key, staged, now))

    async def apply(self, tenant: str, name: str, size: int, now: float) -> Import | None:
        key = self._engine.session.tenants.number(tenant), name
        return await self._engine.write(lambda s: imports.apply(s, key, size, now))

    async def imported(self, tenant: str, name: str) -> Import | None:
        own = self._engine.session.tenants.known(tenant)
        if own is None:
            return None
        return await self._engine.read(lambda e: imports.find(e, (own, name)))

    async def next_staged(self) -> Staged | None:
        return await self._engine.read(imports.next_staged)

    async def carry_out(
        self, staged: Staged, optouts: Sequence[OptoutChange], consents_: Sequence[Consent]
    ) -> list[bool] | None:
        session, now = self._engine.session, self._clock()
        rows, records = writes.optout_rows(session, optouts), consents.rows(session, consents_)
        key = session.tenants.number(staged.tenant), staged.name
        self._note_optouts(rows)
        self._note_withdrawals(records)
        self._consented = self._consented or bool(records)
        return await self._engine.write(
            lambda s: imports.carry_out(s, key, staged, rows, records, now)
        )

    async def stats(
        self, tenant: str, campaign: str | None, start: int, stop: int, limit: int
    ) -> Stats:
        own = self._engine.session.tenants.known(tenant)
        if own is None:
            return Stats([], None)
        return await self._engine.read(lambda e: stats.find(e, own, campaign, start, stop, limit))

    # --- events ---

    async def events(self, tenant: str, after: int, limit: int) -> list[EventChunk]:
        chunks = self._tail.after(tenant, after, limit)
        number = self._engine.session.tenants.known(tenant)
        if chunks is None and number is not None:
            chunks = await self._engine.read(
                lambda e: reads.history(e, tenant, number, after, limit)
            )
        return events.merge([events.trim(chunk, after) for chunk in chunks or ()])

    async def watch(self) -> Collection[str]:
        return await self._engine.signals.watch()

    async def acknowledge(
        self, tenant: str, consumer: str, seq: int, most: int = MANY
    ) -> int | None:
        number, now = self._engine.session.tenants.number(tenant), self._clock()
        return await self._engine.write(
            lambda s: writes.acknowledge(s, number, consumer, seq, most, now), patience=PATIENCE
        )

    async def consumers(self, tenant: str | None = None) -> list[Consumer]:
        rows = await self._engine.read(lambda e: reads.consumers(e, tenant))
        return [
            Consumer(owner, name, seq, max(0, self._tail.last(owner) - seq), since, seen)
            for owner, name, seq, since, seen in rows
        ]

    async def seen(self, consumers: Iterable[tuple[str, str]]) -> None:
        known, now = self._engine.session.tenants.known, self._clock()
        rows = [(n, name) for tenant, name in consumers if (n := known(tenant)) is not None]
        if rows:
            await self._engine.write(lambda s: writes.seen(s, rows, now))

    async def forget_consumer(self, tenant: str, consumer: str) -> bool:
        number = self._engine.session.tenants.known(tenant)
        if number is None:
            return False
        return await self._engine.write(lambda s: writes.forget_consumer(s, number, consumer))

    async def bounds(self, tenant: str) -> tuple[int, int]:
        number = self._engine.session.tenants.known(tenant)
        if number is None:
            return 1, 0
        return await self._engine.read(lambda e: reads.bounds(e, number))

    # --- what operators ask (`gateway.queue.operators`) ---

    async def vitals(self) -> None:
        return None

    async def waiting(self, now: float) -> Sequence[QueueCount]:
        return await self._engine.read(lambda e: operators.waiting(e, now, self._means))

    async def lease_where(self, which: Which, last: int, limit: int) -> list[Message]:
        return await self._take(
            lambda s: operators.lease_where(s, self._arrived, which, last, limit)
        )

    async def waiting_where(self, which: Which, last: int = NEWEST) -> int:
        return await self._engine.read(lambda e: operators.waiting_where(e, which, last))

    async def owed_count(self, owed: Owing) -> int:
        await self._shelve_taken()
        return await self._count_owed(owed)

    async def owed_about(self, carrier: str, most: int) -> int:
        return await self._count_owed(Owing(carrier, math.inf), most)

    async def _count_owed(self, owed: Owing, most: float = math.inf) -> int:
        carrier = self._engine.session.carriers.known(owed.carrier)
        total, after = 0, ""
        while carrier is not None and total < most:
            slice_ = partial(operators.owed_count_slice, carrier=carrier, owed=owed, after=after)
            count, last = await self._engine.read(slice_)
            total += count
            if last is None:
                break
            after = last
        return total

    async def owed(self, owed: Owing, after: str, limit: int) -> tuple[list[Owed], str | None]:
        await self._shelve_taken()
        carrier = self._engine.session.carriers.known(owed.carrier)
        if carrier is None:
            return [], None
        return await self._engine.read(
            lambda e: operators.owed_slice(e, carrier, owed, after, limit)
        )

    async def requeue(self, owed: Owing, numbers: Sequence[int], now: float) -> list[Message]:
        await self._shelve_messages(numbers)
        carrier = self._engine.session.carriers.number(owed.carrier)
        return await self._engine.write(lambda s: operators.requeue(s, carrier, numbers, now))

    async def find_any(self, number: int) -> tuple[str, Record] | None:
        await self._shelve_messages([number])
        now = self._clock()
        return await self._engine.read(lambda e: operators.find_any(e, number, now))

    async def search(self, phones: Sequence[str], after: str | None, limit: int) -> Found:
        await self._shelve_all()
        return await Search(self._engine.read, operators, self._clock, phones, limit).run(after)

    async def tenants(self) -> Sequence[str]:
        return [name for _, name in await self._engine.read(operators.tenants)]

    async def live_to(
        self, phones: Collection[str], below: int = NEWEST
    ) -> tuple[list[tuple[str, Record]], int | None]:
        await self._shelve_all()
        asked, now = sorted(phones), self._clock()
        return await self._engine.read(lambda e: operators.live_slice(e, asked, below, now))

    async def erase_events(
        self, tenant: str, phones: Collection[str], after: int
    ) -> tuple[int, int | None]:
        number = self._engine.session.tenants.known(tenant)
        if number is None:
            return 0, None
        found = await self._engine.read(lambda e: erasing.chunks_with(e, number, phones, after))
        if not found.rows:
            return 0, found.next
        erased = await self._engine.write(
            lambda s: erasing.erase_events(s, number, tenant, phones, found.rows),
            lambda _: self._tail.release(tenant),
        )
        return erased, found.next

    async def erase_records(self, tenant: str | None, phones: Collection[str]) -> int:
        await self._shelve_all()  # what ended is in the chunk that it arrived in until then
        await self._engine.write(lambda _: None)  # what is on its way can be put away by then
        await self._put_away(0)
        number = None if tenant is None else self._engine.session.tenants.number(tenant)
        return await self._engine.write(lambda s: erasing.erase_records(s, number, tenant, phones))

    async def refused(self, phones: Collection[str], limit: int) -> Sequence[Refused]:
        return await self._engine.read(lambda e: refusals.of_phones(e, phones, limit))

    async def scrub(self) -> bool:
        await self._shelve_all()  # a chunk has what it was made of until the last has left it
        return await self._engine.rewrite()

    async def campaigns(self, tenant: str | None, since: int, limit: int) -> Sequence[Counted]:
        return await self._engine.read(lambda e: operators.campaigns(e, tenant, since, limit))

    async def counted_in(self, hour: int) -> Sequence[HourCount]:
        return await self._engine.read(lambda e: operators.counted_in(e, hour))

    async def note_change(self, number: int | None, at: float, body: bytes) -> int:
        return await self._engine.write(lambda s: operators.note_change(s, number, at, body))

    async def changes(self, before: int, limit: int) -> Sequence[Change]:
        return await self._engine.read(lambda e: operators.changes(e, before, limit))

    # --- templates ---

    async def put_templates(self, changes: Sequence[TemplateChange]) -> list[int]:
        if not changes:
            return []
        rows = templates.put_rows(self._engine.session, changes)
        return await self._engine.write(lambda s: templates.put(s, rows))

    async def templates(self) -> Sequence[TemplateVersion]:
        return await self._engine.read(templates.newest)

    async def template_changes(self) -> int:
        return await self._engine.read(templates.changes)

    async def template_versions(self, tenant: str, name: str) -> Sequence[TemplateVersion]:
        return await self._engine.read(lambda e: templates.versions(e, tenant, name))

    # --- moving to another store (`gateway.queue.moving`) ---

    async def part(self) -> None:
        await self._part()

    async def numbers(self) -> Numbers:
        return await self._engine.read(lambda e: moving.numbers(e, self.epoch))

    async def adopt(self, numbers: Numbers) -> None:
        await self._lineage.adopt(self._engine, numbers.epoch)
        await self._engine.write(lambda s: moving.adopt(s, numbers))

    async def rows_in(self, table: str) -> int:
        return await self._engine.read(lambda e: moving.count(e, table))

    async def read_rows(
        self, table: str, after: Place | None, limit: int
    ) -> tuple[list[Row], Place | None]:
        return await self._engine.read(lambda e: moving.read(e, table, after, limit))

    async def write_rows(self, table: str, rows: Sequence[Row], note: bytes) -> None:
        stored = moving.stored(self._engine.session, table, rows)
        await self._engine.write(lambda s: moving.write(s, table, stored, note))

    # --- upkeep ---

    async def oldest(self, now: float) -> Sequence[Oldest]:
        await self._shelve([], [])
        taken_since = self._taken.oldest()
        return await self._engine.read(lambda e: reads.oldest(e, now, taken_since))

    async def remember(self, name: str, value: bytes) -> None:
        await self._engine.write(lambda s: writes.remember(s, name, value))

    async def recall(self, name: str) -> bytes | None:
        return await self._engine.read(lambda e: reads.recall(e, name))

    async def prune(self, before: float, limit: int) -> int:
        now = self._clock()
        await self._lineage.renew(self._engine, now)
        # Before any outcome is forgotten: it is what tells that a message has left its chunk.
        await self._shelve(self._arrived.aged(now, before), self._taken.aged(now, before))
        if await self._engine.read(lambda e: backlog.accepted_before(e, before)):
            await self._part(before)
        return (
            await self._pruner.prune(before, limit)
            or await self._prune_uses()
            or await self._prune_failing(limit)
            or await self._engine.write(lambda s: imports.forget(s, now - IMPORT_KEPT))
        )

    async def _part(self, before: float = math.inf) -> None:
        """Have what waits, and was accepted before a moment, be found by itself."""
        while await self._engine.write(lambda s: backlog.part(s, before)):
            pass

    async def _prune_uses(self) -> int:
        now = self._clock()
        if self._uses_next is None:
            if not self._counting or now < self._uses_done + uses.PASS:
                return 0
            await self._put_away(0)
            self._uses_next = uses.FIRST
        while self._uses_next is not None:
            gone, self._uses_next = await self._engine.write(
                partial(uses.forget_block, start=self._uses_next, now=now)
            )
            if gone:
                return gone
        self._uses_done = now
        await self._narrow_phones()
        return 0

    async def _narrow_phones(self) -> None:
        """Have the filter of phones be as large as its table needs it."""
        if self._phones.is_wide(await self._engine.read(uses.count)):
            self._phones.begin()
            await self._engine.write(lambda _: None)  # what was included before is in rows by then
            self._phones.renew(await self._engine.read(uses.load_phones))

    async def _prune_failing(self, limit: int) -> int:
        if not self._failing:
            return 0
        now = self._clock()
        return await self._engine.write(lambda s: failing.forget(s, now, limit))


async def _shelve_all(engine: Engine) -> None:
    """Shelve what a store has that is opened, or closed."""
    for some in (arrived.shelve_some, taken.shelve_some, reserved.put_away_some):
        while await engine.write(some):
            pass
