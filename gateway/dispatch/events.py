"""The event streams of tenants, live: subscriptions that read the store and wake on news.

A subscription holds nothing but its position, so a slow or absent consumer costs disk and never
memory. The store keeps its newest chunks at hand, so that one which keeps up costs no read.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import trio

from gateway.queue.store import Store

BATCH = 2_000
"""About how many events a subscription reads at once: a few hundred kilobytes."""

Start = Literal["acked", "start", "now"]


class Subscription:
    """One consumer's reading of one tenant's events."""

    def __init__(self, hub: "EventHub", store: Store, tenant: str, after: int) -> None:
        self._hub = hub
        self._store = store
        self._tenant = tenant
        self._after = after

    @property
    def next(self) -> int:
        """The lowest ``seq`` that the next events can have."""
        return self._after + 1

    async def receive(self) -> Sequence[tuple[int, bytes]]:
        """The next events, in order, in chunks: how many, and that many msgpack maps one after
        the other. Waits until there are some."""
        while True:
            news = self._hub.news(self._tenant)
            chunks = await self._store.events(self._tenant, self._after, BATCH)
            if chunks:
                self._after = chunks[-1].last
                return [(chunk.size, chunk.body) for chunk in chunks]
            await news.wait()


class EventHub:
    """Opens subscriptions and wakes them when their tenant has new events."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._news: dict[str, trio.Event] = {}

    async def subscribe(self, tenant: str, consumer: str, start: Start) -> Subscription:
        """Read on from what the consumer acknowledged, from the first event that is still kept,
        or from now."""
        first, last = await self._store.bounds(tenant)
        if start == "now":
            after = last
        elif start == "start":
            after = first - 1
        else:
            after = max(await self._store.cursor(tenant, consumer), first - 1)
        return Subscription(self, self._store, tenant, min(after, last))

    def news(self, tenant: str) -> trio.Event:
        """An event that is set once the tenant has events newer than now."""
        return self._news.setdefault(tenant, trio.Event())

    def wake(self, tenants: Iterable[str]) -> None:
        """These tenants have new events in the store."""
        for tenant in tenants:
            news = self._news.pop(tenant, None)
            if news is not None:
                news.set()
