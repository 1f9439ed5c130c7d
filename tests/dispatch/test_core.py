"""Whole flows: from submission over a carrier to the event and its acknowledgement."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.smpp.status import Status

OpenWorld = Callable[..., AbstractAsyncContextManager[Any]]


async def test_from_submission_to_acknowledgement(world: Any, make_receipt: Any) -> None:
    subscription = await world.service.subscribe("acme", "crm", "acked")
    [result] = await world.submit(
        {"text": "hello", "key": "k", "campaign": "spring", "variant": "b"}
    )
    assert world.counts() == {("acme", "queued"): 1}
    [(pdu, ref)] = world.bind.reply()
    assert (pdu.destination_addr, pdu.short_message) == ("447400123456", b"hello")
    await world.calm()
    assert world.counts() == {("acme", "sent"): 1}
    await world.bind.receipts(make_receipt(ref))
    with trio.fail_after(5):
        [(count, body)] = await subscription.receive()
    assert count == 1
    event = msgspec.msgpack.decode(body)
    assert event.pop("at") >= world.clock() - 5
    assert event["detail"].pop("sent_at") >= world.clock() - 5
    assert event == {
        "seq": 1,
        "type": "delivered",
        "message_id": result.message_id,
        "key": "k",
        "to": "447400123456",
        "campaign": "spring",
        "variant": "b",
        "parts": 1,
        "detail": {"carrier": "alpha"},
    }
    assert await world.service.acknowledge("acme", "crm", 1) == 1
    assert world.bind.answered == [1]
    await world.check_finished()


async def test_thousands_of_messages_over_two_carriers(world: Any, make_settings: Any) -> None:
    carriers = [make_settings(name, binds=2, window=200) for name in ("alpha", "beta")]
    await world.configure(carriers=carriers)
    ids = []
    for batch in range(10):
        tenant = "acme" if batch % 2 else "umbrella"
        ids += await world.accepted(
            *({"to": f"4474001{n:05}", "text": "x" * (10 + n % 400)} for n in range(200)),
            tenant=tenant,
        )
    while world.counts():
        await world.deliver()
    outcomes = {**await world.outcomes("acme"), **await world.outcomes("umbrella")}
    assert outcomes == dict.fromkeys(ids, "delivered")
    sent = [len(world.made[name].sent) for name in ("alpha-1", "alpha-2", "beta-1", "beta-2")]
    assert all(sent)
    assert sent[0] + sent[1] == pytest.approx(sum(sent) / 2, rel=0.1)
    await world.check_finished()


async def test_without_a_carrier_messages_wait(world: Any, make_settings: Any) -> None:
    await world.configure(carriers=[])
    ids = await world.accepted("a", "b")
    assert world.counts() == {("acme", "queued"): 2}
    await world.configure(carriers=[make_settings()])
    await world.deliver()
    assert await world.outcomes() == dict.fromkeys(ids, "delivered")


# --- the end of a process, and the next one ---


async def finish(world: Any, seconds: float = 20.0) -> None:
    """Take and deliver everything for a while."""
    with trio.move_on_after(seconds):
        while True:
            await world.deliver()
            await trio.sleep(0.5)


async def test_what_a_process_leaves_in_order_the_next_one_sends(
    open_world: OpenWorld, autojump_clock: object
) -> None:
    async with open_world() as before:
        texts = [f"{n}" for n in range(15)]
        ids = await before.accepted(*texts, {"send_at": before.clock() + 50})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(before.dispatch.drain)
            await before.calm()
            before.bind.reply()
        assert before.bind.texts == texts[:10]
        before.nursery.cancel_scope.cancel()
    await before.store.aclose()
    async with open_world(before.store) as after:
        assert after.bind.texts == texts[10:]
        assert after.counts() == {
            ("acme", "sent"): 10,
            ("acme", "queued"): 5,
            ("acme", "deferred"): 1,
        }
        await finish(after, 60)
        events = {event["message_id"]: event for event in await after.events()}
        assert list(events) == ids[10:]
        assert not any(event.get("maybe_duplicate") for event in events.values())
        assert after.counts() == {("acme", "sent"): 10}


async def test_what_was_in_a_window_at_the_end_is_marked_though_the_store_is_closed_in_order(
    open_world: OpenWorld, autojump_clock: object
) -> None:
    async with open_world() as before:
        in_flight, torn, waiting = await before.accepted(
            "in flight", "t" * 300, {"send_at": before.clock() + 5}
        )
        _, first, second = before.bind.sent
        before.bind.reply(first)
        before.bind.reply(second, status=Status.ESME_RMSGQFUL)
        await before.calm()
        before.nursery.cancel_scope.cancel()
    await before.store.aclose()
    async with open_world(before.store) as after:
        await finish(after)
        events = {event["message_id"]: event for event in await after.events()}
        marks = {number: event.get("maybe_duplicate", False) for number, event in events.items()}
        assert marks == {in_flight: True, torn: True, waiting: False}
        await after.check_finished()


async def test_a_long_message_that_is_half_handed_over_is_completed_at_the_end(
    open_world: OpenWorld, make_settings: Any, autojump_clock: object
) -> None:
    async with open_world(carriers=[make_settings(window=4)]) as before:
        long, waiting = await before.accepted("x" * 1300, "waiting")
        assert len(before.bind.sent) == 4
        before.bind.reply(*before.bind.sent[:3])
        before.bind.reply(before.bind.sent[3], status=Status.ESME_RTHROTTLED)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(before.dispatch.drain)
            for _ in range(20):
                await trio.sleep(0.5)
                before.bind.reply()
        before.nursery.cancel_scope.cancel()
    assert not before.dispatch.in_doubt
    await before.store.aclose()
    async with open_world(before.store) as after:
        assert after.bind.texts == ["waiting"]
        assert await after.states([long, waiting]) == ["sent", "queued"]


@pytest.mark.parametrize("waits", [False, True], ids=["for room", "to be sent again"])
async def test_one_that_cannot_be_completed_in_time_is_marked(
    open_world: OpenWorld, make_settings: Any, autojump_clock: object, waits: bool
) -> None:
    async with open_world(carriers=[make_settings(window=4)]) as before:
        [long] = await before.accepted("x" * (300 if waits else 1300))
        first, second = before.bind.sent[:2]
        before.bind.reply(first)
        if waits:
            before.bind.reply(second, status=Status.ESME_RMSGQFUL)  # for 30 seconds
        began = trio.current_time()
        with trio.move_on_after(20):
            await before.dispatch.drain()
        assert trio.current_time() - began == pytest.approx(0 if waits else 20, abs=1)
        before.nursery.cancel_scope.cancel()
    await before.store.aclose()
    async with open_world(before.store) as after:
        await finish(after, 30)
        [event] = await after.events()
        assert (event["message_id"], event["maybe_duplicate"]) == (long, True)


async def test_an_end_that_is_cut_off_forgets_no_response_that_waited_for_the_store(
    open_world: OpenWorld, make_receipt: Any, autojump_clock: object
) -> None:
    async with open_world() as before:
        settle = before.store.settle

        async def slowly(*arguments: Any) -> Any:
            await trio.sleep(1)
            return await settle(*arguments)

        before.store.settle = slowly
        ids = await before.accepted("a", "b")
        first, second = before.bind.sent
        before.bind.reply(first)
        await before.calm()
        # Looked for in the store, where the first round is to be before that.
        before.nursery.start_soon(before.bind.receipts, make_receipt("unknown"))
        before.bind.reply(second)
        await before.calm()
        before.nursery.cancel_scope.cancel()
    del before.store.settle
    await before.store.aclose()
    async with open_world(before.store) as after:
        await after.calm()
        assert after.bind.sent == []
        assert await after.states(ids) == ["sent", "sent"]


async def test_a_store_that_does_not_take_the_last_words_is_not_closed_in_order(
    open_world: OpenWorld, autojump_clock: object
) -> None:
    async with open_world() as before:
        ids = await before.accepted("a")
        before.store.failing = {"settle"}
        before.bind.reply()
        before.nursery.cancel_scope.cancel()
    assert before.dispatch.in_doubt
    async with open_world(before.store) as after:
        after.store.failing = set()
        await finish(after)
        assert [event["message_id"] for event in await after.events()] == ids
        assert [event["maybe_duplicate"] for event in await after.events()] == [True]


async def test_it_ends_in_order_though_the_disk_is_full(
    open_world: OpenWorld, autojump_clock: object
) -> None:
    async with open_world() as before:
        await before.accepted({"report": "none"})
        before.bind.reply()
        await trio.sleep(1)
        before.store.failing = {"remember"}
        before.nursery.cancel_scope.cancel()
    before.store.failing = set()
    async with open_world(before.store) as after:
        assert list((await after.outcomes()).values()) == ["sent"]


async def test_what_a_killed_process_leaves_the_next_one_sends_marked(
    open_world: OpenWorld, autojump_clock: object
) -> None:
    async with open_world() as before:
        ids = await before.accepted("a", "b", {"send_at": before.clock() + 5, "text": "later"})
        before.store.failing = {"settle", "defer"}  # as if it were not there any more
        before.nursery.cancel_scope.cancel()
    before.store.failing = set()
    async with open_world(before.store) as after:
        await finish(after)
        events = {event["message_id"]: event for event in await after.events()}
        assert [events[number].get("maybe_duplicate", False) for number in ids] == [
            True, True, False,
        ]  # fmt: skip
        await after.check_finished()


async def test_a_receipt_that_was_parked_is_matched_by_the_next_process(
    open_world: OpenWorld, make_receipt: Any
) -> None:
    async with open_world() as before:
        [number] = await before.accepted("a")
        await before.bind.receipts(make_receipt("early"))
        await before.calm()
        before.nursery.cancel_scope.cancel()
    async with open_world(before.store) as after:
        after.bind.reply(ids=["early"])
        await after.calm()
        assert await after.outcomes() == {number: "delivered"}
        assert (await after.store.open()).held == []


async def test_a_receipt_that_was_parked_for_a_carrier_that_is_gone_is_given_up_in_time(
    open_world: OpenWorld, make_receipt: Any, make_settings: Any, autojump_clock: object
) -> None:
    async with open_world() as before:
        await before.bind.receipts(make_receipt("m1"))
        await before.calm()
    other = [make_settings("beta")]
    async with open_world(before.store, carriers=other) as after:
        await trio.sleep(60)
        await after.configure(carriers=other)
    async with open_world(before.store, carriers=other) as after:
        assert len(after.dispatch.upkeep.without_carrier) == 1
        await trio.sleep(3_600)
    async with open_world(before.store) as after:
        assert not after.dispatch.upkeep.without_carrier
        assert not (await after.store.open()).held


@pytest.mark.parametrize("back", [False, True])
async def test_one_for_a_carrier_that_a_reload_removes_waits_for_it_and_no_longer(
    open_world: OpenWorld,
    make_receipt: Any,
    make_settings: Any,
    autojump_clock: object,
    back: bool,
) -> None:
    async with open_world() as world:
        await world.bind.receipts(make_receipt("m1"))
        await world.calm()
        await world.configure(carriers=[make_settings("beta")])
        await trio.sleep(60)
        if back:
            await world.configure(carriers=[make_settings()])
            [number] = await world.accepted("a")
            world.bind.reply(ids=["m1"])
            await world.calm()
            assert await world.outcomes() == {number: "delivered"}
        else:
            await trio.sleep(3_600)
        world.nursery.cancel_scope.cancel()
    assert not (await world.store.open()).held


async def test_ids_go_on_above_those_of_the_process_before(open_world: OpenWorld) -> None:
    async with open_world() as before:
        [first] = await before.accepted("a")
        before.nursery.cancel_scope.cancel()
    async with open_world(before.store) as after:
        [second] = await after.accepted("b")
        assert int(second, 16) > int(first, 16)


# --- whatever happens ---

VALIDITY, RECEIPT_WAIT = 40.0, 20.0
STATUSES = [0, 0, 0, 0x58, 0x14, 0x08, 0x0A, 0x0B, 0x45, 0x04, 0x400]
STATS = ["DELIVRD", "DELIVRD", "UNDELIV", "EXPIRED", "ENROUTE", "ACCEPTD", "REJECTD"]
BINDS = ["alpha-1", "alpha-2", "beta-1"]

bind_names = st.sampled_from(BINDS)
steps = st.one_of(
    st.tuples(
        st.just("submit"),
        st.sampled_from(["acme", "umbrella"]),
        st.lists(
            st.fixed_dictionaries(
                {
                    "text": st.sampled_from(["short", "x" * 300, "y" * 1000, "你" * 80]),
                    "report": st.sampled_from(["final", "final", "none"]),
                    "to": st.sampled_from(["447400000001", "447400000002", "8613800000000"]),
                    "category": st.sampled_from(["otp", "transactional", "marketing"]),
                    "campaign": st.sampled_from(["c", "d"]),
                    "delay": st.sampled_from([0.0, 0.0, 0.0, 3.0]),
                    "key": st.sampled_from([None, None, "k"]),
                }
            ),
            min_size=1,
            max_size=12,
        ),
    ),
    st.tuples(
        st.just("reply"), bind_names, st.lists(st.sampled_from(STATUSES), min_size=1, max_size=12)
    ),
    st.tuples(
        st.just("receipts"), bind_names, st.lists(st.sampled_from(STATS), min_size=1, max_size=12)
    ),
    st.tuples(st.just("early receipt"), bind_names, st.sampled_from(STATS)),
    st.tuples(st.just("receipts again"), bind_names, st.sampled_from(STATS)),
    st.tuples(st.just("lose"), bind_names, st.none()),
    st.tuples(st.just("time out"), bind_names, st.none()),
    st.tuples(st.just("come up"), bind_names, st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.1, 6.0]), st.none()),
    st.tuples(st.just("store"), st.booleans(), st.none()),
    st.tuples(st.just("cancel"), st.sampled_from(["c", "d"]), st.none()),
    st.tuples(st.just("opt out"), st.sampled_from(["447400000001", "8613800000000"]), st.none()),
    st.tuples(st.just("carriers"), st.sampled_from([1, 2, 3]), st.none()),
)


class Chance:
    """Does to a world what hypothesis thinks of, and knows what was accepted."""

    def __init__(self, world: Any, make_receipt: Any, make_settings: Any) -> None:
        self.world = world
        self.make_receipt = make_receipt
        self.accepted: dict[str, set[str]] = {"acme": set(), "umbrella": set()}
        self.taken: list[tuple[Any, str]] = []
        self.done: list[tuple[Any, str]] = []
        self.carriers = [
            make_settings("alpha", binds=2, window=6, receipt_wait=RECEIPT_WAIT),
            make_settings("beta", window=5, rate=20, receipt_wait=RECEIPT_WAIT),
        ]

    async def act(self, what: str, whom: Any, how: Any) -> None:
        world = self.world
        bind = world.made.get(whom) if whom in BINDS else None
        match what:
            case "submit" if not world.store.failing:
                now = world.clock()
                batch = [
                    {
                        **{k: v for k, v in fields.items() if k != "delay"},
                        "send_at": now + fields["delay"],
                        "expires_at": now + VALIDITY,
                    }
                    for fields in how
                ]
                for result in await world.submit(*batch, tenant=whom):
                    if hasattr(result, "message_id"):
                        self.accepted[whom].add(result.message_id)
            case "reply" if bind:
                for status, (pdu, _) in zip(how, list(bind.flying), strict=False):
                    answered = bind.reply(pdu, status=status)
                    self.taken += answered if not status else []
            case "receipts" if bind and bind.up:
                for stat in how:
                    if self.taken:
                        pdu, ref = self.taken.pop(0)
                        self.done.append((pdu, ref))
                        await self.receipt(bind, pdu, ref, stat)
            case "receipts again" if bind and bind.up:
                for pdu, ref in self.done[-5:]:
                    await self.receipt(bind, pdu, ref, how)
            case "early receipt" if bind and bind.up and bind.flying:
                pdu = bind.flying[0][0]
                ref = f"early-{len(self.taken)}-{len(bind.sent)}"
                await self.receipt(bind, pdu, ref, how)
                bind.reply(pdu, ids=[ref])
            case "lose" if bind:
                bind.lose()
            case "time out" if bind and bind.flying:
                bind.time_out()
            case "come up" if bind and not bind.up and not bind.draining:
                bind.come_up()
            case "wait":
                await trio.sleep(whom)
            case "store":
                world.store.failing = {"settle", "defer", "lease", "match"} if whom else set()
            case "cancel" if not world.store.failing:
                await world.service.cancel("acme", [], [], whom)
            case "opt out" if not world.store.failing:
                await world.service.optout("acme", "add", [whom])
            case "carriers":
                await world.configure(
                    carriers=[c for n, c in enumerate(self.carriers, 1) if whom & n]
                )
        await trio.lowlevel.checkpoint()

    async def receipt(self, bind: Any, pdu: Any, ref: str, stat: str) -> None:
        await bind.receipts(self.make_receipt(ref, stat, pdu.destination_addr))

    async def end_well(self) -> None:
        """From now on everything works; whatever still waits is sent, expires, or is given up."""
        world = self.world
        world.store.failing = set()
        await world.configure(carriers=self.carriers)
        for _ in range(int(VALIDITY)):
            for bind in world.made.values():
                if not bind.up and not bind.draining:
                    bind.come_up()
                bind.reply()
            await trio.sleep(1)
        await trio.sleep(VALIDITY + RECEIPT_WAIT + 10)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=40))
def test_every_accepted_message_has_exactly_one_outcome(
    open_world: OpenWorld, make_receipt: Any, make_settings: Any, plan: list[Any]
) -> None:
    async def main() -> None:
        async with open_world() as world:
            chance = Chance(world, make_receipt, make_settings)
            await world.configure(carriers=chance.carriers)
            for step in plan:
                await chance.act(*step)
            await chance.end_well()
            for tenant, accepted in chance.accepted.items():
                assert set(await world.outcomes(tenant)) == accepted
            await world.check_finished()
            assert not world.dispatch.pool.avoided
            assert not any(carrier.torn for carrier in world.dispatch.fleet.carriers)
            assert not any(carrier.owed for carrier in world.dispatch.fleet.carriers)
            recovery = await world.store.open()
            assert (recovery.counts, recovery.lanes) == ([], {})
            world.nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=20), st.lists(steps, max_size=20))
def test_and_still_has_when_the_process_is_killed_in_between(
    open_world: OpenWorld,
    make_receipt: Any,
    make_settings: Any,
    before_plan: list[Any],
    after_plan: list[Any],
) -> None:
    async def main() -> None:
        async with open_world() as before:
            chance = Chance(before, make_receipt, make_settings)
            await before.configure(carriers=chance.carriers)
            for step in before_plan:
                await chance.act(*step)
            before.store.failing = {"settle", "defer", "lease"}
            before.nursery.cancel_scope.cancel()
        before.store.failing = set()
        async with open_world(before.store) as after:
            chance.world = after
            await after.configure(carriers=chance.carriers)
            for step in after_plan:
                await chance.act(*step)
            await chance.end_well()
            for tenant, accepted in chance.accepted.items():
                assert set(await after.outcomes(tenant)) == accepted
            await after.check_finished()
            after.nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
