"""Bulk goes through in portions and in order."""

import trio
from trio.testing import wait_all_tasks_blocked

from gateway.api.turnstile import Turnstile


async def test_bulk_passes_in_portions_and_in_order() -> None:
    turnstile = Turnstile(10)
    inside: list[str] = []

    async def enter(name: str, messages: int) -> None:
        await turnstile.enter(messages)
        inside.append(name)

    async with trio.open_nursery() as nursery:
        for name, messages in (("a", 6), ("b", 4), ("c", 5), ("d", 1)):
            nursery.start_soon(enter, name, messages)
            await wait_all_tasks_blocked()
        assert inside == ["a", "b"]
        turnstile.leave(4)
        await wait_all_tasks_blocked()
        assert inside == ["a", "b"], "d does not overtake c"
        turnstile.leave(6)
        await wait_all_tasks_blocked()
        assert inside == ["a", "b", "c", "d"]


async def test_a_batch_that_is_larger_goes_alone() -> None:
    turnstile = Turnstile(10)
    await turnstile.enter(50)
    with trio.move_on_after(0) as scope:
        await turnstile.enter(1)
    assert scope.cancelled_caught
    turnstile.leave(50)
    await turnstile.enter(1)


async def test_who_does_not_want_to_wait_overtakes_nobody() -> None:
    turnstile = Turnstile(10)
    assert turnstile.enter_nowait(6)
    assert not turnstile.enter_nowait(5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turnstile.enter, 5)
        await wait_all_tasks_blocked()
        assert not turnstile.enter_nowait(1), "it would fit, but another one waits"
        turnstile.leave(6)
    assert turnstile.enter_nowait(5)
