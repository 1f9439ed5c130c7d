"""The way out: from the lanes, past the release rules, to a bind.

One pass asks the scheduler for batches until nothing more can be sent now. Every batch is of one
tenant and one route; the tenant's release chain judges it with fresh facts, the carriers of the
route share it, and each carrier writes its PDUs at once. Between passes it sleeps until there is
news: a message, a free window, a bucket that has filled, a bind that came up.
"""

import math
import struct
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import NamedTuple

import msgspec
import trio

from gateway.dispatch.carriers.carriers import Carrier
from gateway.dispatch.carriers.flights import Flight
from gateway.dispatch.intake.guard import Guard
from gateway.dispatch.intake.tenants import Tenants
from gateway.dispatch.intake.texted import Texted
from gateway.dispatch.ledger import Ledger
from gateway.dispatch.places import Places
from gateway.dispatch.release.absent import LOOK, Absent
from gateway.dispatch.release.aside import Aside
from gateway.dispatch.release.holds import Holds
from gateway.dispatch.release.pool import CarrierPool
from gateway.dispatch.release.references import References
from gateway.dispatch.release.routing import Router, is_direct
from gateway.dispatch.serving import steps
from gateway.dispatch.settling import outcomes
from gateway.dispatch.settling.settle import Settler
from gateway.errors import LocalProtocolError
from gateway.facts import NO_FACTS, NOTHING, USES, Facts
from gateway.message import Category, Event, LaneKey, Message, Outcome, message_id
from gateway.ops.metrics import Metrics
from gateway.policy.carrier_hours import CarrierHours
from gateway.policy.frequency import is_late
from gateway.policy.quiet_hours import QuietHours
from gateway.policy.rules import Defer
from gateway.queue.lanes import Lanes
from gateway.queue.scheduler import Scheduler
from gateway.queue.store import Store
from gateway.text.errors import TextError

NAP = 1.0
"""The longest sleep between passes, in seconds: a wall clock that is set forward is noticed."""

STRETCH = 16
"""Batches after which others get a turn: about two milliseconds of work."""

UNENCODABLE = (LocalProtocolError, ValueError, OverflowError, struct.error)
"""What encoding may raise beside `TextError`: a field that no PDU has room for. The message is at
fault, and it alone ends; the process would meet it again at its next start."""

STALE = 0.1
"""Seconds after which a pass ends, for another to begin by a new clock: tokens are counted by one
moment for the whole of a pass, and a store that stalls must not make that an old one."""

NOT_NOW = 5.0
"""Seconds after which a message is tried again that no carrier of its route would take, though
there was room: it is to avoid those that are up. The rest of a message whose campaign is paused is
looked at again after as many."""


class _Allowed(NamedTuple):
    """Messages that may be sent at a moment, and the quiet hours that they keep."""

    messages: Sequence[Message]
    quiet_hours: QuietHours | None
    at: float


