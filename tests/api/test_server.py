from typing import Any

import pytest
import trio

SUBMIT = {"op": "submit", "id": 1, "messages": [{"to": "1", "text": "x"}]}


async def test_connections_beyond_the_limit_are_told_so(serve: Any) -> None:
    async with serve(max_connections=2) as running:
        first = await running.known()
        await running.known()
        third = await running.peer()
        assert (await third.receive())["error"] == {
            "code": "busy",
            "message": "2 connections are open: try later",
        }
        assert await third.receive() is None
        await first.stream.aclose()
        await running.until(lambda: running.server.stats.connections < 2)
        await running.known()


async def test_many_refused_connections_leave_nothing_behind(running: Any) -> None:
    for _ in range(200):
        peer = await running.peer()
        assert (await peer.hello("wrong"))["error"]["code"] == "unauthenticated"
        await peer.stream.aclose()
    await running.until(lambda: running.server.stats.connections == 0)
    assert running.server.stats.accepted == 200


async def test_draining_finishes_what_is_in_flight_and_takes_nothing_new(
    running: Any, backend: Any
) -> None:
    backend.gate = trio.Event()
    peer = await running.known()
    await peer.ask(op="subscribe", consumer="crm")
    await peer.send(SUBMIT)
    await running.until(lambda: backend.groups == [1])
    drained = trio.Event()

    async def drain() -> None:
        await running.server.drain()
        drained.set()

    running.nursery.start_soon(drain)
    refused = await peer.ask(**{**SUBMIT, "id": 2})
    assert (refused["id"], refused["error"]["code"]) == (2, "shutting_down")
    assert not drained.is_set()
    # What is already under way goes on, events and acknowledgements too.
    await backend.happen("late")
    assert (await peer.receive())["events"][0]["text"] == "late"
    assert (await peer.ask(op="ack", consumer="crm", seq=1))["ok"]
    backend.gate.set()
    assert (await peer.receive())["ok"]
    with trio.fail_after(60):
        await drained.wait()
    with pytest.raises(OSError, match="connect"):
        await running.peer()
