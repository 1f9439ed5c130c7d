"""`OperatorStore.erase_events` and `erase_records`: nothing is left of a person but the opt-out."""

from typing import Any, cast

import pytest

from gateway.facts import CONSENTS, USES
from gateway.message import Counted, Event, Message
from gateway.queue.consents import Consent
from gateway.queue.failing import Strike
from gateway.queue.operators import OperatorStore
from gateway.queue.store import (
    GLOBAL,
    Final,
    Held,
    Notice,
    OptoutChange,
    OptoutSource,
    Refused,
    Settlement,
)
from tests.queue.contract.rig import MakeEntry, Rig, decoded

PHONE, OTHER = "447400123456", "447400123457"
PHONES = frozenset({PHONE})


def asked(rig: Rig) -> OperatorStore:
    return cast("OperatorStore", rig.store)


def outcome(message: Message) -> Final:
    detail = {"carrier": "alpha", "sent_at": 5.0, "reason": f"{message.to} is glad"}
    return Final(
        message,
        Event(
            "delivered",
            6.0,
            f"{message.id:x}",
            message.key,
            message.to,
            None,
            "c",
            1,
            detail=detail,
        ),
    )


async def told(rig: Rig, tenant: str = "acme") -> list[dict[str, Any]]:
    return decoded(await rig.store.events(tenant, 0, 10_000))


async def filled(rig: Rig, entry: MakeEntry) -> None:
    """Two tenants that know two phones."""
    number = 0
    for tenant in ("acme", "umbrella"):
        for phone in (PHONE, OTHER):
            number += 1
            one = entry(
                number, leased=True, tenant=tenant, to=phone, key=f"k-{phone}",
                counted=(Counted(7, 86_400),),
            )  # fmt: skip
            await rig.store.accept([one], {})
            said = Event("inbound", 7.0, sender=phone, to="10690001", text="my secret", key=None)
            await rig.store.settle(
                Settlement(finals=[outcome(one.message)], notices=[Notice(tenant, said)])
            )
            await rig.store.consent(
                [Consent(tenant, phone, "marketing", "given", 1.0, "form", None, None)]
            )
            await rig.store.refuse(
                [Refused(tenant, phone, f"r-{phone}", 1.0, "too_long", None, "why", "")]
            )
            change = OptoutChange(tenant, phone, True, "keyword", 1.0, "m", "STOP my secret")
            held = Held("handover", f'["{tenant}","{phone}"]', b"", 9e9)
            strike = Strike(tenant, phone, 1.0, 1, 10.0, 9e9)
            await rig.store.settle(Settlement(optouts=[change], hold=[held], strikes=[strike]))


async def known(rig: Rig, tenant: str, phone: str) -> dict[str, Any]:
    """What there is of a phone."""
    store = rig.store
    facts = await store.facts(tenant, [phone], CONSENTS | USES)
    return {
        "events": sum(phone in (one.get("to"), one.get("from")) for one in await told(rig, tenant)),
        "consents": len(facts.consents),
        "uses": len(facts.uses.get(phone, ())),
        "refusals": len(await store.refusals(tenant, [f"r-{phone}"])),
        "keys": len(await store.known(tenant, [f"k-{phone}"])),
        "optouts": len(await store.optout_entries(tenant, [phone])),
    }


ALL = {"events": 2, "consents": 1, "uses": 1, "refusals": 1, "keys": 1, "optouts": 1}
NONE = dict.fromkeys(ALL, 0) | {"optouts": 1}


@pytest.mark.parametrize("crashes", [False, True])
async def test_nothing_is_left_but_the_opt_out(rig: Rig, entry: MakeEntry, crashes: bool) -> None:
    await filled(rig, entry)
    before = await told(rig)
    counted = await rig.store.stats("acme", None, 0, 10**6, 1_000)
    assert await asked(rig).erase_events("acme", PHONES, 0) == (2, None)
    assert await asked(rig).erase_records("acme", PHONES) == 5
    if crashes:
        await rig.crash()
    assert await known(rig, "acme", PHONE) == NONE
    assert await known(rig, "acme", OTHER) == ALL
    assert await known(rig, "umbrella", PHONE) == ALL
    [entry_] = (await rig.store.optout_entries("acme", [PHONE]))[PHONE]
    assert (entry_.source, entry_.message, entry_.text) == ("keyword", None, None)
    after = await told(rig)
    assert [one["seq"] for one in after] == [one["seq"] for one in before]
    gone = [one for one in after if one.get("detail", {}).get("erased")]
    assert [(one["type"], one["at"]) for one in gone] == [("delivered", 6.0), ("inbound", 7.0)]
    assert gone[0]["detail"] == {"carrier": "alpha", "sent_at": 5.0, "erased": True}
    assert (gone[0]["campaign"], "to" in gone[0], "key" in gone[0]) == ("c", False, False)
    assert not {"from", "text"} & gone[1].keys()
    assert await rig.store.stats("acme", None, 0, 10**6, 1_000) == counted
    assert await asked(rig).erase_events("acme", PHONES, 0) == (0, None)
    assert await asked(rig).erase_records("acme", PHONES) == 0


async def test_everybody_s(rig: Rig, entry: MakeEntry) -> None:
    await filled(rig, entry)
    source: OptoutSource = "complaint"
    await rig.store.optout([OptoutChange(GLOBAL, PHONE, True, source, 1.0, None, "he says")])
    assert await asked(rig).tenants() == ["acme", "umbrella"]
    for tenant in ("acme", "umbrella"):
        await asked(rig).erase_events(tenant, PHONES, 0)
    assert await asked(rig).erase_records(None, PHONES) == 10
    await asked(rig).scrub()
    for tenant in ("acme", "umbrella"):
        assert await known(rig, tenant, PHONE) == NONE
        assert await known(rig, tenant, OTHER) == ALL
    held = (await rig.store.optout_entries("acme", [PHONE]))[PHONE]
    assert [one.text for one in held] == [None, None]
    recovery = await rig.crash()
    assert {one.key for one in recovery.held} == {
        f'["acme","{OTHER}"]',
        f'["umbrella","{OTHER}"]',
    }


async def test_what_has_no_outcome_is_found(rig: Rig, entry: MakeEntry) -> None:
    await rig.store.accept(
        [entry(1, to=PHONE), entry(2, to=OTHER), entry(3, to=PHONE, leased=True)]
    )
    found, following = await asked(rig).live_to(PHONES)
    assert sorted((tenant, one.number) for tenant, one in found) == [("acme", 1), ("acme", 3)]
    assert following is None


async def test_events_go_on_behind_those_that_were_erased(rig: Rig, entry: MakeEntry) -> None:
    await filled(rig, entry)
    await asked(rig).erase_events("acme", PHONES, 0)
    await rig.store.settle(Settlement(notices=[Notice("acme", Event("gap", 9.0))]))
    assert [one["seq"] for one in await told(rig)] == [1, 2, 3, 4, 5]


async def test_what_was_refused_is_found_by_phone(rig: Rig, entry: MakeEntry) -> None:
    await filled(rig, entry)
    found = await asked(rig).refused(PHONES, 10)
    assert [(one.tenant, one.number, one.key) for one in found] == [
        ("umbrella", PHONE, f"r-{PHONE}"),
        ("acme", PHONE, f"r-{PHONE}"),
    ]
    assert len(await asked(rig).refused(PHONES, 1)) == 1
    await asked(rig).erase_records("umbrella", PHONES)
    assert [one.tenant for one in await asked(rig).refused(PHONES, 10)] == ["acme"]
