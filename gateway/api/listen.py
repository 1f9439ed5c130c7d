"""Opens the API's listening sockets: TCP, TLS and Unix; and makes the TLS context they share."""

import errno
import socket
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from gateway.api.address import TcpAddress, parse_address
from gateway.api.options import TlsOptions
from gateway.errors import ConfigError, GatewayError

Listener = trio.abc.Listener[trio.abc.Stream]

UNIX_MODE: Final = 0o660
"""Who may connect to a Unix socket: its owner and group. A token is needed all the same."""

_BACKLOG: Final = 1024

_MEND: Final = {
    errno.EADDRINUSE: "another program listens there: stop it or choose another address",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "not permitted: ports below 1024 and this directory need more rights",
    errno.ENOENT: "the directory does not exist: create it",
}


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """The TLS context for the API's TCP listeners: TLS 1.2 or later.

    Raises:
        ConfigError: a file cannot be read or does not fit the others.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, options)
    return context


def reload_certificates(context: ssl.SSLContext, options: TlsOptions) -> None:
    """Use new files for the connections still to come. An authority once accepted stays accepted
    until the listener is opened anew.

    Raises:
        ConfigError: as `server_context`; the old files then stay in use.
    """
    server_context(options)
    _load(context, options)


def _load(context: ssl.SSLContext, options: TlsOptions) -> None:
    try:
        context.load_cert_chain(options.cert, options.key)
    except (OSError, ssl.SSLError) as error:
        where = f"cert {options.cert!r}, key {options.key!r}"
        raise ConfigError([f"api.tls: {where}: {error}"]) from error
    if options.client_ca is not None:
        try:
            context.load_verify_locations(options.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError([f"api.tls.client_ca: {options.client_ca!r}: {error}"]) from error
        context.verify_mode = ssl.CERT_REQUIRED


async def listen(addresses: Sequence[str], tls: ssl.SSLContext | None = None) -> list[Listener]:
    """Open every address, or none. ``tls`` is for TCP; a Unix socket never leaves the machine.

    Raises:
        ConfigError: an address is none.
        GatewayError: one cannot be used now; says which, why, and what to do.
    """
    listeners: list[Listener] = []
    try:
        for text in addresses:
            listeners += await _open(text, tls)
    except BaseException:
        for listener in listeners:
            await trio.aclose_forcefully(listener)
        raise
    return listeners


async def _open(text: str, tls: ssl.SSLContext | None) -> list[Listener]:
    try:
        address = parse_address(text)
    except ValueError as error:
        raise ConfigError([f"api.listen: {error}"]) from error
    try:
        if not isinstance(address, TcpAddress):
            return [_unix(Path(address.path))]
        opened = await trio.open_tcp_listeners(address.port, host=address.host, backlog=_BACKLOG)
    except OSError as error:
        code = error.errno or getattr(error.__cause__, "errno", None)
        mend = _MEND.get(code or 0, error.strerror or str(error))
        raise GatewayError(f"api.listen: {text}: {mend}") from error
    if tls is None:
        return list(opened)
    return [trio.SSLListener(listener, tls, https_compatible=True) for listener in opened]


def _unix(path: Path) -> Listener:
    """A Unix socket at ``path``. What a process that is gone has left behind is replaced; anything
    else there is not touched."""
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "a file that is no socket is in the way: remove it")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
                raise OSError(errno.EADDRINUSE, "in use")
        path.unlink()
    sock = socket.socket(socket.AF_UNIX)
    try:
        # Nobody can connect between bind and listen, so the mode is in force from the start.
        sock.bind(str(path))
        path.chmod(UNIX_MODE)
        sock.listen(_BACKLOG)
        return trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    except BaseException:
        sock.close()
        raise
