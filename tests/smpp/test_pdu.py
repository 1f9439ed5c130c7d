"""The codec: round trips, hostile input, and agreement with smpplib, written by others."""

import struct
from typing import Any

import msgspec
import pytest
import smpplib.command_codes
import smpplib.consts
import smpplib.smpp
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import LocalProtocolError, RemoteProtocolError
from gateway.smpp import pdu as pdus
from gateway.smpp import tlv
from gateway.smpp.pdu import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    Destination,
    DistributionList,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Packet,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unparsed,
    Unsuccess,
    decode,
    encode,
    encoded,
)

octet = st.integers(0, 255)
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=300)), max_size=4).map(tuple)


def text(longest: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=longest)


def exactly(length: int) -> st.SearchStrategy[str]:
    full = st.text(
        st.characters(min_codepoint=1, max_codepoint=255), min_size=length, max_size=length
    )
    return st.just("") | full


ADDRESS = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
"""One with a control character is none: see `gateway.smpp.lenient`."""

STRINGS = {
    "service_type": text(5),
    "system_id": text(63),
    "password": text(63),
    "system_type": text(12),
    "address_range": text(40),
    "message_id": text(64),
    "schedule_delivery_time": exactly(16),
    "validity_period": exactly(16),
    "final_date": exactly(16),
}
destination = st.builds(
    Destination, dest_addr_ton=octet, dest_addr_npi=octet, destination_addr=text(20)
)
unsuccess = st.builds(
    Unsuccess,
    dest_addr_ton=octet,
    dest_addr_npi=octet,
    destination_addr=text(20),
    error_status_code=st.integers(0, 0xFFFFFFFF),
)
SPECIAL = {
    "tlvs": tlvs,
    "short_message": st.binary(max_size=254),
    "dest_address": st.lists(
        destination | st.builds(DistributionList, dl_name=text(20)), max_size=5
    ).map(tuple),
    "unsuccess_sme": st.lists(unsuccess, max_size=5).map(tuple),
}


def any_of(kind: type[Pdu]) -> st.SearchStrategy[Pdu]:
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name in kind.__struct_fields__:
        default = getattr(kind(), name)
        if name in SPECIAL:
            fields[name] = SPECIAL[name]
        elif name.endswith(("_ton", "_npi")):
            fields[name] = st.integers(0, 18)
        elif isinstance(default, int):
            fields[name] = octet
        else:
            fields[name] = STRINGS.get(name, ADDRESS)
    return st.builds(kind, **fields)


any_pdu = st.sampled_from(pdus.TYPES).flatmap(any_of)
u32 = st.integers(0, 0xFFFFFFFF)


def header(command_id: int, body: bytes, status: int = 0, sequence: int = 7) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


class TestRoundTrip:
    @given(any_pdu, u32, u32)
    def test_what_is_encoded_is_decoded(self, pdu: Pdu, sequence: int, status: int) -> None:
        frame = encode(pdu, sequence, status)
        assert int.from_bytes(frame[:4], "big") == len(frame)
        packet = decode(frame)
        assert not packet.broken
        assert msgspec.structs.replace(packet, odd=()) == Packet(
            pdu.command_id, status, sequence, pdu
        )

    @given(any_pdu, st.data())
    def test_a_frame_cut_short_is_broken_or_no_other_frame_of_the_same_pdu(
        self, pdu: Pdu, data: st.DataObject
    ) -> None:
        frame = encode(pdu, 1)
        cut = data.draw(st.integers(16, len(frame)))
        packet = decode(frame[:cut])
        assert isinstance(packet.pdu, Pdu)
        if not packet.broken and cut > 16:
            assert encode(packet.pdu, 1)[16:] == frame[16:cut]

    def test_every_command_is_known_by_its_own_type(self) -> None:
        assert len({kind.command_id for kind in pdus.TYPES}) == len(pdus.TYPES) == 27


