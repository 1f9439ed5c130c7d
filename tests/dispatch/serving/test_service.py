"""What a tenant can ask of the gateway."""

from typing import Any

import pytest
import trio

from gateway.api.schema import Holder
from gateway.dispatch.release import steering
from gateway.errors import RequestError, StoreError
from gateway.queue import lanes
from gateway.queue.store import GLOBAL, OptoutChange

# --- status ---


async def test_status_follows_a_message_to_its_outcome(world: Any) -> None:
    [number] = await world.accepted(
        {"key": "k", "campaign": "c", "variant": "b", "text": "x" * 200}
    )
    for by_id in (True, False):
        ids, keys = ([number], []) if by_id else ([], ["k"])
        [status] = await world.service.status("acme", ids, keys)
        assert (status.state, status.final, status.parts) == ("queued", False, 2)
        assert (status.message_id, status.key, status.campaign) == (number, "k", "c")
        assert status.variant == "b"
        assert status.to == "447400123456"
    refs = world.bind.reply()
    await world.calm()
    assert len(refs) == 2
    assert await world.states([number]) == ["sent"]
    [status] = await world.service.status("acme", [number], [])
    assert not status.final


async def test_status_tells_the_outcome_and_why(world: Any) -> None:
    await world.accepted({"key": "k"})
    await world.deliver("UNDELIV")
    [status] = await world.service.status("acme", [], ["k"])
    assert (status.state, status.final, status.code) == ("failed", True, "undelivered")
    assert status.detail["receipt_state"] == "UNDELIV"


async def test_status_tells_when_a_deferred_one_is_due(world: Any) -> None:
    at = world.clock() + 60
    [number] = await world.accepted({"send_at": at})
    [status] = await world.service.status("acme", [number], [])
    assert (status.state, status.not_before) == ("deferred", at)


async def test_status_stands_in_the_order_of_ids_then_keys(world: Any) -> None:
    ids = await world.accepted({"key": "a"}, {"key": "b"})
    found = await world.service.status("acme", [ids[1], "nonsense", ids[0]], ["b", "z", "a"])
    assert [one and one.message_id for one in found] == [
        ids[1], None, ids[0], ids[1], None, ids[0],
    ]  # fmt: skip


async def test_tenants_never_see_each_other_s_messages(world: Any) -> None:
    [waiting] = await world.accepted({"key": "k", "campaign": "c", "send_at": world.clock() + 60})
    [done] = await world.accepted({"key": "d"})
    await world.deliver()
    assert await world.service.status("umbrella", [waiting, done], ["k", "d"]) == [None] * 4
    cancelled = await world.service.cancel("umbrella", [waiting, done], ["k", "d"], "c")
    assert cancelled.cancelled == 0
    assert list(cancelled.results) == [None] * 4
    assert await world.states([waiting, done]) == ["deferred", "delivered"]
    assert await world.events("umbrella") == []


# --- cancel ---


@pytest.mark.parametrize("how", ["id", "key", "campaign"])
@pytest.mark.parametrize("where", ["lane", "store"])
async def test_what_no_carrier_has_yet_can_be_cancelled(world: Any, how: str, where: str) -> None:
    world.bind.lose()
    fields = {"send_at": world.clock() + 60} if where == "store" else {}
    number, other = await world.accepted(
        {"key": "k", "campaign": "c", **fields}, {"key": "other", "campaign": "d", **fields}
    )
    ids, keys = [number] if how == "id" else [], ["k"] if how == "key" else []
    campaign = "c" if how == "campaign" else None
    cancelled = await world.service.cancel("acme", ids, keys, campaign)
    assert cancelled.cancelled == 1
    assert [(one.message_id, one.cancelled, one.state) for one in cancelled.results] == (
        [] if campaign else [(number, True, "cancelled")]
    )
    assert await world.outcomes() == {number: "cancelled"}
    assert world.dispatch.ledger.total("acme") == 1
    world.bind.come_up()
    await world.calm()
    await world.service.cancel("acme", [other], [], None)
    assert len(world.bind.sent) == (1 if where == "lane" else 0)
    await world.deliver()
    await world.check_finished()


