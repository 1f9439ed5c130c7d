"""What waits to be written to one peer: the others put bytes down and go on, and one task writes
what the socket does not take at once.

Frames that are put down while a write is under way leave together in the next one, and no frame
ever lands inside another. Used by the server and by the trio client, so it needs trio only.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from gateway import sockets

_PIECE: Final = 256 * 1024
"""Bytes given to the socket at a time; each piece has the whole timeout, so a peer that reads
slowly but steadily is not cut off."""

_ROOM: Final = 256 * 1024
"""Bytes that may wait before producers of events are held up: one write's worth."""


def _nothing(_: int) -> None:
    """Nobody waits for answers."""


class Outbox:
    """The bytes on their way to one peer.

    Attributes:
        buffer: append whole frames here, each followed by `answered` if it answers one, then call
            `wake`.
        closed: nothing more will be written.
        waiting: bytes that the socket has not taken, as of the last `wake` or write.
    """

    def __init__(
        self,
        on_sent: Callable[[int], None] = _nothing,
        on_offered: Callable[[int], None] = _nothing,
        on_waiting: Callable[[int], None] = _nothing,
    ) -> None:
        """The first two are told how many more answers (`answered`) have come so far. An answer is
        *offered* before the peer can say that it has read it: before the socket is given its last
        byte, or in the same breath; it is *sent* once the socket has taken it and what was written
        with it. What is dropped because the peer has gone counts as both. ``on_waiting`` is told
        how many bytes more wait, or fewer."""
        self.buffer = bytearray()
        self.closed = False
        self.waiting = 0
        self._under_way = 0  # bytes of the write that is under way
        self._on_waiting = on_waiting
        self._on_offered = on_offered
        self._on_sent = on_sent
        self._ends: deque[int] = deque()  # where answers in `buffer` end
        self._offered = 0  # answers that are not sent yet
        self._stream: trio.abc.SendStream | None = None
        self._sending = trio.CancelScope()
        self._patience = math.inf
        self._waived = False
        self._writer = trio.lowlevel.ParkingLot()
        self._producers = trio.lowlevel.ParkingLot()

    def answered(self) -> None:
        """What was appended ends in an answer."""
        self._ends.append(len(self.buffer))

    def wake(self) -> None:
        """Have what was appended written."""
        if self.closed:
            self._drop()
            return
        if self._stream is not None and not self._under_way:
            self._taken(sockets.offer(self._stream, self.buffer))
        if self.buffer or self.waiting:
            self._weigh()
        if self.buffer:
            self._writer.unpark()

    def _taken(self, size: int) -> None:
        """So many bytes were taken at once."""
        if size:
            self._offer(self._ends, size)
            self._count_sent()
            del self.buffer[:size]
            self._ends = deque([end - size for end in self._ends])

    def heard(self) -> None:
        """The peer gives a sign of life: it may be busy sending, and read what it gets later."""
        if self._patience < math.inf:
            limit = math.inf if self._waived else self._patience
            self._sending.deadline = trio.current_time() + limit

    def waive(self, waived: bool) -> None:
        """The peer is kept from sending for no fault of its own: meanwhile it need not read."""
        self._waived = waived
        self.heard()

    async def room(self) -> None:
        """Wait until little is waiting to be written."""
        while len(self.buffer) > _ROOM:
            await self._producers.park()

    async def write(self, stream: trio.abc.SendStream, patience: float) -> bool:
        """Write until the peer has gone (False), or leaves a piece unread for ``patience`` seconds
        and is not `heard` of (True)."""
        try:
            with self._sending:  # one for all pieces: entering one is not cheap
                self._stream = stream
                while True:
                    while not self.buffer:
                        await self._writer.park()
                    data, self.buffer = self.buffer, bytearray()
                    ends, self._ends = self._ends, deque()
                    self._producers.unpark_all()
                    self._patience = patience
                    await self._pieces(stream, data, ends)
                    self._patience = self._sending.deadline = math.inf
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        finally:
            self.close()
        return True

    async def _pieces(self, stream: trio.abc.SendStream, data: bytearray, ends: deque[int]) -> None:
        try:
            with memoryview(data) as view:
                for start in range(0, len(data), _PIECE):
                    self._under_way = len(data) - start
                    self._weigh()
                    self._offer(ends, start + _PIECE)
                    self.heard()
                    await stream.send_all(view[start : start + _PIECE])
                    self._count_sent()
        finally:
            self._under_way = 0
            self._weigh()
            self._offer(ends, len(data))

    def _offer(self, ends: deque[int], position: int) -> None:
        """Count the answers that end up to a position."""
        offered = 0
        while ends and ends[0] <= position:
            ends.popleft()
            offered += 1
        self._offered += offered
        self._on_offered(offered)

    def _weigh(self) -> None:
        before, self.waiting = self.waiting, len(self.buffer) + self._under_way
        self._on_waiting(self.waiting - before)

    def _count_sent(self) -> None:
        sent, self._offered = self._offered, 0
        self._on_sent(sent)

    def close(self) -> None:
        """The peer has gone: what waits for it, and what may yet come, is dropped."""
        self.closed = True
        self._drop()

    def _drop(self) -> None:
        self._offer(self._ends, len(self.buffer))
        self.buffer.clear()
        self._weigh()
        self._count_sent()
