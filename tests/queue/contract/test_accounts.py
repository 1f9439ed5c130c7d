"""What tenants have spent, asked of every engine: reserved with the acceptance, settled with what
the carrier costs, given back where none has it, and never beyond a limit."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import SPENT
from gateway.message import Charge, Event, Message
from gateway.queue.store import Entry, Final, Overtaken, Sent, Settlement
from tests.queue.contract.rig import Rig

MakeEntry = Callable[..., Entry]

DEAR = Charge("balance", 90, (("alpha", 45), ("beta", 90)))
PARTS = Charge("parts 2026-11", 2)
LIMITS = {"balance": 200, "parts 2026-11": 100}


async def spent(rig: Rig, tenant: str = "acme") -> dict[str, int]:
    found = await rig.store.facts(tenant, ("447911123456",), SPENT)
    return {name: amount for name, amount in found.spent.items() if amount}


def ended(message: Message, kind: Any, **detail: Any) -> Settlement:
    event = Event(kind, 1_010.0, f"{message.id:x}", detail=detail or None)
    return Settlement(finals=[Final(message, event)])


def sent(message: Message, carrier: str) -> Settlement:
    return Settlement(sent=[Sent(message, carrier, (f"r{message.id}",), 9_000.0)])


async def test_what_is_accepted_is_charged_at_most_over_a_crash(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, charges=(DEAR, PARTS)), entry(2)], None, LIMITS)
    assert await spent(rig) == {"balance": 90, "parts 2026-11": 2}
    assert await spent(rig, "umbrella") == {}
    await rig.crash()
    assert await spent(rig) == {"balance": 90, "parts 2026-11": 2}


async def test_a_batch_that_exceeds_a_limit_is_not_stored(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, charges=(DEAR,))], None, LIMITS)
    with pytest.raises(Overtaken):
        await rig.store.accept(
            [entry(2, charges=(DEAR,)), entry(3, charges=(DEAR,), key="k")], None, LIMITS
        )
    assert await spent(rig) == {"balance": 90}
    assert (await rig.store.find("acme", [2, 3], []))[0] == [None, None]
    assert await rig.store.known("acme", ["k"]) == {}
    await rig.store.accept([entry(4, charges=(DEAR,))], None, LIMITS)
    assert await spent(rig) == {"balance": 180}


async def test_a_duplicate_costs_nothing(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept([entry(1, charges=(DEAR,), key="k")], None, LIMITS)
    again = await rig.store.accept([entry(2, charges=(DEAR,), key="k")], None, LIMITS)
    assert list(again) == [0]
    assert await spent(rig) == {"balance": 90}


@pytest.mark.parametrize(
    ("kind", "detail", "costs"),
    [
        ("cancelled", {}, 0),
        ("expired", {}, 0),
        ("blocked", {}, 0),
        ("failed", {"smpp_status": "RINVDSTADR"}, 0),
        ("failed", {"receipt_state": "UNDELIV", "carrier": "alpha"}, 45),
        ("delivered", {"carrier": "alpha"}, 45),
        ("delivered", {"carrier": "beta"}, 90),
        ("unknown", {}, 90),
    ],
)
async def test_an_outcome_settles_what_it_costs(
    rig: Rig, entry: MakeEntry, kind: str, detail: dict[str, Any], costs: int
) -> None:
    one = entry(1, charges=(DEAR,))
    await rig.store.accept([one], None, LIMITS)
    await rig.store.settle(ended(one.message, kind, **detail))
    expected = {"balance": costs} if costs else {}
    assert await spent(rig) == expected
    await rig.store.settle(ended(one.message, "cancelled"))
    assert await spent(rig) == expected, "the first outcome counts"


async def test_what_one_carrier_took_and_another_takes_after_all(
    rig: Rig, entry: MakeEntry
) -> None:
    one = entry(1, charges=(DEAR, PARTS))
    await rig.store.accept([one], None, LIMITS)
    await rig.store.settle(sent(one.message, "alpha"))
    assert await spent(rig) == {"balance": 45, "parts 2026-11": 2}
    await rig.store.settle(sent(one.message, "alpha"))
    await rig.store.settle(sent(one.message, "beta"))
    assert await spent(rig) == {"balance": 90, "parts 2026-11": 2}
    await rig.crash()
    await rig.store.settle(ended(one.message, "delivered", carrier="beta"))
    assert await spent(rig) == {"balance": 90, "parts 2026-11": 2}


async def test_sent_and_final_at_once(rig: Rig, entry: MakeEntry) -> None:
    one, two = entry(1, charges=(DEAR,)), entry(2, charges=(DEAR,))
    await rig.store.accept([one, two], None, LIMITS)
    both = ended(one.message, "delivered", carrier="alpha")
    both.sent = [Sent(one.message, "alpha", ("r",), 9_000.0)]
    both.finals += ended(two.message, "cancelled").finals * 2
    await rig.store.settle(both)
    assert await spent(rig) == {"balance": 45}


async def test_what_is_given_back_is_what_was_paid(rig: Rig, entry: MakeEntry) -> None:
    one, two = entry(1, charges=(DEAR, PARTS), leased=True), entry(2, charges=(DEAR,))
    await rig.store.accept([one, two], None, LIMITS)
    await rig.store.settle(sent(one.message, "alpha"))
    await rig.crash()
    await rig.store.settle(ended(one.message, "cancelled"))
    assert await spent(rig) == {"balance": 90}
    await rig.store.settle(ended(two.message, "cancelled"))
    assert await spent(rig) == {}


async def test_what_is_over_costs_nothing_more(rig: Rig, entry: MakeEntry) -> None:
    one, two = entry(1, charges=(DEAR,)), entry(2, charges=(DEAR,))
    await rig.store.accept([one, two], None, LIMITS)
    await rig.store.settle(ended(one.message, "cancelled"))
    await rig.store.settle(ended(two.message, "delivered", carrier="beta"))
    for late in (one, two):
        await rig.store.settle(sent(late.message, "alpha"))
        await rig.store.settle(ended(late.message, "delivered", carrier="alpha"))
    assert await spent(rig) == {"balance": 90}


async def test_what_is_charged_without_a_limit_is_settled_too(rig: Rig, entry: MakeEntry) -> None:
    one, two = entry(1, charges=(DEAR,)), entry(2, charges=(DEAR,), tenant="umbrella")
    await rig.store.accept([one, two])
    assert await spent(rig) == await spent(rig, "umbrella") == {"balance": 90}
    await rig.store.settle(ended(one.message, "expired"))
    await rig.store.settle(ended(two.message, "delivered", carrier="alpha"))
    assert (await spent(rig), await spent(rig, "umbrella")) == ({}, {"balance": 45})


async def test_duplicates_among_others_cost_nothing(rig: Rig, entry: MakeEntry) -> None:
    first = entry(1, charges=(DEAR,), key="k")
    again = entry(2, charges=(DEAR,), key="k")
    other = entry(3, charges=(PARTS,), key="other")
    assert list(await rig.store.accept([first, again, other], None, LIMITS)) == [1]
    assert await spent(rig) == {"balance": 90, "parts 2026-11": 2}
