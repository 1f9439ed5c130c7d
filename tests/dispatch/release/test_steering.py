"""What pause, resume and cancel do to what was accepted already, wherever it is at that moment."""

from typing import Any

import pytest
import trio

from gateway.api.schema import SubmitMessage
from gateway.dispatch.release import holds
from gateway.dispatch.release.holds import PAUSED
from gateway.dispatch.release.steering import SLICE
from gateway.errors import RequestError, StoreError
from gateway.smpp.status import Status

THROTTLED, QUEUE_FULL = Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL


def of(campaign: str | None, *texts: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"text": text, "campaign": campaign, **fields} for text in texts]


async def cancelled(world: Any, campaign: str) -> int:
    done = await world.service.cancel("acme", [], [], campaign)
    return int(done.cancelled)


# --- pause and resume ---


async def test_a_paused_campaign_waits_and_the_others_go(world: Any) -> None:
    assert await world.service.pause("acme", "spring") == 0
    ids = await world.accepted(*of("spring", "a", "b"), *of("autumn", "c"), "d")
    assert world.bind.texts == ["c", "d"]
    assert await world.service.pause("acme", "spring") == 2
    assert await world.service.resume("acme", "spring", None) == 2
    await world.calm()
    assert world.bind.texts == ["c", "d", "a", "b"]
    await world.deliver()
    assert set((await world.outcomes()).values()) == {"delivered"}
    assert len(ids) == 4
    await world.check_finished()


async def test_a_pause_is_one_tenants_own(world: Any) -> None:
    await world.service.pause("acme", "spring")
    await world.accepted(*of("spring", "a"), tenant="umbrella")
    assert world.bind.texts == ["a"]
    assert await world.service.resume("umbrella", "spring", None) == 0


async def test_a_pause_is_seen(world: Any) -> None:
    sent, *_ = await world.accepted(*of("spring", "a"))
    await world.service.pause("acme", "spring")
    held, other = await world.accepted(*of("spring", "b"), "c")
    found = await world.service.status("acme", [sent, held, other], [])
    assert [one.paused for one in found] == [True, True, False]  # the first may come back yet
    world.bind.reply()
    await world.calm()
    [found] = await world.service.status("acme", [sent], [])
    assert (found.state, found.paused) == ("sent", False)
    quoted = await world.service.quote(
        "acme", [SubmitMessage(to="+447400123456", text="x", campaign=c) for c in CAMPAIGNS]
    )
    assert [one.paused for one in quoted] == [True, False, False]
    await world.dispatch.upkeep.steering.look()
    assert world.dispatch.upkeep.steering.held == {"acme": 1}


CAMPAIGNS = ("spring", "autumn", None)


@pytest.mark.parametrize("status", [THROTTLED, QUEUE_FULL])
async def test_what_a_carrier_refuses_for_now_stops_too(
    world: Any, autojump_clock: Any, status: int
) -> None:
    await world.accepted(*of("spring", "a", "b"))
    await world.service.pause("acme", "spring")
    world.bind.reply(status=status)
    await trio.sleep(300)
    assert world.bind.texts == ["a", "b"]
    assert await world.service.resume("acme", "spring", None) == 2
    await trio.sleep(300)
    assert sorted(world.bind.texts[2:]) == ["a", "b"]


async def test_the_rest_of_a_torn_message_stops_too(world: Any, autojump_clock: Any) -> None:
    await world.accepted(*of("spring", "x" * 300))
    first, second = world.bind.sent
    world.bind.reply(first)
    await world.service.pause("acme", "spring")
    world.bind.reply(second, status=THROTTLED)
    await trio.sleep(60)
    assert len(world.bind.sent) == 2
    await world.service.resume("acme", "spring", None)
    await trio.sleep(60)
    assert len(world.bind.sent) == 3


async def test_a_pause_outlives_the_process(world: Any, open_world: Any) -> None:
    await world.service.pause("acme", "spring")
    await world.accepted(*of("spring", "a"))
    async with open_world(world.store) as again:
        assert again.bind.texts == []
        assert await again.service.resume("acme", "spring", None) == 1
        await again.calm()
        assert again.bind.texts == ["a"]


