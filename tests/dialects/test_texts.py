"""Texts from phones as carriers send them: alphabets, headers, parts, over a real socket."""

import pytest

from tests.dialects.octets import deliver_sm, tlv
from tests.dialects.speaking import speaking

PHONE = "447700900123"
UDHI = 0x40


def be(text: str) -> bytes:
    return text.encode("utf-16-be")


def sar(reference: int, total: int, sequence: int) -> bytes:
    return (
        tlv(0x020C, reference.to_bytes(2, "big"))
        + tlv(0x020E, bytes((total,)))
        + tlv(0x020F, bytes((sequence,)))
    )


@pytest.mark.parametrize(
    ("dialect", "coding", "octets", "text"),
    [
        ("", 8, b"\xff\xfe" + "退订".encode("utf-16-le"), "退订"),
        ("", 8, "退订".encode("utf-16-le"), "退订"),
        ("", 8, b"STOP", "STOP"),
        ("", 0, be("退订"), "退订"),
        ("", 1, b"STOP", "STOP"),
        ("", 3, b"ARR\xcaT", "ARRÊT"),
        ("", 4, b"STOP", "STOP"),
        ("", 6, "СТОП".encode("iso8859_5"), "СТОП"),
        ("", 14, "수신거부".encode("euc_kr"), "수신거부"),
        ("", 15, "退订".encode("gbk"), "退订"),
        ("", 0xF0, b"STOP", "STOP"),
        ("", 0xF5, b"STOP", "STOP"),
        ('inbound_codings = { "0" = "gsm7_packed" }', 0, bytes.fromhex("53ea130a"), "STOP"),
        ('inbound_codings = { "3" = "cp1251" }', 3, "СТОП".encode("cp1251"), "СТОП"),
        ("gsm7_coding = 1", 1, b"STOP\x00", "STOP@"),
        ("ucs2_coding = 24", 24, be("退订"), "退订"),
        ('alphabet = "latin1"', 0, b"ARR\xcaT", "ARRÊT"),
    ],
)
async def test_a_stop_is_heeded_in_every_alphabet(
    dialect: str, coding: int, octets: bytes, text: str
) -> None:
    async with speaking(dialect) as (gateway, carrier):
        await carrier.deliver(deliver_sm(octets, source=PHONE, coding=coding))
        event = await gateway.event("inbound", sender=PHONE)
        assert event["text"] == text
        await gateway.event("optout", sender=PHONE)
        assert await gateway.opted_out(PHONE)


@pytest.mark.parametrize(
    ("coding", "octets", "text"),
    [
        # said to be GSM 03.38, and UCS-2: septets all of them
        (0, be("拒收"), "拒收"),
        (0, be("停止"), "停止"),
        # said to be Latin-1, ISO-8859-5 or no text
        (0, "СТОП".encode("cp1251"), "СТОП"),
        (3, "退订".encode("gbk"), "退订"),
        (6, "СТОП".encode("cp1251"), "СТОП"),
        (4, be("退订"), "退订"),
        (4, "退订".encode("gbk"), "退订"),
        (0xF5, be("STOP"), "STOP"),
        (0xF5, be("退订"), "退订"),
        # said to be in an alphabet of pairs
        (5, b"STOP", "STOP"),
        (13, b"TD", "TD"),
        (15, be("退订"), "退订"),
        (8, b"Td", "Td"),
        (8, b"STOP\x00", "STOP"),
        (8, "СТОП".encode("cp1251"), "СТОП"),
    ],
)
async def test_a_stop_is_heeded_whatever_its_coding_says(
    coding: int, octets: bytes, text: str
) -> None:
    async with speaking() as (gateway, carrier):
        await carrier.deliver(deliver_sm(octets, source="8613912345678", coding=coding))
        event = await gateway.event("optout", sender="8613912345678")
        assert event["text"] == text
        assert event["detail"]["data"] == octets.hex()
        assert await gateway.opted_out("8613912345678")


async def test_octets_that_are_doubtful_are_passed_on_beside_the_text() -> None:
    async with speaking() as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"\x01\xff", source=PHONE, coding=4))
        event = await gateway.event("inbound", sender=PHONE)
        assert event["text"] == ""
        assert event["detail"] == {"carrier": "alpha", "data": "01ff", "data_coding": 4}
        await carrier.deliver(deliver_sm("回T".encode("utf-16-le"), source=PHONE, coding=8))
        event = await gateway.event("optout", sender=PHONE)
        assert gateway.counted("gateway_inbound_unreadable_total") == {'{carrier="alpha"}': 2.0}


