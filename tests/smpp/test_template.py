"""A template writes what the codec would have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.errors import LocalProtocolError
from gateway.smpp.pdu import SubmitSm, encode
from gateway.smpp.template import SubmitTemplate

COMMON = SubmitSm(
    service_type="CMT",
    source_addr_ton=5,
    source_addr="Shop 24",
    dest_addr_ton=1,
    dest_addr_npi=1,
    esm_class=0x40,
    validity_period="000002000000000R",
    registered_delivery=1,
    data_coding=8,
)


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True), st.binary(max_size=254))
def test_it_writes_what_the_codec_writes(recipient: str, octets: bytes) -> None:
    for common in (COMMON, SubmitSm()):
        whole = replace(common, destination_addr=recipient, short_message=octets)
        written = SubmitTemplate(common).write(recipient, octets)
        assert written.kind is SubmitSm
        assert written.numbered(7) == encode(whole, 7)


@pytest.mark.parametrize(
    ("recipient", "octets", "fault"),
    [
        ("1" * 21, b"", "destination_addr"),
        ("1\0", b"", "destination_addr"),
        ("1", bytes(255), "short_message"),
    ],
)
def test_what_does_not_fit_is_named(recipient: str, octets: bytes, fault: str) -> None:
    with pytest.raises(LocalProtocolError, match=fault):
        SubmitTemplate(COMMON).write(recipient, octets)
