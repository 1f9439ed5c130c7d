"""How sessions are kept up and end, over a real socket."""

import trio

from tests.dialects.octets import (
    DELIVER_SM,
    ENQUIRE_LINK,
    RECEIPT,
    RESPONSE,
    SUBMIT_SM,
    UNBIND,
    Submit,
    cstring,
    deliver_sm,
    frame,
    receipt,
)
from tests.dialects.speaking import PATIENCE, accept, speaking

PHONE = "447700900123"


def silence(_submit: Submit, _ref: str) -> bytes:
    """No answer for now."""
    return b""


async def test_a_carrier_that_talks_all_the_time_is_asked_whether_it_is_there() -> None:
    async with speaking("enquire_link = 1") as (_, carrier):

        def asked() -> int:
            return sum(command_id == ENQUIRE_LINK for command_id, _, _ in carrier.heard)

        with trio.fail_after(PATIENCE):
            while not asked():
                await carrier.deliver(deliver_sm(b"hello", source=PHONE))


async def test_answers_that_come_after_its_unbind_count() -> None:
    async with speaking() as (gateway, carrier):
        line = await carrier.bound()
        carrier.on_submit = silence
        message = await gateway.submit(PHONE, "hello")
        [submit] = await carrier.submits(1)
        await line.send(frame(UNBIND, 900))
        await carrier.until(lambda: (UNBIND | RESPONSE, 0, b"") in carrier.heard)
        ref = carrier.refs[0]
        body = deliver_sm(receipt(ref), source=PHONE, esm_class=RECEIPT)
        response = frame(SUBMIT_SM | RESPONSE, submit.sequence, cstring(ref))
        await line.send(response + frame(DELIVER_SM, 901, body))
        await carrier.until(lambda: (DELIVER_SM | RESPONSE, 0, b"\0") in carrier.heard)
        event = await gateway.outcome(message)
        assert event["type"] == "delivered"
        assert "maybe_duplicate" not in event
        assert len(carrier.taken) == 1


async def test_what_has_no_answer_after_its_unbind_is_sent_again() -> None:
    async with speaking() as (gateway, carrier):
        line = await carrier.bound()
        carrier.on_submit = silence
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        await line.send(frame(UNBIND, 900))
        await carrier.until(lambda: (UNBIND | RESPONSE, 0, b"") in carrier.heard)
        await line.close()
        carrier.on_submit = accept
        await carrier.submits(2)
        await carrier.report()
        event = await gateway.outcome(message)
        assert (event["type"], event["maybe_duplicate"]) == ("delivered", True)
