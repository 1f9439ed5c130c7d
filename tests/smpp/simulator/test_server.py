"""A simulated carrier over a real socket, spoken to by smpplib."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import smpplib.client
import smpplib.exceptions
import smpplib.smpp
import trio

from gateway.smpp.simulator import Simulator, SimulatorOptions, serve

T = TypeVar("T")

MESSAGE = {
    "source_addr_ton": 5,
    "source_addr": "ACME",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "447911123456",
    "short_message": b"hello",
}


class Client(smpplib.client.Client):  # type: ignore[misc] # smpplib has no types
    """smpplib's client, keeping what it is told."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator.host, simulator.port, timeout=60, allow_unknown_opt_params=True)
        self.responses: list[Any] = []
        self.deliveries: list[Any] = []
        self.states: list[Any] = []

    def message_sent_handler(self, pdu: Any) -> None:
        self.responses.append(pdu)

    def message_received_handler(self, pdu: Any) -> None:
        self.deliveries.append(pdu)

    def query_resp_handler(self, pdu: Any) -> None:
        self.states.append(pdu)

    def read_until(self, done: Callable[[], object]) -> None:
        while not done():
            self.read_once()


@contextmanager
def bound(simulator: Simulator, password: str = "p") -> Iterator[Client]:
    with Client(simulator) as client:
        client.connect()
        client.bind_transceiver(system_id="u", password=password)
        yield client


async def talk(talking: Callable[[Simulator], T], **options: Any) -> T:
    """Run ``talking`` in a thread against a carrier with these options."""
    settings = SimulatorOptions(port=0, accounts={"u": "p"}, **options)
    async with trio.open_nursery() as nursery:
        simulator: Simulator = await nursery.start(lambda **kw: serve(settings, **kw))
        try:
            return await trio.to_thread.run_sync(talking, simulator)
        finally:
            nursery.cancel_scope.cancel()
    raise AssertionError


async def test_a_message_and_its_receipt() -> None:
    def talking(simulator: Simulator) -> None:
        with bound(simulator) as client:
            client.send_message(**MESSAGE, registered_delivery=1)
            client.read_until(lambda: client.responses and client.deliveries)
            (response,), (delivery,) = client.responses, client.deliveries
            assert response.message_id == b"1000000000"
            assert delivery.esm_class == 4
            assert delivery.short_message.startswith(b"id:1000000000 sub:001 dlvrd:001 ")
            assert delivery.short_message.endswith(b" stat:DELIVRD err:000 text:hello")
            client.send_message(**MESSAGE)
            client.read_until(lambda: len(client.responses) == 2)
            did = simulator.statistics()
            assert (did.submits, did.receipts, did.answered) == ({0: 2}, 1, 1)

    await talk(talking)


async def test_a_refused_message() -> None:
    def talking(simulator: Simulator) -> None:
        with bound(simulator) as client:
            client.send_message(**MESSAGE)
            with pytest.raises(smpplib.exceptions.PDUError) as caught:
                client.read_once()
            assert caught.value.args[1] == 0x14

    await talk(talking, errors={"ESME_RMSGQFUL": 1.0}, latency=0.01)


async def test_a_wrong_password() -> None:
    def talking(simulator: Simulator) -> None:
        client = Client(simulator)
        client.connect()
        with pytest.raises(smpplib.exceptions.PDUError) as caught:
            client.bind_transceiver(system_id="u", password="wrong")
        assert caught.value.args[1] == 0x0E
        client.disconnect()

    await talk(talking)


async def test_query_and_enquire_link() -> None:
    def talking(simulator: Simulator) -> None:
        with bound(simulator) as client:
            client.send_message(**MESSAGE)
            client.read_until(lambda: client.responses)
            client.query_message(
                message_id="1000000000", source_addr_ton=5, source_addr_npi=0, source_addr="ACME"
            )
            client.read_until(lambda: client.states)
            assert client.states[0].message_state == 2
            client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=client))
            assert client.read_pdu().command == "enquire_link_resp"

    await talk(talking)


async def test_phones_text() -> None:
    def talking(simulator: Simulator) -> None:
        with bound(simulator) as client:
            client.read_until(lambda: len(client.deliveries) >= 10)
            assert {pdu.destination_addr for pdu in client.deliveries} == {b"10690009"}

    await talk(talking, inbound_rate=500.0, inbound_to="10690009")


async def test_the_record_has_what_was_taken(tmp_path: Path) -> None:
    def talking(simulator: Simulator) -> None:
        with bound(simulator) as client:
            for _ in range(3):
                client.send_message(**MESSAGE, validity_period="000000010000000R")
            client.read_until(lambda: len(client.responses) == 3)

    path = tmp_path / "taken.jsonl"
    await talk(talking, record=str(path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["1000000000", "1000000001", "1000000002"]
    del lines[0]["time"]
    assert lines[0] == {
        "system_id": "u",
        "bind": 1,
        "source": "ACME",
        "destination": "447911123456",
        "esm_class": 0,
        "data_coding": 0,
        "short_message": b"hello".hex(),
        "validity": "000000010000000R",
        "id": "1000000000",
    }


async def test_a_drop_closes_the_connection_and_keeps_the_receipt() -> None:
    def talking(simulator: Simulator) -> None:
        client = Client(simulator)
        client.connect()
        client.bind_transmitter(system_id="u", password="p")
        client.send_message(**MESSAGE, registered_delivery=1)
        with pytest.raises(smpplib.exceptions.ConnectionError):
            client.read_once()
        client.disconnect()
        with bound(simulator) as again:
            again.read_until(lambda: again.deliveries)
        assert simulator.statistics().dropped == 1

    await talk(talking, drop=1.0)


async def test_disconnect_closes_every_connection() -> None:
    settings = SimulatorOptions(port=0)
    async with trio.open_nursery() as nursery:
        simulator: Simulator = await nursery.start(lambda **kw: serve(settings, **kw))
        streams = [await trio.open_tcp_stream(simulator.host, simulator.port) for _ in range(3)]
        for stream in streams:
            await stream.send_all(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1")
            await stream.receive_some()
        simulator.disconnect()
        for stream in streams:
            assert await stream.receive_some() == b""
            await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_nonsense_is_nacked_and_the_connection_closed() -> None:
    def talking(simulator: Simulator) -> bytes:
        with socket.create_connection((simulator.host, simulator.port), timeout=60) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return b"".join(iter(lambda: client.recv(100), b""))

    nack = await talk(talking)
    assert nack == b"\0\0\0\x10\x80\0\0\0\0\0\0\x02\0\0\0\0"
