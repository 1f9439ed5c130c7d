"""What phones send us."""

from itertools import permutations
from typing import Any, cast

import msgspec
import pytest
import trio

from gateway.api.schema import Rejected
from gateway.dispatch import reassembly
from gateway.policy import chain
from gateway.policy.optout import OptoutOptions, OptoutRegion
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.smpp import tlv
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.times import parse as parse_time
from gateway.text.udh import Concat, concat_header

UDHI = 0x40


@pytest.fixture
def part(make_inbound: Any) -> Any:
    """Makes parts of a long message: one whose user data have a header, unless told otherwise."""

    def make(
        text: str, sequence: int, total: int, *, reference: int = 7, form: str = "16", **fields: Any
    ) -> DeliverSm:
        octets = text.encode()
        if form == "sar":
            tlvs = (
                tlv.SAR_MSG_REF_NUM.of(reference),
                tlv.SAR_TOTAL_SEGMENTS.of(total),
                tlv.SAR_SEGMENT_SEQNUM.of(sequence),
            )
            return cast("DeliverSm", make_inbound(octets, tlvs=tlvs, **fields))
        header = concat_header(Concat(reference, total, sequence))
        if form == "8":
            header = bytes([5, 0, 3, reference, total, sequence])
        return cast("DeliverSm", make_inbound(header + octets, esm_class=UDHI, **fields))

    return make


async def receive(world: Any, *pdus: DeliverSm | DataSm) -> list[dict[str, Any]]:
    """Every event after these were delivered."""
    await world.bind.receipts(*pdus)
    await world.calm()
    events: list[dict[str, Any]] = await world.events()
    return events


async def confirm(world: Any, **fields: Any) -> None:
    tenants = [
        msgspec.structs.replace(world.options.tenants[0], confirmation="You are out.", **fields),
        *world.options.tenants[1:],
    ]
    await world.configure(tenants=tenants)


async def test_it_is_told_to_the_owner_of_the_number(world: Any, make_inbound: Any) -> None:
    [event] = await receive(world, make_inbound("Hi, where is it?"))
    assert event["type"] == "inbound"
    assert (event["from"], event["to"]) == ("447400123456", "10690001")
    assert event["text"] == "Hi, where is it?"
    assert event["detail"] == {"carrier": "alpha"}
    assert world.bind.answered == [1]
    assert await world.events("umbrella") == []


async def test_one_to_a_number_of_nobody_s_is_answered_and_counted(
    world: Any, make_inbound: Any
) -> None:
    assert await receive(world, make_inbound("hi", number="999")) == []
    assert world.bind.answered == [1]
    rendered = world.metrics.snapshot().render().decode()
    assert 'gateway_inbound_unowned_total{carrier="alpha"} 1.0' in rendered


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"\x00", 0, "@"),
        ("你好".encode("utf-16-be"), 8, "你好"),
        (b"\xe9", 3, "é"),
    ],
)
async def test_its_alphabet_is_read(
    world: Any, make_inbound: Any, octets: bytes, coding: int, text: str
) -> None:
    [event] = await receive(world, make_inbound(octets, data_coding=coding))
    assert event["text"] == text


async def test_the_carrier_s_default_alphabet_is_the_carrier_s(
    world: Any, make_inbound: Any, make_settings: Any
) -> None:
    await world.configure(carriers=[make_settings(alphabet="latin1")])
    [event] = await receive(world, make_inbound(b"\xe9"))
    assert event["text"] == "é"


async def test_octets_that_are_no_text_are_told_as_they_are(world: Any, make_inbound: Any) -> None:
    [event] = await receive(world, make_inbound(b"\x01\xff", data_coding=4))
    assert (event["text"], event["detail"]["data"]) == ("", "01ff")


async def test_it_may_come_in_a_payload_parameter_and_as_data_sm(world: Any) -> None:
    pdu = DataSm(
        source_addr="+447400123456",
        destination_addr="+10690001",
        tlvs=(tlv.MESSAGE_PAYLOAD.of(b"long way"),),
    )
    [event] = await receive(world, pdu)
    assert (event["text"], event["from"], event["to"]) == ("long way", "447400123456", "10690001")


# --- long ones ---


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
@pytest.mark.parametrize("form", ["16", "8", "sar"])
async def test_parts_are_joined_whatever_their_order(
    world: Any, part: Any, order: tuple[int, ...], form: str
) -> None:
    texts = {1: "one ", 2: "two ", 3: "three"}
    pdus = [part(texts[n], n, 3, form=form) for n in order]
    assert await receive(world, *pdus[:2]) == []
    assert world.bind.answered == [1, 2]
    [event] = await receive(world, pdus[2])
    assert event["text"] == "one two three"
    assert event["detail"] == {"carrier": "alpha"}


