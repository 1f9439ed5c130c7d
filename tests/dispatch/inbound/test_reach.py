"""Numbers that texts do not reach are learnt from outcomes, and spared."""

from typing import Any

from gateway.policy import chain
from gateway.policy.unreachable import UnreachableOptions

PHONE = "447400123456"
ON = chain.PolicyOptions(
    unreachable=UnreachableOptions(
        categories=frozenset({"transactional", "marketing"}), permanent_errors=("1",)
    )
)


def codes(results: list[Any]) -> list[str]:
    return [one.error.code if hasattr(one, "error") else "accepted" for one in results]


async def fail(world: Any, make_receipt: Any, error: str, **fields: Any) -> None:
    """A message ends undelivered, with an error in its receipt."""
    await world.accepted({"to": PHONE, **fields})
    [(_, ref)] = world.bind.reply()
    await world.bind.receipts(make_receipt(ref, "UNDELIV", PHONE, error=error))
    await world.calm()


async def test_a_number_that_nobody_has(
    world: Any, make_receipt: Any, make_inbound: Any, autojump_clock: Any
) -> None:
    await world.configure(policy=ON)
    await fail(world, make_receipt, "001")
    [refused] = await world.submit({"to": PHONE})
    assert refused.error.code == "unreachable"
    assert refused.error.rule == "unreachable"
    assert abs(refused.error.retry_at - world.clock() - 90 * 86_400) < 60
    # Another phone, another tenant, and a one-time password go on.
    assert (
        codes(await world.submit({"to": "447400123457"}, {"category": "otp"})) == ["accepted"] * 2
    )
    assert codes(await world.submit({"to": PHONE}, tenant="umbrella")) == ["accepted"]
    # It texts: it is there.
    await world.bind.receipts(make_inbound("hello", PHONE))
    await world.calm()
    assert codes(await world.submit({"to": PHONE})) == ["accepted"]


async def test_a_number_that_was_not_reached_three_times(world: Any, make_receipt: Any) -> None:
    await world.configure(policy=ON)
    for _ in range(2):
        await fail(world, make_receipt, "027")
    assert codes(await world.submit({"to": PHONE, "send_at": world.clock() + 3600})) == ["accepted"]
    await fail(world, make_receipt, "027")
    assert codes(await world.submit({"to": PHONE})) == ["unreachable"]


async def test_a_password_that_arrives_ends_it(world: Any, make_receipt: Any) -> None:
    await world.configure(policy=ON)
    await fail(world, make_receipt, "001")
    await world.accepted({"to": PHONE, "category": "otp"})
    await world.deliver()
    assert codes(await world.submit({"to": PHONE})) == ["accepted"]


async def test_nothing_is_learnt_unless_it_is_asked_for(world: Any, make_receipt: Any) -> None:
    await fail(world, make_receipt, "001")
    await world.configure(policy=ON)
    assert codes(await world.submit({"to": PHONE})) == ["accepted"]
    own = chain.TenantOptions(senders=("10690001",), quiet_hours=False, unreachable=False)
    await world.configure(policies={**world.options.policies, "acme": own})
    world.bind.reply()
    await fail(world, make_receipt, "001")
    assert codes(await world.submit({"to": PHONE})) == ["accepted"]
