"""`Store.overdue` and `oldest`: what has stood for long."""

from gateway.queue.store import Owed, Sent, Settlement, Store
from tests.queue.contract.rig import MakeEntry, MakeFinal, Rig


async def test_overdue_tells_sent_messages_past_their_deadline(
    store: Store, entry: MakeEntry
) -> None:
    await store.accept([entry(n, leased=True) for n in range(1, 5)])
    deadlines = [1_300.0, 1_100.5, 1_200.0]
    sent = [Sent(entry(n).message, "a", (str(n),), d) for n, d in enumerate(deadlines, 1)]
    await store.settle(Settlement(sent=sent))
    late = [Owed(entry(2).message, b"\0", 1_000.0), Owed(entry(3).message, b"\0", 1_000.0)]
    assert await store.overdue(1_200.0, 10) == late
    assert await store.overdue(9e9, 2) == late
    assert await store.overdue(1_100.0, 10) == []


async def test_the_oldest_are_told_by_tenant_category_and_place(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = rig.store
    await store.accept(
        [
            entry(1, due=900.0),
            entry(2, due=950.0, category="otp"),
            entry(3, due=1_100.0, category="otp"),
            entry(4, due=5_000.0, tenant="umbrella"),
            entry(5, due=800.0, leased=True),
            entry(6, due=700.0, leased=True, campaign="spring"),
            entry(7, due=910.0, campaign="spring"),
        ]
    )
    found = {(o.tenant, o.category, o.place): o.since for o in await store.oldest(rig.now)}
    assert found == {
        ("acme", "transactional", "waiting"): 900.0,
        ("acme", "otp", "waiting"): 950.0,
    }
    rig.now = 1_010.0
    await store.settle(Settlement(sent=[Sent(entry(6).message, "alpha", ("r6",), 90_000.0)]))
    rig.now = 1_020.0
    await store.settle(Settlement(sent=[Sent(entry(5).message, "alpha", ("r5",), 90_000.0)]))
    [sent] = [one for one in await store.oldest(rig.now) if one.place == "sent"]
    assert (sent.tenant, sent.category, sent.since) == ("acme", "transactional", 1_010.0)
    await store.settle(Settlement(finals=[delivered(entry(6).message)]))
    [sent] = [one for one in await store.oldest(rig.now) if one.place == "sent"]
    assert sent.since == 1_020.0
