"""A backend that lives in memory, a server around it, and a peer that speaks the wire format by
the ``msgpack`` package alone."""

import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgpack
import pytest
import trio
import trio.testing

from gateway.api.connection import Connection
from gateway.api.listen import Listener, listen
from gateway.api.options import ServerOptions
from gateway.api.schema import (
    Accepted,
    Cancelled,
    CancelResult,
    ConsentAction,
    ConsentResult,
    ConsentRow,
    ConsumersAction,
    ConsumerState,
    Counted,
    Erased,
    Error,
    Explained,
    ExplainedStep,
    HandoverAction,
    HandoverResult,
    Imported,
    Into,
    MessageStatus,
    OptoutAction,
    OptoutBy,
    OptoutResult,
    Quoted,
    Rejected,
    Start,
    StatsRow,
    SubmitMessage,
    Template,
    TemplateState,
)
from gateway.api.server import Server
from gateway.api.shared import Shared
from gateway.errors import RequestError

TOKEN = "s3cret"


class Backend:
    """Accepts everything but an empty text, keeps it, and gives out the events it is handed.

    Attributes:
        groups: how many batches came in each call of `submit`.
        gate: `submit` waits for it.
        error: raised by everything that is asked.
    """

    def __init__(self) -> None:
        self.accepted: list[tuple[str, SubmitMessage]] = []
        self.groups: list[int] = []
        self.out: set[str] = set()
        self.consented: list[ConsentRow] = []
        self.staged: dict[str, list[str]] = {}
        self.cursors: dict[tuple[str, str], int] = {}
        self.gate = trio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self._keys: dict[str, str] = {}
        self.epoch = "1f"
        self._chunks: list[tuple[int, bytes]] = []
        self.templates: dict[str, TemplateState] = {}
        self.paused: set[tuple[str, str]] = set()
        self.extended: float | None = None
        self._arrived = trio.Condition()

    def restore(self, epoch: str, kept: int, **cursors: int) -> None:
        """Be what a backup had: so many chunks of events, and cursors."""
        self.epoch = epoch
        self._chunks = self._chunks[:kept]
        self.cursors = {("acme", name): seq for name, seq in cursors.items()}

    @property
    def last(self) -> int:
        return sum(count for count, _ in self._chunks)

    def tokens(self) -> dict[bytes, str]:
        names = {TOKEN: "acme", "other": "umbrella"}
        return {hashlib.sha256(token.encode()).digest(): name for token, name in names.items()}

    async def submit(
        self, tenant: str, batches: Sequence[Sequence[SubmitMessage]]
    ) -> Sequence[Sequence[Accepted | Rejected]]:
        self._fail()
        self.groups.append(len(batches))
        results = [[self._accept(tenant, message) for message in batch] for batch in batches]
        await self.gate.wait()
        return results

    def _accept(self, tenant: str, message: SubmitMessage) -> Accepted | Rejected:
        if not message.text:
            return Rejected(Error("empty_text", "text: empty"))
        if message.key in self._keys:
            return Accepted(self._keys[message.key], 1, "gsm7", duplicate=True)
        self.accepted.append((tenant, message))
        number = f"m{len(self.accepted)}"
        if message.key is not None:
            self._keys[message.key] = number
        return Accepted(number, 1, "gsm7", message.send_at)

    async def quote(
        self, tenant: str, messages: Sequence[SubmitMessage]
    ) -> Sequence[Quoted | Rejected]:
        self._fail()
        return [Quoted(1 + len(m.text) // 153, "gsm7") for m in messages]

    async def status(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> Sequence[MessageStatus | None]:
        self._fail()
        names = [*ids, *(self._keys.get(key, "") for key in keys)]
        return [
            MessageStatus(name, "queued", False, 1.5, 1) if name.startswith("m") else None
            for name in names
        ]

    async def cancel(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str], campaign: str | None
    ) -> Cancelled:
        self._fail()
        if campaign is not None:
            return Cancelled(sum(m.campaign == campaign for _, m in self.accepted))
        names = [*ids, *(self._keys.get(key, "") for key in keys)]
        results = [CancelResult(n, True, "cancelled") if n.startswith("m") else None for n in names]
        return Cancelled(sum(r is not None for r in results), results)

    async def pause(self, tenant: str, campaign: str) -> int:
        self._fail()
        self.paused.add((tenant, campaign))
        return sum(m.campaign == campaign for _, m in self.accepted)

    async def resume(self, tenant: str, campaign: str, extend: float | None) -> int:
        self._fail()
        self.extended = extend
        if (tenant, campaign) not in self.paused:
            return 0
        self.paused.remove((tenant, campaign))
        return sum(m.campaign == campaign for _, m in self.accepted)

    async def stats(
        self, tenant: str, campaign: str | None, since: float | None, until: float | None
    ) -> Counted:
        """Messages of each hour from 0 until the one before ``until``, one hour at a time."""
        self._fail()
        hour = int(since or 0)
        more = until is not None and hour + 1 < until
        row = StatsRow(hour, campaign, accepted=len(self.accepted), outcomes={"delivered": hour})
        return Counted([row], hour + 1 if more else None)

    async def optout(
        self,
        tenant: str,
        action: OptoutAction,
        numbers: Sequence[str],
        source: OptoutBy,
        into: Into | None,
    ) -> Sequence[OptoutResult | Rejected]:
        self._fail()
        before = set(self.out)
        if into is not None:
            self.staged.setdefault(into.name, []).extend(numbers)
        elif action == "add":
            self.out |= set(numbers)
        elif action == "remove":
            self.out -= set(numbers)
        return [OptoutResult(n, n in self.out, (n in before) != (n in self.out)) for n in numbers]

    async def handovers(self, tenant: str, after: str) -> Sequence[HandoverResult]:
        self._fail()
        return [] if after else [HandoverResult("8613912345678", True, False, 1792310404.0)]

    async def erase(self, tenant: str, number: str) -> Erased:
        self._fail()
        return Erased(number.removeprefix("+"), 1, 0, 12, 3, 0)

    async def handover(
        self, tenant: str, action: HandoverAction, numbers: Sequence[str]
    ) -> Sequence[HandoverResult | Rejected]:
        self._fail()
        return [HandoverResult(n, action == "check", action == "close") for n in numbers]

    async def explain(
        self, tenant: str, ids: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Explained | None]:
        self._fail()
        steps = [ExplainedStep(1.5, "accepted")]
        return [
            Explained(one, None, "44", "queued", None, steps, ["accepted"]) if one != "0" else None
            for one in [*ids, *keys]
        ]

    async def consent(
        self,
        tenant: str,
        action: ConsentAction,
        rows: Sequence[ConsentRow],
        into: Into | None,
    ) -> Sequence[ConsentResult | Rejected]:
        self._fail()
        if into is not None:
            self.staged.setdefault(into.name, []).extend(row.number for row in rows)
        self.consented += rows if action == "add" and into is None else []
        known = {row.number for row in self.consented}
        return [
            ConsentResult(
                row.number, row.purpose or "marketing", row.number in known, action == "add",
                row.at, row.source, row.wording, row.by,
            )
            for row in rows
        ]  # fmt: skip

    async def apply(self, tenant: str, name: str, size: int) -> Imported:
        """Nearly all of it holds."""
        self._fail()
        staged = self.staged.get(name, [])
        if len(staged) != size:
            raise RequestError("bad_request", f"size: {len(staged)} changes are staged")
        return Imported(size, 1, size - 1)

    async def consents(self, tenant: str, after: str) -> Sequence[ConsentResult]:
        self._fail()
        known = sorted({row.number for row in self.consented})
        return [ConsentResult(n, "marketing", True, False) for n in known if n > after][:2]

    async def optouts(self, tenant: str, after: str) -> Sequence[OptoutResult]:
        self._fail()
        return [OptoutResult(n, True, False) for n in sorted(self.out) if n > after][:2]

    async def template(self, tenant: str, request: Template) -> Sequence[TemplateState]:
        self._fail()
        if request.action == "put":
            state = TemplateState(request.name or "", 1, 1.5, request.text or "")
            self.templates[state.name] = state
            return [state]
        if request.action == "list":
            names = sorted(name for name in self.templates if name > request.after)
            return [self.templates[name] for name in names[:1]]
        known = self.templates.get(request.name or "")
        if request.action == "delete":
            self.templates.pop(request.name or "", None)
        return [] if known is None else [known]

    async def subscribe(self, tenant: str, consumer: str, start: Start) -> "Feed":
        self._fail()
        cursor = self.cursors.get((tenant, consumer), 0)
        return Feed(self, {"acked": cursor, "start": 0, "now": self.last}[start] + 1)

    async def consumers(
        self, tenant: str, action: ConsumersAction, consumer: str | None
    ) -> Sequence[ConsumerState]:
        self._fail()
        found = [
            ConsumerState(name, seq, self.last - seq, 1.5, False)
            for (owner, name), seq in sorted(self.cursors.items())
            if owner == tenant and consumer in (None, name)
        ]
        if action == "delete":
            for one in found:
                del self.cursors[tenant, one.consumer]
        return found

    async def acknowledge(self, tenant: str, consumer: str, seq: int, epoch: str | None) -> int:
        self._fail()
        name = (tenant, consumer)
        if epoch not in (None, self.epoch):
            return self.cursors.get(name, 0)
        self.cursors[name] = max(seq, self.cursors.get(name, 0))
        return self.cursors[name]

    async def happen(self, *texts: str) -> None:
        """Have one chunk of inbound events, one for each text."""
        first = self.last + 1
        body = b"".join(
            msgpack.packb({"seq": first + i, "type": "inbound", "at": 2.5, "text": text})
            for i, text in enumerate(texts)
        )
        async with self._arrived:
            self._chunks.append((len(texts), body))
            self._arrived.notify_all()

    async def chunks(self, after: int) -> list[tuple[int, bytes]]:
        """The chunks whose first event comes after ``after``."""
        async with self._arrived:
            while after >= self.last:
                await self._arrived.wait()
        chunks = []
        for _, body in self._chunks:
            unpacker = msgpack.Unpacker()
            unpacker.feed(body)
            fresh = [event for event in unpacker if event["seq"] > after]
            if fresh:
                chunks.append((len(fresh), b"".join(map(msgpack.packb, fresh))))
        return chunks

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class Feed:
    """A subscription to a `Backend`."""

    def __init__(self, backend: Backend, first: int) -> None:
        self._backend = backend
        self.next = first
        self.scope = trio.CancelScope()

    async def receive(self) -> Sequence[tuple[int, bytes]]:
        chunks = await self._backend.chunks(self.next - 1)
        self.next += sum(count for count, _ in chunks)
        return chunks


class Peer:
    """The other end of a connection, by ``struct`` and ``msgpack`` alone."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.shared: Shared
        self._buffer = b""

    @staticmethod
    def frame(request: Any) -> bytes:
        body: bytes = msgpack.packb(request)
        return struct.pack(">I", len(body)) + body

    async def send(self, *requests: Any) -> None:
        await self.stream.send_all(b"".join(map(self.frame, requests)))

    async def send_body(self, body: bytes) -> None:
        await self.stream.send_all(struct.pack(">I", len(body)) + body)

    async def receive(self, within: float = 60.0) -> Any:
        """The next frame, or None at the end."""
        with trio.fail_after(within):
            while len(self._buffer) < 4 or len(self._buffer) < 4 + self._length:
                data = await self.stream.receive_some()
                if not data:
                    return None
                self._buffer += data
        body = self._buffer[4 : 4 + self._length]
        self._buffer = self._buffer[4 + self._length :]
        return msgpack.unpackb(body)

    @property
    def _length(self) -> int:
        return int(struct.unpack_from(">I", self._buffer)[0])

    async def ask(self, **request: Any) -> Any:
        await self.send({"id": 1, **request})
        return await self.receive()

    async def hello(self, token: str = TOKEN) -> Any:
        return await self.ask(op="hello", token=token)


class Running:
    """A server that runs, and how to reach it."""

    def __init__(
        self, server: Server, backend: Backend, listeners: list[Listener], nursery: trio.Nursery
    ) -> None:
        self.server = server
        self.backend = backend
        self.nursery = nursery
        self._streams: list[trio.abc.Stream] = []
        socket = getattr(listeners[0], "socket", None)
        self.port: int = socket.getsockname()[1] if socket is not None else 0
        self.address = f"tcp://127.0.0.1:{self.port}"

    async def peer(self) -> Peer:
        """A connection that has not said hello."""
        return self.adopt(await trio.open_tcp_stream("127.0.0.1", self.port))

    def adopt(self, stream: trio.abc.Stream) -> Peer:
        """A peer on a stream that is closed at the end of the test."""
        self._streams.append(stream)
        return Peer(stream)

    async def aclose(self) -> None:
        for stream in self._streams:
            await trio.aclose_forcefully(stream)

    async def known(self) -> Peer:
        """A connection that has."""
        peer = await self.peer()
        assert (await peer.hello())["ok"]
        return peer

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let everybody work until ``condition`` holds."""
        with trio.fail_after(60):
            while not condition():
                await trio.lowlevel.checkpoint()


Serve = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture(scope="session")
def make_backend() -> type[Backend]:
    """For tests that need one for each of their examples."""
    return Backend


@pytest.fixture
def serve(backend: Backend) -> Serve:
    """Runs a server with the options given, on a free port of the loopback or on ``listeners``."""

    @asynccontextmanager
    async def run(
        *, listeners: Sequence[Listener] | None = None, **options: Any
    ) -> AsyncIterator[Running]:
        opened = list(listeners or await listen(["tcp://127.0.0.1:0"]))
        server = Server(backend, ServerOptions(**{"refusal_delay": 0.0, **options}))
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run, opened)
            running = Running(server, backend, opened, nursery)
            try:
                yield running
            finally:
                await running.aclose()
                nursery.cancel_scope.cancel()

    return run


@pytest.fixture
async def connect(backend: Backend, nursery: trio.Nursery) -> Callable[..., Awaitable[Peer]]:
    """Makes a connection that needs no socket, so that the clock may jump: the server's end runs
    with the options given. With ``lockstep`` nothing is buffered between the ends."""

    async def make(*, lockstep: bool = False, **options: Any) -> Peer:
        shared = Shared(backend, ServerOptions(**{"refusal_delay": 0.0, **options}))
        shared.requests = nursery
        pair = trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
        ours, theirs = pair()

        async def serve() -> None:
            shared.stats.connections += 1
            await Connection(theirs, shared).run()
            shared.stats.connections -= 1
            await theirs.aclose()

        nursery.start_soon(serve)
        peer = Peer(ours)
        peer.shared = shared
        return peer

    return make


@pytest.fixture
async def running(serve: Serve) -> AsyncIterator[Running]:
    async with serve() as running:
        yield running


@pytest.fixture
async def peer(running: Running) -> Peer:
    """A connection to a server with default options, hello said."""
    return await running.known()
