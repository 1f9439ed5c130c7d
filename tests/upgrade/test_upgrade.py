"""Stores that gateways of before left behind, killed in the middle of everything: today's opens
each, and every message in it has the outcome that it would have had."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.api.schema import Accepted, SubmitMessage
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.queue.sqlite import SqliteStore
from gateway.smpp.pdu import DeliverSm
from tests.faults.smsc import RECEIPT, START, TENANT, Gateway, Smsc, gateway
from tests.upgrade.make import DOUBT, ENDED, SENT, STORES

VERSIONS = sorted(int(path.stem[1:]) for path in STORES.glob("*.sql"))

LATER = 1_200.0
"""Seconds for which the gateway was down."""

OUTCOMES = {
    "ended": "delivered",
    "waiting": "delivered",
    "opted out": "blocked",
    "expired": "expired",
    "cancelled": "cancelled",
    "doubt": "delivered",
    "sent": "delivered",
}

PARTS = {
    "ended": 0,
    "waiting": 1,
    "opted out": 0,
    "expired": 0,
    "cancelled": 0,
    "doubt": 1,
    "sent": 0,
}
"""How often each is sent by the gateway of today: the long ones thrice as often."""


@pytest.fixture(params=VERSIONS)
def known(request: Any) -> dict[str, Any]:
    """What the tenant knows of a store; ``version`` is that of its schema."""
    found = json.loads((STORES / f"v{request.param}.json").read_text())
    return {**found, "version": request.param}


@pytest.fixture
def path(known: dict[str, Any], tmp_path: Path) -> str:
    """That store."""
    file = tmp_path / "gateway.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript((STORES / f"v{known['version']}.sql").read_text())
    return str(file)


async def submit_again(site: Gateway, messages: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """Submit all as they were; returns the ids that are told, and whether they were known."""
    batch = [
        SubmitMessage(**{name: value for name, value in one.items() if name not in ("id", "what")})
        for one in messages
    ]
    [results] = await site.dispatch.service.submit(TENANT, [batch])
    assert all(isinstance(result, Accepted) for result in results), results
    return [(one.message_id, one.duplicate) for one in results if isinstance(one, Accepted)]


def receipt(phone: str, ref: str) -> DeliverSm:
    text = (
        f"id:{ref} sub:001 dlvrd:001 submit date:2611221200 "
        "done date:2611221201 stat:DELIVRD err:000 text:"
    )
    return DeliverSm(
        source_addr=phone,
        destination_addr="10690001",
        esm_class=RECEIPT,
        short_message=text.encode(),
    )


async def test_every_message_has_the_outcome_that_it_would_have_had(
    known: dict[str, Any], path: str
) -> None:
    messages = known["messages"]
    prompt, slow, mute = (Smsc(first_id=number) for number in (3_000_000_000, 1, 1))
    store = SqliteStore(path)
    routes = [
        RouteOptions(name, [CarrierShare(carrier)], Match(prefix=[prefix]))
        for name, prefix, carrier in (
            ("ended", ENDED, "prompt"),
            ("sent", SENT, "slow"),
            ("doubt", DOUBT, "mute"),
        )
    ]
    shift = known["at"] + LATER - START - trio.current_time()
    carriers = {"prompt": prompt, "slow": slow, "mute": mute}
    with trio.fail_after(60):
        async with prompt.running(), slow.running(), mute.running():
            async with gateway(carriers, store=store, routes=routes, shift=shift) as site:
                again = await submit_again(site, messages)
                for phone, ref in known["refs"]:
                    slow.deliver(receipt(phone, ref))
                while (await store.bounds(TENANT))[1] < len(messages):
                    await trio.sleep(0.05)
                outcomes = await site.outcomes()
                [consumer] = await store.consumers()
            await store.aclose()

    assert again == [(one["id"], True) for one in messages], "a key stands for its message"
    told = {one["id"]: outcomes[one["id"]] for one in messages}
    assert {one["what"]: told[one["id"]]["type"] for one in messages} == OUTCOMES
    assert len(outcomes) == len(messages)
    for one in messages:
        event = told[one["id"]]
        assert (event["key"], event["to"]) == (one["key"], one["to"])
        assert event.get("maybe_duplicate", False) is (one["what"] == "doubt")
    taken = prompt.taken + slow.taken + mute.taken
    sent: Counter[str] = Counter()
    for one in messages:
        sent[one["to"]] = PARTS[one["what"]] * (3 if len(one["text"]) > 160 else 1)
    assert taken == +sent
    assert (consumer.name, consumer.seq, consumer.lag) == ("crm", 3, len(messages) - 3)
