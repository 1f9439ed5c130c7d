"""PDUs that break their layout: what is whole is kept, and what is odd is told. Each case is
something that a carrier sends, written octet by octet."""

import struct
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.smpp import tlv
from gateway.smpp.lenient import SEARCHED
from gateway.smpp.pdu import TYPES, DeliverSm, Packet, Pdu, Unparsed, decode, encode
from gateway.smpp.tlv import MESSAGE_STATE, RECEIPTED_MESSAGE_ID

SUBMIT_SM_RESP, DELIVER_SM, DATA_SM, BIND_RESP = 0x80000004, 0x05, 0x103, 0x80000009
ENQUIRE_LINK, UNBIND, QUERY_SM_RESP, ALERT = 0x15, 0x06, 0x80000003, 0x102


def read(command_id: int, body: bytes, status: int = 0) -> Packet:
    return decode(struct.pack(">IIII", 16 + len(body), command_id, status, 7) + body)


def kinds(packet: Packet) -> list[str]:
    return [odd.kind for odd in packet.odd]


def told(packet: Packet, *names: str) -> list[Any]:
    return [getattr(packet.pdu, name) for name in names]


SOURCE = b"\x01\x01447700900123\0"
DEST = b"\x01\x0110690001\0"
FLAGS = b"\x04\0\0\0\0\0\0\0\0"
"""esm_class to sm_default_msg_id."""
HEAD = b"\0" + SOURCE + DEST + FLAGS
TEXT = b"id:12 stat:DELIVRD err:000 text:"


@pytest.mark.parametrize(
    ("behind", "odd", "tlvs"),
    [
        (b"\0", ["stray_octets"], ()),
        (b"x", ["stray_octets"], ()),
        (b"\xde\xad\xbe\xef", ["cut_parameter"], ((0xDEAD, b""),)),
        (b"\0\0\0", ["stray_octets"], ()),
        (b"\x00\x1e\x00\x0912345678", ["cut_parameter"], ((0x1E, b"12345678"),)),
        (b"\x00\x1e\x00\x41id\0", ["cut_parameter"], ((0x1E, b"id\0"),)),
        (b"\x04\x27\x00\x01\x02\x00\x1e", ["stray_octets"], ((0x427, b"\2"),)),
        (b"\x04\x27\x00\x01\x02\x00", ["stray_octets"], ((0x427, b"\2"),)),
        (b"\x04\x27\x00\x02\x00\x02", ["parameter_size"], ((0x427, b"\0\2"),)),
        (b"\x04\x27\x00\x00", ["parameter_size"], ((0x427, b""),)),
        (
            b"\x04\x27\x00\x01\x02\x04\x27\x00\x01\x05",
            ["repeated_parameter"],
            ((0x427, b"\2"), (0x427, b"\5")),
        ),
        (b"\x14\x00\x00\x01x", [], ((0x1400, b"x"),)),
        (b"\x03\x81\x00\x041234\x03\x81\x00\x045678", [], ((0x381, b"1234"), (0x381, b"5678"))),
    ],
)
def test_what_follows_the_text_of_a_deliver_sm(
    behind: bytes, odd: list[str], tlvs: tlv.Tlvs
) -> None:
    packet = read(DELIVER_SM, HEAD + bytes((len(TEXT),)) + TEXT + behind)
    assert told(packet, "source_addr", "destination_addr", "esm_class", "short_message") == [
        "447700900123",
        "10690001",
        4,
        TEXT,
    ]
    assert kinds(packet) == odd
    assert told(packet, "tlvs") == [tlvs]


@pytest.mark.parametrize(
    "front",
    [
        b"\0\0" + SOURCE + DEST,
        b"CMT\0\0" + SOURCE + DEST,
        b"CMT\0\0\0" + SOURCE + DEST,  # fills its field
        b"\0" + SOURCE + b"\0" + DEST,
        b"\0" + SOURCE + DEST + b"\0",
        b"\0" + SOURCE[:-1].ljust(23, b"\0") + DEST,
        b"\0" + SOURCE + DEST[:-1].ljust(23, b"\0"),
        b"\0" + SOURCE[:-1].ljust(23, b"\0") + DEST[:-1].ljust(23, b"\0"),
        b"CMT".ljust(6, b"\0") + SOURCE[:-1].ljust(23, b"\0") + DEST[:-1].ljust(23, b"\0"),
    ],
)
@pytest.mark.parametrize("tlvs", [b"", b"\x04\x27\x00\x01\x02"])
def test_a_string_with_more_than_one_nul(front: bytes, tlvs: bytes) -> None:
    times = FLAGS
    if front.startswith(b"CMT\0\0\0") and len(front) == 6 + 23 + 23:
        times = FLAGS[:3] + bytes(34) + FLAGS[5:]  # whoever fills all fills the empty ones too
    packet = read(DELIVER_SM, front + times + bytes((len(TEXT),)) + TEXT + tlvs)
    assert told(packet, "source_addr", "destination_addr", "esm_class", "short_message") == [
        "447700900123",
        "10690001",
        4,
        TEXT,
    ]
    assert kinds(packet) == ["padded_string"]
    assert told(packet, "tlvs") == [((0x427, b"\2"),) if tlvs else ()]