class TestLayoutOnTheWire:
    """Octet by octet, where the layouts of the field notes have a trap."""

    def test_submit_sm(self) -> None:
        pdu = SubmitSm(
            service_type="CMT",
            source_addr_ton=5,
            source_addr_npi=0,
            source_addr="ACME",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="447911123456",
            esm_class=0x40,
            protocol_id=2,
            priority_flag=3,
            schedule_delivery_time="261111100000000+",
            validity_period="000000010000000R",
            registered_delivery=1,
            replace_if_present_flag=4,
            data_coding=8,
            sm_default_msg_id=5,
            short_message=b"\x05\x00\x03\x01\x02\x01\0h\0i",
            tlvs=((0x0204, b"\0\1"),),
        )
        body = (
            b"CMT\0\x05\x00ACME\0\x01\x01447911123456\0\x40\x02\x03"
            b"261111100000000+\x00000000010000000R\x00\x01\x04\x08\x05"
            b"\x0a\x05\x00\x03\x01\x02\x01\0h\0i"
            b"\x02\x04\x00\x02\x00\x01"
        )
        assert encode(pdu, 7) == header(4, body)

    def test_replace_sm_has_no_service_type(self) -> None:
        pdu = ReplaceSm(message_id="9", source_addr="10", short_message=b"x")
        assert encode(pdu, 7) == header(7, b"9\0\0\x0010\0\0\0\0\0\x01x")

    def test_submit_multi_lists_its_destinations_by_flag(self) -> None:
        pdu = SubmitMulti(
            source_addr="10",
            dest_address=(Destination(1, 1, "4479"), DistributionList("staff")),
            esm_class=1,
        )
        dests = b"\x02\x01\x01\x014479\0\x02staff\0"
        assert encode(pdu, 7) == header(0x21, b"\0\0\x0010\0" + dests + b"\x01\0\0\0\0\0\0\0\0\0")

    def test_submit_multi_resp(self) -> None:
        pdu = SubmitMultiResp("id", (Unsuccess(1, 1, "4479", 0x0B),))
        assert encode(pdu, 7) == header(0x80000021, b"id\0\x01\x01\x014479\0\x00\x00\x00\x0b")

    def test_deliver_sm_resp_has_one_nul(self) -> None:
        assert encode(DeliverSmResp(), 7) == header(0x80000005, b"\0")

    @pytest.mark.parametrize(
        ("longest", "command_id", "before", "after", "field"),
        [
            (64, 0x103, b"\0\0\0", b"\0\0\0\0\0\0\0", "source_addr"),
            (64, 0x08, b"\0id\0\0\0001\0\0\0", b"\0", "destination_addr"),
            (64, 0x102, b"\1\1", b"\0\1\1x\0", "source_addr"),
            (20, 0x04, b"\0\0\0", bytes(14), "source_addr"),
        ],
    )
    def test_addresses_beyond_their_longest_are_odd(
        self, longest: int, command_id: int, before: bytes, after: bytes, field: str
    ) -> None:
        packet = decode(header(command_id, before + b"9" * longest + after))
        assert getattr(packet.pdu, field) == "9" * longest
        assert packet.odd == ()
        packet = decode(header(command_id, before + b"9" * (longest + 1) + after))
        assert getattr(packet.pdu, field) == "9" * (longest + 1)
        assert packet.odd == (("overlong_string", f"{type(packet.pdu).__name__}: {field}"),)

    @pytest.mark.parametrize(
        "pdu",
        [
            DataSm(destination_addr="9" * 21),
            CancelSm(destination_addr="9" * 21),
            AlertNotification(esme_addr="9" * 21),
        ],
    )
    def test_addresses_are_written_as_short_as_every_peer_wants(self, pdu: Pdu) -> None:
        with pytest.raises(LocalProtocolError, match="addr: not up to 20"):
            encode(pdu, 1)

    def test_a_short_message_of_255_octets_is_read(self) -> None:
        frame = header(5, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff" + b"x" * 255)
        assert decode(frame).pdu == DeliverSm(short_message=b"x" * 255)


class TestEncode:
    @pytest.mark.parametrize(
        ("pdu", "message"),
        [
            (SubmitSm(source_addr="1" * 21), "SubmitSm: source_addr: not up to 20"),
            (SubmitSm(destination_addr="1\x002"), "SubmitSm: destination_addr: not up to 20"),
            (SubmitSm(source_addr="Кафе"), "SubmitSm: source_addr: not up to 20 Latin-1"),
            (SubmitSm(validity_period="2611"), "SubmitSm: validity_period: not 0 or 16"),
            (SubmitSm(esm_class=256), "SubmitSm: esm_class: 256 is not between 0 and 255"),
            (SubmitSm(esm_class=-1), "SubmitSm: esm_class: -1 is not between 0 and 255"),
            (SubmitSm(short_message=b"x" * 255), "SubmitSm: short_message: 255 octets, over 254"),
            (SubmitSm(tlvs=((0x10000, b""),)), "optional parameter 0x10000 of 0 octets"),
            (SubmitSm(tlvs=((0x424, b"x" * 65_536),)), "0x0424 of 65536 octets"),
            (
                SubmitMulti(dest_address=(DistributionList("x"),) * 255),
                "SubmitMulti: dest_address: 255 records, over 254",
            ),
            (
                SubmitMultiResp("", (Unsuccess(error_status_code=1 << 32),)),
                "error_status_code: 4294967296 does not fit",
            ),
            (
                SubmitSm(source_addr="1" * 21, esm_class=999),
                "source_addr: not up to 20 .*; esm_class: 999",
            ),
        ],
    )
    def test_names_the_field_that_does_not_fit(self, pdu: Pdu, message: str) -> None:
        with pytest.raises(LocalProtocolError, match=message):
            encode(pdu, 1)

    def test_a_nul_cannot_smuggle_a_field(self) -> None:
        # On the wire this would read as a valid submit_sm to somebody else.
        smuggler = SubmitSm(source_addr="1\0\1\x012", destination_addr="")
        with pytest.raises(LocalProtocolError, match="source_addr"):
            encode(smuggler, 1)

    @pytest.mark.parametrize("sequence", [-1, 1 << 32])
    def test_refuses_a_sequence_number_that_does_not_fit(self, sequence: int) -> None:
        with pytest.raises(LocalProtocolError):
            encode(EnquireLink(), sequence)


class TestDecode:
    @given(st.binary(max_size=400), u32)
    @example(b"", 0)
    def test_any_body_yields_a_packet(self, body: bytes, command_id: int) -> None:
        packet = decode(header(command_id, body))
        assert packet.command_id == packet.pdu.command_id == command_id

    @given(any_pdu, st.data())
    def test_a_changed_octet_yields_a_packet(self, pdu: Pdu, data: st.DataObject) -> None:
        frame = bytearray(encode(pdu, 1))
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(octet)
        assert isinstance(decode(bytes(frame)), Packet)

    @pytest.mark.parametrize("length", range(16))
    def test_refuses_a_frame_shorter_than_a_header(self, length: int) -> None:
        with pytest.raises(RemoteProtocolError, match="shorter than a header"):
            decode(bytes(length))

    def test_an_unknown_command_is_unparsed(self) -> None:
        packet = decode(header(0x00010200, b"abc", status=5, sequence=9))
        unknown = Unparsed(0x00010200, "unknown command_id", b"abc")
        assert packet == Packet(0x00010200, 5, 9, unknown)

    @pytest.mark.parametrize("kind", [k for k in pdus.TYPES if k.command_id & 0x80000000])
    @pytest.mark.parametrize("status", [0, 0x58])
    def test_a_response_may_come_without_a_body(self, kind: type[Pdu], status: int) -> None:
        assert decode(header(kind.command_id, b"", status)).pdu == kind()

    @pytest.mark.parametrize("kind", [SubmitSm, DeliverSm, BindTransceiver, QuerySm])
    def test_a_request_may_not(self, kind: type[Pdu]) -> None:
        packet = decode(header(kind.command_id, b""))
        assert packet.pdu == kind()
        assert [odd.kind for odd in packet.odd] == ["short_body"]

    @given(any_pdu)
    def test_trailing_octets_are_optional_parameters(self, pdu: Pdu) -> None:
        longer = decode(encode(pdu, 7) + b"\x14\x00\x00\x01x").pdu
        assert longer == msgspec.structs.replace(pdu, tlvs=(*pdu.tlvs, (0x1400, b"x")))

    @pytest.mark.parametrize(
        "body",
        [
            b"\0\0\x0010\0\x01",
            b"\0\0\x0010\0\x01\x03",
            b"\0\0\x0010\0\x01\x024479",
            b"\0\0\x0010\0",
        ],
    )
    def test_destinations_that_cannot_be_read(self, body: bytes) -> None:
        packet = decode(header(0x21, body))
        assert packet.pdu == SubmitMulti(source_addr="10")
        assert packet.odd == (("short_body", "SubmitMulti: dest_address"),)


class Numbers:
    """What smpplib asks of a client when it makes a PDU."""

    sequence = 7

    def next_sequence(self) -> int:
        return 7


def their_pdu(name: str, **fields: Any) -> Any:
    return smpplib.smpp.make_pdu(name, client=Numbers(), **fields)


def theirs(frame: bytes) -> Any:
    return smpplib.smpp.parse_pdu(frame, client=Numbers(), allow_unknown_opt_params=True)


MESSAGE = {
    "service_type": "CMT",
    "source_addr_ton": 5,
    "source_addr_npi": 9,
    "source_addr": "ACME",
    "dest_addr_ton": 1,
    "dest_addr_npi": 2,
    "destination_addr": "447911123456",
    "esm_class": 0x43,
    "protocol_id": 3,
    "priority_flag": 2,
    "schedule_delivery_time": "261111100000000+",
    "validity_period": "000000010000000R",
    "registered_delivery": 17,
    "replace_if_present_flag": 1,
    "data_coding": 8,
    "sm_default_msg_id": 6,
    "short_message": b"\x05\x00\x03\x01\x02\x01\xd8=\xde\x00",
}
DATA = {name: MESSAGE[name] for name in DataSm.__struct_fields__ if name in MESSAGE}
ACCOUNT = {
    "system_id": "someone",
    "password": "secret12",
    "system_type": "VMA",
    "interface_version": 0x34,
    "addr_ton": 1,
    "addr_npi": 2,
    "address_range": "^44",
}
SHARED: list[tuple[type[Pdu], dict[str, Any]]] = [
    (BindReceiver, ACCOUNT),
    (BindTransmitter, ACCOUNT),
    (BindTransceiver, ACCOUNT),
    (BindReceiverResp, {"system_id": "carrier"}),
    (BindTransmitterResp, {"system_id": "carrier"}),
    (BindTransceiverResp, {"system_id": "carrier"}),
    (SubmitSm, MESSAGE),
    (SubmitSm, {}),
    (SubmitSmResp, {"message_id": "38601fa"}),
    (DeliverSm, MESSAGE),
    (DeliverSmResp, {"message_id": ""}),
    (DataSm, DATA),
    (DataSmResp, {"message_id": "38601fa"}),
    (QuerySm, {"message_id": "9", "source_addr_ton": 1, "source_addr": "ACME"}),
    (
        QuerySmResp,
        {"message_id": "9", "final_date": "261111100000000+", "message_state": 2, "error_code": 4},
    ),
    (AlertNotification, {"source_addr_ton": 1, "source_addr": "4479", "esme_addr": "ACME"}),
    (EnquireLink, {}),
    (EnquireLinkResp, {}),
    (Unbind, {}),
    (UnbindResp, {}),
    (GenericNack, {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields"), SHARED)
class TestAgainstSmpplib:
    def test_our_octets_mean_the_same_there(self, kind: type[Pdu], fields: dict[str, Any]) -> None:
        found = theirs(encode(kind(**fields), 7, 8))
        assert (found.command, found.sequence, found.status) == (
            smpplib.command_codes.get_command_name(kind.command_id), 7, 8
        )  # fmt: skip
        for name in kind.__struct_fields__:
            ours = getattr(kind(**fields), name)
            if isinstance(ours, str):
                ours = ours.encode("latin-1")
            if name != "tlvs":
                assert (getattr(found, name) or type(ours)()) == ours, name

    def test_their_octets_mean_the_same_here(self, kind: type[Pdu], fields: dict[str, Any]) -> None:
        name = smpplib.command_codes.get_command_name(kind.command_id)
        frame = their_pdu(name, sequence=7, **fields)
        frame.sequence = 7
        assert decode(frame.generate()) == Packet(kind.command_id, 0, 7, kind(**fields))


def test_optional_parameters_against_smpplib() -> None:
    ours = DeliverSm(
        tlvs=(
            tlv.RECEIPTED_MESSAGE_ID.of("38601fa"),
            tlv.MESSAGE_STATE.of(2),
            tlv.NETWORK_ERROR_CODE.of(tlv.NetworkError(3, 0x0102)),
            tlv.USER_MESSAGE_REFERENCE.of(0xABCD),
        )
    )
    read_there = theirs(encode(ours, 7))
    assert read_there.receipted_message_id == b"38601fa"
    assert read_there.message_state == 2
    assert read_there.network_error_code == b"\x03\x01\x02"
    assert read_there.user_message_reference == 0xABCD

    frame = their_pdu(
        "deliver_sm",
        receipted_message_id="38601fa",
        message_state=2,
        message_payload=b"hello",
    ).generate()
    found = decode(frame).pdu
    assert isinstance(found, DeliverSm)
    assert tlv.RECEIPTED_MESSAGE_ID.get(found.tlvs) == "38601fa"
    assert tlv.MESSAGE_STATE.get(found.tlvs) == 2
    assert tlv.MESSAGE_PAYLOAD.get(found.tlvs) == b"hello"


def test_a_frame_takes_parameters_at_its_end() -> None:
    pdu = SubmitSm(destination_addr="447400123456", short_message=b"hello")
    tlvs = ((0x1400, b"id\0"), (0x0424, b""))
    whole = msgspec.structs.replace(pdu, tlvs=tlvs)
    assert encoded(pdu).extended(tlvs).numbered(7) == encode(whole, 7)
    assert encoded(pdu).extended(()).numbered(7) == encode(pdu, 7)
    with pytest.raises(LocalProtocolError, match="optional parameter 0x1400 of 65536 octets"):
        encoded(pdu).extended(((0x1400, bytes(65_536)),))
