"""`Store.leased` and `put_back`: what this node holds, and what nobody holds after all."""

from gateway.queue.store import Store
from tests.queue.contract.rig import LANE, MakeEntry, Rig


async def test_what_is_leased_is_told(store: Store, entry: MakeEntry) -> None:
    await store.accept([entry(n, leased=n != 3) for n in range(1, 6)])
    assert await store.leased(0, 10) == (4, [1, 2, 4, 5])
    assert await store.leased(1, 2) == (4, [2, 4])
    assert await store.leased(5, 10) == (4, [])
    [message] = await store.lease_ids("acme", [3])
    await store.defer([message, entry(5).message])
    assert await store.leased(0, 10) == (3, [1, 2, 4])


async def test_what_is_put_back_waits_again_and_is_marked(rig: Rig, entry: MakeEntry) -> None:
    store = rig.store
    await store.accept([entry(n, leased=n < 3) for n in range(1, 4)])
    marked = await store.put_back([1, 3, 77])
    assert [(m.id, m.maybe_duplicate) for m in marked] == [(1, True)], "3 waits, 77 is unknown"
    assert await store.leased(0, 10) == (1, [2])
    lease = await store.lease(LANE, rig.now, 10)
    assert [(m.id, m.maybe_duplicate) for m in lease.messages] == [(1, True), (3, False)]
    assert await store.put_back([]) == []
