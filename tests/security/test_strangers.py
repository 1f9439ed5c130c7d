"""Whoever has no valid token: slow to be told, counted, never quoted, cheap and soon gone."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.api.hello import HELLO_MAX
from gateway.queue.memory import MemoryStore
from tests.security.running import running

TOKEN = "correct-horse-battery-staple"


async def test_a_wrong_token_is_slowed_and_counted_and_does_not_show(
    tmp_path: Path, autojump_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(MemoryStore(), tmp_path) as gateway:
        started = trio.current_time()
        seconds = []

        async def guess(token: str) -> None:
            peer = gateway.stranger()
            reply = await peer.ask("hello", token=token)
            seconds.append(trio.current_time() - started)
            assert reply["error"] == {"code": "unauthenticated", "message": "token: not known"}
            assert await peer.receive() is None

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(guess, TOKEN)
            nursery.start_soon(guess, "acme")  # a tenant's name, and half of its token
        assert seconds == pytest.approx([1.0] * 6)
        assert gateway.server.stats.closed == {"unauthenticated": 6}
        assert gateway.server.stats.errors == {"unauthenticated": 6}
    logged = "".join(capsys.readouterr())
    assert logged.count("unauthenticated") == 6
    assert TOKEN not in logged


async def test_a_wrong_token_is_counted_as_one_however_late_it_comes(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with running(MemoryStore(), tmp_path) as gateway:
        peer = gateway.stranger()
        await trio.sleep(9.5)
        assert (await peer.ask("hello", token=TOKEN))["error"]["message"] == "token: not known"
        assert gateway.server.stats.closed == {"unauthenticated": 1}


async def test_strangers_cost_little_and_end_soon(tmp_path: Path, autojump_clock: Any) -> None:
    async with running(MemoryStore(), tmp_path) as gateway:
        started = trio.current_time()
        peers = [gateway.stranger() for _ in range(100)]
        tracemalloc.start()
        for peer in peers:
            # A frame that is announced and never finished.
            await peer.stream.send_all(HELLO_MAX.to_bytes(4, "big") + bytes(HELLO_MAX - 1))
        await trio.testing.wait_all_tasks_blocked()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 100 * 4 * HELLO_MAX
        for peer in peers:
            assert (await peer.receive())["error"]["message"] == "no hello within 10 s"
            assert await peer.receive() is None
        await trio.sleep(1.1)  # so long the server waits for us to close
        assert trio.current_time() - started < 12
        assert gateway.server.stats.closed == {"no_hello": 100}
        assert gateway.server.stats.connections == 0


async def test_where_there_is_no_room_a_crowd_is_turned_away_and_those_inside_are_served(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with running(MemoryStore(), tmp_path, max_connections=1) as gateway:
        inside = await gateway.tenant("acme")
        crowd = [gateway.stranger() for _ in range(200)]
        assert (await inside.ask("status"))["ok"]
        told = [reply for peer in crowd if (reply := await peer.receive()) is not None]
        assert {reply["error"]["code"] for reply in told} == {"busy"}
        assert len(told) == 64
        assert gateway.server.stats.closed == {"too_many": 200}


@pytest.mark.parametrize(
    "op", ["submit", "quote", "status", "cancel", "subscribe", "ack", "optout"]
)
async def test_nothing_is_done_before_hello(tmp_path: Path, autojump_clock: Any, op: str) -> None:
    async with running(MemoryStore(), tmp_path) as gateway:
        peer = gateway.stranger()
        assert not (await peer.ask(op, ids=["1"]))["ok"]
        assert await peer.receive() is None
        assert gateway.server.stats.requests == {}
