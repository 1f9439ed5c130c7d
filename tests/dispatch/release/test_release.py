"""From the lanes, past the release rules, to a bind; and from the store to the lanes."""

import re
from typing import Any

import pytest
import trio

from gateway.dispatch.carriers.actions import Action
from gateway.dispatch.release import absent
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions
from gateway.message import CATEGORIES
from gateway.policy import chain
from gateway.policy.carrier_hours import CarrierHoursOptions
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.queue.scheduler import SchedulerOptions, Share
from gateway.queue.store import Entry
from gateway.smpp.status import Status
from gateway.smpp.times import parse as parse_time
from tests.dispatch.conftest import TENANTS, carrier_settings

BREAK = chain.PolicyOptions(
    quiet_hours=QuietHoursOptions(
        # It is 15:13:20, British summer time, when a test begins.
        open="08:00-15:20,15:30-20:00",
        categories=frozenset({"otp", "transactional", "marketing"}),
    )
)
CLOSING, OPENING = 400.0, 1000.0
"""Seconds from the beginning of a test."""


async def keep_quiet_hours(world: Any) -> None:
    options = chain.TenantOptions(senders=("10690001",))
    await world.configure(policy=BREAK, policies={**world.options.policies, "acme": options})


async def only_event(world: Any) -> dict[str, Any]:
    [event] = await world.events()
    found: dict[str, Any] = event
    return found


# --- between acceptance and release ---


async def test_an_opt_out_stops_what_is_in_a_lane(world: Any) -> None:
    world.bind.lose()
    [number] = await world.accepted({"key": "k"})
    await world.service.optout("acme", "add", ["447400123456"])
    world.bind.come_up()
    await world.calm()
    assert world.bind.sent == []
    event = await only_event(world)
    assert (event["type"], event["code"], event["message_id"]) == ("blocked", "opted_out", number)
    assert (event["key"], event["detail"]["rule"]) == ("k", "optout")
    await world.check_finished()


async def test_an_opt_out_stops_what_is_to_be_sent_again(
    world: Any, autojump_clock: object
) -> None:
    await world.accepted("a")
    world.bind.reply(status=Status.ESME_RTHROTTLED)
    await world.service.optout("acme", "add", ["447400123456"])
    await trio.sleep(5)
    assert len(world.bind.sent) == 1
    assert (await only_event(world))["type"] == "blocked"
    await world.check_finished()


async def test_an_opt_out_stops_the_rest_of_a_torn_message(
    world: Any, autojump_clock: object
) -> None:
    await world.accepted("x" * 300)
    [first, second] = world.bind.sent
    world.bind.reply(first)
    world.bind.reply(second, status=Status.ESME_RTHROTTLED)
    await world.service.optout("acme", "add", ["447400123456"])
    await trio.sleep(10)
    assert len(world.bind.sent) == 2
    event = await only_event(world)
    assert event["type"] == "blocked"
    assert "maybe_duplicate" not in event
    await world.check_finished()


async def test_hours_that_close_meanwhile_put_it_off(world: Any, autojump_clock: object) -> None:
    await keep_quiet_hours(world)
    world.bind.lose()
    [number] = await world.accepted({"category": "marketing"})
    await trio.sleep(CLOSING)
    world.bind.come_up()
    await world.calm()
    assert world.bind.sent == []
    assert world.counts() == {("acme", "deferred"): 1}
    [status] = await world.service.status("acme", [number], [])
    assert status.state == "deferred"
    await trio.sleep(status.not_before - world.clock() - 0.1)
    assert world.bind.sent == []
    await trio.sleep(1.5)
    assert len(world.bind.sent) == 1
    await world.deliver()
    await world.check_finished()


async def test_a_torn_message_that_is_put_off_says_that_it_may_come_twice(
    world: Any, autojump_clock: object
) -> None:
    await keep_quiet_hours(world)
    await trio.sleep(CLOSING - 100)
    await world.accepted({"text": "x" * 300})
    [first, second] = world.bind.sent
    world.bind.reply(first)
    world.bind.reply(second, status=Status.ESME_RMSGQFUL)
    world.bind.lose()
    await trio.sleep(110)
    world.bind.come_up()
    await trio.sleep(OPENING - CLOSING)
    assert len(world.bind.sent) == 4
    await world.deliver()
    event = await only_event(world)
    assert (event["type"], event["maybe_duplicate"]) == ("delivered", True)
    await world.check_finished()


