"""What somebody has said of a campaign: that it is paused, or that all of it is cancelled.

A campaign that is paused keeps its messages where they are, and they age; its lanes give nothing
away. One that is cancelled ends what is left of it at once; what is in a window at that moment, or
on its way into the store, is met again later and ends then, because the word stays. It holds for
what was accepted before it: a campaign of the same name may begin anew.

This is kept in the store as one small value, written before anybody is answered.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from gateway.dispatch.release.absent import Absent
from gateway.dispatch.release.stops import Stops
from gateway.errors import RequestError, StoreError
from gateway.message import LaneKey, Message
from gateway.queue.lanes import Lanes
from gateway.queue.operators import Which
from gateway.queue.store import Store

MEMO: Final = "holds"

PAUSED: Final = 1_000
"""Campaigns of one tenant that may be paused at a time: each is looked up for each batch."""

CANCELLED: Final = 1_000
"""Campaigns of one tenant whose cancellation is remembered, the latest: all of them are written at
each change. Of one that is forgotten, what was in a window then may be sent again."""

WHERE: Final = 50
"""Filters of messages whose cancellation is remembered, the latest: each message that is released
is compared with them."""

SINGLE: Final = 20_000
"""Messages cancelled alone that are remembered, the latest: as many as a carrier has in windows."""

REMEMBERED: Final = 86_400.0
"""Seconds for which a cancellation is remembered: what a carrier refuses for the time being, or
what waited for a commit, is back by then."""

UNFINISHED: Final = 3_600.0
"""Seconds for which the store is searched for messages of a campaign that was cancelled. One that
comes to wait there later ends when it is due."""

Campaign = tuple[str, str]
"""A tenant and the name of its campaign."""


class _Cancelled(msgspec.Struct, frozen=True):
    """``last`` is the number of the last message for which it holds; ``at`` is when it was said."""

    last: int
    at: float


class _Paused(msgspec.Struct, frozen=True):
    """``extend``: seconds by which what waits is to expire later, after which it is over; None
    while nobody has resumed it."""

    at: float
    extend: float | None = None


class _Memo(msgspec.Struct, frozen=True):
    paused: list[tuple[str, str, _Paused]] = []
    cancelled: list[tuple[str, str, _Cancelled]] = []
    single: list[tuple[int, float]] = []
    where: list[tuple[Which, _Cancelled]] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Memo).decode


class Holds:
    """The campaigns that are paused or cancelled, and the messages that were cancelled alone.

    Args:
        store: keeps them.
        lanes: told which are paused.
        absent: knows the queues that wait for their tenant to come back.
        stops: knows what operators have paused.
        last: the number of the last message that was accepted.
        clock: Unix time.
        on_change: called when something may go on.
    """

    def __init__(
        self,
        *,
        store: Store,
        lanes: Lanes,
        absent: Absent,
        stops: Stops,
        last: Callable[[], int],
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._absent = absent
        self._stops = stops
        self._last = last
        self._clock = clock
        self._on_change = on_change
        self._lock = trio.Lock()
        self._kept: bytes | None = None
        self._paused: dict[Campaign, _Paused] = {}
        self._cancelled: dict[Campaign, _Cancelled] = {}
        self._single: dict[int, float] = {}
        self._where: list[tuple[Which, _Cancelled]] = []

    async def load(self) -> None:
        """Take over what was kept."""
        memo = self._kept = await self._store.recall(MEMO)
        if memo is not None:
            kept = _decode(memo)
            self._paused = {(tenant, name): one for tenant, name, one in kept.paused}
            self._cancelled = {(tenant, name): one for tenant, name, one in kept.cancelled}
            self._single = dict(kept.single)
            self._where = kept.where
        self.apply()

    async def reload(self) -> None:
        """Go by what another node has changed. Raises StoreError."""
        async with self._lock:
            await self.load()

    # --- what holds ---

    def paused(self, key: LaneKey) -> bool:
        """Whether nothing of a queue is to be sent for now."""
        return self.is_paused(key) or self._absent.holds(key)

    def is_paused(self, key: LaneKey) -> bool:
        """Whether somebody has paused a queue: its tenant the campaign, or an operator."""
        return (
            key.campaign is not None and (key.tenant, key.campaign) in self._paused
        ) or self._stops.of(key) is not None

    def paused_at(self, tenant: str, campaign: str) -> float | None:
        """When a tenant has paused its campaign; None where it has not."""
        paused = self._paused.get((tenant, campaign))
        return None if paused is None else paused.at

    def cancelled(self, messages: Iterable[Message]) -> list[Message]:
        """Those that are to end instead of being sent."""
        if not self._cancelled and not self._single and not self._where:
            return []
        return [message for message in messages if self._is_cancelled(message)]

    def _is_cancelled(self, message: Message) -> bool:
        if message.id in self._single:
            return True
        if self._where and any(
            message.id <= one.last and which.takes(message.lane) for which, one in self._where
        ):
            return True
        if message.campaign is None:
            return False
        cancelled = self._cancelled.get((message.tenant, message.campaign))
        return cancelled is not None and message.id <= cancelled.last

    def paused_campaigns(self) -> list[Campaign]:
        """All that are paused."""
        return list(self._paused)

    # --- what somebody says ---

    async def pause(self, tenant: str, campaign: str) -> None:
        """Send nothing more of a campaign."""
        theirs = sum(1 for owner, _ in self._paused if owner == tenant)
        if theirs >= PAUSED and (tenant, campaign) not in self._paused:
            raise RequestError(
                "bad_request", f"campaign: {PAUSED} are paused already; resume or cancel some"
            )
        async with self._change():
            self._paused[tenant, campaign] = _Paused(self._clock())

    async def resume(self, tenant: str, campaign: str, extend: float | None) -> bool:
        """Go on with a campaign; returns whether it was paused. Where its messages are to expire
        later, that comes first (`extensions`)."""
        paused = self._paused.get((tenant, campaign))
        if paused is None:
            return False
        async with self._change():
            if extend:
                self._paused[tenant, campaign] = msgspec.structs.replace(paused, extend=extend)
            else:
                self._paused.pop((tenant, campaign), None)
        return True

    def extensions(self) -> list[tuple[str, str, float]]:
        """The campaigns that go on once what waits of them was given more time: the tenant, the
        campaign, and how many seconds. To be told by `extended`."""
        return [(*name, one.extend) for name, one in self._paused.items() if one.extend is not None]

    async def extended(self, tenant: str, campaign: str) -> None:
        """What waits of a campaign was given more time."""
        async with self._change():
            self._paused.pop((tenant, campaign), None)

    async def cancel(self, tenant: str, campaign: str) -> int:
        """End all that was accepted of a campaign so far, up to the number that this returns; a
        pause of it is over."""
        last = max(self._last(), await self._store.newest())
        async with self._change():
            self._cancelled.pop((tenant, campaign), None)  # it becomes the latest
            self._cancelled[tenant, campaign] = _Cancelled(last, self._clock())
            theirs = [name for name in self._cancelled if name[0] == tenant]
            for name in theirs[:-CANCELLED]:
                del self._cancelled[name]
            self._paused.pop((tenant, campaign), None)
        return last

    async def cancel_where(self, which: Which) -> int:
        """End all that was accepted so far of some messages, whoever's they are, up to the number
        that this returns."""
        last = max(self._last(), await self._store.newest())
        async with self._change():
            kept = [one for one in self._where if one[0] != which][1 - WHERE :]
            self._where = [*kept, (which, _Cancelled(last, self._clock()))]
        return last

    async def cancel_single(self, numbers: Collection[int]) -> None:
        """End these messages, should they be met again."""
        if numbers:
            async with self._change():
                self._single.update(dict.fromkeys(numbers, self._clock()))
                for number in list(self._single)[:-SINGLE]:
                    del self._single[number]

    async def forget(self) -> None:
        """Forget cancellations that nothing can come back from any more."""
        before = self._clock() - REMEMBERED
        if (
            any(one.at <= before for one in self._cancelled.values())
            or any(at <= before for at in self._single.values())
            or any(one.at <= before for _, one in self._where)
        ):
            async with self._change():
                self._where = [one for one in self._where if one[1].at > before]
                for name in [name for name, one in self._cancelled.items() if one.at <= before]:
                    del self._cancelled[name]
                for number in [number for number, at in self._single.items() if at <= before]:
                    del self._single[number]

    def unfinished(self) -> list[tuple[str, str, int, float]]:
        """The campaigns that were cancelled of late, up to which message and when: some may wait
        still."""
        since = self._clock() - UNFINISHED
        return [
            (*name, one.last, one.at) for name, one in self._cancelled.items() if one.at > since
        ]

    def unfinished_where(self) -> list[tuple[Which, int, float]]:
        """The same of filters: which messages were cancelled, up to which and when."""
        since = self._clock() - UNFINISHED
        return [(which, one.last, one.at) for which, one in self._where if one.at > since]

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        """What is done within holds from then on, and is durable at the end; where the store
        refuses, nothing was done."""
        async with self._lock:
            before = dict(self._paused), dict(self._cancelled), dict(self._single), self._where
            yield
            self.apply()
            try:
                value = _encode(self._memo())
                told = await self._store.agree(MEMO, value, self._kept)
                self._kept = value
            except StoreError:
                self._paused, self._cancelled, self._single, self._where = before
                self.apply()
                raise
        await self._store.heeded(told)  # without the lock: others may wait for us

    def apply(self) -> None:
        """Pause what is to be paused now, and let the rest go on."""
        self._lanes.pause(self.paused)
        self._on_change()

    def _memo(self) -> _Memo:
        return _Memo(
            [(*name, one) for name, one in self._paused.items()],
            [(*name, one) for name, one in self._cancelled.items()],
            [*self._single.items()],
            self._where,
        )
