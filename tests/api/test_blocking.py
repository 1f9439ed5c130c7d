"""The blocking client, in a thread of its own."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
import trustme

from gateway.api import dialogue
from gateway.api.blocking import connect
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

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    with trio.fail_after(60):
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


def messages(count: int) -> list[Message]:
    return [{"to": f"4477009{n:05}", "text": "Hello"} for n in range(count)]


async def test_every_request(running: Any) -> None:
    def script() -> None:
        with connect(running.address, TOKEN) as client:
            results = client.submit(
                [{"to": "1", "text": "Hello", "key": "k"}, {"to": "2", "text": ""}]
            )
            assert results == [Accepted("m1", 1, "gsm7"), Rejected("empty_text", "text: empty")]
            assert client.quote([{"to": "1"}], {"text": "x" * 200}) == [Quoted(2, "gsm7")]
            found, missing = client.status(ids=["m1", "?"])
            assert found is not None
            assert found.state == "queued"
            assert missing is None
            assert client.cancel(keys=["k"]) == (1, [CancelResult("m1", True, "cancelled")])
            assert client.optout("check", ["44"]) == [OptoutResult("44", False, False)]
            assert client.optouts() == []
            client.optout("add", ["45"], into=Into("spring", 1))
            client.consent("withdraw", rows=[{"number": "46"}], into=Into("spring", 2), by="web")
            assert client.apply("spring", 2) == Imported(2, 1, 1)
            assert [one.hour for one in client.stats(since=3, until=6)] == [3, 4, 5]
            assert client.ack("crm", 5) == 5
            assert client.ack("crm", 6, "of another epoch") == 5
            (consumer,) = client.consumers()
            assert (consumer.consumer, consumer.seq) == ("crm", 5)
            assert client.consumers("delete", "crm") == [consumer]
            assert client.consumers("list", "crm") == []
            with pytest.raises(ApiError, match="unknown field"):
                client.submit([{"to": "1", "txt": "x"}])  # type: ignore[typeddict-unknown-key]
            assert len(client.submit(messages(1))) == 1

    await in_thread(script)


async def test_optional_parameters_reach_the_gateway(running: Any, backend: Any) -> None:
    tlvs: dict[int | str, bytes | str] = {0x1400: b"1101\0", "0x1401": "1107"}

    def script() -> None:
        with connect(running.address, TOKEN) as client:
            client.submit([{"to": "1", "text": "Hi", "tlvs": tlvs}])

    await in_thread(script)
    assert [m.tlvs for _, m in backend.accepted] == [tlvs]


async def test_many_messages_are_pipelined(serve: Any, backend: Any) -> None:
    async with serve(max_in_flight=4, max_batch=100) as running:
        backend.gate = trio.Event()

        def script() -> list[Any]:
            with connect(running.address, TOKEN) as client:
                return list(client.submit_many(messages(5000)))

        async with trio.open_nursery() as nursery:
            results: list[Any] = []

            async def submit() -> None:
                results.extend(await in_thread(script))

            nursery.start_soon(submit)
            await running.until(lambda: sum(backend.groups) == 4)
            backend.gate.set()
    assert [result.message_id for result in results] == [f"m{n}" for n in range(1, 5001)]


async def test_a_message_that_no_frame_holds_is_refused_alone(serve: Any) -> None:
    long: Any = {"to": "1", "text": "x" * 1000}

    async with serve(max_frame=1000) as running:

        def script() -> list[Any]:
            with connect(running.address, TOKEN) as client:
                return client.submit([*messages(1), long, *messages(1)])

        before, refused, after = await in_thread(script)
    assert (before.message_id, refused.code, after.message_id) == ("m1", "too_long", "m2")


async def test_other_requests_may_come_between_the_results_of_a_stream(running: Any) -> None:
    def script() -> int:
        count = 0
        with connect(running.address, TOKEN) as client:
            for result in client.submit_many(messages(3000)):
                if count % 1000 == 0:
                    (found,) = client.status([result.message_id])  # type: ignore[union-attr]
                    assert found is not None
                count += 1
            # A stream that is given up does not disturb what follows.
            list(islice(client.submit_many(messages(3000)), 1))
            assert len(client.submit(messages(2))) == 2
        return count

    assert await in_thread(script) == 3000


class Flaky:
    """Passes connections on to a server, and cuts them when told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@pytest.fixture
