"""What comes in on one connection: reads requests as fast as there is room for them, and no faster.

What is held of frames is bounded over all connections of a tenant, by the length that they announce
(`gateway.api.shared.Tenant`). A frame that is not small has room for all of it before more than one
read of it is taken, so it can always be completed; what has no room stays in the socket.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import trio

from gateway import sockets
from gateway.api.frames import FrameReader
from gateway.api.options import ServerOptions
from gateway.api.outbox import Outbox
from gateway.api.shared import SMALL, Tenant
from gateway.api.turnstile import Turnstile

READ: Final = SMALL
"""Bytes read at a time, at most. They, and the small frame that they complete, are all that a
connection holds without having room for it."""

SLACK: Final = 0.5
"""Seconds for which a client may be idle beyond its time: a deadline that moves with every frame is
not cheap."""


class StalledError(Exception):
    """A large frame does not come, and others wait for its room."""


class Arrival(NamedTuple):
    """Bodies of frames that came together, and the room that they have: ``turnstile.leave(size)``
    once they are answered."""

    bodies: list[bytes]
    turnstile: Turnstile
    size: int


class Inlet:
    """One connection's requests as they come.

    Attributes:
        idle: a scope to read in; it is cancelled when nothing happens for long, see `touch`.

    Args:
        free: says how many requests may be taken now, at least one.
    """

    def __init__(
        self,
        stream: trio.abc.ReceiveStream,
        frames: FrameReader,
        tenant: Tenant,
        outbox: Outbox,
        options: ServerOptions,
        free: Callable[[], int],
    ) -> None:
        self.idle = trio.CancelScope()
        self._stream = stream
        self._frames = frames
        self._tenant = tenant
        self._outbox = outbox
        self._options = options
        self._free = free
        self._room = 0  # bytes that the large frame has that is being read

    def touch(self) -> None:
        """Something was done for the client, or by it."""
        deadline = trio.current_time() + self._options.idle_timeout
        if not deadline <= self.idle.deadline <= deadline + SLACK:
            self.idle.deadline = deadline + SLACK

    async def receive(self) -> Arrival | None:
        """Wait for requests; None at the end.

        Raises:
            FrameTooLargeError: where the next frame begins cannot be told.
            StalledError: others need the room.
        """
        while True:
            if not self._room and self._frames.announced > SMALL:
                size = self._frames.announced
                await self._enter(self._tenant.large, size)
                self._room = size
            if self._room:
                body = self._frames.next_frame()
                if body is not None:
                    size, self._room = self._room, 0
                    self.touch()
                    return Arrival([body], self._tenant.large, size)
            elif bodies := self._frames.next_frames(self._free(), SMALL):
                size = sum(map(len, bodies))
                await self._enter(self._tenant.small, size)
                return Arrival(bodies, self._tenant.small, size)
            data = await self._read()
            if not data:
                return None
            self._outbox.heard()
            self._frames.receive(data)

    def close(self) -> None:
        """Nothing more is to be read. What came of a frame is dropped."""
        self._frames.clear()
        self._tenant.large.leave(self._room)
        self._room = 0

    async def _enter(self, turnstile: Turnstile, size: int) -> None:
        """Wait for room. The client can do nothing about it, so no time runs against it."""
        if not turnstile.enter_nowait(size):
            self.idle.deadline = math.inf
            self._outbox.waive(True)
            await turnstile.enter(size)
            self._outbox.waive(False)
        self.touch()

    async def _read(self) -> bytes | bytearray:
        """The next bytes; none at the end."""
        if not self._room:
            return await sockets.receive(self._stream, READ)
        while True:
            with trio.move_on_after(self._options.stall_timeout):
                return await sockets.receive(self._stream, READ)
            if self._tenant.large.crowded:
                raise StalledError
