"""What operators ask of a store (`gateway.queue.operators`)."""

from typing import cast

import pytest

from gateway.message import Event, LaneKey, Message
from gateway.queue.operators import (
    KEPT,
    Change,
    HourCount,
    Means,
    OperatorStore,
    Owing,
    QueueCount,
    Which,
)
from gateway.queue.store import GLOBAL, NEWEST, Final, Ref, Sent, Settlement
from gateway.queue.tallies import Key
from tests.queue.contract.rig import LANE, MakeEntry, MakeFinal, MakeMessage, Rig, change


def asked(rig: Rig) -> OperatorStore:
    return cast("OperatorStore", rig.store)


async def test_what_waits_is_counted_by_lane(rig: Rig, entry: MakeEntry) -> None:
    store = asked(rig)
    assert await store.waiting(1_000.0) == []
    await store.accept(
        [
            entry(1, due=1_000.0, parts=3),
            entry(2, due=1_500.0, parts=1),
            entry(3, due=1_700.0, parts=2),
            entry(4, campaign="spring", due=990.0),
            entry(5, leased=True),
        ]
    )
    found = {one.lane: one for one in await store.waiting(1_500.0)}
    spring = LANE._replace(campaign="spring")
    assert found == {
        LANE: QueueCount(LANE, 2, 1, 6, 1_000.0, 1_700.0),
        spring: QueueCount(spring, 1, 0, 1, 990.0, None),
    }
    [later] = [one for one in await store.waiting(900.0) if one.lane == spring]
    assert (later.due, later.later, later.since, later.next_due) == (0, 1, None, 990.0)


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        (Which(), [1, 2, 3, 4]),
        (Which(tenant="acme"), [1, 2, 3]),
        (Which(tenant="acme", campaign="spring"), [2]),
        (Which(category="marketing"), [3]),
        (Which(route="fr"), [4]),
        (Which(tenant="b", route="uk"), []),
        (Which(tenant="nobody"), []),
    ],
)
async def test_messages_are_leased_by_a_filter(
    rig: Rig, entry: MakeEntry, which: Which, numbers: list[int]
) -> None:
    store = asked(rig)
    await store.accept(
        [
            entry(1),
            entry(2, campaign="spring", due=9_000.0),
            entry(3, category="marketing"),
            entry(4, tenant="b", route="fr"),
            entry(5, leased=True),
        ]
    )
    assert await store.waiting_where(which) == len(numbers)
    assert await store.waiting_where(which, 2) == len([n for n in numbers if n <= 2])
    leased = await store.lease_where(which, NEWEST, 10)
    assert sorted(one.id for one in leased) == numbers
    assert await store.waiting_where(which) == 0
    assert await store.lease_where(which, NEWEST, 10) == []


async def test_of_a_filter_so_many_are_leased_and_none_that_came_later(
    rig: Rig, entry: MakeEntry
) -> None:
    store = asked(rig)
    await store.accept([entry(number) for number in range(1, 6)])
    assert len(await store.lease_where(Which(tenant="acme"), 4, 3)) == 3
    assert len(await store.lease_where(Which(tenant="acme"), 4, 3)) == 1


async def sent(store: OperatorStore, entry: MakeEntry, **fields: float) -> None:
    """Three messages with alpha, one of them of two parts, and one with beta."""
    made = [
        entry(1, leased=True, **fields),
        entry(2, leased=True, parts=2, **fields),
        entry(3, leased=True, **fields),
        entry(4, leased=True, **fields),
    ]
    await store.accept(made)
    one, two, three, other = (each.message for each in made)
    await store.settle(
        Settlement(
            sent=[
                Sent(one, "alpha", ("a1",), 9_000.0),
                Sent(two, "alpha", ("a2", "a3"), 9_000.0),
                Sent(three, "alpha", ("a4",), 9_000.0),
                Sent(other, "beta", ("a5",), 9_000.0),
            ]
        )
    )


