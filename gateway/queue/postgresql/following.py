"""What a node learns of the others: their events and notices, messages that they have accepted for
it, and how the shards are to be shared.

It is told, within moments (`gateway.queue.postgresql.listening`), and then asks for what it was
told of. Beneath that it looks, with one statement, since what is told may be lost: once a second,
and while it is not listening, or has found something of which it was told nothing, as often as it
takes to hear of everything in time.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec
import trio

from gateway.errors import StoreError
from gateway.message import CATEGORIES, LaneKey
from gateway.queue.postgresql import leasing, reading, sharing, slots, upkeep
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.engine import Engine
from gateway.queue.postgresql.listening import SPACING, Listener, News
from gateway.queue.postgresql.sharing import Shares
from gateway.queue.postgresql.shelves import Shelves, taking
from gateway.queue.postgresql.slots import Slots
from gateway.queue.store import Count, Heard, OwnSlots, Slot

_decode_keys = msgspec.msgpack.Decoder(list[str]).decode

POLL: Final = 0.04
"""Seconds between looks where nothing is told."""

NET: Final = 1.0
"""Seconds between looks at what should have been told."""

DOUBT: Final = 10.0
"""Seconds for which a node looks that has found something of which it was told nothing."""

SHARE: Final = 1.0
"""Seconds until shards and slots are seen to again where that has failed."""

LEAVE: Final = 0.1
"""Seconds between looks whether what is given up is done with."""

COUNT: Final = 5.0
"""Seconds between counts of what has no outcome."""

SELDOM: Final = 20.0
"""Between counts, times what the last one took: a million that wait may take a busy server a
second, in which this node reads nothing else."""

FIRST: Final = 2_048
"""Messages of shards that are new here which are leased at once, beside what is in memory."""

LANES: Final = 64
"""Lanes of which they are at most, the most urgent."""


class Follower:
    """Follows the other nodes on behalf of one, and knows which shards that one has.

    Attributes:
        active: the shards whose messages this node leases and sends.
        leaving: those that it gives up, once what it has leased of them is done with.

    Args:
        engine: that of the node.
        shelves: its chunks.
        clock: Unix time.
        on_seqs: told the last ``seq`` of tenants; says whether others have given one.
        on_notice: told each notice, its kind and body.
    """

    def __init__(
        self,
        engine: Engine,
        shelves: Shelves,
        clock: Callable[[], float],
        on_seqs: Callable[[Mapping[str, int]], bool],
        on_notice: Callable[[str, bytes], None],
    ) -> None:
        self._engine = engine
        self._shelves = shelves
        self._clock = clock
        self._on_seqs = on_seqs
        self._on_notice = on_notice
        self.active = self.leaving = 0
        self._owners: Sequence[int | None] = [None] * sharing.SHARDS
        self._takers: Collection[int] = ()
        self._seqs = -1
        self._newest = 0
        self._told = -1.0
        self._live = 0
        self._held_left = False
        self._slots: dict[str, OwnSlots] = {}
        self._leaving: set[Slot] = set()
        self._heeded = engine.session.heard
        self._share_at = self._look_at = self._count_at = 0.0
        self._next = self._doubt_until = 0.0
        self._doubtful = False
        self._left = NET
        self._shared = self._seen_shared = ""
        self._heard = Heard()

    @property
    def mine(self) -> int:
        """The shards of which this node has leased messages."""
        return self.active | self.leaving

    @property
    def division(self) -> sharing.Division:
        """Who has which shards, as far as this node knows."""
        return sharing.Division(self.active, self._owners, self._takers)

    async def begin(self) -> None:
        """Take what is free of the shards, up to an even share, and what nodes have left behind."""
        await self._engine.write(lambda _: lambda: None)  # opening may have taken its time
        await self._share()
        await self._take_held()  # for the recovery to find
        await self._engine.write(sharing.take_passed_on(self.active))
        self._engine.session.begun = True
        self._engine.tell(News(shares=True))  # there is one more
        self._heard = Heard(inherited=self._heard.inherited)
        self._told = -1.0
        self._slots = {}

    async def heard(self) -> Heard:
        """Wait until others have done what concerns this node, see `gateway.queue.store.Heard`."""
        await self._heed()
        while True:
            await self._until_something()
            now = trio.current_time()
            self._next = now + SPACING
            await self._go_by(self._listener.take(), now)
            if now >= self._share_at and not self._engine.session.unsure:
                self._share_at = again = now + SHARE
                if await self._share() and self._share_at == again:  # `soon` says otherwise
                    giving_up = self.leaving or self._leaving
                    self._share_at = now + LEAVE if giving_up else math.inf
            if self._held_left and self._engine.session.sure:
                await self._take_held()
            if now >= self._count_at:
                self._count_at = now + COUNT
                await self._count()
                took = trio.current_time() - now
                self._count_at += SELDOM * took
            if self._heard != Heard():
                heard, self._heard = self._heard, Heard()
                return heard

    @property
    def _listener(self) -> Listener:
        if self._engine.listener is None:
            raise StoreError("there are no other nodes")
        return self._engine.listener

    async def _until_something(self) -> None:
        """Wait until something was told, or it is time to look; no more often than `SPACING`."""
        await trio.sleep_until(self._next)
        with trio.move_on_at(min(self._look_at, self._share_at, self._count_at)):
            await self._listener.wait()

    async def _go_by(self, news: News, now: float) -> None:
        """Ask for what was told, and look where it is time to."""
        look_at, self._look_at = self._look_at, 0.0  # where this fails
        if self._doubtful and not news:
            self._doubt_until = now + DOUBT
        self._doubtful = False
        if news.shares:
            self._share_at = 0.0
        self._heard.rates |= news.rates
        if news.seqs:
            self._on_seqs(news.seqs)
        self._note_newest(news.newest)
        if news.arrived & self.active:
            await self._arrivals()
        if news.passed_on & self.active:
            await self._passed_on()
        if news.wanted:
            await self._shelves.parts(news.wanted)
        if not (news.others or now >= look_at):
            self._look_at = look_at
            return
        self._doubtful = await self._look() and not news
        sure = self._listener.listening and now >= self._doubt_until and not self._doubtful
        self._look_at = now + (min(NET, self._left) if sure else POLL)

    async def _heed(self) -> None:
        """Say that this node goes by all notices that it was told. What had begun before is over:
        whoever has asked for facts before this look has had them, and has gone by them."""
        session = self._engine.session
        if self._heeded > session.heard:
            await self._engine.read(lambda _: None)
            await trio.lowlevel.checkpoint()
            session.heard = self._heeded
            await self._engine.write(lambda _: lambda: None)

    async def _look(self) -> bool:
        """Look for all that is new; says whether anything is that should have been told."""
        engine, active = self._engine, self.active
        seen = await engine.read(lambda c: sharing.tick(c, active))
        seqs, notices = seen.seqs, seen.notices
        self._seen_shared = seen.shared
        self._left = NET if seen.left is None else seen.left + SPACING
        if seen.shared != self._shared:
            self._share_at = 0.0
        found = seen.arrived or seen.passed_on or notices > self._heeded
        if seqs != self._seqs:
            known = await engine.read(reading.last_seqs)
            self._seqs = sum(known.values())
            found |= self._on_seqs(known)
        if notices > self._heeded:
            after = self._heeded
            handed: list[str] = []
            for number, kind, body in await engine.read(lambda c: sharing.notices(c, after)):
                self._on_notice(kind, body)
                if kind == "handover":
                    handed += _decode_keys(body)
                elif kind == "lanes":
                    gone = [int(name) for name in _decode_keys(body)]
                    await engine.write(upkeep.look_lanes_up(gone))
                elif kind == "erased":
                    tenant, *phones = _decode_keys(body)
                    self._heard.erased.append((tenant or None, phones))
                self._heard.notices.append(kind)
                self._heeded = number
            if self._heard.erased:  # what ended is in the chunk that it arrived in until then
                await self._shelves.all()
            if handed:  # as it is by now, whoever has changed it last
                self._heard.handed |= await engine.read(lambda c: reading.handed(c, handed))
        if seen.arrived:
            await self._arrivals()
        if seen.passed_on:
            await self._passed_on()
        self._note_newest(seen.newest)
        return found

    def _note_newest(self, number: int) -> None:
        if number > self._newest:
            self._newest = self._heard.newest = number

    async def _arrivals(self) -> None:
        self._came(await self._engine.write(sharing.arrived(self.active)))

    async def _take_held(self) -> None:
        """Take what dead nodes have kept; of those that may not be dead, later."""
        sure = self._engine.session.sure
        self._heard.held += await self._engine.write(taking(sharing.take_held))
        self._held_left = not sure

    async def _passed_on(self) -> None:
        self._heard.held += await self._engine.write(sharing.take_passed_on(self.active))

    def _came(self, lanes: dict[LaneKey, float]) -> None:
        known = self._heard.lanes
        for lane, due in lanes.items():
            known[lane] = min(due, known.get(lane, due))

    def soon(self) -> None:
        """Look at once how the work is shared."""
        self._share_at = 0.0
        if self._engine.listener is not None:
            self._engine.listener.wake()

    async def vacate(self, given: Collection[Slot]) -> None:
        """Give up slots that no session uses any more."""
        await self._engine.write(slots.vacate(given))
        self._leaving.difference_update(given)
        self.soon()

    async def _share(self) -> bool:
        """Take shards and slots that nobody has, go on with those that were taken, and give up some
        of those that are too many; says whether there was nothing to take: else it is looked again
        whether that was done."""
        me, seen = self._engine.session.number, self._seen_shared
        found, shares = await self._engine.read(lambda c: (slots.look(c, me), sharing.look(c, me)))
        if me not in [node.number for node in found.live]:
            return False  # its time is over, unless its next transaction is still made
        lacked = [await self._share_shards(found, shares), await self._share_slots(found)]
        self._shared = seen
        return not any(lacked)

    async def _share_shards(self, found: Slots, shares: Shares) -> bool:
        engine, me = self._engine, self._engine.session.number
        sending = slots.senders(found.live)
        most = -(-sharing.SHARDS // len(sending)) if me in sending else 0
        missing = most - sharing.size(shares.mine)
        lacked = bool(shares.free) and missing > 0
        if lacked:
            await self._cut(shares.silent)
            if await engine.write(taking(sharing.take(missing))):
                shares = await engine.read(lambda c: sharing.look(c, me))
        if len(found.live) < self._live:
            await self._take_held()
        self._live = len(found.live)
        self._owners, self._takers = shares.owners, shares.takers
        fresh = shares.mine & ~self.mine
        if fresh:
            while await engine.write(leasing.mark_block(fresh)):
                pass
            lanes = await engine.read(lambda c: upkeep.first_due(c, fresh))
            self._count_at = trio.current_time() + COUNT  # it may take long: they are sent first
            self._heard.held += await engine.read(lambda c: reading.held_of_shards(c, fresh))
            self.active |= fresh
            self._came(lanes)
            if engine.session.begun:
                await self._lease_first(lanes, fresh)
        if not self.leaving and missing < 0:
            some = sharing.members(self.active)[: min(-missing, sharing.STEP)]
            self.leaving = sharing.combined(some)
            self.active &= ~self.leaving
            self._heard.left = True
        elif self.leaving:
            await self._shelves.all()
            if await engine.write(leasing.none_leased(self.leaving)):
                await engine.write(sharing.leave(self.leaving))
                self.leaving = 0
            else:
                self._heard.left = True
        share = sharing.size(self.active) / sharing.SHARDS
        if share != self._told:
            self._heard.share = self._told = share
        return lacked

    async def _lease_first(self, lanes: Mapping[LaneKey, float], fresh: int) -> None:
        """Lease the first messages of shards that are new here: this node may have those of its
        others in memory for half a minute."""
        now = self._clock()
        due = [lane for lane, at in lanes.items() if at <= now]
        due.sort(key=lambda lane: (CATEGORIES.index(lane.category), lanes[lane]))
        some = due[:LANES]
        for lane in some:
            work = leasing.lease(lane, now, FIRST // len(some), fresh, self._shelves.arrived)
            self._heard.came += (await self._shelves.lease(work, now)).messages

    async def _share_slots(self, found: Slots) -> bool:
        engine, me = self._engine, self._engine.session.number
        missing = found.missing(me)
        if missing:
            left = found.left
            await self._cut(frozenset(left.values()))
            if await engine.write(slots.take(missing)):
                found = await engine.read(lambda c: slots.look(c, me))
                self._heard.inherited |= {slot: left[slot] for slot in found.mine & left.keys()}
        self._leaving |= found.surplus(me, sending=bool(self.mine))
        self._heard.leaving = sorted(self._leaving)
        mine = {
            carrier: OwnSlots(found.of(carrier, self._leaving), binds)
            for carrier, binds in slots.allowed(found.live).items()
        }
        if mine != self._slots:
            self._heard.slots = self._slots = mine
        return bool(missing)

    async def _cut(self, silent: frozenset[str]) -> None:
        if silent and self._engine.session.sure:
            await self._engine.read(lambda c: sharing.cut(c, silent))

    async def _count(self) -> None:
        shards, now = self.mine, self._clock()

        def count(connection: Connected) -> list[Count]:
            _, counts = upkeep.standing(connection, shards, now)
            return counts + upkeep.leased(connection, shards)

        in_chunks, taken = self._shelves.arrived.counts(), self._shelves.taken.counts()
        in_chunks.subtract(taken)  # which are in both
        self._heard.counts = [
            *await self._engine.read(count),
            *(Count(*owner, "queued", messages) for owner, messages in in_chunks.items()),
            *(Count(*owner, "sent", messages) for owner, messages in taken.items()),
        ]
