"""Subscriptions to the events of a tenant."""

from typing import Any

import msgspec
import pytest
import trio

from gateway.errors import RequestError


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


# --- what retention takes ---


def told(chunks: Any) -> list[dict[str, Any]]:
    found = []
    for count, body in chunks:
        found += msgspec.msgpack.decode(b"\xdd" + count.to_bytes(4, "big") + body)
    return found


async def take(world: Any, last: int) -> None:
    """Have retention take the events up to one."""
    events = await world.events()
    before = next(e["at"] for e in events if e["seq"] == last) + 0.001
    while await world.store.prune(before, 100):
        pass
    assert (await world.store.bounds("acme"))[0] == last + 1


async def outcomes(world: Any, count: int) -> None:
    """Have so many events, each at a time of its own."""
    for _ in range(count):
        await deliver(world, "x")
        await trio.sleep(1)


@pytest.mark.parametrize(
    ("acknowledged", "start", "taken", "came"),
    [
        (2, "acked", 2, [3, 4, 5, 6]),
        (2, "acked", 1, [3, 4, 5, 6]),
        (2, "acked", 3, [(3, 3), 4, 5, 6]),
        (2, "acked", 5, [(3, 5), 6]),
        (2, "acked", 6, [(3, 6)]),
        (6, "acked", 6, []),
        (None, "acked", 4, [5, 6]),
        (2, "start", 4, [5, 6]),
        (2, "now", 4, []),
    ],
)
async def test_a_consumer_is_told_what_it_never_got(
    world: Any,
    autojump_clock: object,
    acknowledged: int | None,
    start: Any,
    taken: int,
    came: list[Any],
) -> None:
    await outcomes(world, 6)
    if acknowledged is not None:
        await world.service.acknowledge("acme", "crm", acknowledged)
    await take(world, taken)
    subscription = await world.service.subscribe("acme", "crm", start)
    first = subscription.next
    await outcomes(world, 1)
    seen: list[Any] = []
    while 7 not in seen:
        for event in told(await subscription.receive()):
            assert event["seq"] >= first
            if event["type"] == "gap":
                assert event["seq"] == event["detail"]["to"]
                assert event.keys() == {"seq", "type", "at", "detail"}
                seen.append((event["detail"]["from"], event["detail"]["to"]))
            else:
                seen.append(event["seq"])
    assert seen == [*came, 7]


async def test_one_that_does_not_keep_up_is_told_in_their_place(
    world: Any, autojump_clock: object
) -> None:
    subscription = await world.service.subscribe("acme", "slow", "acked")
    await outcomes(world, 2)
    assert await read(subscription) == [1, 2]
    await outcomes(world, 3)
    await take(world, 4)
    [gap] = told(await subscription.receive())
    assert (gap["type"], gap["seq"], gap["detail"]) == ("gap", 4, {"from": 3, "to": 4})
    assert await read(subscription) == [5]
    assert await world.service.acknowledge("acme", "slow", 4) == 4


# --- who the consumers are ---


async def names(world: Any, tenant: str = "acme") -> list[str]:
    return [one.consumer for one in await world.service.consumers(tenant, "list", None)]


async def test_consumers_with_their_place(world: Any, autojump_clock: object) -> None:
    await outcomes(world, 3)
    await world.service.acknowledge("acme", "crm", 2)
    seen_at = world.clock()
    await world.service.acknowledge("acme", "old", 1)
    await trio.sleep(5)
    subscription = await world.service.subscribe("acme", "crm", "acked")
    crm, old = await world.service.consumers("acme", "list", None)
    assert (crm.consumer, crm.seq, crm.lag, crm.connected) == ("crm", 2, 1, True)
    assert crm.seen_at == world.clock()
    assert (old.consumer, old.seq, old.lag, old.connected) == ("old", 1, 2, False)
    assert old.seen_at == seen_at
    assert await world.service.consumers("acme", "list", "old") == [old]
    assert await world.service.consumers("umbrella", "list", None) == []
    del subscription
    crm, _ = await world.service.consumers("acme", "list", None)
    assert not crm.connected


async def test_a_deleted_consumer_begins_anew(world: Any, autojump_clock: object) -> None:
    await outcomes(world, 3)
    await world.service.acknowledge("acme", "crm", 2)
    [gone] = await world.service.consumers("acme", "delete", "crm")
    assert gone.seq == 2
    assert await names(world) == []
    assert await world.service.consumers("acme", "delete", "crm") == []
    assert (await world.service.subscribe("acme", "crm", "acked")).next == 1


