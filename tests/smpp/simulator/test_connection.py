"""A simulated carrier's connection on a clock that jumps and streams in memory."""

from typing import Any

import pytest
import trio
import trio.testing

from gateway.smpp.framing import Splitter
from gateway.smpp.pdu import BindTransceiver, SubmitSm, encode
from gateway.smpp.simulator import connection as connection_module
from gateway.smpp.simulator.connection import TICK, Connection

BIND = encode(BindTransceiver(system_id="u"), 1)


async def heard(stream: trio.abc.ReceiveStream, frames: int) -> list[float]:
    """When each of so many frames came, in seconds from now."""
    splitter = Splitter()
    start = trio.current_time()
    moments: list[float] = []
    while len(moments) < frames:
        found = splitter.feed(bytes(await stream.receive_some()))
        moments += [trio.current_time() - start] * len(found)
    return moments


@pytest.fixture
def submits(submit: SubmitSm) -> list[bytes]:
    return [encode(submit, sequence) for sequence in range(2, 32)]


async def test_responses_and_receipts_come_when_they_are_due(
    make: Any, submits: list[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    client, server = trio.testing.memory_stream_pair()
    carrier = make.carrier(latency=1.0, latency_jitter=0.5, receipt_delay=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(carrier, None, server, 1).run)
        await client.send_all(BIND + b"".join(submits))
        bound, *moments = await heard(client, 61)
        assert bound == 0
        assert 1 <= moments[0] <= moments[29] <= 1.5 + TICK
        assert 61 <= moments[30] <= moments[59] <= 61.5 + TICK
        await client.aclose()
    assert carrier.statistics().binds == 0


async def test_a_connection_that_has_enough_unsent_is_not_read(
    make: Any,
    submits: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
) -> None:
    monkeypatch.setattr(connection_module, "MAX_UNSENT", 9)
    client, server = trio.testing.lockstep_stream_pair()
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(make.carrier(latency=1.0), None, server, 1).run)
        nursery.start_soon(heard, client, 31)
        for frame in [BIND, *submits]:
            await client.send_all(frame)
        # Ten at a time: the last ten are read once the first twenty were answered.
        assert 2 <= trio.current_time() - start <= 2 + 3 * TICK
        await trio.sleep(2)
        await client.aclose()


async def test_a_peer_that_says_nothing_loses_its_bind(
    make: Any, autojump_clock: trio.testing.MockClock
) -> None:
    client, server = trio.testing.memory_stream_pair()
    carrier = make.carrier(enquire_link=10.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(carrier, None, server, 1).run)
        await client.send_all(BIND)
        bound, asked = await heard(client, 2)
        assert (bound, round(asked, 1)) == (0, 10)
        assert carrier.statistics().binds == 1
        assert await client.receive_some() == b""
        assert round(trio.current_time()) == 20
    assert (carrier.statistics().binds, carrier.dropped) == (0, 1)


async def test_what_is_due_later_is_sent_before_the_connection_closes(
    make: Any, submits: list[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(make.carrier(latency=60.0), None, server, 1).run)
        await client.send_all(BIND + b"".join(submits))
        await client.send_eof()
        assert await heard(client, 31) == [0.0] * 31
        assert await client.receive_some() == b""


async def test_a_peer_that_does_not_read_is_not_waited_for(
    make: Any, submits: list[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    client, server = trio.testing.lockstep_stream_pair()
    start = trio.current_time()
    carrier = make.carrier()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(carrier, None, server, 1).run)
        await client.send_all(BIND)
        await client.send_eof()
    assert trio.current_time() - start == pytest.approx(5.0)
    assert carrier.statistics().binds == 0


async def test_unanswered_receipts_go_to_another_connection(
    make: Any, submits: list[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    carrier = make.carrier()
    async with trio.open_nursery() as nursery:
        first, server = trio.testing.memory_stream_pair()
        nursery.start_soon(Connection(carrier, None, server, 1).run)
        await first.send_all(BIND + b"".join(submits))
        await heard(first, 61)
        second, server = trio.testing.memory_stream_pair()
        nursery.start_soon(Connection(carrier, None, server, 2).run)
        await second.send_all(BIND)
        await heard(second, 1)
        await first.aclose()
        assert await heard(second, 30) == [0.0] * 30
        await second.aclose()
