"""Receipts that do not simply name a part in memory: what becomes of messages, and of texts."""

from collections.abc import Sequence
from typing import Any

import pytest
import structlog
import trio

from gateway.dispatch.settling import unmatched
from gateway.smpp import tlv

PHONE, OTHER, THIRD = "447400000001", "447500000002", "447600000003"
SENDER = "10690001"
STRANGER = "8613812345678"
LONG = "x" * 400  # three parts


async def sent(world: Any, ids: Sequence[str], *phones: str) -> list[str]:
    """Messages to phones, taken by the carrier under these ids; returns our own ids of them."""
    accepted: list[str] = await world.accepted(*({"to": phone} for phone in phones))
    world.bind.reply(ids=ids)
    await world.calm()
    return accepted


async def deliver(world: Any, *receipts: Any) -> None:
    await world.bind.receipts(*receipts)
    await world.calm()


PLACES = ("in memory", "in the store", "before the response")
"""Where the part of a receipt may be when that comes."""


async def answer(world: Any, ref: str, receipt: Any, place: str) -> None:
    """Have the carrier answer under an id, and the receipt come when its part is there."""
    if place == "before the response":
        await deliver(world, receipt)
        assert await world.outcomes() == {}
    world.bind.reply(ids=[ref])
    await world.calm()
    if place == "in the store":
        world.forget_parts()
    if place != "before the response":
        await deliver(world, receipt)


def metric(world: Any, name: str, **labels: str) -> float:
    rendered = world.metrics.snapshot().render().decode()
    series = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    wanted = f"gateway_{name}{{{series}}} "
    return sum(float(line.split()[-1]) for line in rendered.splitlines() if line.startswith(wanted))


# --- ids that a carrier uses again ---


@pytest.mark.parametrize("again", [PHONE, OTHER], ids=["the same phone", "another"])
@pytest.mark.parametrize("first", ["ended", "waits"])
@pytest.mark.parametrize("stated", ["auto", "same"])
async def test_an_early_receipt_under_an_id_that_was_there_before(
    world: Any, make_receipt: Any, make_settings: Any, stated: str, first: str, again: str
) -> None:
    await world.configure(carriers=[make_settings(receipt_id=stated)])
    for number in range(3):  # the form is learnt
        await sent(world, [f"100000000{number}"], THIRD)
        await deliver(world, make_receipt(f"100000000{number}", phone=THIRD))
    [old] = await sent(world, ["1000000007"], PHONE)
    if first == "ended":
        await deliver(world, make_receipt("1000000007", phone=PHONE))
    elif again == PHONE:
        return  # nobody can tell whose receipt that is
    # The carrier starts anew, and its receipt is here before its response.
    [new] = await world.accepted({"to": again})
    await deliver(world, make_receipt("1000000007", phone=again, stat="UNDELIV"))
    assert (await world.outcomes()).get(old) == ("delivered" if first == "ended" else None)
    world.bind.reply(ids=["1000000007"])
    await world.calm()
    outcomes = await world.outcomes()
    assert outcomes[new] == "failed"
    assert outcomes.get(old) == ("delivered" if first == "ended" else None)


async def test_a_receipt_that_comes_again_while_others_are_unanswered(
    world: Any, make_receipt: Any, autojump_clock: Any
) -> None:
    [old] = await sent(world, ["1000000007"], PHONE)
    await deliver(world, make_receipt("1000000007", phone=PHONE))
    [new] = await world.accepted({"to": PHONE})
    await deliver(world, make_receipt("1000000007", phone=PHONE))
    world.bind.reply(ids=["1000000008"])
    await trio.sleep(30)
    assert await world.outcomes() == {old: "delivered"}
    assert world.parked() == {"alpha": 0}
    await deliver(world, make_receipt("1000000008", phone=PHONE))
    assert (await world.outcomes())[new] == "delivered"


# --- D1: addresses ---