async def test_and_still_does_where_the_process_ends_before_that_is_on_record(
    open_world: Any, autojump_clock: object
) -> None:
    async with open_world() as world:
        await keep_quiet_hours(world)
        await trio.sleep(CLOSING - 100)
        await world.accepted({"text": "x" * 300})
        [first, second] = world.bind.sent
        world.bind.reply(first)
        world.bind.reply(second, status=Status.ESME_RMSGQFUL)
        world.bind.lose()
        await trio.sleep(110)
        world.store.failing = {"defer"}
        world.bind.come_up()
        await world.calm()
        world.store.failing = set()
        world.nursery.cancel_scope.cancel()
    await world.store.aclose()
    async with open_world(world.store) as after:
        await trio.sleep(OPENING - CLOSING)
        await after.deliver()
        event = await only_event(after)
        assert (event["type"], event["maybe_duplicate"]) == ("delivered", True)


async def test_the_carrier_is_given_no_longer_than_hours_last(world: Any) -> None:
    await keep_quiet_hours(world)
    await world.accepted("a", {"text": "b", "expires_at": world.clock() + 30})
    until_closing, brief = [parse_time(pdu.validity_period, 0.0) for pdu in world.bind.sent]
    assert until_closing == pytest.approx(CLOSING, abs=2)
    assert brief == pytest.approx(30, abs=1)


def validities(world: Any) -> list[float | None]:
    """The seconds that the carrier was given for each part, in the order of sending."""
    return [parse_time(pdu.validity_period, 0.0) for pdu in world.bind.sent]


async def test_a_store_that_stalls_past_the_closing_lets_nothing_through(
    world: Any, autojump_clock: object
) -> None:
    await keep_quiet_hours(world)
    world.bind.lose()
    ids = await world.accepted(*({"to": f"4474001234{n:02}"} for n in range(30)))
    world.store.failing = {"facts"}
    world.bind.come_up()
    await trio.sleep(CLOSING)
    world.store.failing = set()
    await trio.sleep(2)
    assert world.bind.sent == []
    assert set(await world.states(ids)) == {"deferred"}
    await trio.sleep(OPENING - CLOSING)
    assert len(world.bind.sent) == 10


async def test_a_store_that_stalls_past_the_expiry_lets_nothing_through(
    world: Any, autojump_clock: object
) -> None:
    world.bind.lose()
    [number] = await world.accepted({"expires_at": world.clock() + 60})
    world.store.failing = {"facts"}
    world.bind.come_up()
    await trio.sleep(60.5)
    world.store.failing = set()
    await trio.sleep(2)
    assert world.bind.sent == []
    assert await world.outcomes() == {number: "expired"}
    await world.check_finished()


async def test_the_time_that_a_stalled_store_took_is_not_given_to_the_carrier(
    world: Any, autojump_clock: object
) -> None:
    await keep_quiet_hours(world)
    world.bind.lose()
    await world.accepted("a")
    world.store.failing = {"facts"}
    world.bind.come_up()
    await trio.sleep(300)
    world.store.failing = set()
    await trio.sleep(2)
    assert validities(world) == [pytest.approx(CLOSING - 300, abs=3)]


async def test_a_part_that_is_sent_again_is_given_what_time_is_left(
    world: Any, autojump_clock: object
) -> None:
    await keep_quiet_hours(world)
    await world.accepted("x" * 300)
    first, second = world.bind.sent
    world.bind.reply(first)
    world.bind.reply(second, status=Status.ESME_RMSGQFUL)
    await trio.sleep(100)
    again = world.bind.sent[2]
    assert again.short_message == second.short_message
    sent = [pytest.approx(CLOSING, abs=2)] * 2
    assert validities(world)[:2] == sent
    last = validities(world)[2]
    assert last is not None
    assert 290 < last < 380  # 30 seconds or so after the first ones


async def test_parts_that_waited_for_room_are_given_what_time_is_left(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(window=2)])
    await keep_quiet_hours(world)
    await world.accepted("x" * 600)
    assert len(world.bind.sent) == 2
    await trio.sleep(100)
    world.bind.reply()
    assert validities(world) == [pytest.approx(CLOSING - at, abs=2) for at in (0, 0, 100, 100)]