def ucs2(text: str) -> bytes:
    return text.encode("utf-16-be")


@pytest.mark.parametrize(
    ("coding", "sm_length", "there", "text"),
    [
        # More than there is: what is there.
        (0, 200, b"STOP", b"STOP"),
        (0, 5, b"STOP", b"STOP"),
        (0, 1, b"", b""),
        # Characters instead of octets.
        (8, 2, ucs2("退订"), ucs2("退订")),
        (8, 1, ucs2("T"), ucs2("T")),
        (8, 4, ucs2("STOP") + tlv.write(((0x1400, b"x"),)), ucs2("STOP")),
        # Without what is beyond eight bits.
        (0, 300 - 256, b"x" * 300, b"x" * 300),
        (8, 0, ucs2("喂" * 128), ucs2("喂" * 128)),
        # Stuck at the most that there may be.
        (0, 254, b"x" * 300, b"x" * 300),
        (0, 255, b"x" * 300, b"x" * 300),
        # Never filled in.
        (0, 0, b"STOP", b"STOP"),
        (8, 0, ucs2("СТОП"), ucs2("СТОП")),
        (0, 0, b"\x04\x24\x00\x10STOP", b""),
        # Right, and something stray behind it.
        (0, 4, b"STOP\0", b"STOP"),
        (0, 4, b"STOP\r\n", b"STOP"),
        (0, 4, b"STOP\0\0\0\0\0\0", b"STOP"),
        (8, 4, ucs2("退订") + b"\0", ucs2("退订")),
        (8, 4, ucs2("退订") + b"\0\0\0\0\0", ucs2("退订")),
        (0, 4, b"STOP" + tlv.write(((0x1400, b"x"),)) + b"\0", b"STOP"),
        (0, 0, b"\0", b""),
    ],
)
def test_sm_length_that_does_not_hold(
    coding: int, sm_length: int, there: bytes, text: bytes
) -> None:
    head = b"\0" + SOURCE + DEST + b"\0\0\0\0\0\0\0" + bytes((coding, 0))
    packet = read(DELIVER_SM, head + bytes((sm_length,)) + there)
    assert told(packet, "source_addr", "short_message") == ["447700900123", text]
    assert kinds(packet) != []


TIME = b"260921120000000+"
REST = FLAGS + bytes((len(TEXT),)) + TEXT


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        (b"\0\x01\x01447700900123" + DEST + REST, ["missing_nul"]),
        (b"\0" + SOURCE + b"\x01\x0110690001" + REST, ["missing_nul"]),
        (SOURCE + DEST + REST, ["missing_nul"]),
        (b"CMT" + SOURCE + DEST + REST, ["missing_nul"]),
        (b"\0" + SOURCE + DEST + FLAGS[:3] + b"\0" + FLAGS[5:] + REST[9:], None),
        (b"SERVICE\0" + SOURCE + DEST + REST, ["overlong_string"]),
        (b"SERVICES" + SOURCE + DEST + REST, ["missing_nul"]),
        (b"\0" + SOURCE + DEST + b"\4\0\0" + TIME + b"\0\0\0\0\0" + REST[9:], ["missing_nul"]),
        (
            b"\0" + SOURCE + DEST + b"\4\0\0" + TIME + b"00\0\0\0\0\0\0" + REST[9:],
            ["overlong_string"],
        ),
    ],
)
def test_a_string_without_its_nul_or_too_long(body: bytes, odd: list[str] | None) -> None:
    packet = read(DELIVER_SM, body)
    assert told(packet, "source_addr", "destination_addr") == ["447700900123", "10690001"]
    if odd is not None:
        assert told(packet, "esm_class", "short_message") == [4, TEXT]
        assert kinds(packet) == odd


