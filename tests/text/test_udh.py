import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LocalProtocolError, RemoteProtocolError
from gateway.text.udh import Concat, UserData, concat_header, parse_user_data


def test_the_header_we_send() -> None:
    assert concat_header(Concat(0x1234, 3, 2)) == b"\x06\x08\x04\x12\x34\x03\x02"


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


@given(
    reference=st.integers(0, 0xFFFF),
    total=st.integers(1, 255),
    data=st.data(),
    payload=st.binary(max_size=140),
)
def test_round_trip(reference: int, total: int, data: st.DataObject, payload: bytes) -> None:
    concat = Concat(reference, total, data.draw(st.integers(1, total)))
    assert parse_user_data(concat_header(concat) + payload) == UserData(concat, payload)


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


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "longer than its 0 octets"),
        (b"\x05", "longer than its 1 octets"),
        (b"\x05\x00\x03\x2a\x02", "longer than its 5 octets"),
        (b"\x01\x00", "at octet 1 runs out"),
        (b"\x01\x00abc", "at octet 1 runs out"),
        (b"\x03\x00\x03\x2a\x02\x01", "at octet 1 runs out"),
        (b"\x06\x00\x03\x2a\x02\x01\x00abc", "at octet 6 runs out"),
        (b"\x04\x00\x02\x2a\x02abc", "concatenation element of 2 octets"),
        (b"\x06\x00\x04\x2a\x02\x01\x00abc", "concatenation element of 4 octets"),
        (b"\x05\x08\x03\x00\x02\x01abc", "concatenation element of 3 octets"),
    ],
)
def test_malformed_headers(octets: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        parse_user_data(octets)


@given(st.binary(max_size=160))
def test_any_octets_are_parsed_or_refused(octets: bytes) -> None:
    try:
        concat, payload = parse_user_data(octets)
    except RemoteProtocolError:
        return
    assert octets == octets[: octets[0] + 1] + payload
    assert concat is None or 1 <= concat.sequence <= concat.total
