"""The admin server, asked over a real socket."""

import hashlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from gateway.errors import ConfigError, GatewayError
from gateway.ops.admin import AdminOptions, Health, asked_from_here
from gateway.ops.admin.serving import serve
from gateway.ops.metrics import Metrics
from tests.ops.console.staging import Staged

STAGED = Staged()
"""What operators would be told; none asks here."""

GUARDED = AdminOptions("127.0.0.1:0", (hashlib.sha256(b"let-me-in").hexdigest().upper(),))
FREE = AdminOptions("127.0.0.1:0")


class Answers:
    """What the probes are to say."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.health = Health()
        self.readiness = Health()


@asynccontextmanager
async def serving(options: AdminOptions, answers: Answers) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        (address,) = await nursery.start(
            partial(
                serve,
                options,
                answers.metrics,
                STAGED,
                healthy=lambda: answers.health,
                ready=lambda: answers.readiness,
            )
        )
        yield address
        nursery.cancel_scope.cancel()


async def get(url: str, token: str | None = None) -> tuple[int, str, str]:
    """Status, content type and body."""

    def ask() -> tuple[int, str, str]:
        request = urllib.request.Request(url)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers["content-type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("content-type", ""), error.read().decode()

    return await trio.to_thread.run_sync(ask)


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    answers = Answers()
    answers.metrics.inbound.add(7, "alpha")
    async with serving(FREE, answers) as address:
        status, kind, body = await get(f"{address}/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert 'gateway_inbound_total{carrier="alpha"} 7.0' in body.splitlines()


@pytest.mark.parametrize("path", ["healthz", "readyz"])
async def test_probes_say_ok_or_why_not(path: str) -> None:
    answers = Answers()
    async with serving(FREE, answers) as address:
        status, _, body = await get(f"{address}/{path}")
        assert (status, json.loads(body)) == (200, {"ok": True, "reasons": []})
        answers.health = Health(("the disk is full",))
        answers.readiness = Health(("no bind is up", "draining"))
        status, kind, body = await get(f"{address}/{path}")
    reasons = {"healthz": ["the disk is full"], "readyz": ["no bind is up", "draining"]}[path]
    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"ok": False, "reasons": reasons}


async def test_what_is_not_there_is_not_found() -> None:
    async with serving(FREE, Answers()) as address:
        assert (await get(f"{address}/elsewhere"))[0] == 404


async def test_with_a_token_nobody_else_is_let_in() -> None:
    async with serving(GUARDED, Answers()) as address:
        assert (await get(f"{address}/metrics", "let-me-in"))[0] == 200
        assert await get(f"{address}/metrics") == (401, "", "")
        assert await get(f"{address}/metrics", "let-me-out") == (401, "", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"])
@pytest.mark.parametrize("token", [None, "let-me-out", "let-me-in"])
async def test_the_probes_answer_to_this_machine_without_a_token(
    host: str, token: str | None
) -> None:
    async with serving(AdminOptions(f"{host}:0", GUARDED.token_sha256), Answers()) as address:
        port = address.rpartition(":")[2]
        local = "[::1]" if ":" in host else "127.0.0.1"
        for path in ("healthz", "readyz"):
            assert (await get(f"http://{local}:{port}/{path}", token))[0] == 200


@pytest.mark.parametrize(
    ("client", "server", "here"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.53", "127.0.0.1", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "::", True),
        ("10.0.0.5", "10.0.0.5", True),  # to its own address on the network
        ("::ffff:10.0.0.5", "::ffff:10.0.0.5", True),
        ("10.0.0.6", "10.0.0.5", False),
        ("10.0.0.6", "127.0.0.1", False),
        ("::ffff:10.0.0.6", "::", False),
        ("2001:db8::6", "2001:db8::5", False),
        ("0.0.0.0", "10.0.0.5", False),
        ("", "", False),
        (None, None, False),
    ],
)
def test_what_counts_as_this_machine(client: str | None, server: str | None, here: bool) -> None:
    ends = {"client": client, "server": server}
    scope = {end: None if host is None else (host, 1234) for end, host in ends.items()}
    assert asked_from_here(scope) is here


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
async def test_others_are_not_served_without_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"admin\.listen: .*other machines.*token_sha256"):
        await serve(AdminOptions(f"{host}:7601"), Metrics(), STAGED, healthy=Health, ready=Health)


async def test_with_a_token_other_machines_may_be_served() -> None:
    options = AdminOptions("0.0.0.0:0", GUARDED.token_sha256)
    async with serving(options, Answers()) as address:
        port = address.rpartition(":")[2]
        assert (await get(f"http://127.0.0.1:{port}/healthz", "let-me-in"))[0] == 200


@pytest.mark.parametrize("listen", ["", "7601", "127.0.0.1", "example.com:7601", "127.0.0.1:http"])
async def test_an_address_that_is_none_is_refused_with_its_key(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"admin\.listen: .* is not an IP address and a port"):
        await serve(AdminOptions(listen), Metrics(), STAGED, healthy=Health, ready=Health)


async def test_an_address_in_use_is_named_with_the_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GatewayError, match=rf"cannot listen on '{listen}'.*choose another"):
            await serve(AdminOptions(listen), Metrics(), STAGED, healthy=Health, ready=Health)


async def test_a_failing_probe_is_an_error_for_its_caller_only(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Health:
        raise RuntimeError("no such luck")

    async with trio.open_nursery() as nursery:
        start = partial(serve, FREE, Metrics(), STAGED, healthy=broken, ready=Health)
        (address,) = await nursery.start(start)
        assert (await get(f"{address}/healthz"))[0] == 500
        assert (await get(f"{address}/readyz"))[0] == 200
        nursery.cancel_scope.cancel()
    assert [record.name for record in caplog.records] == ["hypercorn"]
    assert capfd.readouterr() == ("", "")
