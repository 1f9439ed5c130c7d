"""Calls from the event loop to a thread."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.queue.threads import Call, CallThread


async def test_a_call_that_is_answered_before_its_group_is_over_goes_on_once() -> None:
    """As one does whose transaction was in doubt, and was looked for by another of its group. To be
    woken twice would end the event loop."""
    applied: list[int] = []

    def serve(calls: Sequence[Call[Any]]) -> None:
        for call in calls:
            call.succeed(call.work())
        thread.answer(calls)

    thread = CallThread("test", serve)
    for number in range(50):
        assert await thread.call(partial(int, number), applied.append) == number
    await thread.stop()
    assert applied == [*range(50)]


class Groups:
    """A thread that does nothing, and the sizes of the groups that it served."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.thread = CallThread("test", self._serve)

    def _serve(self, calls: Sequence[Call[Any]]) -> None:
        self.sizes.append(len(calls))
        for call in calls:
            call.succeed(call.work())


@pytest.fixture
async def groups() -> AsyncIterator[Groups]:
    made = Groups()
    yield made
    await made.thread.stop()


async def test_a_patient_call_shares_the_group_of_the_next(
    groups: Groups, nursery: trio.Nursery
) -> None:
    done: list[str] = []

    async def call(name: str, patience: float) -> None:
        done.append(await groups.thread.call(lambda: name, patience=patience))

    nursery.start_soon(call, "patient", 1_000.0)
    await wait_all_tasks_blocked()
    assert groups.sizes == []
    await call("now", 0.0)
    await wait_all_tasks_blocked()
    assert (groups.sizes, sorted(done)) == ([2], ["now", "patient"])


async def test_a_patient_call_is_made_in_time_though_there_is_no_other(groups: Groups) -> None:
    before = trio.current_time()
    assert await groups.thread.call(lambda: "done", patience=0.01) == "done"
    assert trio.current_time() - before >= 0.01
    assert groups.sizes == [1]
    await trio.lowlevel.checkpoint()  # nothing of its patience is left


async def test_a_patient_call_that_is_given_up_is_made_at_once(groups: Groups) -> None:
    applied: list[str] = []
    with trio.move_on_after(0.01) as scope:
        await groups.thread.call(lambda: "done", applied.append, patience=1_000.0)
    assert applied == ["done"]
    assert scope.cancel_called


async def test_patient_calls_are_made_before_the_end(groups: Groups, nursery: trio.Nursery) -> None:
    done: list[str] = []

    async def call() -> None:
        done.append(await groups.thread.call(lambda: "done", patience=1_000.0))

    nursery.start_soon(call)
    await wait_all_tasks_blocked()
    await groups.thread.stop()
    await wait_all_tasks_blocked()
    assert done == ["done"]


async def test_callers_go_on_in_the_order_of_their_calls(
    groups: Groups, nursery: trio.Nursery
) -> None:
    """Whatever the order in which trio runs tasks that were woken together, which it turns round by
    chance. What one has put back may be in the hands of the next."""
    for _ in range(50):
        done: list[int] = []

        async def call(number: int, patience: float, done: list[int] = done) -> None:
            done.append(await groups.thread.call(lambda: number, patience=patience))

        for number in range(7):
            nursery.start_soon(call, number, 1_000.0)
            await wait_all_tasks_blocked()
        await call(7, 0.0)
        await wait_all_tasks_blocked()
        assert done == [*range(8)]
    assert groups.sizes == [8] * 50
