"""PDUs that break their layout, from octets on a socket to what the tenant is told: a STOP is
heeded, a receipt ends its message, a response keeps its id, and the session lives."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from tests.dialects.octets import (
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RECEIPT,
    RESPONSE,
    SUBMIT_SM,
    Bind,
    Submit,
    cstring,
    deliver_sm,
    frame,
    receipt,
    tlv,
)
from tests.dialects.speaking import speaking

PHONE = "447700900123"
OK = (DELIVER_SM | RESPONSE, 0, b"\0")

ODD_ENDS: dict[str, dict[str, Any]] = {
    "a NUL behind the text": {"tlvs": b"\0"},
    "a line end behind the text": {"tlvs": b"\r\n"},
    "an octet that is nothing": {"tlvs": b"\xff"},
    "five octets that are nothing": {"tlvs": b"\xde\xad\xbe\xef\x00"},
    "a parameter cut off": {"tlvs": tlv(0x1400, b"abc", length=9)},
    "a parameter that says it is huge": {"tlvs": tlv(0x1400, b"abc", length=0xFFFF)},
    "half the head of a parameter": {"tlvs": tlv(0x1400, b"abc") + b"\x14"},
    "a parameter of another size": {"tlvs": tlv(0x0204, b"\1")},
    "the same parameter twice": {"tlvs": tlv(0x0204, b"\0\1") * 2},
    "a service_type that is too long": {"service_type": b"SERVICE\0"},
    "a service_type without its NUL": {"service_type": b"CMT"},
    "no service_type at all": {"service_type": b""},
    "a source without its NUL": {"source_field": PHONE.encode()},
    "a destination without its NUL": {"dest_field": b"10690001"},
    "a service_type with another NUL": {"service_type": b"CMT\0\0"},
    "an empty service_type with another NUL": {"service_type": b"\0\0"},
    "a source with another NUL": {"source_field": cstring(PHONE) + b"\0"},
    "a destination with another NUL": {"dest_field": cstring("10690001") + b"\0"},
    "a source that fills its field": {"source_field": PHONE.encode().ljust(21, b"\0")},
    "strings that fill their fields": {
        "service_type": b"CMT".ljust(6, b"\0"),
        "source_field": PHONE.encode().ljust(21, b"\0"),
        "dest_field": b"10690001".ljust(21, b"\0"),
    },
}


@pytest.mark.parametrize("case", ODD_ENDS)
async def test_a_stop_is_heeded(case: str) -> None:
    async with speaking() as (gateway, carrier):
        assert await carrier.deliver(deliver_sm(b"STOP", source=PHONE, **ODD_ENDS[case])) == OK
        await gateway.event("optout", sender=PHONE)
        assert await gateway.opted_out(PHONE)
        assert sum(gateway.counted("gateway_strange_total").values()) >= 1


@pytest.mark.parametrize("case", ODD_ENDS)
async def test_a_receipt_ends_its_message(case: str) -> None:
    async with speaking() as (gateway, carrier):
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        body = deliver_sm(
            receipt(carrier.refs[0]), source=PHONE, esm_class=RECEIPT, **ODD_ENDS[case]
        )
        assert await carrier.deliver(body) == OK
        assert (await gateway.outcome(message))["type"] == "delivered"


@pytest.mark.parametrize(
    ("coding", "text", "sm_length"),
    [
        (0, b"STOP", 200),
        (0, b"STOP", 5),
        (0, b"STOP", 0),
        (8, "退订".encode("utf-16-be"), 2),
        (8, "停止 STOP".encode("utf-16-be")[4:], 5),
    ],
)
async def test_a_stop_whose_length_is_wrong(coding: int, text: bytes, sm_length: int) -> None:
    async with speaking() as (gateway, carrier):
        body = deliver_sm(text, source=PHONE, coding=coding, sm_length=sm_length)
        assert await carrier.deliver(body) == OK
        await gateway.event("optout", sender=PHONE)


async def test_the_text_in_a_payload_that_is_cut_off() -> None:
    async with speaking() as (gateway, carrier):
        body = deliver_sm(source=PHONE, tlvs=tlv(0x0424, b"STOP", length=40))
        assert await carrier.deliver(body) == OK
        await gateway.event("optout", sender=PHONE)


async def test_a_data_sm_that_is_cut_off() -> None:
    async with speaking() as (gateway, carrier):
        addresses = b"\0\1\1" + cstring(PHONE) + b"\1\1" + cstring("10690001")
        body = addresses + b"\0\0\0" + tlv(0x0424, b"STOP") + b"\0"
        assert await carrier.deliver(body, DATA_SM) == (DATA_SM | RESPONSE, 0, b"\0")
        await gateway.event("optout", sender=PHONE)


WHOLE = deliver_sm(b"STOP", source=PHONE)


@pytest.mark.parametrize("cut", range(len(WHOLE) - 4))
async def test_a_body_that_ends_early_opts_nobody_out_and_is_answered(cut: int) -> None:
    async with speaking() as (gateway, carrier):
        assert await carrier.deliver(WHOLE[:cut]) == OK
        assert await carrier.deliver(WHOLE) == OK
        event = await gateway.event("optout")
        assert event["from"] == PHONE
        assert {e["from"] for e in gateway.events if e["type"] == "optout"} == {PHONE}


RESPONSES: dict[str, Callable[[str], bytes]] = {
    "no NUL": lambda ref: ref.encode(),
    "two NULs": lambda ref: ref.encode() + b"\0\0",
    "a line end": lambda ref: ref.encode() + b"\0\r\n",
    "an id of 64 octets": lambda ref: ref.encode().rjust(64, b"0") + b"\0",
    "a parameter that is cut off": lambda ref: cstring(ref) + tlv(0x0425, b"\1", length=4),
    "an id that fills its field": lambda ref: ref.encode().ljust(65, b"\0"),
    "a parameter and no NUL": lambda ref: ref.encode() + tlv(0x1400, b"x"),
}


@pytest.mark.parametrize("how", RESPONSES)
async def test_a_response_keeps_its_id(how: str) -> None:
    async with speaking() as (gateway, carrier):

        def answer(submit: Submit, ref: str) -> bytes:
            return frame(SUBMIT_SM | RESPONSE, submit.sequence, RESPONSES[how](ref))

        carrier.on_submit = answer
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        ref = RESPONSES[how](carrier.refs[0]).partition(b"\0")[0].partition(b"\x14")[0]
        said = tlv(0x001E, ref + b"\0") + tlv(0x0427, b"\2")
        await carrier.deliver(deliver_sm(source=PHONE, esm_class=RECEIPT, tlvs=said))
        assert (await gateway.outcome(message))["type"] == "delivered"


@pytest.mark.parametrize(
    "body",
    [b"", b"alpha", b"a name far longer than fifteen octets\0", b"alpha\0\x02\x10\x00\x05\x34"],
)
async def test_a_bind_resp_in_whatever_form_is_a_bind(body: bytes) -> None:
    welcome = Welcome(body)
    async with speaking(on_bind=welcome) as (gateway, carrier):
        await gateway.submit(PHONE, "hello")
        await carrier.submits(1)


class Welcome:
    """Answers binds with the same octets."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __call__(self, bind: Bind, sequence: int) -> bytes:
        return frame(bind.command_id | RESPONSE, sequence, self._body)