ADDRESSES = [
    ("as the book has it", PHONE, SENDER),
    ("with a plus", "+" + PHONE, SENDER),
    ("dialled", "00" + PHONE, SENDER),
    ("national", "07400000001", SENDER),
    ("national, bare", "7400000001", SENDER),
    ("a subscriber's", "400000001", SENDER),
    ("spaced", "+44 7400 000001", SENDER),
    ("behind a prefix", "77" + PHONE, SENDER),
    ("masked in the middle", "44740****001", SENDER),
    ("masked at the end", "4474000000**", SENDER),
    ("masked by letters", "447400XXXX01", SENDER),
    ("masked whole", "************", SENDER),
    ("not swapped", SENDER, PHONE),
    ("not swapped, national", SENDER, "07400000001"),
    ("ours on both sides", SENDER, SENDER),
    ("ours, longer", SENDER + "88", SENDER),
    ("empty source", "", SENDER),
    ("both empty", "", ""),
    ("a name", "Carrier", SENDER),
    ("a short code", "12345", SENDER),
]


@pytest.mark.parametrize("place", ["in memory", "in the store"])
@pytest.mark.parametrize(("ref", "written"), [("1A", "26"), ("a7-xz", "A7-XZ"), ("0026", "26")])
@pytest.mark.parametrize(
    ("source", "destination"), [case[1:] for case in ADDRESSES], ids=[case[0] for case in ADDRESSES]
)
async def test_the_only_part_that_fits_is_meant_whatever_the_addresses(
    world: Any, make_receipt: Any, source: str, destination: str, ref: str, written: str, place: str
) -> None:
    ids = await sent(world, [ref, "zz9"], PHONE, OTHER)
    if place == "in the store":
        world.forget_parts()
    await deliver(world, make_receipt(written, "UNDELIV", source, to=destination))
    assert await world.outcomes() == {ids[0]: "failed"}


@pytest.mark.parametrize("place", ["in memory", "in the store"])
async def test_nothing_fits_a_phone_that_is_plainly_another(
    world: Any, make_receipt: Any, place: str
) -> None:
    await sent(world, ["1A"], PHONE)
    if place == "in the store":
        world.forget_parts()
    await deliver(world, make_receipt("26", "UNDELIV", STRANGER))
    assert await world.outcomes() == {}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("source", [PHONE, "", "Carrier", SENDER, STRANGER])
@pytest.mark.parametrize(
    ("form", "ref", "written"),
    [("same", "0026", "26"), ("hex-dec", "1A", "26"), ("dec-hex", "26", "001a")],
)
async def test_with_a_stated_form_the_phone_is_not_needed(
    world: Any, make_receipt: Any, make_settings: Any,
    form: str, ref: str, written: str, source: str, place: str,
) -> None:  # fmt: skip
    await world.configure(carriers=[make_settings(receipt_id=form)])
    [message] = await world.accepted({"to": PHONE})
    receipt = make_receipt(written, "DELIVRD", source)
    await answer(world, ref, receipt, place)
    assert await world.outcomes() == {message: "delivered"}
    await world.check_finished()


# --- D2: forms of ids ---


async def test_an_id_of_one_message_never_ends_another_to_the_same_phone(
    open_world: Any, make_receipt: Any
) -> None:
    """10 and 0x10 = 16: read in another base, one is the other."""
    async with open_world() as before:
        first = await sent(before, ["10"], PHONE)
        store = before.store
    async with open_world(store) as world:
        second = await sent(world, ["16"], PHONE)
        await deliver(world, make_receipt("10", "UNDELIV", PHONE))
        assert await world.outcomes() == {}  # one of the two: which, is not known yet
        await deliver(world, make_receipt("16", "DELIVRD", PHONE))
        assert await world.outcomes() == {first[0]: "failed", second[0]: "delivered"}
        await world.check_finished()


@pytest.mark.parametrize("place", ["in memory", "in the store"])
@pytest.mark.parametrize(
    ("responses", "receipts"),
    [
        (["10", "16"], ["10", "16"]),
        (["a", "10"], ["10", "16"]),
        (["16", "22"], ["10", "16"]),
    ],
    ids=["same", "hex-dec", "dec-hex"],
)
async def test_colliding_ids_are_told_apart_by_the_form_that_explains_all(
    world: Any, make_receipt: Any, responses: list[str], receipts: list[str], place: str
) -> None:
    first, second = await sent(world, responses, PHONE, PHONE)
    if place == "in the store":
        world.forget_parts()
    await deliver(world, make_receipt(receipts[0], "UNDELIV", PHONE))
    await deliver(world, make_receipt(receipts[1], "DELIVRD", PHONE))
    assert await world.outcomes() == {first: "failed", second: "delivered"}


