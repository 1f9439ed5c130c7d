"""From a message to the PDUs of its parts."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch import submission
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.submission import Dialect, References, source_type
from gateway.message import Message
from gateway.smpp.pdu import SubmitSm, decode
from gateway.smpp.times import MAX_RELATIVE
from gateway.text.errors import TooLongError
from gateway.text.measuring import measure
from gateway.text.udh import parse_user_data

Make = Callable[..., Message]


def submit(message: Message, validity: float = 60.0, **options: Any) -> list[SubmitSm]:
    dialect = Dialect(CarrierOptions(id="alpha", **options))
    made = dialect.parts(message, References(0), validity)
    return [cast("SubmitSm", decode(pdu.numbered(1)).pdu) for pdu in made]


def test_a_short_message_is_one_plain_pdu(make_message: Make) -> None:
    [pdu] = submit(make_message())
    assert (pdu.source_addr, pdu.destination_addr) == ("10690001", "447400123456")
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, 0, b"hello")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (1, 1)


@pytest.mark.parametrize(("report", "registered"), [("final", 1), ("none", 0)])
def test_a_receipt_is_asked_for_where_one_is_wanted(
    make_message: Make, report: str, registered: int
) -> None:
    [pdu] = submit(make_message(report=report))
    assert pdu.registered_delivery == registered


def test_a_long_message_has_a_header_in_every_part(make_message: Make) -> None:
    text = "x" * 400
    pdus = submit(make_message(text=text, parts=3))
    assert [pdu.esm_class for pdu in pdus] == [0x40] * 3
    data = [parse_user_data(pdu.short_message) for pdu in pdus]
    headers = [one.concat for one in data if one.concat]
    assert [(header.sequence, header.total) for header in headers] == [(1, 3), (2, 3), (3, 3)]
    assert len({header.reference for header in headers}) == 1
    assert b"".join(one.payload for one in data).decode() == text


@pytest.mark.parametrize(
    ("encoding", "text", "options", "coding", "octets"),
    [
        ("gsm7", "@£", {}, 0, b"\x00\x01"),
        ("gsm7", "@£", {"gsm7_coding": 1}, 1, b"\x00\x01"),
        ("gsm7", "@£", {"alphabet": "latin1"}, 3, b"@\xa3"),
        ("gsm7", "@£", {"alphabet": "latin1", "latin1_coding": 0}, 0, b"@\xa3"),
        ("gsm7", "€", {"alphabet": "latin1"}, 8, b"\x20\xac"),
        ("ucs2", "你", {}, 8, b"\x4f\x60"),
        ("ucs2", "你", {"ucs2_coding": 24}, 24, b"\x4f\x60"),
    ],
)
def test_data_coding_is_the_carrier_s(
    make_message: Make,
    encoding: str,
    text: str,
    options: dict[str, Any],
    coding: int,
    octets: bytes,
) -> None:
    [pdu] = submit(make_message(text=text, encoding=encoding), **options)
    assert (pdu.data_coding, pdu.short_message) == (coding, octets)


def test_a_text_that_is_too_long_in_this_carrier_s_alphabet_is_refused(make_message: Make) -> None:
    text = "€" + "x" * 30_000
    message = make_message(text=text, parts=measure(text).parts)
    with pytest.raises(TooLongError):
        submit(message, alphabet="latin1")


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("447400123456", (1, 1)),
        ("1069", (3, 0)),
        ("106900", (3, 0)),
        ("1069000", (1, 1)),
        ("Acme", (5, 0)),
        ("Acme 24", (5, 0)),
    ],
)
def test_the_type_of_a_sender_is_told_by_its_form(
    make_message: Make, sender: str, expected: tuple[int, int]
) -> None:
    assert source_type(sender) == expected
    [pdu] = submit(make_message(sender=sender))
    assert (pdu.source_addr_ton, pdu.source_addr_npi) == expected


def test_a_carrier_may_want_other_types(make_message: Make) -> None:
    [pdu] = submit(make_message(), source_ton=0, source_npi=9, dest_ton=2, dest_npi=8)
    assert (pdu.source_addr_ton, pdu.source_addr_npi) == (0, 9)
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (2, 8)


def test_its_service_type_is_in_every_part(make_message: Make) -> None:
    pdus = submit(make_message(text="x" * 200, parts=2), service_type="CMT")
    assert [pdu.service_type for pdu in pdus] == ["CMT", "CMT"]


@pytest.mark.parametrize(
    ("validity", "period"),
    [
        (0.2, "000000000001000R"),
        (59.9, "000000000059000R"),
        (90_061.0, "000001010101000R"),
        (MAX_RELATIVE + 5e6, "000030235959000R"),
    ],
)
def test_the_carrier_is_told_how_long_to_try(
    make_message: Make, validity: float, period: str
) -> None:
    [pdu] = submit(make_message(), validity)
    assert pdu.validity_period == period


def test_a_phone_sees_each_reference_once_in_65536_long_messages() -> None:
    references = References(65_530)
    taken = [references.take("447400123456") for _ in range(65_536)]
    assert len(set(taken)) == 65_536
    assert all(0 <= reference <= 0xFFFF for reference in taken)
    assert references.take("447400123456") == taken[0]


def test_other_phones_do_not_use_up_a_phone_s_references() -> None:
    references = References(0)
    first = references.take("1")
    for number in range(2, 100):
        references.take(str(number))
    assert references.take("1") == first + 1


def test_the_recipients_remembered_are_bounded(
    monkeypatch: pytest.MonkeyPatch, weigh: Callable[[object], int]
) -> None:
    monkeypatch.setattr(submission, "RECIPIENTS", 10)
    references = References(0)
    empty = weigh(references)
    for number in range(1_000):
        references.take(str(number))
    assert weigh(references) - empty <= 10 * 300


@given(st.text(min_size=1, max_size=700), st.sampled_from(["gsm7", "latin1"]))
def test_every_part_fits_and_there_are_as_many_as_were_measured(text: str, alphabet: str) -> None:
    encoding, count = measure(text)
    message = Message(
        1, "acme", "447400123456", "1069", text, "otp", "r", encoding, count, 0.0, 0.0, 9.0
    )
    pdus = submit(message, alphabet=alphabet)
    if alphabet == "gsm7":
        assert len(pdus) == count
    for pdu in pdus:
        room = 140 if pdu.data_coding == 8 else 160
        assert len(pdu.short_message) <= room
