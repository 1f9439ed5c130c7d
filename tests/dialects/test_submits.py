"""What carriers are sent in their own dialects, over a real socket."""

import re
from typing import Any

import pytest

from tests.dialects.octets import UDHI, Submit, deliver_sm
from tests.dialects.speaking import speaking

CHINA = "8613912345678"
BRITAIN = "447700900123"

LONG_ACCOUNT = """
system_id = "shop-transactional-01"
password = "correct horse battery"
"""


async def sent(keys: str, to: str = BRITAIN, text: str = "hello", **fields: Any) -> list[Submit]:
    """What a carrier with these keys gets of a message, up to its last part."""
    async with speaking(keys) as (gateway, carrier):
        quoted = await gateway.quote(to, text, **fields)
        await gateway.submit(to, text, **fields)
        return list(await carrier.submits(quoted["parts"]))


@pytest.mark.parametrize(("written", "version"), [("0x33", 0x33), ("0x34", 0x34), ("0x50", 0x50)])
async def test_accounts_longer_than_the_book_and_other_versions(written: str, version: int) -> None:
    async with speaking(f"interface_version = {written}", account=LONG_ACCOUNT) as (_, carrier):
        bind = (await carrier.bound()).bind
        assert bind is not None
        assert (bind.system_id, bind.password, bind.interface_version) == (
            "shop-transactional-01",
            "correct horse battery",
            version,
        )


@pytest.mark.parametrize(
    ("keys", "form"),
    [
        ("", r"0000[0-9]{8}000R"),
        ('validity_period = "absolute"', r"[0-9]{12}000\+"),
        ('validity_period = "none"', r""),
        ("min_validity = 3600", r"000000010000000R"),
    ],
)
async def test_until_when_a_carrier_may_try(keys: str, form: str) -> None:
    [submit] = await sent(keys, category="otp")  # which is valid for ten minutes
    assert re.fullmatch(form, submit.validity)


@pytest.mark.parametrize(
    ("keys", "to", "dest"),
    [
        ("", CHINA, (1, 1, CHINA)),
        ('country_code = "86"\ndest_form = "national"', CHINA, (2, 1, "13912345678")),
        ('country_code = "86"\ndest_form = "national"', BRITAIN, (1, 1, BRITAIN)),
        (
            'country_code = "44"\ndest_form = "national"\ntrunk_prefix = "0"\ndest_npi = 0',
            BRITAIN,
            (2, 0, "07700900123"),
        ),
    ],
)
async def test_how_recipients_are_written(keys: str, to: str, dest: tuple[int, int, str]) -> None:
    [submit] = await sent(keys, to)
    assert (submit.dest_ton, submit.dest_npi, submit.dest) == dest


@pytest.mark.parametrize(
    ("keys", "sender", "source"),
    [
        ("", "10690001", (2, 1, "10690001")),
        ("", "Shop", (5, 0, "Shop")),
        ("source_ton = 0\nsource_npi = 0", "10690001", (0, 0, "10690001")),
        ("source_ton = { national = 6 }", "10690001", (6, 1, "10690001")),
        ("source_ton = { alphanumeric = 0 }", "Shop", (0, 0, "Shop")),
    ],
)
async def test_the_types_of_senders(keys: str, sender: str, source: tuple[int, int, str]) -> None:
    [submit] = await sent(keys, **{"from": sender})
    assert (submit.source_ton, submit.source_npi, submit.source) == source


async def test_receipts_and_texts_of_a_carrier_that_writes_nationally_find_their_phone() -> None:
    async with speaking('country_code = "86"\ndest_form = "national"') as (gateway, carrier):
        message = await gateway.submit(CHINA, "hello")
        await carrier.submits(1)
        await carrier.report(source_ton=2)
        assert (await gateway.outcome(message))["type"] == "delivered"
        await carrier.deliver(deliver_sm(b"TD", source="13912345678", source_ton=2))
        await gateway.event("optout", sender=CHINA)
        [_, reply] = await carrier.submits(2)
        assert (reply.dest_ton, reply.dest) == (2, "13912345678")


# --- long messages ---

NIHAO = "你好" * 67  # 134 characters
OCTETS = NIHAO.encode("utf-16-be")


async def test_134_chinese_characters_are_two_parts() -> None:
    first, second = await sent("", CHINA, NIHAO)
    reference = first.header[3]
    assert first.header == bytes((5, 0, 3, reference, 2, 1))
    assert second.header == bytes((5, 0, 3, reference, 2, 2))
    assert [len(part.text) for part in (first, second)] == [140, 140]
    assert first.payload + second.payload == OCTETS


async def test_two_open_messages_to_a_phone_never_share_a_reference() -> None:
    async with speaking() as (gateway, carrier):
        for number in range(3):
            await gateway.submit(CHINA, f"{number}{NIHAO[1:]}")
        parts = await carrier.submits(6)
        assert len({part.header[3] for part in parts}) == 3
        assert {len(part.header) for part in parts} == {6}


