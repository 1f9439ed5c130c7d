"""Erasing a person: what waits ends, nothing of it is left, and the opt-out stays in force."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from gateway.errors import RequestError
from gateway.policy.conversation import Conversation, ReplyRule
from tests.dispatch.conftest import inbound, receipt

PHONE = "447400123456"


async def erase(world: Any, number: str = f"+{PHONE}", tenant: str = "acme") -> tuple[Any, ...]:
    erased = await world.service.erase(tenant, number)
    await world.calm()
    return (erased.cancelled, erased.ended, erased.events, erased.left)


def codes(results: Any) -> list[str]:
    return [one.error.code if hasattr(one, "error") else "accepted" for one in results]


async def test_what_waits_is_cancelled_and_tells_nothing(world: Any) -> None:
    planned, other = await world.accepted(
        {"send_at": world.clock() + 60, "key": "k", "campaign": "c"}, {"to": "+447400123457"}
    )
    assert await erase(world) == (1, 0, 1, 0)
    [event] = await world.events()
    assert (event["type"], event["message_id"], event["campaign"]) == ("cancelled", planned, "c")
    assert event["detail"] == {"erased": True}
    assert not {"to", "key", "text"} & event.keys()
    assert (await world.states([planned, other])) == ["cancelled", "queued"]
    [told] = await world.service.explain("acme", [planned], ())
    assert (told.to, told.key, told.state) == ("", None, "cancelled")
    assert PHONE not in repr(told)
    await world.deliver()
    assert len(world.bind.sent) == 1


async def test_what_a_carrier_has_ends_and_its_receipt_matches_nothing(world: Any) -> None:
    [number] = await world.accepted("hi")
    [(pdu, ref)] = world.bind.reply()
    await world.calm()
    assert await erase(world) == (0, 1, 1, 0)
    await world.bind.receipts(receipt(ref, "DELIVRD", pdu.destination_addr))
    await world.calm()
    assert await world.outcomes() == {number: "unknown"}
    await world.check_finished()


async def test_what_is_in_a_window_is_left_until_it_is_answered(world: Any) -> None:
    [number] = await world.accepted("hi")
    assert await erase(world) == (0, 0, 0, 1)
    await world.deliver()
    assert await erase(world) == (0, 0, 1, 0)
    assert await world.outcomes() == {number: "delivered"}
    assert PHONE not in repr(await world.events())


async def test_the_opt_out_stays_and_figures_stay(world: Any) -> None:
    await world.accepted("hi")
    await world.deliver()
    await world.bind.receipts(inbound("STOP"))
    await world.calm()
    counted = await world.service.stats("acme", None, None, None)
    [held] = (await world.store.optout_entries("acme", [PHONE]))[PHONE]
    assert held.text == "STOP"
    await erase(world)
    [held] = (await world.store.optout_entries("acme", [PHONE]))[PHONE]
    assert (held.number, held.source, held.text, held.message) == (PHONE, "keyword", None, None)
    assert PHONE not in repr(await world.events())
    assert await world.service.stats("acme", None, None, None) == counted
    assert codes(await world.submit("again")) == ["opted_out"]


async def test_another_tenant_s_is_its_own(world: Any) -> None:
    [mine] = await world.accepted({"send_at": world.clock() + 60})
    [theirs] = await world.accepted({"send_at": world.clock() + 60}, tenant="umbrella")
    assert await erase(world, tenant="umbrella") == (1, 0, 1, 0)
    assert await world.states([mine]) == ["deferred"]
    assert await world.states([theirs], "umbrella") == ["cancelled"]


async def test_a_conversation_ends(world: Any) -> None:
    rules = Conversation([ReplyRule(match=("3",), action="handover")])
    tenants = [msgspec.structs.replace(one, replies=rules) for one in world.options.tenants]
    await world.configure(tenants=tenants)
    await world.bind.receipts(inbound("3"))
    await world.calm()
    [listed] = await world.service.handovers("acme", "")
    assert (listed.number, listed.open) == (PHONE, True)
    await erase(world)
    assert await world.service.handovers("acme", "") == []


async def test_a_number_that_is_none(world: Any) -> None:
    with pytest.raises(RequestError, match="number: "):
        await erase(world, "12")


async def test_what_comes_later_is_kept(world: Any, autojump_clock: MockClock) -> None:
    await erase(world)
    await world.accepted({"key": "k"})
    await trio.sleep(1)
    await world.deliver()
    assert (await world.events())[-1]["to"] == PHONE
