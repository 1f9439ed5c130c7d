"""The chunks of a node, as its event loop knows them (`gateway.queue.chunks`), and what has them
shelved: time, and whoever asks for single messages."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeVar

import trio

from gateway.queue.chunks import NOBODY, Chunks, Leaving, Owner
from gateway.queue.postgresql import arrived, taken
from gateway.queue.postgresql.backlog import Taken
from gateway.queue.postgresql.engine import Engine
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.postgresql.taken import Entry, TakenRow

T = TypeVar("T")


class Departure(NamedTuple):
    """What a call has leave the chunks.

    Attributes:
        late, late_taken: chunks that are shelved before anything else is done.
        from_arrived, from_taken: which messages leave.
        taken: the chunk of those that a carrier has taken now.
        ripe, ripe_taken: chunks that are shelved after all else.
    """

    late: Sequence[int] = ()
    late_taken: Sequence[int] = ()
    from_arrived: Leaving = NOBODY
    from_taken: Leaving = NOBODY
    taken: TakenRow | None = None
    ripe: Sequence[int] = ()
    ripe_taken: Sequence[int] = ()

    def begin(self, session: Session) -> None:
        """What comes first in its transaction."""
        arrived.shelve(session, self.late)
        taken.shelve(session, self.late_taken)
        if self.taken is not None:
            taken.insert(session, self.taken)

    def end(self, session: Session) -> None:
        """What comes once the outcomes are known."""
        arrived.delete(session, self.from_arrived.emptied)
        taken.delete(session, self.from_taken.emptied)
        arrived.shelve(session, self.ripe)
        taken.shelve(session, self.ripe_taken)


class Shelves:
    """The chunks of a node.

    Attributes:
        arrived: what went straight to a lane.
        taken: what carriers have taken, where no other node works beside this one.
    """

    def __init__(self, engine: Engine) -> None:
        self.arrived = Chunks()
        self.taken = Chunks()
        self._engine = engine
        self._shelving = trio.Lock()
        self._coming = 0

    async def lease(self, work: Work[Taken], now: float) -> Taken:
        """Do what leases messages, some of them in chunks, which are this node's from then on."""

        def come(taken: Taken) -> None:
            for number, lane, messages in taken.chunks:
                owners = [(lane.tenant, lane.category)]
                self.arrived.note(messages, now, owners=owners, number=number)

        self._coming += 1
        try:
            return await self._engine.write(work, come)
        finally:
            self._coming -= 1

    # --- what leaves with a call ---

    def defer(self, messages: Iterable[int]) -> Departure:
        """Messages go on in rows of their own."""
        return Departure(self.arrived.late(), (), self.arrived.leave(messages))

    def part(self, told: Collection[int]) -> None:
        """Have the next settlement begin with shelving what these messages are in: something is
        told of them that is kept in their rows."""
        of_taken = self.taken.with_any(told)
        of_arrived = self.arrived.with_any(chain(told, self.taken.messages(of_taken)))
        for chunks, numbers in ((self.arrived, of_arrived), (self.taken, of_taken)):
            chunks.be_late(numbers)
            for number in numbers:
                chunks.forget(number)

    def settle(
        self,
        finals: Collection[int],
        parted: Iterable[int],
        entries: Sequence[Entry],
        owners: Collection[Owner],
        now: float,
    ) -> Departure:
        """Messages have their outcome, go on in rows, or were taken by a carrier."""
        late, late_taken = self.arrived.late(), self.taken.late()
        from_arrived = self.arrived.leave([*finals, *parted])
        from_taken = self.taken.leave(finals)
        row = None
        if entries:
            ids = [entry.message for entry in entries]
            refs = frozenset([ref for entry in entries for ref in entry.refs])
            due = min([entry.deadline for entry in entries])
            number = self.taken.note(ids, now, due, owners, refs)
            row = TakenRow(number, now, taken.encode(entries))
        ripe_taken = self.taken.ripe(now)
        ripe = self.arrived.with_any(chain.from_iterable(ripe_taken.values()))
        for number in ripe:
            self.arrived.forget(number)
        ripe += self.arrived.ripe(now)
        return Departure(late, late_taken, from_arrived, from_taken, row, ripe, [*ripe_taken])

    def left(self, departure: Departure) -> None:
        """The call has been done."""
        self.arrived.left(departure.from_arrived)
        if departure.from_taken is not NOBODY:
            self.taken.left(departure.from_taken)

    def stay(self, departure: Departure) -> None:
        """The call has failed."""
        if departure.taken is not None:
            self.taken.forget(departure.taken.number)
        self.arrived.stay(departure.from_arrived)
        if departure.from_taken is not NOBODY:
            self.taken.stay(departure.from_taken)
        self.arrived.be_late([*departure.late, *departure.ripe])
        self.taken.be_late([*departure.late_taken, *departure.ripe_taken])

    # --- what is asked for ---

    async def all(self) -> None:
        """Have single messages and parts be found."""
        await self._come()
        await self._shelve(self.arrived.all(), self.taken.all())

    async def all_taken(self) -> None:
        """Have the messages be found that carriers have taken, and their parts."""
        await self._shelve([], self.taken.all())

    async def messages(self, numbers: Collection[int]) -> None:
        """Have these messages be found."""
        await self._come()
        await self._shelve(self.arrived.with_any(numbers), self.taken.with_any(numbers))

    async def _come(self) -> None:
        """Wait until what is being leased is known: it may be asked for."""
        if self._coming:
            await self._engine.write(lambda _: _nothing)

    async def parts(self, refs: Collection[str]) -> None:
        """Have the parts be found that carriers have given these ids."""
        await self._shelve([], self.taken.with_refs(refs))

    async def due(self, now: float) -> None:
        """Have the messages be found that no receipt has come for in time."""
        if due := self.taken.due(now):
            await self._shelve([], due)

    async def aged(self, now: float, before: float) -> None:
        """Shelve what is there for long."""
        await self._shelve(self.arrived.aged(now, before), self.taken.aged(now, before))

    async def _shelve(self, of_arrived: Collection[int], of_taken: Collection[int]) -> None:
        """Shelve chunks, and wait for what is on its way out of others: it may be asked for."""
        needed = self.arrived.with_any(self.taken.messages(of_taken))
        left = deque(dict.fromkeys([*of_arrived, *needed])), deque(of_taken)
        async with self._shelving:
            for chunks, numbers, shelve in (
                (self.arrived, left[0], arrived.shelve),
                (self.taken, left[1], taken.shelve),
            ):
                while block := chunks.block(numbers):
                    try:
                        await self._engine.write(partial(_work, shelve=shelve, numbers=block))
                    except BaseException:
                        chunks.be_late(block)
                        raise
            if self.arrived.under_way or self.taken.under_way:
                await self._engine.write(lambda _: _nothing)


def _work(
    session: Session, shelve: Callable[[Session, Sequence[int]], None], numbers: Sequence[int]
) -> Callable[[], None]:
    shelve(session, numbers)
    return _nothing


def _nothing() -> None:
    pass


async def shelve_all(engine: Engine) -> None:
    """Shelve what a node has in the database that begins, or ends."""
    for some in (arrived.shelve_some, taken.shelve_some):
        while await engine.write(partial(_some, shelve_some=some)):
            pass


def _some(session: Session, shelve_some: Callable[[Session], bool]) -> Callable[[], bool]:
    found = shelve_some(session)
    return lambda: found


def taking(work: Work[T]) -> Work[T]:
    """Does what fences nodes off that are gone, and shelves what they have left behind."""

    def both(session: Session) -> Callable[[], T]:
        finish = work(session)
        arrived.shelve_left(session)
        taken.shelve_left(session)
        return finish

    return both
