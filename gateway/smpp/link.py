"""One connection to a carrier and the session on it: how it is made, what is to be written, and how
it ends.

A `Link` gathers octets and writes them, and knows when there are too many; reading, and acting on
what was read, is `gateway.smpp.bind`'s.
"""

import math
from typing import Final

import trio

from gateway import sockets
from gateway.smpp.options import BindOptions
from gateway.smpp.session import MAX_UNANSWERED, Session

MAX_UNWRITTEN: Final = 1 << 20
"""Octets that wait to be written beyond which nothing more is read or submitted. With a window of
thousands it takes a carrier that does not read to get there."""

_FAREWELL: Final = 1.0
"""Seconds for what is unwritten when a session ends: the answer to an unbind, a generic_nack."""


class Link:
    """One connection, and the session on it.

    Attributes:
        reason: why it ends; empty while it does not.
        refused: the status that our bind was refused with, if it was.
        bound_at: when it was accepted; never, until then.
        patient_until: no missing answer is held against the carrier before.
        scope: holds the tasks that serve it.
        progress: where to park until something was written or answered.
        rearm: where to park until there is a new deadline.
    """

    def __init__(self, stream: trio.abc.Stream, session: Session) -> None:
        self.stream = stream
        self.session = session
        self.refused = 0
        self.bound_at = math.inf
        self.patient_until = -math.inf
        self.reason = ""
        self.scope = trio.CancelScope()
        self.progress = trio.lowlevel.ParkingLot()
        self.rearm = trio.lowlevel.ParkingLot()
        self._outgoing = bytearray()
        self._being_written = 0
        self._to_write = trio.lowlevel.ParkingLot()

    @property
    def was_bound(self) -> bool:
        """Whether our bind was accepted, whatever came after."""
        return self.bound_at < math.inf

    @property
    def choked(self) -> bool:
        """Whether too much waits to be written."""
        return len(self._outgoing) + self._being_written >= MAX_UNWRITTEN

    @property
    def swamped(self) -> bool:
        """Whether too many deliveries wait to be answered."""
        return self.session.unanswered >= MAX_UNANSWERED

    def send(self, data: bytes) -> None:
        """Have ``data`` written: at once, or soon, together with what else comes until then."""
        if data and not self._outgoing and not self._being_written:
            data = data[sockets.offer(self.stream, data) :]
        if data:
            self._outgoing += data
            self._to_write.unpark_all()

    def end(self, reason: str) -> None:
        """End the connection once everything is written, or soon."""
        if not self.reason:
            self.reason = reason
            self.scope.deadline = trio.current_time() + _FAREWELL
            self._to_write.unpark_all()

    async def write(self, patience: float) -> None:
        """The task that writes, until the connection ends. A carrier that does not read what
        gathered within ``patience`` seconds is given up."""
        try:
            with trio.CancelScope() as scope:  # one for all writes: entering one is not cheap
                while self._outgoing or not self.reason:
                    if not self._outgoing:
                        await self._to_write.park()
                        continue
                    data, self._outgoing = self._outgoing, bytearray()
                    self._being_written = len(data)
                    scope.deadline = trio.current_time() + patience
                    await self.stream.send_all(data)
                    scope.deadline = math.inf
                    self._being_written = 0
                    self.progress.unpark_all()
            if scope.cancelled_caught:
                self.end("the carrier does not read")
        except trio.BrokenResourceError as error:
            self.end(f"write failed: {cause(error)}")
        self.scope.cancel()


async def connect(options: BindOptions) -> trio.abc.Stream:
    """Connect to a carrier. Raises OSError, UnicodeError, trio.BrokenResourceError or
    trio.TooSlowError where that is not to be had."""
    with trio.fail_after(options.connect_timeout):
        plain = await trio.open_tcp_stream(options.host, options.port)  # sets TCP_NODELAY
        if options.tls is None:
            return plain
        name = options.server_name or options.host
        # Carriers close as HTTP servers do: without a word of TLS.
        secure = trio.SSLStream(plain, options.tls, server_hostname=name, https_compatible=True)
        try:
            await secure.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(plain)
            raise
        return secure


def cause(error: BaseException) -> str:
    """What is at the bottom of an error of trio's, for a log."""
    while root := error.exceptions[0] if isinstance(error, ExceptionGroup) else error.__cause__:
        error = root
    return str(error) or type(error).__name__
