"""The event streams of tenants, live: subscriptions that read the store and wake on news.

A subscription holds nothing but its position, so a slow or absent consumer costs disk and never
memory. The store keeps its newest chunks at hand, so that one which keeps up costs no read. Where
retention has taken events before a consumer came to them, it is told so in their place (``gap``).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Literal
from weakref import WeakSet

import trio

from gateway.errors import RequestError
from gateway.message import Event
from gateway.queue import events
from gateway.queue.store import Consumer, Store

BATCH = 2_000
"""About how many events a subscription reads at once: a few hundred kilobytes."""

Start = Literal["acked", "start", "now"]


class Subscription:
    """One consumer's reading of one tenant's events.

    Attributes:
        scope: is cancelled where somebody ends it.

    Args:
        after: the last ``seq`` that it has no need of.
        first: the first that is kept.
    """

    def __init__(
        self, hub: "EventHub", store: Store, consumer: tuple[str, str], after: int, first: int
    ) -> None:
        self.consumer = consumer
        self.scope = trio.CancelScope()
        self._hub = hub
        self._store = store
        self._after = after
        self._first = first

    @property
    def next(self) -> int:
        """The lowest ``seq`` that the next events can have."""
        return self._after + 1

    async def receive(self) -> Sequence[tuple[int, bytes]]:
        """The next events, in order, in chunks: how many, and that many msgpack maps one after
        the other. Waits until there are some."""
        tenant, _ = self.consumer
        while self._first <= self._after + 1:
            news = self._hub.news(tenant)
            chunks = await self._store.events(tenant, self._after, BATCH)
            if not chunks:
                await news.wait()
            elif chunks[0].first > self._after + 1:
                self._first = chunks[0].first
            else:
                self._after = chunks[-1].last
                return [(chunk.size, chunk.body) for chunk in chunks]
        return [self._gap()]

    def _gap(self) -> tuple[int, bytes]:
        """Tells which events are not kept any more; it has the ``seq`` of the last of them."""
        lost = {"from": self._after + 1, "to": self._first - 1}
        self._after = self._first - 1
        event = events.encode(Event("gap", self._hub.clock(), detail=lost))
        return 1, b"".join(events.stamp([event], self._after))


class EventHub:
    """Opens subscriptions and wakes them when their tenant has new events."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._store = store
        self._news: dict[str, trio.Event] = {}
        self._open: WeakSet[Subscription] = WeakSet()

    async def subscribe(
        self, tenant: str, consumer: str, start: Start, max_consumers: int
    ) -> Subscription:
        """Read on from what the consumer acknowledged, from the first event that is still kept,
        or from now. Raises RequestError where it would be one consumer too many."""
        known = {one.name: one for one in await self._store.consumers(tenant)}
        if consumer not in known and len(known) >= max_consumers:
            raise too_many(max_consumers)
        first, last = await self._store.bounds(tenant)
        if start == "now":
            after = last
        elif start == "start" or consumer not in known:
            after = first - 1
        else:
            after = min(known[consumer].seq, last)
        subscription = Subscription(self, self._store, (tenant, consumer), after, first)
        self._open.add(subscription)
        if consumer in known:
            await self._store.seen([(tenant, consumer)])
        return subscription

    def connected(self) -> Collection[tuple[str, str]]:
        """The consumers with a subscription that somebody holds, by tenant and name."""
        return {subscription.consumer for subscription in self._open}

    def disconnect(self, tenant: str, consumer: str) -> int:
        """End the connections of a consumer; returns how many that were."""
        found = [
            one
            for one in self._open
            if one.consumer == (tenant, consumer) and not one.scope.cancel_called
        ]
        for subscription in found:
            subscription.scope.cancel()
        return len(found)

    def news(self, tenant: str) -> trio.Event:
        """An event that is set once the tenant has events newer than now."""
        return self._news.setdefault(tenant, trio.Event())

    async def listen(self) -> None:
        """Wake whoever waits for events when the store has some, until cancelled."""
        while True:
            for tenant in await self._store.watch():
                news = self._news.pop(tenant, None)
                if news is not None:
                    news.set()


def too_many(max_consumers: int) -> RequestError:
    """Why a consumer that is not known yet is refused."""
    why = f"there are {max_consumers} already, as many as there may be: delete one (op consumers)"
    return RequestError("bad_request", f"consumer: {why}")


def in_use(consumer: Consumer, now: float) -> bool:
    """Whether a consumer that is not connected is missed: for as long as it was there before. One
    that was tried out is soon no reason to worry; one that worked for weeks is, for weeks."""
    return now - consumer.seen <= consumer.seen - consumer.since
