"""One connection from the trio client to the server, with its hello answered."""

import ssl
from typing import NamedTuple

import trio

from gateway.api import dialogue, wire
from gateway.api.address import Address, TcpAddress


class Target(NamedTuple):
    """Whom to connect to, and as whom."""

    address: Address
    token: str
    tls: ssl.SSLContext | None
    name: str


class Link:
    """A connection whose hello was answered; `open_link` makes it.

    Attributes:
        limits: what the server takes.
        tenant: whose token it was.
    """

    limits: wire.Limits
    tenant: str

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._requests = dialogue.Requests()
        self._replies = dialogue.Replies()

    async def send(self, fields: wire.Fields) -> None:
        """Send a request. Raises ConnectionError where the server has gone."""
        data = self._requests.pack(fields).frame
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _lost(error) from error

    async def receive(self) -> list[wire.Reply]:
        """The next replies and event frames. Raises ConnectionError at the end."""
        while True:
            try:
                data = await self.stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise _lost(error) from error
            if not data:
                raise ConnectionError("the server closed the connection")
            if replies := self._replies.receive(data):
                return replies


def _lost(error: Exception) -> ConnectionError:
    """What is behind an error of trio's, a certificate that is not trusted for instance."""
    cause = error.__cause__
    return ConnectionError(
        f"the connection was lost: {cause}" if cause else "the connection was lost"
    )


async def open_link(target: Target) -> Link:
    """Connect and say hello. Raises OSError, or ApiError where the server refuses."""
    stream: trio.abc.Stream
    if isinstance(target.address, TcpAddress):
        host, port = target.address
        stream = await trio.open_tcp_stream(host, port)
        if target.tls is not None:
            stream = trio.SSLStream(stream, target.tls, server_hostname=host, https_compatible=True)
    else:
        stream = await trio.open_unix_socket(target.address.path)
    try:
        link = Link(stream)
        await link.send({"op": "hello", "token": target.token, "client": target.name})
        (welcome,) = await link.receive()
        if error := wire.refused(welcome):
            raise error
        link.limits = wire.limits(welcome)
        link.tenant = welcome["tenant"]
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return link
