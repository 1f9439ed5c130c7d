"""Whose turn it is: the order in which messages leave their lanes.

The most urgent category goes first, with a floor for the others so that nothing starves. Within a
category the tenants of one route stand in a *line* and take turns by deficit round robin: a turn is
worth ``quantum`` parts times the tenant's weight, and what a long message overdraws is paid back
from the turns after. The lanes of one tenant there, its campaigns, take turns in the same way at
its place, a ``quantum`` each. Lines whose route has no room are passed over whole; tenants that may
not send yet step aside until they may. So a call costs the same however many lanes wait or are
blocked.

Fairness is between the tenants of a line. Where the routes of two lines share a carrier, the lines
share it in proportion to the weights that stand in them.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import CATEGORIES, URGENT, Category, LaneKey, Message
from gateway.queue.bucket import UNLIMITED, TokenBucket
from gateway.queue.lanes import Lane, Lanes

WORTHWHILE: Final = 0.01
"""A tenant whose bucket ran dry comes back once it holds this many seconds' worth of parts (at
least one), so that a fast tenant sends batches and not single messages."""

FLOORS: Final[Mapping[Category, float]] = {"transactional": 0.10, "marketing": 0.05}
"""Enough that a category keeps moving, too little to hold up the one above it noticeably."""


class Share(msgspec.Struct, frozen=True):
    """What a tenant may take.

    Attributes:
        weight: of the tenant among others that wait for the same; more than 0.
        rate: parts per second; 0 for unlimited.
        burst: parts; 0 for one second's worth.
    """

    weight: float = 1.0
    rate: float = 0.0
    burst: float = 0.0


class SchedulerOptions(msgspec.Struct, frozen=True):
    """How to schedule.

    Attributes:
        shares: by tenant; one that is not named has a plain `Share`.
        floors: for a category, the part of what it and more urgent ones are given that it gets at
            least, while it has messages to send and room to send them; less than 1.
        quantum: parts that a turn of weight 1 is worth; batches are this long at best.
    """

    shares: Mapping[str, Share] = {}
    floors: Mapping[Category, float] = msgspec.field(default_factory=lambda: FLOORS)
    quantum: int = 64


_Batch = tuple[LaneKey, list[Message], int]
"""Messages of a lane, and how many parts they have."""


class _Tenant:
    __slots__ = ("aside", "bucket", "weight")

    def __init__(self, share: Share) -> None:
        self.weight = share.weight
        self.bucket = TokenBucket(share.rate, share.burst)
        # Stands that wait for the bucket, and how far their lines must have got by the time they
        # are back for them to have had less than their share.
        self.aside: list[tuple[_Stand, float]] = []


class _Stand:
    """A tenant's lanes of one category and route, the one whose turn it is first. ``deficit``:
    parts that it may send in this turn of its line, as in a `Lane`."""

    __slots__ = ("deficit", "lanes", "rank", "route", "tenant")

    def __init__(self, rank: "_Rank", tenant: str, route: str) -> None:
        self.rank = rank
        self.tenant = tenant
        self.route = route
        self.lanes: deque[Lane] = deque()
        self.deficit = 0.0


class _Line:
    """The tenants with lanes of one category and route, the one whose turn it is first.

    ``weight`` is that of all who stand in it, ``served`` the parts that each unit of weight has
    had, to choose between lines.
    """

    __slots__ = ("route", "served", "stands", "weight")

    def __init__(self, route: str, served: float) -> None:
        self.route = route
        self.stands: deque[_Stand] = deque()
        self.weight = 0.0
        self.served = served


Room = Callable[[str, Category], int]
"""How many parts of a category a route takes at this moment."""


class _Rank:
    """The lines of one category. ``full`` are the routes found without room in this pass."""

    __slots__ = ("below", "category", "floor_share", "full", "lines", "owed", "served", "stands")

    def __init__(self, category: Category) -> None:
        self.category: Category = category
        self.full: set[str] = set()
        self.below: list[_Rank] = []  # the less urgent ones
        self.lines: dict[str, _Line] = {}  # by route; none of them empty
        self.stands: dict[tuple[str, str], _Stand] = {}  # by tenant and route; in a line or aside
        self.served = 0.0  # of the line that was served last
        self.floor_share = 0.0  # what it is owed of every part that a more urgent one sends
        self.owed = 0.0  # parts


class Scheduler:
    """Chooses the next batch to send from `Lanes`."""

    def __init__(self, lanes: Lanes, options: SchedulerOptions) -> None:
        self._lanes = lanes
        self._ranks = {category: _Rank(category) for category in CATEGORIES}
        urgent_last = list(reversed(self._ranks.values()))
        for place, rank in enumerate(urgent_last):
            rank.below = urgent_last[:place]
        self._tenants: dict[str, _Tenant] = {}
        self._dry: list[tuple[float, str]] = []  # a heap: when tenants with lanes aside may go on
        self._now = 0.0
        self.configure(options, self._now)

    def configure(self, options: SchedulerOptions, now: float) -> None:
        """Go on under other options. A tenant that is not named any more keeps its share for as
        long as the program runs, for it may still have messages."""
        self._quantum = options.quantum
        for name, share in options.shares.items():
            tenant = self._tenants.setdefault(name, _Tenant(share))
            tenant.bucket.change(share.rate, share.burst, now)
            tenant.weight = share.weight
        for category, rank in self._ranks.items():
            floor = options.floors.get(category, 0.0)
            rank.floor_share = floor / (1.0 - floor)
            for line in rank.lines.values():
                line.weight = sum(self._tenant(stand.tenant).weight for stand in line.stands)
        self._call_back(math.inf)

    def limit(self, shares: Mapping[str, Share], now: float) -> None:
        """Give tenants other rates, and nothing else."""
        for name, share in shares.items():
            self._tenant(name).bucket.change(share.rate, share.burst, now)
        self._call_back(math.inf)

    def passed(self, tenant: str) -> int:
        """Parts of a tenant that were ever sent within its rate."""
        return self._tenant(tenant).bucket.passed

    def next(self, now: float, room: Room) -> tuple[LaneKey, list[Message]] | None:
        """The next batch to send; call it until there is none.

        Args:
            now: as everywhere; calls with the same ``now`` are one pass.
            room: see `Room`. A route that has none for a category is not asked again about it in
                the same pass.

        Returns:
            messages of one lane, in order, with at most as many parts as there is room for (a
            longer message goes alone); None where nothing can be sent, which ends the pass.
        """
        if now != self._now:
            self._begin()
            # Buckets do not refill while a clock that was set back catches up: ask them anew.
            self._call_back(now if now > self._now else math.inf)
            self._now = now
        else:
            self._call_back(now)  # who was refunded meanwhile
        for lane in self._lanes.woken():
            self._join(lane)
        for rank in self._ranks.values():
            # What is owed may go where room is kept for what is urgent: it is owed by that.
            if rank.owed >= 1.0 and (batch := self._pick(rank, room, int(rank.owed), URGENT)):
                key, messages, parts = batch
                rank.owed -= parts
                return key, messages
        for rank in self._ranks.values():
            if rank.lines and (batch := self._pick(rank, room, UNLIMITED, rank.category)):
                key, messages, _ = batch
                return key, messages
        self._begin()
        return None

    def _begin(self) -> None:
        """A new pass: every route may have room."""
        for rank in self._ranks.values():
            rank.full.clear()

    def give_back(self, messages: Sequence[Message]) -> None:
        """Take back messages that were not sent after all: they go to the front of their lanes, in
        order, and what was charged for them is given back too."""
        self.refund(messages)
        self._lanes.give_back(messages)
        for message in messages:
            key, parts = message.lane, message.parts
            self._lanes.get(key).deficit += parts
            stand = self._ranks[key.category].stands.get((key.tenant, key.route))
            if stand is not None:
                stand.deficit += parts

    def refund(self, messages: Iterable[Message]) -> None:
        """No carrier has taken these: the rates of their tenants are not charged for them."""
        parts: dict[str, int] = {}
        for message in messages:
            parts[message.tenant] = parts.get(message.tenant, 0) + message.parts
        for name, count in parts.items():
            tenant = self._tenant(name)
            tenant.bucket.give_back(count)
            if tenant.aside:  # for less long than it was to be
                self._call_back_later(name, tenant)

    @property
    def waiting(self) -> bool:
        """Whether there is something to send as soon as there is room for it."""
        return (
            self._lanes.has_woken
            or any(rank.lines for rank in self._ranks.values())
            or bool(self._dry and self._dry[0][0] <= self._now)
        )

    @property
    def dry(self) -> set[str]:
        """The tenants that have messages and wait for their own rate."""
        return {name for _, name in self._dry if self._tenants[name].aside}

    def next_ready(self) -> float | None:
        """When the rate of a tenant that has messages will let it go on; None where no message
        waits for that."""
        return self._dry[0][0] if self._dry else None

    def _pick(self, rank: _Rank, room: Room, most: int, category: Category) -> _Batch | None:
        full = rank.full
        while True:
            chosen = None
            space = 0
            for line in rank.lines.values():
                if line.route in full or (chosen and chosen.served <= line.served):
                    continue
                free = room(line.route, category)
                if free > 0:
                    chosen, space = line, free
                else:
                    full.add(line.route)
            if chosen is None:
                return None
            weight = chosen.weight
            batch = self._turn(chosen, min(space, most))
            if not chosen.stands:
                del rank.lines[chosen.route]
            if batch is not None:
                parts = batch[2]
                rank.served = max(rank.served, chosen.served)
                chosen.served = rank.served + parts / weight
                for other in rank.below:
                    if other.lines:
                        other.owed = min(self._quantum, other.owed + other.floor_share * parts)
                return batch

    def _turn(self, line: _Line, most: int) -> _Batch | None:
        """The next batch of a line, or None once nobody is left in it."""
        stands = line.stands
        while stands:
            stand = stands[0]
            tenant = self._tenant(stand.tenant)
            batch: _Batch | None = None
            if stand.lanes and stand.deficit > 0.0:
                available = tenant.bucket.available(self._now)
                if available < 1:
                    self._put_aside(line, tenant)
                    continue
                batch = self._lane_turn(stand, min(most, available))
                if batch is not None:
                    tenant.bucket.take(batch[2], self._now)
                    stand.deficit -= batch[2]
            if not stand.lanes and stand.deficit >= 0.0:
                self._dismiss(line, tenant)
            elif stand.deficit <= 0.0:
                stand.deficit += self._quantum * tenant.weight
                stands.rotate(-1)
            if batch is not None:
                return batch
        return None

    def _lane_turn(self, stand: _Stand, most: int) -> _Batch | None:
        """The next batch of a tenant at its place, or None once none of its lanes has any."""
        lanes = stand.lanes
        while lanes:
            lane = lanes[0]
            batch: _Batch | None = None
            if lane.paused:
                lanes.popleft()
                self._lanes.unlist(lane)
                continue
            if lane.messages and lane.deficit > 0.0:
                allowance = min(lane.deficit, stand.deficit)
                messages, parts = self._lanes.take(lane, most, allowance)
                lane.deficit -= parts
                batch = (lane.key, messages, parts)
            if not lane.messages and lane.deficit >= 0.0:
                lanes.popleft()
                lane.deficit = 0.0
                self._lanes.unlist(lane)
            elif lane.deficit <= 0.0:
                lane.deficit += self._quantum
                lanes.rotate(-1)
            if batch is not None:
                return batch
        return None

    def _join(self, lane: Lane) -> None:
        """A lane takes its place among its tenant's, in front where its turn is not over, and the
        tenant one in the line of its route."""
        name, category, route, _ = lane.key
        rank = self._ranks[category]
        stand = rank.stands.get((name, route))
        new = stand is None
        if stand is None:
            stand = rank.stands[name, route] = _Stand(rank, name, route)
        if lane.deficit > 0.0:
            stand.lanes.appendleft(lane)
        else:
            lane.deficit += self._quantum
            stand.lanes.append(lane)
        if new:
            self._enter(stand)

    def _enter(self, stand: _Stand) -> None:
        """A tenant enters a line: in front where its turn is not over, else at the end."""
        tenant = self._tenant(stand.tenant)
        rank = stand.rank
        line = rank.lines.get(stand.route)
        if line is None:
            line = rank.lines[stand.route] = _Line(stand.route, rank.served)
        line.weight += tenant.weight
        if stand.deficit > 0.0:
            line.stands.appendleft(stand)
        else:
            stand.deficit += self._quantum * tenant.weight
            line.stands.append(stand)

    def _dismiss(self, line: _Line, tenant: _Tenant) -> None:
        """The first tenant of a line has nothing to send; what is left of its turn is lost."""
        stand = line.stands.popleft()
        line.weight -= tenant.weight
        del stand.rank.stands[stand.tenant, stand.route]

    def _put_aside(self, line: _Line, tenant: _Tenant) -> None:
        """The first tenant of a line waits for its bucket."""
        stand = line.stands.popleft()
        line.weight -= tenant.weight
        if not tenant.aside:
            self._call_back_later(stand.tenant, tenant)
        had = self._quantum - stand.deficit / tenant.weight
        tenant.aside.append((stand, line.served + had))

    def _call_back_later(self, name: str, tenant: _Tenant) -> None:
        """Note when the bucket of a tenant is ready. What was noted before is passed over then."""
        bucket = tenant.bucket
        ready_at = bucket.ready_at(self._now, max(1, int(bucket.rate * WORTHWHILE)))
        heapq.heappush(self._dry, (ready_at, name))

    def _call_back(self, until: float) -> None:
        """The tenants whose buckets are ready by ``until`` enter their lines again.

        A turn that was cut short goes on, in front, if the others of the line have meanwhile had
        as much as this tenant had of it: one that is held to less than its share is served when
        its rate allows, and one that is held to more waits like everybody.
        """
        while self._dry and self._dry[0][0] <= until:
            tenant = self._tenants[heapq.heappop(self._dry)[1]]
            aside, tenant.aside = tenant.aside, []
            for stand, mark in aside:
                line = stand.rank.lines.get(stand.route)
                if line is not None and line.served < mark:
                    stand.deficit = 0.0
                self._enter(stand)

    def _tenant(self, name: str) -> _Tenant:
        tenant = self._tenants.get(name)
        if tenant is None:
            tenant = self._tenants[name] = _Tenant(Share())
        return tenant
