"""`Store.acknowledge`, `consumers`, `seen` and `forget_consumer`: who reads events."""

from gateway.queue.store import Settlement
from tests.queue.contract.rig import Rig, notices


async def cursors(rig: Rig, tenant: str | None = None) -> dict[tuple[str, str], tuple[int, int]]:
    """Where consumers stand, and how far behind they are."""
    found = await rig.store.consumers(tenant)
    return {(one.tenant, one.name): (one.seq, one.lag) for one in found}


async def test_cursors_only_move_forward(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=[*notices("acme", 9), *notices("b", 1)]))
    assert await cursors(rig) == {}
    assert await rig.store.acknowledge("acme", "crm", 7) == 7
    assert await rig.store.acknowledge("acme", "crm", 5) == 7
    assert await rig.store.acknowledge("acme", "crm", 10) == 7
    assert await rig.store.acknowledge("acme", "billing", 3) == 3
    assert await rig.store.acknowledge("b", "crm", 1) == 1
    assert await rig.store.acknowledge("nobody", "crm", 1) == 0
    told = {("acme", "billing"): (3, 6), ("acme", "crm"): (7, 2), ("b", "crm"): (1, 0)}
    assert await cursors(rig) == told
    assert await cursors(rig, "b") == {("b", "crm"): (1, 0)}
    assert await cursors(rig, "nobody") == {}
    await rig.crash()
    assert await cursors(rig) == told


async def test_a_tenant_has_so_many_consumers(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=[*notices("acme", 9), *notices("b", 9)]))
    for name in ("one", "two"):
        assert await rig.store.acknowledge("acme", name, 1, 2) == 1
    assert await rig.store.acknowledge("acme", "three", 1, 2) is None
    assert await rig.store.acknowledge("acme", "one", 5, 2) == 5
    assert await rig.store.acknowledge("b", "three", 1, 2) == 1
    assert not await rig.store.forget_consumer("acme", "three")
    assert not await rig.store.forget_consumer("nobody", "one")
    assert await rig.store.forget_consumer("acme", "one")
    assert await rig.store.acknowledge("acme", "three", 1, 2) == 1
    await rig.crash()
    told = {("acme", "three"): (1, 8), ("acme", "two"): (1, 8), ("b", "three"): (1, 8)}
    assert await cursors(rig) == told


async def test_when_a_consumer_was_seen_is_known(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 9)))

    async def times() -> list[tuple[float, float]]:
        return [(one.since, one.seen) for one in await rig.store.consumers("acme")]

    rig.now = 1_000.0
    await rig.store.acknowledge("acme", "crm", 1)
    rig.now = 1_010.0
    await rig.store.acknowledge("acme", "crm", 1)
    assert await times() == [(1_000.0, 1_010.0)]
    rig.now = 1_020.0
    await rig.store.acknowledge("acme", "crm", 99)
    assert await times() == [(1_000.0, 1_020.0)]
    rig.now = 1_030.0
    await rig.store.seen([("acme", "crm"), ("acme", "other"), ("nobody", "crm")])
    await rig.store.seen([])
    await rig.crash()
    assert await times() == [(1_000.0, 1_030.0)]


async def test_consumers_that_were_not_seen_for_long_are_forgotten(rig: Rig) -> None:
    await rig.store.settle(Settlement(notices=notices("acme", 9)))
    for rig.now, name in ((1_000.0, "old"), (2_000.0, "new"), (1_000.0, "kept")):
        await rig.store.acknowledge("acme", name, 1)
    rig.now = 2_000.0
    await rig.store.seen([("acme", "kept")])
    while await rig.store.prune(1_500.0, 100):
        pass
    assert [one.name for one in await rig.store.consumers()] == ["kept", "new"]
    await rig.reopen()
    assert [one.name for one in await rig.store.consumers()] == ["kept", "new"]
