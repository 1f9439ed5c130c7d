"""The watchdog: whether each message that the store has leased to this process is in a place.

They part only by a fault of the gateway: a message that a coroutine has dropped is in no place, and
nothing would come of it until the next start. Such a one goes back to waiting after `PATIENCE`, as
after a crash: marked, for nobody knows what was done with it. One that is in a lane though the
store has not leased it (any more) is taken out, for somebody else may have it.

Each look compares the counts and goes through a slice of what is leased; where the counts differ
twice running, it goes through all of it at once. Whatever is found is logged and counted as
`messages_misplaced`; there is an alert on it.
"""

from typing import Final, Literal, get_args

import structlog
import trio

from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places, Wrong
from gateway.message import message_id
from gateway.ops.logs import Sparing
from gateway.ops.metrics import Metrics
from gateway.queue.lanes import Lanes
from gateway.queue.store import Store

PATIENCE: Final = 60.0
"""Seconds for which a message is in no place, at each look, before it is put back. What is on its
way from the store is there within a second."""

SLICE: Final = 1_000
"""Messages looked at in one call of the store: half a millisecond."""

TOLD: Final = 5
"""Messages that a log line names at most."""

How = Literal["moved", "lost", "unleased", "left"]
"""In which way messages were misplaced: moved from where they were not, in no place, in a lane
without being leased, or with a carrier when everything had been settled for a stop."""

log = structlog.get_logger(__name__)


class Misplaced:
    """Tells operators of messages that were misplaced."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._complain = Sparing(log.error)
        for how in get_args(How):  # an alert sees a rise only of what has been there before
            metrics.messages_misplaced.add(0, how)

    def moved(self, wrong: Wrong) -> None:
        """A part of the program took messages from where they were not."""
        move = f"{wrong.source or 'anywhere'} to {wrong.target}"
        messages = max(1, sum(wrong.found.values()))
        self._tell("moved", messages, move, move=move, found=dict(wrong.found))

    def found(self, how: How, numbers: set[int]) -> None:
        """Messages were misplaced, and are put right."""
        if numbers:
            ids = [message_id(number) for number in sorted(numbers)[:TOLD]]
            self._tell(how, len(numbers), how, ids=ids)

    def _tell(self, how: How, messages: int, key: str, **fields: object) -> None:
        self._metrics.messages_misplaced.add(messages, how)
        now = trio.current_time()
        self._complain("messages_misplaced", key, now, how=how, messages=messages, **fields)


class Watchdog:
    """Compares the registry of places with the store."""

    def __init__(
        self, *, store: Store, places: Places, lanes: Lanes, ledger: Ledger, misplaced: Misplaced
    ) -> None:
        self._store = store
        self._places = places
        self._lanes = lanes
        self._ledger = ledger
        self._misplaced = misplaced
        self._after = 0
        self._differed = False
        # Since when messages are known to be in no place, and which were in a lane unleased.
        self._since: dict[int, float] = {}
        self._unleased: set[int] = set()

    async def look(self, now: float) -> None:
        """Look once; ``now`` is Unix time. To be called each minute."""
        started = trio.current_time()
        leased = await self._store.leased(self._after, SLICE)
        differs = leased.messages != self._places.total
        if differs and self._differed:
            await self._look_at_all(now)
        else:
            self._note_missing(leased.numbers, started)
            self._after = leased.numbers[-1] if len(leased.numbers) == SLICE else 0
        self._differed = differs
        await self._put_back(started, now)

    async def _look_at_all(self, now: float) -> None:
        in_lanes, leased = self._places.members("lane"), set[int]()
        after = 0
        while True:
            started = trio.current_time()
            some = (await self._store.leased(after, SLICE)).numbers
            self._note_missing(some, started)
            leased.update(some)
            if len(some) < SLICE:
                break
            after = some[-1]
        # Twice running: the first time, some may have come and gone between two slices.
        unleased = (in_lanes & self._places.members("lane")) - leased
        self._take_out(unleased & self._unleased, now)
        self._unleased = unleased

    def _take_out(self, numbers: set[int], now: float) -> None:
        """Messages are in lanes though the store has not leased them."""
        for tenant in {lane.key.tenant for lane in self._lanes.each() if numbers}:
            gone = self._lanes.remove(tenant, lambda message: message.id in numbers)
            self._places.leave("lane", [message.id for message in gone])
            for message in gone:  # it may wait in the store: have the lane ask
                self._lanes.deferred(message.lane, now, now)
        self._misplaced.found("unleased", numbers)

    def _note_missing(self, numbers: list[int], since: float) -> None:
        self._forget_found()
        for number in self._places.missing(numbers):
            self._places.wanted.add(number)
            self._since.setdefault(number, since)

    def _forget_found(self) -> None:
        """What has entered a place since is not missed any more."""
        wanted = self._places.wanted
        if len(wanted) < len(self._since):
            self._since = {number: at for number, at in self._since.items() if number in wanted}

    async def _put_back(self, started: float, now: float) -> None:
        """What has been in no place for long waits in the store again."""
        self._forget_found()
        lost = [number for number, at in self._since.items() if at <= started - PATIENCE]
        if not lost:
            return
        back = await self._store.put_back(lost)
        for number in lost:
            del self._since[number]
            self._places.wanted.discard(number)
        self._ledger.deferred(back)
        for message in back:
            self._lanes.deferred(message.lane, message.due, now)
        self._misplaced.found("lost", {message.id for message in back})
