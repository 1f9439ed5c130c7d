"""What operators have done: each verb does it, and refuses what is not there, is so already or has
changed since it was looked at."""

from collections.abc import Callable
from typing import Any

import pytest
import trio

from gateway.ops import commands
from gateway.ops.commands import (
    Cancel,
    ChangeOptout,
    Disconnect,
    Drain,
    Erase,
    Move,
    MoveBack,
    Rebind,
    Reload,
    SendTest,
    SetRate,
    Settle,
    UnsetRate,
)
from gateway.ops.operations import Caller
from gateway.ops.problems import ProblemError
from gateway.ops.views import Diff
from gateway.queue.memory import MemoryStore
from gateway.queue.operators import NodeState, Which
from tests.dispatch.conftest import OpenWorld, World, carrier_settings, receipt
from tests.dispatch.operating.conftest import ANN, CORA, VIC, Desk

PHONE = "+447400123456"
TWO = [carrier_settings("alpha"), carrier_settings("beta")]


async def refused(desk: Desk, command: commands.Command, caller: Caller = ANN) -> ProblemError:
    with pytest.raises(ProblemError) as error:
        await desk.do(command, caller)
    return error.value


# --- binds and rates ---


async def test_a_bind_that_is_drained_finishes_and_stays_away_until_it_is_bound_again(
    world: World, desk: Desk
) -> None:
    await world.accepted("one")
    before = world.bind
    done = await desk.do(Drain(bind="alpha-1"))
    assert (done.messages, done.before, done.after) == (1, {"state": "bound"}, {"state": "drained"})
    [carrier] = await desk.operator.carriers()
    assert carrier.binds[0].state == "draining"

    [(pdu, ref)] = before.reply()
    await before.receipts(receipt(ref, "DELIVRD", pdu.destination_addr))
    await world.accepted("two")
    assert before.texts == ["one"]
    [carrier] = await desk.operator.carriers()
    assert (carrier.state, carrier.binds[0].state) == ("down", "drained")
    assert (await refused(desk, Drain(bind="alpha-1"))).kind == "already_so"

    await desk.do(Rebind(bind="alpha-1"))
    assert world.bind is not before
    assert world.bind.texts == ["two"]
    [carrier] = await desk.operator.carriers()
    assert (carrier.state, carrier.binds[0].state) == ("up", "bound")


