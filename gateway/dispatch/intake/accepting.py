"""Makes messages durable that were judged, and passes on what is due: the ledger, the lanes and the
registry of places agree with the store, whether it takes them or not."""

from collections.abc import Callable, Mapping, Sequence
from itertools import compress

from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.message import Message
from gateway.ops.metrics import Metrics
from gateway.queue.lanes import Lanes
from gateway.queue.store import Entry, Known, Seen, Store


class Accepting:
    """The last step of the way in.

    Args:
        on_ready: called when lanes got messages.
    """

    def __init__(
        self,
        *,
        store: Store,
        lanes: Lanes,
        places: Places,
        ledger: Ledger,
        metrics: Metrics,
        on_ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._places = places
        self._ledger = ledger
        self._metrics = metrics
        self._on_ready = on_ready

    def count_in(self, messages: Sequence[Message], now: float) -> None:
        """Messages are about to be accepted."""
        waiting = [message for message in messages if message.due > now]
        queued = [message for message in messages if message.due <= now] if waiting else messages
        self._ledger.enter(queued, "queued")
        self._ledger.enter(waiting, "deferred")

    def count_out(self, messages: Sequence[Message], now: float) -> None:
        """They were not accepted after all."""
        self._ledger.leave([m for m in messages if m.due <= now], "queued")
        self._ledger.leave([m for m in messages if m.due > now], "deferred")

    async def accept(
        self,
        messages: Sequence[Message],
        digests: Sequence[int],
        now: float,
        seen: Seen | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Mapping[int, Known]:
        """Make messages durable that are counted, and pass on what is due; returns what the keys of
        duplicates stand for, by index. Those are counted out. Of ``seen`` and
        ``limits`` see `Store.accept`."""
        direct = self._reserve(messages, now)
        entries = list(map(Entry, messages, digests, direct))
        try:
            known = await self._store.accept(entries, seen, limits)
        except BaseException:
            self._lanes.unreserve(compress(messages, direct))
            raise
        if known:
            self.count_out([messages[index] for index in known], now)
            self._lanes.unreserve(messages[index] for index in known if direct[index])
            direct = [leased and index not in known for index, leased in enumerate(direct)]
        ready = [*compress(messages, direct)]
        self._lanes.admit(ready)
        self._places.enter("lane", [message.id for message in ready])
        self._on_ready()
        fresh = messages
        if known:
            fresh = [m for position, m in enumerate(messages) if position not in known]
        counts: dict[tuple[str, str], int] = {}
        for message in fresh:
            key = (message.tenant, message.category)
            counts[key] = counts.get(key, 0) + 1
        for (tenant, category), count in counts.items():
            self._metrics.messages_accepted.add(count, tenant, category)
        return known

    def _reserve(self, messages: Sequence[Message], now: float) -> list[bool]:
        """Which messages go straight to their lane; those that another node sends wait for it."""
        away = self._store.elsewhere(messages)
        if not away:
            return self._lanes.reserve(messages, now)
        here = [m for position, m in enumerate(messages) if position not in away]
        found = iter(self._lanes.reserve(here, now))
        return [position not in away and next(found) for position in range(len(messages))]
