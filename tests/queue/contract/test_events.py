"""`Store.events` and `bounds`: the stream of each tenant."""

import msgspec
import pytest
import trio

from gateway.queue.events import CHUNK, CHUNK_BYTES
from gateway.queue.store import Settlement, Store
from tests.queue.contract.rig import MakeEntry, MakeFinal, Rig, decoded, notices


async def test_events_are_numbered_by_tenant_without_gaps(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2, tenant="b", leased=True)])
    one, two = delivered(entry(1).message), delivered(entry(2, tenant="b").message)
    await rig.store.settle(
        Settlement(finals=[one, two], notices=[*notices("acme", 2), *notices("b", 1)])
    )
    await rig.crash()
    await rig.store.settle(Settlement(notices=notices("acme", 1)))
    told = decoded(await rig.store.events("acme", 0, 10))
    assert [(event["seq"], event["type"]) for event in told] == [
        (1, "delivered"),
        (2, "inbound"),
        (3, "inbound"),
        (4, "inbound"),
    ]
    assert told[0] == {"seq": 1, **msgspec.to_builtins(one.event)}
    assert await rig.store.bounds("acme") == (1, 4)
    assert await rig.store.bounds("b") == (1, 2)
    assert await rig.store.bounds("nobody") == (1, 0)


@pytest.mark.parametrize("reopened", [False, True])
async def test_events_after_any_place(rig: Rig, reopened: bool) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 1_200)))
    for _ in range(30):
        await rig.store.settle(Settlement(notices=notices("acme", 1)))
    if reopened:
        await rig.reopen()
    for after in (0, 1, 499, 500, 777, 1_199, 1_200, 1_211, 1_229):
        told = decoded(await rig.store.events("acme", after, 10_000))
        assert [event["seq"] for event in told] == list(range(after + 1, 1_231))
        some = decoded(await rig.store.events("acme", after, 100))
        assert [event["seq"] for event in some] == [e["seq"] for e in told][: len(some)]
        assert 1 <= len(some) < 100 + CHUNK
    assert await rig.store.events("acme", 1_230, 100) == []
    assert await rig.store.events("acme", 9_999, 100) == []
    assert await rig.store.events("nobody", 0, 100) == []


async def test_chunks_are_bounded_in_bytes(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 20, "x" * 30_000)))
    for _ in range(2):
        chunks = await rig.store.events("acme", 0, 100)
        assert len(decoded(chunks)) == 20
        assert max(len(chunk.body) for chunk in chunks) <= CHUNK_BYTES
        await rig.reopen()


async def test_whoever_watches_is_told_of_new_events(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True), entry(2)])
    await store.settle(Settlement(notices=notices("b", 3)))
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    assert set(await store.watch()) == {"acme", "b"}
    told: list[str] = []

    async def watch() -> None:
        told.extend(await store.watch())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await store.settle(Settlement(finals=[delivered(entry(1).message)]))  # has its outcome
        await store.settle(Settlement(notices=notices("c", 1)))
    assert told == ["c"]
