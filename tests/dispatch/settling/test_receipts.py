"""What delivery receipts mean for messages."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from gateway.dispatch.settling import correlation
from gateway.queue.store import Progress, Ref, Settlement

LONG = "x" * 400  # three parts
Deliver = Callable[..., Awaitable[None]]


@pytest.fixture(params=["in memory", "in the store"])
def deliver(world: Any, make_receipt: Any, request: pytest.FixtureRequest) -> Deliver:
    """Delivers receipts for parts by their ids, while their messages are at hand in memory and
    when they have long been forgotten there."""

    async def deliver(*receipts: tuple[str, str], **fields: Any) -> None:
        if request.param == "in the store":
            world.forget_parts()
        await world.bind.receipts(*(make_receipt(ref, stat, **fields) for ref, stat in receipts))
        await world.calm()

    return deliver


async def sent(world: Any, *messages: Any) -> list[str]:
    """Submit messages and have them taken; returns the ids of the parts."""
    await world.submit(*messages)
    refs = [ref for _, ref in world.bind.reply()]
    await world.calm()
    return refs


async def only_event(world: Any) -> dict[str, Any]:
    [event] = await world.events()
    found: dict[str, Any] = event
    return found


@pytest.mark.parametrize(
    ("stat", "outcome"),
    [
        ("DELIVRD", "delivered"),
        ("UNDELIV", "failed"),
        ("REJECTD", "failed"),
        ("DELETED", "failed"),
        ("EXPIRED", "expired"),
    ],
)
async def test_a_receipt_decides(world: Any, deliver: Deliver, stat: str, outcome: str) -> None:
    [ref] = await sent(world, "a")
    assert world.counts() == {("acme", "sent"): 1}
    await deliver((ref, stat), error="042")
    event = await only_event(world)
    assert event["type"] == outcome
    assert 0 <= event["at"] - event["detail"].pop("sent_at") < 60
    reason = {"receipt_state": stat, "receipt_error": "042"} if outcome != "delivered" else {}
    assert event["detail"] == {"carrier": "alpha", **reason}
    await world.check_finished()


@pytest.mark.parametrize("stat", ["ENROUTE", "ACCEPTD", "UNKNOWN", "BUFFRED", "NONSENSE"])
async def test_others_are_only_on_the_way(world: Any, deliver: Deliver, stat: str) -> None:
    [ref] = await sent(world, "a")
    await deliver((ref, stat))
    assert await world.events() == []
    await deliver((ref, "DELIVRD"))
    assert (await only_event(world))["type"] == "delivered"


async def test_an_intermediate_notification_never_decides(world: Any, deliver: Deliver) -> None:
    [ref] = await sent(world, "a")
    await deliver((ref, "UNDELIV"), esm_class=0x20)
    assert await world.events() == []


async def test_accepted_may_be_final(world: Any, deliver: Deliver, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings(accepted_is_delivered=True)])
    [ref] = await sent(world, "a")
    await deliver((ref, "ACCEPTD"))
    assert (await only_event(world))["type"] == "delivered"


async def test_a_long_message_is_delivered_with_its_last_part(world: Any, deliver: Deliver) -> None:
    first, second, third = await sent(world, LONG)
    await deliver((third, "DELIVRD"))
    await deliver((first, "DELIVRD"))
    assert await world.events() == []
    await deliver((second, "DELIVRD"))
    event = await only_event(world)
    assert (event["type"], event["parts"]) == ("delivered", 3)
    await world.check_finished()


async def test_another_node_has_heard_the_rest(world: Any, deliver: Deliver) -> None:
    """The store knows which part is the last, and by whose receipt a message has failed."""
    [one, two, three], [four, five, six] = [await sent(world, LONG) for _ in range(2)]
    await deliver((two, "DELIVRD"), (five, "DELIVRD"))
    found = await world.store.match([Ref("alpha", ref) for ref in (one, four)])
    numbers = [match.message.id for match in found.values()]
    told = [Progress(numbers[0], 0, 2, 3), Progress(numbers[1], 0, 5, 3)]
    assert (await world.store.settle(Settlement(progress=told))).complete == {}
    await deliver((three, "DELIVRD"), (six, "DELIVRD"))
    first, second = await world.events()
    assert (first["type"], first["detail"]["carrier"]) == ("delivered", "alpha")
    assert (second["type"], second["detail"]["parts_delivered"]) == ("failed", 2)
    await world.check_finished()


async def test_all_receipts_of_a_long_message_may_come_at_once(
    world: Any, deliver: Deliver
) -> None:
    refs = await sent(world, LONG)
    await deliver(*((ref, "DELIVRD") for ref in refs))
    assert (await only_event(world))["type"] == "delivered"


async def test_one_part_that_fails_fails_the_message(world: Any, deliver: Deliver) -> None:
    first, second, third = await sent(world, LONG)
    await deliver((first, "DELIVRD"), (second, "UNDELIV"))
    await deliver((third, "DELIVRD"))
    event = await only_event(world)
    assert (event["type"], event["code"]) == ("failed", "undelivered")
    assert event["detail"]["parts_delivered"] == 2
    await world.check_finished()


async def test_the_first_final_receipt_of_a_part_counts(world: Any, deliver: Deliver) -> None:
    first, second, third = await sent(world, LONG)
    await deliver((first, "DELIVRD"), (second, "DELIVRD"))
    await deliver((second, "UNDELIV"))
    await deliver((third, "DELIVRD"))
    assert (await only_event(world))["type"] == "delivered"


async def test_a_receipt_that_comes_twice_ends_a_message_once(world: Any, deliver: Deliver) -> None:
    [ref] = await sent(world, "a")
    await deliver((ref, "DELIVRD"), (ref, "DELIVRD"))
    await deliver((ref, "UNDELIV"))
    assert (await only_event(world))["type"] == "delivered"
    await world.check_finished()


async def test_receipts_are_matched_half_in_memory_half_in_the_store(
    world: Any, make_receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = await sent(world, LONG)
    await world.bind.receipts(make_receipt(first))
    await world.calm()
    world.forget_parts()
    await world.bind.receipts(make_receipt(second), make_receipt(third))
    await world.calm()
    assert (await only_event(world))["type"] == "delivered"


async def test_it_does_not_matter_which_bind_brings_it(
    world: Any, make_receipt: Any, make_settings: Any
) -> None:
    await world.configure(carriers=[make_settings(binds=2)])
    [ref] = await sent(world, "a")
    await world.made["alpha-2"].receipts(make_receipt(ref))
    await world.calm()
    assert (await only_event(world))["type"] == "delivered"


async def test_the_same_id_from_another_carrier_is_another_part(
    world: Any, make_receipt: Any, make_settings: Any
) -> None:
    await world.configure(carriers=[make_settings("alpha"), make_settings("beta")])
    await world.submit("a", "b")
    for bind in world.made.values():
        bind.reply(ids=["1" for _ in bind.flying])
    await world.calm()
    await world.made["beta-1"].receipts(make_receipt("1", "UNDELIV"))
    await world.calm()
    event = await only_event(world)
    assert event["detail"]["carrier"] == "beta"


async def test_a_receipt_may_come_before_the_response(world: Any, make_receipt: Any) -> None:
    await world.submit("a")
    await world.bind.receipts(make_receipt("early"))
    await world.calm()
    assert await world.events() == []
    assert world.bind.answered == [1]
    world.bind.reply(ids=["EARLY"])
    await world.calm()
    assert (await only_event(world))["type"] == "delivered"
    await world.check_finished()


async def test_a_receipt_nobody_waits_for_is_answered_and_given_up(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    await world.bind.receipts(make_receipt("stray"))
    await world.calm()
    assert world.bind.answered == [1]
    await trio.sleep(3610)
    rendered = world.metrics.snapshot().render().decode()
    assert 'gateway_receipts_unmatched_total{carrier="alpha"} 1.0' in rendered


async def test_a_receipt_without_an_id_matches_nothing_and_is_answered(
    world: Any, deliver: Deliver
) -> None:
    await world.submit("a")
    world.bind.reply(ids=[""])  # nor does the response have one
    await world.calm()
    await deliver(("", "UNDELIV"))
    assert world.bind.answered == [1]
    assert await world.events() == []


@pytest.mark.parametrize(
    ("responses", "receipts"),
    [
        (["1A", "2B", "3C"], ["26", "43", "60"]),
        (["26", "43", "60"], ["1a", "2B", "3c"]),
        (["007", "008", "009"], ["7", "0000008", "9"]),
    ],
)
async def test_the_form_of_ids_is_learnt(
    world: Any, deliver: Deliver, make_receipt: Any, responses: list[str], receipts: list[str]
) -> None:
    ids = await world.accepted(
        {"to": "447400000001"}, {"to": "447400000002"}, {"to": "447400000003"}
    )
    world.bind.reply(ids=responses)
    await world.calm()
    await deliver((receipts[0], "DELIVRD"), phone="447400000001")
    assert await world.outcomes() == {ids[0]: "delivered"}
    # Once it is known, the phone need not be told.
    await deliver((receipts[1], "UNDELIV"), phone="")
    await deliver((receipts[2], "UNDELIV"), phone="10690001")
    assert await world.outcomes() == {
        ids[0]: "delivered",
        ids[1]: "failed",
        ids[2]: "failed",
    }


async def test_nothing_is_learnt_from_a_receipt_about_another_phone(
    world: Any, deliver: Deliver
) -> None:
    [message] = await world.accepted({"to": "447400000001"})
    world.bind.reply(ids=["1A"])
    await world.calm()
    await deliver(("26", "UNDELIV"), phone="8613800000000")
    assert await world.outcomes() == {}
    await deliver(("26", "DELIVRD"), phone="447400000001")
    assert await world.outcomes() == {message: "delivered"}


async def test_parked_receipts_that_give_way_leave_the_store_too(
    world: Any, make_receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlation, "PARKED", 3)
    await world.bind.receipts(*(make_receipt(f"stray-{n}") for n in range(10)))
    await world.calm()
    assert len((await world.store.open()).held) == 3
