"""The lanes: what is ready to be sent, in memory, in order, and bounded.

A lane is a short piece of the queue; the rest of it, however long, stays in the store. This module
knows which messages are here, how much room there is for more, and when the store has some to give.
It does no I/O: `Lanes.wanting` says what to lease, `Lanes.refilled` takes what came. Whose turn it
is to be sent is the scheduler's question.

A lane may be *paused*: then nothing is taken from it and nothing leased for it, and what it has
stays, and ages.

What a lane knows of the store is one moment, ``next_due``: when the first message that waits there
is due. Once that has passed the lane is *backlogged*: it takes no fresh message directly (older
ones would be overtaken) and is refilled in batches until the store has no due message left.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count, groupby
from operator import attrgetter
from typing import Final

import msgspec

from gateway.message import CATEGORIES, LaneKey, Message

BUDGET: Final = 50_000
"""Messages in all lanes together: about 50 MB."""

CAPACITY: Final = 4_000
"""Messages in one lane: a tenth of a second's work of the whole gateway, several times as long as
a lease takes."""

MINIMUM: Final = 16
"""Messages that every lane may hold whatever the others do, so that none waits for their room. The
lanes of a full house hold at most `BUDGET` plus this for each."""

SHARE: Final = 8
"""A lane may hold up to an eighth of the room that is left. Many stuck lanes then settle at equal
sizes, and there is always room for one more that moves."""

RETRY: Final = 1.0
"""Seconds before a lane is asked for again after a lease that brought nothing."""

_of_lane = attrgetter("tenant", "category", "route", "campaign")
_order = attrgetter("due", "id")


class Lane:
    """The ready messages of one `LaneKey`, in order. Read by others, changed by `Lanes`.

    Attributes:
        messages: ready to be sent, the next one first.
        reserved: room kept for messages that are being accepted. Never both this and ``leasing``,
            else the one would overtake the other.
        leasing: room kept for messages that are being leased.
        next_due: when the first one that waits in the store and is not due yet will be.
        backlogged: the store holds messages that are due.
        resting: it does, but a lease brought none: not asked again before ``next_due``.
        paused: nothing of it is to be sent until that is over.
        listed: the scheduler has it in a line.
        deficit: the scheduler's: parts that it may send in this turn, or in its next one; negative
            while it pays back what it has overdrawn.
    """

    __slots__ = (
        "backlogged", "deficit", "key", "leasing", "listed", "messages", "next_due", "paused",
        "reserved", "resting",
    )  # fmt: skip

    def __init__(self, key: LaneKey, paused: bool) -> None:
        self.key = key
        self.messages: deque[Message] = deque()
        self.paused = paused
        self.reserved = 0
        self.leasing = 0
        self.next_due = math.inf
        self.backlogged = False
        self.resting = False
        self.listed = False
        self.deficit = 0.0

    @property
    def held(self) -> int:
        return len(self.messages) + self.reserved + self.leasing

    @property
    def idle(self) -> bool:
        return (
            not self.messages
            and not self.listed
            and not (self.reserved or self.leasing or self.backlogged)
            and self.next_due == math.inf
        )


class LanesStatistics(msgspec.Struct, frozen=True):
    """A snapshot of `Lanes`.

    Attributes:
        lanes: how many there are.
        messages: ready in them.
        kept: room kept for messages that are being accepted or leased.
        hungry: lanes that want a refill.
        sleeping: lanes whose messages in the store are due later.
    """

    lanes: int
    messages: int
    kept: int
    hungry: int
    sleeping: int


class Lanes:
    """All lanes, and the room that they share."""

    def __init__(self, budget: int = BUDGET, capacity: int = CAPACITY) -> None:
        self._budget = budget
        self._capacity = capacity
        self._lanes: dict[LaneKey, Lane] = {}
        self._paused: Callable[[LaneKey], bool] = _never
        self._held = 0
        self._woken: list[Lane] = []
        self._hungry: dict[LaneKey, Lane] = {}
        # (next_due, order, key), the earliest first; out of date where the lane says otherwise.
        self._alarms: list[tuple[float, int, LaneKey]] = []
        self._order = count()

    def get(self, key: LaneKey) -> Lane:
        """The lane of this name, made if there is none; one left idle is dropped again."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, self._paused(key))
        return lane

    def known(self, key: LaneKey) -> Lane | None:
        """The lane of this name; None where it is idle."""
        return self._lanes.get(key)

    def pause(self, paused: Callable[[LaneKey], bool]) -> None:
        """From now on these lanes are paused and the others are not."""
        self._paused = paused
        for lane in list(self._lanes.values()):
            lane.paused = paused(lane.key)
            self._settle(lane)

    # --- fresh messages ---

    def reserve(self, messages: Sequence[Message], now: float) -> list[bool]:
        """Decide which messages go straight to their lane once they are accepted.

        Room is kept for these until `admit` or `unreserve`. The others are noted as waiting in the
        store, so it must be asked to accept them before it is asked for another lease.

        Returns:
            for each message whether it goes straight to its lane.
        """
        direct: list[bool] = []
        for name, run in groupby(messages, _of_lane):
            lane = self.get(LaneKey._make(name))
            ripe = not lane.backlogged and not lane.paused and lane.next_due > now
            room = self._room(lane) if ripe and not lane.leasing else 0
            taken = 0
            for message in run:
                if message.due > now:
                    direct.append(False)
                    self._note(lane, message.due, now)
                elif taken < room:
                    direct.append(True)
                    taken += 1
                else:
                    direct.append(False)
                    lane.backlogged = True
            lane.reserved += taken
            self._held += taken
            self._settle(lane)
        return direct

    def admit(self, messages: Iterable[Message]) -> None:
        """Put accepted messages that room was reserved for into their lanes, in order."""
        for name, run in groupby(messages, _of_lane):
            lane = self.get(LaneKey._make(name))
            before = len(lane.messages)
            lane.messages.extend(run)
            lane.reserved -= len(lane.messages) - before
            self._settle(lane)

    def unreserve(self, messages: Iterable[Message]) -> None:
        """Let go of the room reserved for messages that were not accepted after all."""
        for name, run in groupby(messages, _of_lane):
            lane = self.get(LaneKey._make(name))
            count = sum(1 for _ in run)
            lane.reserved -= count
            self._held -= count
            self._settle(lane)

    # --- refill from the store ---

    def deferred(self, key: LaneKey, due: float, now: float) -> None:
        """The store holds a message of this lane that is due then. Not to be called before the
        store was asked to hold it, or a lease in between would miss it."""
        lane = self.get(key)
        self._note(lane, due, now)
        self._settle(lane)

    def wanting(self, now: float) -> list[tuple[LaneKey, int]]:
        """The lanes to lease messages for now, the most urgent category first, and how many.

        Each is told once: its answer must come back through `refilled`.
        """
        alarms = self._alarms
        while alarms and alarms[0][0] <= now:
            due, _, key = heapq.heappop(alarms)
            lane = self._lanes.get(key)
            if lane is not None and lane.next_due == due:
                lane.next_due = math.inf
                lane.backlogged = True
                lane.resting = False
                self._settle(lane)
        wanted = []
        even = max(MINIMUM, (self._budget - self._held) // max(1, len(self._hungry)))
        for lane in sorted(self._hungry.values(), key=_urgency):
            count = min(even, self._room(lane))
            if count <= 0 or lane.paused:
                continue  # filled up meanwhile; taking from it will make it hungry again
            # The lease will tell whether more is due; what is noted meanwhile is kept beside it.
            lane.backlogged = False
            lane.leasing = count
            self._held += count
            wanted.append((lane.key, count))
        self._hungry.clear()
        return wanted

    def refilled(
        self, key: LaneKey, messages: Sequence[Message], next_due: float | None, now: float
    ) -> None:
        """What a lease that `wanting` asked for has brought, and when the next one is due.

        A lease that failed is reported as no messages, with ``next_due`` = ``now``: the lane is
        asked for again after `RETRY`, and no message overtakes those in the store meanwhile.
        """
        lane = self.get(key)
        self._held += len(messages) - lane.leasing
        lane.leasing = 0
        lane.messages.extend(messages)
        if next_due is not None:
            self._note(lane, next_due, now)
        if lane.backlogged and not messages:
            lane.resting = True
            self._note(lane, now + RETRY, now)
        self._settle(lane)

    def insert(self, messages: Iterable[Message]) -> None:
        """Put leased messages among those that are in their lanes, each in its place: they have
        come from another node, and have waited there. They may be more than there is room for."""
        by_lane: dict[LaneKey, list[Message]] = {}
        for message in messages:
            by_lane.setdefault(message.lane, []).append(message)
        for name, run in by_lane.items():
            lane = self.get(name)
            lane.messages = deque(heapq.merge(lane.messages, run, key=_order))
            self._held += len(run)
            self._settle(lane)

    def look_again(self) -> None:
        """The clock was set back, and what was known of the store's due times with it: every lane
        asks anew."""
        for lane in self._lanes.values():
            lane.next_due = math.inf
            lane.resting = False
            lane.backlogged = True
        for lane in list(self._lanes.values()):
            self._settle(lane)

    def next_wakeup(self) -> float | None:
        """When `wanting` will have something new to say if nothing else happens before."""
        alarms = self._alarms
        while alarms:
            due, _, key = alarms[0]
            lane = self._lanes.get(key)
            if lane is not None and lane.next_due == due:
                return due
            heapq.heappop(alarms)
        return None

    def wants_before(self, at: float) -> bool:
        """Whether `wanting` has something to say now, or will before a moment."""
        return bool(self._hungry) or bool(self._alarms and self._alarms[0][0] < at)

    # --- the scheduler's side ---

    @property
    def has_woken(self) -> bool:
        """Whether `woken` has something to say."""
        return bool(self._woken)

    def woken(self) -> list[Lane]:
        """The lanes that have messages and are not listed; from now on they are."""
        woken, self._woken = self._woken, []
        return woken

    def unlist(self, lane: Lane) -> None:
        """The scheduler has let go of a lane."""
        lane.listed = False
        self._settle(lane)

    def take(self, lane: Lane, most: int, allowance: float) -> tuple[list[Message], int]:
        """Take messages off the front of a lane.

        Args:
            lane: one that has messages.
            most: parts that must not be passed, but by a single message that is longer.
            allowance: parts after which no further message is begun.

        Returns:
            at least one message, and how many parts they have.
        """
        messages = lane.messages
        batch: list[Message] = []
        total = 0
        while messages:
            parts = messages[0].parts
            if total + parts > most and batch:
                break
            batch.append(messages.popleft())
            total += parts
            if total >= allowance:
                break
        self._held -= len(batch)
        if lane.backlogged:
            self._settle(lane)
        return batch, total

    def give_back(self, messages: Sequence[Message]) -> None:
        """Put messages that were taken, and not sent, back to the front of their lanes, in order.
        There is always room for them."""
        for name, run in groupby(reversed(messages), _of_lane):
            lane = self.get(LaneKey._make(name))
            before = len(lane.messages)
            lane.messages.extendleft(run)
            self._held += len(lane.messages) - before
            self._settle(lane)

    # --- removal ---

    def remove(self, tenant: str, doomed: Callable[[Message], bool]) -> list[Message]:
        """Take the messages of a tenant that are ``doomed`` out of its lanes (to cancel them)."""
        return self._extract(
            [lane for lane in self._lanes.values() if lane.key[0] == tenant], doomed
        )

    def withdraw(
        self, of: Callable[[LaneKey], bool], doomed: Callable[[Message], bool]
    ) -> list[Message]:
        """The same for the messages of these lanes, whoever's they are."""
        return self._extract([lane for key, lane in self._lanes.items() if of(key)], doomed)

    def expired(self, now: float) -> list[Message]:
        """Take out the messages that are not to be sent any more. Looks at every message: about
        4 ms for a full house, so once a second is often enough."""
        return self._extract(list(self._lanes.values()), lambda message: message.expires_at <= now)

    def drain(self) -> list[Message]:
        """Take out everything (to hand it back to the store)."""
        return self._extract(list(self._lanes.values()), lambda _message: True)

    def each(self) -> Iterable[Lane]:
        """All lanes that are not idle."""
        return self._lanes.values()

    @property
    def budget(self) -> int:
        """Messages that all lanes hold at most, but for the `MINIMUM` of each."""
        return self._budget

    def ready_of(self, tenant: str, campaign: str) -> int:
        """How many messages of a campaign are in lanes."""
        return sum(
            len(lane.messages)
            for lane in self._lanes.values()
            if lane.key.campaign == campaign and lane.key.tenant == tenant
        )

    def statistics(self) -> LanesStatistics:
        lanes = self._lanes.values()
        messages = sum(len(lane.messages) for lane in lanes)
        return LanesStatistics(
            lanes=len(lanes),
            messages=messages,
            kept=self._held - messages,
            hungry=len(self._hungry),
            sleeping=sum(1 for lane in lanes if lane.next_due < math.inf),
        )

    def _extract(self, lanes: list[Lane], doomed: Callable[[Message], bool]) -> list[Message]:
        removed: list[Message] = []
        for lane in lanes:
            gone = [message for message in lane.messages if doomed(message)]
            if gone:
                lane.messages = deque(m for m in lane.messages if not doomed(m))
                self._held -= len(gone)
                removed += gone
                self._settle(lane)
        return removed

    # --- one lane ---

    def _limit(self, lane: Lane) -> int:
        free = self._budget - self._held + lane.held
        return min(self._capacity, max(MINIMUM, free // SHARE))

    def _room(self, lane: Lane) -> int:
        return self._limit(lane) - lane.held

    def _note(self, lane: Lane, due: float, now: float) -> None:
        if due <= now:
            lane.backlogged = True
        elif due < lane.next_due:
            lane.next_due = due
            if len(self._alarms) > 64 + 2 * len(self._lanes):
                self._alarms = [
                    (s.next_due, next(self._order), k)
                    for k, s in self._lanes.items()
                    if s.next_due < math.inf
                ]
                heapq.heapify(self._alarms)
            heapq.heappush(self._alarms, (due, next(self._order), lane.key))

    def _settle(self, lane: Lane) -> None:
        """Draw the consequences of a change: called after each."""
        if lane.messages and not lane.listed and not lane.paused:
            lane.listed = True
            self._woken.append(lane)
        # Refill below half, so that a lease is worth its call.
        if (
            lane.backlogged
            and not lane.paused
            and not lane.resting
            and not lane.leasing
            and not lane.reserved
            and 2 * len(lane.messages) <= self._limit(lane)
        ):
            self._hungry[lane.key] = lane
        elif lane.idle:
            self._lanes.pop(lane.key, None)


def _never(_: LaneKey) -> bool:
    return False


def _urgency(lane: Lane) -> int:
    return CATEGORIES.index(lane.key.category)
