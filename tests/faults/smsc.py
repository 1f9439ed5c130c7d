"""A carrier that does what a test says, on connections without sockets, and the gateway on it: all
of dispatch, real binds, a store in memory, and time that passes as fast as it can."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from gateway.api.schema import Accepted, SubmitMessage
from gateway.dispatch.carriers.fleet import CarrierSettings
from gateway.dispatch.core import Dispatch, DispatchOptions
from gateway.dispatch.intake.tenants import TenantOptions
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.places import Places
from gateway.dispatch.release.routing import RouteOptions
from gateway.ops.metrics import Metrics
from gateway.policy import chain
from gateway.queue.memory import MemoryStore
from gateway.queue.operators import OperatorStore
from gateway.smpp import events
from gateway.smpp.bind import Bind
from gateway.smpp.options import Backoff, BindOptions, SessionOptions
from gateway.smpp.pdu import DeliverSm, GenericNack, Pdu, SubmitSm, SubmitSmResp, encode
from gateway.smpp.session import Session
from tests.dispatch.holding import check_store

START = 1_790_000_000.0
"""A Monday afternoon in Europe, in September 2026: when every test begins."""

TENANT = "shop"
RECEIPT = 0x04


class Line:
    """A connection of the gateway's.

    Attributes:
        silent: nothing is answered any more.
    """

    def __init__(self, smsc: "Smsc", stream: trio.abc.Stream) -> None:
        options = SessionOptions(system_id="smsc", window=1_000_000)
        self.silent = False
        self._smsc = smsc
        self._stream = stream
        self._session = Session("smsc", options, trio.current_time())
        self._outgoing = bytearray()
        self._news = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()

    @property
    def up(self) -> bool:
        return self._session.bound and not self.silent

    def write(self, data: bytes) -> None:
        """Send octets as they are, unless it has hung up or fallen silent."""
        if self._session.closed or self.silent:
            return
        self._outgoing += data
        self._news.unpark_all()

    def respond(self, sequence: int, ref: str = "", status: int = 0) -> None:
        """Answer a submit_sm."""
        self.write(encode(SubmitSmResp(message_id=ref), sequence, status))

    def nack(self, sequence: int, status: int) -> None:
        self.write(encode(GenericNack(), sequence, status))

    def deliver(self, pdu: DeliverSm) -> None:
        """Have a receipt delivered; if it is not answered, again on another connection."""
        self.write(self._session.submit([(pdu, pdu)], trio.current_time()))

    def say(self, pdu: Pdu, sequence: int) -> None:
        self.write(encode(pdu, sequence))

    def hang_up(self) -> None:
        """End the connection once what was written is sent."""
        self._close()
        self._news.unpark_all()

    def _close(self) -> None:
        for pdu in self._session.close():
            self._smsc.deliver(cast("DeliverSm", pdu))

    async def run(self) -> None:
        with self._scope:
            async with self._stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                try:
                    while data := await self._stream.receive_some():
                        self._handle(bytes(data))
                except trio.BrokenResourceError:
                    pass
                nursery.cancel_scope.cancel()
        self._close()

    def _handle(self, data: bytes) -> None:
        if self.silent:
            return
        for event in self._session.receive(data, trio.current_time()):
            match event:
                case events.BindRequest():
                    self._smsc.binds += 1
                    self.write(self._session.answer_bind(self._smsc.refuses))
                case events.Requests(requests):
                    for request in requests:
                        self._session.unanswered -= 1
                        if not (self.silent or self._session.closed):
                            self._smsc.submitted(self, request.sequence, request.pdu)
                case _:
                    pass
        if not self.silent:
            self.write(self._session.data_to_send())

    async def _write(self) -> None:
        while self._outgoing or not self._session.closed:
            if not self._outgoing:
                await self._news.park()
                continue
            data, self._outgoing = self._outgoing, bytearray()
            await self._stream.send_all(data)
        self._scope.cancel()


Behaviour = Callable[[Line, int, SubmitSm, int], None]
"""Takes a submit_sm: the connection, the sequence number, the PDU, and which one it is, from 1."""


class Smsc:
    """A carrier. It takes and delivers everything unless it is told otherwise.

    Attributes:
        dead: nobody listens.
        refuses: the command_status that binds are answered with.
        binds: how often somebody tried to bind.
        taken: how many submissions came by recipient.
        lines: every connection that there ever was.
        write_id, write_receipt_id: how the number of a message is written in responses, and in
            receipts.
        source: what the source of a receipt is, given the phone.
    """

    def __init__(self, behaviour: Behaviour | None = None, first_id: int = 1) -> None:
        self.behaviour = behaviour
        self.dead = False
        self.refuses = 0
        self.binds = 0
        self.taken: Counter[str] = Counter()
        self.lines: list[Line] = []
        self.write_id: Callable[[int], str] = "{:09}".format
        self.write_receipt_id: Callable[[int], str] = "{:09}".format
        self.source: Callable[[str], str] = str
        self._next_id = first_id
        self._count = 0
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            yield
            nursery.cancel_scope.cancel()

    def connect(self) -> trio.abc.Stream:
        """A connection to it, as the gateway sees it."""
        if self.dead or self._nursery is None:
            raise ConnectionRefusedError("nobody listens")
        ours, theirs = memory_stream_pair()
        line = Line(self, theirs)
        self.lines.append(line)
        self._nursery.start_soon(line.run)
        return ours

    def die(self) -> None:
        """Close every connection, and take none."""
        self.dead = True
        for line in self.lines:
            line.hang_up()

    def submitted(self, line: Line, sequence: int, pdu: Pdu) -> None:
        assert isinstance(pdu, SubmitSm)
        self.taken[pdu.destination_addr] += 1
        self._count += 1
        if self.behaviour is None:
            self.take(line, sequence, pdu)
        else:
            self.behaviour(line, sequence, pdu, self._count)

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def take(self, line: Line, sequence: int, pdu: SubmitSm, stat: str = "DELIVRD") -> None:
        """Take a message and deliver it a second later."""
        number = self.new_id()
        line.respond(sequence, self.write_id(number))
        self.later(1.0, lambda: self.report(number, pdu, stat, line))

    def report(
        self, number: int, pdu: SubmitSm, stat: str = "DELIVRD", line: Line | None = None
    ) -> None:
        """Send a receipt."""
        text = (
            f"id:{self.write_receipt_id(number)} sub:001 dlvrd:001 submit date:2609211200 "
            f"done date:2609211201 stat:{stat} err:000 text:"
        )
        receipt = DeliverSm(
            source_addr=self.source(pdu.destination_addr),
            destination_addr=pdu.source_addr,
            esm_class=RECEIPT,
            short_message=text.encode(),
        )
        self.deliver(receipt, line)

    def deliver(self, receipt: DeliverSm, line: Line | None = None) -> None:
        """Deliver a receipt, on a connection if it is up still, else on another, else later."""
        up = [line] if line is not None and line.up else [one for one in self.lines if one.up]
        if up:
            up[-1].deliver(receipt)
        else:
            self.later(5.0, lambda: self.deliver(receipt))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after a while."""

        async def do() -> None:
            await trio.sleep(seconds)
            act()

        assert self._nursery is not None
        self._nursery.start_soon(do)


