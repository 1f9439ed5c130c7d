from typing import Any

import msgpack
import pytest
import trio


async def test_hello_says_who_we_are_and_what_the_limits_are(running: Any) -> None:
    peer = await running.peer()
    reply = await peer.ask(op="hello", id="h", token="s3cret", client="test")
    server = reply.pop("server")
    assert server.startswith("gateway/")
    assert reply == {
        "id": "h",
        "ok": True,
        "tenant": "acme",
        "version": 1,
        "epoch": "1f",
        "limits": {
            "max_frame": 8 * 1024 * 1024,
            "max_batch": 10_000,
            "max_in_flight": 64,
            "idle_timeout": 300.0,
        },
    }


@pytest.mark.parametrize("token", ["", "wrong", "s3cre", "s3cret ", "é"])
async def test_a_wrong_token_is_refused_and_the_connection_ends(running: Any, token: str) -> None:
    peer = await running.peer()
    reply = await peer.hello(token)
    assert reply["error"]["code"] == "unauthenticated"
    assert await peer.receive() is None
    assert running.server.stats.closed == {"unauthenticated": 1}


async def test_no_token_shows_in_the_logs(running: Any, capsys: Any) -> None:
    peer = await running.peer()
    await peer.hello("hunter2")
    await running.known()
    output = "".join(capsys.readouterr())
    assert "hello" in output
    assert "hunter2" not in output
    assert "s3cret" not in output


async def test_nothing_but_hello_is_answered_before_hello(running: Any, backend: Any) -> None:
    peer = await running.peer()
    reply = await peer.ask(op="submit", messages=[{"to": "1", "text": "x"}])
    assert reply["error"] == {"code": "unauthenticated", "message": "op: say hello first"}
    assert await peer.receive() is None
    assert backend.accepted == []


@pytest.mark.parametrize(
    "body",
    [b"\xc1", b"GET / HTTP/1.1", msgpack.packb([1]), msgpack.packb({"op": "hello", "id": 1})],
)
async def test_a_bad_hello_is_refused_and_the_connection_ends(running: Any, body: bytes) -> None:
    peer = await running.peer()
    await peer.send_body(body)
    assert (await peer.receive())["error"]["code"] == "bad_request"
    assert await peer.receive() is None


async def test_a_large_frame_before_hello_is_refused_at_its_header(running: Any) -> None:
    peer = await running.peer()
    await peer.stream.send_all((4097).to_bytes(4))
    reply = await peer.receive()
    assert reply == {
        "id": None,
        "ok": False,
        "error": {
            "code": "frame_too_large",
            "message": "before hello, a frame of 4097 bytes is longer than 4096",
        },
    }
    assert await peer.receive() is None


async def test_something_that_is_no_client_at_all(running: Any) -> None:
    peer = await running.peer()
    await peer.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
    assert (await peer.receive())["error"]["code"] == "frame_too_large"
    assert await peer.receive() is None


async def test_requests_may_follow_hello_without_waiting(running: Any) -> None:
    peer = await running.peer()
    messages = [{"to": "1", "text": "x" * 100}] * 100
    await peer.send(
        {"op": "hello", "id": 0, "token": "s3cret"},
        {"op": "submit", "id": 1, "messages": messages},
    )
    assert (await peer.receive())["id"] == 0
    assert len((await peer.receive())["results"]) == 100


async def test_hello_is_said_once(peer: Any) -> None:
    assert (await peer.hello())["error"]["code"] == "bad_request"
    assert (await peer.ask(op="status"))["ok"]


async def test_one_tenant_cannot_take_every_connection(serve: Any) -> None:
    async with serve(max_tenant_connections=2) as running:
        await running.known()
        second = await running.known()
        third = await running.peer()
        assert (await third.hello())["error"] == {
            "code": "busy",
            "message": "2 connections of yours are open",
        }
        other = await running.peer()
        assert (await other.hello("other"))["tenant"] == "umbrella"
        await second.stream.aclose()
        await running.until(lambda: running.server.stats.connections < 4)
        await running.known()


async def test_guessing_is_slow(connect: Any, autojump_clock: Any) -> None:
    peer = await connect(refusal_delay=1.0)
    start = trio.current_time()
    assert (await peer.hello("wrong"))["error"]["code"] == "unauthenticated"
    assert trio.current_time() - start == pytest.approx(1.0)


@pytest.mark.parametrize("sent", [b"", b"\x00", b"\x00\x00\x00\x10\x82\xa2op"])
async def test_no_hello_in_time(connect: Any, autojump_clock: Any, sent: bytes) -> None:
    peer = await connect(hello_timeout=10.0)
    start = trio.current_time()
    if sent:
        await peer.stream.send_all(sent)
    reply = await peer.receive(20)
    assert reply["error"] == {"code": "unauthenticated", "message": "no hello within 10 s"}
    assert trio.current_time() - start == pytest.approx(10.0)
    assert await peer.receive() is None


async def test_a_client_that_connects_in_a_loop_does_not_fill_the_log(
    running: Any, capsys: Any
) -> None:
    for _ in range(100):
        peer = await running.peer()
        await peer.hello("wrong")
        await peer.stream.aclose()
    assert 20 <= capsys.readouterr().out.count("connection_ended") <= 25
    assert running.server.stats.closed == {"unauthenticated": 100}
