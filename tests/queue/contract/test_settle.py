"""`Store.settle`: what became of messages, each with one outcome."""

import msgspec
import pytest

from gateway.message import Event
from gateway.queue.store import Held, Notice, Ref, Sent, Settlement, Store
from tests.queue.contract.rig import LANE, MakeEntry, MakeFinal, Rig, decoded


async def test_an_outcome_ends_a_message_wherever_it_is(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1), entry(2, leased=True), entry(3, leased=True)])
    await store.settle(Settlement(sent=[Sent(entry(3).message, "alpha", ("r",), 2_000.0)]))
    finals = [delivered(entry(n).message) for n in (1, 2, 3)]
    assert (await store.settle(Settlement(finals=finals))).passed_over == frozenset()
    assert (await store.lease(LANE, 9e9, 10)) == ([], None)
    assert await store.overdue(9e9, 10) == []
    assert [event["message_id"] for event in decoded(await store.events("acme", 0, 10))] == [
        "1",
        "2",
        "3",
    ]


async def test_there_is_never_a_second_outcome(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    once, twice, other = (delivered(entry(n).message) for n in (1, 2, 3))
    never = delivered(entry(8).message)
    assert (await store.settle(Settlement(finals=[once]))).passed_over == frozenset()
    again = Settlement(finals=[once, twice, twice, never, other])
    assert (await store.settle(again)).passed_over == {1, 2, 8}
    told = decoded(await store.events("acme", 0, 10))
    assert [(event["seq"], event["message_id"]) for event in told] == [
        (1, "1"),
        (2, "2"),
        (3, "3"),
    ]
    records, _ = await store.find("acme", [2, 3, 8], [])
    assert [r and r.event and r.event.message_id for r in records] == ["2", "3", None]


async def test_a_settlement_that_fails_is_not_half_done(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True)])
    broken = Notice("acme", Event("inbound", 1_000.0, text="\ud800"))
    with pytest.raises(UnicodeEncodeError):
        await store.settle(Settlement(finals=[delivered(entry(1).message)], notices=[broken]))
    assert await store.bounds("acme") == (1, 0)
    assert (
        await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    ).passed_over == frozenset()
    assert len(decoded(await store.events("acme", 0, 10))) == 1


async def test_what_is_sent_keeps_the_mark_that_it_has_by_then(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2, leased=True)])
    torn = msgspec.structs.replace(entry(1).message, maybe_duplicate=True)
    sent = [Sent(torn, "alpha", ("r1",), 9e3), Sent(entry(2).message, "alpha", ("r2",), 9e3)]
    await rig.store.settle(Settlement(sent=sent))
    await rig.crash()
    found = await rig.store.match([Ref("alpha", "r1"), Ref("alpha", "r2")])
    marks = {ref.ref: match.message.maybe_duplicate for ref, match in found.items()}
    assert marks == {"r1": True, "r2": False}


async def test_what_is_sent_and_final_at_once_is_final(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True)])
    sent = Sent(entry(1).message, "alpha", ("7",), 1_001.0)
    both = Settlement(sent=[sent], finals=[delivered(entry(1).message)])
    assert (await store.settle(both)).passed_over == frozenset()
    assert await store.match([Ref("alpha", "7")]) == {}
    assert await store.overdue(9e9, 10) == []


async def test_held_things_stay_until_dropped(rig: Rig) -> None:
    first, second = Held("receipt", "k\0", b"1", 10.0), Held("receipt", "k\0", b"2", 20.0)
    other, brief = Held("inbound", "k\0", b"3", 10.0), Held("inbound", "z", b"4", 10.0)
    await rig.store.settle(Settlement(hold=[first, other]))
    await rig.store.settle(Settlement(hold=[second, brief], drop=[("inbound", "z")]))
    assert sorted((await rig.crash()).held) == [other, second]
    await rig.store.settle(Settlement(drop=[("receipt", "k\0"), ("receipt", "none")]))
    assert (await rig.crash()).held == [other]