SOURCES = [
    (1, 1, "447700900123"),
    (0, 0, "447700900123"),
    (2, 1, "13912345678"),
    (5, 0, "ACME"),
    (3, 0, "12345"),
    (0, 0, ""),
]
DESTINATIONS = [(1, 1, "10690001"), (0, 1, "10690001"), (0, 0, "8610690001")]
TEXTS = [(0, b"STOP"), (8, ucs2("退订")), (0, TEXT), (0, b"")]
PARAMETERS: list[tlv.Tlvs] = [(), ((0x1E, b"12345\0"), (0x427, b"\2"))]
SAID = [
    "source_addr",
    "destination_addr",
    "esm_class",
    "data_coding",
    "short_message",
    "tlvs",
]
LOST = ["service_type", "source", "destination", "schedule", "validity"]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("time", ["", TIME.decode()])
@pytest.mark.parametrize("esm_class", [0, 4, 0x40, 0x44])
def test_any_one_nul_may_be_missing(lost: str, time: str, esm_class: int) -> None:
    for source, dest, (coding, text), tlvs in product(SOURCES, DESTINATIONS, TEXTS, PARAMETERS):
        pdu = DeliverSm(
            "",
            *source,
            *dest,
            esm_class,
            validity_period=time,
            data_coding=coding,
            short_message=text,
            tlvs=tlvs,
        )
        frame = encode(pdu, 7)
        source_end = 19 + len(source[2])
        dest_end = source_end + 3 + len(dest[2])
        nuls = (16, source_end, dest_end, dest_end + 4, dest_end + 5 + len(time))
        at = nuls[LOST.index(lost)]
        packet = decode(_longer(frame[:at] + frame[at + 1 :], b""))
        assert told(packet, *SAID) == [getattr(pdu, name) for name in SAID], frame


@pytest.mark.parametrize("length", [21, 30, 64, 200])
@pytest.mark.parametrize("letters", ["9", "x"])
def test_addresses_over_their_maximum_are_kept_whole(length: int, letters: str) -> None:
    long = letters * length
    address = b"\x05\0" + long.encode() + b"\0"
    packet = read(DELIVER_SM, b"\0" + address + DEST + REST)
    assert told(packet, "source_addr", "destination_addr") == [long, "10690001"]
    assert told(packet, "short_message") == [TEXT]
    assert kinds(packet) == ["overlong_string"]
    packet = read(DELIVER_SM, b"\0" + SOURCE + address + REST)
    assert told(packet, "source_addr", "destination_addr") == ["447700900123", long]
    assert told(packet, "short_message") == [TEXT]


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_fields_that_are_missing_keep_their_defaults(cut: int) -> None:
    packet = read(DELIVER_SM, HEAD[:cut])
    assert "short_body" in kinds(packet)
    source, destination = told(packet, "source_addr", "destination_addr")
    # Half a number is nobody's.
    assert source in ("", "447700900123")
    assert destination in ("", "10690001")
    assert (destination != "") == (cut >= HEAD.index(FLAGS))


@pytest.mark.parametrize(
    ("body", "message_id", "odd"),
    [
        (b"", "", []),
        (b"\0", "", []),
        (b"12345", "12345", ["missing_nul"]),
        (b"38601fa\0\0", "38601fa", ["stray_octets"]),
        (b"38601fa\0\r\n", "38601fa", ["stray_octets"]),
        (b"x" * 65 + b"\0", "x" * 65, ["overlong_string"]),
        (b"x" * 255 + b"\0", "x" * 255, ["overlong_string"]),
        (b"x" * 65, "x" * 65, ["missing_nul"]),
        (b"a\x11b\0", "a\x11b", []),
        (b"a b\0", "a b", []),
        (b"38601fa\x04\x25\x00\x01\x03", "38601fa", ["missing_nul"]),
        (b"38601fa\0\x04\x25\x00\x05\x03", "38601fa", ["cut_parameter"]),
    ],
)
def test_the_id_in_a_submit_sm_resp(body: bytes, message_id: str, odd: list[str]) -> None:
    packet = read(SUBMIT_SM_RESP, body)
    assert told(packet, "message_id") == [message_id]
    assert kinds(packet) == odd


