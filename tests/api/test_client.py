import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from gateway.api.client import connect
from gateway.api.listen import listen, server_context
from gateway.api.options import TlsOptions
from gateway.api.wire import (
    Accepted,
    ApiError,
    CancelResult,
    Imported,
    Into,
    Message,
    OptoutResult,
    Quoted,
    Rejected,
)

TOKEN = "s3cret"


@pytest.fixture
async def proxy(running: Any) -> AsyncIterator[Any]:
    async with trio.open_nursery() as nursery:
        proxy = Proxy(running.port)
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy.address = f"tcp://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.start_soon(trio.serve_listeners, proxy.forward, listeners)
        yield proxy
        nursery.cancel_scope.cancel()


class Proxy:
    """Forwards connections to a server; can cut them all, and hold back what the server says."""

    def __init__(self, port: int) -> None:
        self.address = ""
        self.connections = 0
        self.port = port
        self._scopes: list[trio.CancelScope] = []

    async def forward(self, client: trio.SocketStream) -> None:
        self.connections += 1
        server = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with client, server, trio.open_nursery() as nursery:
            self._scopes.append(nursery.cancel_scope)
            nursery.start_soon(self._copy, client, server, nursery.cancel_scope)
            nursery.start_soon(self._copy, server, client, nursery.cancel_scope)

    @staticmethod
    async def _copy(
        source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope
    ) -> None:
        try:
            async for data in source:
                await target.send_all(data)
        except trio.BrokenResourceError:
            pass
        scope.cancel()

    def cut(self) -> None:
        for scope in self._scopes:
            scope.cancel()
        self._scopes.clear()


def messages(count: int, **fields: Any) -> list[Message]:
    return [{"to": f"4477009{n:05}", "text": "Hello", **fields} for n in range(count)]  # type: ignore[typeddict-item]


# --- requests ---


async def test_results_are_typed_and_in_order(running: Any) -> None:
    async with connect(running.address, TOKEN) as client:
        results = await client.submit(
            [
                {"to": "1", "text": "Hello", "key": "k"},
                {"to": "2", "text": ""},
                {"to": "3", "text": "Later", "send_at": 1800000000.0},
                {"to": "1", "text": "Hello", "key": "k"},
            ]
        )
        assert results == [
            Accepted("m1", 1, "gsm7"),
            Rejected("empty_text", "text: empty"),
            Accepted("m2", 1, "gsm7", not_before=1800000000.0),
            Accepted("m1", 1, "gsm7", duplicate=True),
        ]
        assert await client.submit([]) == []
        assert await client.quote([{"to": "1", "text": "x" * 200}]) == [Quoted(2, "gsm7")]
        (found, missing) = await client.status(ids=["m1"], keys=["?"])
        assert found is not None
        assert (found.message_id, found.state, found.final) == ("m1", "queued", False)
        assert missing is None
        cancelled = await client.cancel(ids=["m2"], keys=["?"])
        assert cancelled == (1, [CancelResult("m2", True, "cancelled"), None])
        assert (await client.cancel(campaign="none")).cancelled == 0
        stats = await client.stats("spring", 3, 6)
        assert [(one.hour, one.campaign, one.sent) for one in stats] == [
            (hour, "spring", 0) for hour in (3, 4, 5)
        ]
        assert stats[0].outcomes == {"delivered": 3}
        assert await client.optout("add", ["44"]) == [OptoutResult("44", True, True)]
        assert await client.optouts() == [OptoutResult("44", True, False)]
        assert await client.optouts("44") == []
        assert await client.optout("add", ["45"], "import", Into("spring", 1)) == [
            OptoutResult("45", False, False)
        ]
        await client.consent("add", ["45", "46"], into=Into("spring", 2), source="import")
        assert await client.apply("spring", 3) == Imported(3, 1, 2)
        assert await client.ack("crm", 5) == 5
        assert await client.ack("crm", 6, "of another epoch") == 5
        (consumer,) = await client.consumers()
        assert (consumer.consumer, consumer.seq) == ("crm", 5)
        assert await client.consumers("delete", "crm") == [consumer]
        assert await client.consumers("list", "crm") == []


async def test_defaults_are_filled_in_by_the_gateway(running: Any, backend: Any) -> None:
    async with connect(running.address, TOKEN) as client:
        await client.submit([{"to": "1"}, {"to": "2"}], {"text": "Hi", "category": "otp"})
    assert [(m.text, m.category) for _, m in backend.accepted] == [("Hi", "otp")] * 2


