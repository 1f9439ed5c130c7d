"""What phones send us."""

from itertools import permutations
from typing import Any, cast

import msgspec
import pytest
import trio

from gateway.api.schema import Rejected
from gateway.dispatch.inbound import reassembly, replies
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.policy import chain
from gateway.policy.optout import OptoutOptions, OptoutRegion
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.queue.store import GLOBAL, OptoutChange, OptoutSource
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


@pytest.mark.parametrize("number", ["999", "", "ACME"])
async def test_one_to_a_number_of_nobody_s_is_answered_and_counted(
    world: Any, make_inbound: Any, number: str
) -> None:
    assert await receive(world, make_inbound("hi", number=number)) == []
    assert world.bind.answered == [1]
    assert 'gateway_inbound_unowned_total{carrier="alpha"} 1.0' in rendered(world)


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


async def test_an_incomplete_one_is_read_as_its_carrier_writes(
    world: Any,
    part: Any,
    make_settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: object,
) -> None:
    monkeypatch.setattr(reassembly, "INCOMPLETE_AFTER", 60.0)
    await world.configure(carriers=[make_settings(country_code="86")])
    await receive(world, part("a", 1, 2, number="8610690001"))
    await trio.sleep(90)
    [event] = await world.events()
    assert (event["to"], event["text"]) == ("10690001", "a")
    assert "unowned" not in event["detail"]


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
    assert (out["detail"]["action"], out["detail"]["source"]) == ("add", "keyword")
    assert out["text"] == text
    assert out["detail"]["inbound_id"] == told["detail"]["inbound_id"]
    [refused] = await world.submit("more")
    assert refused.error.code == "opted_out"
    assert await world.accepted("other tenant's", tenant="umbrella")


# --- a text in both places ---


@pytest.mark.parametrize(
    ("short", "payload", "texts"),
    [
        ("hello you", "STOP", ["hello you", "STOP"]),
        ("STOP", "hello you", ["STOP", "hello you"]),
        ("STOP", "STOP", ["STOP"]),
        (
            "STOP. I have",
            "STOP. I have had enough",
            ["STOP. I have had enough"],
        ),
        ("STOP please", "STOP", ["STOP please"]),
    ],
)
async def test_a_text_in_short_message_and_another_in_the_payload(
    world: Any, make_inbound: Any, short: str, payload: str, texts: list[str]
) -> None:
    pdu = make_inbound(short, tlvs=(tlv.MESSAGE_PAYLOAD.of(payload.encode()),))
    events = await receive(world, pdu)
    assert [event["text"] for event in events if event["type"] == "inbound"] == texts
    assert world.bind.answered == [1]
    [checked] = await world.service.optout("acme", "check", ["447400123456"], "api")
    assert checked.opted_out


# --- a stop whose other parts are not there ---


async def test_a_first_part_that_is_a_stop_is_heeded_at_once(world: Any, part: Any) -> None:
    await confirm(world)
    [event] = await receive(world, part("STOP. I have told you so ", 1, 2))
    assert (event["type"], event["detail"]["action"]) == ("optout", "add")
    assert event["detail"]["parts_missing"] == 1
    [refused] = await world.submit({"to": "447400123456"})
    assert isinstance(refused, Rejected)
    assert refused.error.code == "opted_out"
    assert "You are out." in world.bind.texts
    # The rest is told with it, and opts out no second time.
    [whole] = (await receive(world, part("many times.", 2, 2)))[1:]
    assert (whole["type"], whole["text"]) == ("inbound", "STOP. I have told you so many times.")
    assert world.bind.texts.count("You are out.") == 1


@pytest.mark.parametrize("rest", ["comes", "is lost"])
async def test_what_was_heeded_is_not_heeded_again_after_a_start(
    world: Any,
    part: Any,
    make_inbound: Any,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: object,
    rest: str,
) -> None:
    monkeypatch.setattr(reassembly, "INCOMPLETE_AFTER", 60.0)
    await receive(world, part("STOP. I have told you so ", 1, 2), make_inbound("START"))
    if rest == "comes":
        await receive(world, part("many times.", 2, 2))
    await trio.sleep(90)
    await receive(world, part("STOP. I have told you so ", 1, 2, reference=7))
    kinds = [(e["type"], e.get("detail", {}).get("action")) for e in await world.events()]
    assert kinds[:3] == [("optout", "add"), ("inbound", None), ("optout", "remove")]
    assert [kind for kind in kinds[3:] if kind[0] == "optout"] == []


