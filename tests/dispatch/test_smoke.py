from typing import Any
import trio
async def test_one(world: Any) -> None:
    ids = await world.accepted("a", "b", "x"*400)
    assert len(world.bind.sent) == 5
    assert world.counts() == {("acme","queued"):3}
    await world.deliver()
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")
    await world.check_finished()
    print(await world.events())