async def test_optional_parameters_reach_the_gateway(running: Any, backend: Any) -> None:
    tlvs: dict[int | str, bytes | str] = {0x1400: b"1101\0", "0x1401": "1107"}
    async with connect(running.address, TOKEN) as client:
        await client.submit([{"to": "1", "text": "Hi", "tlvs": tlvs}])
        await client.submit([{"to": "2", "text": "Hi"}], {"tlvs": tlvs})
    assert [m.tlvs for _, m in backend.accepted] == [tlvs] * 2


async def test_batches_keep_to_the_limits_of_the_server(serve: Any, backend: Any) -> None:
    limits = {"max_batch": 10, "max_frame": 400, "max_in_flight": 2}
    async with serve(**limits) as running, connect(running.address, TOKEN) as client:
        results = await client.submit(messages(55))
    assert results == [Accepted(f"m{n}", 1, "gsm7") for n in range(1, 56)]
    assert [m.to for _, m in backend.accepted] == [m["to"] for m in messages(55)]
    assert len({m.key for _, m in backend.accepted}) == 55


async def test_a_message_that_no_frame_holds_is_refused_alone(serve: Any) -> None:
    long: Any = {"to": "1", "text": "x" * 1000}
    async with serve(max_frame=1000) as running:
        async with connect(running.address, TOKEN) as client:
            *before, refused, after = await client.submit([*messages(30), long, *messages(1)])
        assert before == [Accepted(f"m{n}", 1, "gsm7") for n in range(1, 31)]
        why = "the message is longer than the 1000 bytes of a frame"
        assert refused == Rejected("too_long", why)
        assert after == Accepted("m31", 1, "gsm7")


async def test_submit_many_reads_no_further_ahead_than_the_gateway_takes(
    serve: Any, backend: Any
) -> None:
    read = 0

    def source() -> Any:
        nonlocal read
        for message in messages(100_000):
            read += 1
            yield message

    async with serve(max_in_flight=3, max_batch=100) as running:
        backend.gate = trio.Event()
        async with connect(running.address, TOKEN) as client, trio.open_nursery() as nursery:
            count = 0

            async def submit() -> None:
                nonlocal count
                async for _ in client.submit_many(source()):
                    count += 1

            nursery.start_soon(submit)
            await running.until(lambda: sum(backend.groups) == 3)
            await wait_all_tasks_blocked()
            assert read <= 400
            assert count == 0
            nursery.cancel_scope.cancel()


async def test_many_messages_stream_through(running: Any, backend: Any) -> None:
    async with connect(running.address, TOKEN) as client:
        count = 0
        async for _ in client.submit_many(messages(20_000)):
            count += 1
    assert count == len(backend.accepted) == 20_000


async def test_callers_share_a_connection(running: Any) -> None:
    async with connect(running.address, TOKEN) as client, trio.open_nursery() as nursery:
        results: dict[int, Any] = {}

        async def submit(n: int) -> None:
            results[n] = await client.submit([{"to": str(n), "text": "x", "key": str(n)}])

        for n in range(100):
            nursery.start_soon(submit, n)
        await running.until(lambda: len(results) == 100)
    assert running.server.stats.accepted == 1
    assert len({result.message_id for (result,) in results.values()}) == 100


# --- refusals ---


async def test_a_refused_request_is_an_exception_with_its_code(running: Any) -> None:
    async with connect(running.address, TOKEN) as client:
        with pytest.raises(ApiError, match="unknown field") as caught:
            await client.submit([{"to": "1", "txt": "x"}])  # type: ignore[typeddict-unknown-key]
        assert caught.value.code == "bad_request"
        assert len(await client.submit(messages(1))) == 1


