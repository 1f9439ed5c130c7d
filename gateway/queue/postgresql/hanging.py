"""A server that hangs while its machine still acknowledges what is sent: TCP takes it to be there.

Whoever waits for its answer asks it something by another connection, which every server answers at
once, whatever else it waits for: locks, standbys, a slow disk. One that does not answer that either
hangs, and its connection is cut; from then on all is as where a connection is lost.
"""

import os
import socket
import struct
import time
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import Ready

T = TypeVar("T")

SILENCE: Final = 2.0
"""Seconds without a word after which a server is asked whether it is there."""

PROBE: Final = 3.0
"""Seconds in which it has to answer that."""

_ASK: Final = struct.pack("!ii", 8, 80877103)
"""SSLRequest: answered with one octet, before a server looks who asks, and without a line in its
log (PostgreSQL, Frontend/Backend Protocol, 55.2.11)."""


class Impatient(psycopg.Connection[Any]):
    """A connection that is cut where its server hangs, within `SILENCE` and `PROBE`."""

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: PQGen[T]) -> PQGen[T]:
        since = 0.0
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready != Ready.NONE:
                    since = 0.0
                elif not since:
                    since = time.monotonic()
                elif time.monotonic() > since + SILENCE:
                    since = 0.0
                    if not answers(self.info):
                        self._cut()
                wanted = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result

    def _cut(self) -> None:
        with socket.socket(fileno=os.dup(self.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)


def answers(server: psycopg.ConnectionInfo) -> bool:
    """Whether a server answers whoever asks it, in time."""
    until = time.monotonic() + PROBE
    local = server.host.startswith("/")
    with socket.socket(socket.AF_UNIX) if local else socket.socket(_family(server)) as probe:
        try:
            probe.settimeout(PROBE)
            if local:
                probe.connect(f"{server.host}/.s.PGSQL.{server.port}")
            else:
                probe.connect((server.hostaddr, server.port))
            probe.settimeout(max(0.001, until - time.monotonic()))
            probe.sendall(_ASK)
            return bool(probe.recv(1))
        except OSError:
            return False


def _family(server: psycopg.ConnectionInfo) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server.hostaddr else socket.AF_INET
