"""A carrier that says, over a real socket, exactly the octets that a test gives it; and a whole
gateway on it, less its process: configuration, server, dispatch, binds, a store in memory.

    async with speaking('country_code = "86"') as (gateway, carrier):
        [message] = await gateway.submit("8613912345678", "hello")
        [submit] = await carrier.submits(1)

        await carrier.deliver(deliver_sm(b"TD", source="13912345678", source_ton=2))
        await gateway.event("optout", sender="8613912345678")

What the carrier does of its own accord: it takes every bind and every submit_sm, answers
enquire_link and unbind, and reports nothing. `Carrier.on_submit` and `Carrier.on_bind` change that.
Nothing here waits for a time to pass: a test waits for what is to come, `PATIENCE` at most.
"""

import hashlib
import itertools
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import trio

from gateway.api.options import ServerOptions
from gateway.api.server import Server
from gateway.config import load
from gateway.dispatch.core import Dispatch
from gateway.ops.metrics import Metrics
from gateway.queue.memory import MemoryStore
from tests.dialects import octets
from tests.dialects.octets import RESPONSE, Bind, Submit, cstring, frame
from tests.security.running import Door, Peer

PATIENCE: Final = 60.0
"""Seconds after which what does not come is a failure."""

TOKEN = "correct horse battery staple"

TENANT = """
[[tenants]]
id = "shop"
name = "Shop"
token_sha256 = ["{token}"]
senders = ["10690001", "Shop"]
numbers = ["10690001"]
category = "transactional"
"""

CARRIER = """
[[carriers]]
id = "alpha"
host = "127.0.0.1"
port = {port}
{keys}
"""

ACCOUNT = 'system_id = "shop"\npassword = "secret"\n'


class Line:
    """A connection of the gateway's to the carrier.

    Attributes:
        bind: what it asked for; None before.
    """

    def __init__(self, carrier: "Carrier", stream: trio.SocketStream) -> None:
        self.bind: Bind | None = None
        self._carrier = carrier
        self._stream = stream
        self._sending = trio.Lock()

    async def send(self, data: bytes) -> None:
        """Send octets as they are."""
        async with self._sending:
            await self._stream.send_all(data)

    async def close(self) -> None:
        await self._stream.aclose()

    async def run(self) -> None:
        """Take what the gateway sends apart, until it hangs up."""
        buffer = b""
        try:
            while data := await self._stream.receive_some(65_536):
                buffer += bytes(data)
                while len(buffer) >= 16 and len(buffer) >= (size := int.from_bytes(buffer[:4])):
                    _, command_id, status, sequence = struct.unpack_from(">IIII", buffer)
                    body, buffer = buffer[16:size], buffer[size:]
                    await self._carrier.hear(self, command_id, status, sequence, body)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


OnSubmit = Callable[[Submit, str], bytes]
"""Takes a submit_sm and the id that it would get, and returns what is sent: frames, or nothing."""

OnBind = Callable[[Bind, int], bytes]
"""Takes a bind request and its sequence number, and returns what is sent."""


def accept(submit: Submit, ref: str) -> bytes:
    """The response by the book."""
    return frame(octets.SUBMIT_SM | RESPONSE, submit.sequence, cstring(ref))


def welcome(bind: Bind, sequence: int) -> bytes:
    """The response by the book to a bind."""
    return frame(bind.command_id | RESPONSE, sequence, cstring("alpha"))


