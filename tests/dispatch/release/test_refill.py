from typing import Any

import pytest
import trio

from gateway.queue import lanes


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes that hold little."""
    monkeypatch.setattr(lanes, "MINIMUM", 4)
    monkeypatch.setattr(lanes.Lanes.__init__, "__defaults__", (lanes.BUDGET, 20))


@pytest.mark.usefixtures("small")
async def test_a_backlog_that_is_all_blocked_is_gone_at_once(
    open_world: Any, make_settings: Any
) -> None:
    async with open_world() as world:
        world.bind.lose()
        for first in range(0, 300, 25):
            await world.accepted(*(f"{n:03}" for n in range(first, first + 25)))
        await world.service.optout("acme", "add", ["447400123456"])
        world.bind.come_up()
        await world.calm()
        # Nobody has to wait for a nap to be over between one lane's worth and the next.
        assert len(await world.outcomes()) == 300
        await world.check_finished()


@pytest.mark.usefixtures("small")
async def test_a_backlog_beyond_a_lane_s_capacity_goes_out_in_order(open_world: Any) -> None:
    async with open_world() as world:
        ids = []
        for first in range(0, 300, 25):
            ids += await world.accepted(*(f"{n:03}" for n in range(first, first + 25)))
        assert world.dispatch.lanes.statistics().messages <= 20
        for _ in range(31):
            await world.deliver()
        assert world.bind.texts == [f"{n:03}" for n in range(300)]
        assert await world.outcomes() == dict.fromkeys(ids, "delivered")
        await world.check_finished()


async def test_a_lease_that_fails_is_made_again(world: Any, autojump_clock: object) -> None:
    await world.accepted({"send_at": world.clock() + 5, "text": "late"})
    world.store.failing = {"lease"}
    await trio.sleep(10)
    await world.accepted("fresh")
    assert world.bind.texts == []  # it does not overtake what waits in the store
    world.store.failing = set()
    await trio.sleep(2)
    assert world.bind.texts == ["late", "fresh"]
    await world.deliver()
    await world.check_finished()


async def test_messages_wake_at_their_times(world: Any, autojump_clock: object) -> None:
    now = world.clock()
    await world.accepted(*({"send_at": now + n, "text": f"{n}"} for n in (9, 3, 6)))
    for wait, texts in [(2.9, []), (1.2, ["3"]), (3, ["3", "6"]), (3, ["3", "6", "9"])]:
        await trio.sleep(wait)
        assert world.bind.texts == texts