async def test_parts_that_waited_for_room_past_the_closing_wait_for_the_opening(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(window=2)])
    await keep_quiet_hours(world)
    await world.accepted("x" * 600)
    await trio.sleep(CLOSING + 60)
    world.bind.reply()
    await trio.sleep(5)
    assert len(world.bind.sent) == 2
    await trio.sleep(OPENING - CLOSING)
    for _ in range(3):
        await world.deliver()
    event = await only_event(world)
    assert (event["type"], event["maybe_duplicate"]) == ("delivered", True)
    assert len(world.bind.sent) == 6
    await world.check_finished()


async def test_what_has_expired_is_not_sent(world: Any, autojump_clock: object) -> None:
    world.bind.lose()
    [number] = await world.accepted({"expires_at": world.clock() + 60})
    await trio.sleep(59.9)
    assert await world.events() == []
    await trio.sleep(1.5)
    world.bind.come_up()
    await world.calm()
    assert world.bind.sent == []
    assert await world.outcomes() == {number: "expired"}
    await world.check_finished()


async def test_a_text_too_long_for_the_carrier_s_alphabet_fails(
    world: Any, make_settings: Any
) -> None:
    await world.configure(carriers=[make_settings(alphabet="latin1", window=300)])
    await world.accepted("€" + "x" * 30_000)
    event = await only_event(world)
    assert (event["type"], event["code"]) == ("failed", "too_long")
    await world.check_finished()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"to": "4" * 30}, "destination_addr"),
        ({"to": "447400\x00123456"}, "destination_addr"),
        ({"to": "\N{SNOWMAN}"}, "destination_addr"),
        ({"sender": "1" * 30}, "source_addr"),
        ({"sender": "商店"}, "source_addr"),
        ({"text": "half a pair: \ud83d"}, "U+D83D"),
    ],
)
async def test_what_no_pdu_can_hold_ends_that_message_and_nothing_else(
    open_world: Any, make_message: Any, fields: dict[str, str], named: str
) -> None:
    async with open_world() as world:
        world.bind.lose()
        await world.store.accept(
            [Entry(make_message(1, **fields), 0, False), Entry(make_message(2), 0, False)]
        )
    async with open_world(world.store) as after:  # as one that was stored before it was told apart
        await after.calm()
        event = await only_event(after)
        assert (event["type"], event["code"]) == ("failed", "unencodable")
        assert event["detail"]["carrier"] == "alpha"
        assert named in event["detail"]["reason"]
        assert after.bind.texts == ["hello"]
        await after.deliver()
        assert await after.outcomes() == {"1": "failed", "2": "delivered"}
        await after.check_finished()


# --- the hours that carriers keep ---

LATER = CarrierHoursOptions(open="15:30-20:00", categories=frozenset(CATEGORIES))
"""Opens at `OPENING`."""

BRIEFLY = CarrierHoursOptions(open="08:00-15:20", categories=frozenset(CATEGORIES))
"""Closes at `CLOSING`."""


def put_off(world: Any) -> float:
    """How many messages of acme were deferred for the hours of a carrier."""
    found = world.metrics.snapshot().render().decode()
    values = re.findall(
        r'messages_deferred_total\{(?=[^}]*rule="carrier_hours")[^}]*\} (\S+)', found
    )
    return sum(map(float, values))


async def test_a_message_waits_until_its_carrier_opens(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(hours=LATER)])
    ids = await world.accepted(*(f"{n}" for n in range(15)))
    assert world.bind.sent == []
    assert await world.states(ids) == ["deferred"] * 15
    assert put_off(world) == 15
    [status, *_] = await world.service.status("acme", ids, [])
    assert status.not_before == pytest.approx(world.clock() + OPENING, abs=1)
    await trio.sleep(OPENING - 1)
    assert world.bind.sent == []
    await trio.sleep(3)
    for _ in range(3):
        await world.deliver()
    assert world.bind.texts == [f"{n}" for n in range(15)]
    await world.check_finished()


async def test_another_carrier_of_the_route_takes_it(world: Any, make_settings: Any) -> None:
    carriers = [make_settings("alpha", hours=LATER), make_settings("beta")]
    await world.configure(carriers=carriers)
    await world.accepted(*(f"{n}" for n in range(8)))
    assert world.bind.sent == []
    assert world.made["beta-1"].texts == [f"{n}" for n in range(8)]
    assert put_off(world) == 0
    await world.deliver()
    await world.check_finished()


