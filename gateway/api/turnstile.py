"""Lets things through as there is room for them, first come, first served.

Two things pass here. Bulk on its way into the store: a campaign that is handed over as fast as it
can be read would fill the store's queue with batches, and a one-time password, which does not pass,
would wait for all of them. And what the connections of one tenant hold in memory, so that it is
bounded whatever they send.
"""

import trio


class Turnstile:
    """Holds so much at most, in messages or in bytes; a single thing that is larger goes alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._queue = trio.Lock()  # first come, first served
        self._left = trio.Event()

    @property
    def crowded(self) -> bool:
        """Whether somebody waits."""
        return self._queue.locked()

    def enter_nowait(self, size: int) -> bool:
        """Go in if nobody waits and there is room for so much; says whether it is in, and then
        `leave` must follow."""
        if self._queue.locked() or not self._fits(size):
            return False
        self._inside += size
        return True

    async def enter(self, size: int) -> None:
        """Wait until there is room for so much; `leave` must follow."""
        if not self.enter_nowait(size):
            async with self._queue:
                while not self._fits(size):
                    await self._left.wait()
                self._inside += size

    def leave(self, size: int) -> None:
        """So much needs no room any more."""
        self._inside -= size
        if self.crowded:
            self._left.set()
            self._left = trio.Event()

    def _fits(self, size: int) -> bool:
        return not self._inside or self._inside + size <= self._most
