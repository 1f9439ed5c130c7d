"""`Store.find`: what became of a tenant's messages."""

from gateway.message import Life, message_id
from gateway.queue.store import Record, Sent, Settlement
from tests.queue.contract.rig import MakeEntry, MakeFinal, Rig


async def test_find_tells_where_messages_are(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = rig.store
    made = [
        entry(1, key="one", due=2_000.0),
        entry(2, key="two"),
        entry(3, key="three", leased=True),
        entry(4, key="four", leased=True),
        entry(5, key="five", leased=True),
        entry(6, tenant="b", key="one"),
    ]
    await store.accept(made)
    rig.now = 1_020.0
    final = delivered(made[4].message, at=1_015.0)
    await store.settle(
        Settlement(sent=[Sent(made[3].message, "alpha", ("7",), 9_000.0)], finals=[final])
    )
    expected = [
        Record(1, 1_000.0, message=made[0].message, state="deferred"),
        Record(2, 1_000.0, message=made[1].message, state="queued"),
        Record(3, 1_000.0, message=made[2].message, state="queued"),
        Record(4, 1_020.0, message=made[3].message, state="sent"),
        Record(5, 1_015.0, event=final.event, life=Life(1_000.0)),
    ]
    by_number, by_key = await store.find(
        "acme", [5, 4, 3, 2, 1, 6, 7], ["none", "one", "two", "three", "four", "five"]
    )
    assert by_number == [*reversed(expected), None, None]
    assert by_key == [None, *expected]
    assert await store.find("nobody", [1], ["one"]) == ([None], [None])
    assert await store.find("acme", [], []) == ([], [])
    rig.now = 2_000.0
    assert (await store.find("acme", [1], []))[0] == [
        Record(1, 1_000.0, message=made[0].message, state="queued")
    ]


async def test_find_tells_outcomes_of_every_chunk(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    numbers = range(1, 1_300)
    await rig.store.accept([entry(n, leased=True) for n in numbers])
    order = sorted(numbers, key=lambda n: n * 7_919 % 1_301)
    await rig.store.settle(Settlement(finals=[delivered(entry(n).message) for n in order]))
    await rig.reopen()
    records, _ = await rig.store.find("acme", list(numbers), [])
    assert [r and r.event and r.event.message_id for r in records] == [
        message_id(n) for n in numbers
    ]
