"""What is told of messages that do not move: where they are, how old they are, and why."""

from typing import Any

import msgspec
import pytest
import trio

from gateway.dispatch import gauges
from gateway.queue.scheduler import SchedulerOptions, Share
from gateway.smpp.status import Status


def reasons(world: Any) -> dict[str, float]:
    """How many messages in memory wait for what."""
    found = gauges.held(world.dispatch, world.clock())
    return {reason: count for (*_, reason), count in found.items()}


def ages(world: Any) -> dict[str, int]:
    found = gauges.oldest(world.dispatch, world.clock())
    return {place: round(seconds) for (_, _, place), seconds in found.items()}


async def no_bind(world: Any, make_settings: Any) -> None:
    world.bind.lose()


async def window(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings(window=1)])


async def own_rate(world: Any, make_settings: Any) -> None:
    scheduler = SchedulerOptions(shares={"acme": Share(rate=0.001, burst=1)})
    await world.configure(scheduler=scheduler)


async def carrier_rate(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[make_settings(rate=0.001)])


async def paused(world: Any, make_settings: Any) -> None:
    await world.accepted("first")
    world.bind.lose()
    await world.accepted("second", "third")
    world.dispatch.lanes.pause(lambda key: key.tenant == "acme")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (no_bind, "no_bind"),
        (window, "window_full"),
        (own_rate, "tenant_rate"),
        (carrier_rate, "carrier_rate"),
        (paused, "paused"),
    ],
)
async def test_why_messages_do_not_move(
    world: Any, make_settings: Any, fault: Any, reason: str
) -> None:
    await fault(world, make_settings)
    await world.accepted("a", "b", "c")
    assert reasons(world).keys() == {reason}
    assert sum(reasons(world).values()) >= 2


async def test_a_carrier_that_throttles_is_the_reason(world: Any, make_settings: Any) -> None:
    await world.accepted("a")
    world.bind.reply(status=Status.ESME_RTHROTTLED)
    await world.calm()
    await world.accepted("b")
    assert reasons(world) == {"carrier_rate": 2}


async def test_a_store_that_refuses_is_the_reason_before_all_others(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.dispatch.settling.settle.UNSETTLED", 1)
    await world.accepted("a")
    world.store.failing.add("settle")
    world.bind.reply()
    await world.calm()
    await world.accepted("b")
    assert reasons(world) == {"store_congested": 1}


async def test_the_age_of_the_oldest_grows_though_nothing_moves(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    await world.accepted("at the carrier")
    await trio.sleep(10)
    world.bind.lose()
    await world.accepted("later")
    await trio.sleep(20)
    # The first came back when its bind was lost, and is tried again since; both are in their lane.
    assert ages(world) == {"lane": 20}
    world.bind.come_up()
    await world.calm()
    assert ages(world) == {"carrier": 0}
    await trio.sleep(15)
    assert ages(world) == {"carrier": 15}
    world.bind.reply()
    await trio.sleep(30)
    assert ages(world) == {"receipt": 30}
    world.store.failing.add("oldest")
    await trio.sleep(100)
    assert ages(world) == {"receipt": 130}


async def test_what_is_due_later_has_no_age_and_tells_when_it_goes(world: Any) -> None:
    now = world.clock()
    await world.accepted({"text": "tomorrow", "send_at": now + 7_200})
    await world.dispatch.upkeep.look_at_ages()
    assert ages(world) == {}
    [(labels, seconds)] = gauges.next_due(world.dispatch, world.clock()).items()
    assert labels == ("acme", "transactional")
    assert seconds == pytest.approx(7_200, abs=5)


async def test_limits_stand_beside_what_is_used(world: Any) -> None:
    gauges.feed(world.metrics, world.dispatch, world.clock)
    policies = {
        name: msgspec.structs.replace(one, max_queued=500)
        for name, one in world.options.policies.items()
    }
    await world.configure(
        policies=policies, scheduler=SchedulerOptions(shares={"acme": Share(rate=7)})
    )
    text = world.metrics.snapshot().render().decode()
    for line in (
        'gateway_queued_messages_limit{tenant="acme"} 500.0',
        'gateway_tenant_rate_limit{tenant="acme"} 7.0',
        'gateway_window_size{bind="alpha-1",carrier="alpha"} 10.0',
        "gateway_lane_messages_limit 50000.0",
    ):
        assert line in text


async def test_for_how_long_a_carrier_owes_receipts(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    def silent() -> int:
        seconds: float = world.dispatch.fleet.carriers[0].silent_for(world.clock())
        return round(seconds)

    await world.accepted({"text": "none is asked for", "report": "none"})
    world.bind.reply()
    await trio.sleep(100)
    assert silent() == 0
    await world.accepted("a", "b")
    refs = [ref for _, ref in world.bind.reply()]
    await trio.sleep(60)
    assert silent() == 60
    await world.bind.receipts(make_receipt(refs[0]))
    await trio.sleep(60)
    assert silent() == 0


async def test_what_went_wrong_is_counted_by_why(
    world: Any, make_settings: Any, autojump_clock: object
) -> None:
    def count(name: str) -> dict[tuple[str, ...], float]:
        family = getattr(world.metrics, name).snapshot()()
        return {tuple(s.labels.values()): s.value for s in family.samples if s.value}

    await world.configure(carriers=[make_settings(unanswered="unknown")])
    await world.accepted({"text": "a", "key": "k"}, {"text": "b", "to": "447400123457"})
    await world.submit({"text": "a", "key": "k"})
    assert count("messages_repeated") == {("acme",): 1}
    world.bind.reply(world.bind.sent[0], status=Status.ESME_RINVDSTADR)
    world.bind.lose()
    await world.calm()
    assert count("messages_failed") == {("acme", "carrier_refused"): 1, ("acme", "no_response"): 1}
    assert count("binds_lost") == {("alpha",): 1}
    world.bind.listener.failed(world.bind, "connection refused", 0)
    assert count("binds_failed") == {("alpha",): 1}


async def test_messages_that_may_have_gone_twice_are_counted(world: Any) -> None:
    await world.accepted("a")
    world.bind.lose()
    await world.calm()
    world.bind.come_up()
    await world.deliver()
    family = world.metrics.messages_maybe_duplicate.snapshot()()
    counts = {s.labels["tenant"]: s.value for s in family.samples}
    assert counts == {"acme": 1, "umbrella": 0}


async def test_messages_of_a_tenant_that_is_gone_wait_for_it(world: Any) -> None:
    world.bind.lose()
    await world.accepted("first", "second")
    await world.configure(tenants=world.options.tenants[1:])
    assert reasons(world) == {"tenant_missing": 2}


async def test_opt_outs_are_counted_by_who_said_so(world: Any, make_inbound: Any) -> None:
    def told() -> dict[tuple[str, ...], float]:
        family = world.metrics.optouts.snapshot()()
        return {(s.labels["source"], s.labels["action"]): s.value for s in family.samples}

    phones = ["447400123456", "447400123457", "447400123457"]
    await world.service.optout("acme", "add", phones, "complaint")
    await world.service.optout("acme", "add", phones, "complaint")  # they are there already
    await world.service.optout("acme", "check", phones)
    assert told() == {("complaint", "add"): 2}
    await world.service.optout("acme", "remove", phones[:1], "complaint")
    await world.bind.receipts(make_inbound("STOP", "447400123458"))
    await world.calm()
    await world.bind.receipts(make_inbound("START", "447400123458"))
    await world.calm()
    assert told() == {
        ("complaint", "add"): 2,
        ("complaint", "remove"): 1,
        ("keyword", "add"): 1,
        ("keyword", "remove"): 1,
    }