async def test_what_a_carrier_owes_is_counted_and_told_in_pages(rig: Rig, entry: MakeEntry) -> None:
    store = asked(rig)
    await sent(store, entry)
    rig.now = 1_500.0
    owing = Owing("alpha", 1_200.0)
    assert await store.owed_count(owing) == 3
    assert await store.owed_about("alpha", 1_000) == 3
    assert await store.owed_about("nobody", 1_000) == 0
    numbers, after = [], ""
    while True:
        page, last = await store.owed(owing, after, 2)
        numbers += [(one.message.id, one.states) for one in page]
        if last is None:
            break
        after = last
    assert numbers == [(1, bytes(1)), (2, bytes(2)), (3, bytes(1))]
    for none in (Owing("alpha", 1_000.0), Owing("gamma", 1_200.0), Owing("alpha", 1_200.0, 90_000)):
        assert await store.owed_count(none) == 0
        assert (await store.owed(none, "", 10))[0] == []


async def test_what_has_its_outcome_is_not_owed(
    rig: Rig, entry: MakeEntry, message: MakeMessage, delivered: MakeFinal
) -> None:
    store = asked(rig)
    await sent(store, entry)
    await store.settle(Settlement(finals=[delivered(message(1))]))
    rig.now = 1_500.0
    assert await store.owed_count(Owing("alpha", 1_200.0)) == 2


async def test_what_is_requeued_waits_again_and_its_receipts_match_nothing(
    rig: Rig, entry: MakeEntry
) -> None:
    store = asked(rig)
    await sent(store, entry)
    owing = Owing("alpha", 1_200.0)
    back = await store.requeue(owing, [1, 2, 4_711], 1_100.0)
    assert [(m.id, m.due, m.maybe_duplicate) for m in back] == [
        (1, 1_100.0, True),
        (2, 1_100.0, True),
    ]
    refs = [Ref("alpha", ref) for ref in ("a1", "a2", "a3", "a4")]
    assert set(await store.match(refs)) == {Ref("alpha", "a4")}
    assert await store.requeue(owing, [1, 2], 1_100.0) == []
    lease = await store.lease(LANE, 1_100.0, 10)
    assert sorted(lease.messages, key=lambda m: m.id) == back


