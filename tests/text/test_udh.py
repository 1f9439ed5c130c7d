import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LocalProtocolError, RemoteProtocolError
from gateway.text.septets import Shifts
from gateway.text.udh import (
    Concat,
    Header,
    UserData,
    concat_header,
    parse_header,
    parse_user_data,
    short_header,
    unannounced,
)


def test_the_headers_we_send() -> None:
    assert concat_header(Concat(0x1234, 3, 2)) == b"\x06\x08\x04\x12\x34\x03\x02"
    assert short_header(Concat(0x12, 3, 2)) == b"\x05\x00\x03\x12\x03\x02"


@pytest.mark.parametrize(
    "concat",
    [
        Concat(-1, 2, 1),
        Concat(0x10000, 2, 1),
        Concat(1, 256, 1),
        Concat(1, 2, 0),
        Concat(1, 2, 3),
    ],
)
def test_a_header_for_no_part(concat: Concat) -> None:
    with pytest.raises(LocalProtocolError, match="no part of a message"):
        concat_header(concat)
    with pytest.raises(LocalProtocolError, match="no part of a message"):
        short_header(concat)


def test_a_reference_that_8_bits_do_not_hold() -> None:
    with pytest.raises(LocalProtocolError, match="no part of a message"):
        short_header(Concat(0x100, 2, 1))


@given(
    reference=st.integers(0, 0xFFFF),
    total=st.integers(1, 255),
    data=st.data(),
    payload=st.binary(max_size=140),
)
def test_round_trip(reference: int, total: int, data: st.DataObject, payload: bytes) -> None:
    concat = Concat(reference, total, data.draw(st.integers(1, total)))
    assert parse_user_data(concat_header(concat) + payload) == UserData(concat, payload)
    short = concat._replace(reference=reference & 0xFF)
    assert parse_user_data(short_header(short) + payload) == UserData(short, payload)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x00", UserData(None, b"")),
        (b"\x00abc", UserData(None, b"abc")),
        (b"\x05\x00\x03\x2a\x02\x01abc", UserData(Concat(0x2A, 2, 1), b"abc")),
        (b"\x06\x08\x04\x01\x00\x02\x02abc", UserData(Concat(256, 2, 2), b"abc")),
        # Ports and a national alphabet, before and after.
        (b"\x06\x05\x04\x0b\x84\x23\xf0abc", UserData(None, b"abc")),
        (b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x02\x01a", UserData(Concat(42, 2, 1), b"a")),
        (b"\x08\x00\x03\x2a\x02\x01\x25\x01\x01abc", UserData(Concat(42, 2, 1), b"abc")),
        (b"\x02\x70\x00abc", UserData(None, b"abc")),
        # The last one counts.
        (b"\x0a\x00\x03\x01\x02\x01\x00\x03\x02\x02\x02abc", UserData(Concat(2, 2, 2), b"abc")),
        # None that could be a part.
        (b"\x05\x00\x03\x2a\x00\x01abc", UserData(None, b"abc")),
        (b"\x05\x00\x03\x2a\x02\x00abc", UserData(None, b"abc")),
        (b"\x05\x00\x03\x2a\x02\x03abc", UserData(None, b"abc")),
    ],
)  # fmt: skip
def test_headers_that_others_send(octets: bytes, expected: UserData) -> None:
    assert parse_user_data(octets) == expected


A, B = Concat(0x2A, 2, 1), Concat(0x012A, 2, 1)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        # An element that runs out of the header, or says too little.
        (b"\x01\x00abc", Header(2, exact=False)),
        (b"\x03\x00\x03\x2a\x02\x01", Header(4, exact=False)),
        (b"\x04\x00\x02\x2a\x02abc", Header(5, exact=False)),
        (b"\x07\x00\x03\x2a\x02\x01\x05\x04abc", Header(8, A, exact=False)),
        (b"\x05\x00\x04\x2a\x02\x01abc", Header(6, A, exact=False)),
        # Fill octets, one or several.
        (b"\x06\x00\x03\x2a\x02\x01\x00abc", Header(7, A, exact=False)),
        (b"\x07\x00\x03\x2a\x02\x01\x00\x00abc", Header(8, A, exact=False)),
        (b"\x09\x00\x03\x2a\x02\x01\xff\xff\xff\xffabc", Header(10, A, exact=False)),
        # The other form's length under an identifier.
        (b"\x06\x00\x04\x01\x2a\x02\x01abc", Header(7, B, exact=False)),
        (b"\x06\x00\x04\x2a\x02\x01\x00abc", Header(7, A, exact=False)),
        (b"\x05\x08\x03\x2a\x02\x01abc", Header(6, A, exact=False)),
        (b"\x07\x08\x05\x01\x2a\x02\x01\x00abc", Header(8, B, exact=False)),
        # Unknown elements around it.
        (b"\x08\x7f\x01\x00\x00\x03\x2a\x02\x01abc", Header(9, A)),
        (b"\x0a\x00\x03\x2a\x02\x01\x0a\x03\x00\x00\x00abc", Header(11, A)),
        # Ports alone, and shift tables.
        (b"\x06\x05\x04\x0b\x84\x23\xf0abc", Header(7)),
        (b"\x06\x24\x01\x01\x25\x01\x03abc", Header(7, shifts=Shifts(3, 1))),
        (b"\x08\x24\x01\x0d\x00\x03\x2a\x02\x01abc", Header(9, A, Shifts(0, 13))),
        (b"\x02\x24\x00abc", Header(3)),
    ],
)
def test_headers_are_read_as_far_as_they_go(octets: bytes, expected: Header) -> None:
    assert parse_header(octets) == expected
    assert parse_user_data(octets) == UserData(expected.concat, octets[expected.size :])


@pytest.mark.parametrize("octets", [b"", b"\x05", b"\x05\x00\x03\x2a\x02", b"\x63abc", b"\xff"])
def test_headers_that_do_not_fit(octets: bytes) -> None:
    for parse in (parse_header, parse_user_data):
        with pytest.raises(RemoteProtocolError, match=f"longer than its {len(octets)} octets"):
            parse(octets)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x05\x00\x03\x2a\x02\x01abc", Header(6, A)),
        (b"\x06\x08\x04\x01\x2a\x02\x01abc", Header(7, B)),
        (b"\x05\x00\x03\x2a\x02\x01\x90\x00", Header(6, A)),
        (b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x02\x01a", Header(12, A)),
        (b"\x08\x24\x01\x01\x00\x03\x2a\x02\x01a", Header(9, A, Shifts(0, 1))),
        # What may as well be a text.
        (b"\x05\x00\x03\x2a\x02\x03abc", None),
        (b"\x05\x00\x03\x2a\x00\x00abc", None),
        (b"\x06\x00\x03\x2a\x02\x01abc", None),
        (b"\x06\x05\x04\x0b\x84\x23\xf0abc", None),
        (b"\x05\x00\x03\x2a\x02", None),
        (b"STOP it now", None),
        (b"", None),
    ],
)
def test_headers_that_nothing_announces(octets: bytes, expected: Header | None) -> None:
    assert unannounced(octets) == expected


@given(st.binary(max_size=160))
def test_any_octets_are_parsed_or_refused(octets: bytes) -> None:
    try:
        concat, payload = parse_user_data(octets)
    except RemoteProtocolError:
        return
    assert octets == octets[: octets[0] + 1] + payload
    assert concat is None or 1 <= concat.sequence <= concat.total


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Z"]), max_size=160))
def test_no_text_of_ascii_has_a_header(text: str) -> None:
    assert unannounced(text.encode()) is None
