"""A tenant's own answers to phones, and conversations that a person takes over."""

from typing import Any

import msgspec
import pytest
import trio

from gateway.policy.conversation import Conversation, ReplyRule
from gateway.policy.templates import Definition

PHONE = "447400123456"
SHOP = Conversation(
    [
        ReplyRule(match=("1",), name="hours", text="9 to 21"),
        ReplyRule(match=("2",), template="card"),
        ReplyRule(match=("3",), text="Somebody answers soon", action="handover", hours=2),
        ReplyRule(match=("4",), tag="survey"),
        ReplyRule(match=("yes",), name="back", action="optin"),
        ReplyRule(match=("STOP", "stop please"), name="never", text="no"),
    ]
)


@pytest.fixture
async def shop(world: Any) -> Any:
    tenants = [
        msgspec.structs.replace(one, replies=SHOP) if one.id == "acme" else one
        for one in world.options.tenants
    ]
    await world.configure(tenants=tenants)
    return world


async def say(world: Any, make_inbound: Any, *texts: str, phone: str = PHONE) -> list[str]:
    """A phone says something; returns what it is answered."""
    before = len(world.bind.sent)
    for text in texts:
        await world.bind.receipts(make_inbound(text, phone))
        await world.calm()
    world.bind.reply()
    await world.calm()
    return list(world.bind.texts[before:])


async def told(world: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in await world.events() if event["type"] == kind]


async def test_a_rule_answers_from_the_number_that_was_texted(shop: Any, make_inbound: Any) -> None:
    assert await say(shop, make_inbound, "1") == ["9 to 21"]
    [pdu] = shop.bind.sent
    assert (pdu.source_addr, pdu.destination_addr) == ("10690001", PHONE)
    [event] = await told(shop, "inbound")
    assert event["detail"]["reply"] == "hours"
    rendered = shop.metrics.snapshot().render().decode()
    assert 'replies_total{kind="rule hours",result="sent",tenant="acme"} 1.0' in rendered


async def test_once_a_day_to_a_phone_by_rule(
    shop: Any, make_inbound: Any, autojump_clock: Any
) -> None:
    assert await say(shop, make_inbound, "1", "1", "3") == ["9 to 21", "Somebody answers soon"]
    assert await say(shop, make_inbound, "1", phone="447400123457") == ["9 to 21"]


async def test_it_spends_no_cap_and_keeps_no_hours(shop: Any, make_inbound: Any) -> None:
    await say(shop, make_inbound, "1")
    [event] = [one for one in await shop.events() if one["type"] != "inbound"] or [{}]
    assert event == {}
    facts = await shop.store.facts("acme", [PHONE], frozenset({"uses"}))
    assert facts.uses == {}


async def test_a_template_answers(shop: Any, make_inbound: Any) -> None:
    assert await say(shop, make_inbound, "2") == []  # there is none such: the log tells
    await shop.dispatch._templates.put("acme", "card", Definition(text="Your card"))  # noqa: SLF001
    assert await say(shop, make_inbound, "2") == ["Your card"]


async def test_a_person_takes_over_until_it_is_closed(shop: Any, make_inbound: Any) -> None:
    assert await say(shop, make_inbound, "3") == ["Somebody answers soon"]
    [event] = await told(shop, "handover")
    assert event["from"] == f"+{PHONE}" or event["from"] == PHONE
    assert event["detail"]["until"] == pytest.approx(shop.clock() + 7200)
    assert await say(shop, make_inbound, "1") == []
    assert "handover_until" in (await told(shop, "inbound"))[-1]["detail"]
    [state] = await shop.service.handover("acme", "check", [f"+{PHONE}"])
    assert state.open
    [other] = await shop.service.handover("umbrella", "close", [f"+{PHONE}"])
    assert (other.open, other.changed) == (False, False)
    closed, again, wrong = await shop.service.handover(
        "acme", "close", [f"+{PHONE}", f"+{PHONE}", "12"]
    )
    assert (closed.open, closed.changed) == (False, True)
    assert (again.open, again.changed) == (False, False)
    assert wrong.error.code == "invalid_recipient"
    assert await say(shop, make_inbound, "1") == ["9 to 21"]


async def test_it_is_over_with_its_time_and_outlives_a_restart(
    open_world: Any, make_inbound: Any, autojump_clock: Any
) -> None:
    tenants: Any = None
    async with open_world() as world:
        tenants = [
            msgspec.structs.replace(one, replies=SHOP) if one.id == "acme" else one
            for one in world.options.tenants
        ]
        await world.configure(tenants=tenants)
        await say(world, make_inbound, "3")
        store = world.store
    async with open_world(store, tenants=tenants) as world:
        assert await say(world, make_inbound, "1") == []
        await trio.sleep(7300)
        assert await say(world, make_inbound, "1") == ["9 to 21"]


async def test_keywords_come_first_always(shop: Any, make_inbound: Any) -> None:
    await shop.accepted("sale")
    shop.bind.reply()
    answered = await say(shop, make_inbound, "STOP")
    assert answered != ["no"]
    assert [event["detail"]["action"] for event in await told(shop, "optout")] == ["add"]
    # Who said stop is not answered by a rule, but told of and handed over.
    assert await say(shop, make_inbound, "1", "3") == []
    assert len(await told(shop, "handover")) == 1


async def test_who_opts_in_is_texted_again(shop: Any, make_inbound: Any) -> None:
    await say(shop, make_inbound, "STOP")
    await say(shop, make_inbound, "yes")
    actions = [event["detail"]["action"] for event in await told(shop, "optout")]
    assert actions == ["add", "remove"]
    assert len(await shop.accepted("sale")) == 1


async def test_a_tag_is_told(shop: Any, make_inbound: Any) -> None:
    assert await say(shop, make_inbound, "4") == []
    [event] = await told(shop, "inbound")
    assert (event["detail"]["tag"], event["detail"]["reply"]) == ("survey", "4")


async def test_what_a_text_most_likely_answers(world: Any, make_inbound: Any) -> None:
    await world.accepted({"campaign": "spring", "variant": "b"})
    [reminder] = await world.accepted({"text": "Tuesday at 10?"})
    await world.accepted({"category": "otp", "text": "code"})
    world.bind.reply()
    await say(world, make_inbound, "fine")
    [event] = await told(world, "inbound")
    assert event["detail"]["answers"] == reminder
    assert "campaign" not in event
    [sale] = await world.accepted({"campaign": "summer", "variant": "a"})
    world.bind.reply()
    await say(world, make_inbound, "fine")
    event = (await told(world, "inbound"))[-1]
    assert event["detail"]["answers"] == sale
    assert (event["campaign"], event["variant"]) == ("summer", "a")
    assert "message_id" not in event
    # Another tenant has texted since.
    await world.accepted("hello", tenant="umbrella")
    world.bind.reply()
    await say(world, make_inbound, "fine")
    assert "answers" not in (await told(world, "inbound"))[-1]["detail"]
