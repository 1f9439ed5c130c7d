"""`Store.refuse` and `refusals`, and the lives of messages that have ended."""

from typing import Any

from gateway.message import Life, Step
from gateway.queue.store import Refused, Settlement
from tests.queue.contract.rig import MakeEntry, MakeFinal, Rig


def refused(key: str | None = "k", at: float = 10.0, **fields: Any) -> Refused:
    made = Refused("acme", "447911123456", key, at, "opted_out", "optout", "has opted out", "5f1d")
    return made._replace(**fields)


async def test_refusals_are_found_by_their_key(rig: Rig) -> None:
    await rig.store.refuse([])
    first, again, other = refused(), refused(at=20.0, code="expired", rule=None), refused("other")
    await rig.store.refuse([first, refused(None), other])
    await rig.store.refuse([again, refused(tenant="umbrella")])
    await rig.crash()
    assert await rig.store.refusals("acme", ["k", "none"]) == {"k": [first, again]}
    assert await rig.store.refusals("umbrella", ["k"]) == {"k": [refused(tenant="umbrella")]}
    assert await rig.store.refusals("nobody", ["k"]) == {}
    assert await rig.store.refusals("acme", []) == {}


async def test_they_go_with_the_history(rig: Rig) -> None:
    await rig.store.refuse([refused(at=float(n)) for n in range(10)])
    while await rig.store.prune(5.0, 2):
        pass
    kept = (await rig.store.refusals("acme", ["k"]))["k"]
    assert [one.at for one in kept] == [5.0, 6.0, 7.0, 8.0, 9.0]


async def test_the_life_of_a_message_is_kept_with_its_outcome(
    rig: Rig, entry: MakeEntry, delivered: MakeFinal
) -> None:
    step = Step(5.0, "deferred", "quiet_hours", 7.0, "night")
    one = entry(1, accepted_at=5.0, config="5f1d", steps=(step,))
    await rig.store.accept([one, entry(2)])
    [record], _ = await rig.store.find("acme", [1], ())
    assert record is not None
    assert record.message is not None
    assert record.message.steps == (step,)
    await rig.store.settle(Settlement(finals=[delivered(one.message)]))
    await rig.crash()
    [record], _ = await rig.store.find("acme", [1], ())
    assert record is not None
    assert record.life == Life(5.0, "5f1d", (step,))