def flaky(running: Any) -> Any:
    flaky = Flaky(running.port)
    yield flaky
    flaky.close()


async def test_a_drop_between_submit_and_reply_sends_nothing_twice(
    running: Any, backend: Any, flaky: Flaky
) -> None:
    backend.gate = trio.Event()

    def script() -> list[Any]:
        with connect(flaky.address, TOKEN) as client:
            return client.submit(messages(2500))

    async with trio.open_nursery() as nursery:
        results: list[Any] = []

        async def submit() -> None:
            results.extend(await in_thread(script))

        nursery.start_soon(submit)
        await running.until(lambda: len(backend.accepted) == 2500)
        flaky.cut()
        backend.gate.set()
    assert len(results) == 2500
    assert all(result.duplicate for result in results)
    assert len(backend.accepted) == 2500
    assert flaky.connections == 2


async def test_patience_ends(running: Any, flaky: Flaky) -> None:
    def script() -> None:
        with connect(flaky.address, TOKEN, patience=0.2) as client:
            flaky.close()
            with pytest.raises(OSError, match="refused"):
                client.submit(messages(1))

    await in_thread(script)


async def test_events_go_on_after_a_break_without_a_gap_or_a_repeat(
    running: Any, backend: Any, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "ACK_EVERY", -1.0)
    await backend.happen(*"abcdefgh")

    def script() -> list[int]:
        with connect(flaky.address, TOKEN) as client:
            events = client.events("crm")
            seen = [next(events).seq for _ in range(2)]
            flaky.cut()
            seen += [next(events).seq for _ in range(6)]
            trio.from_thread.run(backend.happen, "i")
            seen.append(next(events).seq)
            events.close()  # type: ignore[attr-defined]
            return seen

    assert await in_thread(script) == list(range(1, 10))
    await running.until(lambda: backend.cursors["acme", "crm"] == 8)


async def test_a_client_starts_over_after_a_restore(
    running: Any, backend: Any, flaky: Flaky
) -> None:
    await backend.happen("one")
    await backend.happen("two", "three")

    def script() -> list[tuple[int, str | None, str | None]]:
        with connect(flaky.address, TOKEN) as client:
            events = client.events("crm")
            seen = [next(events) for _ in range(3)]
            trio.from_thread.run_sync(backend.restore, "2e", 1)
            flaky.cut()
            seen.append(next(events))
            trio.from_thread.run(backend.happen, "new two")
            seen.append(next(events))
            events.close()  # type: ignore[attr-defined]
            return [(event.seq, event.epoch, event.text) for event in seen]

    assert await in_thread(script) == [
        (1, "1f", "one"),
        (2, "1f", "two"),
        (3, "1f", "three"),
        (1, "2e", "one"),
        (2, "2e", "new two"),
    ]
    assert backend.cursors.get(("acme", "crm"), 0) <= 1


async def test_a_quiet_subscription_is_kept_alive(serve: Any, backend: Any) -> None:
    async with serve(idle_timeout=3.0) as running:

        def script() -> Any:
            with connect(running.address, TOKEN) as client:
                return next(client.events("crm")).text

        async with trio.open_nursery() as nursery:
            texts: list[str] = []

            async def follow() -> None:
                texts.append(await in_thread(script))

            nursery.start_soon(follow)
            await running.until(lambda: running.server.stats.requests["status"] >= 3)
            await backend.happen("at last")
    assert texts == ["at last"]


async def test_a_wrong_token_and_nobody_there(running: Any) -> None:
    def script() -> None:
        with pytest.raises(ApiError, match="unauthenticated"):
            connect(running.address, "wrong")
        with pytest.raises(OSError, match="refused"):
            connect("tcp://127.0.0.1:1", TOKEN)

    await in_thread(script)


async def test_unix_and_tls(serve: Any, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    context = server_context(TlsOptions(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
    unix = f"unix://{tmp_path}/gateway.sock"
    listeners = await listen(["tcp://127.0.0.1:0", unix], context)
    port = listeners[0].transport_listener.socket.getsockname()[1]  # type: ignore[attr-defined]
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    def script() -> None:
        with connect(unix, TOKEN) as client:
            assert len(client.submit(messages(1))) == 1
        with connect(f"tcp://localhost:{port}", TOKEN, tls=trust) as client:
            assert len(client.submit(messages(3000))) == 3000

    async with serve(listeners=listeners):
        await in_thread(script)
