"""What waits to be written to one peer: one task writes, the others put bytes down and go on.

Frames that are put down while a write is under way leave together in the next one, and no frame
ever lands inside another. Used by the server and by the trio client, so it needs trio only.
"""

import math
from collections.abc import Callable
from typing import Final

import trio

_PIECE: Final = 256 * 1024
"""Bytes given to the socket at a time; each piece has the whole timeout, so a peer that reads
slowly but steadily is not cut off."""

_ROOM: Final = 256 * 1024
"""Bytes that may wait before producers of events are held up: one write's worth."""


class Outbox:
    """The bytes on their way to one peer.

    Attributes:
        buffer: append whole frames here, then call `wake`.
        closed: nothing more will be written.
    """

    def __init__(self, on_sent: Callable[[int], None]) -> None:
        """``on_sent`` is told how many of the answers announced to `wake` have been written, or
        were dropped because the peer has gone."""
        self.buffer = bytearray()
        self._answers = 0
        self._on_sent = on_sent
        self.closed = False
        self._writer = trio.lowlevel.ParkingLot()
        self._producers = trio.lowlevel.ParkingLot()

    def wake(self, answers: int = 0) -> None:
        """Have what was appended written; ``answers`` of its frames are answers."""
        self._answers += answers
        if self.closed:
            self._drop()
        else:
            self._writer.unpark()

    async def room(self) -> None:
        """Wait until little is waiting to be written."""
        while len(self.buffer) > _ROOM:
            await self._producers.park()

    async def write(self, stream: trio.abc.SendStream, patience: float) -> bool:
        """Write until the peer has gone (False) or leaves a piece unread for ``patience`` seconds
        (True)."""
        try:
            with trio.CancelScope() as scope:  # one for all pieces: entering one is not cheap
                while True:
                    while not self.buffer:
                        await self._writer.park()
                    data, self.buffer = self.buffer, bytearray()
                    answers, self._answers = self._answers, 0
                    self._producers.unpark_all()
                    try:
                        with memoryview(data) as view:
                            for start in range(0, len(data), _PIECE):
                                scope.deadline = trio.current_time() + patience
                                await stream.send_all(view[start : start + _PIECE])
                        scope.deadline = math.inf
                    finally:
                        self._on_sent(answers)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        finally:
            self.close()
        return True

    def close(self) -> None:
        """The peer has gone: what waits for it, and what may yet come, is dropped."""
        self.closed = True
        self._drop()

    def _drop(self) -> None:
        self.buffer.clear()
        answers, self._answers = self._answers, 0
        self._on_sent(answers)
