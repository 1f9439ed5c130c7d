"""Sockets in fewer steps than trio's streams take, for what is small and comes often.

A stream of trio's tries to read before it waits, though what it had was read a moment ago, and lets
others go on after each write. Beside a batch of ten messages such steps are most of the cost. What
is no plain socket (TLS, a test's), and whatever goes wrong, is left to the stream.
"""

import os
from typing import Final

import trio

AT_ONCE: Final = 4_096
"""Bytes that are written at once, at most. With more, it is worth a step to have what else comes in
the same turn of the event loop leave in the same write."""


def offer(stream: trio.abc.SendStream, data: bytes | bytearray) -> int:
    """Give a socket a little data without waiting; returns how many bytes it took. Whoever sends
    the rest is told what is the matter. Nobody else may be sending."""
    if len(data) > AT_ONCE or type(stream) is not trio.SocketStream:
        return 0
    try:
        return os.write(stream.socket.fileno(), data)
    except OSError:
        return 0


async def receive(stream: trio.abc.ReceiveStream, most: int) -> bytes | bytearray:
    """What comes next, as ``receive_some`` of the stream gives it."""
    if type(stream) is trio.SocketStream and stream.socket.fileno() >= 0:
        await trio.lowlevel.wait_readable(stream.socket)
        try:
            return os.read(stream.socket.fileno(), most)
        except OSError:
            pass  # gone, or nothing there after all
    return await stream.receive_some(most)
