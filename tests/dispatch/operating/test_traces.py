"""What is on record of a phone, as operators see it."""

from typing import Any

from gateway.api.schema import ConsentRow
from gateway.queue.store import GLOBAL, OptoutChange

PHONE = "447400123456"


async def test_all_that_is_on_record_of_a_phone(world: Any, desk: Any) -> None:
    assert (await desk.operator.person(f"+{PHONE}")).optouts == ()
    await world.service.optout("acme", "add", [f"+{PHONE}"], "complaint")
    await world.store.optout([OptoutChange(GLOBAL, PHONE, True, "api", 1.0)])
    row = ConsentRow(f"+{PHONE}", "news", None, "form", "Yes", "Kim")
    await world.service.consent("umbrella", "add", [row])
    person = await desk.operator.person("+44 7400 123456")
    assert person.number == PHONE
    assert {(one.tenant, one.source) for one in person.optouts} == {
        ("acme", "complaint"),
        (None, "api"),
    }
    [consent] = person.consents
    assert (consent.tenant, consent.purpose, consent.state) == ("umbrella", "news", "given")
    assert (consent.source, consent.wording, consent.by) == ("form", "Yes", "Kim")