async def test_each_recipient_s_clock_decides(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings("alpha", hours=BRIEFLY), make_settings("beta")])
    await world.accepted(*({"to": "33612345678", "text": f"{n}"} for n in range(5)))
    assert world.bind.sent == []  # it is past four in Paris
    assert len(world.made["beta-1"].sent) == 5
    await world.configure(carriers=[make_settings("alpha", hours=BRIEFLY)])
    await world.accepted("here")
    assert world.bind.texts == ["here"]


async def test_a_backup_takes_what_comes_while_the_first_is_shut(
    world: Any, make_settings: Any
) -> None:
    routes = [RouteOptions("only", [CarrierShare("alpha")], backup=["beta", "gamma"])]
    carriers = [
        make_settings("alpha", hours=LATER),
        make_settings("beta", hours=LATER),
        make_settings("gamma"),
    ]
    await world.configure(carriers=carriers, routes=routes)
    await world.accepted("a")
    assert world.made["gamma-1"].texts == ["a"]


async def test_what_only_a_full_carrier_takes_waits_for_it_in_order(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    carriers = [make_settings("alpha", hours=LATER), make_settings("beta", window=3)]
    await world.configure(carriers=carriers)
    ids = await world.accepted(*(f"{n:02}" for n in range(20)))
    beta = world.made["beta-1"]
    assert beta.texts == ["00", "01", "02"]
    assert (await world.states(ids))[3:] == ["queued"] * 17
    for _ in range(7):
        await world.deliver()
    assert beta.texts == [f"{n:02}" for n in range(20)]
    assert world.bind.sent == []
    assert put_off(world) == 0
    await world.check_finished()


async def test_what_only_a_carrier_that_is_down_takes_goes_out_when_it_is_up(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings("alpha", hours=LATER), make_settings("beta")])
    beta = world.made["beta-1"]
    beta.lose()
    await world.accepted("a")
    await trio.sleep(120)
    assert world.bind.sent == []
    beta.come_up()
    await trio.sleep(31)
    assert beta.texts == ["a"]
    await world.deliver()
    await world.check_finished()


async def test_what_is_urgent_passes_what_waits_for_a_full_carrier(
    world: Any, make_settings: Any
) -> None:
    hours = CarrierHoursOptions(open="15:30-20:00", categories=frozenset({"transactional"}))
    carriers = [make_settings("alpha", hours=hours), make_settings("beta", window=1)]
    await world.configure(carriers=carriers)
    await world.accepted("a", "b")
    await world.accepted({"text": "code", "category": "otp"})
    assert world.made["beta-1"].texts == ["a"]
    assert world.bind.texts == ["code"]


async def test_the_carrier_is_given_no_longer_than_its_hours_last(
    world: Any, make_settings: Any
) -> None:
    await world.configure(carriers=[make_settings(hours=BRIEFLY)])
    await world.accepted("a")
    assert validities(world) == [pytest.approx(CLOSING, abs=2)]


async def test_parts_that_are_to_be_sent_again_wait_for_its_hours_too(
    world: Any, make_settings: Any, make_receipt: Any, autojump_clock: object
) -> None:
    pause = CarrierHoursOptions(open="08:00-15:14,15:30-20:00", categories=frozenset(CATEGORIES))
    # It closes 40 seconds from now.
    await world.configure(carriers=[make_settings(hours=pause)])
    await world.accepted({"text": "x" * 300, "expires_at": world.clock() + 7200})
    assert world.bind.sent == []  # too late already: there is a margin of a minute
    await trio.sleep(OPENING + 1)
    first, second = world.bind.sent
    [(_, ref)] = world.bind.reply(first)
    world.bind.reply(second, status=Status.ESME_RMSGQFUL)
    shut = CarrierHoursOptions(open="16:00-20:00", categories=frozenset(CATEGORIES))
    await world.configure(carriers=[make_settings(hours=shut)])
    await trio.sleep(1700)
    assert len(world.bind.sent) == 2
    await trio.sleep(150)
    assert world.bind.sent[2].short_message == second.short_message
    await world.bind.receipts(make_receipt(ref))
    await world.deliver()
    await world.check_finished()


