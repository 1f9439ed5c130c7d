"""What an operator pauses is not sent from the next PDU on, and everything says so."""

from collections.abc import Callable
from typing import Any

import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.dispatch.upkeep import MEMORY_EVERY, STORE_EVERY
from gateway.errors import StoreError
from gateway.ops.commands import Pause, Resume
from gateway.ops.problems import ProblemError
from tests.dispatch.conftest import OpenWorld, World, carrier_settings
from tests.dispatch.operating.conftest import Desk

MARKETING = {"category": "marketing"}
SPRING = {"campaign": "spring"}

CASES = [
    # what is paused, what waits, and what goes all the same
    (Pause(scope="carrier", name="alpha"), {}, None),
    (Pause(scope="route", name="default"), {}, None),
    (Pause(scope="tenant", name="acme"), {}, ("umbrella", {})),
    (Pause(scope="category", name="marketing"), MARKETING, ("acme", {})),
    (Pause(scope="campaign", name="spring", tenant="acme"), SPRING, ("acme", {})),
    (Pause(scope="campaign", name="spring", tenant="acme"), SPRING, ("umbrella", SPRING)),
]


@pytest.mark.parametrize(("pause", "held", "free"), CASES)
async def test_what_is_paused_waits_and_all_else_goes(
    world: World, desk: Desk, pause: Pause, held: dict[str, Any], free: Any
) -> None:
    await desk.do(pause)
    [waiting] = await world.accepted({"text": "one", **held})
    if free is not None:
        tenant, message = free
        await world.accepted({"text": "two", **message}, tenant=tenant)
    assert world.bind.texts == (["two"] if free else [])

    [status] = await world.service.status("acme", [waiting], [])
    assert status is not None
    assert status.paused
    [quoted] = await world.service.quote(
        "acme", [SubmitMessage(to="+447400123456", text="x", **held)]
    )
    assert quoted.paused  # type: ignore[union-attr]
    [queue] = await desk.operator.queues()
    assert (queue.messages, queue.reason) == (1, "paused")
    assert (await desk.operator.message(waiting)).reason == "paused"
    [shown] = await desk.operator.pauses()
    assert (shown.by, shown.held, shown.until) == ("ann", 1, None)
    [finding] = [one for one in (await desk.operator.overview()).findings if one.kind == "paused"]
    assert "paused by ann" in finding.what

    done = await desk.do(Resume(scope=pause.scope, name=pause.name, tenant=pause.tenant))
    assert done.messages == 1
    assert world.bind.texts[-1] == "one"
    assert await desk.operator.pauses() == []


@pytest.mark.parametrize("pause", [case[0] for case in CASES[:5]])
async def test_a_pause_outlives_a_restart(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk], pause: Pause, autojump_clock: Any
) -> None:
    async with open_world() as first:
        await make_desk(first).do(pause)
        await first.accepted({"text": "one", "category": "marketing", "campaign": "spring"})
        assert first.bind.sent == []
    await first.store.aclose()
    async with open_world(first.store) as second:
        desk = make_desk(second)
        await trio.sleep(5.0)
        assert second.bind.sent == []
        assert [one.target for one in await desk.operator.pauses()] == [pause.target]
        await desk.do(Resume(scope=pause.scope, name=pause.name, tenant=pause.tenant))
        await trio.sleep(2.0)
        assert second.bind.texts == ["one"]


async def test_a_pause_ends_at_its_time(world: World, desk: Desk, autojump_clock: Any) -> None:
    done = await desk.do(Pause(scope="tenant", name="acme", seconds=60.0, why="they asked"))
    assert done.after["paused"]["until"] == pytest.approx(world.clock() + 60.0, abs=1.0)
    await world.accepted("one")
    await trio.sleep(55.0)
    assert world.bind.sent == []
    await trio.sleep(5.0 + 2 * MEMORY_EVERY)
    assert world.bind.texts == ["one"]
    assert await desk.operator.pauses() == []


