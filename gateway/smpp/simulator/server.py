"""The sockets and timers of a simulated carrier.

Each connection has a task that reads and one that writes. The reader handles all PDUs that came
together; the writer sends all that is due, responses and deliveries, in one go, and sleeps until
more is. There is no task and no timer for a message.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

import trio

from gateway.smpp import times
from gateway.smpp.framing import BadLengthError, Splitter
from gateway.smpp.pdu import (
    HEADER,
    RESPONSE,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    CancelSmResp,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Packet,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unparsed,
    decode,
    encode,
)
from gateway.smpp.simulator.carrier import MAX_WAITING, Account, Carrier, Statistics
from gateway.smpp.simulator.options import SimulatorOptions
from gateway.smpp.simulator.receipt import Taken
from gateway.smpp.simulator.record import Recorder
from gateway.smpp.status import Status

TICK: Final = 0.002
"""Due times are rounded up to a multiple of this, in seconds, so that a writer wakes at most 500
times a second however due times scatter."""

MAX_UNSENT: Final = 100_000
"""Responses that wait on one connection; past it nothing is read. 40,000 a second with a latency
of two seconds are within it."""

DELIVERY_BATCH: Final = 256
"""Deliveries in one write, so that the binds of an account share them."""

RETRY_AFTER: Final = 1.0
"""When a delivery that was refused for the time being is sent again, in seconds."""

FLUSH_EVERY: Final = 0.1
"""How often the record is written and phones text, in seconds."""

_READ_SIZE: Final = 65_536
_CLOSE_TIMEOUT: Final = 5.0

Delivery = Taken | DeliverSm
_Binds = BindReceiver | BindTransmitter | BindTransceiver
_BIND_ANSWERS: Final[dict[type[Pdu], type[Any]]] = {
    BindReceiver: BindReceiverResp,
    BindTransmitter: BindTransmitterResp,
    BindTransceiver: BindTransceiverResp,
}


class Simulator:
    """A carrier that runs.

    Attributes:
        host, port: where it listens.
    """

    def __init__(self, options: SimulatorOptions, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.options = options
        now = trio.current_time()
        self.epoch = time.time() - now
        self.carrier = Carrier(options, now, self.epoch)
        self.recorder = Recorder(options.record) if options.record else None
        self.submits: Counter[int] = Counter()
        self.deliveries: Counter[str] = Counter()
        self._accounts: dict[str, Account] = {}
        self._connections: set[_Connection] = set()
        self._numbers = count(1)

    def statistics(self) -> Statistics:
        """What it has done so far."""
        did = self.deliveries
        return Statistics(
            binds=sum(connection.account is not None for connection in self._connections),
            submits=dict(self.submits),
            receipts=did["receipts"],
            inbound=did["inbound"],
            answered=did["answered"],
            refused=did["refused"],
            waiting=sum(map(len, self._accounts.values())),
            dropped=did["dropped"],
        )

    def disconnect(self) -> None:
        """Close every connection without a word."""
        for connection in self._connections:
            connection.drop()

    def admit(self, bind: _Binds) -> tuple[int, Account | None]:
        """The status for a bind, and the account where it is 0."""
        accounts = self.options.accounts
        if accounts and bind.system_id not in accounts:
            return Status.ESME_RINVSYSID, None
        if accounts and bind.password != accounts[bind.system_id]:
            return Status.ESME_RINVPASWD, None
        account = self._accounts.setdefault(bind.system_id, Account(bind.system_id))
        if len(self.binds(account)) >= self.options.max_binds:
            return Status.ESME_RBINDFAIL, None
        return Status.ESME_ROK, account

    def binds(self, account: Account) -> list["_Connection"]:
        return [one for one in self._connections if one.account is account]

    def wake(self, account: Account) -> None:
        """Let the binds that receive look for deliveries."""
        for connection in self.binds(account):
            if connection.receives:
                connection.wake()

    async def handle(self, stream: trio.SocketStream) -> None:
        connection = _Connection(self, stream, next(self._numbers))
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            connection.hand_back()

    async def keep(self) -> None:
        """Write the record, and let phones text."""
        owed = 0.0
        while True:
            await trio.sleep(FLUSH_EVERY)
            if self.recorder:
                self.recorder.flush()
            bound = [a for a in self._accounts.values() if self.binds(a)]
            if not bound or not self.options.inbound_rate:
                continue
            owed += self.options.inbound_rate * FLUSH_EVERY
            for index in range(int(owed)):
                account = bound[index % len(bound)]
                if len(account) < MAX_WAITING:
                    account.add(trio.current_time(), self.carrier.inbound())
            owed %= 1
            for account in bound:
                self.wake(account)


class _Connection:
    """One connection, bound or not."""

    def __init__(self, simulator: Simulator, stream: trio.SocketStream, number: int) -> None:
        self.account: Account | None = None
        self.receives = False
        self._submits = False
        self._simulator = simulator
        self._carrier = simulator.carrier
        self._stream = stream
        self._number = number
        self._splitter = Splitter()
        self._ready: list[bytes] = []
        self._later: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._sequences = count(1)
        self._unanswered: dict[int, Delivery] = {}
        self._wake = trio.Event()
        self._sent = trio.Event()
        self._closing = False
        self._scope = trio.CancelScope()

    def wake(self) -> None:
        self._wake.set()

    def drop(self) -> None:
        self._simulator.deliveries["dropped"] += 1
        self._scope.cancel()

    def hand_back(self) -> None:
        """Give deliveries that were not answered back to the account, for another bind."""
        if self.account is not None:
            now = trio.current_time()
            for delivery in self._unanswered.values():
                self.account.add(now, delivery)
            self._simulator.wake(self.account)

    async def run(self) -> None:
        with self._scope:
            async with self._stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                self._closing = True
                self._scope.deadline = trio.current_time() + _CLOSE_TIMEOUT
                self.wake()

    async def _read(self) -> None:
        while not self._closing:
            while len(self._later) + len(self._ready) > MAX_UNSENT:
                self._sent = trio.Event()
                await self._sent.wait()
            try:
                data = await self._stream.receive_some(_READ_SIZE)
            except trio.BrokenResourceError:
                return
            if not data:
                return
            self._receive(data, trio.current_time())
            self.wake()
            if self.account is not None and self._submits:
                self._simulator.wake(self.account)

    def _receive(self, data: bytes, now: float) -> None:
        bad_length = False
        try:
            frames = self._splitter.feed(data)
        except BadLengthError as error:
            frames, bad_length = error.frames, True
        for frame in frames:
            packet = decode(frame)
            _HANDLERS.get(type(packet.pdu), _Connection._on_other)(self, packet, now)
            if self._closing or self._scope.cancel_called:
                return
        if bad_length:
            self._answer(GenericNack(), 0, Status.ESME_RINVCMDLEN)
            self._closing = True

    async def _write(self) -> None:
        while True:
            self._wake = wake = trio.Event()
            closing = self._closing
            now = trio.current_time()
            frames = self._due(math.inf if closing else now)
            if not closing:
                frames += self._deliveries(now)
            if frames:
                try:
                    await self._stream.send_all(b"".join(frames))
                except trio.BrokenResourceError:
                    self._scope.cancel()
                self._sent.set()
            elif closing:
                return
            else:
                with trio.CancelScope(deadline=math.ceil(self._next_due() / TICK) * TICK):
                    await wake.wait()

    def _due(self, now: float) -> list[bytes]:
        frames, self._ready = self._ready, []
        while self._later and self._later[0][0] <= now:
            frames.append(heappop(self._later)[2])
        return frames

    def _deliveries(self, now: float) -> list[bytes]:
        room = self._room
        if self.account is None or room <= 0:
            return []
        frames = []
        did = self._simulator.deliveries
        for delivery in self.account.take_due(now, min(room, DELIVERY_BATCH)):
            sequence = next(self._sequences)
            self._unanswered[sequence] = delivery
            frames.append(encode(self._carrier.pdu(delivery), sequence))
            did["receipts" if isinstance(delivery, Taken) else "inbound"] += 1
        return frames

    @property
    def _room(self) -> int:
        if not self.receives:
            return 0
        return self._simulator.options.delivery_window - len(self._unanswered)

    def _next_due(self) -> float:
        ...
