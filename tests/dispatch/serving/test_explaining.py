"""What `explain` tells of messages: each decision, by whom, when, and what clocks showed there."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from gateway.api.schema import Explained
from gateway.dispatch.release.routing import CarrierShare, RouteOptions
from gateway.dispatch.serving import steps
from gateway.message import Event, Handed, Message, Step, Submission
from gateway.policy import chain
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.queue.sqlite.bulk import encode_life
from gateway.queue.store import Final
from tests.dispatch.conftest import carrier_settings, receipt

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
            ("released", None, None, None),
            ("submitted", None, "alpha", None),
            ("sent", None, "alpha", None),
            ("delivered", None, "alpha", None),
        ]
        assert [one.at for one in one.steps] == sorted(step.at for step in one.steps)
        assert one.text[1].endswith("UTC: was released")
        assert one.text[2].endswith(
            "UTC: was handed to a carrier (alpha) by its bind alpha-1 in 1 part"
        )
        assert one.text[3].endswith("UTC: was taken by the carrier (alpha) as alpha-1-1x")
        assert (one.steps[2].bind, one.steps[2].parts, one.steps[3].ids) == (
            "alpha-1",
            1,
            ["alpha-1-1x"],
        )


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
    assert [step.what for step in one.steps] == [
        *("accepted", "deferred", "released", "submitted", "sent", "delivered")
    ]


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


async def test_each_submission_and_answer_is_told(world: Any, autojump_clock: MockClock) -> None:
    """The first carrier does not take its sender, and another one does."""
    await world.configure(
        carriers=[carrier_settings(), carrier_settings("beta")],
        routes=[RouteOptions("all", [CarrierShare("alpha")], backup=["beta"])],
    )
    [number] = await world.accepted("hi")
    world.bind.reply(status=0x0A)
    await trio.sleep(60)
    await world.deliver()
    [one] = await explain(world, number)
    assert [(step.what, step.carrier, step.bind) for step in one.steps] == [
        ("accepted", None, None),
        ("released", None, None),
        ("submitted", "alpha", "alpha-1"),
        ("not_taken", "alpha", None),
        ("released", None, None),
        ("submitted", "beta", "beta-1"),
        ("sent", "beta", None),
        ("delivered", "beta", None),
    ]
    assert one.steps[6].ids == ["beta-1-1x"]
    assert [step.at for step in one.steps] == sorted(step.at for step in one.steps)


async def test_each_receipt_of_a_long_message_is_told(world: Any) -> None:
    [number] = await world.accepted("long " * 60)
    (_, first), (_, second) = world.bind.reply()
    await world.bind.receipts(receipt(second), receipt(first))
    await world.calm()
    [one] = await explain(world, number)
    assert (one.state, one.steps[2].parts, one.steps[3].ids) == ("delivered", 2, [first, second])
    told = [(step.part, step.why) for step in one.steps if step.what == "receipt"]
    assert told == [(2, "DELIVRD"), (1, "DELIVRD")]
    assert one.text[4].endswith("UTC: the carrier's receipt came for part 2: DELIVRD")


async def test_what_a_carrier_has_is_told(world: Any) -> None:
    [number] = await world.accepted("hi")
    world.bind.reply()
    await world.calm()
    [one] = await explain(world, number)
    assert [step.what for step in one.steps] == ["accepted", "released", "submitted", "sent"]


@pytest.mark.parametrize(
    "answered", [pytest.param(True, id="receipt"), pytest.param(False, id="none")]
)
async def test_what_is_found_in_the_store_is_told_as_well(
    world: Any, autojump_clock: MockClock, answered: bool
) -> None:
    """Its receipt comes when memory has it no more, or never comes."""
    await world.configure(carriers=[carrier_settings(receipt_wait=60.0)])
    [number] = await world.accepted({"text": "hi", "expires_at": world.clock() + 60})
    [(_, ref)] = world.bind.reply()
    await world.calm()
    world.forget_parts()
    if answered:
        await world.bind.receipts(receipt(ref))
        await world.calm()
    else:
        await trio.sleep(300)
    [one] = await explain(world, number)
    assert one.state == ("delivered" if answered else "unknown")
    assert [step.what for step in one.steps[:4]] == ["accepted", "released", "submitted", "sent"]
    assert (one.steps[2].carrier, one.steps[2].bind) == ("alpha", "alpha-1")
    assert one.steps[3].ids == ([ref] if answered else None)


async def test_the_configuration_that_released_it_is_told(
    world: Any, autojump_clock: MockClock
) -> None:
    await world.configure(digest="before")
    ids = await world.accepted(*[{"send_at": world.clock() + 60}] * 2, "now")
    await world.deliver()
    await world.configure(digest="after")
    await trio.sleep(100)
    await world.deliver()
    planned, _, at_once = await explain(world, *ids)
    assert (planned.config, at_once.config) == ("before", "before")
    assert [step.config for step in planned.steps if step.what == "released"] == ["after"]
    assert [step.config for step in at_once.steps if step.what == "released"] == [None]
    assert "was released, by the configuration after" in planned.text[1]


async def test_the_configuration_that_blocked_it_is_told(
    world: Any, autojump_clock: MockClock
) -> None:
    await world.configure(digest="before")
    [number] = await world.accepted({"send_at": world.clock() + 60})
    await world.service.optout("acme", "add", [f"+{PHONE}"], "api")
    await world.configure(digest="after")
    await trio.sleep(100)
    [one] = await explain(world, number)
    assert [(step.what, step.rule, step.config) for step in one.steps] == [
        ("accepted", None, None),
        ("judged", "optout", "after"),
        ("blocked", "optout", None),
    ]


async def test_the_clock_that_its_sender_named_is_told_after_its_outcome_too(
    world: Any, autojump_clock: MockClock
) -> None:
    hours = QuietHoursOptions(open="16:00-17:00", categories=frozenset({"transactional"}))
    policies = {**world.options.policies}
    policies["acme"] = msgspec.structs.replace(policies["acme"], quiet_hours=True)
    await world.configure(policy=chain.PolicyOptions(quiet_hours=hours), policies=policies)
    [number] = await world.accepted({"text": "hi", "time_zone": "Asia/Tokyo"})
    await trio.sleep(1)
    await world.service.cancel("acme", [number], (), None)
    [one] = await explain(world, number)
    assert one.state == "cancelled"
    assert one.steps[1].local == {"Asia/Tokyo": "2026-09-21 23:13:20"}


def test_what_it_takes_on_disk() -> None:
    """A message that goes at once, by its one receipt, as most do: some 90 bytes, with its row."""
    message = Message(
        *(1, "acme", PHONE, "10690001", "hi", "otp", "r", "gsm7", 1, 1.8e9, 1.8e9, 1.9e9),
        config="5f1d2c83a0b9",
    )
    sent = Submission(Handed(1.8e9, "carrier", "carrier-1"), 1.8e9, ["0123456789abcdef"])
    final = Final(message, Event("delivered", 1.8e9), (), sent)
    assert len(encode_life(final.life)) <= 90
    step = Step(1.8e9, "deferred", "quiet_hours", 1.8e9, "closed until 2026-11-12 08:00")
    message = msgspec.structs.replace(message, steps=(step,))
    assert len(encode_life(Final(message, final.event, (), sent).life)) <= 170
