"""The engine of `gateway.queue.store.Store` in a PostgreSQL database, which nodes may share.

Here each call is put together from its parts: what the event loop keeps in memory (the filter of
opt-outs, the newest events) and what is done in the writer's or the reader's thread. The parts tell
how; this module tells which.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec
import trio

from gateway.errors import StoreError, StoreFenced
from gateway.facts import NO_FACTS, NOTHING, UNREACHABLE, USES, Facts, Wants
from gateway.message import LaneKey, Message
from gateway.numbers import canonical
from gateway.queue import events
from gateway.queue.consents import Consent
from gateway.queue.moving import Numbers, Place, Row
from gateway.queue.operators import (
    Change,
    Counted,
    Found,
    HourCount,
    Means,
    NodeState,
    Owing,
    QueueCount,
    Vitals,
    Which,
)
from gateway.queue.postgresql import (
    accepting,
    backlog,
    consumers,
    erasing,
    facts,
    imports,
    leasing,
    moving,
    operators,
    optouts,
    phones,
    reading,
    records,
    settling,
    sharing,
    shelves,
    slots,
    upkeep,
    vitals,
)
from gateway.queue.postgresql.backlog import Taken
from gateway.queue.postgresql.connecting import Synchronous, Target
from gateway.queue.postgresql.engine import Engine
from gateway.queue.postgresql.following import POLL, Follower
from gateway.queue.postgresql.history import History
from gateway.queue.postgresql.holding import LEASE
from gateway.queue.postgresql.listening import News
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.search import Search
from gateway.queue.store import (
    IMPORT_KEPT,
    MANY,
    MOST_REFUSED,
    NEWEST,
    Ask,
    Consumer,
    Entry,
    EventChunk,
    Granted,
    Heard,
    HeldKind,
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
    Slot,
    Staged,
    TemplateChange,
    TemplateVersion,
)
from gateway.queue.tail import EventTail
from gateway.queue.tallies import HOUR, KEPT, Stats

T = TypeVar("T")

WANTED: Final = 100
"""Parts that other nodes are asked for at once: what is told has room for few. Others are found
once what has them is old enough to be put on record."""


class PostgresStore:
    """A `gateway.queue.store.Store` in a PostgreSQL database.

    Args:
        dsn: a connection string of libpq.
        node: the name of this node, which no other process has.
        nodes: how many work at a time; one more waits until one of them ends.
        synchronous: see `gateway.queue.postgresql.connecting.Synchronous`.
        lease: seconds for which a node that falls silent keeps the storage.
        clock: tells Unix time: what is due, and when something was recorded.
        observe_commit: told the seconds that each group of writing calls took, in the writer's
            thread.
    """

    def __init__(
        self,
        dsn: str,
        *,
        node: str,
        nodes: int = 1,
        synchronous: Synchronous = "commit",
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
        observe_commit: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._target = Target.of(dsn, synchronous)
        self._node = node
        self._nodes = nodes
        self._lease = lease
        self._clock = clock
        self._observe_commit = observe_commit
        self._opened: Engine | None = None
        self.epoch = ""
        self.restored = False

    async def open(self) -> Recovery:
        engine = await trio.to_thread.run_sync(
            Engine, self._target, self._node, self._nodes, self._lease, self._observe_commit
        )
        engine.start()
        self._means = Means()
        try:
            self._optouts = await engine.read(optouts.load)
            self._withdrawals = await engine.read(records.load_withdrawals)
            self._nobody = NOTHING
            if self._nodes == 1 and not await engine.read(reading.some_uses):
                self._nobody |= USES
            if self._nodes == 1 and not await engine.read(phones.some):
                self._nobody |= UNREACHABLE
            self._tail = EventTail(await engine.read(reading.last_seqs))
            self._done: dict[str, float] = {}
            self._history = History(engine, self._tail, self._clock)
            await shelves.shelve_all(engine)
            self._shelves = shelves.Shelves(engine)
            follower = Follower(engine, self._shelves, self._clock, self._followed, self._told)
            await follower.begin()
            now, mine = self._clock(), follower.active
            recovery = await engine.read(
                lambda c: upkeep.recovery(c, engine.taken, self._nodes, mine, now)
            )
        except BaseException:
            await engine.aclose()
            raise
        self.epoch, self.restored = engine.epoch, engine.restored
        self._opened, self._shares = engine, follower
        return recovery

    async def aclose(self, *, in_doubt: bool = False) -> None:
        if self._opened:
            engine, self._opened = self._opened, None
            try:
                if not in_doubt:
                    await _let_go(engine, self._shares.mine)
            finally:
                await engine.aclose()

    async def until_fenced(self) -> None:
        await self._engine.signals.until_fenced()

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            raise StoreError(f"{self._target.where}: the store is not open")
        return self._opened

    # --- other nodes ---

    @property
    def lapsed(self) -> bool:
        return self._opened is not None and self._opened.session.lapsed

    @property
    def shared(self) -> bool:
        return self._nodes > 1

    def elsewhere(self, messages: Sequence[Message]) -> Collection[int]:
        active = self._shares.active
        if active == sharing.ALL:
            return ()
        return {at for at, m in enumerate(messages) if not sharing.has(active, m.to)}

    def sends_to(self, phone: str) -> bool:
        return sharing.has(self._shares.active, phone)

    def taker(self, phone: str) -> int | None:
        return self._shares.division.taker(sharing.shard(phone))

    def look_for(self, refs: Collection[str]) -> None:
        if refs:
            self._engine.tell(News(wanted={*islice(refs, WANTED)}))

    async def until_taken(self, texts: Sequence[str]) -> None:
        engine = self._engine
        while await engine.read(lambda c: reading.texts_left(c, texts)):  # noqa: ASYNC110
            await trio.sleep(POLL / 2)

    async def revise(
        self,
        kind: HeldKind,
        keys: Sequence[str],
        change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]],
        expires_at: float,
    ) -> Mapping[str, bytes]:
        return await self._engine.write(settling.revise(kind, sorted(keys), change, expires_at))

    async def heard(self) -> Heard:
        if self._nodes == 1:
            await trio.sleep_forever()
        return await self._shares.heard()

    def _followed(self, seqs: Mapping[str, int]) -> bool:
        """Other nodes have recorded events, or this one has; says whether others have."""
        news = [tenant for tenant, seq in seqs.items() if seq > self._tail.last(tenant)]
        for tenant in news:
            self._tail.skip(tenant, seqs[tenant])
        self._engine.signals.told(news)
        return bool(news)

    def _told(self, kind: str, body: bytes) -> None:
        """A node has told all of something."""
        if kind == "optout":
            self._optouts.include(_decode_numbers(body))
        elif kind == "withdrawal":
            self._withdrawals.include(_decode_numbers(body))

    async def nodes(self) -> Sequence[NodeState]:
        number = self._engine.session.number
        return await self._engine.read(lambda c: sharing.nodes(c, number))

    async def ahead(self) -> float:
        return await self._engine.read(lambda c: sharing.ahead(c, self._clock))

    async def introduce(
        self, version: str, config: str, binds: Mapping[str, int], ahead: float
    ) -> None:
        await self._engine.write(sharing.introduce(version, config, binds, ahead))
        self._shares.soon()

    async def move(self, name: str, *, away: bool) -> None:
        await self._engine.write(slots.move(name, away=away))

    async def vacate(self, given: Collection[Slot]) -> None:
        await self._shares.vacate(given)

    async def newest(self) -> int:
        if self._nodes == 1:
            return 0
        return await self._engine.read(sharing.newest)

    async def agree(self, name: str, value: bytes, before: bytes | None) -> int:
        told = await self._engine.write(_agreed(name, value, before))
        if told is None:
            raise StoreError(f"another node has changed {name} just now; ask once more")
        return told

    async def heeded(self, notice: int) -> None:
        if self._nodes == 1:
            return
        engine = self._engine
        me = engine.session.number
        while await engine.read(lambda c: sharing.unheard(c, notice, me)):  # noqa: ASYNC110
            await trio.sleep(POLL / 2)

    async def grant(self, asks: Sequence[Ask]) -> Sequence[Granted]:
        engine = self._engine
        number = engine.session.number
        granted = await engine.read(lambda c: slots.grant(c, number, asks))
        if asks:
            engine.tell(News(rates=True))
        return granted

    # --- the way in ---

    async def accept(
        self,
        entries: Sequence[Entry],
        seen: Seen | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Mapping[int, Known]:
        if not entries:
            return {}
        await self._history.turn_in_time()
        hour, chunks = int(self._clock() // HOUR), self._shelves.arrived
        work, rows = accepting.accept(entries, seen, limits, hour, self._shares.division, chunks)
        try:
            duplicates = await self._engine.write(work)
            if duplicates is None:
                why = "more messages to the same phones or account were accepted meanwhile"
                raise Overtaken(why)
        except BaseException:
            for row in rows:
                chunks.forget(row.number)
            raise
        if duplicates:
            chunks.never_came([entries[at].message.id for at in duplicates])
        if seen is not None:
            self._nobody -= USES
        return duplicates

    async def known(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Known]:
        if not keys:
            return {}
        return await self._engine.read(lambda c: accepting.look_up(c, tenant, keys))

    async def facts(self, tenant: str, numbers: Sequence[str], wants: Wants) -> Facts:
        engine = self._engine
        look_up = facts.lookup(
            tenant, numbers, wants, self._optouts, self._withdrawals, self._nobody
        )
        return await engine.read(look_up) if look_up else NO_FACTS

    async def refuse(self, refused: Sequence[Refused]) -> None:
        if refused:
            await self._engine.write(phones.refuse(refused))

    async def refusals(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Sequence[Refused]]:
        if not keys:
            return {}
        return await self._engine.read(lambda c: phones.refusals(c, tenant, keys))

    # --- lanes ---

    async def lease(self, lane: LaneKey, now: float, limit: int) -> Lease:
        chunks, shards = self._shelves.arrived, self._shares.active
        taken = await self._take(leasing.lease(lane, now, limit, shards, chunks))
        return Lease(taken.messages, taken.next_due)

    async def _take(self, work: Work[Taken]) -> Taken:
        return await self._shelves.lease(work, self._clock())

    async def lease_ids(self, tenant: str, numbers: Sequence[int]) -> list[Message]:
        if not numbers:
            return []
        work = leasing.lease_ids(tenant, numbers, self._shelves.arrived)
        return (await self._take(work)).messages

    async def lease_campaign(
        self, tenant: str, campaign: str, last: int, limit: int
    ) -> list[Message]:
        return await self.lease_where(Which(tenant, campaign), last, limit)

    async def waiting_in(self, tenant: str, campaign: str, last: int = NEWEST) -> int:
        return await self.waiting_where(Which(tenant, campaign), last)

    async def extend(self, tenant: str, campaign: str, seconds: float) -> None:
        after: int | None = 0
        while after is not None:
            after = await self._engine.write(leasing.extend_block(tenant, campaign, seconds, after))
        chunks = await self._engine.read(lambda c: backlog.of_campaign(c, tenant, campaign))
        for start in range(0, len(chunks), backlog.EXTENDED):
            some = chunks[start : start + backlog.EXTENDED]
            await self._engine.write(backlog.extend(some, seconds))

    async def defer(self, messages: Sequence[Message]) -> None:
        work, leaving = leasing.defer(messages, self._shelves, self._clock(), self._shares.division)
        try:
            await self._engine.write(work)
        except BaseException:
            self._shelves.stay(leaving)
            raise
        self._shelves.left(leaving)

    async def leased(self, after: int, limit: int) -> Leased:
        await self._shelves.all()
        return await self._engine.read(lambda c: leasing.leased(c, after, limit, self._shares.mine))

    async def put_back(self, numbers: Sequence[int]) -> list[Message]:
        if not numbers:
            return []
        await self._shelves.messages(numbers)
        return await self._engine.write(leasing.put_back(numbers, self._clock()))

    # --- outcomes ---

    async def match(self, refs: Sequence[Ref]) -> Mapping[Ref, Match]:
        if not refs:
            return {}
        await self._shelves.parts({ref for _, ref in refs})
        return await self._engine.read(lambda c: reading.match(c, refs))

    async def settle(self, settlement: Settlement) -> Settled:
        engine = self._engine
        await self._history.turn_in_time()
        forbidden = [canonical(one.number) for one in settlement.optouts if one.out]
        gone = [canonical(one.number) for one in settlement.consents if one.state == "withdrawn"]
        work, leaving = settling.settle(
            settlement,
            self._shelves,
            self._clock(),
            alone=not self.shared,
            passed_on=self._shares.division.passed_on,
        )
        telling = _telling(_telling(work, "optout", forbidden), "withdrawal", gone)
        handed = [one.key for one in settlement.hold if one.kind == "handover"]
        handed += [key for kind, key in settlement.drop if kind == "handover"]
        all_told = _telling(telling, "handover", handed)
        self._note(settlement.optouts)
        self._note_withdrawals(settlement.consents)
        if settlement.strikes:
            self._nobody -= UNREACHABLE

        def applied(told: tuple[tuple[tuple[settling.Settled, int], int], int]) -> None:
            ((settled, _), _), _ = told
            for chunk in settled.chunks:
                self._tail.append(chunk)
            engine.signals.told([chunk.tenant for chunk in settled.chunks])

        try:
            ((settled, out), withdrawn), notice = await engine.write(all_told, applied)
        except BaseException:
            self._shelves.stay(leaving)
            raise
        self._shelves.left(leaving)
        if any(not self.sends_to(number) for number in (*forbidden, *gone)):
            await self.heeded(max(out, withdrawn))  # another node sends to that phone
        return Settled(settled.passed_over, settled.complete, notice)

    def _note(self, changes: Sequence[OptoutChange]) -> None:
        """Know of opt-outs before the commit, so that a check made right after it misses none."""
        self._optouts.include([canonical(one.number) for one in changes if one.out])

    def _note_withdrawals(self, changes: Sequence[Consent]) -> None:
        """The same of purposes."""
        gone = [canonical(one.number) for one in changes if one.state == "withdrawn"]
        self._withdrawals.include(gone)

    async def overdue(self, now: float, limit: int) -> list[Owed]:
        await self._shelves.due(now)
        return await self._engine.read(lambda c: reading.overdue(c, now, limit, self._shares.mine))

    async def expired(self, now: float, limit: int) -> list[Message]:
        chunks, shards = self._shelves.arrived, self._shares.active
        found = await self._take(leasing.lease_expired(now, limit, shards, chunks))
        return sorted(found.messages, key=lambda m: (m.expires_at, m.id))

    async def hasten(self, now: float, moment: float) -> None:
        start: int | None = 0
        while start is not None:
            start = await self._engine.write(leasing.hasten_block(start, now, moment))

    # --- consents ---

    async def consent(self, changes: Sequence[Consent]) -> list[bool]:
        self._note_withdrawals(changes)
        rows = records.rows(changes)
        gone = [one.number for one in rows if one.state == "withdrawn"]
        new, told = await self._engine.write(_telling(records.work(rows), "withdrawal", gone))
        await self.heeded(told)
        return new

    async def consents(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[Consent]]:
        spellings = list(map(canonical, numbers))
        if not spellings:
            return {}
        found = await self._engine.read(lambda c: records.find(c, tenant, set(spellings)))
        pairs = zip(numbers, spellings, strict=True)
        return {number: found[phone] for number, phone in pairs if phone in found}

    async def consent_list(self, tenant: str, after: str, limit: int) -> Sequence[Consent]:
        return await self._engine.read(lambda c: records.page(c, tenant, after, limit))

    # --- imports ---

    async def stage(self, staged: Staged, now: float) -> Import:
        await self._engine.write(imports.stage(staged, now))
        return await self.imported(staged.tenant, staged.name) or Import(0, 0, 0, None)

    async def apply(self, tenant: str, name: str, size: int, now: float) -> Import | None:
        await self._engine.write(imports.apply(tenant, name, size, now))
        return await self.imported(tenant, name)

    async def imported(self, tenant: str, name: str) -> Import | None:
        found, notices = await self._engine.read(lambda c: imports.find(c, tenant, name))
        if found is not None and not found.rest:
            await self.heeded(notices)
        return found

    async def next_staged(self) -> Staged | None:
        if not self._shares.active & 1:
            return None  # one node does it: whichever has the first shard
        return await self._engine.read(imports.next_staged)

    async def carry_out(
        self, staged: Staged, changes: Sequence[OptoutChange], consents: Sequence[Consent]
    ) -> list[bool] | None:
        self._note(changes)
        self._note_withdrawals(consents)
        rows, kept = optouts.rows(changes), records.rows(consents)
        forbidden = [one.number for one in rows if one.out]
        gone = [one.number for one in kept if one.state == "withdrawn"]
        work = imports.carry_out(staged, rows, kept, self._clock())
        telling = _telling(_telling(work, "optout", forbidden), "withdrawal", gone)
        (changed, _), _ = await self._engine.write(telling)
        return changed

    # --- what tenants ask ---

    async def find(
        self, tenant: str, numbers: Sequence[int], keys: Sequence[str]
    ) -> tuple[list[Record | None], list[Record | None]]:
        engine, now = self._engine, self._clock()
        standing = await self.known(tenant, keys)
        wanted = {*numbers, *(known.message for known in standing.values())}
        await self._shelves.messages(wanted)
        records = await engine.read(lambda c: reading.find(c, tenant, wanted, now))
        by_key = [records.get(standing[key].message) if key in standing else None for key in keys]
        return [records.get(number) for number in numbers], by_key

    async def optout(self, changes: Sequence[OptoutChange]) -> list[bool]:
        self._note(changes)
        rows = optouts.rows(changes)
        changed, told = await self._engine.write(
            _telling(optouts.work(rows), "optout", [one.number for one in rows if one.out])
        )
        await self.heeded(told)
        return changed

    async def optout_entries(
        self, tenant: str, numbers: Sequence[str]
    ) -> Mapping[str, Sequence[OptoutEntry]]:
        engine = self._engine
        spellings = list(map(canonical, numbers))
        perhaps = self._optouts.maybe(spellings)
        if not perhaps:
            return {}
        found = await engine.read(lambda c: optouts.entries(c, tenant, perhaps))
        pairs = zip(numbers, spellings, strict=True)
        return {number: found[phone] for number, phone in pairs if phone in found}

    async def optout_list(self, tenant: str, after: str, limit: int) -> Sequence[OptoutEntry]:
        return await self._engine.read(lambda c: optouts.page(c, tenant, after, limit))

    async def stats(
        self, tenant: str, campaign: str | None, start: int, stop: int, limit: int
    ) -> Stats:
        return await self._engine.read(
            lambda c: reading.stats(c, tenant, campaign, start, stop, limit)
        )

    # --- events ---

    async def events(self, tenant: str, after: int, limit: int) -> list[EventChunk]:
        chunks = self._tail.after(tenant, after, limit)
        if chunks is None:
            chunks = await self._engine.read(
                lambda c: reading.events_after(c, tenant, after, limit)
            )
        return events.merge([events.trim(chunk, after) for chunk in chunks])

    async def watch(self) -> Collection[str]:
        return await self._engine.signals.watch()

    async def acknowledge(
        self, tenant: str, consumer: str, seq: int, most: int = MANY
    ) -> int | None:
        return await self._engine.write(
            consumers.acknowledge(tenant, consumer, seq, most, self._clock())
        )

    async def consumers(self, tenant: str | None = None) -> list[Consumer]:
        last = self._tail.last
        return await self._engine.read(lambda c: reading.consumers(c, tenant, last))

    async def seen(self, there: Iterable[tuple[str, str]]) -> None:
        if rows := [*there]:
            await self._engine.write(consumers.seen(rows, self._clock()))

    async def forget_consumer(self, tenant: str, consumer: str) -> bool:
        return await self._engine.write(consumers.forget(tenant, consumer))

    async def bounds(self, tenant: str) -> tuple[int, int]:
        return await self._engine.read(lambda c: reading.bounds(c, tenant))

    # --- what operators ask (`gateway.queue.operators`) ---

    async def vitals(self) -> Vitals:
        return await self._engine.read(vitals.look)

    async def waiting(self, now: float) -> Sequence[QueueCount]:
        return await self._engine.read(lambda c: operators.waiting(c, now, self._means))

    async def lease_where(self, which: Which, last: int, limit: int) -> list[Message]:
        work = leasing.lease_where(which, last, limit, self._shelves.arrived)
        return (await self._take(work)).messages

    async def waiting_where(self, which: Which, last: int = NEWEST) -> int:
        return await self._engine.read(lambda c: leasing.waiting_where(c, which, last))

    async def owed_count(self, owed: Owing) -> int:
        await self._shelves.all_taken()
        return await self._engine.read(lambda c: operators.owed_count(c, owed))

    async def owed_about(self, carrier: str, most: int) -> int:
        return await self._engine.read(lambda c: operators.owed_about(c, carrier, most))

    async def owed(self, owed: Owing, after: str, limit: int) -> tuple[list[Owed], str | None]:
        await self._shelves.all_taken()
        return await self._engine.read(lambda c: operators.owed_slice(c, owed, after, limit))

    async def requeue(self, owed: Owing, numbers: Sequence[int], now: float) -> list[Message]:
        await self._shelves.messages(numbers)
        return await self._engine.write(
            leasing.requeue(owed.carrier, numbers, now, self._shares.division)
        )

    async def find_any(self, number: int) -> tuple[str, Record] | None:
        now = self._clock()
        await self._shelves.messages([number])
        return await self._engine.read(lambda c: operators.find_any(c, number, now))

    async def search(self, phones: Sequence[str], after: str | None, limit: int) -> Found:
        await self._shelves.all()
        return await Search(self._engine.read, operators, self._clock, phones, limit).run(after)

    async def tenants(self) -> Sequence[str]:
        return [name for _, name in await self._engine.read(operators.tenants)]

    async def live_to(
        self, phones: Collection[str], below: int = NEWEST
    ) -> tuple[list[tuple[str, Record]], int | None]:
        asked, now = sorted(phones), self._clock()
        await self._shelves.all()
        return await self._engine.read(lambda c: operators.live_slice(c, asked, below, now))

    async def erase_events(
        self, tenant: str, phones: Collection[str], after: int
    ) -> tuple[int, int | None]:
        return await self._engine.write(
            erasing.erase_events(tenant, phones, after), lambda _: self._tail.release(tenant)
        )

    async def erase_records(self, tenant: str | None, phones: Collection[str]) -> int:
        await self._shelves.all()  # what ended is in the chunk that it arrived in until then
        work = erasing.erase_records(tenant, phones)
        gone, told = await self._engine.write(_telling(work, "erased", [tenant or "", *phones]))
        await self.heeded(told)
        return gone

    async def refused(self, phones_: Collection[str], limit: int) -> Sequence[Refused]:
        return await self._engine.read(lambda c: phones.of_phones(c, phones_, limit))

    async def scrub(self) -> bool:
        """What is dead in its files is the server's to clear away."""
        await trio.lowlevel.checkpoint()
        return False

    async def campaigns(self, tenant: str | None, since: int, limit: int) -> Sequence[Counted]:
        return await self._engine.read(lambda c: operators.campaigns(c, tenant, since, limit))

    async def counted_in(self, hour: int) -> Sequence[HourCount]:
        return await self._engine.read(lambda c: operators.counted_in(c, hour))

    async def note_change(self, number: int | None, at: float, body: bytes) -> int:
        return await self._engine.write(operators.note_change(number, at, body))

    async def changes(self, before: int, limit: int) -> Sequence[Change]:
        return await self._engine.read(lambda c: operators.changes(c, before, limit))

    # --- templates ---

    async def put_templates(self, changes: Sequence[TemplateChange]) -> list[int]:
        versions, _ = await self._engine.write(
            _telling(records.put_templates(changes), "template", [one.name for one in changes])
        )
        return versions

    async def templates(self) -> Sequence[TemplateVersion]:
        return await self._engine.read(records.templates)

    async def template_changes(self) -> int:
        return await self._engine.read(records.template_changes)

    async def template_versions(self, tenant: str, name: str) -> Sequence[TemplateVersion]:
        return await self._engine.read(lambda c: records.versions(c, tenant, name))

    # --- moving to another store (`gateway.queue.moving`) ---

    async def numbers(self) -> Numbers:
        return await self._engine.read(moving.numbers)

    async def adopt(self, numbers: Numbers) -> None:
        await self._engine.write(moving.adopt(numbers))

    async def part(self) -> None:
        while await self._engine.write(backlog.part_some):
            pass

    async def rows_in(self, table: str) -> int:
        return await self._engine.read(lambda c: moving.count(c, table))

    async def read_rows(
        self, table: str, after: Place | None, limit: int
    ) -> tuple[list[Row], Place | None]:
        return await self._engine.read(lambda c: moving.read(c, table, after, limit))

    async def write_rows(self, table: str, rows: Sequence[Row], note: bytes) -> None:
        await self._engine.write(moving.write(table, rows, note))

    # --- upkeep ---

    async def oldest(self, now: float) -> Sequence[Oldest]:
        taken_since = self._shelves.taken.oldest()
        return await self._engine.read(lambda c: reading.oldest(c, now, taken_since))

    async def remember(self, name: str, value: bytes) -> None:
        await self._engine.write(_remembered(name, value))

    async def recall(self, name: str) -> bytes | None:
        return await self._engine.read(lambda c: reading.recall(c, name))

    async def prune(self, before: float, limit: int) -> int:
        now = self._clock()
        # Before any outcome is forgotten: it is what tells that a message has left its chunk.
        await self._shelves.aged(now, before)
        self._history.keep(before)
        if not self._shares.active & 1:
            return 0  # one node does it: whichever has the first shard
        hour = int(now // HOUR) - KEPT
        some = min(limit, upkeep.BLOCK)
        return (
            await self._forget("forget_consumers", before=before)
            or await self._prune_lanes(before)
            or await self._in_turn("forget_parts", before, upkeep.PASS, before=before, limit=some)
            or await self._in_turn("forget_uses", now, upkeep.USES_PASS, now=now, limit=some)
            or await self._forget("forget_failing", now=now, limit=some)
            or await self._forget("forget_ranges", now=now, limit=some)
            or await self._forget("forget_refusals", before=before, limit=some, most=MOST_REFUSED)
            or await self._engine.write(imports.forget(now - IMPORT_KEPT))
            or await self._in_turn("forget_stats", now, upkeep.PASS, before=hour)
            or await self._history.prune(before, limit)
        )

    async def _forget(self, name: str, **values: float) -> int:
        return await self._engine.write(upkeep.forget(name, **values))

    async def _in_turn(self, name: str, moment: float, every: float, **values: float) -> int:
        """The same, but not again for some time once there was nothing left."""
        if moment < self._done.get(name, -math.inf) + every:
            return 0
        gone = await self._forget(name, **values)
        if not gone:
            self._done[name] = moment
        return gone

    async def _prune_lanes(self, before: float) -> int:
        if before < self._done.get("lanes", -math.inf) + upkeep.PASS:
            return 0
        self._done["lanes"] = before
        engine = self._engine
        campaigns = await engine.read(upkeep.campaign_lanes)
        used = await engine.read(upkeep.used_lanes)
        dead = {number: of for number, of in campaigns.items() if number not in used}
        if not dead:
            return 0
        if self._nodes == 1:
            return await engine.write(upkeep.forget_lanes(set(dead)))
        return await self._prune_shared_lanes(dead)

    async def _prune_shared_lanes(self, dead: Mapping[int, str]) -> int:
        """Other nodes may know a lane by its number, and be about to use it: they look these up
        before they do so again, which shows. None is forgotten while one has not heard of that."""
        engine, names = self._engine, [str(number) for number in dead]
        number = engine.session.number
        _, told = await engine.write(_telling(upkeep.look_lanes_up(dead), "lanes", names))
        with trio.move_on_after(upkeep.HEARD_WITHIN):
            while await engine.read(  # noqa: ASYNC110
                lambda c: sharing.unheard_by_any(c, told, number)
            ):
                await trio.sleep(POLL / 2)
            return await engine.write(upkeep.forget_unused_lanes(dead))
        return 0


async def _let_go(engine: Engine, shards: int) -> None:
    """Let go in order. Where that cannot be put on record, the next node finds it as after a crash:
    it is another's already, or the database is gone, and not only a connection."""
    for _ in range(2):
        try:
            await shelves.shelve_all(engine)
            await engine.write(leasing.unlease(shards))
        except StoreFenced:
            return
        except StoreError:
            continue
        return


def _remembered(name: str, value: bytes) -> Work[None]:
    def work(session: Session) -> Callable[[], None]:
        session.execute(settling.SQL["remember"], {"name": name, "value": value})
        return lambda: None

    return work


def _agreed(name: str, value: bytes, before: bytes | None) -> Work[int | None]:
    """Keeps a value in the place of another, and has all nodes told; None where it is not that."""

    def work(session: Session) -> Callable[[], int | None]:
        told = 0
        if not session.alone:
            told = sharing.notify(session, "memo", name.encode())  # first: it makes others wait
            rows = session.execute(reading.SQL["recall"], {"name": name}).fetchall()
            if (bytes(rows[0][0]) if rows else None) != before:
                return lambda: None
        session.execute(settling.SQL["remember"], {"name": name, "value": value})
        return lambda: told

    return work


def _telling(work: Work[T], kind: str, names: Sequence[str]) -> Work[tuple[T, int]]:
    """Does something of which all nodes are to be told, if it is of any names; gives the number of
    the notice too, 0 for none."""

    def telling(session: Session) -> Callable[[], tuple[T, int]]:
        finish = work(session)
        told = 0
        if names and not session.alone:
            told = sharing.notify(session, kind, msgspec.msgpack.encode(names))
        return lambda: (finish(), told)

    return telling


_decode_numbers = msgspec.msgpack.Decoder(list[str]).decode