async def test_a_campaign_is_cancelled_whole_wherever_it_waits(
    world: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "SLICE", 7)
    world.bind.lose()
    now = world.clock()
    mine = {"campaign": "c"}
    for _ in range(5):
        await world.accepted(
            *([mine] * 20), *([{**mine, "send_at": now + 60}] * 5), *([{"campaign": "d"}] * 3)
        )
    cancelled = await world.service.cancel("acme", [], [], "c")
    assert cancelled.cancelled == 125
    await trio.sleep(2)
    assert list((await world.outcomes()).values()) == ["cancelled"] * 125
    assert world.dispatch.ledger.total("acme") == 15


async def test_room_that_a_cancel_makes_is_not_filled_with_what_it_is_to_cancel(
    open_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes.Lanes.__init__, "__defaults__", (lanes.BUDGET, 20))
    async with open_world() as world:
        world.bind.lose()
        for _ in range(10):
            await world.accepted(*[{"campaign": "c"}] * 20)
        cancelled = await world.service.cancel("acme", [], [], "c")
        assert cancelled.cancelled == 200
        world.bind.come_up()
        await world.calm()
        assert world.bind.sent == []
        await world.check_finished()


async def test_what_a_carrier_has_is_too_late_to_cancel(world: Any) -> None:
    in_flight, sent = await world.accepted({"key": "a"}, {"key": "b"})
    world.bind.reply(world.bind.sent[1])
    await world.calm()
    cancelled = await world.service.cancel("acme", [in_flight, sent, "ffff"], ["a"], None)
    assert cancelled.cancelled == 0
    assert [one and (one.cancelled, one.state) for one in cancelled.results] == [
        (False, "queued"),
        (False, "sent"),
        None,
        (False, "queued"),
    ]


async def test_a_cancel_that_fails_leaves_everything_as_it_was(
    world: Any, autojump_clock: object
) -> None:
    world.bind.lose()
    ids = await world.accepted({"campaign": "c"}, {"campaign": "c"})
    world.store.failing = {"agree", "lease_ids"}
    with pytest.raises(StoreError):
        await world.service.cancel("acme", [], [], "c")
    with pytest.raises(StoreError):
        await world.service.cancel("acme", ids, [], None)
    world.store.failing = set()
    world.bind.come_up()
    await world.calm()
    assert len(world.bind.sent) == 2
    await world.deliver()
    await world.check_finished()


async def test_cancelling_twice_is_harmless(world: Any) -> None:
    world.bind.lose()
    [number] = await world.accepted("a")
    await world.service.cancel("acme", [number, number], [], None)
    again = await world.service.cancel("acme", [number], [], None)
    assert (again.cancelled, again.results[0].state) == (0, "cancelled")
    assert len(await world.events()) == 1


# --- opt-outs ---


async def test_opt_outs_are_added_looked_up_and_removed(world: Any) -> None:
    async def ask(action: Any, *numbers: str) -> list[Any]:
        results = await world.service.optout("acme", action, list(numbers))
        return [(r.number, r.opted_out, r.changed) for r in results]

    one, two = "447400000001", "447400000002"
    assert await ask("check", one) == [(one, False, False)]
    assert await ask("add", "+" + one) == [(one, True, True)]
    assert await ask("add", one, two) == [(one, True, False), (two, True, True)]
    assert await ask("check", two, one) == [(two, True, False), (one, True, False)]
    assert await ask("remove", one) == [(one, False, True)]
    assert await ask("remove", one) == [(one, False, False)]


PHONE = "447400000001"


async def held(world: Any, action: Any = "check", source: Any = "api", tenant: str = "acme") -> Any:
    [result] = await world.service.optout(tenant, action, [PHONE], source)
    assert result.opted_out is bool(result.held_by)
    return result.changed, sorted(one.source for one in result.held_by)


