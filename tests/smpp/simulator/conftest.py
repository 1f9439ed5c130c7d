from collections.abc import Iterable
from typing import Any

import pytest

from gateway.smpp.framing import Splitter
from gateway.smpp.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSmResp,
    Packet,
    Pdu,
    SubmitSm,
    decode,
    encode,
)
from gateway.smpp.simulator import SimulatorOptions
from gateway.smpp.simulator.carrier import Carrier
from gateway.smpp.simulator.peer import Peer

EPOCH = 1_794_366_000.0  # 2026-11-11 03:00 UTC


class Line:
    """An ESME's end of a connection to a simulated carrier, without a socket."""

    def __init__(self, carrier: Carrier, number: int) -> None:
        self.woken = 0
        self.peer = Peer(carrier, None, number, self._wake)
        self._sequence = 0

    def _wake(self) -> None:
        self.woken += 1

    def send(self, *pdus: Pdu, now: float = 0.0, status: int = 0) -> None:
        frames = []
        for pdu in pdus:
            self._sequence += 1
            frames.append(encode(pdu, self._sequence, status))
        self.peer.receive(b"".join(frames), now)

    def answer(self, packets: Iterable[Packet], now: float = 0.0, status: int = 0) -> None:
        for packet in packets:
            self.peer.receive(encode(DeliverSmResp(), packet.sequence, status), now)

    def heard(self, now: float = 0.0) -> list[Packet]:
        return [decode(frame) for frame in Splitter().feed(b"".join(self.peer.due(now)))]


Bind = type[BindReceiver] | type[BindTransmitter] | type[BindTransceiver]


class Carriers:
    """Makes carriers and connections to them. Time starts at 0."""

    def __init__(self) -> None:
        self._number = 0

    def carrier(self, **options: Any) -> Carrier:
        return Carrier(SimulatorOptions(**options), 0.0, EPOCH)

    def line(self, carrier: Carrier) -> Line:
        self._number += 1
        return Line(carrier, self._number)

    def bound(self, carrier: Carrier, kind: Bind = BindTransceiver, user: str = "u") -> Line:
        line = self.line(carrier)
        line.send(kind(system_id=user, password="p"))
        (response,) = line.heard()
        assert response.status == 0
        return line


@pytest.fixture
def make() -> Carriers:
    return Carriers()


@pytest.fixture
def submit() -> SubmitSm:
    return SubmitSm(
        source_addr="10690001",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="447911123456",
        registered_delivery=1,
        short_message=b"Hello there, this is a text",
    )