async def test_an_exception_of_the_caller_comes_out_as_it_is(running: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with connect(running.address, TOKEN):
            raise ZeroDivisionError


async def test_a_wrong_token(running: Any) -> None:
    with pytest.raises(ApiError, match="unauthenticated"):
        async with connect(running.address, "wrong"):
            raise AssertionError


async def test_nobody_there() -> None:
    with pytest.raises(OSError, match="connect"):
        async with connect("tcp://127.0.0.1:1", TOKEN):
            raise AssertionError


# --- connections that break ---


async def test_a_drop_between_submit_and_reply_sends_nothing_twice(
    running: Any, backend: Any, proxy: Proxy
) -> None:
    backend.gate = trio.Event()
    async with connect(proxy.address, TOKEN) as client, trio.open_nursery() as nursery:
        done: list[Any] = []

        async def submit() -> None:
            done.extend(await client.submit(messages(2500)))

        nursery.start_soon(submit)
        await running.until(lambda: len(backend.accepted) == 2500)
        proxy.cut()
        backend.gate.set()
        await running.until(lambda: len(done) == 2500)
        assert all(result.duplicate for result in done)
        assert [result.message_id for result in done] == [f"m{n}" for n in range(1, 2501)]
    assert len(backend.accepted) == 2500
    assert proxy.connections == 2


async def test_a_request_made_while_there_is_no_connection_waits_for_one(
    running: Any, proxy: Proxy
) -> None:
    async with connect(proxy.address, TOKEN) as client:
        proxy.cut()
        assert len(await client.submit(messages(1))) == 1


async def test_shutting_down_is_asked_again_elsewhere(
    serve: Any, running: Any, proxy: Proxy
) -> None:
    async with (
        serve() as other,
        connect(proxy.address, TOKEN) as client,
        trio.open_nursery() as nursery,
    ):
        done: list[Any] = []
        await running.server.drain()

        async def submit() -> None:
            done.extend(await client.submit(messages(1)))

        nursery.start_soon(submit)
        await running.until(lambda: running.server.stats.errors["shutting_down"] == 1)
        assert not done
        proxy.port = other.port
        proxy.cut()
        await running.until(lambda: len(done) == 1)


async def test_a_token_that_is_withdrawn_ends_the_client(
    running: Any, backend: Any, proxy: Proxy
) -> None:
    async with connect(proxy.address, TOKEN) as client:
        backend.tokens = dict
        proxy.cut()
        for _ in range(2):
            with pytest.raises(ApiError, match="unauthenticated"):
                await client.submit(messages(1))


# --- events ---


async def test_events_are_acknowledged_once_the_next_one_is_asked_for(
    running: Any, backend: Any
) -> None:
    await backend.happen("one", "two", "three")
    async with connect(running.address, TOKEN) as client:
        events = client.events("crm")
        seen = [await anext(events) for _ in range(3)]
        assert [(e.seq, e.type, e.text) for e in seen] == [
            (1, "inbound", "one"),
            (2, "inbound", "two"),
            (3, "inbound", "three"),
        ]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(anext, events)
            await running.until(lambda: backend.cursors == {("acme", "crm"): 3})
            nursery.cancel_scope.cancel()
        await backend.happen("four")
        assert (await anext(client.events("crm"))).text == "four"


async def test_events_left_unacknowledged_come_again(running: Any, backend: Any) -> None:
    await backend.happen("one", "two")
    async with connect(running.address, TOKEN) as client:
        for _ in range(2):
            events = client.events("crm", acknowledge=False)
            assert [(await anext(events)).seq for _ in range(2)] == [1, 2]
            await events.aclose()
        assert await client.ack("crm", 1) == 1
        assert (await anext(client.events("crm"))).seq == 2


@pytest.mark.parametrize("start", ["acked", "start", "now"])
async def test_events_go_on_after_a_break_without_a_gap_or_a_repeat(
    running: Any, backend: Any, proxy: Proxy, start: Any
) -> None:
    await backend.happen("old", "old")
    backend.cursors["acme", "crm"] = {"acked": 0, "start": 2, "now": 0}[start]
    seen: list[int] = []
    async with connect(proxy.address, TOKEN) as client, trio.open_nursery() as nursery:

        async def follow() -> None:
            events = client.events("crm", start)
            while True:
                seen.append((await anext(events)).seq)

        nursery.start_soon(follow)
        await running.until(lambda: running.server.stats.requests["subscribe"] == 1)
        first = 3 if start == "now" else 1
        for n in range(3):
            await backend.happen("a", "b")
            last = 4 + 2 * n
            await running.until(lambda last=last: seen[-1:] == [last])
            proxy.cut()
        assert seen == list(range(first, 9))
        await running.until(lambda: backend.cursors["acme", "crm"] == 8)
        nursery.cancel_scope.cancel()


async def test_a_client_starts_over_after_a_restore(
    running: Any, backend: Any, proxy: Proxy
) -> None:
    """It had handled three events; the backup has one, of which it says nothing."""
    await backend.happen("one")
    await backend.happen("two", "three")
    seen: list[tuple[int, str | None, str | None]] = []
    async with connect(proxy.address, TOKEN) as client, trio.open_nursery() as nursery:

        async def follow() -> None:
            events = client.events("crm")
            while True:
                event = await anext(events)
                seen.append((event.seq, event.epoch, event.text))

        nursery.start_soon(follow)
        await running.until(lambda: backend.cursors == {("acme", "crm"): 3})
        backend.restore("2e", 1)
        proxy.cut()
        await running.until(lambda: len(seen) == 4)
        await backend.happen("new two")
        await running.until(lambda: backend.cursors == {("acme", "crm"): 2})
        nursery.cancel_scope.cancel()
    assert seen == [
        (1, "1f", "one"),
        (2, "1f", "two"),
        (3, "1f", "three"),
        (1, "2e", "one"),
        (2, "2e", "new two"),
    ]


async def test_what_was_at_hand_of_an_older_epoch_is_not_acknowledged_in_the_new_one(
    running: Any, backend: Any, proxy: Proxy
) -> None:
    await backend.happen("one")
    await backend.happen(*"bcdefgh")
    async with connect(proxy.address, TOKEN) as client:
        events = client.events("crm")
        seen = [(await anext(events)).text for _ in range(2)]
        backend.restore("2e", 1, crm=0)
        proxy.cut()
        seen += [(await anext(events)).text for _ in range(6)]
        await backend.happen(*"BCDEFGH")
        seen += [(await anext(events)).text for _ in range(8)]
    assert seen == ["one", *"bcdefgh", "one", *"BCDEFGH"]


async def test_a_consumer_that_is_refused(running: Any) -> None:
    async with connect(running.address, TOKEN) as client:
        with pytest.raises(ApiError, match="consumer: expected str of length"):
            await anext(client.events("c" * 65))


# --- ways to connect ---


async def test_unix_and_tls(serve: Any, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    context = server_context(TlsOptions(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
    socket = f"unix://{tmp_path}/gateway.sock"
    listeners = await listen(["tcp://127.0.0.1:0", socket], context)
    port = listeners[0].transport_listener.socket.getsockname()[1]  # type: ignore[attr-defined]
    trust = trusting(authority)
    async with serve(listeners=listeners):
        async with connect(socket, TOKEN) as client:
            assert len(await client.submit(messages(1))) == 1
        async with connect(f"tcp://localhost:{port}", TOKEN, tls=trust) as client:
            assert len(await client.submit(messages(3000))) == 3000


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


# --- time ---


async def test_a_quiet_connection_is_kept_alive(serve: Any) -> None:
    async with serve(idle_timeout=3.0) as running:
        async with connect(running.address, TOKEN) as client:
            await running.until(lambda: running.server.stats.requests["status"] >= 3)
            assert len(await client.submit(messages(1))) == 1
        assert running.server.stats.accepted == 1


async def test_a_quiet_subscription_is_kept_alive(serve: Any, backend: Any) -> None:
    async with serve(idle_timeout=3.0) as running, connect(running.address, TOKEN) as client:
        async with trio.open_nursery() as nursery:
            events = client.events("crm")
            nursery.start_soon(anext, events)
            await running.until(lambda: running.server.stats.requests["status"] >= 3)
            await backend.happen("at last")
            await running.until(lambda: running.server.stats.events == 1)
        assert running.server.stats.closed == {}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [("gateway.api.client", {"msgpack", "trio"}), ("gateway.api.blocking", {"msgpack"})],
)
def test_a_client_needs_little_to_be_imported(module: str, allowed: set[str]) -> None:
    refused = {"msgspec", "structlog", "apsw", "starlette", "trio", "prometheus_client"} - allowed
    code = f"""
import sys
for name in {sorted(refused)}:
    sys.modules[name] = None
import {module}
ours = [name for name in sys.modules if name.startswith("gateway.") and name.count(".") == 1]
print(sorted(ours))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found = {"gateway.api", "gateway.errors"} | (
        {"gateway.sockets"} if "trio" in allowed else set()
    )
    assert done.stdout.strip() == str(sorted(found))