async def test_who_may_take_back_what_and_what_still_holds(world: Any) -> None:
    stop = OptoutChange("acme", PHONE, True, "keyword", 5.0, "1a", "STOP" * 100)
    await world.store.optout([stop])
    [result] = await world.service.optout("acme", "check", [PHONE])
    assert result.held_by == [Holder("keyword", 5.0, False, "1a", ("STOP" * 100)[:160])]
    assert await held(world, "add", "import") == (True, ["import", "keyword"])
    assert await held(world, "add", "complaint") == (True, ["complaint", "import", "keyword"])
    assert await held(world, "remove", "api") == (True, ["complaint"])
    assert await held(world, "remove", "api") == (False, ["complaint"])
    assert await held(world, "remove", "import") == (False, ["complaint"])
    assert await held(world, "remove", "complaint") == (True, [])


async def test_an_opt_out_of_everybody_holds_whatever_a_tenant_takes_back(world: Any) -> None:
    await world.store.optout([OptoutChange(GLOBAL, PHONE, True, "keyword", 5.0, "1a", "STOP it")])
    assert await held(world, "remove") == (False, ["keyword"])
    [result] = await world.service.optout("umbrella", "check", [PHONE])
    assert result.held_by == [Holder("keyword", 5.0, True)]  # not what was said to another tenant


async def test_a_number_that_is_none_is_refused_in_its_place(world: Any) -> None:
    bad, good = await world.service.optout("acme", "add", ["12", "447400000001"])
    assert bad.error.code == "invalid_recipient"
    assert good.opted_out


async def test_opt_outs_are_listed_a_phone_once_and_of_the_tenant_alone(world: Any) -> None:
    await world.service.optout("acme", "add", ["5215512345678", "+447400000002", "447400000001"])
    await world.service.optout("acme", "add", ["525512345678"], "complaint")
    await world.service.optout("umbrella", "add", ["447400000003"])
    await world.store.optout([OptoutChange(GLOBAL, "447400000004", True, "keyword", 1.0)])
    listed = await world.service.optouts("acme", "")
    assert [one.number for one in listed] == ["447400000001", "447400000002", "525512345678"]
    assert {holder.source for holder in listed[2].held_by} == {"api", "complaint"}
    assert [one.number for one in await world.service.optouts("acme", "447400000001")] == [
        "447400000002",
        "525512345678",
    ]
    assert await world.service.optouts("acme", "525512345678") == []


async def test_opt_outs_are_a_tenant_s_own(world: Any) -> None:
    await world.service.optout("acme", "add", ["447400000001"])
    [result] = await world.service.optout("umbrella", "check", ["447400000001"])
    assert not result.opted_out


# --- the rest ---


async def test_a_cursor_never_passes_the_last_event(world: Any) -> None:
    await world.accepted("a")
    await world.deliver()
    with pytest.raises(RequestError, match="bad_request"):
        await world.service.acknowledge("acme", "crm", 2)
    assert await world.service.acknowledge("acme", "crm", 1) == 1
    assert await world.service.acknowledge("acme", "crm", 0) == 1


async def test_tokens_stand_for_tenants(world: Any) -> None:
    assert world.service.tokens() == {b"a": "acme", b"u": "umbrella"}
    await world.configure(tenants=world.options.tenants[:1])
    assert world.service.tokens() == {b"a": "acme"}


async def test_a_cancel_whose_client_is_gone_is_finished(world: Any) -> None:
    world.bind.lose()
    ids = await world.accepted("a", {"send_at": world.clock() + 60})
    with trio.CancelScope() as gone:
        gone.cancel()
        await world.service.cancel("acme", ids, [], None)
    world.bind.come_up()
    await world.calm()
    await world.service.cancel("acme", ids, [], None)
    await world.deliver()
    assert len(await world.outcomes()) == 2
    await world.check_finished()
