"""What opening and closing a store do, and what a crash leaves."""

import pytest

from gateway.errors import StoreError
from gateway.message import LaneKey
from gateway.queue.store import Count, Held, Recovery, Ref, Sent, Settlement, Store
from tests.queue.asking import opted_out
from tests.queue.contract.rig import LANE, MakeEntry, MakeFinal, Rig


async def test_a_new_store_is_clean_and_empty(rig: Rig) -> None:
    recovery = await rig.reopen()
    assert recovery.node in {0, None}
    assert recovery == Recovery(
        node=recovery.node,
        token=recovery.token,
        clean=True,
        last_id=0,
        last_accepted=0.0,
        lanes={},
        counts=[],
        held=[],
    )


async def test_a_closed_store_refuses_calls(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.aclose()
    with pytest.raises(StoreError):
        await rig.store.accept([entry(1)])
    with pytest.raises(StoreError):
        await opted_out(rig.store, "acme", ["447911123456"])
    await rig.store.open()


async def test_closing_twice_is_closing(store: Store) -> None:
    await store.aclose()
    await store.aclose()
    await store.open()


async def test_an_orderly_end_puts_leased_messages_back_unmarked(
    rig: Rig, entry: MakeEntry
) -> None:
    await rig.store.accept([entry(1), entry(2, leased=True)])
    await rig.store.lease(LANE, 1_000.0, 1)
    recovery = await rig.reopen()
    assert recovery.clean
    assert recovery.lanes == {LANE: 1_000.0}
    leased = await rig.store.lease(LANE, 1_000.0, 10)
    assert leased.messages == [entry(1).message, entry(2).message]


async def test_a_store_that_is_closed_in_doubt_marks_what_was_leased(
    rig: Rig, entry: MakeEntry
) -> None:
    await rig.store.accept([entry(1), entry(2, leased=True)])
    await rig.store.aclose(in_doubt=True)
    recovery = await rig.store.open()
    assert not recovery.clean
    leased = await rig.store.lease(LANE, 1_000.0, 10)
    assert [(m.id, m.maybe_duplicate) for m in leased.messages] == [(1, False), (2, True)]


async def test_a_crash_marks_what_was_leased_and_only_that(rig: Rig, entry: MakeEntry) -> None:
    accepted = [entry(1), entry(2, leased=True), entry(3, due=990.0), entry(4, leased=True)]
    await rig.store.accept(accepted)
    await rig.store.settle(Settlement(sent=[Sent(entry(4).message, "alpha", ("r4",), 9_000.0)]))
    await rig.store.lease(LANE, 995.0, 10)
    recovery = await rig.crash()
    assert not recovery.clean
    leased = await rig.store.lease(LANE, 1_000.0, 10)
    assert [(m.id, m.maybe_duplicate) for m in leased.messages] == [
        (3, True),
        (1, False),
        (2, True),
    ]
    assert (await rig.store.match([Ref("alpha", "r4")]))[Ref("alpha", "r4")].message.id == 4


async def test_opening_tells_what_there_is(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    otp = LaneKey("acme", "otp", "uk")
    held = Held("receipt", "alpha r9", b"receipt", 2_000.0)
    await rig.store.accept(
        [
            entry(1, due=2_000.0),
            entry(2, due=1_500.0),
            entry(3),
            entry(4, leased=True),
            entry(5, category="otp", due=900.0, route="uk"),
            entry(6, route="fr"),
            entry(9, tenant="zeta", leased=True),
        ]
    )
    await rig.store.settle(
        Settlement(
            sent=[Sent(entry(4).message, "alpha", ("r4",), 9_000.0)],
            finals=[delivered(entry(9, tenant="zeta").message)],
            hold=[held],
        )
    )
    recovery = await rig.reopen()
    assert recovery.last_id == 9
    assert recovery.lanes == {LANE: 1_000.0, otp: 900.0, LANE._replace(route="fr"): 1_000.0}
    assert sorted(recovery.counts) == [
        Count("acme", "otp", "queued", 1),
        Count("acme", "transactional", "deferred", 2),
        Count("acme", "transactional", "queued", 2),
        Count("acme", "transactional", "sent", 1),
    ]
    assert recovery.held == [held]


async def test_the_last_id_outlives_its_message(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await rig.store.accept([entry(7, leased=True, accepted_at=1_234.5)])
    await rig.store.accept([entry(6, leased=True, accepted_at=1_000.0)])
    finals = [delivered(entry(n).message) for n in (6, 7)]
    await rig.store.settle(Settlement(finals=finals))
    while await rig.store.prune(9e9, 100):
        pass
    recovery = await rig.reopen()
    assert (recovery.last_id, recovery.last_accepted) == (7, 1_234.5)


async def test_the_epoch_outlives_every_end(rig: Rig) -> None:
    epoch = rig.store.epoch
    assert epoch
    for end in (rig.reopen, rig.crash, rig.crash, rig.reopen):
        await end()
        assert (rig.store.epoch, rig.store.restored) == (epoch, False)