async def test_a_first_part_that_is_heeded_outlives_the_process(
    open_world: Any, part: Any, make_inbound: Any
) -> None:
    async with open_world() as world:
        await receive(world, part("STOP. I have told you so ", 1, 2), make_inbound("START"))
    async with open_world(world.store) as after:
        events = await receive(after, part("many times.", 2, 2))
        assert [e["type"] for e in events] == ["optout", "inbound", "optout", "inbound"]


@pytest.mark.parametrize(
    ("first", "last"), [("We could stop at the ", "shop at six"), ("STOP ", "by at six, please")]
)
async def test_a_first_part_that_arrives_last_is_read_with_the_others(
    world: Any, part: Any, first: str, last: str
) -> None:
    events = await receive(world, part(last, 2, 2), part(first, 1, 2))
    assert [e["type"] for e in events] == ["inbound", "optout_suspected"]


# --- octets that are one thing by the book, and another not ---


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("瑤", "TW", "optout_suspected"),  # b"td"
        ("瑤", "HK", "optout_suspected"),
        ("瑤", "CN", "optout"),  # written 瑶 there, and td is what notices ask for
        ("一", "CN", "optout_suspected"),  # N with its octets swapped
        ("一", "GB", None),
        ("好", "CN", None),
        ("T", "CN", "optout"),
        ("TD", "CN", "optout"),
        ("退订", "CN", "optout"),
        ("協佐", "CN", "optout"),  # b"STOP", and nobody writes this
    ],
)
async def test_one_character_that_people_write_is_no_stop_in_another_alphabet(
    world: Any, make_inbound: Any, text: str, region: str, expected: str | None
) -> None:
    phones = {"CN": "8613912345678", "GB": "447400123456", "HK": "85251234567"}
    source = phones.get(region, "886912345678")
    events = await receive(
        world, make_inbound(text.encode("utf-16-be"), data_coding=8, phone=source)
    )
    assert [event["type"] for event in events] == ["inbound", *filter(None, [expected])]


async def test_a_carrier_that_writes_ascii_so_is_known_by_its_other_texts(
    world: Any, make_inbound: Any
) -> None:
    await receive(world, make_inbound(b"Hello there", data_coding=8))
    events = await receive(world, make_inbound(b"td", data_coding=8, phone="886912345678"))
    assert [event["type"] for event in events] == ["inbound", "inbound", "optout"]


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


@pytest.mark.parametrize("text", ["T", "R", "DUR", "HUY", "fin"])
async def test_what_is_a_stop_somewhere_is_suspected_of_nobody_knows_which_phone(
    world: Any, make_inbound: Any, text: str
) -> None:
    pdu = msgspec.structs.replace(make_inbound(text, phone="13012345678"), source_addr_ton=2)
    told, suspected = await receive(world, pdu)
    assert (told["type"], suspected["type"]) == ("inbound", "optout_suspected")
    assert suspected["from"] == "13012345678"
    # A service's short number, or a name, is no phone abroad.
    last = (await receive(world, make_inbound(text, phone="10086")))[-1]
    assert (last["type"], last["from"]) == ("inbound", "10086")


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
    world: Any, make_inbound: Any, autojump_clock: object
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
    assert events[4]["detail"]["reply"] == "optout"
    assert "key" not in events[4]
    await world.check_finished()


async def test_no_confirmation_where_none_is_wanted(world: Any, make_inbound: Any) -> None:
    await receive(world, make_inbound("STOP"))
    assert world.bind.sent == []


async def test_start_takes_it_back_and_is_answered(world: Any, make_inbound: Any) -> None:
    await confirm(world, welcome="Welcome back.")
    events = await receive(world, make_inbound("STOP"), make_inbound("START"))
    assert [event["detail"].get("action") for event in events] == [None, "add", None, "remove"]
    assert world.bind.texts == ["You are out.", "Welcome back."]
    assert await world.accepted("a")


async def test_start_without_a_stop_changes_nothing(world: Any, make_inbound: Any) -> None:
    await confirm(world, welcome="Welcome back.", still_out="Still out.")
    [event] = await receive(world, make_inbound("START"))
    assert event["type"] == "inbound"
    assert world.bind.texts == []


