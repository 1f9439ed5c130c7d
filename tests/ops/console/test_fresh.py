import pytest
import trio
from trio.testing import MockClock

from gateway.ops.console.fresh import KEPT, Fresh
from gateway.ops.problems import ProblemError


async def test_many_who_ask_at_once_are_answered_once(autojump_clock: MockClock) -> None:
    asked: list[None] = []

    async def count() -> int:
        await trio.sleep(0.1)
        asked.append(None)
        return len(asked)

    fresh = Fresh(count)
    answers: list[int] = []

    async def ask() -> None:
        answers.append(await fresh())

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(ask)
    assert answers == [1] * 50
    await trio.sleep(KEPT)
    assert await fresh() == 2


async def test_a_problem_is_told_to_all_and_over_once_it_is(autojump_clock: MockClock) -> None:
    stuck = True
    asked = 0

    async def answer() -> str:
        nonlocal asked
        asked += 1
        if stuck:
            raise ProblemError("store_stuck", "the store does not answer")
        return "well"

    fresh = Fresh(answer)
    for _ in range(3):
        with pytest.raises(ProblemError, match="does not answer"):
            await fresh()
    assert asked == 1
    stuck = False
    await trio.sleep(KEPT)
    assert await fresh() == "well"