@pytest.mark.parametrize(
    ("command_id", "body", "name", "value"),
    [
        (BIND_RESP, b"carrier", "system_id", "carrier"),
        (BIND_RESP, b"a carrier" * 8 + b"\0", "system_id", "a carrier" * 8),
        (BIND_RESP, b"carrier\0\x02\x10\x00\x01", "system_id", "carrier"),
        (QUERY_SM_RESP, b"9\0", "message_id", "9"),
        (QUERY_SM_RESP, b"9\x000\0\2", "message_state", 2),
        (ALERT, b"\x01\x01447700900123\0", "source_addr", "447700900123"),
        (DATA_SM, b"\0" + SOURCE + DEST + b"\4\0", "destination_addr", "10690001"),
        (ENQUIRE_LINK, b"\0", "tlvs", ()),
        (UNBIND, b"bye", "tlvs", ()),
    ],
)
def test_other_pdus(command_id: int, body: bytes, name: str, value: object) -> None:
    packet = read(command_id, body)
    assert told(packet, name) == [value]
    assert packet.odd


def test_an_error_says_where_and_nothing_of_the_content() -> None:
    packet = read(DELIVER_SM, b"\0\x01\x01" + b"9" * 40 + b"\0" + DEST + REST)
    assert packet.odd == (("overlong_string", "DeliverSm: source_addr"),)
    packet = read(DELIVER_SM, HEAD + b"\0" + tlv.write(((0x427, b""), (0x1401, b""), (0x99, b""))))
    assert packet.odd == (("parameter_size", "DeliverSm: parameter 0x0427"),)
    for behind, where in ((0x1401, "a vendor's parameter"), (0x99, "an unknown parameter")):
        packet = read(DELIVER_SM, HEAD + b"\1x" + struct.pack(">HH", behind, 9))
        assert packet.odd == (("cut_parameter", f"DeliverSm: {where}"),)


@pytest.mark.parametrize(
    ("octets", "state"),
    [
        (b"\2", 2),
        (b"\0\2", 2),
        (b"\0\0\0\2", 2),
        (b"\2\0", 2),
        (b"\2\0\0\0", 2),
        (b"", None),
        (b"\1\2", None),
        (b"\0" * 9, None),
    ],
)
def test_an_integer_of_another_size(octets: bytes, state: int | None) -> None:
    assert MESSAGE_STATE.get(((MESSAGE_STATE.tag, octets),)) == state


def test_of_repeated_parameters_the_first_that_can_be_read_counts() -> None:
    assert MESSAGE_STATE.get(((0x427, b""), (0x427, b"\2"), (0x427, b"\5"))) == 2
    long = "x" * 80
    assert RECEIPTED_MESSAGE_ID.get(((0x1E, long.encode()),)) == long


@given(st.sampled_from(TYPES), st.binary(max_size=400))
@example(TYPES[0], b"")
def test_any_body_of_a_known_pdu_yields_it(kind: type[Pdu], body: bytes) -> None:
    packet = read(kind.command_id, body)
    assert type(packet.pdu) is kind


@given(st.binary(max_size=60), st.integers(0, len(HEAD) - 1), st.integers(0, 3))
def test_a_body_with_octets_lost_and_put_in_yields_a_pdu(octets: bytes, at: int, lost: int) -> None:
    body = HEAD + bytes((len(TEXT),)) + TEXT
    packet = read(DELIVER_SM, body[:at] + octets + body[at + lost :])
    assert type(packet.pdu).__name__ == "DeliverSm"


@given(st.sampled_from(TYPES), st.integers(1, 0xFF), st.data())
def test_a_stray_octet_costs_no_field(kind: type[Pdu], octet: int, data: st.DataObject) -> None:
    pdu = kind()
    packet = decode(_longer(encode(pdu, 7), bytes((octet,))))
    if kind.__struct_fields__[-2:-1] == ("short_message",):
        assert kinds(packet) in (["stray_octets"], ["wrong_sm_length"])  # of sm_length 0
        return
    assert packet.pdu == pdu
    assert kinds(packet) == ["stray_octets"]


def _longer(frame: bytes, more: bytes) -> bytes:
    """The frame with more at its end, and its length put right."""
    return struct.pack(">I", len(frame) + len(more)) + frame[4:] + more


def test_the_search_is_bounded() -> None:
    # A frame as long as may be, of what looks like places to end a string.
    packet = read(DELIVER_SM, b"\1" * 100_000)
    assert kinds(packet) == ["short_body"]
    assert len(read(DELIVER_SM, HEAD + b"\1x" + b"\0" * 100_000).odd) > 0
    assert SEARCHED < 100_000


def test_an_unknown_command_is_unparsed() -> None:
    assert isinstance(read(0x00010200, b"abc").pdu, Unparsed)
