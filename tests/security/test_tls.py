"""TLS on the API: modern versions only, and new certificates without a restart."""

import os
import signal
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from gateway.api.client import connect
from gateway.api.listen import server_context
from gateway.api.options import TlsOptions
from gateway.app import App
from gateway.config import load
from gateway.errors import ConfigError
from tests.security.running import configuration
from tools.ports import free_port

HANDSHAKE = 22
TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303


def write_certificate(authority: trustme.CA, folder: Path) -> TlsOptions:
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for index, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(folder / "cert.pem", append=index > 0)
    return TlsOptions(str(folder / "cert.pem"), str(folder / "key.pem"))


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def client_hello(version: int) -> bytes:
    """A ClientHello (RFC 5246, 7.4.1.2) that offers no version above ``version``."""
    suites = struct.pack(">5H", 0xC009, 0xC00A, 0xC02B, 0xC02C, 0x002F)
    extensions = bytes.fromhex("000a000400020017000b00020100000d000800060401050302 01")
    body = struct.pack(">H", version) + bytes(32) + b"\0"
    body += struct.pack(">H", len(suites)) + suites + b"\1\0"
    body += struct.pack(">H", len(extensions)) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHH", HANDSHAKE, TLS_1_0, len(message)) + message


@pytest.mark.parametrize(
    ("version", "answered"), [(TLS_1_0, False), (TLS_1_1, False), (TLS_1_2, True)]
)
async def test_old_versions_are_refused(tmp_path: Path, version: int, answered: bool) -> None:
    context = server_context(write_certificate(trustme.CA(), tmp_path))
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            stream = trio.SSLStream(theirs, context, server_side=True)
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                await trio.aclose_forcefully(stream)

        nursery.start_soon(serve)
        await ours.send_all(client_hello(version))
        said = await ours.receive_some()
        await ours.aclose()
    assert said.startswith(bytes((HANDSHAKE,))) == answered


@asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[None]:
    """The application with TLS, as ``gateway serve`` runs it."""
    file = folder / "gateway.toml"
    file.write_text(
        f"""
        [api]
        listen = ["tcp://127.0.0.1:{port}"]
        tls = {{ cert = "{folder}/cert.pem", key = "{folder}/key.pem" }}
        [admin]
        listen = "127.0.0.1:0"
        [queue]
        path = "{folder}/gateway.db"
        """
        + configuration("acme")
    )
    app = App(load(file, {}), lambda: load(file, {}))
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        yield
        nursery.cancel_scope.cancel()


async def test_certificates_are_replaced_on_sighup_and_bad_ones_are_not(
    tmp_path: Path, capsys: Any
) -> None:
    port = free_port()

    async def talk(authority: trustme.CA) -> None:
        address = f"tcp://127.0.0.1:{port}"
        async with connect(address, "acmeacme", tls=trusting(authority)) as client:
            assert await client.status(keys=["k"]) == [None]

    async def hang_up(until: str) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        logged = ""
        with trio.fail_after(60):
            while until not in logged:
                await trio.lowlevel.checkpoint()
                logged += "".join(capsys.readouterr())

    old, new = trustme.CA(), trustme.CA()
    write_certificate(old, tmp_path)
    async with (
        serving(tmp_path, port),
        connect(f"tcp://127.0.0.1:{port}", "acmeacme", tls=trusting(old)) as earlier,
    ):
        write_certificate(new, tmp_path)
        await hang_up("reloaded")
        await talk(new)
        assert await earlier.status(keys=["k"]) == [None]

        (tmp_path / "cert.pem").write_text("no certificate")
        await hang_up("reload_refused")
        await talk(new)


def test_a_key_that_does_not_fit_is_refused_before_it_is_used(tmp_path: Path) -> None:
    options = write_certificate(trustme.CA(), tmp_path)
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(options.key)
    with pytest.raises(ConfigError, match="KEY_VALUES_MISMATCH"):
        server_context(options)
