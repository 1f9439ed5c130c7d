"""Subscriptions to the events of a tenant."""

from typing import Any

import msgspec
import trio


async def deliver(world: Any, *texts: str, tenant: str = "acme") -> None:
    await world.accepted(*texts, tenant=tenant)
    await world.deliver()


def seqs(chunks: Any) -> list[int]:
    found = []
    for count, body in chunks:
        decoded = msgspec.msgpack.decode(b"\xdd" + count.to_bytes(4, "big") + body)
        found += [event["seq"] for event in decoded]
    return found


async def read(subscription: Any) -> list[int]:
    with trio.fail_after(5):
        return seqs(await subscription.receive())


async def test_a_subscription_reads_on_from_what_was_acknowledged(world: Any) -> None:
    await deliver(world, "a", "b", "c")
    assert await world.service.acknowledge("acme", "crm", 2) == 2
    subscription = await world.service.subscribe("acme", "crm", "acked")
    assert subscription.next == 3
    assert await read(subscription) == [3]
    assert subscription.next == 4


async def test_or_from_the_start_or_from_now(world: Any) -> None:
    await deliver(world, "a", "b")
    await world.service.acknowledge("acme", "crm", 2)
    start = await world.service.subscribe("acme", "crm", "start")
    now = await world.service.subscribe("acme", "crm", "now")
    assert (start.next, now.next) == (1, 3)
    assert await read(start) == [1, 2]
    await deliver(world, "c")
    assert await read(now) == [3]


async def test_one_that_waits_is_woken_by_its_own_tenant_s_events_only(world: Any) -> None:
    subscription = await world.service.subscribe("acme", "crm", "acked")
    got: list[int] = []

    async def receive() -> None:
        got.extend(await read(subscription))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await world.calm()
        await deliver(world, "other", tenant="umbrella")
        assert got == []
        await deliver(world, "own")
        assert got == [1]


async def test_news_that_come_while_nobody_waits_are_not_missed(world: Any) -> None:
    subscription = await world.service.subscribe("acme", "crm", "acked")
    await deliver(world, "a")
    assert await read(subscription) == [1]
    await deliver(world, "b")
    await deliver(world, "c")
    assert await read(subscription) == [2, 3]


async def test_giving_up_waiting_loses_nothing(world: Any) -> None:
    subscription = await world.service.subscribe("acme", "crm", "acked")
    with trio.move_on_after(0.01):
        await subscription.receive()
    await deliver(world, "a")
    assert await read(subscription) == [1]


async def test_consumers_have_cursors_of_their_own(world: Any) -> None:
    await deliver(world, "a", "b")
    await world.service.acknowledge("acme", "crm", 2)
    subscription = await world.service.subscribe("acme", "billing", "acked")
    assert await read(subscription) == [1, 2]
    other = await world.service.subscribe("umbrella", "crm", "acked")
    assert other.next == 1
