"""The load generator: campaign systems in a process of their own, on msgpack and sockets alone.

Each tenant has one connection that submits and one that reads events and acknowledges them. Frames
are encoded before the clock starts, as far as memory allows. Without a rate, a bounded number of
batches is in flight (closed loop); with one, batches leave at their appointed times whatever the
gateway does, and every latency counts from those times (open loop). Writes its figures to stdout
as one msgpack map.
"""

import gc
import os
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Any, Final, Literal

import msgspec
import trio
from msgspec import Meta, Struct

from benchmarks.options import add_arguments, arguments, read
from benchmarks.processes import python, tenant_token

TextKind = Literal["one part", "three parts", "chinese"]

_ENGLISH = (
    "Hi {name}, our sale starts Saturday at 9: 20 % off with code {code}. Shop 24 - STOP ends"
)
_CHINESE = "【小店】{name}您好,周六九点大促开始,凭码{code}享八折优惠,回T退订"
TEXTS: Final[dict[TextKind, str]] = {
    "one part": _ENGLISH,
    "three parts": _ENGLISH * 4,
    "chinese": _CHINESE,
}

PREFIX: Final = "86139"
"""What recipients' numbers begin with; eight digits follow that count."""

IN_FLIGHT: Final = 8_000
"""Messages that are not answered yet, in a closed loop: as many batches as that makes."""

MAX_BATCHES: Final = 64
"""Batches in flight at most: what the gateway lets one connection have."""

PREPARED: Final = 300_000
"""Messages encoded before the clock starts, some 60 MB; the rest while it runs."""

READ: Final = 1 << 18


class LoadOptions(Struct, frozen=True, kw_only=True):
    """What to submit, and how."""

    address: Annotated[str, Meta(description="host:port of the gateway")]
    messages: int = 100_000
    batch: int = 1000
    text: TextKind = "one part"
    category: str = "marketing"
    tenants: Annotated[int, Meta(description="who submit in turn")] = 1
    first_tenant: int = 0
    first_number: Annotated[int, Meta(description="the first recipient's last eight digits")] = 0
    rate: Annotated[float, Meta(description="messages a second, open loop; 0: closed loop")] = 0
    sent_every: Annotated[
        int, Meta(description="one message in so many asks for no receipt; 0: none does")
    ] = 0
    accept_only: Annotated[bool, Meta(description="do not wait for outcomes")] = False
    patience: Annotated[float, Meta(description="seconds until it gives up")] = 900


class LoadFigures(Struct, frozen=True):
    """What became of it.

    Attributes:
        seconds: from the first batch to the last event acknowledged (or the last reply).
        accept_seconds: from the first batch to the last reply.
        started_at: Unix seconds of the first batch.
        parts: as the replies counted them.
        cpu: CPU seconds of this process in that time.
        late: seconds by which a batch left too late at worst, in an open loop.
        accepted_after, sent_after, ended_after: in an open loop, seconds from a message's appointed
            time to the reply, to the submit_sm_resp (of those that ask for no receipt: when the
            gateway worked it out) and to the arrival of its event; each an array of doubles.
    """

    messages: int
    seconds: float
    accept_seconds: float
    started_at: float
    refused: int
    parts: int
    outcomes: dict[str, int]
    cpu: float
    late: float
    accepted_after: bytes
    sent_after: bytes
    ended_after: bytes


def doubles(data: bytes) -> "array[float]":
    """The numbers that a field of `LoadFigures` holds."""
    numbers = array("d")
    numbers.frombytes(data)
    return numbers


def load(**options: Any) -> LoadFigures:
    """Run a load generator (see `LoadOptions`) to its end."""
    with started(**options) as running:
        return finished(running)


def started(**options: Any) -> "subprocess.Popen[bytes]":
    """Start a load generator."""
    words = arguments(LoadOptions(**options))
    return subprocess.Popen(python("benchmarks.load", *words), stdout=subprocess.PIPE)


def finished(running: "subprocess.Popen[bytes]") -> LoadFigures:
    """Wait for a load generator to end."""
    output, _ = running.communicate()
    if running.returncode:
        raise SystemExit("the load generator failed")
    return msgspec.msgpack.decode(output, type=LoadFigures)


# --- the process ---


