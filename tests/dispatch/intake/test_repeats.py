"""The same text to the same phone twice in a campaign."""

from typing import Any

import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.policy import chain
from gateway.policy.repeats import RepeatOptions

CHINA = "8613812345678"


async def look_for_repeats(world: Any, **options: Any) -> None:
    await world.configure(
        policy=chain.PolicyOptions(repeats=RepeatOptions(**{"per": "30d", **options}))
    )


def codes(results: list[Any]) -> list[str]:
    return [one.error.code if hasattr(one, "error") else "accepted" for one in results]


SPRING = {"to": CHINA, "campaign": "spring", "text": "Sale"}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({}, "duplicate_recipient"),
        ({"to": "+86 138 1234 5678"}, "duplicate_recipient"),
        ({"variant": "b"}, "duplicate_recipient"),
        ({"send_at": 1_790_100_000.0}, "duplicate_recipient"),
        ({"allow_repeat": True}, "accepted"),
        ({"allow_repeat": False}, "duplicate_recipient"),
        ({"text": "Sale!"}, "accepted"),
        ({"campaign": "summer"}, "accepted"),
        ({"campaign": None}, "accepted"),
        ({"to": "8613812345679"}, "accepted"),
        ({"category": "otp"}, "accepted"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_what_a_repeat_is(
    world: Any, second: dict[str, Any], expected: str, together: bool
) -> None:
    await look_for_repeats(world)
    again = {**SPRING, **second}
    if together:
        results = await world.submit(SPRING, again)
    else:
        results = [*await world.submit(SPRING), *await world.submit(again)]
    assert codes(results) == ["accepted", expected]
    [quoted] = await world.service.quote("acme", [SubmitMessage(**again)])
    if expected == "duplicate_recipient":
        assert quoted.error.rule == "repeats"
        assert quoted.error.code == expected


async def test_a_repeat_that_is_meant_is_a_first_one_for_others(world: Any) -> None:
    await look_for_repeats(world)
    results = await world.submit({**SPRING, "allow_repeat": True}, SPRING)
    assert codes(results) == ["accepted", "duplicate_recipient"]


async def test_the_same_key_is_no_repeat(world: Any) -> None:
    await look_for_repeats(world)
    one = {**SPRING, "key": "k"}
    [first] = await world.submit(one)
    [again] = await world.submit(one)
    assert again.duplicate
    assert again.message_id == first.message_id


async def test_what_was_cancelled_was_no_first_one(world: Any) -> None:
    await look_for_repeats(world)
    [first] = await world.submit({**SPRING, "send_at": world.clock() + 3600})
    await world.service.cancel("acme", [first.message_id], [], None)
    await world.calm()
    assert codes(await world.submit(SPRING)) == ["accepted"]


async def test_other_tenants_say_the_same(world: Any) -> None:
    await look_for_repeats(world)
    assert codes(await world.submit(SPRING)) == ["accepted"]
    assert codes(await world.submit(SPRING, tenant="umbrella")) == ["accepted"]


async def test_many_at_once_never_both_pass(world: Any) -> None:
    await look_for_repeats(world)
    results: list[Any] = []

    async def submit() -> None:
        results.extend(await world.submit(SPRING))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(submit)
    assert sorted(codes(results)) == ["accepted"] + ["duplicate_recipient"] * 4


async def test_it_is_off_unless_asked_for(world: Any) -> None:
    assert codes(await world.submit(SPRING, SPRING)) == ["accepted", "accepted"]
    await look_for_repeats(world, categories=frozenset({"marketing"}))
    assert codes(await world.submit(SPRING, SPRING)) == ["accepted", "accepted"]
    tenant = chain.TenantOptions(senders=("10690001",), quiet_hours=False, repeats=False)
    await world.configure(policies={**world.options.policies, "acme": tenant})
    await look_for_repeats(world)
    assert codes(await world.submit(SPRING, SPRING)) == ["accepted", "accepted"]


def test_a_time_that_is_none() -> None:
    [problem] = RepeatOptions(per="a month").problems()
    assert problem == "per: 'a month' is no time such as '60s', '5m', '1h' or '7d'"
