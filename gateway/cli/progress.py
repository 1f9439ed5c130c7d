"""How far a long command has come: a bar on a terminal, now and then a plain line elsewhere."""

import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

STDERR: Final = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
"""Prints above the bar while there is one."""

BAR_EVERY: Final = 0.1
LINE_EVERY: Final = 5.0
"""Seconds between two looks at how far it has come."""


class Meter:
    """Shows progress on stderr while it is entered.

    Args:
        total: bytes to be read, None where nobody knows.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._every = BAR_EVERY if STDERR.is_terminal else LINE_EVERY
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=STDERR,
            transient=True,
            disable=not STDERR.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)
        self._started = time.monotonic()
        self._next = self._started + self._every

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._started

    @property
    def due(self) -> bool:
        """Whether it is time for `show`."""
        return time.monotonic() >= self._next

    def show(
        self, done: int, accepted: int, duplicates: int, refused: int, without_room: int
    ) -> None:
        """``done`` bytes have been read, and so many messages answered, or wait for room in the
        queue."""
        rate = (accepted + duplicates + refused) / max(self.seconds, 0.001)
        # A file that is sent again consists of nothing else; one that is new has none.
        again = f"{duplicates:,} duplicates, " if duplicates else ""
        told = f"{accepted:,} accepted, {again}{refused:,} refused, {rate:,.0f}/s"
        if without_room:
            told += f", {without_room:,} wait for room in the queue"
        self.tell(done, told)

    def tell(self, done: int, told: str) -> None:
        """``done`` bytes have been read, of which so much is ``told``."""
        self._next = time.monotonic() + self._every
        if STDERR.is_terminal:
            self._bar.update(self._task, completed=done, description=told)
        else:
            share = f" {100 * done // self._total}%" if self._total else ""
            print(f"{self.seconds:.0f} s{share}: {told}", file=sys.stderr)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._bar.stop()
