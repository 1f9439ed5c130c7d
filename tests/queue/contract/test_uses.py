"""What counts against frequency caps, asked of every engine: reserved with the acceptance, given
back where a message does not go, and never counted twice."""

from typing import Any

import pytest

from gateway.facts import USES, Use
from gateway.message import Counted, Event, Message
from gateway.queue.store import Final, Overtaken, Seen, Sent, Settlement
from tests.queue.contract.rig import MakeEntry, Rig

PHONE, OTHER = "447911123456", "447911123457"
DAILY = Counted(-7, 86_400)
NOTHING_SEEN: Seen = {}


async def uses(rig: Rig, *phones: str) -> dict[str, list[Use]]:
    found = await rig.store.facts("acme", phones or (PHONE,), USES)
    return {phone: sorted(known) for phone, known in found.uses.items()}


def ended(message: Message, kind: Any, code: str | None = None, **detail: Any) -> Settlement:
    event = Event(kind, 1_010.0, f"{message.id:x}", code=code, detail=detail or None)
    return Settlement(finals=[Final(message, event)])


async def test_an_accepted_message_counts_from_its_time_on(rig: Rig, entry: MakeEntry) -> None:
    later = entry(1, due=5_000.0, counted=(DAILY, Counted(9, 60)))
    await rig.store.accept([later, entry(2, counted=(), to=OTHER)], NOTHING_SEEN)
    expected = {PHONE: [Use(-7, 5_000.0, 1, False), Use(9, 5_000.0, 1, False)]}
    assert await uses(rig, PHONE, OTHER, "447911123458") == expected
    assert (await rig.store.facts("umbrella", [PHONE], USES)).uses == {}
    await rig.crash()
    assert await uses(rig, PHONE, OTHER) == expected


async def test_nothing_counts_where_nobody_asks(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, counted=(DAILY,))])
    assert await uses(rig) == {}
    assert (await rig.store.facts("acme", [PHONE], frozenset())).uses == {}


@pytest.mark.parametrize(
    ("kind", "code", "detail", "counts"),
    [
        ("cancelled", None, {}, False),
        ("expired", "expired", {}, False),
        ("blocked", "opted_out", {}, False),
        ("failed", "carrier_refused", {"smpp_status": "RINVDSTADR"}, False),
        ("failed", "no_route", {}, False),
        ("failed", "carrier_refused", {"parts_taken": 1}, True),
        ("failed", "undelivered", {"receipt_state": "UNDELIV"}, True),
        ("expired", "expired", {"receipt_state": "EXPIRED"}, True),
        ("unknown", "no_response", {}, True),
        ("delivered", None, {}, True),
        ("sent", None, {}, True),
    ],
)
async def test_what_did_not_go_counts_no_more(
    rig: Rig, entry: MakeEntry, kind: str, code: str | None, detail: dict[str, Any], counts: bool
) -> None:
    one = entry(1, counted=(DAILY,))
    await rig.store.accept([one], NOTHING_SEEN)
    rig.now = 1_020.0
    await rig.store.settle(ended(one.message, kind, code, **detail))
    assert await uses(rig) == ({PHONE: [Use(-7, 1_020.0, 1, True)]} if counts else {})


async def test_once_sent_it_counts_from_then_whatever_becomes_of_it(
    rig: Rig, entry: MakeEntry
) -> None:
    one = entry(1, counted=(DAILY,), leased=True)
    await rig.store.accept([one], NOTHING_SEEN)
    rig.now = 1_020.0
    await rig.store.settle(Settlement(sent=[Sent(one.message, "alpha", ("r",), 9_000.0)]))
    rig.now = 1_500.0
    failed = ended(one.message, "failed", "undelivered", receipt_state="UNDELIV")
    await rig.store.settle(failed)
    assert await uses(rig) == {PHONE: [Use(-7, 1_020.0, 1, True)]}
    # A second outcome is none.
    assert (await rig.store.settle(ended(one.message, "cancelled"))).passed_over == {1}
    assert await uses(rig) == {PHONE: [Use(-7, 1_020.0, 1, True)]}


async def test_a_duplicate_counts_once(rig: Rig, entry: MakeEntry) -> None:
    first, again = entry(1, key="k", counted=(DAILY,)), entry(2, key="k", counted=(DAILY,))
    assert [*await rig.store.accept([first, again], NOTHING_SEEN)] == [1]
    third = entry(3, key="k", counted=(DAILY,))
    assert [*await rig.store.accept([third], {PHONE: frozenset({1})})] == [0]
    assert await uses(rig) == {PHONE: [Use(-7, 1_000.0, 1, False)]}


async def test_who_did_not_see_the_latest_is_overtaken(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, counted=(DAILY,))], NOTHING_SEEN)
    batch = [entry(2, counted=(DAILY,)), entry(3, to=OTHER, counted=(DAILY,))]
    with pytest.raises(Overtaken):
        await rig.store.accept(batch, {OTHER: frozenset({1})})
    assert await uses(rig, PHONE, OTHER) == {PHONE: [Use(-7, 1_000.0, 1, False)]}
    assert (await rig.store.find("acme", [2, 3], ()))[0] == [None, None]
    await rig.store.accept(batch, {PHONE: frozenset({1})})
    assert {phone: len(known) for phone, known in (await uses(rig, PHONE, OTHER)).items()} == {
        PHONE: 2,
        OTHER: 1,
    }
    # What was seen and is gone does no harm, nor do other phones and tenants.
    await rig.store.accept([entry(4, counted=(DAILY,))], {PHONE: frozenset({1, 2, 99})})
    await rig.store.accept([entry(5, tenant="umbrella", counted=(DAILY,))], NOTHING_SEEN)


async def test_spellings_of_a_phone_count_together(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, to="5215512345678", counted=(DAILY,))], NOTHING_SEEN)
    assert [*await uses(rig, "525512345678")] == ["525512345678"]
    with pytest.raises(Overtaken):
        await rig.store.accept([entry(2, to="525512345678", counted=(DAILY,))], NOTHING_SEEN)


async def test_what_no_cap_looks_at_is_forgotten(rig: Rig, entry: MakeEntry) -> None:
    minute, day, waiting = (
        entry(1, counted=(Counted(1, 60),)),
        entry(2, to=OTHER, counted=(DAILY,)),
        entry(3, to=OTHER, counted=(Counted(1, 60),), due=1_000.0),
    )
    await rig.store.accept([minute, day, waiting], NOTHING_SEEN)
    await rig.store.settle(ended(minute.message, "delivered"))
    await rig.store.settle(ended(day.message, "delivered"))
    rig.now += 7_200
    while await rig.store.prune(0.0, 1_000):
        pass
    assert await uses(rig, PHONE, OTHER) == {
        OTHER: [Use(-7, 1_000.0, 2, True), Use(1, 1_000.0, 3, False)]
    }
    rig.now += 90_000
    while await rig.store.prune(0.0, 1_000):
        pass
    assert await uses(rig, PHONE, OTHER) == {OTHER: [Use(1, 1_000.0, 3, False)]}
