"""What tenants write for a recipient, from the request to what the carrier gets and back."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.smpp.pdu import DeliverSm

MakeInbound = Callable[..., DeliverSm]


async def live_in(world: Any, region: str | None) -> None:
    """Give the tenant a default region."""
    [acme, *others] = world.options.tenants
    acme = msgspec.structs.replace(acme, default_region=region)
    await world.configure(tenants=[acme, *others])


@pytest.mark.parametrize(
    ("written", "region", "dialled"),
    [
        # With the country code, however it is put down.
        ("+8613912345678", None, "8613912345678"),
        ("8613912345678", None, "8613912345678"),
        ("008613912345678", None, "8613912345678"),
        ("+008613912345678", None, "8613912345678"),
        ("+86 139-1234-5679", None, "8613912345679"),
        ("+86 (139) 1234.5678", None, "8613912345678"),
        ("\u202a+86 139 1234 5678\u202c", None, "8613912345678"),
        ("\uff0b\uff18\uff16\uff11\uff13\uff19" + "12345678", None, "8613912345678"),
        ("tel:+44-7700-900123", None, "447700900123"),
        # A zero that is dialled at home alone; zeros that are part of the number.
        ("+4407700900123", None, "447700900123"),
        ("+44 (0)7700 900123", None, "447700900123"),
        ("+330612345678", None, "33612345678"),
        ("+4901711234567", None, "491711234567"),
        ("+610412345678", None, "61412345678"),
        ("+390612345678", None, "390612345678"),
        ("+2250712345678", None, "2250712345678"),
        # Kept for documentation.
        ("+12025550123", None, "12025550123"),
        ("+447700900123", None, "447700900123"),
        # Older spellings stay as they were written.
        ("+5215512345678", None, "5215512345678"),
        ("+525512345678", None, "525512345678"),
        ("+551187654321", None, "551187654321"),
        # National ones, of the tenant's region.
        ("13912345678", "CN", "8613912345678"),
        ("139 1234 5678", "CN", "8613912345678"),
        ("13012345678", "CN", "8613012345678"),  # one of Maryland's too
        ("(202) 555-0123", "US", "12025550123"),
        ("07700 900123", "GB", "447700900123"),
        ("0690 12 34 56", "FR", "590690123456"),
        ("333 123 4567", "IT", "393331234567"),
        # Others' are told by their country code.
        ("+13012345678", "CN", "13012345678"),
        ("447700900123", "CN", "447700900123"),
        ("0044 7700 900123", "CN", "447700900123"),
        ("011 44 7700 900123", "US", "447700900123"),
        # What is a number in E.164 is that one where no region is stated.
        ("13012345678", None, "13012345678"),
    ],
)
async def test_a_written_number_is_dialled_as_it_was_meant(
    world: Any, written: str, region: str | None, dialled: str
) -> None:
    await live_in(world, region)
    [quote] = await world.service.quote("acme", [SubmitMessage(to=written, text="hello")])
    assert quote.to == dialled
    [number] = await world.accepted({"to": written})
    assert [pdu.destination_addr for pdu in world.bind.sent] == [dialled]
    await world.deliver()
    assert [(e["message_id"], e["to"]) for e in await world.events()] == [(number, dialled)]


@pytest.mark.parametrize(
    ("written", "region", "why"),
    [
        # Only national, and nobody has said whose: never texted as another country's.
        ("13912345678", None, "default_region"),
        ("07700900123", None, "begins with 0, so it is a national number"),
        ("2025550123", None, "default_region"),
        ("13912345678", "US", "neither a number of US nor one with its country code"),
        ("0612345678", "CN", "neither a number of CN"),
        # A fixed line here, a phone abroad: it is asked which.
        ("33612345678", "DE", "may be a fixed line of DE and a phone of +33612345678"),
        # Lengths and ranges.
        ("+861391234567", None, "12 digits"),
        ("+86139123456789", None, "14 digits"),
        ("+8612345678901", None, "begins with 8612"),
        ("+13912345678", None, "begins with 13912"),
        ("+15551234567", None, "begins with 15551"),
        ("+9991234567", None, "no country's numbers begin with 999"),
        ("+44007700900123", None, "14 digits"),
        # No phones, or more than one.
        ("110", None, "short code or an emergency number"),
        ("10086", "CN", "short code or an emergency number"),
        ("106900018812", "CN", "neither a number of CN"),
        ("+447700900123, +447700900124", None, "one number alone"),
        ("+44 7700 900123 x12", None, "extension"),
        ("4.4770E+11", None, "rounded by a spreadsheet"),
        ("n/a", None, "letter 'n'"),
        ("", None, "is empty"),
    ],
)
async def test_what_cannot_be_dialled_is_refused_with_the_mend(
    world: Any, written: str, region: str | None, why: str
) -> None:
    await live_in(world, region)
    before, refused, after = await world.submit("before", {"to": written}, "after")
    assert refused.error.code == "invalid_recipient"
    assert refused.error.message.startswith(f"to: {written[:32]!r} ")
    assert why in refused.error.message
    assert before.message_id < after.message_id
    assert world.bind.texts == ["before", "after"]
    [result] = await world.service.optout("acme", "add", [written])
    assert result.error.code == "invalid_recipient"
    assert why in result.error.message


@pytest.mark.parametrize(
    ("written", "region", "place"),
    [
        ("+8613912345678", None, "CN"),
        ("13912345678", "CN", "CN"),
        ("+14165550123", None, "CA"),
        ("+447781123456", None, "GG"),
        ("+590690123456", None, "GP"),
        ("+870773123456", None, None),  # a satellite's
    ],
)
async def test_a_quote_tells_where_a_number_is(
    world: Any, written: str, region: str | None, place: str | None
) -> None:
    await live_in(world, region)
    message = SubmitMessage(to=written, text="hello", key="k")
    [quote] = await world.service.quote("acme", [message])
    assert (quote.region, quote.duplicate) == (place, False)
    await world.accepted({"to": written, "key": "k"})
    [again] = await world.service.quote("acme", [message])
    assert (again.region, again.to, again.duplicate) == (place, quote.to, True)


# --- opt-outs ---


@pytest.mark.parametrize(
    ("named", "region", "sent_to"),
    [
        ("+8613912345678", None, "+86 139-1234-5678"),
        ("13912345678", "CN", "+8613912345678"),
        ("+44 (0)7700 900123", None, "+4407700900123"),
        ("+5215512345678", None, "+525512345678"),
        ("+525512345678", None, "+5215512345678"),
        ("+54 11 2345 6789", None, "+5491123456789"),
        ("+551187654321", None, "+5511987654321"),
        ("+33690123456", None, "+590690123456"),
        ("0690123456", "FR", "+590690123456"),
    ],
)
async def test_an_opt_out_through_the_api_holds_however_the_phone_is_written(
    world: Any, named: str, region: str | None, sent_to: str
) -> None:
    await live_in(world, region)
    [added] = await world.service.optout("acme", "add", [named])
    assert (added.opted_out, added.changed) == (True, True)
    [refused] = await world.submit({"to": sent_to})
    assert refused.error.code == "opted_out"
    [known] = await world.service.optout("acme", "check", [sent_to])
    assert known.opted_out
    [removed] = await world.service.optout("acme", "remove", [sent_to])
    assert (removed.opted_out, removed.changed) == (False, True)
    assert await world.accepted({"to": sent_to})


@pytest.mark.parametrize(
    ("phone", "sent_to"),
    [
        ("5215512345678", "+525512345678"),
        ("525512345678", "+5215512345678"),
        ("5491123456789", "+541123456789"),
        ("551187654321", "+5511987654321"),
        ("22997123456", "+2290197123456"),
    ],
)
async def test_a_stop_holds_for_what_waits_to_the_phone_in_another_spelling(
    world: Any, make_inbound: MakeInbound, phone: str, sent_to: str
) -> None:
    await world.bind.receipts(make_inbound("STOP", phone))
    await world.calm()
    [refused] = await world.submit({"to": sent_to})
    assert refused.error.code == "opted_out"
    await world.bind.receipts(make_inbound("START", sent_to.removeprefix("+")))
    await world.calm()
    assert await world.accepted({"to": sent_to})


async def test_an_opt_out_between_acceptance_and_release_holds_in_any_spelling(
    world: Any, autojump_clock: Any
) -> None:
    later = world.clock() + 60
    ids = await world.accepted({"to": "+525512345678", "send_at": later})
    await world.service.optout("acme", "add", ["+52 1 55 1234 5678"])
    await trio.sleep(120)
    await world.calm()
    assert await world.outcomes() == {ids[0]: "blocked"}
    assert world.bind.sent == []


# --- a message sent again ---


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("+8613912345678", "0086 139 1234 5678"),
        ("+4407700900123", "+447700900123"),
        ("+551187654321", "+5511987654321"),
        ("+5215512345678", "+525512345678"),
    ],
)
async def test_a_key_knows_its_recipient_in_any_spelling(
    world: Any, first: str, again: str
) -> None:
    one, two = await world.submit({"to": first, "key": "k"}, {"to": again, "key": "k"})
    [three] = await world.submit({"to": again, "key": "k"})
    assert two.message_id == three.message_id == one.message_id
    await world.deliver()
    [four] = await world.submit({"to": again, "key": "k"})
    assert four.message_id == one.message_id
    assert len(world.bind.sent) == 1


@pytest.mark.parametrize("later", [None, "US", "DE"])
async def test_a_key_knows_its_recipient_whatever_the_default_region_is_now(
    world: Any, later: str | None
) -> None:
    await live_in(world, "CN")
    [first] = await world.submit({"to": "13912345678", "key": "k"})
    await live_in(world, later)
    [again] = await world.submit({"to": "13912345678", "key": "k"})
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    [other] = await world.submit({"to": "13912345679", "key": "k"})
    assert other.error.code == "key_conflict"
