"""Balances and quotas are reserved, settled and never overdrawn, whatever comes when."""

import random
from typing import Any

import msgspec
import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.facts import SPENT
from gateway.policy import chain
from gateway.policy.prices import PriceOptions, Tariff

PRICE = PriceOptions(currency="CNY", tariffs=(Tariff(carrier="alpha", price=0.05),))


async def restrict(world: Any, **fields: Any) -> None:
    own = chain.TenantOptions(senders=("10690001",), quiet_hours=False, **fields)
    await world.configure(
        policy=chain.PolicyOptions(price=PRICE),
        policies={**world.options.policies, "acme": own},
    )


async def spent(world: Any) -> dict[str, int]:
    return dict((await world.store.facts("acme", ("",), SPENT)).spent)


async def test_what_a_message_costs_is_quoted_and_counted(world: Any) -> None:
    await restrict(world)
    message = SubmitMessage(to="447400123456", text="x" * 200)
    [quoted] = await world.service.quote("acme", [message])
    assert msgspec.to_builtins(quoted.price) == {"least": 0.1, "most": 0.1, "currency": "CNY"}
    await world.submit("x" * 200)
    await world.deliver()
    [row] = [one for one in (await world.service.stats("acme", None, None, None)).rows if one.sent]
    assert (row.parts, row.figures.cost) == (2, 0.1)


async def test_a_balance_is_reserved_and_given_back(world: Any) -> None:
    await restrict(world, balance=0.1)
    first, second, third = await world.submit("a", {"text": "b", "send_at": 1.8e9}, "c")
    assert third.error.code == "quota_exceeded"
    assert third.error.rule == "balance"
    assert (await spent(world))["balance"] == 100_000
    left = (await world.service.stats("acme", None, None, None)).left
    assert (left.balance, left.currency, left.parts) == (0.0, "CNY", None)
    await world.service.cancel("acme", [second.message_id], (), None)
    await world.calm()
    assert (await spent(world))["balance"] == 50_000
    await world.deliver()
    assert (await spent(world))["balance"] == 50_000, "what a carrier took is paid"
    assert (await world.submit("d"))[0].message_id > first.message_id


async def test_a_quota_counts_parts(world: Any) -> None:
    await restrict(world, quota=3)
    one, two, three = await world.submit("x" * 200, "x" * 200, "y")
    assert one.message_id < three.message_id
    assert (two.error.code, two.error.rule) == ("quota_exceeded", "quota")
    assert two.error.retry_at > world.clock()


async def test_a_message_that_comes_again_is_no_matter_of_the_balance(world: Any) -> None:
    await restrict(world, balance=0.05)
    [first] = await world.submit({"text": "a", "key": "k"})
    [again] = await world.submit({"text": "a", "key": "k"})
    assert again.duplicate
    assert again.message_id == first.message_id
    assert (await spent(world))["balance"] == 50_000


@pytest.mark.parametrize("seed", range(8))
async def test_it_is_never_overdrawn_under_any_interleaving(
    world: Any, autojump_clock: Any, seed: int
) -> None:
    chance = random.Random(seed)
    await restrict(world, balance=0.5)
    taken: list[str] = []

    async def submit() -> None:
        batch = [SubmitMessage(to="447400123456", text="a") for _ in range(chance.randint(1, 5))]
        [results] = await world.service.submit("acme", [batch])
        taken.extend(one.message_id for one in results if hasattr(one, "message_id"))
        found = await spent(world)
        assert 0 <= found.get("balance", 0) <= 500_000

    async def cancel() -> None:
        if taken:
            await world.service.cancel("acme", [chance.choice(taken)], (), None)

    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(chance.choice([submit, submit, cancel]))
            if chance.random() < 0.3:
                for bind in world.made.values():
                    bind.reply()
            await trio.lowlevel.checkpoint()
    for _ in range(5):
        await world.deliver()
    outcomes = await world.outcomes()
    went = sum(1 for one in outcomes.values() if one == "delivered")
    sent = sum(len(bind.sent) for bind in world.made.values())
    assert went <= sent <= 10
    assert (await spent(world)).get("balance", 0) == 50_000 * sent
