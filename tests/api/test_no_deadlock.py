"""A client that never has more than ``max_in_flight`` requests unanswered may write without reading
and never blocks, whatever the sockets buffer: the promise of docs/api.md, at any size."""

import random
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trio
import trio.testing
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api import blocking, client
from gateway.api.connection import Connection
from gateway.api.frames import FrameReader, frame
from gateway.api.listen import Listener, server_context
from gateway.api.options import ServerOptions, TlsOptions
from gateway.api.shared import Shared

TOKEN = "s3cret"
SMALL = 4096
"""Octets of a socket's buffer; the system doubles it, or takes its own least."""


def submit(number: int, messages: int, length: int) -> bytes:
    each = {"to": "447700900123", "text": "x" * length}
    request = {"op": "submit", "id": number, "messages": [each] * messages}
    return frame(msgpack.packb(request))


class Talker:
    """One task that writes and reads in turn, and counts as a client does: what is unanswered."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._frames = FrameReader(1 << 26)
        self.unanswered = 0

    async def write(self, request: bytes) -> None:
        self.unanswered += 1
        await self._stream.send_all(request)

    async def read(self) -> Any:
        while (body := self._frames.next_frame()) is None:
            data = await self._stream.receive_some(SMALL)
            assert data, "the server has ended the connection"
            self._frames.receive(data)
        self.unanswered -= 1
        return msgpack.unpackb(body)

    async def hello(self) -> None:
        await self.write(frame(msgpack.packb({"op": "hello", "id": 0, "token": TOKEN})))
        assert (await self.read())["ok"]

    async def converse(self, requests: Sequence[bytes], most: int, eager: float, seed: int) -> None:
        """Ask everything and take every answer; writes where it may, ``eager`` of the time, though
        there is something to read."""
        chance = random.Random(seed)
        waiting = list(reversed(requests))
        read = 0
        while read < len(requests):
            may_write = waiting and self.unanswered < most
            if may_write and (not self.unanswered or chance.random() < eager):
                await self.write(waiting.pop())
            else:
                assert (await self.read())["ok"]
                read += 1


requests_ = st.lists(
    st.tuples(st.sampled_from((0, 1, 20, 400, 6000)), st.sampled_from((1, 100))), max_size=24
)


@given(
    sizes=requests_,
    most=st.sampled_from((1, 2, 3, 8)),
    eager=st.sampled_from((0.2, 0.5, 0.9, 1.0)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_in_any_order_of_writing_and_reading_with_nothing_buffered(
    make_backend: Any, sizes: list[tuple[int, int]], most: int, eager: float, seed: int
) -> None:
    requests = [submit(n, count, length) for n, (count, length) in enumerate(sizes)]

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            shared = Shared(make_backend(), ServerOptions(max_in_flight=most))
            shared.requests = nursery
            ours, theirs = trio.testing.lockstep_stream_pair()
            nursery.start_soon(Connection(theirs, shared).run)
            talker = Talker(ours)
            await talker.hello()
            with trio.fail_after(30):  # the clock jumps there once nobody can go on
                await talker.converse(requests, most, eager, seed)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


# --- over sockets ---


async def listeners(kind: str, tmp_path: Path) -> tuple[list[Listener], Any]:
    """A listener whose connections buffer little, and how to connect to it likewise."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    where: Any = str(tmp_path / "s") if kind == "unix" else ("127.0.0.1", 0)
    sock = socket.socket(family)
    limit(sock)
    sock.bind(where)
    sock.listen()
    listener: Any = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    where = sock.getsockname()
    trust = None
    if kind == "tls":
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        context = server_context(TlsOptions(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
        listener = trio.SSLListener(listener, context, https_compatible=True)
        trust = ssl.create_default_context()
        authority.configure_trust(trust)

    async def connect() -> trio.abc.Stream:
        ours = socket.socket(family)
        limit(ours)
        ours.setblocking(False)
        wrapped = trio.socket.from_stdlib_socket(ours)
        await wrapped.connect(where)
        stream: trio.abc.Stream = trio.SocketStream(wrapped)
        if trust is not None:
            stream = trio.SSLStream(stream, trust, server_hostname="127.0.0.1")
        return stream

    return [listener], connect


def limit(sock: socket.socket) -> None:
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, SMALL)


@pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
@pytest.mark.parametrize("eager", [0.5, 1.0])
async def test_over_sockets_that_buffer_little(
    serve: Any, tmp_path: Path, kind: str, eager: float
) -> None:
    opened, connect = await listeners(kind, tmp_path)
    async with serve(listeners=opened, max_in_flight=8) as running:
        talker = Talker(running.adopt(await connect()).stream)
        await talker.hello()
        # Small and large ones by turns, larger in both directions than all that is buffered.
        requests = [submit(n, (1, 2000)[n % 2], 100) for n in range(40)]
        with trio.fail_after(60):
            await talker.converse(requests, 8, eager, seed=5)
        assert not running.server.stats.closed


async def test_memory_is_bounded_by_what_may_be_in_flight(
    connect: Any, backend: Any, autojump_clock: Any
) -> None:
    """One who asks for more than that without reading is held up, not served from memory."""
    peer = await connect(lockstep=True, max_in_flight=4)
    await peer.hello()
    talker = Talker(peer.stream)
    with trio.move_on_after(30) as stuck:
        for n in range(40):
            await talker.write(submit(n, 10_000, 1))
    assert stuck.cancelled_caught
    assert sum(backend.groups) <= 5


@pytest.mark.parametrize("max_in_flight", [1, 2, 16])
async def test_both_clients_send_the_same_messages_twice(
    serve: Any, tmp_path: Path, max_in_flight: int
) -> None:
    messages = [{"to": f"4477009{n:05}", "text": "x" * 150, "key": str(n)} for n in range(30_000)]
    opened, _ = await listeners("unix", tmp_path)
    address = f"unix://{tmp_path}/s"

    def script() -> list[Any]:
        with blocking.connect(address, TOKEN) as connection:
            return connection.submit(messages)  # type: ignore[arg-type]

    async with serve(listeners=opened, max_in_flight=max_in_flight) as running:
        with trio.fail_after(300):
            first = await trio.to_thread.run_sync(script)
            again = await trio.to_thread.run_sync(script)
            async with client.connect(address, TOKEN) as connection:
                third = await connection.submit(messages)  # type: ignore[arg-type]
        assert not running.server.stats.closed
    assert not any(result.duplicate for result in first)
    assert all(result.duplicate for result in [*again, *third])