@pytest.mark.parametrize("place", ["in memory", "in the store"])
async def test_what_is_not_sure_is_decided_once_the_form_is_learnt(
    world: Any, make_receipt: Any, place: str
) -> None:
    first, second, third = await sent(world, ["10", "16", "500"], PHONE, PHONE, OTHER)
    if place == "in the store":
        world.forget_parts()
    await deliver(world, make_receipt("10", "UNDELIV", PHONE))
    assert await world.outcomes() == {}
    await deliver(world, make_receipt("500", "DELIVRD", OTHER))
    assert await world.outcomes() == {first: "failed", third: "delivered"}
    await deliver(world, make_receipt("16", "DELIVRD", PHONE))
    assert await world.outcomes() == {first: "failed", second: "delivered", third: "delivered"}


async def test_a_receipt_that_comes_again_ends_no_other_message(
    world: Any, make_receipt: Any
) -> None:
    first, second = await sent(world, ["10", "16"], PHONE, OTHER)
    await deliver(world, make_receipt("10", "DELIVRD", PHONE))
    assert await world.outcomes() == {first: "delivered"}
    [third] = await sent(world, ["22"], PHONE)
    await deliver(world, make_receipt("16", "UNDELIV", OTHER), make_receipt("16", "UNDELIV", OTHER))
    await deliver(world, make_receipt("10", "DELIVRD", PHONE))
    assert await world.outcomes() == {first: "delivered", second: "failed"}
    assert third not in await world.outcomes()
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 0


async def test_an_early_receipt_ends_no_other_message_to_the_same_phone(
    world: Any, make_receipt: Any
) -> None:
    [first] = await sent(world, ["16"], PHONE)
    [second] = await world.accepted({"to": PHONE})
    await deliver(world, make_receipt("10", "UNDELIV", PHONE))  # 10 is 16, read in hexadecimal
    assert await world.outcomes() == {}
    world.bind.reply(ids=["10"])
    await world.calm()
    assert await world.outcomes() == {}
    await deliver(world, make_receipt("16", "DELIVRD", PHONE))
    assert await world.outcomes() == {first: "delivered", second: "failed"}


async def test_what_was_learnt_survives_a_restart(open_world: Any, make_receipt: Any) -> None:
    async with open_world() as before:
        await sent(before, ["1A"], PHONE)
        await deliver(before, make_receipt("26", "DELIVRD", PHONE))
        store = before.store
    async with open_world(store) as world:
        message, other = await sent(world, ["2B", "43"], PHONE, OTHER)
        await deliver(world, make_receipt("43", "DELIVRD", STRANGER))
        assert await world.outcomes() | {message: "delivered"} == await world.outcomes()
        assert other not in await world.outcomes()


@pytest.mark.parametrize("place", PLACES)
async def test_each_carrier_has_ids_of_its_own(
    world: Any, make_receipt: Any, make_settings: Any, place: str
) -> None:
    await world.configure(carriers=[make_settings("alpha"), make_settings("beta")])
    accepted = await world.accepted({"to": PHONE}, {"to": PHONE})
    alpha, beta = world.made["alpha-1"], world.made["beta-1"]
    [at_beta] = [f"{flight.message.id:x}" for flight in beta.carried]
    early = place == "before the response"
    for bind, ref in () if early else ((alpha, "7"), (beta, "7")):
        bind.reply(ids=[ref])
    await world.calm()
    if place == "in the store":
        world.forget_parts()
    await beta.receipts(make_receipt("7", "UNDELIV", PHONE))
    await world.calm()
    if early:
        alpha.reply(ids=["7"])
        await world.calm()
        assert await world.outcomes() == {}
        beta.reply(ids=["7"])
        await world.calm()
    assert await world.outcomes() == {at_beta: "failed"}
    await alpha.receipts(make_receipt("7", "DELIVRD", PHONE))
    await world.calm()
    assert (await world.outcomes()).keys() == set(accepted)


async def test_a_form_that_stops_fitting_is_unlearnt(world: Any, make_receipt: Any) -> None:
    await sent(world, ["1A"], PHONE)
    await deliver(world, make_receipt("26", "DELIVRD", PHONE))
    phones = [f"4475000000{n:02}" for n in range(10, 20)]
    ids = await sent(world, [f"{n}" for n in range(200, 210)], *phones)
    for n, phone in enumerate(phones):
        await deliver(world, make_receipt(f"{200 + n}", "UNDELIV", phone))
    outcomes = await world.outcomes()
    assert [outcomes.get(message) for message in ids] == ["failed"] * 10
    await world.check_finished()


