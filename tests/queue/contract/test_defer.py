"""`Store.defer` and `hasten`: what waits again, and until when."""

import msgspec

from gateway.queue.store import Sent, Settlement, Store
from tests.queue.contract.rig import LANE, MakeEntry, Rig


async def test_deferred_messages_wait_as_they_are_now(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, leased=True), entry(2)])
    await rig.store.settle(Settlement(sent=[Sent(entry(2).message, "alpha", ("r",), 9e9)]))
    fr = LANE._replace(route="fr")
    changed = msgspec.structs.replace(
        entry(1).message, due=1_100.0, attempts=1, route="fr", maybe_duplicate=True
    )
    await rig.store.defer([changed, entry(2).message, entry(3).message])
    recovery = await rig.crash()
    assert recovery.lanes == {fr: 1_100.0}
    assert (await rig.store.lease(fr, 1_100.0, 10)).messages == [changed]
    await rig.store.defer([])


async def test_a_clock_that_was_set_back_delays_only_what_was_put_off(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(1, accepted_at=5_000.0, due=5_000.0)])
    await store.accept([entry(2, accepted_at=5_000.0, due=5_030.0)])
    await store.accept([entry(3, accepted_at=5_000.0, due=5_090.0)])
    await store.accept([entry(4, accepted_at=1_000.0, due=1_000.0)])
    await store.hasten(2_000.0, 60.0)
    lease = await store.lease(LANE, 2_000.0, 10)
    assert sorted(m.id for m in lease.messages) == [1, 2, 4]
    assert lease.next_due == 5_090.0
