"""The client that a campaign system imports, for trio. It needs msgpack and trio only.

::

    async with connect("tcp://127.0.0.1:7600", token="…") as client:
        results = await client.submit([{"to": "+447700900123", "text": "Hello"}])
        async for event in client.events("crm"):
            print(event.type, event.message_id)

A connection that breaks is made anew, and requests without an answer are sent again; keys make
that safe. For scripts without trio there is `gateway.api.blocking`.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from collections import deque
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

from gateway.api import wire
from gateway.api.address import Address, TcpAddress, parse_address
from gateway.api.outbox import Outbox
from gateway.api.wire import (
    Accepted,
    ApiError,
    Cancelled,
    Event,
    Message,
    OptoutAction,
    OptoutResult,
    Quoted,
    Rejected,
    Start,
    Status,
)

_PATIENCE = 60.0
"""Seconds for the server to take a piece of what is sent."""

_ACK_EVERY = 1.0
"""Seconds after which handled events are acknowledged at the latest, as long as events come."""


class _Target(NamedTuple):
    """Whom to connect to, and as whom."""

    address: Address
    token: str
    tls: ssl.SSLContext | None
    name: str


class _Link:
    """A connection whose hello was answered."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.requests = wire.Requests()
        self.limits = wire.Limits()
        self._replies = wire.Replies()

    async def send(self, fields: wire.Fields) -> int:
        """Send a request; returns its id."""
        number, data = self.requests.pack(fields)
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionError("the connection was lost") from error
        return number

    async def receive(self) -> list[wire.Reply]:
        """The next replies and event frames. Raises ConnectionError at the end."""
        while True:
            try:
                data = await self.stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ConnectionError("the connection was lost") from error
            if not data:
                raise ConnectionError("the server closed the connection")
            if replies := self._replies.receive(data):
                return replies


async def _open(target: _Target) -> _Link:
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
        link = _Link(stream)
        await link.send({"op": "hello", "token": target.token, "client": target.name})
        (welcome,) = await link.receive()
        if error := wire.refused(welcome):
            raise error
        link.limits = wire.limits(welcome)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return link


class _Call:
    """A request that waits for its answer."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self._done = trio.Event()
        self._reply: wire.Reply = {}
        self._error: ApiError | None = None

    def settle(self, reply: wire.Reply, error: ApiError | None) -> None:
        self._reply, self._error = reply, error
        self._done.set()

    async def reply(self) -> wire.Reply:
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._reply


class Client:
    """A connection to the gateway that mends itself; made by `connect`.

    Every method waits for as long as the gateway cannot be reached; bound it with
    ``trio.fail_after``. A submit that was given up may have been carried out.
    Every method raises `ApiError` where the gateway refuses the request as a whole.
    """

    def __init__(self, target: _Target, limits: wire.Limits) -> None:
        self._target = target
        self._limits = limits
        self._requests = wire.Requests()
        self._pending: dict[int, _Call] = {}
        self._window = trio.Semaphore(limits.max_in_flight, max_value=limits.max_in_flight)
        self._outbox = Outbox(_nothing)
        self._refused: ApiError | None = None

    # --- requests ---

    async def submit(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> list[Accepted | Rejected]:
        """Submit messages; a result for each, in order. A message without ``key`` gets one.
        Returns when all that was accepted is durable."""
        return [result async for result in self.submit_many(messages, defaults)]

    async def submit_many(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> AsyncGenerator[Accepted | Rejected, None]:
        """Submit any number of messages in batches, several in flight, and yield their results in
        order as they come. ``messages`` is read only as fast as the gateway accepts."""
        async for reply in self._stream(self._requests.submits(messages, defaults, self._limits)):
            for result in wire.accepted(reply):
                yield result

    async def quote(
        self, messages: Iterable[Message], defaults: Message | None = None
    ) -> list[Quoted | Rejected]:
        """What submitting these messages now would give; nothing is stored."""
        requests = self._requests.quotes(messages, defaults, self._limits)
        return [r async for reply in self._stream(requests) for r in wire.quoted(reply)]

    async def status(
        self, ids: Sequence[str] = (), keys: Sequence[str] = ()
    ) -> list[Status | None]:
        """Where messages stand, ids first; None for one that is not known."""
        return wire.statuses(await self._ask({"op": "status", "ids": ids, "keys": keys}))

    async def cancel(
        self,
        ids: Sequence[str] = (),
        keys: Sequence[str] = (),
        campaign: str | None = None,
    ) -> Cancelled:
        """Cancel messages that no carrier has yet, by id, key or campaign."""
        fields = {"op": "cancel", "ids": ids, "keys": keys, "campaign": campaign}
        return wire.cancelled(await self._ask(fields))

    async def optout(
        self, action: OptoutAction, numbers: Sequence[str]
    ) -> list[OptoutResult | Rejected]:
        """Add, remove or check opt-outs."""
        return wire.optouts(await self._ask({"op": "optout", "action": action, "numbers": numbers}))

    async def ack(self, consumer: str, seq: int) -> int:
        """Everything up to ``seq`` is handled; returns where the consumer's cursor stands."""
        reply = await self._ask({"op": "ack", "consumer": consumer, "seq": seq})
        return int(reply["seq"])

    # --- events ---

    async def events(
        self, consumer: str, start: Start = "acked", *, acknowledge: bool = True
    ) -> AsyncGenerator[Event, None]:
        """Events in order, for ever, over a connection of their own.

        An event counts as handled when the next one is asked for; handled events are acknowledged
        by and by unless ``acknowledge`` is false, and then by calling `ack`. After a crash, those
        handled but not yet acknowledged come again.
        """
        position = _Position(consumer, start, acknowledge)
        pauses = wire.backoff()
        while True:
            try:
                link = await _open(self._target)
                try:
                    await link.send(position.subscribe())
                    while True:
                        for event in position.news(await _next(link)):
                            yield event
                            if position.handled(event, trio.current_time()):
                                await link.send(position.ack())
                        if position.unacknowledged:
                            await link.send(position.ack())
                        pauses = wire.backoff()
                finally:
                    await trio.aclose_forcefully(link.stream)
            except ApiError as error:
                if error.code in wire.FATAL:
                    raise
            except OSError:
                pass
            await trio.sleep(next(pauses))
