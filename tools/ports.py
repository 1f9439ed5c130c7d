"""Ports of the loopback for programs that must be told where to listen before they do: those of
tests, benchmarks and the demonstration, any number of which may run at the same time.

A port that the system names and that is closed again is anybody's until the program listens there:
another one is given the same, or a connection takes it that somebody opens meanwhile. So these are
below what systems give away by themselves (Linux begins at 32,768), and each process has a block of
its own, for as long as it runs.
"""

import functools
import itertools
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 20_000
LAST: Final = 32_000
BLOCK: Final = 100
"""Ports of a process. One is given anew after so many others, by when nobody listens there, or it
is passed over."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 at which nobody listens, and which no other process is given here."""
    _, ports = _block()
    for port in itertools.islice(ports, BLOCK):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"this process uses all of its {BLOCK} ports")


@functools.cache
def _block() -> tuple[socket.socket, Iterator[int]]:
    """The ports of this process, and what says that they are: a UDP socket at the first of them,
    which no program that listens there by TCP is in the way of."""
    for first in range(FIRST, LAST, BLOCK):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
            continue
        return claim, itertools.cycle(range(first, first + BLOCK))
    raise RuntimeError(f"other processes have taken all ports from {FIRST} to {LAST}")
