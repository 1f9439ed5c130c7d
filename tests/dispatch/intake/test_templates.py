"""Templates from the request to the PDU: filled, matched, kept, known to carriers by their ids."""

from typing import Any

import pytest
import trio

from gateway.api.schema import SubmitMessage, Template, TemplateVar
from gateway.dispatch.intake import contents
from gateway.dispatch.intake.templates import Templates
from gateway.errors import RequestError
from gateway.policy import chain
from gateway.policy.templates import Definition


async def put(world: Any, name: str, text: str, tenant: str = "acme", **fields: Any) -> Any:
    request = Template(1, "put", name, text, **fields)
    [state] = await world.service.template(tenant, request)
    return state


async def hold(world: Any) -> None:
    """Have acme send nothing but approved templates."""
    own = chain.TenantOptions(senders=("10690001",), quiet_hours=False, templates="approved")
    await world.configure(policies={**world.options.policies, "acme": own})


def filled(**values: Any) -> dict[str, Any]:
    return {"text": "", "template": "code", "vars": values}


async def test_a_message_is_made_with_a_template(world: Any) -> None:
    await put(world, "code", "Your code is ${code}", vars={"code": TemplateVar("digits", 6)})
    first, missing, unknown, plain = await world.submit(
        filled(code="481516"), filled(), {"text": "", "template": "cod"}, "Hello"
    )
    assert world.bind.texts == ["Your code is 481516", "Hello"]
    assert missing.error.message == "vars.code: missing, and the template has no default for it"
    assert unknown.error.message == "template: there is no 'cod'; put it first, or name another"
    assert {missing.error.code, unknown.error.code} == {"invalid_value"}
    assert first.message_id < plain.message_id


async def test_without_any_template_one_that_is_named_is_told(world: Any) -> None:
    [refused] = await world.submit(filled())
    assert refused.error.message == "template: there is no 'code'; put it first, or name another"


async def test_a_template_decides_the_category(world: Any) -> None:
    await put(world, "code", "Code ${code}", category="otp")
    await world.accepted({**filled(code="1")})
    assert [message.message.category for message in world.bind.carried] == ["otp"]
    [refused] = await world.submit({**filled(code="1"), "category": "marketing"})
    assert refused.error.message == "category: 'marketing' is not the template's, otp"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"text": "Hi", "template": "code"}, "template: is there beside a text"),
        ({"text": "Hi", "vars": {"code": 1}}, "vars: are there and no template is"),
    ],
)
async def test_a_text_and_a_template_do_not_go_together(
    world: Any, fields: dict[str, Any], why: str
) -> None:
    await put(world, "code", "Code ${code}")
    [refused] = await world.submit(fields)
    assert refused.error.message.startswith(why)


async def test_versions_are_kept_and_what_did_not_change_is_no_new_one(world: Any) -> None:
    assert (await put(world, "code", "Code ${code}")).version == 1
    assert (await put(world, "code", "Code ${code}")).version == 1
    assert (await put(world, "code", "Your code: ${code}")).version == 2
    [first] = await world.service.template("acme", Template(1, "get", "code", version=1))
    assert first.text == "Code ${code}"
    assert not await world.service.template("umbrella", Template(1, "list"))
    assert len(await world.service.template("acme", Template(1, "delete", "code"))) == 1
    assert not await world.service.template("acme", Template(1, "list"))
    [refused] = await world.submit(filled(code=1))
    assert refused.error.code == "invalid_value"


async def test_a_template_that_is_none_is_refused_whole(world: Any) -> None:
    with pytest.raises(RequestError, match="text: '\\$\\{' at position 5 is not closed"):
        await put(world, "code", "Code ${code")
    with pytest.raises(RequestError, match="name: 'a b' is no name"):
        await put(world, "a b", "Code")


def test_what_was_submitted_is_what_a_key_stands_for() -> None:
    def digest(**fields: Any) -> int:
        return contents.digest(SubmitMessage(to="447400123456", text="", **fields), "447400123456")

    one = digest(template="code", vars={"a": 1, "b": 2})
    assert one == digest(template="code", vars={"b": 2, "a": 1})
    assert one != digest(template="code", vars={"a": 1, "b": 3})
    assert one != digest(template="other", vars={"a": 1, "b": 2})


async def test_a_carrier_is_told_the_id_by_which_it_knows_the_template(
    world: Any, make_settings: Any
) -> None:
    await world.configure(carriers=[make_settings(template_tlv=0x1401)])
    await put(world, "code", "Code ${code}", approved={"alpha": "1107161", "beta": "77"})
    await world.accepted(filled(code="1"), "plain")
    assert [pdu.tlvs for pdu in world.bind.sent] == [((0x1401, b"1107161\0"),), ()]


async def test_a_tenant_that_is_held_to_templates_sends_no_other_text(world: Any) -> None:
    await hold(world)
    await put(world, "code", "Code ${code}", approved={"alpha": "7"})
    await put(world, "hello", "Hello ${name}")
    by_name, by_text, other, unapproved = await world.submit(
        filled(code="1"), "Code 2", "Codes 2", "Hello Ann"
    )
    assert world.bind.texts == ["Code 1", "Code 2"]
    assert by_name.message_id < by_text.message_id
    assert [one.error.code for one in (other, unapproved)] == ["content_refused"] * 2
    assert other.error.rule == "template"
    assert "of no template" in other.error.message
    assert unapproved.error.message == (
        "template: the text is 'hello', not approved by the carriers alpha"
    )


async def test_what_another_node_changes_is_used_within_a_second(
    world: Any, autojump_clock: Any
) -> None:
    await put(world, "code", "Code ${code}")
    elsewhere = Templates(world.store, world.clock, lambda _: None)
    await elsewhere.look()
    changed = await elsewhere.put("acme", "code", Definition("Your code: ${code}"))
    assert changed.version == 2
    await elsewhere.put("acme", "other", Definition("Other ${code}"))
    await trio.sleep(1.5)
    await world.submit(filled(code=1), {**filled(code=2), "template": "other"})
    assert world.bind.texts == ["Your code: 1", "Other 2"]
    await elsewhere.delete("acme", "code")
    # Whoever asks for them is told at once.
    assert [one.name for one in await world.service.template("acme", Template(1, "list"))] == [
        "other"
    ]
    [refused] = await world.submit(filled(code=1))
    assert refused.error.code == "invalid_value"
    assert (await put(world, "code", "Again ${code}")).version == 4


async def test_nothing_is_read_while_nothing_changes(world: Any, autojump_clock: Any) -> None:
    await put(world, "code", "Code ${code}")
    await trio.sleep(5)
    before = world.store.calls["templates"]
    await put(world, "code", "Code: ${code}")
    await trio.sleep(60)
    assert world.store.calls["templates"] == before
