"""`Store.consent`, `consents`, `consent_list` and the fact ``consents``: who allowed what."""

from typing import Any

import pytest

from gateway.facts import CONSENTS, WITHDRAWALS
from gateway.queue.consents import RECORDS, Consent, ConsentState
from gateway.queue.store import Settlement
from tests.queue.contract.rig import Rig

PHONE, OTHER = "12125550123", "12125550124"


def record(
    state: ConsentState = "given", at: float = 10.0, number: str = PHONE, **fields: Any
) -> Consent:
    made = Consent("acme", number, "marketing", state, at, "form", "Yes, text me", "web")
    return made._replace(**fields)


async def allowed(rig: Rig, *numbers: str, tenant: str = "acme") -> dict[str, frozenset[str]]:
    facts = await rig.store.facts(tenant, numbers or (PHONE,), CONSENTS)
    return dict(facts.consents)


async def test_what_a_phone_allowed_is_known_and_survives(rig: Rig) -> None:
    assert await allowed(rig) == {}
    news = record(number=OTHER, purpose="news", wording=None, by=None)
    assert await rig.store.consent([record(), news]) == [True, True]
    for _ in range(2):
        assert await allowed(rig, PHONE, OTHER, "12125550125") == {
            PHONE: frozenset({"marketing"}),
            OTHER: frozenset({"news"}),
        }
        assert await allowed(rig, PHONE, tenant="umbrella") == {}
        found = await rig.store.consents("acme", [PHONE, OTHER, "12125550125"])
        assert found == {PHONE: [record()], OTHER: [news]}
        await rig.crash()


@pytest.mark.parametrize(
    ("records", "holds", "new"),
    [
        ([record(), record("withdrawn", 20.0)], False, [True, True]),
        ([record("withdrawn", 20.0), record()], False, [True, True]),
        ([record(), record("withdrawn", 20.0), record(at=30.0)], True, [True] * 3),
        ([record(), record()], True, [True, False]),
        ([record(), record(at=20.0)], True, [True, False]),
        ([record(), record(at=20.0, wording="new terms")], True, [True, True]),
        ([record(), record("withdrawn", 10.0)], False, [True, True]),
        ([record("withdrawn"), record("withdrawn", 20.0)], False, [True, False]),
        ([record("asked"), record("asked", 20.0)], False, [True, True]),
        ([record(), record("asked", 20.0)], True, [True, True]),
    ],
)
async def test_the_last_word_by_its_time_holds(
    rig: Rig, records: list[Consent], holds: bool, new: list[bool]
) -> None:
    assert [(await rig.store.consent([one]))[0] for one in records] == new
    assert (PHONE in await allowed(rig)) is holds
    again = [one._replace(number=OTHER) for one in records]
    assert await rig.store.consent(again) == new  # in one call as in several
    assert (OTHER in await allowed(rig, OTHER)) is holds


async def test_a_settlement_records_consents(rig: Rig) -> None:
    await rig.store.settle(Settlement(consents=[record(), record(number=OTHER)]))
    await rig.store.settle(Settlement(consents=[record("withdrawn", 20.0)]))
    assert await allowed(rig, PHONE, OTHER) == {OTHER: frozenset({"marketing"})}


async def test_spellings_of_a_phone_have_one_record(rig: Rig) -> None:
    await rig.store.consent([record(number="5215512345678")])
    assert await allowed(rig, "525512345678", "5215512345678") == {
        "525512345678": frozenset({"marketing"}),
        "5215512345678": frozenset({"marketing"}),
    }


async def test_all_are_listed_phone_by_phone(rig: Rig) -> None:
    phones = [f"1212555012{n}" for n in range(5)]
    await rig.store.consent([record(number=phone) for phone in reversed(phones)])
    await rig.store.consent([record("withdrawn", 20.0, phones[1])])
    await rig.store.consent([record(number="1", tenant="umbrella")])
    first = await rig.store.consent_list("acme", "", 2)
    assert [(one.number, one.state) for one in first] == [
        (phones[0], "given"),
        (phones[1], "given"),
        (phones[1], "withdrawn"),
    ]
    rest = await rig.store.consent_list("acme", phones[1], 100)
    assert [one.number for one in rest] == phones[2:]
    assert await rig.store.consent_list("acme", phones[4], 100) == []
    assert await rig.store.consent_list("nobody", "", 100) == []


async def test_a_phone_has_a_bounded_number_of_records(rig: Rig) -> None:
    many = [record(("given", "withdrawn")[n % 2], 10.0 + n) for n in range(RECORDS + 5)]
    for start in range(0, len(many), 50):
        await rig.store.consent([record(number=OTHER, at=float(start)), *many[start : start + 50]])
    kept = (await rig.store.consents("acme", [PHONE]))[PHONE]
    assert [one.at for one in kept] == [one.at for one in many[-RECORDS:]]


async def test_what_a_phone_forbade_is_known_too(rig: Rig) -> None:
    signature = record("withdrawn", purpose="signature:海岸百货")
    await rig.store.consent([record(number=OTHER), signature])
    await rig.store.settle(Settlement(consents=[record("withdrawn", purpose="news", number=OTHER)]))
    for _ in range(2):
        facts = await rig.store.facts("acme", [PHONE, OTHER, "12125550125"], WITHDRAWALS)
        assert facts.withdrawn == {
            PHONE: frozenset({"signature:海岸百货"}),
            OTHER: frozenset({"news"}),
        }
        assert (await rig.store.facts("umbrella", [PHONE], WITHDRAWALS)).withdrawn == {}
        await rig.crash()
    await rig.store.consent([signature._replace(state="given", at=20.0)])
    assert (await rig.store.facts("acme", [PHONE], WITHDRAWALS)).withdrawn == {}
