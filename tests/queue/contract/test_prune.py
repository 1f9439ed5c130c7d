"""`Store.prune`: what is forgotten, and what never."""

from gateway.queue.events import CHUNK
from gateway.queue.store import Ref, Sent, Settlement, Store
from tests.queue.contract.rig import LANE, MakeEntry, MakeFinal, Rig, decoded, known, notices


async def pruned(store: Store, before: float, limit: int = 100) -> int:
    total = 0
    while gone := await store.prune(before, limit):
        assert gone <= limit + 2 * CHUNK
        total += gone
    return total


async def test_prune_forgets_what_is_old_and_only_that(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    day = 86_400.0
    old = [entry(n, key=f"old{n}", leased=True) for n in range(1, 700)]
    new = entry(1_001, key="new", accepted_at=1_000.0 + 3 * day, leased=True)
    await rig.store.accept(old)
    await rig.store.settle(Settlement(finals=[delivered(e.message, at=1_001.0) for e in old]))
    await rig.store.settle(Settlement(notices=notices("b", 1)))
    rig.now += 3 * day
    await rig.store.accept([new])
    await rig.store.settle(Settlement(finals=[delivered(new.message, at=rig.now)]))
    assert await pruned(rig.store, 1_000.0) == 0
    assert await pruned(rig.store, 2_000.0)
    for _ in range(2):
        assert await rig.store.bounds("acme") == (700, 700)
        assert await rig.store.bounds("b") == (2, 1)
        assert await rig.store.events("b", 0, 10) == []
        told = decoded(await rig.store.events("acme", 0, 1_000))
        assert [event["seq"] for event in told] == [700]
        records, by_key = await rig.store.find("acme", [1, 1_001], ["old1", "new"])
        assert [record is None for record in records + by_key] == [True, False, True, False]
        assert await rig.store.known("acme", ["old1", "old699", "new"]) == {"new": known(1_001, 1)}
        await rig.reopen()
    assert await rig.store.accept([entry(1_002, key="old1")]) == {}
    await rig.store.settle(Settlement(notices=notices("b", 1)))
    assert [event["seq"] for event in decoded(await rig.store.events("b", 0, 10))] == [2]


async def test_a_key_is_kept_as_long_as_its_message_waits(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, key="a", due=9e8), entry(2, key="b", due=9e8)])
    rig.now = 1e6
    for _ in range(2):
        await pruned(rig.store, 1e6)
        assert await rig.store.accept([entry(3, key="a")]) == {0: known(1, 1, 9e8)}
        assert await rig.store.known("acme", ["b"]) == {"b": known(2, 1, 9e8)}
        await rig.reopen()
    assert (await rig.store.lease(LANE, 9e9, 10)).messages == [
        entry(1, key="a", due=9e8).message,
        entry(2, key="b", due=9e8).message,
    ]


async def test_prune_forgets_parts_without_a_message(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2, leased=True)])
    sent = [Sent(entry(n).message, "alpha", (f"r{n}",), 9e8) for n in (1, 2)]
    await rig.store.settle(Settlement(sent=sent))
    assert len(await rig.store.match([Ref("alpha", "r1"), Ref("alpha", "r2")])) == 2
    await rig.store.settle(Settlement(finals=[delivered(entry(1).message, at=9e9)]))
    assert await pruned(rig.store, 999.0) == 0
    assert await pruned(rig.store, 1e6) == 1
    assert (await rig.store.match([Ref("alpha", "r1"), Ref("alpha", "r2")])).keys() == {
        Ref("alpha", "r2")
    }