@pytest.mark.parametrize(
    "garbage",
    [
        frame(0x00010203, 99, b"what is this"),
        frame(0x80010203, 99),
        frame(ENQUIRE_LINK, 99, b"body"),
        frame(ENQUIRE_LINK | RESPONSE, 99, b"body"),
        frame(GENERIC_NACK, 99, b"no idea", status=3),
        frame(SUBMIT_SM, 99, deliver_sm(b"hello")),
        frame(SUBMIT_SM | RESPONSE, 99, b"\xff" * 300),
        frame(DELIVER_SM | RESPONSE, 99, b"\xff" * 300),
        frame(DELIVER_SM, 99),
        frame(DELIVER_SM, 99, b"\xff" * 1000),
        frame(DELIVER_SM, 99, b"\0" * 1000),
        frame(DELIVER_SM, 0, b"\x01" * 50_000),
        frame(DATA_SM, 0xFFFFFFFF, b"\x05" * 30),
        frame(0x00000102, 99, b"\x01"),
        frame(0x00000021, 99, b"\0\0\0\0\xff"),
        struct.pack(">IIII", 16, DELIVER_SM, 0xFFFFFFFF, 99),
    ],
)
async def test_the_session_lives(garbage: bytes) -> None:
    async with speaking() as (_, carrier):
        line = await carrier.bound()
        await carrier.send(garbage)
        assert await carrier.deliver(WHOLE) == OK
        assert carrier.lines == [line]


async def test_what_is_odd_is_told() -> None:
    async with speaking() as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"hello", tlvs=b"\0"))
        await carrier.deliver(deliver_sm(b"hello", source="4" * 30, tlvs=tlv(0x0204, b"\0\1\2")))
        assert gateway.counted("gateway_strange_total") == {
            '{carrier="alpha",kind="stray_octets"}': 1.0,
            '{carrier="alpha",kind="overlong_string"}': 1.0,
            '{carrier="alpha",kind="parameter_size"}': 1.0,
        }