async def test_the_metric_counts_what_every_kind_of_pause_holds(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    await desk.do(Pause(scope="category", name="marketing"))
    await desk.do(Pause(scope="carrier", name="alpha"))
    await world.accepted("one", {"category": "marketing"})
    await world.accepted("one", tenant="umbrella")
    await trio.sleep(2 * STORE_EVERY)
    assert "gateway_paused_messages" in world.metrics.snapshot().render().decode()
    assert world.dispatch.upkeep.steering.held == {"acme": 2, "umbrella": 1}


async def test_while_a_carrier_is_paused_others_of_its_route_take_all(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    carriers = [carrier_settings("alpha"), carrier_settings("beta")]
    async with open_world(carriers=carriers) as world:
        desk = make_desk(world)
        await desk.do(Pause(scope="carrier", name="alpha"))
        await world.accepted(*map(str, range(6)))
        assert (len(world.made["alpha-1"].sent), len(world.made["beta-1"].sent)) == (0, 6)
        assert [one.reason for one in await desk.operator.queues()] == []


async def test_a_paused_carrier_gets_no_further_part_of_a_long_message(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    async with open_world(carriers=[carrier_settings(window=2)]) as world:
        desk = make_desk(world)
        await world.accepted({"text": "x" * 700})
        assert len(world.bind.sent) == 2
        await desk.do(Pause(scope="carrier", name="alpha"))
        world.bind.reply()
        await world.calm()
        assert len(world.bind.sent) == 2
        await desk.do(Resume(scope="carrier", name="alpha"))
        assert len(world.bind.sent) == 4


async def test_a_tenant_does_not_lift_an_operators_pause_nor_the_other_way_round(
    world: World, desk: Desk
) -> None:
    await world.service.pause("acme", "spring")
    await desk.do(Pause(scope="campaign", name="spring", tenant="acme"))
    await world.accepted({"campaign": "spring"})
    await world.service.resume("acme", "spring", None)
    await world.calm()
    assert world.bind.sent == []

    await world.service.pause("acme", "spring")
    await desk.do(Resume(scope="campaign", name="spring", tenant="acme"))
    assert world.bind.sent == []
    with pytest.raises(ProblemError, match="paused by its tenant, which alone resumes it"):
        await desk.do(Resume(scope="campaign", name="spring", tenant="acme"))
    [shown] = await desk.operator.pauses()
    assert shown.by == "tenant acme"


async def test_a_campaign_that_goes_on_may_be_given_more_time(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    await desk.do(Pause(scope="campaign", name="spring", tenant="acme"))
    ends = world.clock() + 100.0
    [waiting] = await world.accepted({"campaign": "spring", "expires_at": ends})
    await trio.sleep(50.0)
    await desk.do(Resume(scope="campaign", name="spring", tenant="acme", extend=600.0))
    await trio.sleep(1.0)
    assert len(world.bind.sent) == 1
    view = await desk.operator.message(waiting)
    assert view.expires_at == pytest.approx(ends + 600.0)


REFUSED = [
    (Pause(scope="carrier", name="gamma"), "not_found", "there is no carrier gamma"),
    (Pause(scope="route", name="carrier:alpha"), "not_found", "there is no route"),
    (Pause(scope="tenant", name="nobody"), "not_found", "there is no tenant nobody"),
    (Pause(scope="category", name="news"), "not_found", "there is no category news"),
    (Pause(scope="campaign", name="x", tenant="nobody"), "not_found", "none called 'nobody'"),
    (Pause(scope="campaign", name="x"), "not_found", "none called None"),
    (Pause(scope="tenant", name="acme", tenant="acme"), "bad_request", "a tenant has none"),
    (Pause(scope="tenant", name="umbrella"), "already_so", "paused already, by ann"),
    (Resume(scope="tenant", name="acme"), "already_so", "tenant acme is not paused"),
    (Resume(scope="tenant", name="nobody"), "already_so", "tenant nobody is not paused"),
    (Resume(scope="tenant", name="umbrella", extend=9.0), "bad_request", "only a campaign's"),
]


@pytest.mark.parametrize(("command", "kind", "why"), REFUSED)
async def test_what_is_not_there_or_so_already_is_refused(
    desk: Desk, command: Any, kind: str, why: str
) -> None:
    await desk.do(Pause(scope="tenant", name="umbrella"))
    with pytest.raises(ProblemError, match=why) as refused:
        await desk.do(command)
    assert refused.value.kind == kind
    [newest, *_] = await desk.operator.audit(None, 10)
    assert (newest.result, newest.verb) == ("refused", command.verb)


async def test_what_the_store_does_not_keep_is_not_paused(world: World, desk: Desk) -> None:
    world.store.failing = {"agree"}
    with pytest.raises(StoreError):
        await desk.do(Pause(scope="tenant", name="acme"))
    await world.accepted("one")
    assert world.bind.texts == ["one"]
    [newest, *_] = await desk.operator.audit(None, 10)
    assert newest.result == "failed"


async def test_of_a_tenant_that_is_gone_a_pause_can_still_be_lifted(
    world: World, desk: Desk
) -> None:
    await desk.do(Pause(scope="tenant", name="umbrella"))
    tenants = world.options.tenants[:1]
    await world.configure(tenants=tenants, policies=dict(list(world.options.policies.items())[:1]))
    done = await desk.do(Resume(scope="tenant", name="umbrella"))
    assert done.after == {"paused": None}
