"""What is done when somebody pauses, resumes or cancels what was accepted already.

What was said holds from the moment at which it is durable (`holds`), whatever the size of a
campaign: nothing more of it is sent. What remains to be done for each of its messages, to end it
or to let it expire later, is done at once for some thousands and goes on behind the answer for
the rest, over a restart too.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import trio

from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.dispatch.release.holds import UNFINISHED, Holds
from gateway.dispatch.release.stops import Stops
from gateway.dispatch.settling import outcomes
from gateway.dispatch.settling.settle import Settler
from gateway.errors import StoreError
from gateway.message import LaneKey, Message
from gateway.queue.lanes import Lanes
from gateway.queue.operators import OperatorStore, Which

SLICE = 5_000
"""Messages of a campaign that are ended in one step, and before a cancel is answered."""


class Steering:
    """Pauses, resumes and cancels.

    Attributes:
        held: how many messages pauses hold, by tenant, when it was last looked.
        holds, stops: what tenants and operators have said.

    Args:
        paused: tells whether somebody has paused a queue, or the carriers that it goes by.
    """

    def __init__(
        self,
        *,
        store: OperatorStore,
        lanes: Lanes,
        places: Places,
        ledger: Ledger,
        settler: Settler,
        holds: Holds,
        stops: Stops,
        paused: Callable[[LaneKey], bool],
        clock: Callable[[], float],
    ) -> None:
        self.stops = stops
        self._is_paused = paused
        self.held: Mapping[str, int] = {}
        self.holds = holds
        # When campaigns that were cancelled are looked for again: after twice as long each time.
        self._later: dict[tuple[object, ...], float] = {}
        self._store = store
        self._lanes = lanes
        self._places = places
        self._ledger = ledger
        self._settler = settler
        self._clock = clock

    async def pause(self, tenant: str, campaign: str) -> int:
        """Send nothing more of a campaign; returns how many of its messages that holds."""
        await self.holds.pause(tenant, campaign)
        return await self._waiting(tenant, campaign)

    async def resume(self, tenant: str, campaign: str, extend: float | None) -> int:
        """Go on with a campaign, whose messages expire ``extend`` seconds later than they would
        have; returns how many were held."""
        count = await self._waiting(tenant, campaign)
        return count if await self.holds.resume(tenant, campaign, extend) else 0

    async def cancel_campaign(self, tenant: str, campaign: str) -> int:
        """End all that no carrier has of a campaign; returns how many messages that are."""
        count = await self._waiting(tenant, campaign)
        last = await self.holds.cancel(tenant, campaign)
        try:
            done = await self._end_slice(tenant, campaign, last)
            return done + await self._store.waiting_in(tenant, campaign, last)
        except StoreError:
            return count  # it was said and holds: they are ended behind the answer

    async def cancel_where(self, which: Which) -> int:
        """End all that no carrier has of some messages, whoever's they are; returns how many."""
        last = await self.holds.cancel_where(which)
        done = await self._end_where(which, last)
        return done + await self._store.waiting_where(which, last)

    async def extend(self, tenant: str, campaign: str, seconds: float) -> None:
        """Let what waits of a campaign expire later."""
        await self._put_back(tenant, campaign)
        await self._store.extend(tenant, campaign, seconds)

    async def cancel(self, tenant: str, numbers: Iterable[int]) -> set[int]:
        """End those of some messages that no carrier has; returns which."""
        wanted = set(numbers)
        done: set[int] = set()
        while found := await self._lease(
            tenant,
            lambda: self._store.lease_ids(tenant, list(wanted)),
            lambda message: message.id in wanted,
        ):
            await self._end(found)
            done.update(message.id for message in found)
        return done

    async def heed(self) -> None:
        """End what lanes have of what another node was told to cancel."""
        cancelled = self.holds.cancelled
        found = self._lanes.withdraw(lambda _: True, lambda message: bool(cancelled([message])))
        await self._end(found)

    async def catch_up(self) -> None:
        """Do what was left to be done."""
        await self.stops.expire()
        now, later = self._clock(), dict[tuple[object, ...], float]()
        for tenant, campaign, last, since in self.holds.unfinished():
            name = (tenant, campaign, last)
            if now < (at := self._later.get(name, now)) <= now + UNFINISHED:
                later[name] = at
                continue
            while await self._store.waiting_in(*name):
                if not await self._end_slice(*name):
                    break
            later[name] = now + max(0.0, now - since)
        for which, last, since in self.holds.unfinished_where():
            if now < (at := self._later.get((which, last), now)) <= now + UNFINISHED:
                later[which, last] = at
                continue
            while await self._store.waiting_where(which, last):
                if not await self._end_where(which, last):
                    break
            later[which, last] = now + max(0.0, now - since)
        self._later = later
        for tenant, campaign, seconds in self.holds.extensions():
            await self.extend(tenant, campaign, seconds)
            await self.holds.extended(tenant, campaign)
        await self.holds.forget()

    async def look(self) -> None:
        """See how many messages pauses hold. A million that wait take the store some 40 ms."""
        held: dict[str, int] = {}
        if self.holds.paused_campaigns() or self.stops.each():
            waiting = await self._store.waiting(self._clock())
            counts = [(one.lane, one.due + one.later) for one in waiting]
            counts += [(lane.key, len(lane.messages)) for lane in self._lanes.each()]
            for lane, count in counts:
                if count and self._is_paused(lane):
                    held[lane.tenant] = held.get(lane.tenant, 0) + count
        self.held = held

    async def _waiting(self, tenant: str, campaign: str) -> int:
        return self._lanes.ready_of(tenant, campaign) + await self._store.waiting_in(
            tenant, campaign
        )

    async def _end_slice(self, tenant: str, campaign: str, last: int) -> int:
        found = await self._lease(
            tenant,
            lambda: self._store.lease_campaign(tenant, campaign, last, SLICE),
            lambda message: message.campaign == campaign and message.id <= last,
        )
        await self._end(found)
        return len(found)

    async def _end_where(self, which: Which, last: int) -> int:
        found = await self._store.lease_where(which, last, SLICE)
        self._places.enter("settlement", [message.id for message in found])
        self._ledger.leased(found)
        await trio.lowlevel.cancel_shielded_checkpoint()
        found += self._lanes.withdraw(which.takes, lambda message: message.id <= last)
        await self._end(found)
        return len(found)

    async def _lease(
        self,
        tenant: str,
        lease: Callable[[], Awaitable[list[Message]]],
        doomed: Callable[[Message], bool],
    ) -> list[Message]:
        """Some of what waits in the store, leased with ``lease``, and all that is in lanes."""
        found = await lease()
        self._places.enter("settlement", [message.id for message in found])
        self._ledger.leased(found)
        # What was leased for a lane before is on its way there: let it arrive.
        await trio.lowlevel.cancel_shielded_checkpoint()
        return found + self._lanes.remove(tenant, doomed)

    async def _end(self, messages: Iterable[Message]) -> None:
        now = self._clock()
        ends = [(message, outcomes.event(message, "cancelled", now)) for message in messages]
        await self._settler.finish(ends, was_sent=False)

    async def _put_back(self, tenant: str, campaign: str) -> None:
        """Put into the store what lanes have of a campaign, where it is given more time."""
        now = self._clock()
        found = self._lanes.remove(tenant, lambda message: message.campaign == campaign)
        back = [msgspec.structs.replace(message, due=min(message.due, now)) for message in found]
        ids = [message.id for message in back]
        self._places.move("lane", "deferral", ids)
        await self._settler.persistently(lambda: self._store.defer(back))
        self._places.leave("deferral", ids)
        self._ledger.deferred(back)
        for message in back:
            self._lanes.deferred(message.lane, message.due, now)
