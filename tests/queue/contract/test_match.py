"""`Store.match`: which part a receipt speaks of."""

from gateway.queue.store import Match, Progress, Ref, Sent, Settlement, Store
from tests.queue.contract.rig import MakeEntry, MakeFinal, Rig


async def test_receipts_find_their_part(rig: Rig, entry: MakeEntry, delivered: MakeFinal) -> None:
    two, three = entry(2, leased=True), entry(3, leased=True, parts=3)
    await rig.store.accept([two, three])
    sent = [
        Sent(two.message, "alpha", ("7",), 9_000.0),
        Sent(three.message, "beta", ("7", "8\0", "9"), 9_000.0),
    ]
    rig.now = sent_at = 1_002.5
    await rig.store.settle(Settlement(sent=sent))
    rig.now = 1_005.0
    await rig.store.settle(
        Settlement(progress=[Progress(3, 0, 2, 3), Progress(3, 2, 5, 3), Progress(8, 0, 2, 2)])
    )
    await rig.crash()
    asked = [Ref("alpha", "7"), Ref("beta", "7"), Ref("beta", "8\0"), Ref("beta", "1")]
    found = await rig.store.match([*asked, Ref("gamma", "7")])
    assert found == {
        asked[0]: Match(two.message, 0, b"\0", sent_at),
        asked[1]: Match(three.message, 0, b"\x02\x00\x05", sent_at),
        asked[2]: Match(three.message, 1, b"\x02\x00\x05", sent_at),
    }
    done = delivered(three.message, refs=(Ref("beta", "7"), Ref("beta", "8\0"), Ref("beta", "9")))
    await rig.store.settle(Settlement(finals=[done]))
    assert (await rig.store.match(asked)).keys() == {asked[0]}
    assert await rig.store.match([]) == {}


async def test_a_part_without_a_reference_is_not_looked_for(store: Store, entry: MakeEntry) -> None:
    entries = [entry(1, leased=True, parts=2), entry(2, leased=True)]
    await store.accept(entries)
    refs = [("", "7"), ("",)]
    sent = [Sent(e.message, "alpha", r, 9e3) for e, r in zip(entries, refs, strict=True)]
    await store.settle(Settlement(sent=sent))
    found = await store.match([Ref("alpha", ""), Ref("alpha", "7")])
    assert found == {Ref("alpha", "7"): Match(entries[0].message, 1, b"\0\0", 1_000.0)}


async def test_a_part_whose_message_is_gone_is_left_out(
    store: Store, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True)])
    await store.settle(Settlement(sent=[Sent(entry(1).message, "alpha", ("7",), 9_000.0)]))
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    assert await store.match([Ref("alpha", "7")]) == {}


async def test_a_carrier_that_uses_a_reference_again_means_the_newest(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(1, leased=True), entry(2, leased=True)])
    for n in (1, 2):
        await store.settle(Settlement(sent=[Sent(entry(n).message, "alpha", ("7",), 9_000.0)]))
    found = await store.match([Ref("alpha", "7")])
    assert found[Ref("alpha", "7")].message.id == 2
