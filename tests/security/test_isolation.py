"""A tenant can neither read, cancel, subscribe to nor infer what is another's."""

import re
from typing import Any, NamedTuple

import pytest
import trio

from gateway.api.schema import OPS
from tests.security.running import TENANTS, Peer, Running

PHONE, OTHER_PHONE, STAGED_PHONE = "447700900123", "447700900124", "447700900125"
UNKNOWN = {
    "id": "1234567890abcdef",
    "key": "no-such-key",
    "campaign": "no-such-campaign",
    "consumer": "nobody",
    "optout": "447700900999",
    "sender": "10690009",
    "consent": "447700900999",
    "template": "no-such-template",
    "import": "no-such-import",
}
"""What nobody has, by what it is."""


def message(**fields: Any) -> dict[str, Any]:
    return {"to": PHONE, "text": "Your table is booked", **fields}


class Belongings(NamedTuple):
    """What acme has: by what it is, in the words of `UNKNOWN`; and its last event."""

    names: dict[str, str]
    seq: int


@pytest.fixture
async def belongings(acme: Peer) -> Belongings:
    """Two messages that wait, one with a key and a campaign, one that was cancelled, and an
    opt-out; a consumer has acknowledged the event of the cancellation."""
    submitted = await acme.ask(
        "submit",
        messages=[message(key="order-7", campaign="spring"), message(), message(key="gone")],
    )
    waiting, _, gone = [result["message_id"] for result in submitted["results"]]
    assert (await acme.ask("cancel", ids=[gone]))["cancelled"] == 1
    assert (await acme.ask("ack", consumer="crm", seq=1))["seq"] == 1
    await acme.ask("optout", action="add", numbers=[OTHER_PHONE])
    await acme.ask(
        "consent", action="add", numbers=[OTHER_PHONE], purpose="marketing", source="form"
    )
    await acme.ask("template", action="put", name="welcome", text="Welcome to the shop")
    staged = {"import": {"name": "list-7", "part": 0}}
    await acme.ask("optout", action="add", numbers=[STAGED_PHONE], **staged)
    names = {
        "id": waiting,
        "key": "order-7",
        "campaign": "spring",
        "consumer": "crm",
        "optout": OTHER_PHONE,
        "consent": OTHER_PHONE,
        "template": "welcome",
        "import": "list-7",
        "sender": TENANTS["acme"],
    }
    return Belongings(names, 1)


PROBES: list[tuple[str, str, dict[str, Any]]] = [
    ("status", "id", {"ids": ["{}"]}),
    ("status", "key", {"keys": ["{}"]}),
    ("cancel", "id", {"ids": ["{}"]}),
    ("cancel", "key", {"keys": ["{}"]}),
    ("cancel", "campaign", {"campaign": "{}"}),
    ("pause", "campaign", {"campaign": "{}"}),
    ("resume", "campaign", {"campaign": "{}"}),
    ("stats", "campaign", {"campaign": "{}"}),
    ("subscribe", "consumer", {"consumer": "{}"}),
    ("subscribe", "consumer", {"consumer": "{}", "from": "start"}),
    ("ack", "consumer", {"consumer": "{}", "seq": 0}),
    ("ack", "consumer", {"consumer": "{}", "seq": 1}),
    ("consumers", "consumer", {"action": "list", "consumer": "{}"}),
    ("consumers", "consumer", {"action": "delete", "consumer": "{}"}),
    ("optout", "optout", {"action": "check", "numbers": ["{}"]}),
    ("optout", "optout", {"action": "remove", "numbers": ["{}"]}),
    ("submit", "key", {"messages": [message(key="{}")]}),
    ("submit", "campaign", {"messages": [message(campaign="{}")]}),
    ("submit", "sender", {"messages": [message(**{"from": "{}"})]}),
    ("submit", "optout", {"messages": [message(to="{}")]}),
    ("quote", "sender", {"messages": [message(**{"from": "{}"})]}),
    ("quote", "optout", {"messages": [message(to="{}")]}),
    ("explain", "id", {"ids": ["{}"]}),
    ("explain", "key", {"keys": ["{}"]}),
    ("consent", "consent", {"action": "check", "numbers": ["{}"]}),
    ("consent", "consent", {"action": "history", "numbers": ["{}"]}),
    ("template", "template", {"action": "get", "name": "{}"}),
    ("template", "template", {"action": "delete", "name": "{}"}),
    ("submit", "template", {"messages": [{"to": "+447700900123", "template": "{}"}]}),
    ("handover", "consent", {"action": "check", "numbers": ["{}"]}),
    ("person", "consent", {"action": "erase", "number": "{}"}),
    ("import", "import", {"action": "apply", "name": "{}", "size": 1}),
    (
        "optout",
        "import",
        {"action": "add", "numbers": [STAGED_PHONE], "import": {"name": "{}", "part": 0}},
    ),
]
"""Requests, the sort of thing that each names, and where."""


def filled(fields: Any, name: str) -> Any:
    match fields:
        case dict():
            return {key: filled(value, name) for key, value in fields.items()}
        case list():
            return [filled(value, name) for value in fields]
    return fields.replace("{}", name) if isinstance(fields, str) else fields


