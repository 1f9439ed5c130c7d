"""Consents on a message's way, and what phones and programs say of them."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from gateway.api.schema import ConsentResult, ConsentRow, Rejected
from gateway.errors import RequestError
from gateway.policy import chain
from gateway.policy.consent import ConsentOptions
from gateway.policy.content.options import SignatureOptions
from gateway.policy.optout import OptoutOptions, OptoutRegion

PHONE, OTHER = "447400123456", "447400123457"
REQUIRED = chain.PolicyOptions(
    consent=ConsentOptions(
        require=("GB",), categories=frozenset({"transactional"}), answer_hours=0.2
    )
)
ROW = ConsentRow(f"+{PHONE}", "transactional")


def codes(results: Any) -> list[str | None]:
    return [one.error.code if isinstance(one, Rejected) else None for one in results]


async def consent(world: Any, action: str, *rows: ConsentRow) -> list[ConsentResult | Rejected]:
    return list(await world.service.consent("acme", action, rows or [ROW]))


async def holds(world: Any, row: ConsentRow = ROW) -> bool:
    [result] = await consent(world, "check", row)
    assert isinstance(result, ConsentResult)
    return result.consented


async def test_who_gave_none_is_not_texted(world: Any) -> None:
    await world.configure(policy=REQUIRED)
    assert codes(await world.submit("one")) == ["no_consent"]
    [given] = await consent(
        world, "add", ConsentRow(f"+{PHONE}", "transactional", None, "form", "Yes", "clerk 7")
    )
    assert isinstance(given, ConsentResult)
    assert (given.number, given.consented, given.changed) == (PHONE, True, True)
    assert (given.source, given.wording, given.by) == ("form", "Yes", "clerk 7")
    assert codes(await world.submit("one", {"to": f"+{OTHER}"})) == [None, "no_consent"]
    # Another tenant was given none.
    assert codes(await world.submit("one", tenant="umbrella")) == ["no_consent"]
    await world.deliver()
    await world.check_finished()


async def test_a_withdrawal_stops_what_waits(world: Any, autojump_clock: MockClock) -> None:
    await world.configure(policy=REQUIRED)
    await consent(world, "add")
    [planned] = await world.submit({"send_at": world.clock() + 60})
    [result] = await consent(world, "withdraw")
    assert isinstance(result, ConsentResult)
    assert (result.consented, result.changed) == (False, True)
    await trio.sleep(100)
    [event] = await world.events()
    assert (event["type"], event["code"], event["message_id"]) == (
        "blocked", "no_consent", planned.message_id,
    )  # fmt: skip
    assert world.bind.sent == []


async def test_an_old_list_takes_no_withdrawal_back(world: Any) -> None:
    await world.configure(policy=REQUIRED)
    await consent(world, "add")
    await consent(world, "withdraw")
    [result] = await consent(world, "add", msgspec.structs.replace(ROW, at=1.6e9, source="import"))
    assert isinstance(result, ConsentResult)
    assert (result.consented, result.changed) == (False, True)
    [history] = await consent(world, "history")
    assert isinstance(history, ConsentResult)
    assert [one.state for one in history.records] == ["given", "withdrawn", "given"]


async def test_values_that_are_wrong_are_refused_alone(world: Any) -> None:
    rows = [
        ConsentRow("12", "transactional"),
        msgspec.structs.replace(ROW, at=world.clock() + 1_000),
        msgspec.structs.replace(ROW, at=float("nan")),
        msgspec.structs.replace(ROW, purpose="p" * 65),
        msgspec.structs.replace(ROW, source=""),
        msgspec.structs.replace(ROW, wording="w" * 1001),
        ROW,
    ]
    assert codes(await consent(world, "add", *rows)) == [
        "invalid_recipient", *["invalid_value"] * 5, None,
    ]  # fmt: skip


async def test_a_tenant_may_be_left_out(world: Any) -> None:
    policies = {**world.options.policies}
    policies["acme"] = msgspec.structs.replace(policies["acme"], consent=False)
    await world.configure(policy=REQUIRED, policies=policies)
    assert codes(await world.submit("one")) == [None]


# --- by keyword ---


async def test_a_start_gives_it_and_a_stop_withdraws_it(world: Any, make_inbound: Any) -> None:
    tenants = [
        msgspec.structs.replace(one, welcome="welcome back") for one in world.options.tenants
    ]
    await world.configure(policy=REQUIRED, tenants=tenants)
    await world.bind.receipts(make_inbound("JOIN"))  # no keyword
    assert not await holds(world)
    await world.bind.receipts(make_inbound("START"))
    await world.calm()
    assert await holds(world)
    assert world.bind.texts == ["welcome back"]
    await world.bind.receipts(make_inbound("STOP"))
    await world.calm()
    assert not await holds(world)
    # Who takes the opt-out back by hand does not get the consent back with it.
    await world.service.optout("acme", "remove", [f"+{PHONE}"], "api")
    assert codes(await world.submit("one")) == ["no_consent"]
    [history] = await consent(world, "history")
    assert isinstance(history, ConsentResult)
    assert [(one.state, one.source, one.wording) for one in history.records] == [
        ("given", "keyword", "START"),
        ("withdrawn", "keyword", "STOP"),
    ]


async def test_where_none_is_required_keywords_record_none(world: Any, make_inbound: Any) -> None:
    await world.bind.receipts(make_inbound("START"))
    await world.bind.receipts(make_inbound("STOP"))
    await world.calm()
    assert await world.service.consents("acme", "") == []


# --- double opt-in ---


@pytest.fixture
async def asking(world: Any) -> Any:
    """A world whose tenants have a question."""
    tenants = [
        msgspec.structs.replace(one, question="{name}: reply YES to get our offers")
        for one in world.options.tenants
    ]
    await world.configure(policy=REQUIRED, tenants=tenants)
    return world


async def ask(world: Any) -> None:
    await consent(world, "add", msgspec.structs.replace(ROW, purpose="transactional"))
    [result] = await consent(world, "ask", ConsentRow(f"+{PHONE}", "marketing"))
    assert isinstance(result, ConsentResult)
    assert not result.consented
    await world.deliver()


async def test_a_phone_that_confirms_in_time_has_consented(asking: Any, make_inbound: Any) -> None:
    await ask(asking)
    assert asking.bind.texts == ["acme: reply YES to get our offers"]
    await asking.bind.receipts(make_inbound("Yes!"))
    await asking.calm()
    [history] = await consent(asking, "history", ConsentRow(f"+{PHONE}", "marketing"))
    assert isinstance(history, ConsentResult)
    assert history.consented
    assert [(one.state, one.source, one.wording) for one in history.records] == [
        ("asked", "api", "acme: reply YES to get our offers"),
        ("given", "confirmed", "Yes!"),
    ]


async def test_one_that_answers_too_late_has_not(
    asking: Any, make_inbound: Any, autojump_clock: MockClock
) -> None:
    await ask(asking)
    await trio.sleep(800)
    await asking.bind.receipts(make_inbound("YES"))
    await asking.calm()
    assert not await holds(asking, ConsentRow(f"+{PHONE}", "marketing"))


async def test_one_that_answers_too_late_is_asked_again(
    asking: Any, make_inbound: Any, autojump_clock: MockClock
) -> None:
    """Consent is required for what it was asked for, and its late YES is none."""
    await consent(asking, "ask")
    await asking.deliver()
    await trio.sleep(800)
    await asking.bind.receipts(make_inbound("YES"))
    await asking.calm()
    assert not await holds(asking)
    assert asking.bind.texts == ["acme: reply YES to get our offers"] * 2
    assert codes(await asking.submit("one")) == ["no_consent"]
    await asking.bind.receipts(make_inbound("yes"))
    await asking.calm()
    [history] = await consent(asking, "history")
    assert isinstance(history, ConsentResult)
    assert [(one.state, one.source) for one in history.records] == [
        ("asked", "api"), ("asked", "keyword"), ("given", "confirmed"),
    ]  # fmt: skip
    assert codes(await asking.submit("one")) == [None]


async def test_who_may_be_sent_promotions_alone_asks_all_the_same(
    asking: Any, make_inbound: Any
) -> None:
    tenants = [
        msgspec.structs.replace(one, categories=("marketing",)) for one in asking.options.tenants
    ]
    await asking.configure(policy=asking.options.policy, tenants=tenants)
    assert codes(await consent(asking, "ask")) == [None]
    await asking.deliver()
    [event] = await asking.events()
    assert (event["type"], event["detail"]["reply"]) == ("delivered", "question")
    await asking.bind.receipts(make_inbound("YES"))
    await asking.calm()
    assert await holds(asking)


async def test_who_opted_out_is_not_asked(asking: Any) -> None:
    await asking.service.optout("acme", "add", [f"+{PHONE}"], "api")
    assert codes(await consent(asking, "ask", ConsentRow(f"+{PHONE}", "marketing"))) == [
        "opted_out"
    ]
    assert await asking.service.consents("acme", "") == []


async def test_without_a_question_nobody_is_asked(world: Any) -> None:
    with pytest.raises(RequestError, match="has no question to ask"):
        await consent(world, "ask")


# --- a part of the texts ---


async def test_a_chinese_r_stops_one_signature(world: Any, make_inbound: Any) -> None:
    regions = {"CN": OptoutRegion(scope="signature")}
    policies = {**world.options.policies}
    shop = SignatureOptions(text="海岸百货", on_missing="refuse")
    policies["acme"] = msgspec.structs.replace(policies["acme"], signatures=(shop,))
    await world.configure(
        policy=chain.PolicyOptions(optout=OptoutOptions(regions=regions)), policies=policies
    )
    chinese = "8613912345678"
    await world.bind.receipts(make_inbound("R", phone=chinese))
    await world.calm()
    [_, told] = await world.events()
    assert (told["type"], told["detail"]["only"]) == ("optout", "signature:海岸百货")
    text = {"to": f"+{chinese}", "text": "【海岸百货】双十一"}
    assert codes(await world.submit(text)) == ["opted_out"]
    [checked] = await world.service.optout("acme", "check", [f"+{chinese}"], "api")
    assert (checked.opted_out, [*checked.only]) == (False, ["signature:海岸百货"])
    assert codes(await world.submit({**text, "to": "+8613912345679"})) == [None]
    # Said again it is nothing new; what is taken back is sent again.
    await world.bind.receipts(make_inbound("R", phone=chinese))
    await world.bind.receipts(make_inbound("START", phone=chinese))
    await world.calm()
    said = [event["detail"].get("action") for event in (await world.events())[2:]]
    assert said == [None, None, "remove"]
    assert codes(await world.submit(text)) == [None]
    [checked] = await world.service.optout("acme", "check", [f"+{chinese}"], "api")
    assert not checked.only


async def test_a_stop_elsewhere_stops_all(world: Any, make_inbound: Any) -> None:
    regions = {"CN": OptoutRegion(scope="signature")}
    policy = chain.PolicyOptions(optout=OptoutOptions(regions=regions))
    await world.configure(policy=policy)
    await world.bind.receipts(make_inbound("STOP"))
    await world.bind.receipts(make_inbound("R", phone="8613912345678"))  # of no signature
    await world.calm()
    assert codes(await world.submit("hi", {"to": "+8613912345678"})) == ["opted_out"] * 2


async def test_a_sender_is_stopped_alone(world: Any, make_inbound: Any) -> None:
    policies = {**world.options.policies}
    senders = ("10690001", "10690009")
    policies["acme"] = msgspec.structs.replace(policies["acme"], senders=senders)
    policy = chain.PolicyOptions(optout=OptoutOptions(scope="sender"))
    await world.configure(policy=policy, policies=policies)
    await world.bind.receipts(make_inbound("STOP"))
    await world.calm()
    assert codes(await world.submit("hi", {"sender": "10690009"})) == ["opted_out", None]


async def test_a_signature_is_stopped_with_its_brackets(world: Any) -> None:
    policies = {**world.options.policies}
    shop = SignatureOptions(text="海岸百货")
    policies["acme"] = msgspec.structs.replace(policies["acme"], signatures=(shop,))
    await world.configure(policies=policies)
    await consent(world, "withdraw", ConsentRow(f"+{PHONE}", "signature:【海岸百货】"))
    texts = ["双十一", "【海岸百货】双十一", " 【 海岸百货】双十一"]
    assert codes(await world.submit(*texts)) == ["opted_out"] * 3


async def test_a_withdrawn_category_is_stopped_where_no_consent_is_required(world: Any) -> None:
    await consent(world, "withdraw", ConsentRow(f"+{PHONE}", "transactional"))
    assert codes(await world.submit("hi", {"category": "otp"})) == ["no_consent", None]