class Gateway:
    """A dispatch with one tenant on scripted carriers.

    Attributes:
        shift: seconds by which the wall clock is off.
        accepted: the ids of all messages that were accepted.
        store: may be given to another gateway.
    """

    def __init__(self, carriers: dict[str, Smsc], store: OperatorStore | None) -> None:
        self.shift = 0.0
        self.accepted: list[str] = []
        self.carriers = carriers
        self.store: OperatorStore = store or MemoryStore(self.clock)
        self.dispatch = Dispatch(self.store, Metrics(), self.clock, self.bind, Places())
        self._count = 0

    def clock(self) -> float:
        """What the wall clock shows."""
        return START + trio.current_time() + self.shift

    def bind(self, options: BindOptions, *rest: Any, **more: Any) -> Bind:
        """Makes a bind that connects to the carrier of its host's name."""
        smsc = self.carriers[options.host]

        async def connect(_options: BindOptions) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            return smsc.connect()

        return Bind(options, *rest, connect=connect, **more)

    async def submit(self, count: int, **fields: Any) -> list[str]:
        """Submit messages, each to another phone; returns their ids."""
        numbers = range(self._count, self._count + count)
        self._count += count
        batch = [
            SubmitMessage(**{"to": f"+86139{n:08}", "text": f"No. {n}", **fields}) for n in numbers
        ]
        [results] = await self.dispatch.service.submit(TENANT, [batch])
        ids = [result.message_id for result in results if isinstance(result, Accepted)]
        assert len(ids) == count, results
        self.accepted += ids
        return ids

    async def events(self) -> list[dict[str, Any]]:
        """Every event, in order."""
        chunks = await self.store.events(TENANT, 0, 1_000_000)
        body = b"".join(chunk.body for chunk in chunks)
        count = sum(chunk.size for chunk in chunks)
        decoded = msgspec.msgpack.decode(b"\xdd" + count.to_bytes(4, "big") + body)
        return cast("list[dict[str, Any]]", decoded)

    async def outcomes(self) -> dict[str, dict[str, Any]]:
        """The outcomes by message id; each message has one at most."""
        told = await self.events()
        found = {event["message_id"]: event for event in told}
        assert len(found) == len(told)
        return found

    async def finished(self, seconds: float) -> dict[str, dict[str, Any]]:
        """Every accepted message's outcome, which it must have within so many seconds."""
        with trio.move_on_after(seconds):
            while (await self.store.bounds(TENANT))[1] < len(self.accepted):
                await trio.sleep(0.1)
        found = await self.outcomes()
        assert found.keys() == set(self.accepted)
        return found

    def queued(self) -> int:
        """How many messages have no outcome."""
        return self.dispatch.ledger.total(TENANT)


def account(name: str, *, binds: int = 2, window: int = 10, **changes: Any) -> CarrierSettings:
    """A carrier whose host is its name."""
    backoff = Backoff(initial=1.0, longest=60.0)
    bind = BindOptions(host=name, port=2775, window=window, backoff=backoff)
    options = CarrierOptions(id=name, **changes)
    return CarrierSettings(options, (bind,) * binds, (bind, binds))


@asynccontextmanager
async def gateway(
    carriers: dict[str, Smsc],
    *,
    store: OperatorStore | None = None,
    settings: Sequence[CarrierSettings] | None = None,
    routes: Sequence[RouteOptions] = (),
    shift: float = 0.0,
) -> AsyncIterator[Gateway]:
    """A gateway that runs, its carriers already running."""
    found = Gateway(carriers, store)
    found.shift = shift
    options = DispatchOptions(
        tenants=[
            TenantOptions(
                id=TENANT, token_sha256=(b"t",), category="transactional", sender="10690001"
            )
        ],
        policies={TENANT: chain.TenantOptions(senders=("10690001",), quiet_hours=False)},
        carriers=settings or [account(name) for name in carriers],
        routes=routes,
    )
    found.dispatch.recover(await found.store.open())
    async with trio.open_nursery() as nursery:
        await nursery.start(found.dispatch.run)
        found.dispatch.configure(options)
        yield found
        await wait_all_tasks_blocked()
        await check_store(found.dispatch, found.store)
        nursery.cancel_scope.cancel()
    assert found.dispatch.places.total == 0
