"""The load generator: a campaign system in a process of its own, on msgpack and a socket alone.

Submits messages in batches with a bounded number in flight, reads the events of all of them and
acknowledges these; prints one JSON line of figures when each message has its outcome (or, with
``--accept-only``, is accepted).
"""

import argparse
import json
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import trio

TEXT = "Hi {name}, our sale starts Saturday at 9: 20 % off with code {code}. Shop 24 - STOP to end"
CHINESE = "【小店】{name}您好,周六九点大促开始,凭码{code}享八折优惠,回T退订"
IN_FLIGHT = 8
"""Batches that are not answered yet."""

DEADLINE = 600.0
"""Seconds after which a run that does not end is given up."""


def text_of(kind: str, number: int) -> str:
    """A personal text: one part, three parts, or Chinese."""
    base = CHINESE if kind == "chinese" else TEXT
    text = base.format(name=f"Kim {number % 977}", code=f"{number % 89_989:05}")
    return text * 4 if kind == "long" else text


def batches(options: argparse.Namespace, run: int) -> Iterator[bytes]:
    """The submit frames of a run."""
    for first in range(0, options.messages, options.batch):
        messages = [
            {
                "to": f"86139{number % 100_000_000:08}",
                "text": text_of(options.kind, number),
                "key": f"{run}-{number}",
            }
            for number in range(first, min(first + options.batch, options.messages))
        ]
        defaults = {"category": options.category, "campaign": "benchmark"}
        request = {"op": "submit", "id": first, "messages": messages, "defaults": defaults}
        body = msgpack.packb(request)
        yield len(body).to_bytes(4, "big") + body


class Load:
    """One connection that submits and one that reads events."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.outcomes: dict[str, int] = {}
        self.refused = 0
        self.seen = 0
        self.accepted = 0
        self.accept_seconds = 0.0
        self.answered = 0
        self.room = trio.Semaphore(IN_FLIGHT)

    async def connect(self) -> tuple[trio.SocketStream, "Frames"]:
        host, port = self.options.address.rsplit(":", 1)
        stream = await trio.open_tcp_stream(host, int(port))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frames = Frames(stream)
        await send(stream, {"op": "hello", "id": 0, "token": self.options.token})
        [reply] = await frames.next()
        assert reply["ok"], reply
        return stream, frames

    async def run(self) -> dict[str, Any]:
        stream, replies = await self.connect()
        started = time.monotonic()
        with trio.fail_after(DEADLINE):
            async with trio.open_nursery() as nursery:
                if not self.options.accept_only:
                    await nursery.start(self.follow)
                nursery.start_soon(self.collect, replies, started)
                for frame in batches(self.options, int(time.time())):
                    await self.room.acquire()
                    await stream.send_all(frame)
        elapsed = time.monotonic() - started
        return {
            "messages": self.options.messages,
            "seconds": elapsed,
            "rate": self.options.messages / elapsed,
            "accept_rate": self.options.messages / self.accept_seconds,
            "refused": self.refused,
            "outcomes": self.outcomes,
            "cpu_seconds": time.process_time(),
        }

    async def collect(self, replies: "Frames", started: float) -> None:
        """Read the replies to all batches."""
        while self.answered < self.options.messages:
            for reply in await replies.next():
                assert reply["ok"], reply
                self.answered += len(reply["results"])
                self.refused += sum("error" in result for result in reply["results"])
                self.room.release()
        self.accept_seconds = time.monotonic() - started

    async def follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Read and acknowledge events until there is one for each message."""
        stream, frames = await self.connect()
        await send(stream, {"op": "subscribe", "id": 1, "consumer": "bench", "from": "now"})
        ready = False
        while self.seen < self.options.messages - self.refused:
            last = None
            for frame in await frames.next():
                if not ready:
                    ready = True
                    task_status.started()
                for event in frame.get("events", ()):
                    self.outcomes[event["type"]] = self.outcomes.get(event["type"], 0) + 1
                    self.seen += 1
                    last = event["seq"]
            if last is not None:
                await send(stream, {"op": "ack", "id": last, "consumer": "bench", "seq": last})


class Frames:
    """Reads frames off a stream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = bytearray()

    async def next(self) -> list[dict[str, Any]]:
        """The frames that have arrived, at least one."""
        while True:
            found = []
            at = 0
            while len(self.buffer) >= at + 4:
                end = at + 4 + int.from_bytes(self.buffer[at : at + 4], "big")
                if len(self.buffer) < end:
                    break
                found.append(msgpack.unpackb(memoryview(self.buffer)[at + 4 : end]))
                at = end
            del self.buffer[:at]
            if found:
                return found
            data = await self.stream.receive_some(1 << 18)
            if not data:
                raise SystemExit("the gateway closed the connection")
            self.buffer += data


async def send(stream: trio.SocketStream, request: dict[str, Any]) -> None:
    body = msgpack.packb(request)
    await stream.send_all(len(body).to_bytes(4, "big") + body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True, help="host:port of the gateway")
    parser.add_argument("--token", required=True)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--kind", choices=["short", "long", "chinese"], default="short")
    parser.add_argument("--category", default="transactional")
    parser.add_argument("--accept-only", action="store_true")
    figures = trio.run(Load(parser.parse_args()).run)
    json.dump(figures, sys.stdout)
    print()


if __name__ == "__main__":
    main()
