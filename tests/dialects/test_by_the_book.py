"""What the carrier of these tests does where a test says nothing: SMPP by the book."""

import trio

from tests.dialects.octets import DELIVER_SM, RESPONSE, deliver_sm
from tests.dialects.speaking import speaking


async def test_a_message_is_sent_and_reported() -> None:
    async with speaking() as (gateway, carrier):
        message = await gateway.submit("+447700900123", "hello")
        [submit] = await carrier.submits(1)
        assert (submit.dest_ton, submit.dest_npi, submit.dest) == (1, 1, "447700900123")
        assert submit.source == "10690001"
        assert submit.payload == b"hello"
        await carrier.report()
        assert (await gateway.outcome(message))["type"] == "delivered"


async def test_a_text_is_answered_and_told() -> None:
    async with speaking() as (gateway, carrier):
        answer = await carrier.deliver(deliver_sm(b"Hi", source="447700900123"))
        assert answer == (DELIVER_SM | RESPONSE, 0, b"\0")
        event = await gateway.event("inbound", sender="447700900123")
        assert event["text"] == "Hi"
        assert gateway.counted("gateway_inbound_total") == {'{carrier="alpha"}': 1.0}


async def test_a_stop_is_heeded_and_confirmed() -> None:
    async with speaking() as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"STOP", source="447700900123"))
        await gateway.event("optout", sender="447700900123")
        assert await gateway.opted_out("447700900123")
        [reply] = await carrier.submits(1)
        assert reply.dest == "447700900123"
        assert reply.payload.startswith(b"Shop:")


async def test_the_bind_and_its_end() -> None:
    async with speaking('system_type = "VMA"\naddress_range = "1069"') as (gateway, carrier):
        line = await carrier.bound()
        assert line.bind is not None
        assert (line.bind.system_id, line.bind.password) == ("shop", "secret")
        assert (line.bind.system_type, line.bind.address_range) == ("VMA", "1069")
        with trio.fail_after(60):
            await gateway.dispatch.drain()
        await carrier.until(lambda: not carrier.lines)
