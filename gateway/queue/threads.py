"""A thread that serves calls made from the event loop, all that wait at a time.

This is what makes group commit: while the thread is busy with one group of calls, the next group
gathers. It knows nothing of SQLite.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar, cast

import trio

from gateway.errors import StoreError

T = TypeVar("T")

GROUP: Final = 64
"""Calls in a group at most: with a thousand messages each, some 30 MB of one transaction."""


PATIENCE: Final = 0.005
"""Seconds that a call waits for others to share its group with, where nobody is held up by it: an
acknowledgement, which would be a commit of its own, and beside much else is hardly ever alone."""


class Call(Generic[T]):
    """Something to do in the thread, and what came of it.

    ``applied`` is called in the event loop with the value, call after call in their order, before
    any caller goes on: it brings what the loop keeps in memory up to the store. Then the callers go
    on in that order (``turn``): one that was given what another has put back finds it put back.
    """

    __slots__ = ("answered", "applied", "caller", "error", "finished", "turn", "value", "work")

    def __init__(self, work: Callable[[], T], applied: Callable[[T], None] | None) -> None:
        self.work = work
        self.applied = applied
        self.answered = self.finished = False
        self.turn = 0
        self.value: T | None = None
        self.error: Exception | None = None
        self.caller: trio.lowlevel.Task | None = None

    def succeed(self, value: T) -> None:
        self.answered, self.value, self.error = True, value, None

    def fail(self, error: Exception) -> None:
        self.answered, self.error = True, error

    def doubt(self) -> None:
        """What came of it is not known yet, whatever came of an attempt before."""
        self.answered, self.error = False, None


class CallThread:
    """A thread and the calls that wait for it.

    Args:
        name: the thread's name.
        serve: does the calls of a group; those that have neither succeeded nor failed when it
            returns are answered later (`answer`). Where it raises, they fail.
    """

    def __init__(self, name: str, serve: Callable[[Sequence[Call[Any]]], None]) -> None:
        self._serve = serve
        self._waiting: queue.SimpleQueue[Sequence[Call[Any]] | None] = queue.SimpleQueue()
        self._riding: list[Call[Any]] = []
        self._turns = self._turn = 0
        self._token = trio.lowlevel.current_trio_token()
        self._ended = trio.Event()
        self._closed = False
        # A daemon, so that an event loop that ends without `stop` does not hang the process.
        threading.Thread(target=self._main, name=name, daemon=True).start()

    async def call(
        self,
        work: Callable[[], T],
        applied: Callable[[T], None] | None = None,
        patience: float = 0.0,
    ) -> T:
        """Do ``work`` in the thread: with what others ask for within ``patience`` seconds, or
        when they are over.

        Once made, a call takes its course: cancellation waits for it, so that nobody gives up on
        a commit that happens nevertheless.
        """
        if self._closed:
            raise StoreError("the store is closed")
        call = Call(work, applied)
        call.caller = trio.lowlevel.current_task()
        self._riding.append(call)
        if patience and self._waiting.empty():
            with trio.move_on_after(patience):
                await trio.lowlevel.wait_task_rescheduled(self._wait_no_longer)
        else:
            self._set_out()
            await trio.lowlevel.wait_task_rescheduled(_not_to_be_cancelled)
        while call.turn != self._turn:  # trio wakes tasks in any order
            await trio.lowlevel.cancel_shielded_checkpoint()
        self._turn += 1
        if call.error is not None:
            raise call.error
        return cast("T", call.value)

    def _set_out(self) -> None:
        """Hand over the calls that were made, together."""
        calls, self._riding = self._riding, []
        if calls:
            self._waiting.put(calls)

    def _wait_no_longer(self, _: object) -> trio.lowlevel.Abort:
        self._set_out()
        return trio.lowlevel.Abort.FAILED

    def post(self, work: Callable[[], T]) -> None:
        """Do ``work`` in the thread, some time; called in any thread."""
        self._waiting.put([Call(work, None)])

    def answer(self, calls: Sequence[Call[Any]]) -> None:
        """Let callers of earlier groups go on; called in the thread."""
        self.soon(lambda: self._finish(calls))

    def soon(self, work: Callable[[], None]) -> None:
        """Do ``work`` in the event loop; called in any thread."""
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(work)

    async def stop(self) -> None:
        """End the thread after the calls that were made."""
        if not self._closed:
            self._closed = True
            self._set_out()
            self._waiting.put(None)
        with trio.CancelScope(shield=True):
            await self._ended.wait()

    def _main(self) -> None:
        ending = False
        while not ending:
            calls: list[Call[Any]] = []
            while not calls or (len(calls) < GROUP and not self._waiting.empty()):
                made = self._waiting.get()
                if made is None:
                    ending = True
                    break
                calls += made
            try:
                if calls:
                    self._serve(calls)
            except Exception as error:  # noqa: BLE001  every caller is told
                for call in calls:
                    if not call.answered:
                        call.fail(error)
            try:
                self._token.run_sync_soon(self._finish, [call for call in calls if call.answered])
            except trio.RunFinishedError:
                return
        self.soon(self._ended.set)

    def _finish(self, group: Sequence[Call[Any]]) -> None:
        """Let callers go on, each once: one that its group had left unanswered may have been
        answered before that group was over."""
        fresh = [call for call in group if not call.finished]
        for call in fresh:
            call.finished = True
            if call.error is None and call.applied is not None:
                call.applied(call.value)
        for call in fresh:
            if call.caller is not None:
                call.turn = self._turns
                self._turns += 1
                trio.lowlevel.reschedule(call.caller)


def _not_to_be_cancelled(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