async def test_one_receipt_in_another_form_unlearns_nothing(world: Any, make_receipt: Any) -> None:
    first, other, third = await sent(world, ["1A", "300", "2B"], PHONE, OTHER, THIRD)
    await deliver(world, make_receipt("26", "DELIVRD", PHONE))
    await deliver(world, make_receipt("300", "DELIVRD", OTHER))
    assert await world.outcomes() == {first: "delivered"}
    await deliver(world, make_receipt("43", "DELIVRD", THIRD))
    assert await world.outcomes() == {first: "delivered", third: "delivered"}
    await deliver(world, make_receipt("768", "UNDELIV", OTHER))  # 0x300
    assert (await world.outcomes())[other] == "failed"


async def test_a_long_id_is_meant_in_whatever_form_it_is_found(
    world: Any, make_receipt: Any
) -> None:
    await sent(world, ["1A"], PHONE)
    await deliver(world, make_receipt("26", "DELIVRD", PHONE))
    [message] = await sent(world, ["1000000001"], OTHER)
    await deliver(world, make_receipt("1000000001", "UNDELIV", OTHER))
    assert (await world.outcomes())[message] == "failed"


# --- D4: what only its text says to be a receipt, parameters and text that disagree ---

UNMARKED = [0x00, 0x03, 0x08, 0x10, 0x40]


@pytest.mark.parametrize("place", ["in memory", "in the store"])
@pytest.mark.parametrize("esm_class", UNMARKED)
async def test_a_text_that_names_a_part_of_its_phone_is_a_receipt(
    world: Any, make_receipt: Any, esm_class: int, place: str
) -> None:
    [message] = await sent(world, ["1A"], PHONE)
    if place == "in the store":
        world.forget_parts()
    await deliver(world, make_receipt("26", "UNDELIV", PHONE, esm_class=esm_class))
    assert await world.outcomes() == {message: "failed"}
    await world.check_finished()


@pytest.mark.parametrize("esm_class", UNMARKED)
@pytest.mark.parametrize(
    ("ref", "phone"),
    [("26", OTHER), ("26", ""), ("26", "Carrier"), ("77", PHONE), ("26", "12345")],
    ids=["of another phone", "of nobody", "of a name", "without a part", "of a short code"],
)
async def test_a_text_that_does_not_is_a_text(
    world: Any, make_receipt: Any, esm_class: int, ref: str, phone: str
) -> None:
    [message] = await sent(world, ["1A"], PHONE)
    await deliver(world, make_receipt(ref, "UNDELIV", phone, esm_class=esm_class & ~0x40))
    [event] = await world.events()
    assert event["type"] == "inbound"
    assert event["text"].startswith(f"id:{ref} ")
    assert world.bind.answered == [1]
    await deliver(world, make_receipt("26", "DELIVRD", PHONE))
    assert (await world.outcomes()) == {message: "delivered"}


async def test_a_text_never_tells_how_ids_are_written(world: Any, make_receipt: Any) -> None:
    first, second = await sent(world, ["1A", "43"], PHONE, PHONE)
    await deliver(world, make_receipt("26", "DELIVRD", PHONE, esm_class=0))
    await deliver(world, make_receipt("43", "UNDELIV", PHONE))
    assert await world.outcomes() == {first: "delivered", second: "failed"}


async def test_a_stop_is_heard_whatever_receipts_come_with_it(
    world: Any, make_receipt: Any, make_inbound: Any
) -> None:
    [message] = await sent(world, ["1A"], PHONE)
    await deliver(
        world,
        make_receipt("77", esm_class=0, phone=PHONE),
        make_inbound("STOP", PHONE),
        make_receipt("26", phone=PHONE),
    )
    types = [event["type"] for event in await world.events()]
    assert sorted(types) == ["delivered", "inbound", "inbound", "optout"]
    assert (await world.outcomes()) == {message: "delivered"}


