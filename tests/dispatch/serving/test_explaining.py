"""What `explain` tells of messages: each decision, by whom, when, and what clocks showed there."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from gateway.api.schema import Explained
from gateway.dispatch.serving import steps
from gateway.message import Life, Message, Step
from gateway.policy import chain
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.queue.sqlite.bulk import encode_life

PHONE = "447400123456"


async def explain(world: Any, *ids: str, keys: tuple[str, ...] = ()) -> list[Any]:
    return list(await world.service.explain("acme", ids, keys))


def told(one: Explained) -> list[tuple[Any, ...]]:
    return [(step.what, step.rule, step.carrier, step.code) for step in one.steps]


async def test_a_message_that_goes_at_once(world: Any) -> None:
    await world.configure(digest="5f1d2c83a0b9")
    [number] = await world.accepted({"text": "hi", "key": "k"})
    [live] = await explain(world, number)
    assert (live.message_id, live.key, live.to, live.state) == (number, "k", PHONE, "queued")
    assert told(live) == [("accepted", None, None, None)]
    await world.deliver()
    for [one] in (await explain(world, number), await explain(world, keys=("k",))):
        assert (one.state, one.config) == ("delivered", "5f1d2c83a0b9")
        assert told(one) == [
            ("accepted", None, None, None),
            ("sent", None, "alpha", None),
            ("delivered", None, "alpha", None),
        ]
        assert [one.at for one in one.steps] == sorted(step.at for step in one.steps)
        assert one.text[1].endswith("UTC: was taken by the carrier (alpha)")


async def test_nobody_elses_and_unknown_ones_are_not_told(world: Any) -> None:
    [number] = await world.accepted("hi", tenant="umbrella")
    assert await explain(world, number, "1f", "??", keys=("k",)) == [None] * 4


async def test_each_time_that_a_rule_put_it_off_is_told(
    world: Any, autojump_clock: MockClock
) -> None:
    """At 14:13 UTC, 15:13 in London; open from 16 to 17."""
    hours = QuietHoursOptions(open="16:00-17:00", categories=frozenset({"transactional"}))
    policies = {**world.options.policies}
    policies["acme"] = msgspec.structs.replace(policies["acme"], quiet_hours=True)
    await world.configure(policy=chain.PolicyOptions(quiet_hours=hours), policies=policies)
    [number] = await world.accepted("hi")
    [one] = await explain(world, number)
    assert one.state == "deferred"
    [_, step, waits] = one.steps
    assert (step.what, step.rule) == ("deferred", "quiet_hours")
    assert step.local == {"Europe/London": "2026-09-21 15:13:20"}
    assert waits.until == step.until
    assert one.text[1].startswith(
        "2026-09-21 14:13:20 UTC: was put off by the rule quiet_hours until 2026-09-21 15:00:00"
        " UTC, when it was 2026-09-21 15:13:20 in Europe/London: quiet hours in GB"
    )
    await trio.sleep(3_000)
    await world.deliver()
    [one] = await explain(world, number)
    assert [step.what for step in one.steps] == ["accepted", "deferred", "sent", "delivered"]


async def test_what_carriers_answer_is_told(world: Any, autojump_clock: MockClock) -> None:
    [number] = await world.accepted("hi")
    world.bind.reply(status=0x58)
    await trio.sleep(60)
    world.bind.reply(status=0x0B)
    await world.calm()
    [one] = await explain(world, number)
    assert one.state == "failed"
    assert ("not_taken", None, "alpha", None) in told(one)
    assert told(one)[-1] == ("failed", None, "alpha", "carrier_refused")
    assert any("ESME_RTHROTTLED" in line for line in one.text)
    assert "ESME_RINVDSTADR" in one.text[-1]


async def test_what_is_blocked_is_told_with_its_rule(world: Any, autojump_clock: MockClock) -> None:
    [planned] = await world.submit({"send_at": world.clock() + 60})
    await world.service.optout("acme", "add", [f"+{PHONE}"], "api")
    await trio.sleep(100)
    [one] = await explain(world, planned.message_id)
    assert told(one)[-1] == ("blocked", "optout", None, "opted_out")


async def test_refusals_are_told_by_key(world: Any) -> None:
    await world.configure(digest="aa")
    await world.submit({"key": "k", "text": ""})
    [one] = await explain(world, keys=("k",))
    assert (one.message_id, one.key, one.to, one.state) == (None, "k", PHONE, "refused")
    assert one.config == "aa"
    assert told(one) == [("turned_away", None, None, "empty_text")]
    [number] = await world.accepted({"key": "k", "text": "hi"})
    [one] = await explain(world, keys=("k",))
    assert one.message_id == number
    assert [step.what for step in one.steps] == ["turned_away", "accepted"]


async def test_a_store_that_cannot_keep_a_refusal_refuses_all_the_same(world: Any) -> None:
    world.store.failing = {"refuse"}
    [refused, good] = await world.submit({"text": ""}, "hi")
    assert (refused.error.code, good.parts) == ("empty_text", 1)


def test_a_message_keeps_its_first_step_and_the_latest() -> None:
    message = Message(1, "a", PHONE, "1", "hi", "otp", "r", "gsm7", 1, 0.0, 0.0, 9.0)
    for number in range(100):
        message = steps.put_off(message, "quiet_hours", number + 1.0, float(number))
    assert [step.at for step in message.steps] == [0.0, *range(100 - steps.MOST + 1, 100)]
    assert message.due == 100.0


@pytest.mark.parametrize(
    ("life", "most"),
    [
        pytest.param(Life(1.8e9, "5f1d2c83a0b9"), 30, id="goes at once"),
        pytest.param(
            Life(
                1.8e9,
                "5f1d2c83a0b9",
                (Step(1.8e9, "deferred", "quiet_hours", 1.8e9, "closed until 2026-11-12 08:00"),),
            ),
            120,
            id="put off once",
        ),
    ],
)
def test_what_it_takes_on_disk(life: Life, most: int) -> None:
    assert len(encode_life(life)) <= most
