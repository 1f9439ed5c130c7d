"""Whoever opens the storage takes it over: the store of before can do no harm any more."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from gateway.errors import StoreFenced
from gateway.queue.store import NEWEST, Settlement, Store
from tests.queue.asking import opted_out
from tests.queue.contract.rig import LANE, MakeEntry, MakeFinal, Rig, change, decoded, notices

Calls = Callable[[Store], Awaitable[object]]

CHANGES: dict[str, Calls] = {
    "lease": lambda s: s.lease(LANE, 9e9, 10),
    "lease_ids": lambda s: s.lease_ids("acme", [1]),
    "lease_campaign": lambda s: s.lease_campaign("acme", "spring", NEWEST, 10),
    "expired": lambda s: s.expired(9e9, 10),
    "optout": lambda s: s.optout([change("1")]),
    "stop": lambda s: s.settle(Settlement(optouts=[change("1", source="keyword")])),
    "told": lambda s: s.settle(Settlement(notices=notices("acme", 1))),
    "acknowledge": lambda s: s.acknowledge("acme", "crm", 1),
    "remember": lambda s: s.remember("forms", b"hex"),
}


@pytest.mark.parametrize("changing", CHANGES)
async def test_a_store_that_was_taken_over_changes_nothing(
    rig: Rig, entry: MakeEntry, changing: str
) -> None:
    await rig.store.accept([entry(1), entry(2, campaign="spring")])
    before = rig.store
    await rig.overtake()
    with pytest.raises(StoreFenced):
        await CHANGES[changing](before)
    await before.aclose()
    assert [m.id for m in (await rig.store.lease(LANE, 9e9, 10)).messages] == [1]
    assert len(await rig.store.lease_campaign("acme", "spring", NEWEST, 10)) == 1
    assert await opted_out(rig.store, "acme", ["1"]) == set()
    assert await rig.store.bounds("acme") == (1, 0)
    assert await rig.store.recall("forms") is None


async def test_messages_of_a_store_that_was_taken_over_are_in_doubt(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    leased, waiting = entry(1, leased=True, due=900.0), entry(2)
    await rig.store.accept([leased, waiting])
    zombie = rig.store
    recovery = await rig.overtake()
    assert not recovery.clean
    with pytest.raises(StoreFenced):
        await zombie.defer([leased.message])
    with pytest.raises(StoreFenced):
        await zombie.settle(Settlement(finals=[delivered(leased.message)]))
    with pytest.raises(StoreFenced):
        await zombie.accept([entry(3, leased=True)])
    taken = (await rig.store.lease(LANE, 1_000.0, 10)).messages
    assert [(m.id, m.maybe_duplicate) for m in taken] == [(1, True), (2, False)]
    await rig.store.settle(Settlement(finals=[delivered(m) for m in taken]))
    assert len(decoded(await rig.store.events("acme", 0, 10))) == 2


async def test_one_that_was_taken_over_lets_go_of_nothing(rig: Rig, entry: MakeEntry) -> None:
    zombie = rig.store
    await rig.overtake()
    await rig.store.accept([entry(1, leased=True)])
    await zombie.aclose()
    recovery = await rig.crash()
    assert not recovery.clean
    [message] = (await rig.store.lease(LANE, 1_000.0, 10)).messages
    assert message.maybe_duplicate


async def test_it_learns_that_it_was_taken_over(rig: Rig, entry: MakeEntry) -> None:
    zombie = rig.store
    with trio.move_on_after(0) as scope:
        await zombie.until_fenced()
    assert scope.cancelled_caught
    await rig.overtake()
    with pytest.raises(StoreFenced):
        await zombie.accept([entry(1)])
    with pytest.raises(StoreFenced, match="taken"):
        await zombie.until_fenced()


async def test_tokens_ascend(rig: Rig) -> None:
    tokens = [(await end()).token for end in (rig.reopen, rig.crash, rig.overtake, rig.reopen)]
    assert tokens == sorted(set(tokens))
