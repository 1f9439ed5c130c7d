"""What is read at once is read as it is in full, and all else is left to that."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import quick
from gateway.smpp.pdu import DeliverSm, SubmitSmResp, decode, encode
from gateway.smpp.receipt_states import WORDS
from gateway.smpp.receipts import parse
from gateway.smpp.tlv import MESSAGE_STATE

TEXT = (
    "id:1a2b sub:001 dlvrd:001 submit date:2611260900 done date:2611260901"
    " stat:DELIVRD err:000 text:Hello"
)
RECEIPT = DeliverSm(
    source_addr_ton=1,
    source_addr_npi=1,
    source_addr="447700900123",
    destination_addr="10690001",
    esm_class=4,
    short_message=TEXT.encode(),
)


def test_a_receipt_by_the_book() -> None:
    assert quick.told(encode(RECEIPT, 7)) == ("447700900123", "10690001", "1a2b", "DELIVRD")


@pytest.mark.parametrize(
    "changes",
    [
        {"esm_class": 0},  # a phone may have written it
        {"esm_class": 0x24},  # on the way, not final
        {"esm_class": 0x44},  # with a header
        {"data_coding": 8, "short_message": TEXT.encode("utf-16-be")},
        {"data_coding": 8},
        {"short_message": b"id:1a2b stat:DELIVRD"},
        {"short_message": TEXT.replace(" err:000", " err:000 IMSI:1").encode()},
        {"short_message": b"Hello"},
        {"short_message": b""},
        {"tlvs": (MESSAGE_STATE.of(5),)},  # which is believed before the text
    ],
)
def test_what_is_not_read_at_once(changes: dict[str, Any]) -> None:
    fields = {name: getattr(RECEIPT, name) for name in RECEIPT.__struct_fields__}
    assert quick.told(encode(DeliverSm(**(fields | changes)), 7)) is None


def test_a_frame_that_breaks_its_layout() -> None:
    frame = encode(RECEIPT, 7)
    assert quick.told(frame + b"\0") is None
    assert quick.told(frame[:-1]) is None


values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12)


@given(
    st.builds(
        "id:{}{} submit date:{} done date:{} stat:{} err:{}{}".format,
        values,
        st.sampled_from(["", " sub:001 dlvrd:001", " sub:1"]),
        values,
        values,
        st.sampled_from(["DELIVRD", "delivrd", "UNDELIV", "MK:0001"]) | values,
        values,
        st.sampled_from(["", " text:", " Text:x", " text:id:2 stat:EXPIRED", "\n"]),
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    st.integers(0, 255),
)
def test_it_is_read_as_it_is_in_full(text: str, source: str, coding: int) -> None:
    octets = text.encode("latin-1")
    pdu = DeliverSm(source_addr=source, esm_class=4, data_coding=coding, short_message=octets[:254])
    frame = encode(pdu, 7)
    told = quick.told(frame)
    if told is not None:
        packet = decode(frame)
        assert packet.odd == ()
        receipt = parse(pdu)
        assert receipt is not None
        assert told == (source, "", receipt.ref_raw, told[3])
        assert WORDS[told[3]] == receipt.state
        assert receipt.marked
        assert not receipt.intermediate
        assert receipt.also == ()


@given(st.binary(max_size=70))
def test_an_id_is_read_as_it_is_in_full(body: bytes) -> None:
    frame = encode(SubmitSmResp(), 9)[4:16] + body
    frame = (len(frame) + 4).to_bytes(4, "big") + frame
    name = quick.taken_id(frame)
    packet = decode(frame)
    if name is not None:
        assert packet.odd == ()
        assert packet.pdu == SubmitSmResp(message_id=name)
    elif body and packet.odd == ():
        assert getattr(packet.pdu, "tlvs", ())
