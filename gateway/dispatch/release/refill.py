"""The way from the store into the lanes: leases messages for those that want some, on time."""

import math
from collections.abc import Callable
from typing import Final

import structlog
import trio

from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.errors import StoreError
from gateway.message import LaneKey
from gateway.ops.logs import Sparing
from gateway.queue.lanes import RETRY, Lanes
from gateway.queue.store import Store

NAP: Final = 1.0
"""The longest sleep between looks, in seconds: a wall clock that is set forward is noticed."""

log = structlog.get_logger(__name__)


class Refiller:
    """Leases messages from the store for the lanes that want some, and wakes them on time."""

    def __init__(
        self,
        *,
        store: Store,
        lanes: Lanes,
        places: Places,
        ledger: Ledger,
        clock: Callable[[], float],
        on_ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._places = places
        self._ledger = ledger
        self._clock = clock
        self._on_ready = on_ready
        self._complain = Sparing(log.error)
        self._news = trio.Event()
        self._asleep_until = math.inf

    def wake(self) -> None:
        """Some lane may want messages."""
        if self._lanes.wants_before(self._asleep_until):
            self._news.set()

    async def run(self) -> None:
        """Refill lanes, until cancelled."""
        while True:
            self._news = news = trio.Event()
            self._asleep_until = math.inf
            now = self._clock()
            wanted = self._lanes.wanting(now)
            if wanted:
                async with trio.open_nursery() as nursery:
                    for key, count in wanted:
                        nursery.start_soon(self._refill, key, count)
                self._on_ready()
            at = self._lanes.next_wakeup()
            self._asleep_until = math.inf if at is None else at
            with trio.move_on_after(max(0.0, min(self._asleep_until - now, NAP))):
                await news.wait()

    async def _refill(self, key: LaneKey, count: int) -> None:
        try:
            lease = await self._store.lease(key, self._clock(), count)
        except StoreError as error:
            now = self._clock()
            reason = str(error)
            self._complain("lease_failed", reason, now, reason=reason, retry_seconds=RETRY)
            self._lanes.refilled(key, [], now, now)
            return
        now = self._clock()
        self._places.enter("lane", [message.id for message in lease.messages])
        self._ledger.leased(lease.messages)
        self._lanes.refilled(key, lease.messages, lease.next_due, now)
