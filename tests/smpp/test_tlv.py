from typing import Any

import pytest
import smpplib.consts
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LocalProtocolError
from gateway.smpp import tlv
from gateway.smpp.odd import breaks

tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=70)), max_size=6).map(tuple)

PARAMETERS = {name: value for name, value in vars(tlv).items() if isinstance(value, tlv.Parameter)}


@given(tlvs, st.binary(max_size=9))
def test_what_is_written_is_read_behind_whatever_is_before_it(
    some: tlv.Tlvs, before: bytes
) -> None:
    found, odd = tlv.read(before + tlv.write(some), len(before))
    assert found == some
    assert not breaks(odd)
    assert tlv.whole(tlv.write(some))


@given(st.binary(max_size=60))
def test_any_octets_are_parameters_or_odd(octets: bytes) -> None:
    found, odd = tlv.read(octets, 0)
    assert breaks(odd) != (tlv.write(found) == octets)
    assert breaks(odd) != tlv.whole(octets)


@pytest.mark.parametrize(
    ("parameter", "value", "octets"),
    [
        (tlv.QOS_TIME_TO_LIVE, 86_400, b"\x00\x01\x51\x80"),
        (tlv.SAR_MSG_REF_NUM, 0x1234, b"\x12\x34"),
        (tlv.SAR_TOTAL_SEGMENTS, 3, b"\x03"),
        (tlv.MESSAGE_STATE, 2, b"\x02"),
        (tlv.RECEIPTED_MESSAGE_ID, "38601fa", b"38601fa\0"),
        (tlv.ADDITIONAL_STATUS_INFO_TEXT, "", b"\0"),
        (tlv.NETWORK_ERROR_CODE, tlv.NetworkError(3, 258), b"\x03\x01\x02"),
        (tlv.MESSAGE_PAYLOAD, b"\xd8=\xde\x00", b"\xd8=\xde\x00"),
        (tlv.ALERT_ON_MESSAGE_DELIVERY, b"", b""),
        (tlv.CALLBACK_NUM, b"\1\0\x019", b"\1\0\x019"),
    ],
)
def test_values(parameter: tlv.Parameter[Any], value: Any, octets: bytes) -> None:
    assert parameter.of(value) == (parameter.tag, octets)
    assert parameter.get(((0x1400, b"other"), (parameter.tag, octets))) == value
    assert parameter.get(((0x1400, b"other"),)) is None


def test_the_first_of_a_repeated_parameter_counts() -> None:
    assert tlv.MESSAGE_STATE.get(((0x0427, b"\x02"), (0x0427, b"\x05"))) == 2


def test_a_receipted_message_id_may_lack_its_nul() -> None:
    assert tlv.RECEIPTED_MESSAGE_ID.get(((0x001E, b"38601fa"),)) == "38601fa"


@pytest.mark.parametrize(
    ("parameter", "octets"),
    [
        (tlv.MESSAGE_STATE, b""),
        (tlv.NETWORK_ERROR_CODE, b"\3\0"),
        (tlv.CALLBACK_NUM, b"123"),
    ],
)
def test_a_value_of_a_wrong_size_counts_as_absent(
    parameter: tlv.Parameter[Any], octets: bytes
) -> None:
    assert parameter.get(((parameter.tag, octets),)) is None


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (tlv.MESSAGE_STATE, 256),
        (tlv.USER_MESSAGE_REFERENCE, -1),
        (tlv.RECEIPTED_MESSAGE_ID, "x" * 65),
        (tlv.RECEIPTED_MESSAGE_ID, "a\0b"),
        (tlv.RECEIPTED_MESSAGE_ID, "Ж"),
        (tlv.CALLBACK_NUM, b"123"),
        (tlv.NETWORK_ERROR_CODE, tlv.NetworkError(256, 0)),
    ],
)
def test_a_value_that_does_not_fit_is_refused(parameter: tlv.Parameter[Any], value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"optional parameter {parameter.tag:#06x}"):
        parameter.of(value)


def test_tags_are_those_of_smpplib() -> None:
    known = smpplib.consts.OPTIONAL_PARAMS
    ours = {name.lower(): parameter.tag for name, parameter in PARAMETERS.items()}
    shared = ours.keys() & known.keys()
    assert {name: ours[name] for name in shared} == {name: known[name] for name in shared}
    assert ours.keys() - known.keys() == {"congestion_state"}  # SMPP 5.0
