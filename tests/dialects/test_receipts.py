"""Receipts in the dialects of the field, from octets on a socket to what the tenant is told."""

import struct
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import trio

from tests.dialects.octets import (
    DATA_SM,
    DELIVER_SM,
    RECEIPT,
    RESPONSE,
    SUBMIT_SM,
    Submit,
    cstring,
    deliver_sm,
    frame,
    receipt,
    tlv,
)
from tests.dialects.speaking import OnSubmit, speaking

PHONE, SENDER = "447700900123", "10690001"
OK = (DELIVER_SM | RESPONSE, 0, b"\0")
ID, STATE, PAYLOAD, ERROR = 0x1E, 0x427, 0x424, 0x423
LONG = "x" * 400  # three parts


def packed(text: bytes) -> bytes:
    bits = sum(octet << 7 * place for place, octet in enumerate(text))
    return bits.to_bytes(-(-7 * len(text) // 8), "little")


def data_sm(tlvs: bytes, source: str = PHONE) -> bytes:
    """The body of a data_sm."""
    return b"\0\1\1" + cstring(source) + b"\1\1" + cstring(SENDER) + bytes((RECEIPT, 0, 0)) + tlvs


def answers(*refs: str | bytes) -> OnSubmit:
    """Answers with these ids, one after the other, and then again from the first."""
    given: Iterator[str | bytes] = (refs[n % len(refs)] for n in count())

    def answer(submit: Submit, _: str) -> bytes:
        ref = next(given)
        body = ref if isinstance(ref, bytes) else cstring(ref)
        return frame(SUBMIT_SM | RESPONSE, submit.sequence, body)

    return answer


def said(text: bytes | str, **fields: Any) -> bytes:
    """A receipt with this text."""
    octets = text.encode("latin-1") if isinstance(text, str) else text
    return deliver_sm(octets, **{"source": PHONE, "esm_class": RECEIPT, **fields})


BAD = receipt("26", "UNDELIV")  # the id in the response is 1A

RECEIPTS: dict[str, bytes] = {
    # addresses
    "by the book": said(BAD),
    "a national source": said(BAD, source="07700900123", source_ton=2),
    "a bare national source": said(BAD, source="7700900123", source_ton=0),
    "a source with a plus": said(BAD, source="+447700900123"),
    "a source behind a prefix": said(BAD, source="00447700900123", source_ton=0),
    "a masked source": said(BAD, source="447700***123"),
    "a name for a source": said(BAD, source="CARRIER", source_ton=5, source_npi=0),
    "no source": said(BAD, source="", source_ton=0, source_npi=0),
    "addresses not swapped": said(BAD, source=SENDER, dest=PHONE),
    "our number twice": said(BAD, source=SENDER, dest=SENDER),
    "our number with more digits": said(BAD, source=SENDER + "88", dest=PHONE),
    "a source longer than an address": said(BAD, source_field=cstring(PHONE.zfill(40))),
    # esm_class
    "with a header's bit": said(BAD, esm_class=0x44),
    "with a header": said(bytes.fromhex("050003840101") + BAD, esm_class=0x44),
    "with every bit": said(BAD, esm_class=0xFC),
    "intermediate and final": said(BAD, esm_class=0x24),
    "not marked": said(BAD, esm_class=0),
    "as an acknowledgement": said(BAD, esm_class=0x08),
    # alphabets
    "plain under UCS-2": said(BAD, coding=8),
    "UCS-2": said(BAD.decode().encode("utf-16-be"), coding=8),
    "UCS-2, little-endian": said(BAD.decode().encode("utf-16-le"), coding=8),
    "UCS-2 with a mark": said(BAD.decode().encode("utf-16"), coding=8),
    "UCS-2 under 0": said(BAD.decode().encode("utf-16-be")),
    "packed": said(packed(BAD), coding=0),
    "under a class": said(BAD, coding=0xF1),
    # text
    "labels that nobody knows": said("id:26 stat:UNDELIV err:021 IMSI:234150123456789 MSC:4477"),
    "loose words": said("id:26 sub:001 stat:UNDELIV final err:021 no such phone"),
    "misspelt labels": said("msgid:26 submitdate:2609211200 status:UNDELIV error:021"),
    "an equals sign": said("id=26;stat=UNDELIV;err=021"),
    "lines": said("id:26\r\nstat:UNDELIV\r\nerr:021\r\n"),
    "no spaces": said("id:26sub:001dlvrd:000stat:UNDELIVerr:021"),
    "NULs behind it": said(BAD + b"\0\0"),
    "dates in full": said("id:26 submit date:2026-09-21 12:00:00 stat:UNDELIV err:021"),
    # words
    "a misspelt state": said(receipt("26", "UNDELIVRD")),
    "a reason": said(receipt("26", "DND")),
    "a code of CMPP": said(receipt("26", "MK:0001")),
    "lower case": said(receipt("26", "rejectd")),
    "a number": said(receipt("26", "5")),
    # parameters
    "parameters alone": said(b"", tlvs=tlv(ID, b"26\0") + tlv(STATE, b"\5")),
    "an id without its NUL": said(b"", tlvs=tlv(ID, b"26") + tlv(STATE, b"\5")),
    "a state of two octets": said(b"", tlvs=tlv(ID, b"26\0") + tlv(STATE, b"\0\5")),
    "a state as a digit": said(b"", tlvs=tlv(ID, b"26\0") + tlv(STATE, b"5")),
    "parameters against the text": said(receipt("26"), tlvs=tlv(ID, b"26\0") + tlv(STATE, b"\5")),
    "parameters that lead nowhere": said(BAD, tlvs=tlv(ID, b"99\0") + tlv(STATE, b"\2")),
    "parameters without a marked class": said(
        b"", esm_class=0, tlvs=tlv(ID, b"26\0") + tlv(STATE, b"\5")
    ),
    "in the payload": said(b"", tlvs=tlv(PAYLOAD, BAD)),
    "in the payload, behind a word": said(b"receipt", tlvs=tlv(PAYLOAD, BAD)),
}


@pytest.mark.parametrize("case", RECEIPTS)
async def test_a_receipt_ends_its_message(case: str) -> None:
    async with speaking() as (gateway, carrier):
        carrier.on_submit = answers("1A")
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        assert await carrier.deliver(RECEIPTS[case]) == OK
        event = await gateway.outcome(message)
        assert (event["type"], event["code"]) == ("failed", "undelivered")
        assert event["detail"]["carrier"] == "alpha"


@pytest.mark.parametrize("case", ["by the book", "parameters alone", "a code of CMPP"])
async def test_so_does_one_that_overtakes_its_response(case: str) -> None:
    async with speaking() as (gateway, carrier):
        held: list[Submit] = []

        def hold(submit: Submit, _: str) -> bytes:
            held.append(submit)
            return b""

        carrier.on_submit = hold
        message = await gateway.submit(PHONE, "hello")
        await carrier.until(lambda: bool(held))
        assert await carrier.deliver(RECEIPTS[case]) == OK
        await carrier.send(answers("1A")(held[0], ""))
        assert (await gateway.outcome(message))["type"] == "failed"


async def test_a_receipt_in_a_data_sm() -> None:
    async with speaking() as (gateway, carrier):
        carrier.on_submit = answers("1A")
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        await carrier.deliver(data_sm(tlv(PAYLOAD, BAD)), DATA_SM)
        assert (await gateway.outcome(message))["type"] == "failed"


@pytest.mark.parametrize(
    ("response", "written"),
    [
        (b"ab_12\0", b"ab\x1112"),
        (b"ab@12\0", b"ab\x0012"),
        (b"AB-12 \0", b"ab-12"),
        (b"AB 12\0", b"AB 12"),
        (b"x" * 90 + b"\0", b"x" * 90),
        (b"x" * 90, b"x" * 90),
        (b"a1b2c3", b"A1B2C3"),
        (b"0x1A\0", b"1a"),
        (b"6ba7b8109dad11d180b400c04fd430c8\0", b"6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
    ],
)
@pytest.mark.parametrize("place", ["text", "parameter"])
async def test_an_odd_id_matches_itself(response: bytes, written: bytes, place: str) -> None:
    async with speaking() as (gateway, carrier):
        carrier.on_submit = answers(response)
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        if place == "text":
            body = said(b"id:" + written + b" sub:001 dlvrd:001 stat:UNDELIV err:021 text:")
        else:
            ref = written.replace(b"\x11", b"_").replace(b"\0", b"@")
            body = said(b"", tlvs=tlv(ID, ref + b"\0") + tlv(STATE, b"\5"))
        assert await carrier.deliver(body) == OK
        assert (await gateway.outcome(message))["type"] == "failed"


Case = tuple[str, tuple[str, ...], tuple[str, ...]]

LONG_ONES: dict[str, Case] = {
    "an id and a receipt for each part": ("auto", ("a", "b", "c"), ("b", "c", "a")),
    "one id, one receipt": ("auto", ("a",), ("a",)),
    "one id, a receipt for each part": ("each", ("a",), ("a", "a", "a")),
    "the id with the last response": ("auto", ("", "", "c"), ("c",)),
    "the id with the first response": ("auto", ("a", "", ""), ("a",)),
    "one receipt for the last part": ("one", ("a", "b", "c"), ("c",)),
    "one receipt for the first part": ("one", ("a", "b", "c"), ("a",)),
}


@pytest.mark.parametrize("case", LONG_ONES)
async def test_a_long_message_ends_with_the_receipts_that_it_is_owed(case: str) -> None:
    mode, refs, receipts = LONG_ONES[case]
    async with speaking(f'long_receipts = "{mode}"') as (gateway, carrier):
        carrier.on_submit = answers(*(ref and f"ref-{ref}" for ref in refs))
        message = await gateway.submit(PHONE, LONG)
        await carrier.submits(3)
        for ref in receipts:
            assert gateway.events == []
            assert await carrier.deliver(said(receipt(f"ref-{ref}"))) == OK
        event = await gateway.outcome(message)
        assert (event["type"], event["parts"]) == ("delivered", 3)


@pytest.mark.parametrize(
    ("source", "ref"),
    [("447700900124", "26"), ("447700900123", "27"), ("8613912345678", "26")],
    ids=["another phone", "another id", "another country"],
)
async def test_a_forged_receipt_is_a_text(source: str, ref: str) -> None:
    async with speaking() as (gateway, carrier):
        carrier.on_submit = answers("1A")
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        forged = said(receipt(ref, "DELIVRD"), source=source, esm_class=0)
        assert await carrier.deliver(forged) == OK
        event = await gateway.event("inbound", sender=source)
        assert event["text"].startswith(f"id:{ref} ")
        assert await carrier.deliver(said(BAD)) == OK
        assert (await gateway.outcome(message))["type"] == "failed"


async def test_words_of_the_carriers_own() -> None:
    async with speaking('receipt_states = { GONE = "undelivered" }') as (gateway, carrier):
        carrier.on_submit = answers("1A")
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        assert await carrier.deliver(said(receipt("26", "NOBODY_KNOWS"))) == OK
        assert await carrier.deliver(said(receipt("26", "gone"))) == OK
        event = await gateway.outcome(message)
        assert (event["type"], event["detail"]["receipt_state"]) == ("failed", "gone")
        labels = '{carrier="alpha"}'
        assert gateway.counted("gateway_receipts_unknown_state_total") == {labels: 1.0}


async def test_the_error_of_the_network() -> None:
    async with speaking() as (gateway, carrier):
        carrier.on_submit = answers("1A")
        message = await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        error = tlv(ERROR, struct.pack(">BH", 3, 27))
        assert await carrier.deliver(said(BAD, tlvs=error)) == OK
        assert (await gateway.outcome(message))["detail"]["network_error"] == "3:27"


async def test_receipts_of_somebody_else_show_at_once() -> None:
    async with speaking('receipt_id = "same"') as (gateway, carrier):
        carrier.on_submit = answers("1A")
        await gateway.submit(PHONE, "hello")
        await carrier.submits(1)
        with trio.fail_after(60):
            for _ in range(10):
                assert await carrier.deliver(said(BAD)) == OK
        labels = '{carrier="alpha"}'
        assert gateway.counted("gateway_receipts_unmatched_total") == {labels: 10.0}
        assert set(gateway.counted("gateway_receipts_total").values()) == {0.0}
