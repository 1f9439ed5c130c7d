"""Calls from the event loop to a thread."""

from collections.abc import Sequence
from functools import partial
from typing import Any

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
