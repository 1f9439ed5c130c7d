"""What all open pages show is asked for once a second, however many are open."""

import math
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import trio

from gateway.ops.problems import ProblemError

KEPT: Final = 0.5
"""Seconds that an answer is shown: all pages renew themselves together, once a second."""

Answer = TypeVar("Answer")


class Fresh(Generic[Answer]):
    """Asks, and keeps what was answered for ``kept`` seconds."""

    def __init__(self, ask: Callable[[], Awaitable[Answer]], kept: float = KEPT) -> None:
        self._ask = ask
        self._kept = kept
        self._lock = trio.Lock()
        self._at = -math.inf
        self._answers: list[Answer] = []
        self._problem: ProblemError | None = None

    async def __call__(self) -> Answer:
        """The answer, a moment old at most.

        Raises:
            ProblemError: there is none.
        """
        async with self._lock:
            if trio.current_time() - self._at >= self._kept:
                self._answers, self._problem = [], None
                try:
                    self._answers = [await self._ask()]
                except ProblemError as problem:
                    self._problem = problem
                self._at = trio.current_time()
            if self._problem is not None:
                raise ProblemError(self._problem.kind, str(self._problem))
            return self._answers[0]