@pytest.mark.parametrize(
    ("stat", "ends"),
    [
        ("DELIVRD", "delivered"),
        ("EXPIRED", "expired"),
        ("REJECTD", "failed"),
        ("DELETED", "failed"),
        ("UNDELIV", None),  # an attempt that failed: others follow
        ("ENROUTE", None),
    ],
)
@pytest.mark.parametrize("place", ["in memory", "in the store"])
@pytest.mark.parametrize("esm_class", [0x20, 0x28, 0x60])
async def test_an_intermediate_notification_of_an_end_is_one(
    world: Any, make_receipt: Any, esm_class: int, place: str, stat: str, ends: str | None
) -> None:
    [message] = await sent(world, ["1A"], PHONE)
    if place == "in the store":
        world.forget_parts()
    await deliver(world, make_receipt("26", stat, PHONE, esm_class=esm_class))
    assert await world.outcomes() == ({message: ends} if ends else {})
    await deliver(world, make_receipt("26", "DELIVRD", PHONE))
    await deliver(world, make_receipt("26", stat, PHONE, esm_class=esm_class))
    assert await world.outcomes() == {message: ends or "delivered"}


@pytest.mark.parametrize("esm_class", [0x04, 0x24, 0x44, 0x64, 0x0C, 0x84])
@pytest.mark.parametrize("alphabet", ["ascii", "utf-16-be", "utf-16-le", "utf-16"])
async def test_a_receipt_is_one_in_any_alphabet_and_whatever_else_its_esm_class_says(
    world: Any, make_receipt: Any, esm_class: int, alphabet: str
) -> None:
    [message] = await sent(world, ["1A"], PHONE)
    receipt = make_receipt(
        "26", "UNDELIV", PHONE, esm_class=esm_class, data_coding=8, alphabet=alphabet
    )
    await deliver(world, receipt)
    assert await world.outcomes() == {message: "failed"}


def parameters(ref: str, state: int) -> tlv.Tlvs:
    return tlv.RECEIPTED_MESSAGE_ID.of(ref), tlv.MESSAGE_STATE.of(state)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("told", "text", "outcome"),
    [
        (("1A", 5), "id:1A stat:DELIVRD", "failed"),
        (("1A", 2), "id:1A stat:UNDELIV", "delivered"),
        (("1A", 5), "", "failed"),
        (("1A", 5), "id:77 stat:DELIVRD", "failed"),
        (("77", 2), "id:1A stat:UNDELIV", "failed"),  # nobody knows 77
        (("77", 5), "id:1A stat:DELIVRD", "delivered"),
        (("77", 5), "id:1A", "failed"),
        (("77", 5), "id:1a stat:REJECTD", "failed"),
    ],
)
async def test_parameters_are_believed_unless_their_id_is_unknown(
    world: Any, make_receipt: Any, told: tuple[str, int], text: str, outcome: str, place: str
) -> None:
    [message] = await world.accepted({"to": PHONE})
    receipt = make_receipt("", phone=PHONE, text=text, tlvs=parameters(*told))
    await answer(world, "1A", receipt, place)
    assert await world.outcomes() == {message: outcome}
    await world.check_finished()


# --- D5: states ---


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("stat", "outcome", "told"),
    [
        ("UNDELIV", "failed", "UNDELIV"),
        ("undeliv", "failed", "UNDELIV"),
        ("FAILED", "failed", "FAILED"),
        ("Reject", "failed", "Reject"),
        ("BLOCKED", "failed", "BLOCKED"),
        ("DND", "failed", "DND"),
        ("MK:0001", "failed", "MK:0001"),
        ("MBBLACK", "failed", "MBBLACK"),
        ("DB:0141", "failed", "DB:0141"),
        ("5", "failed", "5"),
        ("3", "expired", "3"),
        ("DELIVERED", "delivered", None),
        ("2", "delivered", None),
    ],
)
async def test_words_of_carriers_decide_and_are_told(
    world: Any, make_receipt: Any, stat: str, outcome: str, told: str | None, place: str
) -> None:
    await world.submit({"to": PHONE})
    receipt = make_receipt("26", stat, PHONE, error="021")
    await answer(world, "1A", receipt, place)
    [event] = await world.events()
    assert event["type"] == outcome
    assert 0 <= event["at"] - event["detail"].pop("sent_at") < 60
    reason = {"receipt_state": told, "receipt_error": "021"} if told is not None else {}
    assert event["detail"] == {"carrier": "alpha", **reason}


