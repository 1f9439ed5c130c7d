"""Long messages in the ways that carriers take them: what is quoted, sent, and told at the end."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
import trio

from gateway.dispatch.carriers.submission import Dialect
from gateway.dispatch.options import CarrierOptions, LongMessages
from gateway.dispatch.release.references import References
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.message import Message
from gateway.smpp import tlv
from gateway.smpp.pdu import SubmitSm, decode
from gateway.text.measuring import measure
from gateway.text.reading import Dialect as Reader
from gateway.text.reading import Part, join
from gateway.text.shifting import Language
from gateway.text.udh import parse_header, parse_user_data
from tests.dispatch.conftest import carrier_settings, receipt

NOW = 1_790_000_000.0

Make = Callable[..., Message]

CHINESE = "你好中文短信息"
TURKISH = "ışık"  # noqa: RUF001  its own letter


def made(
    message: Message, long_messages: LongMessages, references: References | None = None, **more: Any
) -> list[SubmitSm]:
    dialect = Dialect(CarrierOptions(id="alpha", long_messages=long_messages, **more))
    pdus = dialect.parts(message, references or References(0), 60.0, NOW)
    return [cast("SubmitSm", decode(pdu.numbered(1)).pdu) for pdu in pdus]


def form(pdu: SubmitSm) -> str:
    """How a PDU says that it is a part."""
    if pdu.esm_class & 0x40:
        assert not pdu.tlvs
        return f"header of {pdu.short_message[0] + 1}"
    if tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) is not None:
        assert len(pdu.tlvs) == 1
        assert not pdu.short_message
        return "payload"
    return "sar" if pdu.tlvs else "plain"


@pytest.mark.parametrize(
    ("long_messages", "size", "parts", "expected"),
    [
        # 8 bits where they save a part
        ("udh", 70, 1, "plain"),
        ("udh", 132, 2, "header of 7"),
        ("udh", 134, 2, "header of 6"),
        ("udh", 135, 3, "header of 7"),
        ("udh", 134, 3, "header of 7"),  # as it was quoted: the route has a carrier with less room
        ("udh8", 70, 1, "plain"),
        ("udh8", 132, 2, "header of 6"),
        ("udh8", 134, 2, "header of 6"),
        ("udh8", 134, 3, "header of 6"),
        ("udh16", 132, 2, "header of 7"),
        ("udh16", 134, 3, "header of 7"),
        ("sar", 70, 1, "plain"),
        ("sar", 132, 2, "sar"),
        ("sar", 134, 3, "sar"),
        ("payload", 70, 1, "plain"),
        ("payload", 134, 2, "payload"),
        ("payload", 700, 11, "payload"),
    ],
)
def test_the_parts_of_a_text(
    make_message: Make, long_messages: LongMessages, size: int, parts: int, expected: str
) -> None:
    text = (CHINESE * 100)[:size]
    pdus = made(make_message(text=text, encoding="ucs2", parts=parts), long_messages)
    assert len(pdus) == (1 if expected == "payload" else parts)
    assert {form(pdu) for pdu in pdus} == {expected}
    octets = b""
    for number, pdu in enumerate(pdus, 1):
        assert pdu.data_coding == 8
        if pdu.esm_class:
            data = parse_user_data(pdu.short_message)
            assert data.concat is not None
            assert data.concat[1:] == (parts, number)
            assert len(pdu.short_message) <= 140
            octets += data.payload
        else:
            octets += tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) or pdu.short_message
        if expected == "sar":
            assert tlv.SAR_TOTAL_SEGMENTS.get(pdu.tlvs) == parts
            assert tlv.SAR_SEGMENT_SEQNUM.get(pdu.tlvs) == number
            assert len(pdu.short_message) <= 140 - 7
    assert octets.decode("utf-16-be") == text
    if expected == "sar":
        assert len({tlv.SAR_MSG_REF_NUM.get(pdu.tlvs) for pdu in pdus}) == 1


@pytest.mark.parametrize("long_messages", ["udh", "udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize("alphabet", ["gsm7", "latin1"])
def test_every_alphabet_goes_in_every_way(
    make_message: Make, long_messages: LongMessages, alphabet: str
) -> None:
    text = "a@ü{" * 90  # 450 septets
    message = make_message(text=text, parts=measure(text).parts)
    pdus = made(message, long_messages, alphabet=alphabet)
    assert len(pdus) == (1 if long_messages == "payload" else 3)
    assert {pdu.data_coding for pdu in pdus} == {0 if alphabet == "gsm7" else 3}


def test_8_bit_references_to_a_phone_differ_while_they_are_open(make_message: Make) -> None:
    message = make_message(text="你" * 134, encoding="ucs2", parts=2)
    references, seen = References(0), set()
    for _ in range(256):
        first, second = made(message, "udh", references)
        assert first.short_message[3] == second.short_message[3]
        seen.add(first.short_message[3])
    assert len(seen) == 256
    # Then there is none left: 16 bits, and a part more.
    assert [form(pdu) for pdu in made(message, "udh", references)] == ["header of 7"] * 3
    # A carrier that takes nothing else gets the one that was used first.
    assert {form(pdu) for pdu in made(message, "udh8", references)} == {"header of 6"}


# --- what is quoted ---


@pytest.mark.parametrize(
    ("carriers", "size", "parts"),
    [
        (["udh"], 134, 2),
        (["udh8"], 134, 2),
        (["payload"], 134, 2),
        (["udh16"], 134, 3),
        (["sar"], 134, 3),
        (["udh", "udh16"], 134, 3),
        (["udh", "payload"], 134, 2),
        (["udh8", "sar"], 134, 3),
        (["udh", "udh16"], 132, 2),
    ],
)
async def test_what_is_quoted_is_sent_by_whichever_carrier(
    world: Any, carriers: list[LongMessages], size: int, parts: int
) -> None:
    names = [f"c{number}" for number, _ in enumerate(carriers)]
    await world.configure(
        carriers=[
            carrier_settings(name, long_messages=long, window=100)
            for name, long in zip(names, carriers, strict=True)
        ]
    )
    message = {"text": "你" * size}
    results = await world.submit(*[message] * 6)
    assert {result.parts for result in results} == {parts}
    sent = {
        name: len(world.made[f"{name}-1"].sent)
        for name, long in zip(names, carriers, strict=True)
        if long != "payload"
    }
    assert all(count and count % parts == 0 for count in sent.values()), sent
    await world.deliver()
    assert {event["parts"] for event in await world.events()} == {parts}
    await world.check_finished()


async def test_a_backup_counts_and_a_carrier_of_another_route_does_not(world: Any) -> None:
    def route(name: str, carrier: str, backup: list[str], tenant: str) -> RouteOptions:
        return RouteOptions(name, [CarrierShare(carrier)], Match(tenant=[tenant]), backup=backup)

    await world.configure(
        carriers=[carrier_settings("a"), carrier_settings("b", long_messages="sar")],
        routes=[route("one", "a", ["b"], "acme"), route("two", "a", [], "umbrella")],
    )
    [one] = await world.submit({"text": "你" * 134})
    [two] = await world.submit({"text": "你" * 134}, tenant="umbrella")
    assert (one.parts, two.parts) == (3, 2)


# --- national shift tables ---


@pytest.mark.parametrize(
    ("long_messages", "size", "header", "parts"),
    [
        ("udh", 120, "03250101", 1),
        ("udh", 298, "082501010003", 2),
        ("udh", 290, "092501010804", 2),
        ("udh8", 290, "082501010003", 2),
        ("udh16", 298, "092501010804", 3),
    ],
)
def test_the_headers_of_a_text_in_shift_tables(
    make_message: Make, long_messages: LongMessages, size: int, header: str, parts: int
) -> None:
    text = (TURKISH * 100)[:size]
    measured = measure(text, "auto", long_messages == "udh16", ["tr"])
    assert measured == ("gsm7", parts)
    message = make_message(text=text, encoding=measured.encoding, parts=parts)
    pdus = made(message, long_messages, shift_tables=("tr",))
    assert {pdu.short_message.hex()[: len(header)] for pdu in pdus} == {header}
    assert {(pdu.esm_class & 0x40, pdu.data_coding) for pdu in pdus} == {(0x40, 0)}
    headers = [parse_header(pdu.short_message) for pdu in pdus]
    if parts > 1:
        found = [one.concat and one.concat[1:] for one in headers]
        assert found == [(parts, number) for number in range(1, parts + 1)]
    read = [
        Part(pdu.short_message[one.size :], pdu.data_coding, one.shifts)
        for pdu, one in zip(pdus, headers, strict=True)
    ]
    assert join(read, Reader()).text == text


TABLES: Mapping[str, tuple[Language, ...]] = {"a": ("tr", "pt"), "b": ("tr",), "c": ()}


@pytest.mark.parametrize(
    ("carriers", "backup", "expected"),
    [
        ("a", "", ("gsm7", 1)),
        ("ab", "", ("gsm7", 1)),
        ("a", "b", ("gsm7", 1)),
        ("ac", "", ("ucs2", 3)),
        ("a", "c", ("ucs2", 3)),
        ("c", "", ("ucs2", 3)),
    ],
)
async def test_a_route_uses_the_tables_that_all_its_carriers_take(
    world: Any, carriers: str, backup: str, expected: tuple[str, int]
) -> None:
    shares = [CarrierShare(name) for name in carriers]
    await world.configure(
        carriers=[
            carrier_settings(name, shift_tables=tables, window=100)
            for name, tables in TABLES.items()
        ],
        routes=[RouteOptions("one", shares, backup=[*backup])],
    )
    message = {"text": TURKISH * 35}
    results = await world.submit(*[message] * 6)
    assert {(result.encoding, result.parts) for result in results} == {expected}
    sent = {name: len(world.made[f"{name}-1"].sent) for name in TABLES}
    assert sum(sent.values()) == 6 * expected[1], sent
    assert {name for name, count in sent.items() if count} == set(carriers)
    await world.deliver()
    await world.check_finished()


async def test_what_waits_goes_on_when_its_tables_are_taken_away(
    world: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[carrier_settings(shift_tables=("tr",))])
    [result] = await world.submit({"text": TURKISH * 35, "send_at": world.clock() + 60})
    assert (result.encoding, result.parts) == ("gsm7", 1)
    await world.configure(carriers=[carrier_settings()])
    await trio.sleep(61)
    assert [pdu.data_coding for pdu in world.bind.sent] == [8, 8, 8]


# --- receipts ---


@pytest.mark.parametrize("memory", ["remembers", "forgets"])
@pytest.mark.parametrize(("stat", "outcome"), [("DELIVRD", "delivered"), ("UNDELIV", "failed")])
async def test_one_receipt_ends_a_message_that_went_whole(
    world: Any, memory: str, stat: str, outcome: str
) -> None:
    await world.configure(carriers=[carrier_settings(long_messages="payload")])
    [result] = await world.submit({"text": "你" * 200})
    [pdu] = world.bind.sent
    assert tlv.MESSAGE_PAYLOAD.get(pdu.tlvs) is not None
    if memory == "forgets":
        [(_, ref)] = world.bind.reply()
        await world.calm()
        world.forget_parts()
        await world.bind.receipts(receipt(ref, stat, pdu.destination_addr))
        await world.calm()
    else:
        await world.deliver(stat)
    [event] = await world.events()
    assert (event["type"], event["parts"], result.parts) == (outcome, 3, 3)
    await world.check_finished()
