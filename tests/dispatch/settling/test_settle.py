"""Making durable what carriers answer."""

from typing import Any

import pytest
import structlog
import trio
import trio.testing

from gateway.dispatch.settling import settle
from gateway.queue.scheduler import SchedulerOptions, Share
from gateway.queue.store import Ref
from gateway.smpp.status import Status

TENANTS = ("acme", "umbrella")


async def test_a_receipt_is_answered_only_once_it_is_durable(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    [message] = await world.accepted("a")
    [(_, ref)] = world.bind.reply()
    await world.calm()
    world.store.failing = {"settle"}
    await world.bind.receipts(make_receipt(ref))
    await trio.sleep(30)
    assert world.bind.answered == []
    assert world.dispatch.failing
    world.store.failing = set()
    await trio.sleep(2)
    assert world.bind.answered == [1]
    assert not world.dispatch.failing
    assert await world.outcomes() == {message: "delivered"}


async def test_a_store_that_fails_for_a_while_costs_nothing(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    ids = await world.accepted(*"abcdef")
    world.store.failing = {"settle", "defer", "match", "facts", "lease", "overdue", "expired"}
    taken = world.bind.reply(*[pdu for pdu, _ in world.bind.flying[:3]])
    world.bind.reply(world.bind.flying[0][0], status=Status.ESME_RTHROTTLED)
    world.bind.reply(world.bind.flying[0][0], status=Status.ESME_RSYSERR)
    world.bind.time_out()
    await world.bind.receipts(*(make_receipt(ref) for _, ref in taken))
    await world.bind.receipts(make_receipt("stray"))
    await trio.sleep(20)
    world.store.failing = set()
    await trio.sleep(20)
    await world.deliver()
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")
    assert sorted(world.bind.answered) == list(range(1, len(world.bind.answered) + 1))
    await world.check_finished()


async def test_a_store_that_fails_is_told_once_a_minute_and_when_it_is_over(
    world: Any, autojump_clock: object
) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):  # what comes soon after is news too
            await world.accepted("a")
            world.store.failing = {"settle"}
            world.bind.reply()
            await trio.sleep(150.5)
            world.store.failing = set()
            await trio.sleep(5)
    told = [(line["event"], line["log_level"]) for line in lines]
    failed, recovered = ("store_failed", "error"), ("store_recovered", "info")
    assert told == [failed, failed, failed, recovered] * 2
    assert {line["reason"] for line in lines if "reason" in line} == {"disk: is full"}
    assert [line["seconds"] for line in lines if "seconds" in line] == [151, 151]


async def test_upkeep_that_fails_is_told_once_a_minute_for_each_job(
    world: Any, autojump_clock: object
) -> None:
    with structlog.testing.capture_logs() as lines:
        world.store.failing = {"expired", "overdue"}
        await trio.sleep(150)
    jobs = [line["job"] for line in lines if line["event"] == "upkeep_failed"]
    assert sorted(jobs) == ["expire_in_store"] * 3 + ["give_up_receipts"] * 3


async def test_what_gathered_meanwhile_is_one_commit(world: Any, make_receipt: Any) -> None:
    await world.submit(*(f"{n}" for n in range(10)))
    world.store.calls.clear()
    for pdu, _ in list(world.bind.flying):
        [(_, ref)] = world.bind.reply(pdu)
        await world.bind.receipts(make_receipt(ref))
    await world.calm()
    assert world.store.calls["settle"] <= 2
    assert len(await world.outcomes()) == 10


async def test_a_round_that_fails_does_not_undo_a_later_one(
    world: Any, make_receipt: Any, autojump_clock: object
) -> None:
    [message] = await world.accepted("long " * 80)
    first, second, third = [ref for _, ref in world.bind.reply()]
    await world.calm()
    world.store.failing = {"settle"}
    await world.bind.receipts(make_receipt(first))
    await world.calm()
    world.store.failing = set()
    await world.bind.receipts(make_receipt(second))
    await world.calm()
    await trio.sleep(2)
    world.forget_parts()
    await world.bind.receipts(make_receipt(third))
    await world.calm()
    assert await world.outcomes() == {message: "delivered"}


async def test_rounds_are_some_time_apart_unless_much_waits(
    world: Any, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    monkeypatch.setattr(settle, "INTERVAL", 10.0)
    monkeypatch.setattr(settle, "PRESSING", 3)
    await trio.sleep(1)

    async def settled_within(seconds: float, answers: int) -> bool:
        await world.submit(*(f"{n}" for n in range(answers)))
        world.store.calls.clear()
        for pdu, _ in list(world.bind.flying):
            world.bind.reply(pdu)
        await trio.sleep(seconds)
        return bool(world.store.calls["settle"])

    assert await settled_within(0.1, 1)  # the first of them, which starts the interval
    assert not await settled_within(9.0, 2)
    assert await settled_within(1.0, 1)
    assert await settled_within(0.1, 3)


async def test_too_much_unsettled_stops_reading_and_submitting(
    world: Any, make_receipt: Any, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    monkeypatch.setattr(settle, "UNSETTLED", 5)
    monkeypatch.setattr(settle, "UNANSWERED_DELIVERIES", 5)
    await world.submit(*"abcdefgh")
    world.store.failing = {"settle"}
    refs = [ref for _, ref in world.bind.reply()]
    await world.calm()
    await world.submit("late")
    await trio.sleep(3)
    assert "late" not in world.bind.texts
    with trio.move_on_after(10) as reading:
        await world.bind.receipts(*map(make_receipt, refs))
    assert reading.cancelled_caught
    world.store.failing = set()
    await trio.sleep(2)
    assert "late" in world.bind.texts
    assert len(await world.outcomes()) == 8


class Steps(trio.abc.Instrument):
    """Counts what all tasks do."""

    def __init__(self) -> None:
        self.taken = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1


async def test_a_store_that_refuses_costs_no_work_while_a_tenant_could_send(
    world: Any, monkeypatch: pytest.MonkeyPatch, mock_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(settle, "UNSETTLED", 5)
    await world.configure(scheduler=SchedulerOptions(shares={"acme": Share(rate=5, burst=5)}))
    await world.submit(*"abcdefgh")
    world.store.failing = {"settle"}
    world.bind.reply()
    await world.calm()
    mock_clock.jump(0.5)  # by its rate, the tenant could go on
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    for _ in range(100):
        await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(steps)
    mock_clock.autojump_threshold = 0.0
    assert steps.taken < 130
    assert world.bind.texts == [*"abcde"]
    world.store.failing = set()
    await trio.sleep(1)
    assert world.bind.texts == [*"abcdefgh"]


async def test_messages_go_back_to_the_lanes_they_came_from(
    world: Any, autojump_clock: object
) -> None:
    ids = {tenant: await world.accepted("a", "b", tenant=tenant) for tenant in TENANTS}
    world.bind.reply(status=Status.ESME_RTHROTTLED)
    await world.calm()
    # Who is opted out of one tenant's texts is told by the lane: it must be the right one's.
    await world.service.optout("acme", "add", ["447400123456"])
    await trio.sleep(10)
    await world.deliver()
    assert await world.outcomes("acme") == dict.fromkeys(ids["acme"], "blocked")
    assert await world.outcomes("umbrella") == dict.fromkeys(ids["umbrella"], "delivered")
    assert world.bind.texts[4:] == ["a", "b"]
    await world.check_finished()


async def test_what_was_refused_for_now_keeps_its_place(world: Any, autojump_clock: object) -> None:
    await world.submit(*(f"{n:02}" for n in range(30)))
    for pdu, _ in list(world.bind.flying)[::-1]:  # answers come in any order
        world.bind.reply(pdu, status=Status.ESME_RTHROTTLED)
    for _ in range(30):
        await trio.sleep(1)
        world.bind.reply()
    assert world.bind.texts[10:] == [f"{n:02}" for n in range(30)]


async def test_metrics_count_each_outcome_once(world: Any, make_receipt: Any) -> None:
    await world.submit("a")
    [(_, ref)] = world.bind.reply()
    await world.bind.receipts(make_receipt(ref), make_receipt(ref))
    await world.calm()
    rendered = world.metrics.snapshot().render().decode()
    assert 'gateway_messages_final_total{outcome="delivered",tenant="acme"} 1.0' in rendered
    assert 'gateway_receipts_total{carrier="alpha",state="DELIVRD"} 2.0' in rendered
    assert 'gateway_delivery_seconds_count{carrier="alpha"} 1.0' in rendered


async def test_a_round_knows_what_the_round_before_it_records(
    world: Any, make_receipt: Any
) -> None:
    ids = []
    refs = []
    for pause in range(100):
        ids += await world.accepted("a")
        [(_, ref)] = world.bind.reply()
        refs.append(Ref("alpha", ref))
        await world.bind.receipts(make_receipt(f"stray-{pause}"))  # is looked for in the store
        for _ in range(pause % 10):
            await trio.lowlevel.checkpoint()
        await world.bind.receipts(make_receipt(ref))
        await world.calm()
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")
    await world.check_finished()
    assert not await world.store.match(refs)  # nothing is kept of a part whose message is over


async def test_why_messages_were_put_off_is_counted(world: Any, autojump_clock: object) -> None:
    """By the sender's own wish, or because the carrier refused them for now."""
    await world.submit({"send_at": world.clock() + 600}, {"send_at": world.clock() - 5}, "now")
    await trio.sleep(1)
    assert len(world.bind.flying) == 2
    world.bind.reply(world.bind.flying[0][0], status=Status.ESME_RSYSERR)
    await trio.sleep(1)
    rendered = world.metrics.snapshot().render().decode()
    assert 'gateway_messages_deferred_total{rule="send_at",tenant="acme"} 1.0' in rendered
    assert 'gateway_messages_deferred_total{rule="retry",tenant="acme"} 1.0' in rendered
