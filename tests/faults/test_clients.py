"""What clients do wrong to a gateway that others use: none of it costs the others anything, or the
gateway more than it can say beforehand."""

import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trio

from gateway.message import Event
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import Notice, Settlement

TOKEN = "correct horse battery staple"
"""The token of the site's tenant."""

SOON = 10.0
"""Seconds for an answer on a busy machine: what waited for those who do wrong would wait for as
long as they are there."""

ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER of a connection that ends with a reset."""


def frame(**fields: Any) -> bytes:
    body: bytes = msgpack.packb(fields)
    return len(body).to_bytes(4, "big") + body


def hello() -> bytes:
    return frame(op="hello", id=0, token=TOKEN)


def submit_one(client: Any) -> float:
    """Submit a message; returns the seconds until the answer."""
    began = time.monotonic()
    [result] = client.ask("submit", messages=[{"to": "8613900000000", "text": "x"}])["results"]
    assert "message_id" in result
    return time.monotonic() - began


def settled(vitals: Callable[[Any], Any], process: Any, files: int) -> Any:
    """The vitals once no more than so many files are open."""
    deadline = time.monotonic() + 60
    while (found := vitals(process)).files > files:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_connections_that_are_abandoned(
    site: Any, vitals: Callable[[Any], Any], long_or_short: Callable[[float, float], float]
) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    client = site.client()
    submit_one(client)
    chance = random.Random(5)
    whole = hello() + frame(op="submit", id=1, messages=[{"to": "8613900000000", "text": "x"}])
    waits: list[float] = []
    total = int(long_or_short(10_000, 2_000))
    before = vitals(gateway)
    for done in range(0, total, 100):
        crowd = []
        for _ in range(100):
            one = socket.create_connection(("127.0.0.1", site.api), timeout=60)
            crowd.append(one)
            if chance.random() < 0.5:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            with contextlib.suppress(OSError):
                one.sendall(whole[: chance.randrange(len(whole) + 1)])
        waits.append(submit_one(client))
        for one in crowd:
            one.close()
        if done == total // 4:
            before = settled(vitals, gateway, before.files)
    after = settled(vitals, gateway, before.files)
    assert after.memory - before.memory < 20
    assert after.threads <= before.threads
    assert after.lines < 300
    assert sorted(waits)[len(waits) // 2] < 2.0
    assert max(waits) < SOON


def test_clients_that_submit_and_never_read(site: Any, vitals: Callable[[Any], Any]) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    client = site.client()
    submit_one(client)
    before = vitals(gateway)
    stuck = []
    messages = [{"to": f"86139{n:08}", "text": "x" * 50} for n in range(2_000)]
    for _ in range(4):
        one = socket.create_connection(("127.0.0.1", site.api))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stuck.append(one)
        one.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            one.sendall(hello())
            for number in range(200):
                one.sendall(frame(op="quote", id=number, messages=messages))
            pytest.fail("nothing ever held it up")
        assert submit_one(client) < SOON
    # For each, a window of 64 requests and their answers, and no more.
    assert vitals(gateway).memory - before.memory < 4 * 64 * 0.5
    for one in stuck:
        one.close()
    settled(vitals, gateway, before.files)
    assert submit_one(client) < SOON


@pytest.mark.slow  # 320 MB pass through sockets
def test_almost_a_frame_on_many_connections(site: Any, vitals: Callable[[Any], Any]) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    client = site.client()
    submit_one(client)
    before = vitals(gateway)
    size = 8 * 1024 * 1024
    text = "x" * (size // 10_000 - 40)
    messages = [{"to": f"86139{n:08}", "text": text} for n in range(10_000)]
    almost = frame(op="quote", id=1, messages=messages)
    assert len(almost) > 0.95 * size
    crowd = []
    strangers = []
    for _ in range(40):
        one = socket.create_connection(("127.0.0.1", site.api))
        one.sendall(hello())
        crowd.append(one)
        two = socket.create_connection(("127.0.0.1", site.api))
        two.setblocking(False)
        two.send(size.to_bytes(4, "big") + bytes(100_000))
        strangers.append(two)
    left = [almost[:-1]] * 40
    for one in crowd:
        one.setblocking(False)
    deadline = time.monotonic() + 4
    moved = time.monotonic()
    while time.monotonic() < min(deadline, moved + 1):
        for number, one in enumerate(crowd):
            with contextlib.suppress(BlockingIOError):
                sent = one.send(left[number][: 1 << 18])
                left[number] = left[number][sent:]
                moved = time.monotonic()
    # Three whole ones, and of the others a read each.
    assert sum(map(bool, left)) > 20, "somebody had to wait"
    assert vitals(gateway).memory - before.memory < 70
    assert submit_one(client) < SOON
    for one in (*crowd, *strangers):
        one.close()
    settled(vitals, gateway, before.files)
    assert submit_one(client) < SOON


async def fill(path: Path, count: int) -> None:
    """Write a history of events for the tenant ``shop``."""
    store = SqliteStore(str(path), synchronous="normal")
    await store.open()
    at = time.time()
    step = 20_000
    for first in range(0, count, step):
        await store.settle(
            Settlement(
                notices=[
                    Notice("shop", Event("inbound", at, text=f"No. {first + n}", to="123"))
                    for n in range(step)
                ]
            )
        )
    await store.aclose()


@pytest.mark.own_store
def test_a_million_events_that_nobody_acknowledges(site: Any, vitals: Callable[[Any], Any]) -> None:
    count = 1_000_000
    trio.run(fill, site.folder / "gateway.db", count)
    site.carrier("alpha")
    gateway = site.gateway()
    before = vitals(gateway)
    slow = [site.client() for _ in range(5)]
    for number, one in enumerate(slow):
        # Asked for, and never read: the socket fills, and then nothing more comes.
        one.send("subscribe", consumer=f"slow-{number}", **{"from": "start"})
    client = site.client()
    assert submit_one(client) < SOON
    fast = site.client()
    seqs = [event["seq"] for event in fast.events(count)]
    assert seqs[:count] == list(range(1, count + 1))
    assert vitals(gateway).memory - before.memory < 60
    assert submit_one(client) < SOON
    # A slow one that goes on after all misses nothing.
    reader, found = slow[0], 0
    while found < 20_000:
        for event in reader.receive().get("events", []):
            found += 1
            assert event["seq"] == found
