"""One client's connection to the server, from accepting it to its end: hello, flow control,
requests in, replies and events out.

Frames are answered in the groups they arrive in; replies and events leave through one `Outbox`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import structlog
import trio

from gateway.api import codec, schema
from gateway.api.answers import Answers
from gateway.api.backend import Subscription
from gateway.api.frames import FrameReader, FrameTooLargeError
from gateway.api.hello import GONE, HELLO, Known, Refused, await_hello
from gateway.api.inlet import Arrival, Inlet, StalledError
from gateway.api.outbox import Outbox
from gateway.api.shared import Shared, Tenant
from gateway.errors import GatewayError, RequestError

logger = structlog.get_logger(__name__)

_LINGER: Final = 1.0
"""Seconds for a client to read why it is turned away, while what it still sends is thrown away:
closing with unread bytes would reset the connection, and the reply with it."""


class Connection:
    """One connection. The caller closes the stream when `run` or `turn_away` returns.

    A request is *in flight* until its answer is offered to the socket, and no longer: a client
    cannot have read an answer before, so one that never has more than ``max_in_flight`` unanswered
    finds the server reading whenever it writes, however little the sockets buffer and though it
    reads nothing meanwhile. What waits to be sent is bounded by those in flight, and a piece; where
    that comes to too many bytes over all connections of the tenant, the others are answered `busy`.
    """

    def __init__(self, stream: trio.abc.Stream, shared: Shared) -> None:
        self._stream = stream
        self._shared = shared
        self._options = shared.options
        self._peer = _peer(stream)
        self._in_flight = 0
        self._unsent = 0
        self._taken = HELLO  # the number of the last request that was read
        self._released = trio.lowlevel.ParkingLot()
        self._consumers: set[str] = set()

    async def run(self) -> None:
        """Serve the connection until its end."""
        try:
            frames = FrameReader(self._options.max_frame)
            known = await await_hello(self._stream, frames, self._shared, self._peer)
            if known is not None:
                self._outbox = Outbox(self._sent, self._offered, known.tenant.wait)
                codec.encode(known.welcome, self._outbox.buffer)
                try:
                    await self._serve(known, frames)
                finally:
                    self._shared.leave(known.tenant)
        except Refused as refused:
            await self._refuse(refused)
        except GONE:
            pass

    async def turn_away(self) -> None:
        """Say that there are too many connections."""
        limit = self._options.max_connections
        await self._refuse(Refused("too_many", "busy", f"{limit} connections are open: try later"))

    async def _refuse(self, refused: Refused) -> None:
        self._shared.ended(refused.reason, self._peer)
        self._shared.stats.errors[refused.reply.error.code] += 1
        data = bytearray()
        codec.encode(refused.reply, data)
        with suppress(*GONE), trio.move_on_after(_LINGER):
            await self._stream.send_all(data)
            if isinstance(self._stream, trio.abc.HalfCloseableStream):
                await self._stream.send_eof()
            while await self._stream.receive_some():
                pass

    async def _serve(self, known: Known, frames: FrameReader) -> None:
        self._tenant = known.tenant.name
        self._token = known.token
        self._answers = Answers(
            self._shared, self._tenant, self._subscribe, self._is_unread(known.tenant)
        )
        self._inlet = Inlet(
            self._stream, frames, known.tenant, self._outbox, self._options, self._free
        )
        too_large = None
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._write)
                too_large = await self._read(frames)
                while self._unsent:
                    await self._released.park()
                nursery.cancel_scope.cancel()
        finally:
            self._outbox.close()
        if too_large is not None:
            number = self._taken + 1
            raise Refused("frame_too_large", "frame_too_large", str(too_large), request=number)

    async def _read(self, frames: FrameReader) -> FrameTooLargeError | None:
        """Start on requests as they come, until the client has no more, or goes away, or sends a
        frame after which there is no telling where the next one starts."""
        try:
            with self._inlet.idle:
                self._inlet.touch()
                while True:
                    while not self._free():
                        await self._released.park()
                    arrival = await self._inlet.receive()
                    if arrival is None:
                        return None
                    self._begin(arrival)
                    if frames.buffered:  # they begin in the order of their coming
                        await trio.lowlevel.checkpoint()
            self._shared.ended("idle", self._peer)
        except StalledError:
            self._shared.ended("stalled", self._peer)
        except FrameTooLargeError as error:
            return error
        except GONE:
            pass
        finally:
            self._inlet.close()
        return None

    def _is_unread(self, tenant: Tenant) -> Callable[[], bool]:
        return lambda: tenant.is_unread(self._outbox.waiting)

    def _free(self) -> int:
        """How many requests may be taken now."""
        return self._options.max_in_flight - self._in_flight

    def _begin(self, arrival: Arrival) -> None:
        """Begin to answer requests that came together."""
        count = len(arrival.bodies)
        first = self._taken + 1
        self._taken += count
        self._in_flight += count
        self._unsent += count
        self._shared.stats.in_flight += count
        self._shared.requests.start_soon(self._answer, arrival, first)

    async def _answer(self, arrival: Arrival, first: int) -> None:
        unanswered = len(arrival.bodies)

        def put(replies: Sequence[schema.Reply]) -> None:
            nonlocal unanswered
            unanswered -= len(replies)
            for reply in replies:
                codec.encode(reply, self._outbox.buffer)
                self._outbox.answered()
            self._outbox.wake()

        with self._contained():
            try:
                if self._still_welcome():
                    await self._answers.give(arrival.bodies, first, put)
            finally:
                arrival.turnstile.leave(arrival.size)
                self._offered(unanswered)
                self._done(unanswered)

    async def _write(self) -> None:
        if await self._outbox.write(self._stream, self._options.send_timeout):
            self._shared.ended("slow_reader", self._peer)
        self._nursery.cancel_scope.cancel()

    def _offered(self, answers: int) -> None:
        """The client may have read so many more answers by the time it sends again, and counts
        them off: what it may send must be read then, though it does not read what else there is."""
        if answers:
            self._in_flight -= answers
            if self._released:
                self._released.unpark_all()

    def _sent(self, answers: int) -> None:
        self._inlet.touch()
        self._done(answers)

    def _done(self, requests: int) -> None:
        """So many requests are done with: answered, or dropped with their connection."""
        if requests:
            self._unsent -= requests
            self._shared.stats.in_flight -= requests
            if self._released:
                self._released.unpark_all()
            if self._shared.progress:
                self._shared.progress.unpark_all()

    def _still_welcome(self) -> bool:
        """Whether the token is valid still; else this is the end of the connection."""
        if self._token in self._shared.backend.tokens():
            return True
        self._shared.ended("unauthenticated", self._peer)
        self._nursery.cancel_scope.cancel()
        return False

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """What goes wrong in here ends this connection, not the server."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, GatewayError):
                logger.exception("connection_failed", tenant=self._tenant, peer=self._peer)
            self._shared.ended("error", self._peer)
            self._nursery.cancel_scope.cancel()

    # --- events ---

    async def _subscribe(self, request: schema.Subscribe) -> schema.Reply:
        consumer = request.consumer
        if consumer in self._consumers:
            raise RequestError("bad_request", "consumer: subscribed on this connection already")
        if len(self._consumers) >= self._options.max_subscriptions:
            most = self._options.max_subscriptions
            raise RequestError("bad_request", f"consumer: {most} on this connection already")
        self._consumers.add(consumer)
        try:
            subscription = await self._shared.backend.subscribe(
                self._tenant, consumer, request.start
            )
        except GatewayError:
            self._consumers.discard(consumer)
            raise
        if not self._outbox.closed:
            # The reply is put down before the new task first runs, and so leaves before its events.
            self._nursery.start_soon(self._pump, consumer, subscription)
        epoch = self._shared.backend.epoch
        return schema.SubscribeReply(request.id, True, subscription.next, epoch)

    async def _pump(self, consumer: str, subscription: Subscription) -> None:
        """Send events as fast as the client takes them, and no faster."""
        prefix = codec.events_prefix(consumer, self._shared.backend.epoch)
        with self._contained(), subscription.scope:
            while True:
                await self._outbox.room()
                chunks = await subscription.receive()
                if not self._still_welcome():
                    return
                for count, body in chunks:
                    codec.encode_events(prefix, count, body, self._outbox.buffer)
                    self._shared.stats.events += count
                self._outbox.wake()
        if subscription.scope.cancelled_caught:
            self._shared.ended("disconnected", self._peer)
            self._nursery.cancel_scope.cancel()


def _peer(stream: trio.abc.Stream) -> str:
    """The other end, for a log."""
    if isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if not isinstance(stream, trio.SocketStream):
        return "local"
    try:
        name = stream.socket.getpeername()
    except OSError:
        return "gone"
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "local"
