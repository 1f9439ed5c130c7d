"""Lets bulk work through in portions, so that what is urgent never finds a long queue at the disk.

A campaign that is handed over as fast as it can be read would fill the store's queue with batches,
and a one-time password would wait for all of them. Bulk passes here first, in order of arrival, so
that only so many messages of it are with the store at a time; what is urgent does not pass here.
"""

import trio


class Turnstile:
    """Holds so many messages at most; a single batch that is larger goes alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._queue = trio.Lock()  # first come, first served
        self._left = trio.Event()

    async def enter(self, messages: int) -> None:
        """Wait until there is room for so many; `leave` must follow."""
        if self._queue.locked() or not self._fits(messages):
            async with self._queue:
                while not self._fits(messages):
                    await self._left.wait()
                self._inside += messages
        else:
            self._inside += messages

    def leave(self, messages: int) -> None:
        """So many messages are durable, or refused."""
        self._inside -= messages
        self._left.set()
        self._left = trio.Event()

    def _fits(self, messages: int) -> bool:
        return not self._inside or self._inside + messages <= self._most