class _Result(Struct, gc=False):
    parts: int = 0
    error: dict[str, str] | None = None


class _Event(Struct, gc=False):
    seq: int
    type: str
    at: float
    to: str = ""


class _Reply(Struct):
    id: int = 0
    ok: bool = True
    error: dict[str, str] | None = None
    results: list[_Result] = []
    events: list[_Event] = []


_decode = msgspec.msgpack.Decoder(_Reply).decode
_encode = msgspec.msgpack.Encoder().encode

_ACK = -1
"""The id of requests that are no batches."""


def frame(request: dict[str, Any]) -> bytes:
    body = _encode(request)
    return len(body).to_bytes(4, "big") + body


def frames(options: LoadOptions, run: int) -> Iterator[bytes]:
    """The submit requests, by their number."""
    text = TEXTS[options.text]
    every = options.sent_every
    defaults = {"category": options.category, "campaign": "benchmark"}
    for index, first in enumerate(range(0, options.messages, options.batch)):
        messages = []
        for number in range(first, min(first + options.batch, options.messages)):
            message = {
                "to": f"{PREFIX}{options.first_number + number:08}",
                "text": text.format(name=f"Kim {number % 977}", code=f"{number % 89_989:05}"),
                "key": f"{run:x}-{options.first_number + number}",
            }
            if every and number % every == 0:
                message["report"] = "none"
            messages.append(message)
        yield frame({"op": "submit", "id": index, "messages": messages, "defaults": defaults})