@pytest.mark.parametrize(
    ("keys", "text", "headers"),
    [
        ("", NIHAO[:132], ["06080400000201", "06080400000202"]),
        ("", NIHAO + "你", ["06080400000301", "06080400000302", "06080400000303"]),
        ("", "x" * 306, ["050003000201", "050003000202"]),
        ('long_messages = "udh8"', NIHAO[:132], ["050003000201", "050003000202"]),
        ('long_messages = "udh16"', "x" * 306, [f"0608040000030{n}" for n in (1, 2, 3)]),
    ],
)
async def test_headers(keys: str, text: str, headers: list[str]) -> None:
    parts = await sent(keys, CHINA, text)
    found = []
    for part in parts:
        size = 2 if part.header[1] else 1
        found.append(part.header[:3] + bytes(size) + part.header[3 + size :])
    assert [one.hex() for one in found] == headers
    assert {part.esm_class for part in parts} == {UDHI}


async def test_optional_parameters_join_the_parts() -> None:
    parts = await sent('long_messages = "sar"', CHINA, NIHAO)
    assert len(parts) == 3
    reference = dict(parts[0].tlvs)[0x020C]
    for number, part in enumerate(parts, 1):
        assert part.tlvs == ((0x020C, reference), (0x020E, b"\3"), (0x020F, bytes((number,))))
        assert (part.esm_class, part.header) == (0, b"")
    assert b"".join(part.text for part in parts) == OCTETS


@pytest.mark.parametrize("long_receipts", ["auto", "each", "one"])
async def test_a_long_text_goes_whole_and_one_receipt_ends_it(long_receipts: str) -> None:
    keys = f'long_messages = "payload"\nlong_receipts = "{long_receipts}"'
    async with speaking(keys) as (gateway, carrier):
        assert (await gateway.quote(CHINA, NIHAO))["parts"] == 2
        message = await gateway.submit(CHINA, NIHAO)
        [submit] = await carrier.submits(1)
        assert submit.tlvs == ((0x0424, OCTETS),)
        assert (submit.text, submit.esm_class, submit.coding) == (b"", 0, 8)
        await carrier.report()
        event = await gateway.outcome(message)
        assert (event["type"], event["parts"]) == ("delivered", 2)
        short = await gateway.submit(CHINA, "hello")
        [_, submit] = await carrier.submits(2)
        assert (submit.text, submit.tlvs) == (b"hello", ())
        await carrier.report()
        assert (await gateway.outcome(short))["type"] == "delivered"


# --- optional parameters ---

ENTITY, TEMPLATE = 0x1400, 0x1401
"""Of India's DLT: who sends, and which registered text."""

INDIA = "919876543210"


@pytest.mark.parametrize(
    ("text", "parts"), [("Your code is 1234", 1), ("Your code is 1234. " * 20, 3)]
)
async def test_the_ids_of_dlt_are_in_every_part(text: str, parts: int) -> None:
    tlvs = {"0x1400": "1101456700000012345", "0x1401": "1107160000000012345"}
    submits = await sent("", INDIA, text, tlvs=tlvs)
    assert len(submits) == parts
    for submit in submits:
        assert submit.tlvs == (
            (ENTITY, b"1101456700000012345\0"),
            (TEMPLATE, b"1107160000000012345\0"),
        )


async def test_a_message_comes_before_its_tenant_and_that_before_the_carrier() -> None:
    async with speaking(
        'tlvs = { 0x1400 = "carrier", 0x1402 = "carrier", 0x1403 = { hex = "01FF" } }',
        tenant='tlvs = { 0x1400 = "tenant", 0x1401 = "tenant" }',
    ) as (gateway, carrier):
        await gateway.submit(INDIA, "hello", tlvs={TEMPLATE: b"\0\1"})
        await gateway.submit(INDIA, "hello")
        own, other = await carrier.submits(2)
        rest = ((0x1402, b"carrier\0"), (0x1403, b"\1\xff"))
        assert own.tlvs == ((ENTITY, b"tenant\0"), (TEMPLATE, b"\0\1"), *rest)
        assert other.tlvs == ((ENTITY, b"tenant\0"), (TEMPLATE, b"tenant\0"), *rest)
        # Answers of the gateway's own are the tenant's messages too.
        await carrier.deliver(deliver_sm(b"STOP", source=INDIA))
        [*_, reply] = await carrier.submits(3)
        assert reply.tlvs == other.tlvs


async def test_they_stand_beside_those_of_long_texts() -> None:
    keys = 'long_messages = "{}"\ntlvs = {{ 0x1400 = "1" }}'
    [whole] = await sent_in_one(keys.format("payload"))
    assert whole.tlvs == ((0x0424, OCTETS), (ENTITY, b"1\0"))
    for number, part in enumerate(await sent(keys.format("sar"), CHINA, NIHAO), 1):
        assert part.tlvs[2:] == ((0x020F, bytes((number,))), (ENTITY, b"1\0"))


async def sent_in_one(keys: str) -> list[Submit]:
    async with speaking(keys) as (gateway, carrier):
        await gateway.submit(CHINA, NIHAO)
        return list(await carrier.submits(1))