async def test_a_message_whose_carrier_never_opens_expires(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    never = CarrierHoursOptions(open="closed", categories=frozenset(CATEGORIES))
    await world.configure(carriers=[make_settings(hours=never)])
    [number] = await world.accepted({"expires_at": world.clock() + 500})
    await trio.sleep(480)
    assert await world.outcomes() == {}
    await trio.sleep(40)
    assert await world.outcomes() == {number: "expired"}
    assert world.bind.sent == []
    await world.check_finished()


async def test_a_reload_that_lifts_hours_holds_from_then_on(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings(hours=LATER)])
    await world.accepted("early")
    await world.configure(carriers=[make_settings()])
    await world.accepted("late")
    assert world.bind.texts == ["late"]


# --- routes and tenants that a reload takes away ---


def route(name: str, carrier: str, **match: Any) -> RouteOptions:
    return RouteOptions(name, [CarrierShare(carrier)], Match(**match))


async def test_messages_of_a_removed_route_take_another(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    carriers = [make_settings("alpha"), make_settings("beta")]
    await world.configure(carriers=carriers, routes=[route("old", "alpha")])
    world.bind.lose()
    ids = await world.accepted(*(f"{n}" for n in range(5)), {"send_at": world.clock() + 0.01})
    await world.configure(routes=[route("new", "beta")])
    await trio.sleep(2)
    assert len(world.made["beta-1"].sent) == 6
    assert world.bind.sent == []
    await world.deliver()
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")
    await world.check_finished()


@pytest.fixture
def held_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent, "HOLD", 3600.0)


@pytest.mark.usefixtures("held_for_an_hour")
async def test_what_no_route_takes_any_more_waits_for_one(
    world: Any, autojump_clock: object
) -> None:
    await world.configure(routes=[route("old", "alpha")])
    world.bind.lose()
    [back, gone] = await world.accepted("back", {"text": "gone", "to": "8613800000000"})
    otp = route("otp", "alpha", category=["otp"])
    await world.configure(routes=[otp])
    world.bind.come_up()
    await trio.sleep(2000)
    assert world.counts() == {("acme", "deferred"): 2}
    await world.configure(routes=[otp, route("new", "alpha", prefix=["44"])])
    await trio.sleep(absent.LOOK + 1)
    assert world.bind.texts == ["back"]
    await world.deliver()
    await trio.sleep(1800)
    assert await world.outcomes() == {back: "delivered", gone: "failed"}
    assert (await world.events())[1]["code"] == "no_route"
    await world.check_finished()


@pytest.mark.usefixtures("held_for_an_hour")
async def test_messages_of_a_removed_tenant_wait_for_it(world: Any, autojump_clock: object) -> None:
    await world.configure(routes=[route("old", "alpha")])
    ids = await world.accepted(*(f"{n}" for n in range(11)), {"send_at": world.clock() + 60})
    world.bind.reply(*world.bind.sent[:9])
    await world.configure(tenants=world.options.tenants[1:])
    world.bind.reply(status=Status.ESME_RTHROTTLED)
    await trio.sleep(3500)
    assert len(world.bind.sent) == 10
    assert await world.outcomes() == {}
    await world.configure(tenants=TENANTS)
    await trio.sleep(5)
    assert world.bind.texts == [*(f"{n}" for n in range(10)), "9", "10", "hello"]
    assert await world.states(ids[:9]) == ["sent"] * 9


@pytest.mark.usefixtures("held_for_an_hour")
async def test_and_are_cancelled_in_the_end(open_world: Any, autojump_clock: object) -> None:
    async with open_world() as before:
        before.bind.lose()
        await before.accepted("a", {"text": "b", "expires_at": before.clock() + 1000})
        await before.configure(tenants=before.options.tenants[1:])
        await trio.sleep(500)
        before.nursery.cancel_scope.cancel()
    await before.store.aclose()
    async with open_world(before.store, tenants=TENANTS[1:]) as after:
        await trio.sleep(2500)
        assert [event["code"] for event in await after.events()] == ["expired"]
        await trio.sleep(800)
        assert after.bind.sent == []
        event = (await after.events())[1]
        assert (event["type"], event["code"]) == ("cancelled", "tenant_removed")
        await after.check_finished()


# --- carriers that refuse or are gone ---


