"""The first frame of a connection: who is it, and may they come in.

Nobody unknown makes the server hold more than a few bytes, for more than a few seconds.
"""

from typing import Final, NamedTuple

import trio

from gateway import __version__
from gateway.api import codec, schema
from gateway.api.frames import HEADER_SIZE, FrameReader, FrameTooLargeError
from gateway.api.options import ServerOptions
from gateway.api.peek import Echo
from gateway.api.shared import Reason, Shared, Tenant
from gateway.errors import RequestCode, RequestError

HELLO_MAX: Final = 4096
"""Bytes of a frame before hello is answered: a token and a name, many times over."""

HELLO: Final = 1
"""The number of the request that hello is, and has to be."""

GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
"""What a stream raises once its peer is no longer there."""


class Refused(Exception):  # noqa: N818 - an ending, not an error
    """The server ends this connection, after a reply that says why."""

    def __init__(
        self,
        reason: Reason,
        code: RequestCode,
        message: str,
        request_id: Echo | None = None,
        request: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.reply = schema.refusal(request_id, code, message, request)


class Known(NamedTuple):
    """A client that may come in: its tenant, the hash of its token, and what to answer."""

    tenant: Tenant
    token: bytes
    welcome: schema.Welcome


async def await_hello(
    stream: trio.abc.Stream, frames: FrameReader, shared: Shared, peer: str
) -> Known | None:
    """Wait for the hello of a connection and count it in; `Shared.leave` counts it out.

    Returns:
        None where the client went away.

    Raises:
        Refused: it may not come in.
    """
    frames.max_frame = HELLO_MAX
    limit = shared.options.hello_timeout
    with trio.move_on_after(limit) as patience:
        if isinstance(stream, trio.SSLStream):
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                shared.ended("tls", peer)
                return None
        body = await _first_frame(stream, frames)
    if patience.cancelled_caught:
        raise Refused("no_hello", "unauthenticated", f"no hello within {limit:g} s")
    if body is None:
        return None
    hello = _hello(body, shared.options)
    found = shared.authenticate(hello.token)
    if found is None:
        await trio.sleep(shared.options.refusal_delay)
        raise Refused("unauthenticated", "unauthenticated", "token: not known", hello.id)
    token, name = found
    tenant = _admit(hello, name, shared)
    frames.max_frame = shared.options.max_frame
    shared.stats.requests["hello"] += 1
    shared.log("hello", tenant=name, client=hello.client, peer=peer)
    return Known(tenant, token, _welcome(hello, name, shared))


async def _first_frame(stream: trio.abc.Stream, frames: FrameReader) -> bytes | None:
    try:
        while (body := frames.next_frame()) is None:
            # No more than that is held for anybody unknown: what comes behind hello stays outside.
            data = await stream.receive_some(HEADER_SIZE + HELLO_MAX - frames.buffered)
            if not data:
                return None
            frames.receive(data)
    except FrameTooLargeError as error:
        raise Refused("frame_too_large", "frame_too_large", f"before hello, {error}") from None
    return body


def _hello(body: bytes, options: ServerOptions) -> schema.Hello:
    try:
        hello = codec.decode(body, options.max_batch)
    except RequestError as error:
        name = codec.request_id(body)
        raise Refused("no_hello", error.code, error.message, name, HELLO) from None
    if not isinstance(hello, schema.Hello):
        raise Refused("no_hello", "unauthenticated", "op: say hello first", hello.id)
    return hello


def _admit(hello: schema.Hello, name: str, shared: Shared) -> Tenant:
    if shared.draining:
        raise Refused("too_many", "shutting_down", "the gateway is shutting down", hello.id)
    tenant = shared.enter(name)
    if tenant is None:
        most = shared.options.max_tenant_connections
        raise Refused("too_many", "busy", f"{most} connections of yours are open", hello.id)
    return tenant


def _welcome(hello: schema.Hello, tenant: str, shared: Shared) -> schema.Welcome:
    options = shared.options
    limits = schema.Limits(
        options.max_frame, options.max_batch, options.max_in_flight, options.idle_timeout
    )
    server, epoch = f"gateway/{__version__}", shared.backend.epoch
    return schema.Welcome(hello.id, True, tenant, server, schema.VERSION, epoch, limits)
