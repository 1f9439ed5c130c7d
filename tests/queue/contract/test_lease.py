"""`Store.lease`, `lease_ids` and `expired`: what is taken out of the store."""

from gateway.message import LaneKey
from gateway.queue.store import Store
from tests.queue.contract.rig import LANE, MakeEntry


async def test_lease_takes_what_is_due_the_longest_due_first(
    store: Store, entry: MakeEntry
) -> None:
    dues = [1_005.0, 1_003.0, 1_004.0, 1_003.0, 1_050.5]
    await store.accept([entry(n, due=due) for n, due in enumerate(dues, 1)])
    await store.accept([entry(9, route="fr"), entry(10, category="otp"), entry(11, tenant="b")])
    first = await store.lease(LANE, 1_010.0, 3)
    assert [m.id for m in first.messages] == [2, 4, 3]
    assert first.next_due == 1_005.0
    second = await store.lease(LANE, 1_010.0, 3)
    assert [m.id for m in second.messages] == [1]
    assert second.next_due == 1_050.5
    third = await store.lease(LANE, 1_050.5, 3)
    assert [m.id for m in third.messages] == [5]
    assert third.next_due is None
    assert await store.lease(LaneKey("nobody", "otp", "uk"), 9e9, 3) == ([], None)


async def test_lease_ids_takes_only_the_tenants_waiting_messages(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(1), entry(2, leased=True), entry(3, tenant="b"), entry(4)])
    leased = await store.lease_ids("acme", [1, 2, 3, 99])
    assert leased == [entry(1).message]
    assert await store.lease_ids("acme", [1]) == []
    assert await store.lease_ids("acme", []) == []
    assert [m.id for m in (await store.lease(LANE, 1_000.0, 10)).messages] == [4]


async def test_expired_leases_waiting_messages_at_their_expiry(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(n, expires_at=1_000.0 + n) for n in range(1, 5)])
    await store.accept([entry(9, expires_at=1_000.0, leased=True)])
    assert [m.id for m in await store.expired(1_003.0, 2)] == [1, 2]
    assert [m.id for m in await store.expired(1_003.0, 2)] == [3]
    assert await store.expired(1_003.0, 2) == []