async def test_the_error_of_the_network_is_told(world: Any, make_receipt: Any) -> None:
    await sent(world, ["1A"], PHONE)
    error = tlv.NETWORK_ERROR_CODE.of(tlv.NetworkError(3, 27))
    await deliver(world, make_receipt("1A", "UNDELIV", PHONE, tlvs=(error,)))
    [event] = await world.events()
    assert event["detail"]["network_error"] == "3:27"


@pytest.mark.parametrize(
    ("stated", "stat", "outcome"),
    [
        ({"GONE": 5}, "gone", "failed"),
        ({"DELIVRD": 6, "SEEN": 2}, "SEEN", "delivered"),
        ({"*": 5}, "WHATEVER", "failed"),
        ({"0": 2}, "000", "delivered"),
        ({"UNKNOWN": 5}, "UNKNOWN", "failed"),
    ],
)
async def test_words_mean_what_is_configured(
    world: Any, make_receipt: Any, make_settings: Any, stated: dict[str, int], stat: str,
    outcome: str,
) -> None:  # fmt: skip
    await world.configure(carriers=[make_settings(receipt_states=stated)])
    [message] = await sent(world, ["1A"], PHONE)
    await deliver(world, make_receipt("1A", stat, PHONE))
    assert await world.outcomes() == {message: outcome}


async def test_an_unknown_word_decides_nothing_and_shows_at_once(
    world: Any, make_receipt: Any
) -> None:
    [message] = await sent(world, ["1A"], PHONE)
    with structlog.testing.capture_logs() as lines:
        await deliver(world, make_receipt("1A", "WHATEVER", PHONE))
        await deliver(world, make_receipt("1A", "WHATEVER", PHONE))
    assert await world.outcomes() == {}
    assert metric(world, "receipts_unknown_state_total", carrier="alpha") == 2
    assert metric(world, "receipts_total", carrier="alpha", state="none") == 2
    [line] = [line for line in lines if line["event"] == "receipt_state_unknown"]
    assert (line["carrier"], line["word"], line["log_level"]) == ("alpha", "WHATEVER", "warning")
    await deliver(world, make_receipt("1A", "DELIVRD", PHONE))
    assert await world.outcomes() == {message: "delivered"}