async def test_help_is_answered_even_to_who_opted_out(world: Any, make_inbound: Any) -> None:
    await confirm(world, help="Acme, call 1234.")
    await receive(world, make_inbound("STOP"), make_inbound("help"))
    assert world.bind.texts == ["You are out.", "Acme, call 1234."]


async def test_a_stop_right_behind_a_start_is_not_lost(
    world: Any, make_inbound: Any, autojump_clock: object
) -> None:
    await receive(world, make_inbound("STOP"))
    world.store.failing = {"settle"}
    await world.bind.receipts(make_inbound("START"))
    await trio.sleep(2)
    await world.bind.receipts(make_inbound("STOP"))
    await trio.sleep(2)
    world.store.failing = set()
    await trio.sleep(5)
    events = await world.events()
    assert [event["detail"].get("action") for event in events] == [
        None, "add", None, "remove", None, "add",
    ]  # fmt: skip
    assert await refused(world)


# --- whose opt-out it is, and who may lift it ---


async def scoped(world: Any, scope: str) -> None:
    options = OptoutOptions(scope="global" if scope == "global" else "tenant")
    await world.configure(policy=chain.PolicyOptions(optout=options))


async def refused(world: Any, tenant: str = "acme", phone: str = "447400123456") -> bool:
    [result] = await world.submit({"to": phone, "text": "a"}, tenant=tenant)
    return isinstance(result, Rejected)


async def add(world: Any, source: OptoutSource, scope: str = "acme") -> None:
    await world.store.optout([OptoutChange(scope, "447400123456", True, source, 1.0)])


async def test_an_opt_out_may_hold_for_everybody(world: Any, make_inbound: Any) -> None:
    await scoped(world, "global")
    await receive(world, make_inbound("STOP"))
    assert await refused(world, "acme")
    assert await refused(world, "umbrella")


@pytest.mark.parametrize("source", ["keyword", "api", "complaint"])
async def test_the_entry_for_everybody_is_written_whatever_the_tenant_has(
    world: Any, make_inbound: Any, source: OptoutSource
) -> None:
    await add(world, source)
    await scoped(world, "global")
    events = await receive(world, make_inbound("STOP"))
    assert [event["type"] for event in events] == ["inbound", "optout"]
    assert await refused(world, "umbrella")


async def test_start_lifts_the_entry_for_everybody_as_stop_wrote_it(
    world: Any, make_inbound: Any
) -> None:
    await scoped(world, "global")
    await receive(world, make_inbound("STOP"), make_inbound("START"))
    assert not await refused(world, "acme")
    assert not await refused(world, "umbrella")


@pytest.mark.parametrize("source", ["api", "import", "complaint"])
async def test_start_lifts_what_a_keyword_did_and_says_what_holds(
    world: Any, make_inbound: Any, source: OptoutSource
) -> None:
    await confirm(world, welcome="Welcome back.", still_out="Still out.")
    await add(world, source)
    events = await receive(world, make_inbound("STOP"), make_inbound("START"))
    assert [event["type"] for event in events] == ["inbound", "optout", "inbound", "optout"]
    assert events[3]["detail"]["action"] == "remove"
    assert events[3]["detail"]["opted_out"] is True
    assert events[3]["detail"]["held_by"] == [source]
    assert world.bind.texts == ["You are out.", "Still out."]
    assert await refused(world)


async def test_start_to_one_lifts_nothing_for_everybody_unless_stops_do(
    world: Any, make_inbound: Any
) -> None:
    await confirm(world, welcome="Welcome back.", still_out="Still out.")
    await add(world, "keyword", GLOBAL)
    await receive(world, make_inbound("START"))
    assert world.bind.texts == ["Still out."]
    assert await refused(world)


async def test_an_opt_out_knows_its_text_time_and_message(world: Any, make_inbound: Any) -> None:
    told, _ = await receive(world, make_inbound("Stop, please!"))
    [entry] = (await world.store.optout_entries("acme", ["447400123456"]))["447400123456"]
    assert (entry.source, entry.text) == ("keyword", "Stop, please!")
    assert entry.message == told["detail"]["inbound_id"]
    assert entry.at == pytest.approx(told["at"])


# --- whose number it is ---


