import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from gateway.api.listen import Listener, listen, reload_certificates, server_context
from gateway.api.options import TlsOptions
from gateway.errors import ConfigError, GatewayError

SUBMIT = {"op": "submit", "id": 1, "messages": [{"to": "1", "text": "x"}]}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def files(authority: trustme.CA, folder: Path, name: str = "localhost") -> TlsOptions:
    issued = authority.issue_cert(name)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for index, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(folder / "cert.pem", append=index > 0)
    return TlsOptions(str(folder / "cert.pem"), str(folder / "key.pem"))


def port(listener: Listener) -> int:
    inner = listener.transport_listener if isinstance(listener, trio.SSLListener) else listener
    assert isinstance(inner, trio.SocketListener)
    return int(inner.socket.getsockname()[1])


async def dial(listener: Listener, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    stream = await trio.open_tcp_stream("127.0.0.1", port(listener))
    return trio.SSLStream(stream, context, server_hostname="localhost", https_compatible=True)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


# --- TCP ---


async def test_a_port_in_use_is_named_with_the_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GatewayError) as caught:
            await listen(["tcp://127.0.0.1:0", address])
    mend = "another program listens there: stop it or choose another address"
    assert str(caught.value) == f"api.listen: {address}: {mend}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://203.0.113.1:7600", "this machine has no such address"),
        ("localhost:7600", "neither tcp://host:port nor unix:///path"),
        ("unix:///no/such/directory/gateway.sock", "the directory does not exist"),
    ],
)
async def test_an_address_that_cannot_be_used_is_named(address: str, said: str) -> None:
    with pytest.raises(GatewayError) as caught:
        await listen([address])
    assert address in str(caught.value)
    assert said in str(caught.value)


async def test_several_addresses(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    listeners = await listen(["tcp://127.0.0.1:0", f"unix://{path}"])
    async with serve(listeners=listeners) as running:
        await running.known()
        peer = running.adopt(await trio.open_unix_socket(path))
        assert (await peer.hello())["ok"]


# --- Unix ---


async def test_a_unix_socket_is_for_its_owner_and_group(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    async with serve(listeners=await listen([f"unix://{path}"])) as running:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        peer = running.adopt(await trio.open_unix_socket(path))
        await peer.hello()
        assert (await peer.ask(**SUBMIT))["ok"]


async def test_a_socket_left_behind_is_replaced(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    async with serve(listeners=await listen([f"unix://{path}"])) as running:
        peer = running.adopt(await trio.open_unix_socket(path))
        assert (await peer.hello())["ok"]


async def test_a_socket_in_use_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen()
        with pytest.raises(GatewayError, match="another program listens there"):
            await listen([f"unix://{path}"])
        assert path.exists()


async def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(GatewayError, match="no socket is in the way"):
        await listen([f"unix://{path}"])
    assert path.read_text() == "data"


# --- TLS ---


async def test_tls(serve: Any, authority: trustme.CA, tmp_path: Path) -> None:
    listeners = await listen(["tcp://127.0.0.1:0"], server_context(files(authority, tmp_path)))
    async with serve(listeners=listeners) as running:
        peer = running.adopt(await dial(listeners[0], trusting(authority)))
        await peer.hello()
        reply = await peer.ask(op="submit", messages=[{"to": "1", "text": "x" * 100}] * 1000)
        assert len(reply["results"]) == 1000


async def test_a_client_that_speaks_no_tls_or_an_old_one_gets_nowhere(
    serve: Any, authority: trustme.CA, tmp_path: Path
) -> None:
    listeners = await listen(["tcp://127.0.0.1:0"], server_context(files(authority, tmp_path)))
    async with serve(listeners=listeners) as running:
        stream = await trio.open_tcp_stream("127.0.0.1", port(listeners[0]))
        plain = running.adopt(stream)
        await plain.send({"op": "hello", "id": 1, "token": "s3cret"})
        await running.until(lambda: running.server.stats.closed == {"tls": 1})
        assert running.server.stats.requests == {}
    assert server_context(files(authority, tmp_path)).minimum_version == ssl.TLSVersion.TLSv1_2


async def test_mutual_tls(serve: Any, authority: trustme.CA, tmp_path: Path) -> None:
    clients = trustme.CA()
    clients.cert_pem.write_to_path(tmp_path / "clients.pem")
    plain = files(authority, tmp_path)
    options = TlsOptions(plain.cert, plain.key, str(tmp_path / "clients.pem"))
    listeners = await listen(["tcp://127.0.0.1:0"], server_context(options))
    async with serve(listeners=listeners) as running:
        known = trusting(authority)
        clients.issue_cert("shop@example.org").configure_cert(known)
        peer = running.adopt(await dial(listeners[0], known))
        assert (await peer.hello())["ok"]

        stranger = trusting(authority)
        trustme.CA().issue_cert("shop@example.org").configure_cert(stranger)
        for context in (trusting(authority), stranger):
            refused = running.adopt(await dial(listeners[0], context))
            with suppress(trio.BrokenResourceError):
                assert await refused.hello() is None
        assert running.server.stats.closed == {"tls": 2}
        assert running.server.stats.requests == {"hello": 1}


async def test_certificates_are_replaced_while_listening(serve: Any, tmp_path: Path) -> None:
    old, new = trustme.CA(), trustme.CA()
    options = files(old, tmp_path)
    context = server_context(options)
    listeners = await listen(["tcp://127.0.0.1:0"], context)
    async with serve(listeners=listeners) as running:
        first = running.adopt(await dial(listeners[0], trusting(old)))
        await first.hello()
        reload_certificates(context, files(new, tmp_path))
        second = running.adopt(await dial(listeners[0], trusting(new)))
        assert (await second.hello())["ok"]
        assert (await first.ask(**SUBMIT))["ok"]


def test_certificates_that_cannot_be_used_are_refused_and_the_old_ones_stay(
    authority: trustme.CA, tmp_path: Path
) -> None:
    good = files(authority, tmp_path)
    context = server_context(good)
    (tmp_path / "bad.pem").write_text("nonsense")
    bad = str(tmp_path / "bad.pem")
    for options, said in (
        (TlsOptions(bad, good.key), "cert"),
        (TlsOptions(good.cert, str(tmp_path / "absent.pem")), "absent.pem"),
        (TlsOptions(good.cert, good.key, bad), "client_ca"),
    ):
        with pytest.raises(ConfigError, match=said):
            reload_certificates(context, options)