async def test_one_that_acknowledges_nothing_leaves_no_trace(world: Any) -> None:
    await deliver(world, "a")
    subscription = await world.service.subscribe("acme", "look", "start")
    assert await read(subscription) == [1]
    assert await names(world) == []


async def test_a_tenant_has_so_many(world: Any) -> None:
    tenants = [msgspec.structs.replace(tenant, max_consumers=2) for tenant in world.options.tenants]
    await world.configure(tenants=tenants)
    await deliver(world, "a", "b")
    for name in ("one", "two"):
        await world.service.subscribe("acme", name, "acked")
        await world.service.acknowledge("acme", name, 1)
    for refused in (
        world.service.subscribe("acme", "three", "acked"),
        world.service.acknowledge("acme", "three", 1),
    ):
        with pytest.raises(RequestError, match=r"consumer: there are 2 already.* delete one"):
            await refused
    await world.service.subscribe("acme", "one", "acked")
    await world.service.acknowledge("acme", "two", 2)
    await world.service.acknowledge("umbrella", "three", 0)
    await world.service.consumers("acme", "delete", "one")
    assert await world.service.acknowledge("acme", "three", 1) == 1


async def test_an_acknowledgement_of_another_epoch_moves_nothing(world: Any) -> None:
    await deliver(world, "a", "b")
    assert await world.service.acknowledge("acme", "crm", 1, "1f") == 1
    for seq in (2, 999):
        assert await world.service.acknowledge("acme", "crm", seq, "0e") == 1
    assert await world.service.acknowledge("acme", "new", 999, "0e") == 0
    assert await names(world) == ["crm"]


# --- which of them are missed ---


async def lag(world: Any) -> dict[str, int]:
    """What the metric says."""
    await trio.sleep(6)
    return dict(world.dispatch.upkeep.unacknowledged)


async def test_one_that_was_tried_out_is_not_missed_for_long(
    world: Any, autojump_clock: object
) -> None:
    await outcomes(world, 2)
    await world.service.acknowledge("acme", "crm", 1)
    test = await world.service.subscribe("acme", "test", "start")
    await world.service.acknowledge("acme", "test", 1)
    await trio.sleep(10)
    await outcomes(world, 5)
    await world.service.acknowledge("acme", "crm", 7)
    await world.service.acknowledge("acme", "test", 2)
    assert await lag(world) == {"acme": 5}
    del test
    await trio.sleep(30)
    await world.service.acknowledge("acme", "crm", 7)
    assert await lag(world) == {"acme": 0}


async def test_one_that_worked_for_long_is_missed_for_as_long(
    world: Any, autojump_clock: object
) -> None:
    await outcomes(world, 2)
    await world.service.acknowledge("acme", "crm", 1)
    await trio.sleep(1_000)
    await world.service.acknowledge("acme", "crm", 2)
    await outcomes(world, 3)
    await trio.sleep(900)
    assert await lag(world) == {"acme": 3}
    await trio.sleep(200)
    assert await lag(world) == {}


async def test_one_that_is_connected_counts_however_long_it_says_nothing(
    world: Any, autojump_clock: object
) -> None:
    await outcomes(world, 2)
    await world.service.acknowledge("acme", "crm", 1)
    subscription = await world.service.subscribe("acme", "crm", "acked")
    await trio.sleep(900)
    assert await lag(world) == {"acme": 1}
    assert subscription.next == 2


async def test_silence_for_the_retention_is_forgotten(world: Any, autojump_clock: object) -> None:
    await world.configure(retention=1_000.0)
    await outcomes(world, 2)
    for name in ("gone", "there", "quiet"):
        await world.service.acknowledge("acme", name, 2)
    there = await world.service.subscribe("acme", "there", "acked")
    await trio.sleep(900)
    await world.service.acknowledge("acme", "quiet", 2)
    assert await names(world) == ["gone", "quiet", "there"]
    await trio.sleep(200)
    assert await names(world) == ["quiet", "there"]
    await trio.sleep(1_000)
    assert await names(world) == ["there"]
    del there
    await trio.sleep(1_100)
    assert await names(world) == []