@pytest.mark.parametrize(
    ("country_code", "phone", "written", "number"),
    [
        ("", "447400123456", "10690001", "10690001"),
        ("", "447400123456", "+10690001", "10690001"),
        ("", "447400123456", "1069000188", "1069000188"),  # digits of the carrier's behind it
        ("", "447400123456", "10690001000000001234", "10690001000000001234"),
        ("86", "8613912345678", "8610690001", "10690001"),
        ("86", "8613912345678", "+861069000188", "1069000188"),
        ("86", "8613912345678", "00861069000188", "1069000188"),
        ("", "8613912345678", "861069000188", "1069000188"),  # the phone's own country
        ("", "8613912345678", "0010690001", "10690001"),
        ("86", "8613912345678", "010690001", "10690001"),
    ],
)
async def test_a_number_is_its_owner_s_however_a_carrier_writes_it(
    world: Any, make_inbound: Any, make_settings: Any,
    country_code: str, phone: str, written: str, number: str,
) -> None:  # fmt: skip
    await confirm(world)
    await world.configure(carriers=[make_settings(country_code=country_code)])
    told, out = await receive(world, make_inbound("STOP", phone=phone, number=written))
    assert (told["to"], out["to"], out["from"]) == (number, number, phone)
    assert "unowned" not in told["detail"]
    assert await world.events("umbrella") == []
    [pdu] = world.bind.sent
    assert pdu.source_addr == number


async def test_the_longest_number_that_fits_has_the_text(world: Any, make_inbound: Any) -> None:
    numbers = {"acme": {"106900", "44"}, "umbrella": {"10690001", "1069"}}
    tenants = [
        msgspec.structs.replace(one, numbers=frozenset(numbers[one.id]))
        for one in world.options.tenants
    ]
    await world.configure(tenants=tenants)
    for number in ("1069000123", "10690099", "10691"):
        await world.bind.receipts(make_inbound("hi", number=number))
    await world.calm()
    assert [event["to"] for event in await world.events("umbrella")] == ["1069000123", "10691"]
    assert [event["to"] for event in await world.events("acme")] == ["10690099"]


@pytest.mark.parametrize("number", ["999", "", "NOBODY"])
async def test_a_stop_to_nobody_s_number_is_who_texted_last_s(
    world: Any, make_inbound: Any, number: str
) -> None:
    await confirm(world)
    await world.accepted({"text": "one"}, tenant="umbrella")
    await world.accepted({"text": "two"}, tenant="acme")
    told, out = await receive(world, make_inbound("STOP", number=number))
    assert (told["type"], out["type"]) == ("inbound", "optout")
    assert told["detail"]["unowned"] is True
    assert await world.events("umbrella") == []
    assert await refused(world, "acme")
    assert not await refused(world, "umbrella")
    assert 'gateway_inbound_unowned_total{carrier="alpha"} 1.0' in rendered(world)


async def test_an_answer_to_an_empty_number_comes_from_the_tenant_s_sender(
    world: Any, make_inbound: Any
) -> None:
    await confirm(world)
    await world.accepted({"text": "one"})
    await receive(world, make_inbound("STOP", number=""))
    assert world.bind.sent[-1].source_addr == "10690001"


@pytest.mark.parametrize("number", ["999", "", "NOBODY"])
async def test_a_stop_that_may_be_to_anybody_holds_for_all_who_use_the_carrier(
    world: Any, make_inbound: Any, number: str
) -> None:
    await confirm(world)
    [event] = await receive(world, make_inbound("STOP", number=number))
    assert (event["type"], event["detail"]["unowned"]) == ("optout", True)
    assert [one["type"] for one in await world.events("umbrella")] == ["optout"]
    assert await refused(world, "acme")
    assert await refused(world, "umbrella")
    assert world.bind.sent == []  # whose answer would it be?


async def test_where_it_holds_for_everybody_each_of_them_is_told(
    world: Any, make_inbound: Any
) -> None:
    await scoped(world, "global")
    for _ in range(2):
        [event] = await receive(world, make_inbound("STOP", number="999"))
        assert event["type"] == "optout"
        assert [one["type"] for one in await world.events("umbrella")] == ["optout"]
    entries = (await world.store.optout_entries("acme", ["447400123456"]))["447400123456"]
    assert [(one.scope, one.source) for one in entries] == [(GLOBAL, "keyword")]