async def test_a_message_is_found_whoevers_it_is(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = asked(rig)
    made = [entry(1, due=2_000.0), entry(2, tenant="b", leased=True)]
    await store.accept(made)
    final = delivered(made[1].message)
    await store.settle(Settlement(finals=[final]))
    first = await store.find_any(1)
    assert first is not None
    assert (first[0], first[1].state, first[1].message) == ("acme", "deferred", made[0].message)
    second = await store.find_any(2)
    assert second is not None
    assert (second[0], second[1].event) == ("b", final.event)
    assert await store.find_any(3) is None


async def test_the_messages_to_a_phone(rig: Rig, entry: MakeEntry, delivered: MakeFinal) -> None:
    store = asked(rig)
    phone, other = "447911000001", "447911000002"
    made = [
        entry(1, to=phone, leased=True),
        entry(2, to=other, text=f"call {phone}"),  # in a text it is no recipient
        entry(3, to=phone, due=2_000.0),
        entry(4, to=phone, tenant="b", leased=True),
        entry(5, to=phone),
    ]
    await store.accept(made)
    finals = [delivered(made[0].message, at=1_001.0), delivered(made[3].message, at=1_002.0)]
    await store.settle(Settlement(finals=finals))

    async def search(limit: int) -> list[tuple[str, int]]:
        found, after = [], None
        while True:
            page = await store.search([phone, "15550100"], after, limit)
            found += [(tenant, record.number) for tenant, record in page.records]
            if page.next is None:
                return found
            after = page.next

    expected = [("acme", 5), ("acme", 3), ("acme", 1), ("b", 4)]
    assert await search(100) == expected
    assert sorted(set(await search(1))) == sorted(expected)
    assert (await store.search(["15550100"], None, 10)).records == []


async def test_campaigns_are_counted_over_their_hours(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = asked(rig)
    rig.now = 36_000.0
    made = [entry(n, campaign="spring", leased=True, expires_at=1e9) for n in (1, 2)]
    await store.accept([*made, entry(3), entry(4, tenant="b", campaign="autumn")])
    rig.now = 2 * 36_000.0
    await store.settle(Settlement(finals=[delivered(made[0].message, at=rig.now)]))
    found = {(one.tenant, one.campaign, one.code): one for one in await store.campaigns(None, 0, 9)}
    assert {key: one.number for key, one in found.items()} == {
        ("acme", "spring", "accepted"): 2,
        ("acme", "spring", "ended delivered"): 1,
        ("b", "autumn", "accepted"): 1,
    }
    mine = await store.campaigns("acme", 11, 9)
    assert {(one.code, one.number) for one in mine} == {("ended delivered", 1)}
    assert await store.campaigns("acme", 21, 9) == []
    assert {one.campaign for one in await store.campaigns(None, 0, 1)} == {"spring"}


async def test_an_hour_is_counted_by_carrier_and_code_over_all_tenants(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = asked(rig)
    rig.now = 10 * 3_600.0
    made = [
        entry(1, campaign="spring", leased=True, expires_at=1e9),
        entry(2, tenant="b", leased=True, expires_at=1e9),
    ]
    await store.accept([*made, entry(3)])
    rig.now = 11 * 3_600.0 + 5.0
    finals = [delivered(one.message, at=rig.now) for one in made]
    counts: dict[Key, int] = {
        ("acme", None, None, "", "deferred quiet_hours"): 2,
        ("b", None, None, "alpha", "sent"): 1,
    }
    await store.settle(Settlement(finals=finals, tallies=counts))
    assert await store.counted_in(10) == [HourCount("", "accepted", 3)]
    assert set(await store.counted_in(11)) == {
        HourCount("", "ended delivered", 2),
        HourCount("", "deferred quiet_hours", 2),
        HourCount("alpha", "sent", 1),
    }
    assert await store.counted_in(12) == []


def test_a_sample_of_a_lane_stands_for_a_minute(message: MakeMessage) -> None:
    means, asked_for = Means(), 0

    def sample() -> list[Message]:
        nonlocal asked_for
        asked_for += 1
        return [message(1, parts=asked_for), message(2, parts=3 * asked_for)]

    assert [means.of(7, at, sample) for at in (0.0, 59.0, 61.0)] == [2.0, 2.0, 4.0]
    assert means.of(8, 61.0, list) == 1.0


async def test_the_opt_outs_of_everybodys_texts_are_listed(rig: Rig) -> None:
    store = asked(rig)
    await store.optout([change("447911000001", scope=GLOBAL), change("447911000002")])
    assert [one.number for one in await store.optout_list(GLOBAL, "", 10)] == ["447911000001"]
    assert [one.number for one in await store.optout_list("acme", "", 10)] == ["447911000002"]
    assert await store.optout_list(GLOBAL, "447911000001", 10) == []


async def test_records_of_changes_are_kept_for_a_year_and_more(rig: Rig) -> None:
    store = asked(rig)
    first = await store.note_change(None, 1_000.0, b"begun")
    second = await store.note_change(None, 1_001.0, b"two")
    assert await store.note_change(first, 1_000.0, b"done") == first
    both = [Change(second, 1_001.0, b"two"), Change(first, 1_000.0, b"done")]
    assert await store.changes(NEWEST, 10) == both
    assert await store.changes(second, 10) == both[1:]
    assert await store.changes(NEWEST, 1) == both[:1]
    await rig.crash()
    store = asked(rig)
    assert await store.changes(NEWEST, 10) == both

    while await store.prune(1e9, 100):
        pass
    year = 366 * 86_400.0
    third = await store.note_change(None, 1_000.0 + year, b"three")
    assert len(await store.changes(NEWEST, 10)) == 3
    fourth = await store.note_change(None, 1_002.0 + KEPT, b"four")
    assert [one.number for one in await store.changes(NEWEST, 10)] == [fourth, third]
    assert first < second < third < fourth


def test_a_filter_takes_what_has_all_that_is_given() -> None:
    lane = LaneKey("acme", "marketing", "uk", "spring")
    assert Which().takes(lane)
    assert Which("acme", "spring", "marketing", "uk").takes(lane)
    for other in (Which("b"), Which("acme", "x"), Which(category="otp"), Which(route="fr")):
        assert not other.takes(lane)


async def test_an_outcome_that_retention_took_is_not_found(
    rig: Rig, entry: MakeEntry, message: MakeMessage
) -> None:
    store = asked(rig)
    await store.accept([entry(1, leased=True)])
    event = Event("delivered", 1_001.0, "1", to=message(1).to)
    await store.settle(Settlement(finals=[Final(message(1), event)]))
    while await store.prune(2_000.0, 100):
        pass
    assert await store.find_any(1) is None
    assert (await store.search([message(1).to], None, 10)).records == []
