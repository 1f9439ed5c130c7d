"""`Store.lease_campaign`, `waiting_in` and `extend`: campaigns as a whole."""

from gateway.queue.store import NEWEST, Store
from tests.queue.contract.rig import LANE, MakeEntry, Rig


async def test_lease_campaign_takes_only_that_campaign(store: Store, entry: MakeEntry) -> None:
    await store.accept(
        [entry(n, campaign="spring", due=5_000.0) for n in range(1, 4)]
        + [entry(4, campaign="spring", tenant="b"), entry(5), entry(6, campaign="x")]
        + [entry(7, campaign="spring", leased=True)]
    )
    first = await store.lease_campaign("acme", "spring", NEWEST, 2)
    second = await store.lease_campaign("acme", "spring", NEWEST, 2)
    assert sorted(m.id for m in first + second) == [1, 2, 3]
    assert len(first) == 2
    assert await store.lease_campaign("acme", "spring", NEWEST, 2) == []


async def test_each_campaign_is_a_queue_of_its_own(rig: Rig, entry: MakeEntry) -> None:
    spring, autumn = LANE._replace(campaign="spring"), LANE._replace(campaign="autumn")
    entries = [
        entry(1),
        entry(2, campaign="spring", due=1_200.0),
        entry(3, campaign="autumn"),
        entry(4, campaign="spring", due=1_100.0),
    ]
    await rig.store.accept(entries)
    recovery = await rig.crash()
    assert recovery.lanes == {LANE: 1_000.0, spring: 1_100.0, autumn: 1_000.0}
    assert await rig.store.lease(spring, 1_100.0, 10) == ([entries[3].message], 1_200.0)
    assert await rig.store.lease(LANE, 9e9, 10) == ([entries[0].message], None)
    await rig.store.defer([entries[3].message])
    assert await rig.store.lease(spring, 1_100.0, 10) == ([entries[3].message], 1_200.0)


async def test_what_waits_of_a_campaign_is_counted(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept(
        [
            entry(1, campaign="spring"),
            entry(2, campaign="spring", category="otp", route="fr", due=9e8),
            entry(3, campaign="spring", leased=True),
            entry(4, campaign="autumn"),
            entry(5, campaign="spring", tenant="b"),
            entry(6),
        ]
    )
    assert await rig.store.waiting_in("acme", "spring") == 2
    assert await rig.store.waiting_in("acme", "spring", 1) == 1
    assert [m.id for m in await rig.store.lease_campaign("acme", "spring", 1, 10)] == [1]
    assert await rig.store.waiting_in("acme", "winter") == 0
    assert await rig.store.waiting_in("nobody", "spring") == 0


async def test_a_campaign_may_be_given_more_time(rig: Rig, entry: MakeEntry) -> None:
    entries = [entry(n, campaign="spring", expires_at=2_000.0) for n in range(1, 5)]
    other = entry(9, campaign="autumn", expires_at=2_000.0)
    await rig.store.accept([*entries, other])
    await rig.store.extend("acme", "spring", 500.0)
    await rig.store.extend("acme", "winter", 500.0)
    await rig.reopen()
    assert [m.id for m in await rig.store.expired(2_000.0, 10)] == [9]
    later = await rig.store.expired(2_500.0, 10)
    assert [(m.id, m.expires_at) for m in later] == [(n, 2_500.0) for n in range(1, 5)]