async def test_shift_tables_are_those_of_the_header() -> None:
    async with speaking() as (gateway, carrier):
        header = b"\x06\x25\x01\x01\x24\x01\x01"  # Turkish, both
        body = deliver_sm(header + b"\x40PTAL \x1be\x1bg", source=PHONE, esm_class=UDHI)
        await carrier.deliver(body)
        assert (await gateway.event("inbound", sender=PHONE))["text"] == "İPTAL €ğ"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        # 8 and 16 bits
        ((b"\x05\x00\x03\x07\x02\x01", UDHI, b""), (b"\x05\x00\x03\x07\x02\x02", UDHI, b"")),
        (
            (b"\x06\x08\x04\x01\x07\x02\x01", UDHI, b""),
            (b"\x06\x08\x04\x01\x07\x02\x02", UDHI, b""),
        ),
        # SAR parameters, also beside a header that names ports alone
        ((b"", 0, sar(7, 2, 1)), (b"", 0, sar(7, 2, 2))),
        (
            (b"\x06\x05\x04\x0b\x84\x23\xf0", UDHI, sar(7, 2, 1)),
            (b"\x06\x05\x04\x0b\x84\x23\xf0", UDHI, sar(7, 2, 2)),
        ),
        # a header that nothing announces
        ((b"\x05\x00\x03\x07\x02\x01", 0, b""), (b"\x05\x00\x03\x07\x02\x02", 0, b"")),
        # fill octets, an unknown element, an element that runs out
        (
            (b"\x06\x00\x03\x07\x02\x01\x00", UDHI, b""),
            (b"\x06\x00\x03\x07\x02\x02\x00", UDHI, b""),
        ),
        (
            (b"\x08\x7f\x01\x00\x00\x03\x07\x02\x01", UDHI, b""),
            (b"\x07\x00\x03\x07\x02\x02\x05\x04", UDHI, b""),
        ),
        # the length of the other form
        (
            (b"\x06\x00\x04\x00\x07\x02\x01", UDHI, b""),
            (b"\x05\x08\x03\x07\x02\x02", UDHI, b""),
        ),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
async def test_parts_are_joined_without_their_headers(
    one: tuple[bytes, int, bytes], two: tuple[bytes, int, bytes], backwards: bool
) -> None:
    async with speaking() as (gateway, carrier):
        bodies = [
            deliver_sm(header + text, source=PHONE, esm_class=esm_class, tlvs=tlvs)
            for (header, esm_class, tlvs), text in ((one, b"one "), (two, b"two"))
        ]
        for body in reversed(bodies) if backwards else bodies:
            await carrier.deliver(body)
        event = await gateway.event("inbound", sender=PHONE)
        assert event["text"] == "one two"
        assert event["detail"] == {"carrier": "alpha"}


async def test_parts_in_different_alphabets_are_each_read_in_its_own() -> None:
    async with speaking() as (gateway, carrier):
        for sequence, (coding, octets) in enumerate([(0, b"Hi @ \x00"), (8, be("退订"))], 1):
            header = b"\x05\x00\x03\x07\x02" + bytes((sequence,))
            body = deliver_sm(header + octets, source=PHONE, esm_class=UDHI, coding=coding)
            await carrier.deliver(body)
        assert (await gateway.event("inbound", sender=PHONE))["text"] == "Hi ¡ @退订"


async def test_a_part_that_comes_twice_is_dropped_after_the_text_was_told_too() -> None:
    async with speaking() as (gateway, carrier):
        one, two = (
            deliver_sm(header + text, source=PHONE, esm_class=UDHI)
            for header, text in (
                (b"\x05\x00\x03\x07\x02\x01", b"one "),
                (b"\x05\x00\x03\x07\x02\x02", b"two"),
            )
        )
        for body in (one, one, two, two, one):
            await carrier.deliver(body)
        await carrier.deliver(deliver_sm(b"next", source=PHONE))
        assert (await gateway.event("inbound", sender=PHONE))["text"] == "one two"
        assert (await gateway.event("inbound", text="next"))["text"] == "next"
        assert gateway.counted("gateway_inbound_total") == {'{carrier="alpha"}': 2.0}
        assert gateway.counted("gateway_inbound_repeated_total")['{carrier="alpha"}'] >= 1


