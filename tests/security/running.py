"""A whole gateway, less its process and its sockets: server, dispatch and a store, with two tenants
and a carrier that is not there; and a peer that speaks the wire format by ``msgpack`` alone."""

import hashlib
import itertools
import math
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import trio
import trio.testing

from gateway.api.options import ServerOptions
from gateway.api.server import Server
from gateway.config import load
from gateway.dispatch.core import Dispatch
from gateway.ops.metrics import Metrics
from gateway.queue.operators import OperatorStore

TENANTS = {"acme": "10690001", "rival": "10690002"}
"""The tenants with the one sender of each. A tenant's token is its name twice."""

CONFIGURATION = """
[[carriers]]
id = "absent"
host = "127.0.0.1"
port = 1
system_id = "u"
password = "p"
"""

TENANT = """
[[tenants]]
id = "{id}"
token_sha256 = ["{token}"]
senders = ["{sender}"]
category = "transactional"
max_queued = {max_queued}
"""


def configuration(*tenants: str, max_queued: int = 1000) -> str:
    """A configuration with these tenants."""
    tables = [
        TENANT.format(
            id=tenant,
            token=hashlib.sha256(2 * tenant.encode()).hexdigest(),
            sender=TENANTS[tenant],
            max_queued=max_queued,
        )
        for tenant in tenants
    ]
    return CONFIGURATION + "".join(tables)


class Peer:
    """A client's connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = b""
        self._ids = itertools.count(1)

    async def send(self, op: str, **fields: Any) -> None:
        body = msgpack.packb({"id": next(self._ids), "op": op, **fields})
        await self.stream.send_all(struct.pack(">I", len(body)) + body)

    async def receive(self) -> Any:
        """The next frame, or None at the end."""
        with trio.fail_after(60):
            while len(self._buffer) < 4 or len(self._buffer) < 4 + self._length:
                data = await self.stream.receive_some()
                if not data:
                    return None
                self._buffer += data
        end = 4 + self._length
        body, self._buffer = self._buffer[4:end], self._buffer[end:]
        return msgpack.unpackb(body)

    @property
    def _length(self) -> int:
        return int(struct.unpack_from(">I", self._buffer)[0])

    async def ask(self, op: str, **fields: Any) -> Any:
        """Send a request and wait for the next frame."""
        await self.send(op, **fields)
        return await self.receive()


class Door(trio.abc.Listener[trio.abc.Stream]):
    """A listener without a socket, so that a test's clock may jump."""

    def __init__(self) -> None:
        self._out, self._in = trio.open_memory_channel[trio.abc.Stream](math.inf)

    async def accept(self) -> trio.abc.Stream:
        return await self._in.receive()

    async def aclose(self) -> None:
        self._in.close()

    def connect(self) -> Peer:
        ours, theirs = trio.testing.memory_stream_pair()
        self._out.send_nowait(theirs)
        return Peer(ours)


class Running:
    """A gateway that runs."""

    def __init__(self, folder: Path, dispatch: Dispatch, server: Server, door: Door) -> None:
        self.server = server
        self._file = folder / "gateway.toml"
        self._dispatch = dispatch
        self._door = door

    def configure(self, *tenants: str, max_queued: int = 1000) -> None:
        """Have these tenants, as a reload does."""
        self._file.write_text(configuration(*tenants, max_queued=max_queued))
        self._dispatch.configure(load(self._file, {}).dispatch)

    def stranger(self) -> Peer:
        """A connection that has not said hello."""
        return self._door.connect()

    async def tenant(self, name: str) -> Peer:
        """A connection of a tenant."""
        peer = self.stranger()
        reply = await peer.ask("hello", token=2 * name)
        assert reply["tenant"] == name
        return peer


@asynccontextmanager
async def running(store: OperatorStore, folder: Path, **options: Any) -> AsyncIterator[Running]:
    """A gateway on ``store``, with every tenant, its server with these options."""
    dispatch = Dispatch(store, Metrics(), time.time)
    dispatch.recover(await store.open())
    server = Server(dispatch.service, ServerOptions(**options))
    door = Door()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(dispatch.run)
            found = Running(folder, dispatch, server, door)
            found.configure(*TENANTS)
            await nursery.start(server.run, [door])
            yield found
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()
