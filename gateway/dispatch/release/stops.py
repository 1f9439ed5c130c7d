"""What operators have said of carriers, routes, tenants, categories and campaigns: that nothing
more of them is sent, or of a carrier, how fast at most; by whom, since and until when.

It is theirs alone: a tenant that resumes its campaign does not lift an operator's pause of it. Kept
in the store as one small value, written before anybody is answered. What tenants say themselves is
in `gateway.dispatch.release.holds`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from gateway.errors import StoreError
from gateway.message import LaneKey
from gateway.ops.views import Target
from gateway.queue.store import Store

MEMO: Final = "stops"

MOST: Final = 1_000
"""Pauses at a time: all of them are written at each change."""


class Stop(msgspec.Struct, frozen=True):
    """A pause: who said so, when, until when (None for until it is resumed), and why."""

    target: Target
    by: str
    at: float
    until: float | None = None
    why: str = ""


class RateSet(msgspec.Struct, frozen=True):
    """Parts per second that a carrier is sent at most, until a moment."""

    carrier: str
    rate: float
    by: str
    at: float
    until: float


class _Memo(msgspec.Struct, frozen=True):
    stops: list[Stop] = []
    rates: list[RateSet] = []


_decode = msgspec.msgpack.Decoder(_Memo).decode


class Stops:
    """What operators have paused and slowed.

    Attributes:
        any_carrier: a carrier is paused.

    Args:
        store: keeps it.
        clock: Unix time.
        apply: called whenever something of it has changed, to make it hold.
    """

    def __init__(self, store: Store, clock: Callable[[], float], apply: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._tell = apply
        self._lock = trio.Lock()
        self._kept: bytes | None = None
        self._stops: dict[Target, Stop] = {}
        self._rates: dict[str, RateSet] = {}
        self.any_carrier = False

    async def load(self) -> None:
        """Take over what was kept. Raises StoreError."""
        memo = self._kept = await self._store.recall(MEMO)
        if memo is not None:
            kept = _decode(memo)
            self._stops = {one.target: one for one in kept.stops}
            self._rates = {one.carrier: one for one in kept.rates}
        self._apply()

    async def reload(self) -> None:
        """Go by what another node has changed. Raises StoreError."""
        async with self._lock:
            await self.load()

    # --- what holds ---

    def of(self, key: LaneKey) -> Stop | None:
        """The pause for which nothing of a queue is sent; None where there is none. One of a
        carrier is no queue's."""
        if not self._stops:
            return None
        found = (
            self._stops.get(Target("tenant", key.tenant))
            or self._stops.get(Target("category", key.category))
            or self._stops.get(Target("route", key.route))
        )
        if found is None and key.campaign is not None:
            found = self._stops.get(Target("campaign", key.campaign, key.tenant))
        return found

    def get(self, target: Target) -> Stop | None:
        """The pause of something; None where it is not paused."""
        return self._stops.get(target)

    def carrier(self, name: str) -> Stop | None:
        """The pause of a carrier."""
        return self._stops.get(Target("carrier", name)) if self._stops else None

    def rate(self, carrier: str) -> RateSet | None:
        """The rate that was set for a carrier."""
        return self._rates.get(carrier)

    def each(self) -> list[Stop]:
        """All pauses, the oldest first."""
        return list(self._stops.values())

    # --- what somebody says ---

    async def pause(self, stop: Stop) -> None:
        """Pause something; raises StoreError where it is not paused after all."""
        async with self._change():
            self._stops[stop.target] = stop

    async def resume(self, target: Target) -> None:
        """Let it go on."""
        async with self._change():
            self._stops.pop(target, None)

    async def set_rate(self, rate: RateSet) -> None:
        """Slow a carrier down for a time."""
        async with self._change():
            self._rates[rate.carrier] = rate

    async def unset_rate(self, carrier: str) -> None:
        """Let a carrier go by its own rate."""
        async with self._change():
            self._rates.pop(carrier, None)

    @property
    def full(self) -> bool:
        """Whether there are as many pauses as there may be."""
        return len(self._stops) >= MOST

    async def expire(self) -> None:
        """End what is over. To be called every second."""
        now = self._clock()
        ends = [one.until for one in self._stops.values() if one.until is not None]
        ends += [one.until for one in self._rates.values()]
        if all(end > now for end in ends):
            return
        async with self._change():
            self._stops = {
                target: one
                for target, one in self._stops.items()
                if one.until is None or one.until > now
            }
            self._rates = {name: one for name, one in self._rates.items() if one.until > now}

    def _apply(self) -> None:
        self.any_carrier = any(target.scope == "carrier" for target in self._stops)
        self._tell()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        """What is done within holds from then on, and is durable at the end; where the store
        refuses, nothing was done."""
        async with self._lock:
            before = dict(self._stops), dict(self._rates)
            yield
            self._apply()
            memo = _Memo(list(self._stops.values()), list(self._rates.values()))
            try:
                value = msgspec.msgpack.encode(memo)
                told = await self._store.agree(MEMO, value, self._kept)
                self._kept = value
            except StoreError:
                self._stops, self._rates = before
                self._apply()
                raise
        await self._store.heeded(told)  # without the lock: others may wait for us
