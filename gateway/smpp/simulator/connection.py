"""The socket of one connection to a simulated carrier: a task that reads and one that writes.

The writer sends all that is due in one go and sleeps until more is. There is no task and no timer
for a message.
"""

import math
from typing import Final

import trio

from gateway.smpp.simulator.carrier import Carrier
from gateway.smpp.simulator.peer import Peer
from gateway.smpp.simulator.record import Recorder

TICK: Final = 0.002
"""Due times are rounded up to a multiple of this, in seconds, so that a writer wakes at most 500
times a second however due times scatter."""

MAX_UNSENT: Final = 100_000
"""Responses that wait on one connection; past it nothing is read. 40,000 a second with a latency of
two seconds are within it."""

_READ_SIZE = 65_536
_CLOSE_TIMEOUT = 5.0


class Connection:
    """Serves one peer until it is gone."""

    def __init__(
        self, carrier: Carrier, recorder: Recorder | None, stream: trio.abc.Stream, number: int
    ) -> None:
        self._carrier = carrier
        self._stream = stream
        self._peer = Peer(carrier, recorder, number, self._look)
        self._due = trio.Event()
        self._asleep_until = 0.0
        self._sent = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Serve the peer. What it did not answer goes back to its account."""
        try:
            with self._scope:
                async with self._stream, trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    self._peer.ended = True
                    self._scope.deadline = trio.current_time() + _CLOSE_TIMEOUT
                    self._due.set()
        finally:
            self._peer.leave(trio.current_time())

    def drop(self) -> None:
        """Close the connection without a word."""
        if not self._scope.cancel_called:
            self._carrier.dropped += 1
            self._scope.cancel()

    def _look(self) -> None:
        """Wake the writer if it would sleep too long."""
        if self._peer.next_due() < self._asleep_until:
            self._due.set()

    async def _read(self) -> None:
        peer = self._peer
        while not peer.ended:
            while peer.unsent > MAX_UNSENT:
                self._sent = trio.Event()
                await self._sent.wait()
            try:
                data = await self._stream.receive_some(_READ_SIZE)
            except trio.BrokenResourceError:
                return
            if not data:
                return
            peer.receive(bytes(data), trio.current_time())
            if peer.dropped:
                self.drop()
            self._look()

    async def _write(self) -> None:
        peer = self._peer
        while True:
            self._due = due = trio.Event()
            ended = peer.ended
            frames = peer.due(trio.current_time())
            if peer.dropped:
                self.drop()
            if frames:
                try:
                    await self._stream.send_all(b"".join(frames))
                except trio.BrokenResourceError:
                    self._scope.cancel()
                self._sent.set()
            elif ended:
                return
            else:
                self._asleep_until = _next_tick(peer.next_due())
                with trio.CancelScope(deadline=self._asleep_until):
                    await due.wait()
                self._asleep_until = 0.0


def _next_tick(due: float) -> float:
    return math.ceil(due / TICK) * TICK if due < math.inf else due