def anonymous(reply: Any, name: str) -> str:
    """A reply without what differs between any two requests."""
    said = repr({key: value for key, value in reply.items() if key != "id"})
    return re.sub("'message_id': '[0-9a-f]+'", "", said.replace(name, "{}"))


def test_every_request_is_tried() -> None:
    assert {op for op, _, _ in PROBES} == OPS - {"hello"}


@pytest.mark.parametrize(("op", "thing", "fields"), PROBES)
async def test_what_is_anothers_is_unknown_in_the_same_way_as_what_never_was(
    acme: Peer,
    rival: Peer,
    belongings: Belongings,
    op: str,
    thing: str,
    fields: dict[str, Any],
) -> None:
    answers = []
    for name in (belongings.names[thing], UNKNOWN[thing]):
        reply = await rival.ask(op, **filled(fields, name))
        answers.append(anonymous(reply, name))
    assert answers[0] == answers[1]

    found = await acme.ask("status", ids=[belongings.names["id"]], keys=["order-7", "gone"])
    assert [one["state"] for one in found["messages"]] == ["queued", "queued", "cancelled"]
    [out] = (await acme.ask("optout", action="check", numbers=[OTHER_PHONE]))["results"]
    assert [holder["source"] for holder in out["held_by"]] == ["api"]
    [listed] = (await acme.ask("optout", action="list"))["results"]
    assert listed == out
    assert (await acme.ask("subscribe", consumer="crm"))["next"] == 2
    applied = await acme.ask("import", action="apply", name="list-7", size=1)
    assert applied["imported"]["size"] == 1


async def test_events_go_to_their_tenant_alone(acme: Peer, rival: Peer) -> None:
    sizes = {acme: 3, rival: 1}
    for peer, size in sizes.items():
        submitted = await peer.ask("submit", messages=[message(campaign="spring")] * size)
        assert (await peer.ask("cancel", campaign="spring"))["cancelled"] == size
        await peer.ask("subscribe", consumer="crm", **{"from": "start"})
        events = (await peer.receive())["events"]
        assert [event["seq"] for event in events] == list(range(1, size + 1))
        assert {event["message_id"] for event in events} == {
            result["message_id"] for result in submitted["results"]
        }
    await acme.ask("submit", messages=[message(campaign="autumn")])
    frames = [await acme.ask("cancel", campaign="autumn"), await acme.receive()]
    assert any("events" in frame for frame in frames)
    assert (await rival.ask("status"))["ok"]  # and no event before it


async def test_one_consumers_name_is_two_consumers(acme: Peer, rival: Peer) -> None:
    for peer in (acme, rival):
        await peer.ask("submit", messages=[message(campaign="c"), message(campaign="c")])
        await peer.ask("cancel", campaign="c")
    assert (await acme.ask("ack", consumer="crm", seq=2))["seq"] == 2
    assert (await rival.ask("ack", consumer="crm", seq=1))["seq"] == 1
    assert (await acme.ask("subscribe", consumer="crm"))["next"] == 3
    assert (await rival.ask("subscribe", consumer="crm"))["next"] == 2


async def test_the_same_keys_at_once_are_different_keys(gateway: Running) -> None:
    found: dict[str, list[Any]] = {}

    async def submit(tenant: str) -> None:
        peer = await gateway.tenant(tenant)
        messages = [message(key=f"k{n}", text=f"{tenant} {n}") for n in range(50)]
        replies = [await peer.ask("submit", messages=messages) for _ in range(2)]
        found[tenant] = [reply["results"] for reply in replies]

    async with trio.open_nursery() as nursery:
        for tenant in TENANTS:
            nursery.start_soon(submit, tenant)
    ids = set()
    for first, again in found.values():
        assert not any("duplicate" in result for result in first)
        assert all(result["duplicate"] for result in again)
        ids |= {result["message_id"] for result in first}
        assert [r["message_id"] for r in again] == [r["message_id"] for r in first]
    assert len(ids) == 100


async def test_a_full_queue_is_full_for_its_tenant_alone(gateway: Running) -> None:
    gateway.configure(*TENANTS, max_queued=3)
    acme, rival = await gateway.tenant("acme"), await gateway.tenant("rival")
    full = await acme.ask("submit", messages=[message()] * 5)
    assert [result.get("error", {}).get("code") for result in full["results"]] == (
        [None] * 3 + ["queue_full"] * 2
    )
    reply = await rival.ask("submit", messages=[message()] * 3)
    assert not any("error" in result for result in reply["results"])


async def test_a_tenant_that_is_taken_out_is_shown_out_and_the_other_is_not(
    gateway: Running, acme: Peer, rival: Peer
) -> None:
    gateway.configure("rival")
    assert await acme.ask("status", keys=["k"]) is None
    assert (await rival.ask("status", keys=["k"]))["ok"]
    again = gateway.stranger()
    assert (await again.ask("hello", token="acmeacme"))["error"]["code"] == "unauthenticated"