class Carrier:
    """The carrier.

    Attributes:
        port: where it listens.
        lines: every connection that is up.
        on_submit, on_bind: what it sends when it is asked for something.
        taken: every submit_sm so far.
        refs: the id of each.
        heard: command_id, status and body of everything else that came.
    """

    def __init__(self) -> None:
        self.port = 0
        self.lines: list[Line] = []
        self.on_submit: OnSubmit = accept
        self.on_bind: OnBind = welcome
        self.taken: list[Submit] = []
        self.refs: list[str] = []
        self.heard: list[tuple[int, int, bytes]] = []
        self._numbers = itertools.count(0x1000)
        self._sequences = itertools.count(1)
        self._answers: dict[int, tuple[int, int, bytes]] = {}
        self._news = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._serve_line, [listener])
            task_status.started()

    async def _serve_line(self, stream: trio.SocketStream) -> None:
        line = Line(self, stream)
        self.lines.append(line)
        async with stream:
            await line.run()
        self.lines.remove(line)
        self._tell()

    # --- what the gateway says ---

    async def hear(
        self, line: Line, command_id: int, status: int, sequence: int, body: bytes
    ) -> None:
        """A PDU came."""
        match command_id:
            case octets.SUBMIT_SM:
                submit = octets.read_submit(sequence, body)
                ref = f"{next(self._numbers):09}"
                self.taken.append(submit)
                self.refs.append(ref)
                await line.send(self.on_submit(submit, ref))
            case octets.BIND_RECEIVER | octets.BIND_TRANSMITTER | octets.BIND_TRANSCEIVER:
                line.bind = octets.read_bind(command_id, body)
                await line.send(self.on_bind(line.bind, sequence))
            case octets.ENQUIRE_LINK | octets.UNBIND:
                self.heard.append((command_id, status, body))
                await line.send(frame(command_id | RESPONSE, sequence))
            case _:
                self.heard.append((command_id, status, body))
                if command_id & RESPONSE:
                    self._answers[sequence] = command_id, status, body
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until something is so."""
        with trio.fail_after(PATIENCE):
            while not what():
                await self._news.wait()

    async def bound(self) -> Line:
        """A connection that is bound, once there is one."""
        await self.until(lambda: any(line.bind for line in self.lines))
        return next(line for line in self.lines if line.bind)

    async def submits(self, count: int) -> list[Submit]:
        """Every submit_sm, once there are so many."""
        await self.until(lambda: len(self.taken) >= count)
        return self.taken

    # --- what it says ---

    async def send(self, data: bytes) -> None:
        """Send octets as they are."""
        await (await self.bound()).send(data)

    async def deliver(
        self, body: bytes, command_id: int = octets.DELIVER_SM
    ) -> tuple[int, int, bytes]:
        """Send a deliver_sm, or another PDU that is answered; returns command_id, status and body
        of the answer."""
        sequence = next(self._sequences)
        await self.send(frame(command_id, sequence, body))
        await self.until(lambda: sequence in self._answers)
        return self._answers.pop(sequence)

    async def report(self, index: int = -1, stat: str = "DELIVRD", **fields: Any) -> None:
        """Send a receipt by the book for a submit_sm, the last one unless told otherwise;
        ``fields`` are those of `octets.deliver_sm`."""
        submit, ref = self.taken[index], self.refs[index]
        text = octets.receipt(ref, stat)
        said: dict[str, Any] = {
            "source": submit.dest,
            "dest": submit.source,
            "esm_class": octets.RECEIPT,
        }
        await self.deliver(octets.deliver_sm(text, **(said | fields)))


class Gateway:
    """The gateway as its tenant ``shop`` and its operator see it.

    Attributes:
        events: what the tenant was told so far.
        metrics: what Prometheus would be told.
    """

    def __init__(self, dispatch: Dispatch, metrics: Metrics, door: Door) -> None:
        self.events: list[dict[str, Any]] = []
        self.metrics = metrics
        self.dispatch = dispatch
        self._door = door
        self._asking: Peer
        self._listening: Peer

    async def connect(self) -> None:
        """Say hello, and subscribe."""
        self._asking, self._listening = self._door.connect(), self._door.connect()
        for peer in (self._asking, self._listening):
            assert (await peer.ask("hello", token=TOKEN))["ok"]
        assert (await self._listening.ask("subscribe", consumer="tests"))["ok"]

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """A request, and the reply to it."""
        reply: dict[str, Any] = await self._asking.ask(op, **fields)
        assert reply["ok"], reply
        return reply

    async def submit(self, to: str, text: str, **fields: Any) -> str:
        """Submit a message, which must be accepted; returns its id."""
        message = {"to": to, "text": text, **fields}
        [result] = (await self.ask("submit", messages=[message]))["results"]
        assert "message_id" in result, result
        return str(result["message_id"])

    async def quote(self, to: str, text: str, **fields: Any) -> dict[str, Any]:
        """What submitting a message would give."""
        message = {"to": to, "text": text, **fields}
        [result] = (await self.ask("quote", messages=[message]))["results"]
        return dict(result)

    async def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first event of a type with these fields, once it is there. ``sender`` is ``from``."""
        wanted = {"from" if name == "sender" else name: value for name, value in fields.items()}
        with trio.fail_after(PATIENCE):
            while True:
                for event in self.events:
                    if event["type"] == kind and wanted.items() <= event.items():
                        return event
                frame = await self._listening.receive()
                assert frame is not None
                self.events += frame["events"]

    async def outcome(self, message_id: str) -> dict[str, Any]:
        """The outcome of a message, once it has one."""
        with trio.fail_after(PATIENCE):
            while True:
                for event in self.events:
                    if event.get("message_id") == message_id:
                        return event
                self.events += (await self._listening.receive())["events"]

    async def opted_out(self, number: str) -> bool:
        """Whether a number has opted out."""
        reply = await self.ask("optout", action="check", numbers=[number])
        return bool(reply["results"][0]["opted_out"])

    def counted(self, name: str) -> dict[str, float]:
        """What a metric says, by its labels as Prometheus writes them: ``{carrier="alpha"}``."""
        found = {}
        for line in self.metrics.snapshot().render().decode().splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name:
                found[series.removeprefix(name)] = float(value)
        return found


@asynccontextmanager
async def speaking(
    keys: str = "",
    *,
    tenant: str = "",
    more: str = "",
    account: str = ACCOUNT,
    on_bind: OnBind = welcome,
) -> AsyncIterator[tuple[Gateway, Carrier]]:
    """A gateway that runs, bound to a carrier that runs.

    Args:
        keys: of the carrier, beside its address and account.
        tenant: keys of the tenant.
        more: whatever else the configuration has.
        account: the carrier's ``system_id`` and ``password``.
        on_bind: what the carrier sends when it is asked to bind.
    """
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    carrier, metrics, door = Carrier(), Metrics(), Door()
    carrier.on_bind = on_bind
    store = MemoryStore()
    dispatch = Dispatch(store, metrics, time.time)
    dispatch.recover(await store.open())
    with TemporaryDirectory() as folder:
        async with trio.open_nursery() as nursery:
            await nursery.start(carrier.serve)
            file = Path(folder) / "gateway.toml"
            file.write_text(
                TENANT.format(token=token)
                + tenant
                + CARRIER.format(port=carrier.port, keys=account + keys)
                + more
            )
            await nursery.start(dispatch.run)
            dispatch.configure(load(file, {}).dispatch)
            server = Server(dispatch.service, ServerOptions())
            await nursery.start(server.run, [door])
            gateway = Gateway(dispatch, metrics, door)
            await gateway.connect()
            await carrier.bound()
            yield gateway, carrier
            nursery.cancel_scope.cancel()