async def test_a_character_that_was_cut_becomes_whole(world: Any, part: Any) -> None:
    octets = "😀".encode("utf-16-be")
    head, tail = (
        DeliverSm(
            source_addr="447400123456",
            destination_addr="10690001",
            esm_class=UDHI,
            data_coding=8,
            short_message=concat_header(Concat(1, 2, n)) + half,
        )
        for n, half in [(1, octets[:2]), (2, octets[2:])]
    )
    [event] = await receive(world, tail, head)
    assert event["text"] == "😀"


async def test_a_part_that_comes_twice_counts_once(world: Any, part: Any) -> None:
    assert await receive(world, part("a", 1, 2), part("a", 1, 2)) == []
    [event] = await receive(world, part("b", 2, 2))
    assert event["text"] == "ab"
    assert len(world.bind.answered) == 3


async def test_messages_with_other_marks_are_not_mixed(world: Any, part: Any) -> None:
    events = await receive(
        world,
        part("a", 1, 2),
        part("x", 1, 2, phone="447400999999"),
        part("m", 1, 2, reference=8),
        part("p", 1, 3),
    )
    assert events == []
    [event] = await receive(world, part("b", 2, 2))
    assert event["text"] == "ab"


async def test_an_incomplete_one_is_told_as_it_is_after_a_day(
    world: Any, part: Any, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    monkeypatch.setattr(reassembly, "INCOMPLETE_AFTER", 60.0)
    await receive(world, part("one ", 1, 3), part("three", 3, 3))
    await trio.sleep(50)
    assert await world.events() == []
    await trio.sleep(20)
    [event] = await world.events()
    assert event["text"] == "one three"
    assert event["detail"]["parts_missing"] == 1


async def test_incomplete_ones_are_bounded(
    world: Any, part: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reassembly, "MAX_INCOMPLETE", 3)
    events = await receive(world, *(part(f"{n}", 1, 2, reference=n) for n in range(1, 6)))
    assert [event["text"] for event in events] == ["1", "2"]


async def test_parts_outlive_the_process(open_world: Any, part: Any) -> None:
    async with open_world() as before:
        await receive(before, part("one ", 1, 2))
    async with open_world(before.store) as after:
        [event] = await receive(after, part("two", 2, 2))
        assert event["text"] == "one two"
        assert after.bind.answered == [1]


async def test_a_broken_header_costs_nothing_but_the_joining(world: Any, make_inbound: Any) -> None:
    [event] = await receive(world, make_inbound(b"\x63abc", esm_class=UDHI))
    assert event["type"] == "inbound"


# --- keywords ---


@pytest.mark.parametrize("text", ["STOP", " stop. ", "Arrêt", "退订"])
async def test_a_keyword_opts_out_at_once(world: Any, make_inbound: Any, text: str) -> None:
    pdu = make_inbound(text.encode("utf-16-be"), data_coding=8)
    told, out = await receive(world, pdu)
    assert (told["type"], told["text"]) == ("inbound", text)
    assert (out["type"], out["from"]) == ("optout", "447400123456")
    assert out["detail"] == {"action": "add", "source": "keyword"}
    [refused] = await world.submit("more")
    assert refused.error.code == "opted_out"
    assert await world.accepted("other tenant's", tenant="umbrella")


async def test_more_than_a_keyword_is_for_a_person_to_decide(world: Any, make_inbound: Any) -> None:
    told, suspected = await receive(world, make_inbound("stop by at six"))
    assert told["type"] == "inbound"
    assert suspected["type"] == "optout_suspected"
    assert suspected["text"] == "stop by at six"
    assert (suspected["from"], suspected["to"]) == ("447400123456", "10690001")
    assert await world.accepted("a")
    assert world.bind.texts == ["a"]


@pytest.mark.parametrize(
    ("phone", "out"),
    [
        ("8613912345678", True),
        ("447400123456", False),
        ("12125550123", False),
        ("88216123456", False),
    ],
)
async def test_single_letters_count_for_chinese_phones_alone(
    world: Any, make_inbound: Any, phone: str, out: bool
) -> None:
    for text in ("T", "N", "R"):
        events = await receive(world, make_inbound(text, phone=phone))
    assert [event["type"] for event in events].count("optout") == out
    [result] = await world.submit({"to": phone, "text": "more"})
    assert isinstance(result, Rejected) is out


async def test_the_name_of_the_tenant_may_be_with_the_keyword(
    world: Any, make_inbound: Any
) -> None:
    tenants = [msgspec.structs.replace(one, names=("Acme Shop",)) for one in world.options.tenants]
    await world.configure(tenants=tenants)
    events = await receive(world, make_inbound("stop acme"))
    assert [event["type"] for event in events] == ["inbound", "optout"]


async def test_keywords_of_a_region_are_configured(world: Any, make_inbound: Any) -> None:
    regions = {"GB": OptoutRegion(keywords=("nope",))}
    await world.configure(policy=chain.PolicyOptions(optout=OptoutOptions(regions=regions)))
    events = await receive(world, make_inbound("Nope!"))
    assert [event["type"] for event in events] == ["inbound", "optout"]
    events = await receive(world, make_inbound("Nope!", phone="4915112345678"))
    assert [event["type"] for event in events] == ["inbound", "optout", "inbound"]


async def test_an_opt_out_is_confirmed_once_whatever_the_hour(
    world: Any, make_inbound: Any
) -> None:
    await world.configure(
        policy=chain.PolicyOptions(
            quiet_hours=QuietHoursOptions(
                open="03:00-04:00", categories=frozenset({"otp", "transactional"})
            )
        ),
        policies={**world.options.policies, "acme": chain.TenantOptions(senders=("10690001",))},
    )
    await confirm(world)
    await receive(world, make_inbound("STOP"), make_inbound("STOP"))
    await receive(world, make_inbound("stop"))
    assert world.bind.texts == ["You are out."]
    [pdu] = world.bind.sent
    assert (pdu.destination_addr, pdu.source_addr) == ("447400123456", "10690001")
    assert parse_time(pdu.validity_period, 0.0) == pytest.approx(300, abs=2)
    await world.deliver()
    events = await world.events()
    assert [event["type"] for event in events] == [
        "inbound", "optout", "inbound", "inbound", "delivered",
    ]  # fmt: skip
    await world.check_finished()


async def test_no_confirmation_where_none_is_wanted(world: Any, make_inbound: Any) -> None:
    await receive(world, make_inbound("STOP"))
    assert world.bind.sent == []


async def test_start_takes_it_back(world: Any, make_inbound: Any) -> None:
    events = await receive(world, make_inbound("STOP"), make_inbound("START"))
    assert [event["detail"].get("action") for event in events] == [None, "add", None, "remove"]
    assert await world.accepted("a")


async def test_start_without_a_stop_changes_nothing(world: Any, make_inbound: Any) -> None:
    [event] = await receive(world, make_inbound("START"))
    assert event["type"] == "inbound"


async def test_help_is_answered_even_to_who_opted_out(world: Any, make_inbound: Any) -> None:
    await confirm(world, help="Acme, call 1234.")
    await receive(world, make_inbound("STOP"), make_inbound("help"))
    assert world.bind.texts == ["You are out.", "Acme, call 1234."]


async def test_an_opt_out_may_hold_for_everybody(world: Any, make_inbound: Any) -> None:
    await world.configure(policy=chain.PolicyOptions(optout=OptoutOptions(scope="global")))
    await receive(world, make_inbound("STOP"))
    for tenant in ("acme", "umbrella"):
        [refused] = await world.submit("a", tenant=tenant)
        assert refused.error.code == "opted_out"


async def test_a_store_that_fails_loses_no_opt_out(
    world: Any, make_inbound: Any, autojump_clock: object
) -> None:
    await confirm(world)
    world.store.failing = {"opted_out", "settle"}
    await world.bind.receipts(make_inbound("STOP"))
    await trio.sleep(5)
    assert world.bind.answered == []
    world.store.failing = set()
    await trio.sleep(3)
    assert world.bind.answered == [1]
    assert [event["type"] for event in await world.events()] == ["inbound", "optout"]
    assert world.bind.texts == ["You are out."]


@pytest.mark.parametrize(
    "source",
    ["", "ACME-BANK", "1" * 16, "4" * 20, "4" * 30, "49" * 32, "447400123456\xff", "+", "10086"],
)
@pytest.mark.parametrize("text", ["STOP", "HELP", "START", "退订"])
async def test_what_can_be_no_phone_is_never_answered(
    world: Any, make_inbound: Any, source: str, text: str
) -> None:
    await confirm(world, help="Acme, call 1234.")
    await receive(world, make_inbound(text.encode("utf-16-be"), phone=source, data_coding=8))
    assert world.bind.answered == [1]
    assert world.bind.sent == []
    assert await world.accepted("all is well")


async def test_a_text_to_what_can_be_no_sender_is_not_answered(
    world: Any, make_inbound: Any
) -> None:
    await confirm(world)
    tenants = [
        msgspec.structs.replace(one, numbers=frozenset({"1" * 30, "é"}))
        for one in world.options.tenants[:1]
    ]
    await world.configure(tenants=tenants)
    for number in ("1" * 30, "é"):
        await receive(world, make_inbound("STOP", number=number))
    assert world.bind.sent == []


@pytest.mark.parametrize(
    ("country_code", "written"),
    [("", "+447400123456"), ("", "00447400123456"), ("44", "07400123456"), ("44", "447400123456")],
)
async def test_a_phone_is_known_however_a_carrier_writes_it(
    world: Any, make_inbound: Any, make_settings: Any, country_code: str, written: str
) -> None:
    await world.configure(carriers=[make_settings(country_code=country_code)])
    events = await receive(world, make_inbound("STOP", phone=written))
    assert {event["from"] for event in events} == {"447400123456"}
    [result] = await world.submit({"to": "+447400123456", "text": "still there?"})
    assert result.error.code == "opted_out"
