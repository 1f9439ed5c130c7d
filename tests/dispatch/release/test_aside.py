"""What is counted for stats on a message's way, and what waits aside for a settlement."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from gateway.dispatch.release import aside
from gateway.dispatch.release.aside import Aside
from gateway.policy import chain
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.queue.tallies import HOUR

SECOND = 1.01
SPRING = {"campaign": "spring", "variant": "a"}


async def counted(world: Any, tenant: str = "acme") -> dict[Any, int]:
    """What is counted once all is settled: by campaign, variant, carrier and code."""
    await trio.sleep(SECOND)
    now = int(world.clock() // HOUR)
    rows, _ = await world.store.stats(tenant, None, now - 100, now + 1, 1_000)
    return {tuple(row[1:5]): row.number for row in rows}


async def test_the_way_of_a_message_is_counted(world: Any, autojump_clock: MockClock) -> None:
    await world.accepted(SPRING | {"text": "x" * 200}, SPRING, {"text": "other"})
    assert await counted(world) == {
        ("spring", "a", "", "accepted"): 2,
        (None, None, "", "accepted"): 1,
    }
    await world.deliver()
    assert await counted(world) == {
        ("spring", "a", "", "accepted"): 2,
        ("spring", "a", "alpha", "sent"): 2,
        ("spring", "a", "alpha", "parts"): 3,
        ("spring", "a", "alpha", "ended delivered"): 2,
        (None, None, "", "accepted"): 1,
        (None, None, "alpha", "sent"): 1,
        (None, None, "alpha", "parts"): 1,
        (None, None, "alpha", "ended delivered"): 1,
    }
    await world.check_finished()


async def test_without_receipts_it_is_sent_and_ended_so(
    world: Any, autojump_clock: MockClock
) -> None:
    await world.accepted(SPRING | {"report": "none"})
    world.bind.reply()
    await world.calm()
    assert await counted(world) == {
        ("spring", "a", "", "accepted"): 1,
        ("spring", "a", "alpha", "sent"): 1,
        ("spring", "a", "alpha", "parts"): 1,
        ("spring", "a", "alpha", "ended sent"): 1,
    }


async def test_what_a_carrier_refuses_is_not_sent(world: Any, autojump_clock: MockClock) -> None:
    await world.accepted(SPRING)
    world.bind.reply(status=0x0B)  # ESME_RINVDSTADR
    await world.calm()
    assert await counted(world) == {
        ("spring", "a", "", "accepted"): 1,
        ("spring", "a", "alpha", "ended failed carrier_refused"): 1,
    }


async def test_what_is_refused_is_counted_by_its_code(
    world: Any, autojump_clock: MockClock
) -> None:
    await world.submit(
        SPRING | {"to": "12"},
        SPRING | {"to": "12"},
        SPRING | {"text": ""},
        {"to": "12", "campaign": "x" * 65, "variant": "x" * 17},
    )
    assert await counted(world) == {
        ("spring", "a", "", "refused invalid_recipient"): 2,
        ("spring", "a", "", "refused empty_text"): 1,
        (None, None, "", "refused invalid_recipient"): 1,
    }


async def test_a_key_that_comes_again_is_counted_once(
    world: Any, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        await world.submit(SPRING | {"key": "k"})
    assert await counted(world) == {("spring", "a", "", "accepted"): 1}


async def test_what_rules_put_off_is_counted_each_time(
    world: Any, autojump_clock: MockClock
) -> None:
    hours = QuietHoursOptions(open="20:00-21:00", categories=frozenset({"transactional"}))
    options = chain.TenantOptions(senders=("10690001",))
    await world.configure(
        policy=chain.PolicyOptions(quiet_hours=hours),
        policies={**world.options.policies, "acme": options},
    )
    batch = (SPRING | {"key": "k"}, SPRING | {"variant": "b", "key": "l"}, SPRING | {"key": "m"})
    for _ in range(2):  # what comes again under a key is not put off again
        await world.submit(*batch)
    accepted = {
        ("spring", "a", "", "accepted"): 2,
        ("spring", "b", "", "accepted"): 1,
        ("spring", "a", "", "deferred quiet_hours"): 2,
        ("spring", "b", "", "deferred quiet_hours"): 1,
    }
    assert await counted(world) == accepted


async def test_nothing_is_written_where_nothing_was_counted(
    world: Any, autojump_clock: MockClock
) -> None:
    await trio.sleep(10.0)
    before = world.store.calls["settle"]
    await world.submit({"to": "12"})
    assert await counted(world) == {(None, None, "", "refused invalid_recipient"): 1}
    await trio.sleep(10.0)
    assert world.store.calls["settle"] == before + 1


async def test_counts_that_the_store_does_not_take_are_not_lost(
    world: Any, autojump_clock: MockClock
) -> None:
    world.store.failing = {"settle"}
    await world.submit({"to": "12"})
    await trio.sleep(10.0)
    await world.submit({"to": "12"})
    world.store.failing = set()
    await trio.sleep(10.0)
    assert await counted(world) == {(None, None, "", "refused invalid_recipient"): 2}


async def test_texts_from_phones_count_for_the_campaign_last_texted(
    world: Any, make_inbound: Callable[..., Any], autojump_clock: MockClock
) -> None:
    await world.accepted(SPRING, SPRING | {"variant": "b", "to": "447400123457"})
    await world.accepted({"text": "your code", "to": "447400123457"})
    await world.deliver()
    await world.bind.receipts(
        make_inbound("thanks"),
        make_inbound("STOP"),
        make_inbound("hello", phone="447400123457"),
        make_inbound("hello", phone="447400123458"),
    )
    await world.calm()
    found = await counted(world)
    assert {key: n for key, n in found.items() if key[3] in ("inbound", "optouts")} == {
        ("spring", "a", "alpha", "inbound"): 2,
        ("spring", "a", "alpha", "optouts"): 1,
        ("spring", "b", "alpha", "inbound"): 1,
        (None, None, "alpha", "inbound"): 1,
    }


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "MOST", 2)
    counts = Aside()
    for number in range(4):
        counts.note("acme", f"c{number}", None, "refused expired")
    counts.note("acme", "c1", None, "refused expired", 5)
    assert counts
    assert counts.take() == {
        ("acme", "c0", None, "", "refused expired"): 1,
        ("acme", "c1", None, "", "refused expired"): 6,
        ("acme", None, None, "", "refused expired"): 2,
    }
    assert not counts
