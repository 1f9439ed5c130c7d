"""What a store tells of its own accord: that it is another's now, and who has new events."""

from collections.abc import Collection, Iterable

import trio

from gateway.errors import StoreFenced


class Signals:
    """Signals of one open store, set and waited for in the event loop."""

    def __init__(self) -> None:
        self._lost = trio.Event()
        self._why = ""
        self._tenants: set[str] = set()
        self._news = trio.Event()

    def fenced(self, why: str) -> None:
        """The store was taken over."""
        self._why = why
        self._lost.set()

    async def until_fenced(self) -> None:
        """See `gateway.queue.store.Store.until_fenced`."""
        await self._lost.wait()
        raise StoreFenced(self._why)

    def told(self, tenants: Iterable[str]) -> None:
        """These tenants have new events."""
        self._tenants.update(tenants)
        if self._tenants:
            self._news.set()

    async def watch(self) -> Collection[str]:
        """See `gateway.queue.store.Store.watch`."""
        await self._news.wait()
        self._news = trio.Event()
        tenants, self._tenants = self._tenants, set()
        return tenants
