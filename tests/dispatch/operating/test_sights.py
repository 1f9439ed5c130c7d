"""What operators see of a dispatch: carriers and binds, queues, tenants, campaigns, consumers."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from gateway.ops.commands import Pause
from tests.dispatch.conftest import OpenWorld, World, carrier_settings, receipt
from tests.dispatch.operating.conftest import Desk


async def test_a_carrier_says_since_when_it_is_as_it_is_and_why(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    [carrier] = await desk.operator.carriers()
    assert (carrier.state, carrier.error, carrier.binds_up) == ("up", None, 1)
    assert (carrier.address, carrier.routes, carrier.window) == ("alpha:2775", ("default",), 10)
    bound_at = carrier.binds[0].since

    await trio.sleep(100.0)
    world.bind.lose()
    [carrier] = await desk.operator.carriers()
    assert (carrier.state, carrier.error) == ("down", "lost")
    [bind] = carrier.binds
    assert (bind.state, bind.error, bind.since) == ("down", "lost", world.clock())
    assert carrier.since == world.clock()
    assert bound_at == pytest.approx(world.clock() - 100.0, abs=1.0)

    await trio.sleep(50.0)
    world.bind.come_up()
    [carrier] = await desk.operator.carriers()
    [bind] = carrier.binds
    assert (carrier.state, carrier.error, bind.state) == ("up", None, "bound")
    assert bind.since == world.clock()
    assert (bind.error, bind.error_at) == ("lost", world.clock() - 50.0)  # the last that it had


async def test_one_of_two_binds_makes_a_carrier_degraded(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    async with open_world(carriers=[carrier_settings(binds=2)]) as world:
        desk = make_desk(world)
        world.made["alpha-2"].lose()
        [carrier] = await desk.operator.carriers()
        assert (carrier.state, carrier.binds_up, carrier.error) == ("degraded", 1, "lost")
        overview = await desk.operator.overview()
        assert (overview.binds, overview.binds_up, overview.carriers_up) == (2, 1, 1)
        assert overview.well  # the other one does the work


async def test_a_carrier_says_what_it_answers_and_which_receipts_it_owes(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    await world.accepted("one", "two", "three")
    first, second, third = [pdu for pdu, _ in world.bind.flying]
    [carrier] = await desk.operator.carriers()
    assert (carrier.in_use, carrier.binds[0].in_use) == (3, 3)
    [(_, ref)] = world.bind.reply(first)
    world.bind.reply(second)
    world.bind.reply(third, status=0x0B)
    await world.calm()
    await trio.sleep(30.0)
    [carrier] = await desk.operator.carriers()
    assert {name: n for name, n in carrier.statuses.items() if n} == {
        "ESME_ROK": 2,
        "ESME_RINVDSTADR": 1,
    }
    assert carrier.receipts_silent_seconds == pytest.approx(30.0, abs=1.0)
    await world.bind.receipts(receipt(ref, "DELIVRD", first.destination_addr))
    await world.calm()
    [carrier] = await desk.operator.carriers()
    assert {name: n for name, n in carrier.receipts.items() if n} == {"DELIVRD": 1}
    assert (carrier.receipts_silent_seconds, carrier.receipt_seconds) == (0.0, 30.0)


async def test_queues_tell_what_waits_in_memory_and_in_the_store(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    world.bind.lose()
    await world.accepted({"text": "x" * 200}, {"text": "y"}, {"campaign": "spring"})
    later = world.clock() + 3_600.0
    await world.accepted({"send_at": later}, tenant="umbrella")
    await trio.sleep(40.0)
    first, *rest = await desk.operator.queues()
    queues = {(one.tenant, one.campaign): one for one in (first, *rest)}
    plain = queues["acme", None]
    assert (plain.messages, plain.parts, plain.ready, plain.reason) == (2, 3, 2, "no_bind")
    assert plain.oldest_seconds == pytest.approx(40.0, abs=2.0)
    assert queues["acme", "spring"].messages == 1
    waits = queues["umbrella", None]
    assert (waits.messages, waits.oldest_seconds, waits.next_due) == (1, None, later)
    assert first.tenant == "acme"  # what is the oldest comes first
    overview = await desk.operator.overview()
    assert (overview.queued, overview.deferred, overview.well) == (3, 1, False)
    assert overview.oldest_seconds == pytest.approx(40.0, abs=2.0)


async def test_tenants_tell_what_of_theirs_waits_and_those_that_are_gone_too(
    world: World, desk: Desk
) -> None:
    world.bind.lose()
    await world.accepted("one", "two", tenant="umbrella")
    tenants = {one.id: one for one in await desk.operator.tenants()}
    assert tenants.keys() == {"acme", "umbrella"}
    assert (tenants["umbrella"].queued, tenants["acme"].queued) == (2, 0)
    await world.configure(
        tenants=world.options.tenants[:1], policies={"acme": world.options.policies["acme"]}
    )
    tenants = {one.id: one for one in await desk.operator.tenants()}
    assert (tenants["umbrella"].configured, tenants["umbrella"].queued) == (False, 2)
    [queue] = await desk.operator.queues()
    assert queue.reason == "tenant_missing"


async def test_campaigns_are_counted_and_say_what_waits(world: World, desk: Desk) -> None:
    await desk.do(Pause(scope="campaign", name="autumn", tenant="acme"))
    await world.accepted({"campaign": "spring"}, {"campaign": "spring"}, {"campaign": "autumn"})
    await world.deliver()
    found = {one.campaign: one for one in await desk.operator.campaigns("acme", 24)}
    spring, autumn = found["spring"], found["autumn"]
    assert (spring.accepted, spring.sent, spring.outcomes) == (2, 2, {"delivered": 2})
    assert (spring.waiting, spring.pause) == (0, None)
    assert (autumn.accepted, autumn.waiting) == (1, 1)
    assert autumn.pause is not None
    assert await desk.operator.campaigns("umbrella", 24) == []


async def test_consumers_tell_how_far_they_are_and_whether_they_are_there(
    world: World, desk: Desk
) -> None:
    await world.accepted("one", "two")
    await world.deliver()
    await world.service.acknowledge("acme", "crm", 1)
    subscription = await world.service.subscribe("acme", "crm", "acked")
    [consumer] = await desk.operator.consumers()
    assert (consumer.name, consumer.connected, consumer.seq, consumer.lag) == ("crm", True, 1, 1)
    del subscription
    [consumer] = await desk.operator.consumers()
    assert (consumer.connected, consumer.tenant) == (False, "acme")


async def test_nothing_that_is_shown_is_secret(world: World, desk: Desk) -> None:
    settings = carrier_settings("alpha", password="hunter2", system_id="u")
    await world.configure(carriers=[settings])
    shown = msgspec.json.encode(
        [
            await desk.operator.carriers(),
            await desk.operator.tenants(),
            await desk.operator.overview(),
        ]
    )
    assert b"hunter2" not in shown
