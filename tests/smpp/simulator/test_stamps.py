"""When messages came, as a simulated carrier tells load testers."""

import socket

import pytest
import smpplib.client
import trio

from gateway.smpp import tlv
from gateway.smpp.pdu import SubmitSm
from gateway.smpp.simulator import Simulator, SimulatorOptions, serve
from gateway.smpp.simulator import stamps as module
from gateway.smpp.simulator.stamps import Stamps, part_of


@pytest.mark.parametrize(
    ("pdu", "part"),
    [
        (SubmitSm(short_message=b"hello"), 1),
        (SubmitSm(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x02\x01hello"), 1),
        (SubmitSm(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x02\x02hello"), 2),
        (SubmitSm(esm_class=0x40, short_message=b"\x06\x08\x04\x00\x07\x03\x03hello"), 3),
        # An element before it, as texts in national alphabets have.
        (SubmitSm(esm_class=0x40, short_message=b"\x08\x24\x01\x01\x00\x03\x07\x02\x02hello"), 2),
        (SubmitSm(tlvs=(tlv.SAR_SEGMENT_SEQNUM.of(2),)), 2),
        (SubmitSm(esm_class=0x40, tlvs=(tlv.MESSAGE_PAYLOAD.of(b"\x05\x00\x03\x07\x02\x02x"),)), 2),
        # Broken headers tell nothing.
        (SubmitSm(esm_class=0x40), 1),
        (SubmitSm(esm_class=0x40, short_message=b"\x05\x00\x03"), 1),
        (SubmitSm(esm_class=0x40, short_message=b"\xff\x00"), 1),
    ],
)
def test_a_text_is_stamped_when_its_first_part_comes(pdu: SubmitSm, part: int) -> None:
    assert part_of(pdu) == part


async def test_a_reader_gets_the_lines_of_what_comes_from_then_on() -> None:
    def talk(simulator: Simulator) -> list[str]:
        assert simulator.stamp_port is not None
        with (
            smpplib.client.Client(
                simulator.host, simulator.port, allow_unknown_opt_params=True
            ) as esme,
            socket.create_connection((simulator.host, simulator.stamp_port), timeout=60) as reader,
            reader.makefile("r") as lines,
        ):
            lines.readline()  # an empty one: it is known now
            esme.connect()
            esme.bind_transmitter(system_id="u", password="p")
            for recipient in ("447700900001", "447700900002"):
                esme.send_message(source_addr="1", destination_addr=recipient, short_message=b"x")
            found: list[str] = []
            while len(found) < 2:
                if line := lines.readline().strip():
                    found.append(line)
            return found

    async with trio.open_nursery() as nursery:
        options = SimulatorOptions(port=0, stamp=0)
        simulator: Simulator = await nursery.start(lambda **kw: serve(options, **kw))
        first, second = await trio.to_thread.run_sync(talk, simulator)
        nursery.cancel_scope.cancel()
    assert first.split()[0] == "447700900001"
    assert second.split()[0] == "447700900002"
    assert 0 <= float(second.split()[1]) - float(first.split()[1]) < 5


async def test_a_reader_that_does_not_read_is_cut_off(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNREAD", 100)
    stamps = Stamps()
    ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stamps.serve, theirs)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(10):
            stamps.add(1.0, SubmitSm(destination_addr="447700900001"))
        assert b"447700900001" not in b"".join([data async for data in ours])