async def test_what_is_paused_goes_on_ageing(world: Any, autojump_clock: Any) -> None:
    soon = {"expires_at": world.clock() + 60}
    ids = await world.accepted(*of("spring", "a", **soon), *of("autumn", "b", **soon))
    world.bind.lose()
    await world.service.pause("acme", "spring")
    await world.accepted(*of("spring", "c", **soon))
    await trio.sleep(70)
    assert {"expired"} == {(await world.outcomes())[one] for one in ids}
    assert await world.service.resume("acme", "spring", None) == 0


@pytest.mark.parametrize("before", [True, False], ids=["in the store", "in a lane"])
async def test_what_was_paused_can_be_given_more_time(
    world: Any, autojump_clock: Any, before: bool
) -> None:
    soon = {"expires_at": world.clock() + 60}
    if before:
        await world.service.pause("acme", "spring")
        await world.accepted(*of("spring", "a", **soon))
    else:
        world.bind.lose()
        await world.accepted(*of("spring", "a", **soon))
        await world.service.pause("acme", "spring")
    assert await world.service.resume("acme", "spring", 100) == 1
    await trio.sleep(80)
    if not before:
        world.bind.come_up()
    await trio.sleep(5)
    assert world.bind.texts == ["a"]


async def test_a_tenant_pauses_only_so_many(world: Any) -> None:
    for number in range(PAUSED):
        await world.service.pause("acme", f"c{number}")
    await world.service.pause("acme", "c7")
    await world.service.pause("umbrella", "one")
    with pytest.raises(RequestError, match="1000 are paused already"):
        await world.service.pause("acme", "one more")


async def test_a_pause_that_cannot_be_kept_is_none(world: Any) -> None:
    world.store.failing.add("agree")
    with pytest.raises(StoreError):
        await world.service.pause("acme", "spring")
    world.store.failing.clear()
    await world.accepted(*of("spring", "a"))
    assert world.bind.texts == ["a"]


# --- cancel ---


async def test_what_is_in_a_window_is_not_sent_again(world: Any, autojump_clock: Any) -> None:
    ids = await world.accepted(*of("spring", "a", "b"), *of("autumn", "c"))
    assert await cancelled(world, "spring") == 0
    world.bind.reply(status=THROTTLED)
    await trio.sleep(300)
    assert world.bind.texts == ["a", "b", "c", "c"]
    outcomes = await world.outcomes()
    assert [outcomes.get(one) for one in ids] == ["cancelled", "cancelled", None]
    await world.deliver()
    await world.check_finished()


async def test_nor_is_the_rest_of_a_torn_message(world: Any, autojump_clock: Any) -> None:
    [torn] = await world.accepted(*of("spring", "x" * 300))
    first, second = world.bind.sent
    world.bind.reply(first)
    await cancelled(world, "spring")
    world.bind.reply(second, status=THROTTLED)
    await trio.sleep(60)
    assert len(world.bind.sent) == 2
    assert await world.outcomes() == {torn: "cancelled"}
    await world.check_finished()


@pytest.mark.parametrize("by", ["campaign", "id"])
async def test_nor_is_what_is_on_its_way_into_the_store(
    world: Any, autojump_clock: Any, by: str
) -> None:
    [one] = await world.accepted(*of("spring", "a"))
    world.store.failing.add("defer")
    world.bind.reply(status=QUEUE_FULL)
    await world.calm()
    if by == "campaign":
        await cancelled(world, "spring")
    else:
        await world.service.cancel("acme", [one], [], None)
    world.store.failing.clear()
    await trio.sleep(300)
    assert world.bind.texts == ["a"]
    assert await world.outcomes() == {one: "cancelled"}
    await world.check_finished()


async def test_nor_after_a_crash(world: Any, open_world: Any) -> None:
    [one] = await world.accepted(*of("spring", "a"))
    await cancelled(world, "spring")
    async with open_world(world.store) as again:
        assert again.bind.texts == []
        assert await again.outcomes() == {one: "cancelled"}
        await again.check_finished()