# --- D6: ids ---


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("ref", "written"),
    [
        ("ab_12", "ab\x1112"),
        ("ab@12", "ab\x0012"),
        ("ab$12", "ab\x0212"),
        ("ab{12}", "ab\x1b(12\x1b)"),
        ("ab\x1112", "ab_12"),
        ("AB-12", "ab-12\0"),
        ("AB 12", "AB 12"),
        (" AB12 ", "AB12"),
        ("f" * 80, "f" * 80),
        ("f" * 64, "f" * 80),
        ("9" * 70, "9" * 70),
        ("00000000ff", "FF"),
        ("0x1A", "1a"),
        ("1a", "0x1A"),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B8109DAD11D180B400C04FD430C8"),
        ("6ba7b8109dad11d180b400c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
        ("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
        ("id:7", "id:7"),
        ("aGVs/bG8+==", "aGVs/bG8+=="),
    ],
)
async def test_odd_ids_match_themselves(
    world: Any, make_receipt: Any, ref: str, written: str, place: str
) -> None:
    [message] = await world.accepted({"to": PHONE})
    receipt = make_receipt(written, "UNDELIV", PHONE, alphabet="latin-1")
    await answer(world, ref, receipt, place)
    assert await world.outcomes() == {message: "failed"}
    await world.check_finished()


# --- D7: memory ---


async def test_a_long_message_keeps_its_receipts_while_a_part_is_unanswered(
    world: Any, make_receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.dispatch.settling.correlation.FLIGHTS", 4)
    [long] = await world.accepted({"to": PHONE, "text": LONG})
    (first, _), (second, _), _ = world.bind.flying
    world.bind.reply(first, second, ids=["m1", "m2"])
    await world.calm()
    others = [f"44750000{n:04}" for n in range(20)]
    for n, phone in enumerate(others):
        await world.accepted({"to": phone})
        world.bind.reply(world.bind.flying[-1][0], ids=[f"n{n}"])
        await world.calm()
    await deliver(world, make_receipt("m1", phone=PHONE), make_receipt("m2", phone=PHONE))
    world.bind.reply(ids=["m3"])
    await world.calm()
    await deliver(world, make_receipt("m3", phone=PHONE))
    assert await world.outcomes() == {long: "delivered"}
    for n, phone in enumerate(others):
        await deliver(world, make_receipt(f"n{n}", phone=phone))
    assert len(await world.outcomes()) == 21
    await world.check_finished()


# --- G1: what is told ---


async def test_receipts_that_match_nothing_show_at_once(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    await sent(world, ["ref-1234567"], PHONE)
    with structlog.testing.capture_logs() as lines:
        await deliver(world, *(make_receipt(f"stray-{n:06}", phone=OTHER) for n in range(2000)))
        await deliver(world, make_receipt("stray-again", phone=OTHER))
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 2001
    assert metric(world, "receipts_total", carrier="alpha", state="DELIVRD") == 0
    assert world.parked() == {"alpha": 2001}
    [line] = [line for line in lines if line["event"] == "receipts_unmatched"]
    assert line["log_level"] == "warning"
    assert (line["carrier"], line["receipts"]) == ("alpha", 2000)
    assert (line["receipt_id"], line["response_id"]) == ("stra******00", "ref-*****67")
    assert line["number"] == OTHER  # is masked when it is written
    await trio.sleep(unmatched.PARKED_FOR + 10)
    assert world.parked() == {"alpha": 0}
    assert metric(world, "receipts_given_up_total", carrier="alpha") == 2001


async def test_a_receipt_that_overtakes_its_response_is_counted_once_it_is_matched(
    world: Any, make_receipt: Any
) -> None:
    await world.submit({"to": PHONE})
    await deliver(world, make_receipt("early-1", phone=PHONE))
    assert metric(world, "receipts_total", carrier="alpha", state="DELIVRD") == 0
    assert world.parked() == {"alpha": 1}
    world.bind.reply(ids=["early-1"])
    await world.calm()
    assert metric(world, "receipts_total", carrier="alpha", state="DELIVRD") == 1
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 0
    assert world.parked() == {"alpha": 0}


@pytest.mark.parametrize("source", [PHONE, "07400000001", "", SENDER])
async def test_or_once_its_response_has_come_and_is_another_one(
    world: Any, make_receipt: Any, source: str, autojump_clock: object
) -> None:
    await world.submit({"to": PHONE})
    await deliver(world, make_receipt("early-1", phone=source))
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 0
    world.bind.reply(ids=["other-1"])
    await trio.sleep(10)
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 1
    await trio.sleep(100)
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 1
    assert world.parked() == {"alpha": 1}


async def test_a_receipt_for_another_phone_than_those_that_wait_shows_at_once(
    world: Any, make_receipt: Any
) -> None:
    await world.submit({"to": PHONE})
    await deliver(world, make_receipt("stray-1", phone=OTHER))
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 1


@pytest.mark.parametrize("place", ["in memory", "in the store"])
async def test_a_receipt_that_comes_again_alarms_nobody(
    world: Any, make_receipt: Any, place: str
) -> None:
    [message] = await sent(world, ["m1"], PHONE)
    if place == "in the store":
        world.forget_parts()
    with structlog.testing.capture_logs() as lines:
        for stat in ("DELIVRD", "DELIVRD", "UNDELIV", "ENROUTE"):
            await deliver(world, make_receipt("m1", stat, PHONE))
    assert await world.outcomes() == {message: "delivered"}
    assert metric(world, "receipts_total", carrier="alpha", state="DELIVRD") == 2
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 0
    assert world.parked() == {"alpha": 0}
    assert lines == []


@pytest.mark.parametrize("stat", ["ENROUTE", "ACCEPTD", "WHATEVER"])
async def test_receipts_that_end_nothing_are_counted_and_not_kept(
    world: Any, make_receipt: Any, stat: str
) -> None:
    await sent(world, ["m1"], PHONE)
    await deliver(world, make_receipt("m1", stat, PHONE), make_receipt("stray", stat, PHONE))
    counted = {"WHATEVER": "none"}.get(stat, stat)
    assert metric(world, "receipts_total", carrier="alpha", state=counted) == 1
    assert metric(world, "receipts_unmatched_total", carrier="alpha") == 1
    assert world.parked() == {"alpha": 0}
