"""Flow control, limits and endings of one connection."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.api import shared
from gateway.api.inlet import SLACK

SUBMIT = {"op": "submit", "id": 1, "messages": [{"to": "1", "text": "x"}]}


async def test_a_byte_at_a_time(running: Any) -> None:
    peer = await running.known()
    for byte in peer.frame(SUBMIT):
        await peer.stream.send_all(bytes([byte]))
    assert (await peer.receive())["ok"]


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81\xa2id\xa1\xff"])
async def test_a_broken_body_in_an_intact_frame_costs_only_itself(peer: Any, body: bytes) -> None:
    await peer.send_body(body)
    reply = await peer.receive()
    assert (reply["id"], reply["error"]["code"]) == (None, "bad_request")
    assert (await peer.ask(**SUBMIT))["ok"]


async def test_invalid_utf8_in_a_text_is_refused(peer: Any, backend: Any) -> None:
    data = peer.frame({**SUBMIT, "messages": [{"to": "1", "text": "QQQQ"}]})
    await peer.stream.send_all(data.replace(b"QQQQ", "né!".encode("latin-1") + b"!"))
    reply = await peer.receive()
    assert reply["error"] == {
        "code": "bad_request",
        "message": "messages[0]: a string is not UTF-8",
    }
    assert reply["id"] == 1
    assert backend.accepted == []


async def test_a_frame_that_is_too_large_is_refused_and_the_connection_ends(serve: Any) -> None:
    async with serve(max_frame=1000) as running:
        peer = await running.known()
        await peer.send({**SUBMIT, "id": "before"}, {**SUBMIT, "x": "y" * 10_000})
        assert (await peer.receive())["id"] == "before"
        reply = await peer.receive()
        assert (reply["id"], reply["error"]["code"]) == (None, "frame_too_large")
        assert await peer.receive() is None
        assert running.server.stats.closed == {"frame_too_large": 1}


async def test_a_reply_is_read_though_more_was_being_sent(serve: Any) -> None:
    async with serve(max_frame=1000) as running:
        peer = await running.known()
        await peer.stream.send_all((10**7).to_bytes(4) + bytes(10**6))
        assert (await peer.receive())["error"]["code"] == "frame_too_large"


async def test_a_connection_lost_mid_frame_leaves_nothing_behind(
    running: Any, backend: Any
) -> None:
    peer = await running.known()
    await peer.stream.send_all(peer.frame(SUBMIT)[:-1])
    await peer.stream.aclose()
    await running.until(lambda: running.server.stats.connections == 0)
    assert backend.accepted == []
    assert running.server.stats.in_flight == 0


async def test_what_was_asked_is_carried_out_though_the_client_has_gone(
    running: Any, backend: Any
) -> None:
    backend.gate = trio.Event()
    peer = await running.known()
    await peer.send(SUBMIT)
    await running.until(lambda: backend.groups == [1])
    await peer.stream.aclose()
    backend.gate.set()
    await running.until(lambda: running.server.stats.in_flight == 0)
    await running.until(lambda: running.server.stats.connections == 0)
    assert len(backend.accepted) == 1


async def test_replies_still_come_after_the_client_has_said_its_last(
    running: Any, backend: Any
) -> None:
    backend.gate = trio.Event()
    peer = await running.known()
    await peer.send(SUBMIT)
    await peer.stream.send_eof()
    await running.until(lambda: backend.groups == [1])
    backend.gate.set()
    assert (await peer.receive())["ok"]
    assert await peer.receive() is None


async def test_requests_beyond_the_limit_in_flight_wait_in_the_socket(
    serve: Any, backend: Any
) -> None:
    async with serve(max_in_flight=4) as running:
        backend.gate = trio.Event()
        peer = await running.known()
        await peer.send(*({**SUBMIT, "id": n} for n in range(10)))
        await running.until(lambda: sum(backend.groups) == 4)
        await wait_all_tasks_blocked()
        assert sum(backend.groups) == 4
        assert running.server.stats.in_flight == 4
        backend.gate.set()
        assert {(await peer.receive())["id"] for _ in range(10)} == set(range(10))


async def test_a_client_that_keeps_to_the_limit_may_write_without_reading(serve: Any) -> None:
    async with serve(max_in_flight=8) as running:
        peer = await running.known()
        # Far more in both directions than the sockets buffer.
        messages = [{"to": "447700900123", "text": "x" * 300}] * 10_000
        with trio.fail_after(60):
            for n in range(8):
                await peer.send({"op": "submit", "id": n, "messages": messages})
        for n in range(8):
            reply = await peer.receive()
            assert (reply["id"], len(reply["results"])) == (n, 10_000)


async def test_a_bug_behind_one_connection_ends_that_one_only(
    running: Any, backend: Any, capsys: Any
) -> None:
    peer, other = await running.known(), await running.known()
    backend.error = ZeroDivisionError("a bug")
    await peer.send(SUBMIT)
    assert await peer.receive() is None
    backend.error = None
    assert (await other.ask(**SUBMIT))["ok"]
    assert running.server.stats.closed == {"error": 1}
    assert "a bug" in "".join(capsys.readouterr())


async def test_a_token_that_is_withdrawn_ends_its_connections(running: Any, backend: Any) -> None:
    asking, listening = await running.known(), await running.known()
    await listening.ask(op="subscribe", consumer="crm")
    backend.tokens = dict
    await asking.send(SUBMIT)
    assert await asking.receive() is None
    await backend.happen("secret")
    assert await listening.receive() is None
    assert backend.accepted == []
    assert running.server.stats.closed == {"unauthenticated": 2}


# --- time ---


async def test_an_idle_connection_ends(connect: Any, autojump_clock: Any) -> None:
    peer = await connect(idle_timeout=300.0)
    await peer.hello()
    start = trio.current_time()
    assert await peer.receive(1000) is None
    assert 300.0 <= trio.current_time() - start <= 300.0 + SLACK


async def test_part_of_a_frame_keeps_nothing_alive(connect: Any, autojump_clock: Any) -> None:
    peer = await connect(idle_timeout=300.0)
    await peer.hello()
    start = trio.current_time()
    for byte in peer.frame(SUBMIT)[:2]:
        await trio.sleep(140)
        await peer.stream.send_all(bytes([byte]))
    assert await peer.receive(1000) is None
    assert 300.0 <= trio.current_time() - start <= 300.0 + SLACK


async def test_any_request_keeps_a_connection_alive(connect: Any, autojump_clock: Any) -> None:
    peer = await connect(idle_timeout=300.0)
    await peer.hello()
    for _ in range(3):
        await trio.sleep(250)
        assert (await peer.ask(op="status"))["ok"]


async def test_events_keep_a_connection_alive(
    connect: Any, backend: Any, autojump_clock: Any
) -> None:
    peer = await connect(idle_timeout=300.0)
    await peer.hello()
    await peer.ask(op="subscribe", consumer="crm")
    for _ in range(3):
        await trio.sleep(250)
        await backend.happen("hi")
        assert len((await peer.receive())["events"]) == 1


async def test_a_client_that_does_not_read_is_cut_off_and_hurts_nobody_else(
    connect: Any, backend: Any, autojump_clock: Any
) -> None:
    peer = await connect(send_timeout=60.0, lockstep=True)
    await peer.hello()
    await peer.ask(op="subscribe", consumer="slow")
    start = trio.current_time()
    await backend.happen("hi")
    await trio.sleep(30)
    assert peer.shared.stats.connections == 1
    await trio.sleep(31)
    assert peer.shared.stats.closed == {"slow_reader": 1}
    assert trio.current_time() - start == pytest.approx(61.0)


# --- events ---


async def test_events_come_in_frames_for_their_consumer(peer: Any, backend: Any) -> None:
    await backend.happen("one", "two")
    subscribed = await peer.ask(op="subscribe", consumer="crm")
    assert subscribed == {"id": 1, "ok": True, "next": 1, "epoch": "1f"}
    first = {"seq": 1, "type": "inbound", "at": 2.5, "text": "one"}
    second = {"seq": 2, "type": "inbound", "at": 2.5, "text": "two"}
    frame = await peer.receive()
    assert frame == {"consumer": "crm", "epoch": "1f", "events": [first, second]}
    await backend.happen("three")
    assert [e["seq"] for e in (await peer.receive())["events"]] == [3]


async def test_a_consumer_goes_on_after_what_it_acknowledged(running: Any, backend: Any) -> None:
    await backend.happen("one", "two", "three")
    peer = await running.known()
    assert await peer.ask(op="ack", consumer="crm", seq=2) == {"id": 1, "ok": True, "seq": 2}
    assert (await peer.ask(op="ack", consumer="crm", seq=1))["seq"] == 2
    assert (await peer.ask(op="subscribe", consumer="crm"))["next"] == 3
    assert [e["text"] for e in (await peer.receive())["events"]] == ["three"]
    again = await running.known()
    reply = await again.ask(**{"op": "subscribe", "consumer": "crm", "from": "start"})
    assert reply["next"] == 1
    assert [e["seq"] for e in (await again.receive())["events"]] == [1, 2, 3]
    fresh = await running.known()
    reply = await fresh.ask(**{"op": "subscribe", "consumer": "new", "from": "now"})
    assert reply["next"] == 4


async def test_consumers_on_one_connection_and_the_same_on_two(running: Any, backend: Any) -> None:
    one, two = await running.known(), await running.known()
    await one.ask(op="subscribe", consumer="a")
    await one.ask(op="subscribe", consumer="b")
    await two.ask(op="subscribe", consumer="a")
    await backend.happen("x")
    frames = [await one.receive(), await one.receive(), await two.receive()]
    assert sorted(frame["consumer"] for frame in frames) == ["a", "a", "b"]
    assert all(frame["events"][0]["text"] == "x" for frame in frames)


async def test_subscribing_twice_on_one_connection_is_refused(peer: Any) -> None:
    await peer.ask(op="subscribe", consumer="a")
    assert (await peer.ask(op="subscribe", consumer="a"))["error"] == {
        "code": "bad_request",
        "message": "consumer: subscribed on this connection already",
    }


async def test_subscriptions_on_one_connection_are_bounded(serve: Any) -> None:
    async with serve(max_subscriptions=2) as running:
        peer = await running.known()
        for name in ("a", "b"):
            assert (await peer.ask(op="subscribe", consumer=name))["ok"]
        assert (await peer.ask(op="subscribe", consumer="c"))["error"]["code"] == "bad_request"


async def test_a_consumer_that_does_not_read_holds_back_its_own_events_only(
    running: Any, backend: Any
) -> None:
    slow, quick = await running.known(), await running.known()
    await slow.ask(op="subscribe", consumer="slow")
    await quick.ask(op="subscribe", consumer="quick")
    text = "x" * 50_000
    for n in range(400):
        await backend.happen(text)
        assert (await quick.receive())["events"][0]["seq"] == n + 1
    # The slow one has what the sockets hold, and the server no more than a write's worth for it.
    assert running.server.stats.events < 2 * 400
    assert (await quick.ask(**SUBMIT))["ok"]
    for n in range(400):
        frame = await slow.receive()
        assert frame["events"][0]["seq"] == n + 1


async def test_replies_and_events_share_the_connection_frame_by_frame(
    running: Any, backend: Any
) -> None:
    peer = await running.known()
    await peer.ask(op="subscribe", consumer="crm")
    for n in range(50):
        await backend.happen("x" * 5000)
        await peer.send({**SUBMIT, "id": n})
    frames = [await peer.receive() for _ in range(100)]
    assert sorted(f["id"] for f in frames if "id" in f) == list(range(50))
    assert [e["seq"] for f in frames if "events" in f for e in f["events"]] == list(range(1, 51))


# --- replies that are not read ---


async def test_replies_that_nobody_reads_are_bounded_in_bytes(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "FEW", 1_000)
    monkeypatch.setattr(shared, "UNREAD", 1)
    peer = await connect(lockstep=True, max_tenant_bytes=2_000_000, max_frame=200_000)
    await peer.hello()
    ids = [f"m{n}" for n in range(10_000)]  # 60 KB that 600 KB answer
    for number in range(30):
        await peer.send({"op": "status", "id": number, "ids": ids})
    await wait_all_tasks_blocked()
    replies = [await peer.receive() for _ in range(30)]
    assert sorted(reply["id"] for reply in replies) == [*range(30)]
    refused = [reply for reply in replies if not reply["ok"]]
    assert {reply["error"]["code"] for reply in refused} == {"busy"}
    assert "wait to be read" in refused[0]["error"]["message"]
    assert 2 <= len(replies) - len(refused) <= 6
    assert (await peer.ask(op="status", ids=ids))["ok"]  # as soon as it has read them


async def test_what_others_leave_unread_holds_up_nobody_who_reads(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "UNREAD", 0)
    async with serve() as running:
        ids = [f"m{n}" for n in range(10_000)]
        greedy, modest = await running.known(), await running.known()
        for number in range(60):
            await greedy.send({"op": "status", "id": number, "ids": ids})
        for _ in range(10):
            assert (await modest.ask(op="status", ids=ids))["ok"]
        codes = [(await greedy.receive()).get("error", {}).get("code") for _ in range(60)]
        assert set(codes) == {None, "busy"}