async def test_a_message_that_a_carrier_has_may_arrive_all_the_same(world: Any) -> None:
    [one] = await world.accepted(*of("spring", "a"))
    done = await world.service.cancel("acme", [one], [], None)
    assert (done.cancelled, done.results[0].cancelled) == (0, False)
    await world.deliver()
    assert await world.outcomes() == {one: "delivered"}


async def test_a_campaign_of_the_same_name_may_begin_anew(world: Any, autojump_clock: Any) -> None:
    later = {"send_at": world.clock() + 30}
    [old] = await world.accepted(*of("spring", "old", **later))
    assert await cancelled(world, "spring") == 1
    new = await world.accepted(*of("spring", "new", **later), *of("spring", "now"))
    assert world.bind.texts == ["now"]
    await trio.sleep(40)
    assert world.bind.texts == ["now", "new"]
    await world.deliver()
    outcomes = await world.outcomes()
    assert outcomes == {old: "cancelled", **dict.fromkeys(new, "delivered")}


async def test_campaigns_with_nothing_left_are_not_asked_for_again_and_again(
    world: Any, autojump_clock: Any
) -> None:
    await world.accepted(*of("spring", "a", send_at=world.clock() + 3600))
    await cancelled(world, "spring")
    await cancelled(world, "autumn")
    await world.service.pause("acme", "winter")
    asked = world.store.calls["waiting_in"]
    await trio.sleep(1000)
    assert world.store.calls["waiting_in"] < asked + 2 * 12


async def test_a_cancel_ends_a_pause(world: Any) -> None:
    await world.service.pause("acme", "spring")
    await world.accepted(*of("spring", "a"))
    assert await cancelled(world, "spring") == 1
    await world.accepted(*of("spring", "b"))
    assert world.bind.texts == ["b"]


async def test_a_cancel_that_was_kept_holds_though_the_store_refuses_the_rest(
    world: Any, autojump_clock: Any
) -> None:
    world.bind.lose()
    ids = await world.accepted(*of("spring", "a", "b"))
    world.store.failing = {"lease_campaign"}
    assert await cancelled(world, "spring") == 2
    world.bind.come_up()
    await trio.sleep(1)
    world.store.failing.clear()
    await trio.sleep(5)
    assert world.bind.texts == []
    assert await world.outcomes() == dict.fromkeys(ids, "cancelled")
    await world.check_finished()


async def test_a_large_campaign_is_cancelled_behind_the_answer(
    world: Any, autojump_clock: Any
) -> None:
    world.bind.lose()
    count = 2 * SLICE + 100
    for _ in range(count // 100):
        await world.service.submit(
            "acme", [[SubmitMessage(to="+447400123456", text="x", campaign="spring")] * 100]
        )
    assert await cancelled(world, "spring") == count
    assert SLICE <= len(await world.outcomes()) < count
    world.bind.come_up()
    await trio.sleep(3)
    assert list((await world.outcomes()).values()) == ["cancelled"] * count
    assert world.bind.texts == []
    await world.check_finished()


async def test_only_so_many_cancellations_are_remembered(
    world: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "CANCELLED", 20)
    for number in range(20):
        await cancelled(world, f"c{number}")
    kept = len(await world.store.recall("holds"))
    for number in range(100):
        await cancelled(world, f"d{number:02}")
    assert len(await world.store.recall("holds")) < kept * 1.2
    [one] = await world.accepted(*of("d99", "a"))
    await cancelled(world, "d99")
    world.bind.reply(status=THROTTLED)
    await trio.sleep(60)
    assert await world.outcomes() == {one: "cancelled"}


async def test_cancellations_are_forgotten_in_the_end(
    world: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "REMEMBERED", 100.0)
    [one] = await world.accepted(*of("spring", "a"))
    await cancelled(world, "spring")
    await world.service.cancel("acme", [one], [], None)
    kept = len(await world.store.recall("holds"))
    await trio.sleep(110)
    assert len(await world.store.recall("holds")) < kept / 2