async def test_one_of_two_binds_is_made_anew_and_the_other_goes_on(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    async with open_world(carriers=[carrier_settings(binds=2)]) as world:
        desk = make_desk(world)
        first, second = world.made["alpha-1"], world.made["alpha-2"]
        await desk.do(Rebind(bind="alpha-2"))
        assert (world.made["alpha-1"], second.up) == (first, False)
        assert world.made["alpha-2"] is not second
        [carrier] = await desk.operator.carriers()
        assert [(one.name, one.state) for one in carrier.binds] == [
            ("alpha-1", "bound"),
            ("alpha-2", "bound"),
        ]


async def test_a_rate_holds_for_its_time_and_no_longer(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    await desk.do(SetRate(carrier="alpha", rate=1.0, seconds=60.0))
    [carrier] = await desk.operator.carriers()
    assert carrier.rate == 1.0
    assert carrier.rate_set is not None
    assert (carrier.rate_set.by, carrier.rate_set.rate) == ("ann", 1.0)
    await world.accepted(*map(str, range(8)))
    await trio.sleep(2.5)
    assert 2 <= len(world.bind.sent) <= 4
    await trio.sleep(60.0)
    [carrier] = await desk.operator.carriers()
    assert (carrier.rate, carrier.rate_set) == (0.0, None)
    assert len(world.bind.sent) == 8


async def test_a_rate_outlives_a_restart_and_can_be_taken_back(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    async with open_world() as first:
        await make_desk(first).do(SetRate(carrier="alpha", rate=5.0, seconds=600.0))
    await first.store.aclose()
    async with open_world(first.store) as second:
        desk = make_desk(second)
        [carrier] = await desk.operator.carriers()
        assert carrier.rate == 5.0
        await desk.do(UnsetRate(carrier="alpha"))
        [carrier] = await desk.operator.carriers()
        assert carrier.rate == 0.0


async def test_a_rate_is_never_more_than_the_contract(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    async with open_world(carriers=[carrier_settings(rate=10.0)]) as world:
        desk = make_desk(world)
        error = await refused(desk, SetRate(carrier="alpha", rate=11.0, seconds=60.0))
        assert (error.kind, "allows 10 parts" in str(error)) == ("bad_request", True)
        await desk.do(SetRate(carrier="alpha", rate=4.0, seconds=60.0))
        [carrier] = await desk.operator.carriers()
        assert (carrier.rate_stated, carrier.rate) == (10.0, 4.0)


# --- cancelling ---


async def held(world: World, desk: Desk) -> None:
    """Messages that wait for a carrier that is down."""
    world.bind.lose()
    await world.accepted({"campaign": "spring"}, {"campaign": "spring"}, {"category": "marketing"})
    await world.accepted({"campaign": "spring"}, tenant="umbrella")


SPRINGS = {("acme", "spring"), ("umbrella", "spring")}


@pytest.mark.parametrize(
    ("cancel", "count", "left"),
    [
        (Cancel(tenant="acme"), 3, {("umbrella", "spring")}),
        (Cancel(tenant="acme", campaign="spring"), 2, {("acme", None), ("umbrella", "spring")}),
        (Cancel(category="marketing"), 1, SPRINGS),
        (Cancel(tenant="acme", category="marketing"), 1, SPRINGS),
        (Cancel(route="default"), 4, set()),
    ],
)
async def test_what_is_cancelled_is_counted_first_and_then_confirmed(
    world: World, desk: Desk, cancel: Cancel, count: int, left: set[Any]
) -> None:
    await held(world, desk)
    shown = await desk.do(cancel)
    assert (shown.messages, f"confirm with {count}" in shown.detail) == (count, True)
    assert sum(one.messages for one in await desk.operator.queues()) == 4
    assert await desk.operator.audit(None, 10) == []  # nothing was done

    done = await desk.do(_confirmed(cancel, count))
    assert (done.messages, done.after) == (count, {"cancelled": count})
    queues = await desk.operator.queues()
    assert {(one.tenant, one.campaign) for one in queues} == left
    outcomes = [*(await world.outcomes()).values(), *(await world.outcomes("umbrella")).values()]
    assert outcomes == ["cancelled"] * count


def _confirmed(cancel: Cancel, count: int) -> Cancel:
    return Cancel(
        tenant=cancel.tenant, campaign=cancel.campaign, category=cancel.category,
        route=cancel.route, confirm=count,
    )  # fmt: skip


async def test_a_count_that_has_changed_is_shown_anew(world: World, desk: Desk) -> None:
    await held(world, desk)
    error = await refused(desk, Cancel(tenant="acme", confirm=2))
    assert (error.kind, error.now) == ("changed", {"messages": 3})
    assert (await world.outcomes()) == {}


async def test_what_is_cancelled_stays_so_where_a_carrier_refuses_it_later(
    world: World, desk: Desk, autojump_clock: Any
) -> None:
    [flying] = await world.accepted("in a window")
    bind = world.bind
    await desk.world.dispatch.upkeep.steering.cancel_where(Which(tenant="acme"))
    bind.reply(status=0x14)  # its queue is full: to be tried again
    await trio.sleep(60.0)
    assert await world.outcomes() == {flying: "cancelled"}
    [later] = await world.accepted("accepted after it")
    assert "accepted after it" in bind.texts
    assert later not in await world.outcomes()


@pytest.mark.parametrize(
    ("cancel", "kind"),
    [
        (Cancel(), "bad_request"),
        (Cancel(confirm=0), "bad_request"),
        (Cancel(campaign="spring"), "bad_request"),
        (Cancel(tenant="nobody", confirm=0), "not_found"),
        (Cancel(tenant="acme", confirm=0), "not_found"),
        (Cancel(tenant="acme", confirm=1), "changed"),
    ],
)
async def test_filters_that_mean_everything_or_nothing_are_refused(
    desk: Desk, cancel: Cancel, kind: str
) -> None:
    assert (await refused(desk, cancel)).kind == kind


# --- what a dead carrier owes ---


async def owing(world: World) -> list[str]:
    """Messages that alpha has taken, and given no receipt for; it is dead now."""
    ids = await world.accepted("one", {"text": "x" * 200}, "three")
    world.bind.reply()
    await world.calm()
    world.bind.lose()
    return ids


async def test_what_a_dead_carrier_owes_can_be_ended(world: World, desk: Desk) -> None:
    ids = await owing(world)
    assert (await desk.do(Settle(carrier="alpha", to="expire"))).messages == 3
    assert await world.outcomes() == {}
    done = await desk.do(Settle(carrier="alpha", to="expire", confirm=3))
    assert (done.messages, done.after) == (3, {"owed": 0, "expire": 3})
    assert await world.outcomes() == dict.fromkeys(ids, "unknown")
    await world.check_finished()


async def test_what_a_dead_carrier_owes_can_be_sent_by_another(
    open_world: OpenWorld, make_desk: Callable[[Any], Desk]
) -> None:
    async with open_world(carriers=[carrier_settings("alpha")]) as world:
        desk = make_desk(world)
        ids = await owing(world)
        refs = [f"alpha-1-{n}x" for n in (1, 2, 3, 4)]
        await world.configure(carriers=TWO)
        await desk.do(Settle(carrier="alpha", to="requeue", confirm=3))
        beta = world.made["beta-1"]
        assert len(beta.sent) == 4
        # What alpha says after all is nobody's any more.
        world.bind.come_up()
        await world.bind.receipts(*(receipt(ref, "UNDELIV") for ref in refs))
        await world.calm()
        assert await world.outcomes() == {}
        await world.deliver()
        assert await world.outcomes() == dict.fromkeys(ids, "delivered")
        assert all(event["maybe_duplicate"] for event in await world.events())
        await world.check_finished()


@pytest.mark.parametrize("to", ["expire", "requeue"])
async def test_only_what_is_older_is_meant_and_by_its_count(
    world: World, desk: Desk, to: Any
) -> None:
    await owing(world)
    assert (await desk.do(Settle(carrier="alpha", to=to, older=60.0))).messages == 0
    error = await refused(desk, Settle(carrier="alpha", to=to, confirm=2))
    assert (error.kind, error.now) == ("changed", {"messages": 3})
    error = await refused(desk, Settle(carrier="gamma", to=to, confirm=0))
    assert error.kind == "not_found"
    assert world.counts() == {("acme", "sent"): 3}


# --- consumers, opt-outs, tests, reloads ---


async def test_a_consumer_is_disconnected(world: World, desk: Desk) -> None:
    subscription = await world.service.subscribe("acme", "crm", "start")
    await world.service.acknowledge("acme", "crm", 0)
    done = await desk.do(Disconnect(tenant="acme", consumer="crm"))
    assert done.before == {"connections": 1}
    assert subscription.scope.cancel_called
    for who in ("crm", "nobody"):
        assert (await refused(desk, Disconnect(tenant="acme", consumer=who))).kind == "not_found"


@pytest.mark.parametrize("tenant", ["acme", None])
async def test_an_opt_out_holds_from_when_it_is_answered(
    world: World, desk: Desk, tenant: str | None
) -> None:
    phone = "+44 7400 123456"
    await desk.do(ChangeOptout(action="add", number=phone, tenant=tenant), CORA)
    [result] = await world.submit("one")
    assert result.error.code == "opted_out"  # type: ignore[union-attr]
    [shown] = await desk.operator.optouts(tenant, "")
    assert (shown.number, shown.tenant, shown.source) == ("447400123456", tenant, "complaint")
    again = ChangeOptout(action="add", number=phone, tenant=tenant)
    assert (await refused(desk, again, CORA)).kind == "already_so"
    weaker = ChangeOptout(action="remove", number=phone, tenant=tenant, source="api")
    assert (await refused(desk, weaker, CORA)).kind == "already_so"
    await desk.do(ChangeOptout(action="remove", number=phone, tenant=tenant), CORA)
    await world.accepted("two")
    newest = (await desk.operator.audit(None, 1))[0]
    assert (newest.phone, newest.after["opted_out"]) == (phone, False)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (ChangeOptout(action="add", number="12", tenant="acme"), "bad_request"),
        (ChangeOptout(action="add", number="07400 123456"), "bad_request"),
        (ChangeOptout(action="add", number="+447400123456", tenant="nobody"), "not_found"),
        (ChangeOptout(action="remove", number="+447400123456"), "already_so"),
    ],
)
async def test_opt_outs_that_make_no_sense(desk: Desk, change: ChangeOptout, kind: str) -> None:
    assert (await refused(desk, change, CORA)).kind == kind


async def test_a_test_message_goes_the_way_of_all_others(world: World, desk: Desk) -> None:
    done = await desk.do(SendTest(tenant="acme", to="+447400123456", text="is it on?"))
    assert world.bind.texts == ["is it on?"]
    view = await desk.operator.message(done.after["message_id"])
    assert (view.state, view.steps[1].what) == ("queued", "handed to a carrier")
    for command, kind in (
        (SendTest(tenant="acme", to="12", text="x"), "bad_request"),
        (SendTest(tenant="nobody", to="+447400123456", text="x"), "not_found"),
    ):
        assert (await refused(desk, command)).kind == kind


async def test_a_reload_by_the_file_that_was_looked_at(desk: Desk) -> None:
    error = await refused(desk, Reload(confirm="cccc"))
    assert (error.kind, error.now) == ("changed", {"file": "bbbb"})
    assert desk.file.reloads == 0
    done = await desk.do(Reload(confirm="bbbb"))
    assert done.after["made"] == ["tenants.acme.rate"]
    desk.file.next = Diff(running="a", file=None, made=(), waiting=(), errors=("x: is wrong",))
    error = await refused(desk, Reload())
    assert (error.kind, error.now) == ("configuration", {"errors": ["x: is wrong"]})


# --- a person ---


async def test_a_person_is_erased_for_everybody(world: World, desk: Desk) -> None:
    phone = "+44 7400 123456"
    await world.accepted({"send_at": world.clock() + 60})
    await world.accepted({"send_at": world.clock() + 60}, tenant="umbrella")
    await world.submit({"text": ""})
    await desk.do(ChangeOptout(action="add", number=phone), CORA)
    [refusal] = (await desk.operator.person(phone)).refusals
    assert (refusal.tenant, refusal.code) == ("acme", "empty_text")
    asked = await desk.do(Erase(number=phone), CORA)
    assert (asked.messages, "once more" in asked.detail) == (2, True)
    error = await refused(desk, Erase(number=phone, again="+447400123457"), CORA)
    assert error.kind == "bad_request"
    done = await desk.do(Erase(number=phone, again="447400123456"), CORA)
    assert (done.messages, done.after["events"], done.detail) == (2, 2, "")
    person = await desk.operator.person(phone)
    assert [one.source for one in person.optouts] == ["complaint"]
    assert (person.consents, person.refusals) == ((), ())
    assert (await desk.operator.messages(phone, None)).messages == ()
    told = repr(await desk.operator.audit(None, 100))
    assert ("7400 123456" in told, "7400123456" in told) == (False, False)
    assert "'erase'" in told


async def test_a_person_is_erased_for_one_tenant(world: World, desk: Desk) -> None:
    [mine] = await world.accepted({"send_at": world.clock() + 60})
    await world.accepted({"send_at": world.clock() + 60}, tenant="umbrella")
    await desk.do(Erase(number=PHONE, tenant="umbrella", again=PHONE), CORA)
    [left] = (await desk.operator.messages(PHONE, None)).messages
    assert left.id == mine
    error = await refused(desk, Erase(number=PHONE, tenant="nobody", again=PHONE), CORA)
    assert error.kind == "not_found"


# --- who may, and the audit ---

NOBODYS = [
    (ANN, Erase(number="+447400123456", again="+447400123456")),
    (ANN, ChangeOptout(action="add", number="+447400123456")),
    (CORA, Drain(bind="alpha-1")),
    (CORA, Cancel(tenant="acme", confirm=0)),
    *((VIC, one) for one in (Drain(bind="alpha-1"), Reload(), UnsetRate(carrier="alpha"))),
]


@pytest.mark.parametrize(("caller", "command"), NOBODYS)
async def test_who_may_not(desk: Desk, caller: Caller, command: commands.Command) -> None:
    error = await refused(desk, command, caller)
    assert (error.kind, caller.name in str(error)) == ("forbidden", True)


async def test_every_change_is_on_record(world: World, desk: Desk) -> None:
    await desk.do(SetRate(carrier="alpha", rate=5.0, seconds=60.0, why="they asked"))
    await refused(desk, UnsetRate(carrier="beta"))
    second, first = await desk.operator.audit(None, 10)
    assert (first.who, first.role, first.client) == ("ann", "operator", "192.0.2.7")
    assert (first.verb, first.subject, first.result) == ("set_rate", "carrier alpha", "done")
    assert (first.before, first.after["rate"], first.detail) == ({"rate": 0}, 5.0, "they asked")
    assert (second.result, "no rate is set" in second.detail) == ("refused", True)
    assert await desk.operator.audit(second.id, 10) == [first]


async def test_nothing_is_done_that_cannot_be_put_on_record(world: World, desk: Desk) -> None:
    world.store.failing = {"note_change"}
    with pytest.raises(Exception, match="disk"):
        await desk.do(Drain(bind="alpha-1"))
    assert not world.bind.draining


def node(name: str, *, alive: bool = True, moved: bool = False) -> NodeState:
    return NodeState(0, name, name == "a", alive, "1", "c", 0.5, 0, moved)


@pytest.mark.parametrize(
    ("nodes", "command", "kind"),
    [
        ([], Move(node="b"), "not_found"),
        ([node("a")], Move(node="b"), "not_found"),
        ([node("a")], Move(node="a"), "bad_request"),
        ([node("a"), node("b", alive=False)], Move(node="a"), "bad_request"),
        ([node("a"), node("b", moved=True)], Move(node="a"), "bad_request"),
        ([node("a"), node("b", moved=True)], Move(node="b"), "already_so"),
        ([node("a"), node("b")], MoveBack(node="b"), "already_so"),
        ([node("a"), node("b")], Move(node="b"), None),
        ([node("a"), node("b", alive=False)], Move(node="b"), None),
        ([node("a"), node("b", moved=True)], MoveBack(node="b"), None),
    ],
)
async def test_a_node_is_moved_where_another_can_take_what_it_has(
    desk: Any,
    monkeypatch: pytest.MonkeyPatch,
    nodes: list[NodeState],
    command: Move | MoveBack,
    kind: str | None,
) -> None:
    moved = []

    async def there(_: MemoryStore) -> list[NodeState]:
        return nodes

    async def move(_: MemoryStore, name: str, *, away: bool) -> None:
        moved.append((name, away))

    monkeypatch.setattr(MemoryStore, "nodes", there)
    monkeypatch.setattr(MemoryStore, "move", move)
    if kind is None:
        done = await desk.do(command)
        assert moved == [(command.node, command.verb == "move")]
        assert done.after == {"moved": command.verb == "move"}
    else:
        with pytest.raises(ProblemError) as refused:
            await desk.do(command)
        assert (refused.value.kind, moved) == (kind, [])