async def test_another_carrier_takes_what_one_refused(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings("alpha"), make_settings("beta")])
    [number] = await world.accepted("a")
    first, second = world.made["alpha-1"], world.made["beta-1"]
    first.reply(status=Status.ESME_RINVSRCADR)
    await world.calm()
    assert (len(first.sent), len(second.sent)) == (1, 1)
    await world.deliver()
    assert await world.outcomes() == {number: "delivered"}
    await world.check_finished()


async def test_a_message_that_waits_for_the_other_carrier_goes_out_when_that_is_up(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings("alpha"), make_settings("beta")])
    alpha, beta = world.made["alpha-1"], world.made["beta-1"]
    beta.lose()
    await world.accepted("a")
    alpha.reply(status=Status.ESME_RINVSRCADR)
    await trio.sleep(60)
    assert len(alpha.sent) == 1
    beta.come_up()
    await trio.sleep(6)
    assert len(beta.sent) == 1
    await world.deliver()
    await world.check_finished()


async def test_a_backup_gets_what_the_first_refused_while_it_is_up(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    routes = [RouteOptions("only", [CarrierShare("alpha")], backup=["beta"])]
    carriers = [make_settings("alpha"), make_settings("beta")]
    await world.configure(carriers=carriers, routes=routes)
    await world.accepted("a")
    world.made["alpha-1"].reply(status=Status.ESME_RINVSRCADR)
    await world.calm()
    assert len(world.made["beta-1"].sent) == 1


async def test_a_lost_bind_s_messages_go_out_again_marked(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    ids = await world.accepted(*(f"{n}" for n in range(12)))
    for _, ref in world.bind.reply(*world.bind.sent[:2]):
        await world.bind.receipts(make_receipt(ref))
    world.bind.lose()
    await trio.sleep(3)
    world.bind.come_up()
    for _ in range(5):
        await world.deliver()
    texts = world.bind.texts
    assert sorted(texts[10:], key=int) == [f"{n}" for n in range(2, 12)]
    events = {event["message_id"]: event for event in await world.events()}
    marked = [event.get("maybe_duplicate", False) for event in map(events.get, ids[2:]) if event]
    assert marked == [True] * 8 + [False] * 2
    await world.check_finished()


async def test_the_mark_of_a_torn_message_lasts_as_long(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    [number] = await world.accepted("x" * 300)
    first, second = world.bind.sent
    world.bind.reply(first, ids=["m1"])
    world.bind.time_out(second)
    await trio.sleep(2)
    world.bind.reply(ids=["m2"])
    await world.calm()
    assert await world.states([number]) == ["sent"]
    world.forget_parts()
    await world.bind.receipts(make_receipt("m1"), make_receipt("m2"))
    await world.calm()
    event = await only_event(world)
    assert (event["type"], event["maybe_duplicate"]) == ("delivered", True)


async def test_the_mark_lasts_until_a_receipt_is_matched_in_the_store(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    await world.accepted("a")
    world.bind.time_out()
    await trio.sleep(2)
    [(_, ref)] = world.bind.reply()
    await world.calm()
    world.forget_parts()
    await world.bind.receipts(make_receipt(ref))
    await world.calm()
    assert (await only_event(world))["maybe_duplicate"]


# --- pace ---


async def test_a_tenant_s_rate_is_kept(world: Any, autojump_clock: object) -> None:
    options = SchedulerOptions(shares={"acme": Share(rate=5, burst=5)})
    await world.configure(scheduler=options)
    await world.accepted(*(f"{n}" for n in range(30)))
    assert len(world.bind.sent) == 5
    for _ in range(20):
        world.bind.reply()
        await trio.sleep(0.1)
    assert len(world.bind.sent) == pytest.approx(15, abs=1)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.75])
async def test_a_tenant_s_rate_counts_what_carriers_take(
    world: Any, make_settings: Any, autojump_clock: object, share: float
) -> None:
    busy = {0x400: Action("wait", delay=30, tries=4)}
    await world.configure(
        carriers=[make_settings(window=100, statuses=busy)],
        scheduler=SchedulerOptions(shares={"acme": Share(rate=5, burst=5)}),
    )
    await world.accepted(*(f"{n}" for n in range(500)))
    taken = 0
    for _ in range(200):
        for pdu, _ in list(world.bind.flying):
            refused = int(pdu.short_message) % 4 < 4 * share
            world.bind.reply(pdu, status=0x400 if refused else 0)
            taken += not refused
        await trio.sleep(0.1)
    assert taken == pytest.approx(5 + 5 * 20, abs=3)


async def test_what_is_not_sent_after_all_costs_nothing_of_a_tenant_s_rate(
    world: Any, autojump_clock: object
) -> None:
    await world.configure(scheduler=SchedulerOptions(shares={"acme": Share(rate=1, burst=8)}))
    world.bind.lose()
    phones = [f"4474001234{n:02}" for n in range(16)]
    await world.accepted(*({"to": to} for to in phones))
    await world.service.optout("acme", "add", phones[::2])
    world.bind.come_up()
    await trio.sleep(0.1)
    assert [pdu.destination_addr for pdu in world.bind.sent] == phones[1::2]


async def test_a_carrier_s_rate_is_kept(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(rate=10, window=100)])
    await world.accepted(*(f"{n}" for n in range(50)))
    await trio.sleep(2)
    assert len(world.bind.sent) == pytest.approx(21, abs=2)


async def test_a_window_is_used_to_the_full(world: Any) -> None:
    await world.accepted(*(f"{n}" for n in range(25)))
    assert len(world.bind.flying) == 10
    world.bind.reply(*world.bind.sent[:3])
    await world.calm()
    assert len(world.bind.flying) == 10


@pytest.mark.parametrize(
    ("binds", "in_flight"),
    [
        pytest.param(2, 15, id="the other bind has room for some"),
        pytest.param(2, 19, id="the other bind is full"),
        pytest.param(1, 4, id="there is no other bind"),
    ],
)
async def test_a_bind_that_is_lost_while_opt_outs_are_looked_up_parks_nothing(
    world: Any,
    make_settings: Any,
    make_receipt: Any,
    binds: int,
    in_flight: int,
) -> None:
    await world.configure(carriers=[make_settings(binds=binds)])
    ids = await world.accepted(*(f"{n}" for n in range(in_flight)))
    look_up = world.store.facts

    async def slowly(*arguments: Any) -> Any:
        del world.store.facts
        await trio.lowlevel.checkpoint()
        world.bind.lose()
        return await look_up(*arguments)

    if binds == 2:  # the first one has most room, until it is lost
        for _, ref in world.bind.reply():
            await world.bind.receipts(make_receipt(ref))
        await world.calm()
    world.store.facts = slowly
    ids += await world.accepted(*(f"{n}" for n in range(in_flight, in_flight + 10)))
    await world.calm()
    world.bind.come_up()
    for _ in range(5):
        await world.deliver()
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")
    await world.check_finished()


async def test_a_long_message_goes_out_through_a_small_window(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    await world.configure(carriers=[make_settings(window=4)])
    ids = await world.accepted("x" * 1500, "y" * 1500, "z")
    for _ in range(12):
        await world.deliver()
    assert [pdu.short_message[-1:] for pdu in world.bind.sent] == (
        [b"x"] * 10 + [b"y"] * 10 + [b"z"]
    )
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")
    await world.check_finished()


# --- the backlog ---


async def test_a_dead_route_holds_up_nobody_else(world: Any, make_settings: Any) -> None:
    routes = [route("china", "beta", prefix=["86"]), route("rest", "alpha")]
    carriers = [make_settings("alpha"), make_settings("beta")]
    await world.configure(carriers=carriers, routes=routes)
    world.made["beta-1"].lose()
    await world.accepted(*({"to": "8613800000000"} for _ in range(20)), "through")
    assert world.bind.texts == ["through"]


@pytest.mark.parametrize("before", [30, 200])
async def test_what_the_least_validity_would_carry_past_the_hours_waits(
    world: Any, autojump_clock: object, before: float
) -> None:
    await keep_quiet_hours(world)
    await world.configure(carriers=[carrier_settings(min_validity=100)])
    await trio.sleep(CLOSING - before)
    [number] = await world.accepted("a")
    await world.calm()
    if before == 200:
        [pdu] = world.bind.sent
        assert parse_time(pdu.validity_period, 0.0) == pytest.approx(200, abs=2)
    else:
        assert world.bind.sent == []
        await trio.sleep(before + 1)
        assert world.counts() == {("acme", "deferred"): 1}
        [status] = await world.service.status("acme", [number], [])
        assert status.not_before - world.clock() == pytest.approx(OPENING - CLOSING, abs=90)
