"""What is made of a text, in its order: what is sent, measured and quoted."""

# ruff: noqa: RUF001  signs of typography are meant

from typing import Any

from gateway.api.schema import SubmitMessage
from gateway.policy import chain
from gateway.policy.content.options import ContentOptions, OptoutLine, SignatureOptions

BRITISH = ContentOptions(
    optout_line=(OptoutLine(region="GB", category="transactional", text="Stop? Reply “STOP”"),)
)


async def restrict(world: Any, **fields: Any) -> None:
    """Have acme's texts be made so, with an opt-out line for Britain."""
    own = chain.TenantOptions(senders=("10690001",), quiet_hours=False, **fields)
    policy = chain.PolicyOptions(content=BRITISH)
    await world.configure(policy=policy, policies={**world.options.policies, "acme": own})


async def quote(world: Any, text: str, **fields: Any) -> Any:
    message = SubmitMessage(text=text, **{"to": "447400123456", **fields})
    [found] = await world.service.quote("acme", [message])
    return found


async def test_a_bare_message_is_sent_as_it_is(world: Any) -> None:
    quoted = await quote(world, "“Sale” – today")
    assert (quoted.text, quoted.encoding) == (None, "ucs2")


async def test_the_last_step_sees_what_those_before_it_made(world: Any) -> None:
    await restrict(world, smart_encoding=True, signatures=(SignatureOptions(text="Shop"),))
    quoted = await quote(world, "“Sale”")
    assert quoted.text == "【Shop】“Sale” Stop? Reply “STOP”"
    assert quoted.encoding == "ucs2", "the brackets have no plain form, so nothing is replaced"
    await restrict(world, smart_encoding=True)
    quoted = await quote(world, "“Sale”")
    assert (quoted.text, quoted.encoding) == ('"Sale" Stop? Reply "STOP"', "gsm7")


async def test_parts_are_those_of_the_finished_text(world: Any) -> None:
    await restrict(world)
    assert (await quote(world, "你" * 60, to="33612345678")).parts == 1
    assert (await quote(world, "你" * 60)).parts == 2


async def test_smart_encoding_keeps_both_texts(world: Any) -> None:
    await restrict(world, smart_encoding=True, content=False)
    world.bind.draining = True  # nothing is sent, so that it can be looked at
    [result] = await world.submit("“Sale” – today")
    [status] = await world.service.status("acme", [result.message_id], ())
    assert (status.text, status.before) == ('"Sale" - today', "“Sale” – today")
    assert result.encoding == "gsm7"
    world.bind.draining = False


async def test_a_message_that_states_its_encoding_has_it(world: Any) -> None:
    await restrict(world, smart_encoding=True, content=False)
    quoted = await quote(world, "“Sale”", encoding="ucs2")
    assert (quoted.text, quoted.encoding) == (None, "ucs2")


async def test_a_key_stands_for_what_was_submitted(world: Any) -> None:
    [first] = await world.submit({"text": "“Sale”", "key": "a"})
    await restrict(world, smart_encoding=True)
    [again] = await world.submit({"text": "“Sale”", "key": "a"})
    assert again.duplicate
    assert again.message_id == first.message_id