class Connection:
    """A connection of one tenant, past its hello."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.unsent = bytearray()
        self._buffer = bytearray()

    @classmethod
    async def open(cls, address: str, tenant: int) -> "Connection":
        host, port = address.rsplit(":", 1)
        connection = cls(await trio.open_tcp_stream(host, int(port)))
        connection.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await connection.send({"op": "hello", "id": _ACK, "token": tenant_token(tenant)})
        await connection.receive()
        return connection

    async def send(self, request: dict[str, Any]) -> None:
        await self.stream.send_all(frame(request))

    async def flush(self) -> None:
        data, self.unsent = self.unsent, bytearray()
        if data:
            await self.stream.send_all(data)

    async def receive(self) -> list[_Reply]:
        """What has arrived, at least one frame. Ends the process where a request failed."""
        buffer = self._buffer
        while True:
            found = []
            at = 0
            while len(buffer) >= at + 4:
                end = at + 4 + int.from_bytes(buffer[at : at + 4], "big")
                if len(buffer) < end:
                    break
                found.append(_decode(memoryview(buffer)[at + 4 : end]))
                at = end
            del buffer[:at]
            if refused := [reply.error for reply in found if not reply.ok]:
                raise SystemExit(f"the gateway refused a request: {refused[0]}")
            if found:
                return found
            data = await self.stream.receive_some(READ)
            if not data:
                raise SystemExit("the gateway closed the connection")
            buffer += data


class Load:
    """One run."""

    def __init__(self, options: LoadOptions) -> None:
        self.options = options
        self.outcomes: Counter[str] = Counter()
        self.answered = self.refused = self.parts = self.seen = self.unacknowledged = 0
        self.accept_seconds = self.late = self.started = 0.0
        self.epoch = time.time() - time.monotonic()
        self.interval = options.batch / options.rate if options.rate else 0.0
        self.accepted_after, self.sent_after, self.ended_after = (array("d") for _ in range(3))
        self.room = trio.Semaphore(max(1, min(MAX_BATCHES, IN_FLIGHT // options.batch)))
        self.done = trio.Event()

    async def run(self) -> LoadFigures:
        options = self.options
        owners = range(options.first_tenant, options.first_tenant + options.tenants)
        made = frames(options, time.time_ns())
        ready = list(islice(made, max(1, PREPARED // options.batch)))
        gc.freeze()
        with trio.fail_after(options.patience):
            submitting = [await Connection.open(options.address, tenant) for tenant in owners]
            async with trio.open_nursery() as nursery:
                if not options.accept_only:
                    for tenant in owners:
                        await nursery.start(self._follow, tenant)
                for connection in submitting:
                    nursery.start_soon(self._collect, connection)
                before = time.process_time()
                self.started = time.monotonic()
                submit = self._paced if options.rate else self._flood
                await submit(submitting, chain(ready, made))
                await self.done.wait()
                seconds = time.monotonic() - self.started
                nursery.cancel_scope.cancel()
        return LoadFigures(
            messages=options.messages,
            seconds=seconds,
            accept_seconds=self.accept_seconds,
            started_at=self.started + self.epoch,
            refused=self.refused,
            parts=self.parts,
            outcomes=dict(self.outcomes),
            cpu=time.process_time() - before,
            late=self.late,
            accepted_after=self.accepted_after.tobytes(),
            sent_after=self.sent_after.tobytes(),
            ended_after=self.ended_after.tobytes(),
        )

    async def _flood(self, connections: list[Connection], made: Iterator[bytes]) -> None:
        """Submit while there is room in flight, as much as there is with each write."""
        for index, data in enumerate(made):
            if not self.room.value:
                for connection in connections:
                    await connection.flush()
            await self.room.acquire()
            connections[index % len(connections)].unsent += data
        for connection in connections:
            await connection.flush()

    async def _paced(self, connections: list[Connection], made: Iterator[bytes]) -> None:
        """Submit each batch at its time. In a thread of its own, since the event loop sleeps in
        whole milliseconds."""
        sockets = [socket.socket(fileno=os.dup(c.stream.socket.fileno())) for c in connections]
        for one in sockets:
            one.settimeout(self.options.patience)

        def pace() -> None:
            for index, data in enumerate(made):
                at = self.started + index * self.interval
                wait = at - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                self.late = max(self.late, time.monotonic() - at)
                sockets[index % len(sockets)].sendall(data)

        await trio.to_thread.run_sync(pace)
        for one in sockets:
            one.close()

    def _due(self, batch: int) -> float:
        """When a batch was to leave, in Unix seconds."""
        return self.started + self.epoch + batch * self.interval

    async def _collect(self, connection: Connection) -> None:
        """Read the replies to the batches of one tenant."""
        while True:
            for reply in await connection.receive():
                results = reply.results
                self.answered += len(results)
                self.parts += sum([result.parts for result in results])
                self.refused += sum([result.error is not None for result in results])
                self.room.release()
                if self.interval:
                    after = time.monotonic() + self.epoch - self._due(reply.id)
                    self.accepted_after.extend([after] * len(results))
            if self.answered == self.options.messages:
                self.accept_seconds = time.monotonic() - self.started
            self._look()

    async def _follow(self, tenant: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Read and acknowledge the events of one tenant."""
        connection = await Connection.open(self.options.address, tenant)
        consumer = f"benchmark-{self.options.first_number}"
        await connection.send({"op": "subscribe", "id": _ACK, "consumer": consumer, "from": "now"})
        await connection.receive()
        task_status.started()
        while True:
            last = None
            for reply in await connection.receive():
                if reply.events:
                    self._take(reply.events)
                    last = reply.events[-1].seq
                else:
                    self.unacknowledged -= 1
            if last is not None:
                self.unacknowledged += 1
                await connection.send({"op": "ack", "id": _ACK, "consumer": consumer, "seq": last})
            self._look()

    def _take(self, events: list[_Event]) -> None:
        # A tenant may get events of other load generators' messages too.
        first = self.options.first_number
        mine = [e for e in events if 0 <= int(e.to[5:]) - first < self.options.messages]
        self.seen += len(mine)
        self.outcomes.update([event.type for event in mine])
        if not self.interval:
            return
        now = time.monotonic() + self.epoch
        for event in mine:
            due = self._due((int(event.to[5:]) - first) // self.options.batch)
            self.ended_after.append(now - due)
            if event.type == "sent":
                self.sent_after.append(event.at - due)

    def _look(self) -> None:
        """Is that all?"""
        messages = self.options.messages
        accepted = messages - self.refused
        ended = self.options.accept_only or (self.seen == accepted and not self.unacknowledged)
        if self.answered == messages and ended:
            self.done.set()


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    add_arguments(parser, LoadOptions)
    namespace = parser.parse_args()
    sys.setswitchinterval(0.0002)  # so that the pacing thread is not kept waiting
    options = read(namespace, LoadOptions(address=namespace.address))
    sys.stdout.buffer.write(msgspec.msgpack.encode(trio.run(Load(options).run)))


if __name__ == "__main__":
    main()