async def test_a_header_that_does_not_fit_costs_no_text() -> None:
    async with speaking() as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"\x63STOP", source=PHONE, esm_class=UDHI))
        assert (await gateway.event("inbound", sender=PHONE))["text"] == "cSTOP"


# --- who texted, and whom ---


@pytest.mark.parametrize(
    ("dialect", "source", "ton", "phone"),
    [
        ("", "+447700900123", 1, "447700900123"),
        ("", "447700900123", 0, "447700900123"),
        ('country_code = "44"', "07700900123", 2, "447700900123"),
        ('country_code = "86"', "13012345678", 2, "8613012345678"),
        ('country_code = "86"', "13012345678", 0, "8613012345678"),
        ('country_code = "86"', "13012345678", 1, "13012345678"),  # Maryland, says the carrier
        ('country_code = "86"', "13912345678", 1, "8613912345678"),
        ('country_code = "86"', "447700900123", 1, "447700900123"),
        ('country_code = "1"', "2125550123", 2, "12125550123"),
        ('country_code = "1"', "2125550123", 0, "12125550123"),
        ('country_code = "1"', "3237654321", 0, "13237654321"),  # not Belgium
        ('country_code = "65"', "91234567", 2, "6591234567"),
        ('country_code = "47"', "41234567", 0, "4741234567"),
        ('country_code = "34"', "612345678", 0, "34612345678"),
        ('country_code = "33"', "0612345678", 2, "33612345678"),
        ('country_code = "48"', "512345678", 4, "48512345678"),
        ('country_code = "55"', "11987654321", 2, "5511987654321"),
    ],
)
async def test_a_stop_is_the_phone_s_however_its_number_is_written(
    dialect: str, source: str, ton: int, phone: str
) -> None:
    async with speaking(dialect) as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"STOP", source=source, source_ton=ton))
        event = await gateway.event("optout", sender=phone)
        assert event["detail"]["source"] == "keyword"
        assert await gateway.opted_out(phone)
        [reply] = await carrier.submits(1)
        assert reply.dest == phone


@pytest.mark.parametrize(
    ("source", "ton"),
    [
        ("13012345678", 2),  # a phone in China; in Maryland, were it read as E.164
        ("07700900123", 2),
        ("7700900123", 2),
        ("2125550123", 0),  # ten digits of New York
        ("3237654321", 0),  # of Los Angeles; of a fixed line in Belgium, were it read as E.164
        ("91234567", 0),  # eight of Singapore
        ("612345678", 0),  # nine of Spain
        ("13912345678", 1),  # Chinese, and said to be international
        ("123456789012", 1),  # said to be international, and no number
        ("ACME-BANK", 5),
        ("10086", 3),
        ("", 0),
        ("4" * 20, 1),
    ],
)
async def test_a_source_whose_owner_cannot_be_known_is_told_and_nothing_else(
    source: str, ton: int
) -> None:
    async with speaking() as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"STOP", source=source, source_ton=ton))
        event = await gateway.event("optout_suspected")
        assert event["from"] == source
        assert event["detail"]["unknown_source"] is True
        assert gateway.counted("gateway_inbound_unknown_source_total") == {'{carrier="alpha"}': 1.0}
        assert [one["type"] for one in gateway.events] == ["inbound", "optout_suspected"]
        assert (await gateway.ask("optout", action="check", numbers=["+13012345678"]))["results"][
            0
        ]["opted_out"] is False
        await carrier.deliver(deliver_sm(b"STOP", source="447700900123"))
        [reply] = await carrier.submits(1)  # the only one
        assert reply.dest == "447700900123"


@pytest.mark.parametrize(
    ("dest", "dialect", "sender"),
    [
        ("1069000188", "", "1069000188"),
        ("8610690001", 'country_code = "86"', "10690001"),
        ("+861069000177", 'country_code = "86"', "1069000177"),
        ("008610690001", 'country_code = "86"', "10690001"),
        ("999", "", "999"),  # nobody's; only one tenant may be meant
        ("", "", "10690001"),
    ],
)
async def test_an_answer_comes_from_the_number_that_was_texted(
    dest: str, dialect: str, sender: str
) -> None:
    async with speaking(dialect) as (gateway, carrier):
        await carrier.deliver(deliver_sm(b"STOP", source="447700900123", dest=dest))
        await gateway.event("optout", sender="447700900123")
        [reply] = await carrier.submits(1)
        assert (reply.dest, reply.source) == ("447700900123", sender)