async def test_only_tenants_that_a_route_lets_use_the_carrier_are_meant(
    world: Any, make_inbound: Any, make_settings: Any
) -> None:
    await world.configure(
        carriers=[make_settings("alpha"), make_settings("beta")],
        routes=[
            RouteOptions("a", [CarrierShare("beta")], Match(tenant=["umbrella"]), ["alpha"]),
            RouteOptions("b", [CarrierShare("beta")]),
        ],
    )
    await receive(world, make_inbound("STOP", number="999"))
    assert await refused(world, "umbrella")
    assert not await refused(world, "acme")
    # The only one who may have texted there is told the text too.
    assert [event["type"] for event in await world.events("umbrella")] == ["inbound", "optout"]
    await world.made["beta-1"].receipts(make_inbound("STOP", number="999"))
    await world.calm()
    assert await refused(world, "acme")


async def test_who_texted_last_is_told_though_the_carrier_is_others_by_now(
    world: Any, make_inbound: Any, make_settings: Any
) -> None:
    await world.accepted({"text": "one"}, tenant="umbrella")
    await world.configure(
        carriers=[make_settings("alpha"), make_settings("beta")],
        routes=[
            RouteOptions("a", [CarrierShare("alpha")], Match(tenant=["acme"])),
            RouteOptions("b", [CarrierShare("beta")]),
        ],
    )
    await receive(world, make_inbound("STOP", number="999"))
    assert await refused(world, "umbrella")
    assert not await refused(world, "acme")


@pytest.mark.parametrize(
    ("phone", "text"),
    [("447400123456", "stop by at six"), ("ACME", "STOP"), ("10086", "unsubscribe me")],
)
async def test_what_may_be_a_stop_to_anybody_is_told_to_all_who_use_the_carrier(
    world: Any, make_inbound: Any, phone: str, text: str
) -> None:
    [event] = await receive(world, make_inbound(text, phone=phone, number="999"))
    assert (event["type"], event["from"], event["text"]) == ("optout_suspected", phone, text)
    assert event["detail"]["unowned"] is True
    assert [one["type"] for one in await world.events("umbrella")] == ["optout_suspected"]
    assert not await refused(world, "acme")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("5215512345678", "525512345678"),
        ("525512345678", "525512345678"),
        ("5491123456789", "541123456789"),
        ("551187654321", "5511987654321"),
    ],
)
async def test_an_opt_out_is_of_the_phone_whichever_of_its_numbers_it_has(
    world: Any, make_inbound: Any, written: str, number: str
) -> None:
    await confirm(world)
    told, out = await receive(world, make_inbound("STOP", phone=written))
    assert (told["from"], out["from"]) == (written, written)
    [entry] = (await world.store.optout_entries("acme", [number]))[number]
    assert (entry.source, entry.number) == ("keyword", number)
    assert world.bind.sent[0].destination_addr == written  # as it can be reached
    await receive(world, make_inbound("STOP", phone=number))
    assert len(world.bind.sent) == 1
    await receive(world, make_inbound("START", phone=number))
    assert await world.store.optout_entries("acme", [number]) == {}


async def test_who_texted_last_is_known_after_a_restart(open_world: Any, make_inbound: Any) -> None:
    async with open_world() as before:
        await before.accepted({"text": "one"}, tenant="umbrella")
        before.bind.reply()
    async with open_world(before.store) as after:
        await after.bind.receipts(make_inbound("STOP", number="999"))
        await after.calm()
        assert await refused(after, "umbrella")
        assert not await refused(after, "acme")


async def test_who_texted_last_is_on_record_each_minute(
    open_world: Any, make_inbound: Any, autojump_clock: object
) -> None:
    async with open_world() as before:
        await before.accepted({"text": "one"}, tenant="umbrella")
        await trio.sleep(61)
        kept = await before.store.recall("texted")
    assert kept is not None
    assert b"447400123456" in kept


# --- sources that are no phone ---


@pytest.mark.parametrize("source", ["ACME-BANK", "10086", "", "4" * 30, "+"])
async def test_a_source_that_can_be_no_phone_is_told_as_it_came(
    world: Any, make_inbound: Any, source: str
) -> None:
    told, suspected = await receive(world, make_inbound("STOP", phone=source))
    assert (told["type"], suspected["type"]) == ("inbound", "optout_suspected")
    assert told["from"] == source
    assert told["detail"]["unknown_source"] is True
    assert world.bind.sent == []
    assert 'gateway_inbound_unknown_source_total{carrier="alpha"} 1.0' in rendered(world)
    assert await world.store.optout_list("acme", "", 10) == []


