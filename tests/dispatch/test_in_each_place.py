"""What becomes of a message, wherever it is, when something happens to it: the table of
docs/places.md, a row for each event and a column for each place."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
import trio

from gateway.dispatch.places import PLACES, Place
from gateway.dispatch.release.stops import Stop
from gateway.message import message_number
from gateway.ops.views import Target
from gateway.smpp.pdu import SubmitSm
from gateway.smpp.status import Status
from tests.dispatch.conftest import World, carrier_settings, receipt

LONG = "x" * 300
"""Two parts."""

CAMPAIGN = "spring"
VALID = 7_200.0
SOON = 600.0
"""The same where it is to expire: two hours take two seconds, even of a clock that jumps."""

AFTER = 50.0
"""Seconds in which everything that can go on has gone on."""


class End(NamedTuple):
    """How it ends: the outcome, how often (parts of) it went out, and whether it says that it may
    have come twice."""

    outcome: str
    writes: int
    doubtful: bool = False


class Held:
    """A message that a test has brought to a place.

    Attributes:
        id: as tenants know it.
        owed: the parts that were taken, whose receipts are still to come.
        valid: the seconds for which it is good.
    """

    def __init__(self, world: World, place: Place, valid: float = VALID) -> None:
        self.world = world
        self.place = place
        self.valid = valid
        self.id = ""
        self.owed: list[tuple[SubmitSm, str]] = []
        self._gate = trio.Event()

    async def bring(self) -> None:
        """Bring it there."""
        world, place = self.world, self.place
        if place == "lane":
            world.bind.lose()
        if place == "release":
            self._hold_judgement()
        text = LONG if place == "again" else "hello"
        message = {"text": text, "campaign": CAMPAIGN, "expires_at": world.clock() + self.valid}
        [self.id] = await world.accepted(message)
        if place == "again":
            first, second = world.bind.sent
            self.owed = world.bind.reply(first)
            world.bind.reply(second, status=Status.ESME_RMSGQFUL)
        if place == "settlement":
            world.store.failing.add("settle")
            self.owed = world.bind.reply()
        if place == "deferral":
            world.store.failing.add("defer")
            world.bind.reply(status=Status.ESME_RMSGQFUL)
        await world.calm()
        assert self.now == place

    @property
    def now(self) -> Place | None:
        """Where it is."""
        number = message_number(self.id)
        assert number is not None
        return self.world.dispatch.places.place_of(number)

    def let_go(self) -> None:
        """What held it there does so no longer."""
        self._gate.set()
        self.world.store.failing.clear()
        for bind in self.world.made.values():
            if not bind.bound and not bind.draining:
                bind.come_up()

    def _hold_judgement(self) -> None:
        look_up = self.world.store.facts

        async def slowly(*arguments: Any) -> Any:
            if self.world.dispatch.places.total:  # not when it is accepted
                await self._gate.wait()
            return await look_up(*arguments)

        vars(self.world.store)["facts"] = slowly


async def finish(world: World, held: Held, seconds: float = AFTER) -> None:
    """Have the carriers take and deliver everything for a while."""
    await world.bind.receipts(*(receipt(ref, phone=pdu.destination_addr) for pdu, ref in held.owed))
    with trio.move_on_after(seconds):
        while True:
            await world.deliver()
            await trio.sleep(2)


async def end_of(world: World) -> End:
    """How the one message of a world has ended."""
    [event] = await world.events()
    writes = [pdu for bind in world.made.values() for pdu in bind.sent]
    return End(event["type"], len(writes), event.get("maybe_duplicate", False))


# --- what happens ---


async def bind_lost(held: Held) -> None:
    held.world.bind.lose()
    await trio.sleep(10)


async def carrier_removed(held: Held) -> None:
    await held.world.configure(carriers=[carrier_settings("beta")])


async def carrier_paused(held: Held) -> None:
    world, target = held.world, Target(scope="carrier", name="alpha")
    await world.dispatch.stops.pause(Stop(target, "op", world.clock()))
    held.let_go()
    await quiet(held)
    await world.dispatch.stops.resume(target)


async def tenant_removed(held: Held) -> None:
    world = held.world
    tenants = world.options.tenants
    await world.configure(tenants=tenants[1:])
    held.let_go()
    await quiet(held)
    await world.configure(tenants=tenants)


async def paused(held: Held) -> None:
    await held.world.service.pause("acme", CAMPAIGN)
    held.let_go()
    await quiet(held)
    await held.world.service.resume("acme", CAMPAIGN, None)


async def cancelled(held: Held) -> None:
    world = held.world
    with trio.move_on_after(2):  # the answer waits for the store, where that is what holds it
        await world.service.cancel("acme", [held.id], [], None)


async def campaign_cancelled(held: Held) -> None:
    await held.world.service.cancel("acme", [], [], CAMPAIGN)


async def opted_out(held: Held) -> None:
    await held.world.service.optout("acme", "add", ["447400123456"])


async def expired(held: Held) -> None:
    if held.place == "again":
        held.world.bind.lose()  # else it goes out before
    await trio.sleep(held.valid + 10)


async def reloaded(held: Held) -> None:
    await held.world.configure()


async def store_refuses(held: Held) -> None:
    store = held.world.store
    store.failing |= {
        "accept",
        "lease",
        "defer",
        "settle",
        "expired",
        "remember",
        "agree",
        "leased",
    }
    held.owed += held.world.bind.reply()  # what a carrier has is taken meanwhile
    await trio.sleep(3600)


async def quiet(held: Held) -> None:
    """Nothing more of it goes out for a while; what carriers have, they answer."""
    world = held.world
    before = len(world.bind.sent)
    await finish(world, held, 40)
    assert len(world.bind.sent) == before


DELIVERED = End("delivered", 1)
AGAIN = End("delivered", 2)
"""Refused for now and sent again."""
TORN = End("delivered", 3)
"""The same for one of two parts."""

Row = tuple[Callable[[Held], Awaitable[None]], dict[Place, End]]

TABLE: list[Row] = [
    (
        bind_lost,
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": End("delivered", 2, True),  # nobody knows whether it has it
            "again": TORN,
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
    (
        carrier_removed,  # the other one takes what it has nothing of
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": DELIVERED,  # its binds end when all is answered
            "again": End("failed", 2),  # and it alone could complete it
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
    (
        carrier_paused,
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": DELIVERED,
            "again": TORN,
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
    (
        tenant_removed,  # and it comes back
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": DELIVERED,
            "again": TORN,
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
    (
        paused,
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": DELIVERED,
            "again": TORN,
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
    (
        cancelled,
        {
            "lane": End("cancelled", 0),
            "release": End("cancelled", 0),
            "carrier": DELIVERED,  # it was too late
            "again": End("cancelled", 2),
            "settlement": DELIVERED,
            "deferral": End("cancelled", 1),
        },
    ),
    (
        campaign_cancelled,
        {
            "lane": End("cancelled", 0),
            "release": End("cancelled", 0),
            "carrier": DELIVERED,
            "again": End("cancelled", 2),
            "settlement": DELIVERED,
            "deferral": End("cancelled", 1),
        },
    ),
    (
        opted_out,
        {
            "lane": End("blocked", 0),
            "release": End("blocked", 0),
            "carrier": DELIVERED,
            "again": End("blocked", 2),
            "settlement": DELIVERED,
            "deferral": End("blocked", 1),
        },
    ),
    (
        expired,
        {
            "lane": End("expired", 0),
            "release": End("expired", 0),
            "carrier": DELIVERED,  # the carrier was told until when
            "again": End("expired", 2),
            "settlement": DELIVERED,
            "deferral": End("expired", 1),
        },
    ),
    (
        reloaded,
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": DELIVERED,
            "again": TORN,
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
    (
        store_refuses,  # for an hour
        {
            "lane": DELIVERED,
            "release": DELIVERED,
            "carrier": DELIVERED,
            "again": TORN,
            "settlement": DELIVERED,
            "deferral": AGAIN,
        },
    ),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("event", "ends"), TABLE, ids=[row[0].__name__ for row in TABLE])
async def test_what_becomes_of_a_message(
    world: World,
    event: Callable[[Held], Awaitable[None]],
    ends: dict[Place, End],
    place: Place,
    autojump_clock: object,
) -> None:
    held = Held(world, place, SOON if event is expired else VALID)
    await held.bring()
    await event(held)
    held.let_go()
    await finish(world, held)
    assert await end_of(world) == ends[place]
    assert held.now is None
    await world.check_finished()


# --- and when the process ends ---


@pytest.mark.parametrize(
    ("place", "in_order", "killed"),
    [
        ("lane", DELIVERED, End("delivered", 1, True)),
        ("release", DELIVERED, End("delivered", 1, True)),
        ("carrier", End("delivered", 2, True), End("delivered", 2, True)),
        # All of it goes again: another process knows nothing of the parts that were taken.
        ("again", End("delivered", 4, True), End("delivered", 4, True)),
        ("settlement", DELIVERED, End("delivered", 2, True)),
        ("deferral", AGAIN, End("delivered", 2, True)),
    ],
)
@pytest.mark.parametrize("how", ["in order", "killed"])
async def test_what_becomes_of_it_when_the_process_ends(
    open_world: Any,
    how: str,
    place: Place,
    in_order: End,
    killed: End,
    autojump_clock: object,
) -> None:
    async with AsyncExitStack() as stack:
        before = await stack.enter_async_context(open_world())
        held = Held(before, place)
        await held.bring()
        before.store.failing.clear()
        if how == "in order":
            before.nursery.cancel_scope.cancel()
            await stack.aclose()
            await before.store.aclose()
        else:
            before.bind.bound = False  # it does nothing any more
        vars(before.store).pop("facts", None)
        after = await stack.enter_async_context(open_world(before.store))
        await finish(after, held)
        found = await end_of(after)
        writes = found.writes + len(before.made["alpha-1"].sent)
        assert found._replace(writes=writes) == (in_order if how == "in order" else killed)
        await after.check_finished()
