"""`Store.stats`: what is counted, for how long, and how it is read."""

from typing import Any

import pytest

from gateway.errors import StoreError
from gateway.message import Event
from gateway.queue.store import Final, Settlement, Store
from gateway.queue.tallies import HOUR, KEPT, SPAN, Key, Stats
from tests.queue.contract.rig import REFUSING, MakeEntry, MakeFinal, Rig


async def counted(store: Store, tenant: str = "acme", campaign: str | None = None) -> set[Any]:
    """What the store has counted, without the hours."""
    rows: list[Any] = []
    start: int | None = 0
    while start is not None:
        found, start = await store.stats(tenant, campaign, start, 1 << 20, 100)
        rows += [stat[1:] for stat in found]
    assert len(set(rows)) == len(rows)
    return set(rows)


async def test_what_is_accepted_and_what_ends_is_counted(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    spring = [entry(n, campaign="spring", variant="a" if n < 4 else "b") for n in range(1, 6)]
    await rig.store.accept([*spring, entry(6), entry(7, tenant="b", campaign="spring")])
    detail = {"carrier": "alpha", "receipt_state": "UNDELIV"}
    ends = [
        delivered(spring[0].message),
        delivered(spring[1].message),
        Final(spring[3].message, Event("failed", 1.0, code="undelivered", detail=detail)),
        Final(spring[4].message, Event("failed", 1.0, code="undelivered", detail=detail)),
        Final(entry(6).message, Event("sent", 1.0, detail={"carrier": "beta"})),
    ]
    tallies: dict[Key, int] = {
        ("acme", "spring", "a", "alpha", "sent"): 2,
        ("acme", "spring", "a", "alpha", "parts"): 6,
        ("acme", None, None, "", "refused opted_out"): 4,
        ("acme", "autumn", None, "", "deferred quiet_hours"): 5,
    }
    await rig.store.settle(Settlement(finals=ends, tallies=tallies))
    of_spring = {
        ("spring", "a", "", "accepted", 3),
        ("spring", "b", "", "accepted", 2),
        ("spring", "a", "", "ended delivered", 2),
        ("spring", "b", "alpha", "ended failed undelivered", 2),
        ("spring", "a", "alpha", "sent", 2),
        ("spring", "a", "alpha", "parts", 6),
    }
    others = {
        (None, None, "", "accepted", 1),
        (None, None, "beta", "ended sent", 1),
        (None, None, "", "refused opted_out", 4),
        ("autumn", None, "", "deferred quiet_hours", 5),
    }
    assert await counted(rig.store) == of_spring | others
    assert await counted(rig.store, campaign="spring") == of_spring
    assert await counted(rig.store, campaign="winter") == set()
    assert await counted(rig.store, "b") == {("spring", None, "", "accepted", 1)}
    assert await counted(rig.store, "nobody") == set()
    await rig.crash()
    assert await counted(rig.store) == of_spring | others
    await rig.store.settle(Settlement(tallies=tallies))  # counts go on where they were
    assert ("spring", "a", "alpha", "parts", 12) in await counted(rig.store)


async def test_duplicates_and_second_outcomes_are_not_counted(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, key="k"), entry(2, key="k"), entry(3)])
    await store.accept([entry(4, key="k"), entry(5, key="k", campaign="spring")])
    m = entry(3).message
    late = Final(m, Event("expired", 1.0, code="expired"))
    await store.settle(Settlement(finals=[delivered(m), late]))
    await store.settle(Settlement(finals=[late, delivered(entry(1).message)]))
    await store.settle(Settlement(finals=[delivered(entry(5).message)]))
    assert await counted(store) == {
        (None, None, "", "accepted", 2),
        (None, None, "", "ended delivered", 2),
    }


@pytest.mark.parametrize("rig", REFUSING, indirect=True)
async def test_what_was_undone_is_not_counted(store: Store, entry: MakeEntry) -> None:
    named = {"campaign": "spring", "variant": "a"}
    await store.accept([entry(1, **named)])
    with pytest.raises(StoreError):
        await store.accept([entry(1, **named), entry(2, tenant="b", **named)])
    await store.accept([entry(3, **named), entry(4, tenant="b", **named)])
    assert await counted(store) == {("spring", "a", "", "accepted", 2)}
    assert await counted(store, "b") == {("spring", "a", "", "accepted", 1)}


async def test_counts_are_of_an_hour_and_come_in_whole_hours(rig: Rig, entry: MakeEntry) -> None:
    for hour in range(10, 20):
        rig.now = hour * HOUR + 59.0
        await rig.store.accept([entry(3 * hour + n, campaign=f"c{n}") for n in range(3)])
    stats = rig.store.stats
    rows, following = await stats("acme", None, 0, 1_000, 7)
    assert ([row.hour for row in rows], following) == ([10] * 3 + [11] * 3, 12)
    rows, following = await stats("acme", None, 12, 14, 100)
    assert ([row.hour for row in rows], following) == ([12] * 3 + [13] * 3, None)
    rows, following = await stats("acme", None, 12, 14, 2)  # an hour is told whole
    assert ([row.hour for row in rows], following) == ([12] * 3, 13)
    rows, following = await stats("acme", None, 13, 14, 2)
    assert ([row.hour for row in rows], following) == ([13] * 3, None)
    rows, following = await stats("acme", "c1", 15, 1_000, 3)
    assert ([row.hour for row in rows], following) == ([15, 16, 17], 18)
    assert await stats("acme", "c1", 18, 18, 3) == Stats([], None)
    assert await stats("acme", None, 20, 1_000, 3) == Stats([], None)


async def test_a_look_at_counts_goes_over_a_month(rig: Rig, entry: MakeEntry) -> None:
    for number, hour in enumerate((10, 10 + SPAN, 10 + 3 * SPAN), 1):
        rig.now = hour * HOUR + 1.0
        await rig.store.accept([entry(number, campaign="spring")])
    for campaign in (None, "spring"):
        first, following = await rig.store.stats("acme", campaign, 0, 1 << 20, 100)
        assert ([row.hour for row in first], following) == ([10], 10 + SPAN)
        hours = [row.hour for row in first]
        while following is not None:
            more, following = await rig.store.stats("acme", campaign, following, 1 << 20, 100)
            hours += [row.hour for row in more]
        assert hours == [10, 10 + SPAN, 10 + 3 * SPAN]


async def test_counts_are_kept_for_four_hundred_days(rig: Rig, entry: MakeEntry) -> None:
    for day in range(4):
        rig.now = 86_400.0 * (100 + day)
        await rig.store.accept([entry(day + 1, campaign=f"c{day}"), entry(day + 11, tenant="b")])
    rig.now += KEPT * HOUR - 86_400.0
    while await rig.store.prune(0.0, 100):
        pass
    for tenant, names in (("acme", ["c2", "c3"]), ("b", [None, None])):
        rows, _ = await rig.store.stats(tenant, None, 0, 1 << 20, 100)
        assert [row.campaign for row in rows] == names
    assert await counted(rig.store, campaign="c1") == set()
    await rig.store.accept([entry(21, campaign="c1")])
    assert await counted(rig.store, campaign="c1") == {("c1", None, "", "accepted", 1)}