def rendered(world: Any) -> str:
    text: str = world.metrics.snapshot().render().decode()
    return text


# --- answers ---


async def test_answers_go_by_the_carrier_that_the_text_came_by(
    world: Any, make_inbound: Any, make_settings: Any
) -> None:
    await confirm(world)
    await world.configure(
        carriers=[make_settings("alpha"), make_settings("beta")],
        routes=[RouteOptions("all", [CarrierShare("alpha")])],
    )
    await world.made["beta-1"].receipts(make_inbound("STOP", number="1069000177"))
    await world.calm()
    assert world.made["alpha-1"].sent == []
    [pdu] = world.made["beta-1"].sent
    assert pdu.source_addr == "1069000177"
    await world.deliver()
    await world.check_finished()


async def test_an_answer_of_a_carrier_that_is_gone_goes_by_no_other(
    world: Any, make_inbound: Any, make_settings: Any
) -> None:
    await confirm(world)
    await world.configure(carriers=[make_settings("alpha"), make_settings("beta")])
    world.made["beta-1"].lose()
    await world.made["beta-1"].receipts(make_inbound("STOP"))
    await world.calm()
    await world.configure(carriers=[make_settings("alpha")])
    assert world.made["alpha-1"].sent == []
    assert [event["type"] for event in await world.events()] == ["inbound", "optout", "failed"]
    await world.check_finished()


async def test_a_phone_is_answered_once_a_day_by_kind(
    open_world: Any, make_inbound: Any, autojump_clock: object
) -> None:
    async with open_world() as world:
        await confirm(world, help="Acme, call 1234.", welcome="Welcome back.")
        for text in ["HELP"] * 20 + ["STOP", "START", "STOP", "START"]:
            await world.bind.receipts(make_inbound(text))
            await world.calm()
        assert world.bind.texts == ["Acme, call 1234.", "You are out.", "Welcome back."]
        await receive(world, make_inbound("HELP", phone="447400999999"))
        assert len(world.bind.texts) == 4
        await world.deliver()
    async with open_world(world.store) as after:
        await confirm(after, help="Acme, call 1234.")
        await receive(after, make_inbound("HELP"))
        assert after.bind.texts == []
    world.store.beginning += 86_400
    async with open_world(world.store) as later:
        await confirm(later, help="Acme, call 1234.")
        await receive(later, make_inbound("HELP"), make_inbound("HELP"))
        assert later.bind.texts == ["Acme, call 1234."]
        spared = 'gateway_replies_total{kind="help",result="spared",tenant="acme"}'
        assert f"{spared} 1.0" in rendered(later)


async def test_answers_that_are_remembered_are_bounded(
    world: Any, make_inbound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "REMEMBERED", 2)
    await confirm(world)
    for number in range(4):
        await receive(world, make_inbound("STOP", phone=f"44740012345{number}"))
    held = (await world.store.open()).held
    assert len([one for one in held if one.kind == "reply"]) == 2


async def test_answers_are_in_the_language_of_the_phone(world: Any, make_inbound: Any) -> None:
    tenants = [
        msgspec.structs.replace(one, names=("Acme",), confirmation=None, welcome=None)
        for one in world.options.tenants
    ]
    await world.configure(tenants=tenants)
    phones = {"447400123456": "STOP", "8613912345678": "T", "33612345678": "STOP",
              "32470123456": "AFMELDEN"}  # fmt: skip
    for phone, text in phones.items():
        await receive(world, make_inbound(text, phone=phone))
    texts = [
        pdu.short_message.decode("utf-16-be" if pdu.data_coding == 8 else "ascii", "replace")
        for pdu in world.bind.sent
    ]
    assert texts[0] == "Acme: you have opted out and will get no more messages."
    assert texts[1].startswith("【Acme】您已退订")
    assert texts[2].startswith("Acme : vous ")
    assert texts[3].startswith("Acme: u bent afgemeld")


async def test_a_store_that_fails_loses_no_opt_out(
    world: Any, make_inbound: Any, autojump_clock: object
) -> None:
    await confirm(world)
    world.store.failing = {"optout_entries", "settle"}
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
