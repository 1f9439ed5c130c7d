"""From a message to the PDUs of its parts."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.carriers.addresses import ByKind, sender_kind
from gateway.dispatch.carriers.submission import Dialect
from gateway.dispatch.options import CarrierOptions
from gateway.dispatch.release.references import References
from gateway.message import Message
from gateway.smpp.pdu import SubmitSm, decode
from gateway.smpp.times import MAX_RELATIVE
from gateway.text.errors import TooLongError
from gateway.text.measuring import measure
from gateway.text.udh import parse_user_data

Make = Callable[..., Message]


NOW = 1_790_000_000.0


def submit(message: Message, validity: float = 60.0, **options: Any) -> list[SubmitSm]:
    dialect = Dialect(CarrierOptions(id="alpha", **options))
    made = dialect.parts(message, References(0), validity, NOW)
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
        ("10690001", (2, 1)),
        ("1069", (3, 0)),
        ("Acme", (5, 0)),
    ],
)
def test_senders_have_the_types_of_their_kind(
    make_message: Make, sender: str, expected: tuple[int, int]
) -> None:
    [pdu] = submit(make_message(sender=sender))
    assert (pdu.source_addr_ton, pdu.source_addr_npi) == expected
    [pdu] = submit(make_message(sender=sender), source_ton=OTHERS, source_npi=OTHERS)
    other = getattr(OTHERS, sender_kind(sender))
    assert (pdu.source_addr_ton, pdu.source_addr_npi) == (other, other)


OTHERS = ByKind(international=4, national=3, alphanumeric=2, short_code=6)


@pytest.mark.parametrize(
    ("to", "options", "expected"),
    [
        ("8613912345678", {}, (1, 1, "8613912345678")),
        ("8613912345678", {"country_code": "86"}, (1, 1, "8613912345678")),
        ("8613912345678", {"country_code": "86", "dest_form": "national"}, (2, 1, "13912345678")),
        ("447400123456", {"country_code": "86", "dest_form": "national"}, (1, 1, "447400123456")),
        (
            "4915112345678",
            {"country_code": "49", "dest_form": "national", "trunk_prefix": "0"},
            (2, 1, "015112345678"),
        ),
        ("8613912345678", {"dest_ton": OTHERS, "dest_npi": OTHERS}, (4, 4, "8613912345678")),
        (
            "8613912345678",
            {"country_code": "86", "dest_form": "national", "dest_ton": OTHERS, "dest_npi": OTHERS},
            (3, 3, "13912345678"),
        ),
    ],
)
def test_recipients_are_written_as_the_carrier_wants_them(
    make_message: Make, to: str, options: dict[str, Any], expected: tuple[int, int, str]
) -> None:
    for text in ("hello", "x" * 400):
        for pdu in submit(make_message(to=to, text=text), **options):
            found = (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr)
            assert found == expected


def test_numbers_at_home_and_abroad_do_not_share_what_is_prepared(make_message: Make) -> None:
    dialect = Dialect(CarrierOptions(id="a", country_code="86", dest_form="national"))
    found = []
    for to in ("8613912345678", "447400123456", "8613912345679"):
        [made] = dialect.parts(make_message(to=to), References(0), 60.0, NOW)
        pdu = cast("SubmitSm", decode(made.numbered(1)).pdu)
        found.append((pdu.dest_addr_ton, pdu.destination_addr))
    assert found == [(2, "13912345678"), (1, "447400123456"), (2, "13912345679")]


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


@pytest.mark.parametrize(
    ("form", "least", "validity", "period"),
    [
        ("relative", 300, 60.0, "000000000500000R"),
        ("relative", 300, 301.0, "000000000501000R"),
        ("absolute", 0, 60.9, "260921141420000+"),
        ("absolute", 300, 60.0, "260921141820000+"),
        ("absolute", 0, 90 * 86_400.0, "261220141320000+"),
        ("none", 0, 60.0, ""),
        ("none", 300, 60.0, ""),
    ],
)
def test_the_time_to_try_is_said_as_the_carrier_takes_it(
    make_message: Make, form: Any, least: float, validity: float, period: str
) -> None:
    options = {"validity_period": form, "min_validity": least}
    [pdu] = submit(make_message(), validity, **options)
    assert pdu.validity_period == period
    [pdu, _] = submit(make_message(text="x" * 200, parts=2), validity, **options)
    assert pdu.validity_period == period


@pytest.mark.parametrize(
    ("form", "least", "periods"),
    [
        ("relative", 0, ("000000000200000R", "000000000100000R")),
        ("relative", 90, ("000000000200000R", "000000000130000R")),
        ("absolute", 0, ("260921141520000+", "260921141520000+")),
        ("none", 0, ("", "")),
    ],
)
def test_what_is_sent_once_more_has_the_time_that_is_left(
    make_message: Make, form: Any, least: float, periods: tuple[str, str]
) -> None:
    dialect = Dialect(CarrierOptions(id="a", validity_period=form, min_validity=least))
    [made] = dialect.parts(make_message(), References(0), 120.0, NOW)
    again = dialect.renewed(made, 60.0)
    found = [cast("SubmitSm", decode(one.numbered(1)).pdu) for one in (made, again)]
    assert tuple(pdu.validity_period for pdu in found) == periods


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