class Releaser:
    """Sends what is ready, as fast as policies and carriers allow.

    Attributes:
        router: finds routes anew for what has none any more.
        config: the digest of the configuration, which is noted where it decides.

    Args:
        on_taken: called when messages were taken from lanes.
    """

    def __init__(
        self,
        *,
        store: Store,
        lanes: Lanes,
        scheduler: Scheduler,
        places: Places,
        pool: CarrierPool,
        tenants: Tenants,
        settler: Settler,
        ledger: Ledger,
        holds: Holds,
        absent: Absent,
        texted: Texted,
        guard: Guard,
        aside: Aside,
        metrics: Metrics,
        clock: Callable[[], float],
        on_taken: Callable[[], None],
    ) -> None:
        self.router = Router([])
        self.config = ""
        self._store = store
        self._lanes = lanes
        self._scheduler = scheduler
        self._places = places
        self._pool = pool
        self._tenants = tenants
        self._settler = settler
        self._ledger = ledger
        self._holds = holds
        self._absent = absent
        self._texted = texted
        self._guard = guard
        self._aside = aside
        self._metrics = metrics
        self._clock = clock
        self._on_taken = on_taken
        self._references = References(int(clock() * 1000))
        self._news = trio.Event()
        self._held_up = False
        self._until: float | None = None
        self._finished = trio.Event()
        self._ended: list[tuple[Message, Event]] = []
        self._deferred: list[Message] = []
        # Routes and categories that get no more in this pass: what is open has no room.
        self._full: set[tuple[str, Category]] = set()

    def begin(self, node: int, nodes: int) -> None:
        """This is one of so many nodes."""
        self._references = References(int(self._clock() * 1000), node, nodes)

    def wake(self) -> None:
        """There may be something to send, or room for it."""
        if self._settler.congested:
            return  # nothing goes out before the end of that, which is told here too
        if self._until is not None or self._held_up or self._scheduler.waiting or self._pool.torn:
            self._news.set()

    async def finish(self, until: float) -> None:
        """Begin with no message any more. Returns once those are complete of which carriers have
        some parts, but for what has to wait past ``until``."""
        self._until = until
        self._news.set()
        await self._finished.wait()

    def _has_begun(self, until: float) -> bool:
        """Whether parts are to be sent, or may be, of messages of which carriers have others."""
        return not self._settler.idle or any(
            carrier.has_begun(until) for carrier in self._pool.carriers.values()
        )

    async def run(self) -> None:
        """Send what comes, until cancelled or finished."""
        while self._until is None or self._has_begun(self._until):
            self._news = news = trio.Event()
            now = self._clock()
            if not self._settler.congested:
                await self._pass(now)
            moments = (self._scheduler.next_ready(), self._pool.ready_at(now))
            at = min((moment for moment in moments if moment is not None), default=math.inf)
            self._held_up = self._settler.congested
            if self._held_up:
                at = math.inf  # time alone changes nothing, though what it was to bring is overdue
            with trio.move_on_after(max(0.0, min(at - self._clock(), NAP))):
                await news.wait()
        self._finished.set()

    async def _pass(self, now: float) -> None:
        self._full.clear()

        def room(route: str, category: Category) -> int:
            if (route, category) in self._full:
                return 0
            return self._pool.room(route, now, category)

        for carrier in self._pool.carriers.values():
            if carrier.torn:
                await self._release_again(carrier, now)
        count = 0
        while self._until is None and not self._settler.congested:
            if self._clock() - now > STALE:
                self._news.set()
                break
            batch = self._scheduler.next(now, room)
            if batch is None:
                break
            await self._release(*batch, now)
            count += 1
            if count % STRETCH == 0:
                await self.put_on_record()
                await trio.lowlevel.checkpoint()
        await self.put_on_record()
        if count:
            self._on_taken()

    async def _release(self, key: LaneKey, messages: Sequence[Message], now: float) -> None:
        """Send what may be sent of a batch; the tenant's rate is charged for no more than that."""
        self._places.move("lane", "release", [message.id for message in messages])
        ended, deferred = len(self._ended), len(self._deferred)
        await self._release_allowed(key, messages, now)
        self._scheduler.refund(message for message, _ in self._ended[ended:])
        self._scheduler.refund(self._deferred[deferred:])

    async def _release_allowed(self, key: LaneKey, messages: Sequence[Message], now: float) -> None:
        """``now`` is the time of the pass, by which tokens are counted; what may be sent is judged
        by the time of its writing."""
        if self._tenants.get(key.tenant) is not None and not self._pool.has_route(key.route):
            self._reroute(messages, now)
            return
        released = await self._allowed(key.tenant, messages)
        if not released.messages:
            return
        if self._holds.paused(key) or self._store.lapsed:
            self._give_back(released.messages)
            return
        placed, left = self._pool.place(key.route, released.messages, now, released.at)
        back: list[Message] = []
        for carrier, share in placed:
            back += self._send(released.quiet_hours, carrier, share, now, released.at)
        if left:
            back += self._put_off(key, left, now, released.at)
        if back:
            self._give_back(sorted(back, key=_place))

    def _give_back(self, messages: Sequence[Message]) -> None:
        """Messages, in order, go back to their lane."""
        self._places.move("release", "lane", [message.id for message in messages])
        self._scheduler.give_back(messages)

    def _put_off(
        self, key: LaneKey, messages: Sequence[Message], now: float, at: float
    ) -> list[Message]:
        """Messages that no carrier takes now wait: in their lane where the one that takes them at
        this hour only has no room, or none is up any longer, else in the store. Returns the former.
        """
        full: list[Message] = []
        shut: list[Message] = []
        has_room = self._pool.room(key.route, now) > 0
        for message in messages:
            until = self._pool.takes_from(message, at)
            if until == at or (until is None and not has_room):
                full.append(message)
                continue
            rule = CarrierHours.name
            if until is None:
                until, rule = now + NOT_NOW, "no_carrier"
            else:
                # One that never opens may yet be replaced: it is time that ends the message.
                until = min(until, message.expires_at)
                shut.append(message)
            self._deferred.append(steps.put_off(message, rule, until, now, config=self.config))
        if full:
            self._full.add((key.route, key.category))
        if shut:
            self._count_deferred(CarrierHours.name, shut)
        return full

    def _awaits(self, route: str) -> bool:
        """Whether messages wait for a route that is not there; answers go by one carrier or not."""
        return not is_direct(route) and self._absent.holds_route(route)

    def _reroute(self, messages: Sequence[Message], now: float) -> None:
        """Give messages a route again whose own a reload has removed. What none takes waits for it
        to come back."""
        for message in messages:
            route = None
            if not is_direct(message.route):
                route = self.router.route(message.tenant, message.category, message.to)
            if route is None and self._awaits(message.route):
                until = min(now + LOOK, message.expires_at)
                self._deferred.append(
                    steps.put_off(message, "no_route", until, now, config=self.config)
                )
                self._count_deferred("no_route", [message])
            elif route is None:
                event = outcomes.event(message, "failed", now, "no_route")
                self._ended.append((message, event))
            else:
                self._deferred.append(msgspec.structs.replace(message, route=route, due=now))

    async def _allowed(self, name: str, messages: Sequence[Message]) -> "_Allowed":
        """Those of a tenant's messages that may be sent, and the moment for which that was judged;
        what becomes of the others is noted."""
        facts = await self._facts(name, messages)
        # However long that took: what holds now decides, and nothing is awaited before the writing.
        tenant, now = self._tenants.get(name), self._clock()
        if tenant is None and self._absent.holds(messages[0].lane):
            return _Allowed(messages, None, now)  # for the caller to find that they are held
        if tenant is None:
            ends = [outcomes.event(m, "cancelled", now, "tenant_removed") for m in messages]
            self._ended += zip(messages, ends, strict=True)
            return _Allowed((), None, now)
        if gone := self._holds.cancelled(messages):
            self._ended += [(m, outcomes.event(m, "cancelled", now)) for m in gone]
            doomed = {message.id for message in gone}
            messages = [message for message in messages if message.id not in doomed]
        policy = tenant.policy
        if policy.pumping is not None:
            facts = self._guard.informed_again(tenant, messages, facts, now)
        verdicts = policy.release.judge(messages, facts, now)
        if policy.pumping is not None:
            self._guard.note_again(tenant, messages, verdicts, now)
        if not verdicts and all(message.expires_at > now for message in messages):
            return _Allowed(messages, policy.quiet_hours, now)
        allowed: list[Message] = []
        put_off: dict[str, list[Message]] = {}
        for index, message in enumerate(messages):
            verdict = None if message.exempt else verdicts.get(index)
            if message.expires_at <= now:
                self._ended.append((message, outcomes.event(message, "expired", now, "expired")))
            elif verdict is None:
                allowed.append(message)
            elif isinstance(verdict, Defer):
                put_off.setdefault(verdict.rule, []).append(message)
                self._deferred.append(
                    steps.put_off(
                        message, verdict.rule, verdict.until, now, verdict.why, self.config
                    )
                )
            else:
                outcome: Outcome = "expired" if verdict.code == "expired" else "blocked"
                detail = {"rule": verdict.rule, "reason": verdict.why}
                event = outcomes.event(message, outcome, now, verdict.code, detail)
                judged = steps.judged(message, verdict.rule, now, self.config)
                self._ended.append((judged, event))
        for rule, those in put_off.items():
            self._count_deferred(rule, those)
        return _Allowed(allowed, policy.quiet_hours, now)

    async def _facts(self, name: str, messages: Sequence[Message]) -> Facts:
        """What the release rules that a tenant has now, even after a reload meanwhile, want to know
        of a batch."""
        facts, asked = NO_FACTS, NOTHING
        numbers = [message.to for message in messages]
        while (tenant := self._tenants.get(name)) and tenant.policy.release.wants - asked:
            asked = tenant.policy.release.wants
            wants = asked
            if wants >= USES and not any(map(is_late, messages)):
                wants -= USES
            facts = await self._settler.persistently(
                partial(self._store.facts, name, numbers, wants)
            )
        return facts

    def _send(
        self,
        hours: QuietHours | None,
        carrier: Carrier,
        messages: Sequence[Message],
        now: float,
        at: float,
    ) -> list[Message]:
        """Have a carrier send messages; returns those that it has no room for after all."""
        flights: list[Flight] = []
        name = carrier.options.id
        ends = _ends(hours, carrier, messages, at)
        least = carrier.options.min_validity
        for message, end in zip(messages, ends, strict=True):
            if end - at < least and end < message.expires_at:
                # With the least that it takes, the carrier could deliver after the hours have
                # ended. By then the message is judged again, and waits for the next ones.
                self._deferred.append(
                    steps.put_off(message, "min_validity", end, at, config=self.config)
                )
                self._count_deferred("min_validity", [message])
                continue
            try:
                pdus = carrier.dialect.parts(message, self._references, end - at, at)
            except (TextError, *UNENCODABLE) as error:
                self._ended.append((message, outcomes.unencodable(message, name, error, at)))
                continue
            flights.append(Flight.begun(message, name, pdus, at, end, self.config))
        back = carrier.submit(flights, now)
        sent = [flight.message for flight in flights[: len(flights) - len(back)]]
        if sent:
            self._places.move("release", "carrier", [message.id for message in sent])
            self._texted.note(name, sent[0].tenant, (message.to for message in sent))
            self._texted.note_campaign(sent)
            waited = [at - message.due for message in sent]
            longest = max(waited)
            self._metrics.accept_to_submit_seconds.observe_many(waited, sent[0].category)
            self._metrics.accept_to_submit_seconds.exemplify(
                longest, message_id(sent[waited.index(longest)].id), at, sent[0].category
            )
        return [flight.message for flight in back]

    async def _release_again(self, carrier: Carrier, now: float) -> None:
        """Send parts once more of messages that a carrier has others of, if they may go still."""
        due = deque(carrier.due_again(now))
        if not due:
            return
        self._places.move("again", "release", [flight.message.id for flight, _ in due])
        try:
            await self._send_again(carrier, due, now)
        finally:
            for flight, indexes in due:  # cut off: the carrier has others of their parts
                self._send_later(carrier, flight, indexes, now)

    def _send_later(self, carrier: Carrier, flight: Flight, indexes: list[int], at: float) -> None:
        self._places.move("release", "again", [flight.message.id])
        carrier.send_again(flight, indexes, at)

    async def _send_again(
        self, carrier: Carrier, due: deque[tuple[Flight, list[int]]], now: float
    ) -> None:
        while due:
            flight, indexes = due[0]
            message = flight.message
            put_off = len(self._deferred)
            released = await self._allowed(message.tenant, [message])
            due.popleft()
            if released.messages and (self._holds.paused(message.lane) or self._store.lapsed):
                self._send_later(carrier, flight, indexes, now + NOT_NOW)
            elif released.messages:
                self._resubmit(carrier, flight, indexes, now, released)
            elif len(self._deferred) > put_off:
                # All of it will go again, and the carrier has some of it already.
                again = self._deferred.pop()
                self._deferred.append(msgspec.structs.replace(again, maybe_duplicate=True))

    def _resubmit(
        self, carrier: Carrier, flight: Flight, indexes: list[int], now: float, released: "_Allowed"
    ) -> None:
        """Send parts again, or when the carrier takes them again at that hour."""
        message = flight.message
        opens = carrier.hours.opens(message, released.at) if carrier.hours else released.at
        if opens > released.at:
            self._send_later(carrier, flight, indexes, min(opens, message.expires_at))
            self._count_deferred(CarrierHours.name, [message])
        else:
            [flight.until] = _ends(released.quiet_hours, carrier, [message], released.at)
            written = carrier.resubmit(flight, indexes, now)
            self._places.move("release", "carrier" if written else "again", [message.id])

    def _count_deferred(self, rule: str, messages: Sequence[Message]) -> None:
        """A rule puts off messages of one tenant and campaign."""
        first = messages[0]
        self._metrics.messages_deferred.add(len(messages), first.tenant, rule)
        for variant, count in Counter([message.variant for message in messages]).items():
            self._aside.note(first.tenant, first.campaign, variant, f"deferred {rule}", count)

    async def put_on_record(self) -> None:
        """Make durable what was decided not to be sent now, or ever; again what was cut off."""
        if self._ended:
            await self._settler.finish(self._ended, was_sent=False)
            self._ended = []
        if deferred := self._deferred:
            ids = [message.id for message in deferred]
            self._places.put("deferral", ids)
            await self._settler.persistently(lambda: self._store.defer(deferred))
            self._places.leave("deferral", ids)
            self._deferred = []
            now = self._clock()
            self._ledger.deferred(deferred)
            for message in deferred:
                self._lanes.deferred(message.lane, message.due, now)


_place = attrgetter("due", "id")
"""Where a message stands in its lane."""


def _ends(
    hours: QuietHours | None, carrier: Carrier, messages: Sequence[Message], at: float
) -> list[float]:
    """Until when a carrier may try to deliver messages that are sent at a moment."""
    ends = [one.expires_at for one in messages] if hours is None else hours.ends(messages, at)
    if carrier.hours is None:
        return ends
    closes = carrier.hours.closes
    return [min(end, closes(one, at)) for one, end in zip(messages, ends, strict=True)]
