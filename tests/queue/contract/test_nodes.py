"""`Store.introduce`, `Store.vacate` and `OperatorStore.move`, where there is one node."""

from typing import cast

from gateway.queue.operators import OperatorStore
from gateway.queue.store import Slot
from tests.queue.contract.rig import Rig


async def test_one_node_has_all_and_gives_nothing_up(rig: Rig) -> None:
    store = cast("OperatorStore", rig.store)
    await store.introduce("1.0", "c0ffee", {"alpha": 2}, 0.0)
    await store.vacate([Slot("alpha", 0)])
    await store.move("somebody", away=True)
    assert not store.shared
    assert not store.lapsed
    for one in await store.nodes():
        assert (one.here, one.alive, one.config, one.share) == (True, True, "c0ffee", 1.0)
        assert (one.moved, one.slots) == (False, {})
