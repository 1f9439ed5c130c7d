"""Several nodes at once on one database: who sends to which phone, what each hears of others."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import trio

from gateway.errors import StoreError, StoreFenced
from gateway.facts import OPTOUTS
from gateway.message import Message
from gateway.queue.operators import NodeState
from gateway.queue.postgresql import (
    PostgresStore,
    connecting,
    following,
    holding,
    schema,
    sharing,
    slots,
    statements,
    upkeep,
)
from gateway.queue.postgresql.connecting import Target
from gateway.queue.postgresql.session import Work
from gateway.queue.postgresql.sharing import shard
from gateway.queue.store import (
    PASSED_ON,
    Entry,
    Final,
    Held,
    HeldKind,
    Progress,
    Ref,
    Sent,
    Settlement,
    Staged,
)
from tests.queue.contract.rig import LANE, change, decoded, notices
from tests.queue.nodes import Node, opener
from tests.servers import Postgres

MakeEntry = Callable[..., Entry]

PHONES = [f"4479{n:08}" for n in range(1_000)]


MakeNodes = Callable[..., Any]


@pytest.fixture
def nodes(postgres: Postgres, database: str) -> MakeNodes:
    """Opens nodes that share an empty database, and closes them."""
    return opener(postgres, database)


Owner = Callable[[list[Node], str], Node]


@pytest.fixture
def owner(message: Callable[..., Message]) -> Owner:
    """Finds the node that sends to a phone."""

    def find(nodes: list[Node], number: str) -> Node:
        [one] = [node for node in nodes if not node.store.elsewhere([message(1, to=number)])]
        return one

    return find


async def test_each_phone_is_one_nodes(
    nodes: MakeNodes, owner: Owner, entry: MakeEntry, postgres: Postgres, database: str
) -> None:
    """Messages are leased by the node that has their phone, whichever has accepted them."""
    async with nodes("a", "b") as both:
        assert [node.recovery.node for node in both] == [0, 1]
        first, second = both
        entries = [entry(n, to=phone) for n, phone in enumerate(PHONES[:200], 1)]
        await first.store.accept(entries[:100])
        await second.store.accept(entries[100:])
        for node in both:
            await node.until(lambda heard: LANE in heard.lanes)
        leased = [{m.to for m in await node.leased()} for node in both]
        assert leased[0] | leased[1] == set(PHONES[:200])
        for node, phones in zip(both, leased, strict=True):
            assert len(phones) > 50
            assert {id(owner(both, phone)) for phone in phones} == {id(node)}
        for node, phones in zip(both, leased, strict=True):
            assert (await node.store.leased(0, 1_000)).messages == len(phones)


async def test_one_more_waits_and_all_agree_how_many_there_are(
    nodes: MakeNodes, postgres: Postgres, database: str
) -> None:
    async with nodes("a", "b"):
        more = PostgresStore(postgres.dsn(database), node="c", nodes=2, lease=0.1)
        with pytest.raises(
            StoreError, match=r"in use by nodes a, b, as many as queue\.nodes allows"
        ):
            await more.open()
        other = PostgresStore(postgres.dsn(database), node="c", nodes=3, lease=0.1)
        with pytest.raises(
            StoreError, match=r"by node a with queue\.nodes = 2, and this one has 3; give all nodes"
        ):
            await other.open()


async def test_shards_are_given_up_once_what_was_leased_is_done_with(
    nodes: MakeNodes, postgres: Postgres, database: str, entry: MakeEntry
) -> None:
    """Another node comes: until the first has put back what it leased, nobody else leases it."""
    async with nodes("a") as [first]:
        assert (first.recovery.node, first.heard.share) == (0, 1.0)
        await first.store.accept(
            [entry(n, to=phone, leased=True) for n, phone in enumerate(PHONES[:300], 1)]
        )
        async with trio.open_nursery() as nursery:
            second = Node(PostgresStore(postgres.dsn(database), node="b", nodes=2))
            await second.store.open()
            nursery.start_soon(second.listen)
            await first.until(lambda heard: heard.share < 1.0)
            share = first.heard.share
            assert await second.leased() == []
            held = [entry(n, to=phone).message for n, phone in enumerate(PHONES[:300], 1)]
            left = [held[place] for place in first.store.elsewhere(held)]
            assert left
            await first.store.defer(left)
            await second.until(lambda heard: (heard.share or 0.0) > 0.0)
            assert {m.id for m in await second.leased()} <= {m.id for m in left}
            assert first.heard.share <= share
            nursery.cancel_scope.cancel()
        await second.store.aclose()


async def test_what_a_dead_node_had_is_taken_over(
    nodes: MakeNodes,
    postgres: Postgres,
    database: str,
    owner: Owner,
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as both:
        first, silent = both
        await first.store.accept([entry(n, to=phone) for n, phone in enumerate(PHONES[:100], 1)])
        await silent.until(lambda heard: LANE in heard.lanes)
        begun = await silent.leased()
        early = Held("receipt", "alpha:1", b"x", 9e9)
        await silent.store.settle(Settlement(hold=[early]))
        silent.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        await first.until(lambda heard: heard.share == 1.0)
        assert first.heard.held == [early]
        taken = await first.leased()
        assert len(taken) == 100
        assert {m.id for m in taken if m.maybe_duplicate} == {m.id for m in begun}
        with pytest.raises(StoreFenced):
            await silent.store.defer(begun)
        assert len((await first.store.leased(0, 1_000)).numbers) == 100


async def test_what_is_kept_of_a_phone_goes_with_it(
    nodes: MakeNodes, postgres: Postgres, database: str, owner: Owner
) -> None:
    """To a node that comes, and back to those that are left."""
    async with nodes("a") as [here]:
        kept = [Held("inbound", phone, b"part", 9e9, phone) for phone in PHONES[:40]]
        receipt = Held("receipt", "alpha:1", b"early", 9e9)
        await here.store.settle(Settlement(hold=[*kept, receipt]))
        there = Node(PostgresStore(postgres.dsn(database), node="b", nodes=2))
        there.recovery = await there.store.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(there.listen)
            await there.until(lambda heard: heard.share == 0.5)
            theirs = {one.key for one in kept if there.store.sends_to(one.key)}
            assert 5 < len(theirs) < 35
            assert {one.key for one in [*there.recovery.held, *there.heard.held]} == theirs
            nursery.cancel_scope.cancel()
        await there.store.aclose()
        await here.until(lambda heard: heard.share == 1.0)
        assert {one.key for one in here.heard.held} == theirs


@pytest.mark.parametrize("kind", sorted(PASSED_ON))
async def test_a_text_goes_to_the_node_that_sends_to_its_phone(
    nodes: MakeNodes, postgres: Postgres, database: str, owner: Owner, kind: HeldKind
) -> None:
    """Once, until it is dropped; whoever holds it can wait for that. So do receipts."""
    async with nodes("a", "b") as [here, there]:
        phone = next(one for one in PHONES if there.store.sends_to(one))
        text = Held(kind, "t1", b"stop", 9e9, phone)
        taken = trio.Event()

        async def wait() -> None:
            if kind == "text":
                await here.store.until_taken(["t1"])
                taken.set()

        await here.store.settle(Settlement(hold=[text]))
        await there.until(lambda heard: heard.held)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(0.2)
            assert not taken.is_set()
            assert there.heard.held == [text._replace(phone=None)]
            assert here.heard.held == []
            await there.store.settle(Settlement(drop=[(kind, "t1")]))
        assert taken.is_set() == (kind == "text")
        assert postgres.ask(database, "SELECT count(*) FROM held") == [(0,)]


async def test_the_first_messages_of_shards_that_come_are_leased_at_once(
    nodes: MakeNodes, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each lane, what is due: the lanes of the node may be full of others for half a minute."""
    monkeypatch.setattr(following, "FIRST", 20)
    other = LANE._replace(campaign="spring")
    async with nodes("a") as [here]:
        there = Node(PostgresStore(here.store._target.dsn, node="b", nodes=2))  # noqa: SLF001
        there.recovery = await there.store.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(there.listen)
            await there.until(lambda heard: heard.share == 0.5)
            theirs = [phone for phone in PHONES if there.store.sends_to(phone)]
            entries = [entry(n, to=phone) for n, phone in enumerate(theirs[:30], 1)]
            entries += [
                entry(n, to=phone, campaign="spring") for n, phone in enumerate(theirs[:5], 101)
            ]
            entries.append(entry(200, to=theirs[0], due=9e9))
            await here.store.accept(entries)
            nursery.cancel_scope.cancel()
        await there.store.aclose()
        await here.until(lambda heard: heard.share == 1.0)
        came = {m.id for m in here.heard.came}
        assert len(here.heard.came) == len(came) == 15
        assert came < {*range(1, 31), *range(101, 106)}
        assert came > {*range(101, 106)}
        assert {LANE, other} <= here.heard.lanes.keys()
        assert sorted(m.id for m in await here.leased()) == [*range(1, 31), 200]


@pytest.mark.parametrize("kind", sorted(PASSED_ON))
async def test_a_text_that_a_dead_node_had_taken_goes_to_the_next(
    nodes: MakeNodes,
    postgres: Postgres,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: HeldKind,
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as [here, there]:
        phone = next(one for one in PHONES if there.store.sends_to(one))
        await here.store.settle(Settlement(hold=[Held(kind, "t1", b"stop", 9e9, phone)]))
        await there.until(lambda heard: heard.held)
        there.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        await here.until(lambda heard: heard.share == 1.0)
        await here.until(lambda heard: heard.held)
        assert [one.key for one in here.heard.held] == ["t1"]


async def test_receipts_are_passed_on_to_nodes_that_take_them(
    nodes: MakeNodes, postgres: Postgres, database: str, entry: MakeEntry
) -> None:
    """One of an older version does not: its part of the work is looked for in the database. Nor
    does it pass any on, and what is sent beside it is where it looks."""
    async with nodes("a", "b") as [here, there]:
        mine = next(one for one in PHONES if here.store.sends_to(one))
        other = next(one for one in PHONES if there.store.sends_to(one))
        await here.until(lambda _: here.store.taker(other) is not None)
        assert here.store.taker(mine) is None
        assert there.store.taker(mine) == 1 - (here.store.taker(other) or 0)

        async def in_rows(number: int) -> list[tuple[int]]:
            one = entry(number, to=mine, leased=True)
            await here.store.accept([one])
            sent = Sent(one.message, "alpha", (f"r{number}",), 9e9)
            await here.store.settle(Settlement(sent=[sent]))
            return postgres.ask(database, "SELECT message FROM part")

        assert await in_rows(1) == []
        postgres.ask(database, "UPDATE node SET receipts = receipts - 1 WHERE name = 'b'")
        await there.store.introduce("1", "digest", {}, 0.0)
        await here.until(lambda _: here.store.taker(other) is None)
        assert await in_rows(2) == [(2,)]


async def test_all_nodes_know_the_conversations_that_persons_have(nodes: MakeNodes) -> None:
    async with nodes("a", "b") as [here, there]:
        settled = await here.store.settle(Settlement(hold=[Held("handover", "k", b"", 5_000.0)]))
        await here.store.heeded(settled.notice)
        assert there.heard.handed == {"k": 5_000.0}
        settled = await there.store.settle(Settlement(drop=[("handover", "k")]))
        await there.store.heeded(settled.notice)
        assert here.heard.handed == {"k": 0.0}
        await here.store.settle(Settlement(hold=[Held("handover", "z", b"", 6_000.0)]))
        there.listening.cancel()
        await there.store.aclose()
        assert [one.key for one in (await there.store.open()).held] == ["z"]


async def test_who_is_erased_is_told_to_all(nodes: MakeNodes) -> None:
    async with nodes("a", "b") as [here, there]:
        await here.store.erase_records(None, ["1", "2"])
        await here.store.erase_records("acme", ["3"])
        assert there.heard.erased == [(None, ["1", "2"]), ("acme", ["3"])]


async def test_an_opt_out_is_answered_once_every_node_goes_by_it(nodes: MakeNodes) -> None:
    async with nodes("a", "b") as [here, there]:
        answered = trio.Event()
        there.deaf = trio.Event()

        async def opt_out() -> None:
            await here.store.optout([change(PHONES[0])])
            answered.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(opt_out)
            await there.until(lambda heard: "optout" in heard.notices)
            await trio.sleep(0.3)
            assert not answered.is_set()
            facts = await there.store.facts("acme", [PHONES[0]], OPTOUTS)
            assert facts.opted_out == {PHONES[0]}
            there.deaf.set()
        assert answered.is_set()


async def test_an_import_is_done_once_every_node_goes_by_it(nodes: MakeNodes) -> None:
    """By whichever node it is carried out, which is one of them, and whichever is asked."""
    async with nodes("a", "b") as [here, there]:
        told: list[int] = []
        await here.store.stage(Staged("acme", "spring", 1, 1, b""), 1_000.0)
        await there.store.apply("acme", "spring", 1, 1_000.0)
        [(staged, doing)] = [
            (staged, node)
            for node in (here, there)
            if (staged := await node.store.next_staged()) is not None
        ]
        other = there if doing is here else here
        other.deaf = trio.Event()
        with trio.fail_after(5):  # the next part need not wait for other nodes
            await doing.store.carry_out(staged, [change(PHONES[0])], [])

        async def ask(node: Node) -> None:
            found = await node.store.imported("acme", "spring")
            assert found is not None
            told.append(found.rest)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, doing)
            await other.until(lambda heard: "optout" in heard.notices)
            await trio.sleep(0.3)
            assert told == []
            other.deaf.set()
        assert told == [0]
        facts = await other.store.facts("acme", [PHONES[0]], OPTOUTS)
        assert facts.opted_out == {PHONES[0]}


@pytest.mark.parametrize("away", [7_000.0, 10_000.0])
async def test_a_node_that_is_slow_to_come_back_to_the_database_is_not_dead(
    nodes: MakeNodes,
    postgres: Postgres,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    away: float,
) -> None:
    """It may have begun to connect a moment before the database came back, and waits until it tries
    again: no other one takes it for dead until it could have been heard of. Nor where the time of
    the other one is not over yet: it has renewed that later."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    clock = 1_000.0
    monkeypatch.setattr(holding, "now", lambda: clock)
    async with nodes("a", "b", lease=9_999.0) as [first, silent]:
        silent.listening.cancel()
        clock += away
        await first.store.remember("forms", b"x")
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        clock += 3.0 + 2 * connecting.PATIENCE
        with trio.move_on_after(0.5) as early:
            await first.until(lambda heard: heard.share == 1.0)
        assert early.cancelled_caught
        clock += holding.FIRST
        await first.until(lambda heard: heard.share == 1.0)


async def test_a_node_that_comes_when_the_database_does_takes_nobody_for_dead(
    nodes: MakeNodes,
    postgres: Postgres,
    database: str,
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None could say that it lives while that was away. One that does keeps what it has; what the
    other had goes to who has come, once it could have been heard of."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    clock = 1_000.0
    monkeypatch.setattr(holding, "now", lambda: clock)
    async with nodes("a", "b", of=3, lease=9_999.0) as [living, dead]:
        for node in (living, dead):
            node.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = clock_timestamp() - interval '1 s'")
        async with trio.open_nursery() as nursery:
            came = Node(PostgresStore(postgres.dsn(database), node="c", nodes=3, lease=9_999.0))
            await came.store.open()
            nursery.start_soon(came.listen)
            await living.store.remember("forms", b"x")  # it is not fenced off
            held = Held("receipt", "k", b"", 9e9)
            await living.store.settle(Settlement(hold=[held]))
            with trio.move_on_after(1.5) as early:
                await came.until(lambda heard: heard.share)
            assert early.cancelled_caught
            await living.store.remember("forms", b"y")
            clock += holding.GRACE
            await came.until(lambda heard: heard.share)
            with pytest.raises(StoreFenced):
                await dead.store.remember("forms", b"z")
            await living.store.remember("forms", b"z")
            nursery.cancel_scope.cancel()
        await came.store.aclose()
        await dead.store.aclose(in_doubt=True)


async def test_a_spare_that_comes_when_the_database_does_takes_nobody_s_place(
    postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the one that has it could have been heard of."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    over = "UPDATE node SET until = clock_timestamp() - interval '1 s'"
    first = PostgresStore(postgres.dsn(database), node="a", lease=9_999.0)
    await first.open()
    spare = PostgresStore(postgres.dsn(database), node="b", lease=1.0)
    postgres.ask(database, over)

    async def live() -> None:
        await trio.sleep(0.5)
        await first.remember("forms", b"x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(live)
        with pytest.raises(StoreError, match="is in use by node a"):
            await spare.open()
    postgres.ask(database, over)
    await spare.open()
    with pytest.raises(StoreFenced):
        await first.remember("forms", b"y")
    for store in (first, spare):
        await store.aclose()


async def test_nobody_is_fenced_off_by_what_waited_while_the_database_was_away(
    nodes: MakeNodes, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked for before that, and is done once the database is back."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    clock = 1_000.0
    monkeypatch.setattr(holding, "now", lambda: clock)
    async with nodes("a", "b", lease=9_999.0) as both:
        engine = both[0].store._engine  # noqa: SLF001  what it does by itself, at its moment
        for node in both:
            node.listening.cancel()
        clock += 9_000.0
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        works: list[Work[Any]] = [sharing.take(64), sharing.take_held, slots.take([])]
        for work in works:
            with pytest.raises(StoreError, match="the database was away"):
                await engine.write(work)
        await both[1].store.remember("forms", b"x")  # it lives


async def test_a_node_knows_how_far_its_clock_is_from_the_database_s(nodes: MakeNodes) -> None:
    """The other's is right, and a slow answer is no difference."""
    for wrong in (3_600.0, -3_600.0):
        async with nodes("a", clock=lambda wrong=wrong: time.time() + wrong) as [astray]:
            assert abs(await astray.store.ahead() - wrong) < 60.0
    slow: list[float] = []
    async with nodes("a", clock=lambda: time.time() + (slow.pop() if slow else 0.0)) as [right]:
        assert abs(await right.store.ahead()) < 1.0
        right.listening.cancel()
        slow += [60.0, -60.0]
        assert await right.store.ahead() == 0.0


async def test_a_node_that_is_dead_holds_nobody_up(
    nodes: MakeNodes, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as [here, there]:
        there.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        with trio.fail_after(10):
            await here.store.optout([change(PHONES[0])])


async def test_a_node_whose_lease_is_nearly_over_knows_it(
    nodes: MakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    clock = 1_000.0
    monkeypatch.setattr(holding, "now", lambda: clock)
    async with nodes("a") as [node]:
        await node.store.remember("forms", b"x")
        assert not node.store.lapsed
        clock += 9.1
        assert node.store.lapsed
        await node.store.remember("forms", b"x")
        assert not node.store.lapsed


async def test_what_nodes_agree_on_is_told_to_all_and_lost_by_none(nodes: MakeNodes) -> None:
    async with nodes("a", "b") as [here, there]:
        await here.store.heeded(await here.store.agree("holds", b"1", None))
        assert "memo" in there.heard.notices
        assert await there.store.recall("holds") == b"1"
        with pytest.raises(StoreError, match="another node has changed holds just now; ask once"):
            await there.store.agree("holds", b"2", None)
        await there.store.agree("holds", b"2", b"1")
        assert await here.store.recall("holds") == b"2"


async def test_one_stream_of_events_whoever_records_them(nodes: MakeNodes) -> None:
    """Consecutive, in the order in which they can be read, from every node, and every node hears of
    those of the others."""
    async with nodes("a", "b") as both:

        async def record(node: Node, count: int) -> None:
            for _ in range(count):
                await node.store.settle(Settlement(notices=notices("acme", 3)))

        async def read(node: Node, until: int) -> None:
            seen = 0
            while seen < until:
                assert "acme" in await node.store.watch()
                while found := decoded(await node.store.events("acme", seen, 100)):
                    assert [one["seq"] for one in found] == list(
                        range(seen + 1, seen + 1 + len(found))
                    )
                    seen += len(found)

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for node in both:
                    nursery.start_soon(record, node, 50)
                    nursery.start_soon(read, node, 300)
        for node in both:
            assert await node.store.bounds("acme") == (1, 300)
            assert len(decoded(await node.store.events("acme", 0, 1_000))) == 300


async def test_each_node_says_what_it_is(
    nodes: MakeNodes, postgres: Postgres, database: str
) -> None:
    async with nodes("a", "b") as [here, there]:
        await here.store.introduce("1.2", "c0ffee", {"alpha": 3}, -2.5)
        await there.store.introduce("1.3", "decaf", {"alpha": 3}, 0.0)
        for node, count in ((here, 2), (there, 1)):
            await node.until(
                lambda heard, count=count: (
                    heard.slots and len(heard.slots["alpha"].numbers) == count
                )
            )
        assert await there.store.nodes() == [
            NodeState(0, "a", False, True, "1.2", "c0ffee", 0.5, 0, False, {"alpha": 2}, -2.5),
            NodeState(1, "b", True, True, "1.3", "decaf", 0.5, 0, False, {"alpha": 1}),
        ]
        there.listening.cancel()
        await there.store.aclose()
        await here.until(lambda heard: heard.share == 1.0)
        [_, gone] = await here.store.nodes()
        assert (gone.name, gone.alive, gone.share) == ("b", False, 0.0)


async def test_nodes_number_their_messages_above_one_another(
    nodes: MakeNodes, entry: MakeEntry
) -> None:
    async with nodes("a", "b") as [here, there]:
        await here.store.accept([entry(77)])
        assert await there.store.newest() == 77
        await there.until(lambda heard: heard.newest == 77)


async def test_receipts_for_parts_come_to_different_nodes(
    nodes: MakeNodes, entry: MakeEntry, message: Callable[..., Message]
) -> None:
    """Each tells what it has heard; who has the last one is told that it was."""
    async with nodes("a", "b") as both:
        here, there = both
        m = message(1, to=PHONES[0], parts=2)
        await here.store.accept([Entry(m, 1, leased=True)])
        await here.store.settle(Settlement(sent=[Sent(m, "alpha", ("x", "y"), 9e9)]))
        settled = await here.store.settle(Settlement(progress=[Progress(1, 0, 2, 2)]))
        assert settled.complete == {}
        settled = await there.store.settle(Settlement(progress=[Progress(1, 1, 5, 2)]))
        assert settled.complete == {1: b"\x02\x05"}
        found = await here.store.match([Ref("alpha", "x")])
        assert found[Ref("alpha", "x")].states == b"\x02\x05"
        overdue = [one for node in both for one in await node.store.overdue(2e9, 10)]
        assert [(one.message, one.states) for one in overdue] == [(m, b"\x02\x05")]


async def test_what_counts_against_a_cap_counts_at_all_nodes(nodes: MakeNodes) -> None:
    """Nothing is taken for unheard of that another node may have recorded since."""
    async with nodes("a", "b") as [here, _]:
        with trio.fail_after(5):
            facts = await here.store.facts("acme", [PHONES[0]], frozenset({"uses"}))
        assert facts.uses == {}


def test_the_looks_are_often_enough() -> None:
    assert following.POLL <= 0.05


@pytest.mark.parametrize("numbers", [[], [0], [63], [0, 63], [*range(64)], [5, 17, 40]])
def test_sets_of_shards(numbers: list[int]) -> None:
    shards = sharing.combined(numbers)
    assert -(1 << 63) <= shards < 1 << 63
    assert sharing.members(shards) == numbers
    assert sharing.size(shards) == len(numbers)


def test_phones_are_spread_evenly() -> None:
    counts = [0] * sharing.SHARDS
    for number in range(64_000):
        counts[shard(f"4479{number:08}")] += 1
    assert max(counts) < 1_200


async def test_a_database_from_before_nodes_shared_it(
    postgres: Postgres, database: str, nodes: MakeNodes, entry: MakeEntry
) -> None:
    """What its one node has given goes on: its token, its numbers, its transactions."""
    target = Target.of(postgres.dsn(database), "commit")
    with connecting.connect(target, "test") as connection:
        schema.migrate(connection, target, statements.steps()[:2])
        connection.execute(
            "UPDATE hold SET node = 'old', token = 7, operation = 70, clean = false, last_id = 700"
        )
        connection.execute("INSERT INTO node VALUES (5, 'old', 7)")
    async with nodes("old") as [node]:
        recovery = node.recovery
        assert (recovery.node, recovery.token, recovery.clean) == (0, 8, False)
        assert recovery.last_id == 700
        await node.store.accept([entry(701)])
        assert [m.id for m in await node.leased()] == [701]


async def test_what_nodes_count_together_loses_nothing(nodes: MakeNodes) -> None:
    async with nodes("a", "b") as both:

        def more(known: Mapping[str, bytes]) -> Mapping[str, bytes]:
            return {key: bytes([known.get(key, b"\0")[0] + 1]) for key in "xy"}

        async def count(node: Node) -> None:
            for _ in range(20):
                await node.store.revise("range", ["y", "x"], more, 5_000.0)

        async with trio.open_nursery() as nursery:
            for node in both:
                nursery.start_soon(count, node)
        for node in both:
            found = await node.store.revise("range", ["x", "z"], lambda known: known, 5_000.0)
            assert found == {"x": bytes([40])}
            assert node.heard.held == []


async def test_campaigns_that_ended_are_forgotten_once_all_nodes_look_them_up_anew(
    nodes: MakeNodes,
    postgres: Postgres,
    database: str,
    entry: MakeEntry,
    delivered: Callable[..., Final],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "HEARD_WITHIN", 0.5)

    def lanes() -> set[str]:
        rows = postgres.ask(database, "SELECT campaign FROM lane WHERE campaign <> ''")
        return {bytes(name).decode() for [name] in rows}

    async with nodes("a", "b") as both:
        # One node prunes: whichever has the first shard.
        first = next(phone for phone in PHONES if shard(phone) == 0)
        here, there = sorted(both, key=lambda node: not node.store.sends_to(first))
        for n, node in enumerate([here, there, here], 1):
            await node.store.accept([entry(n, campaign="spring" if n < 3 else "live")])
        for n in (1, 2):
            message = entry(n, campaign="spring").message
            await here.store.settle(Settlement(finals=[delivered(message)]))
        there.deaf = trio.Event()
        await trio.sleep(0.2)
        await here.store.prune(0.0, 100)
        assert lanes() == {"spring", "live"}
        there.deaf.set()
        before = 10 * upkeep.PASS
        for _ in range(3):
            await here.store.prune(before, 100)
        assert lanes() == {"live"}
        for n, (node, other) in enumerate([(there, here), (here, there)], 4):
            phone = next(one for one in PHONES if other.store.sends_to(one))
            await node.store.accept([entry(n, to=phone, campaign="spring")])
        lane = entry(4, campaign="spring").message.lane
        for node in (here, there):
            await node.until(lambda heard: lane in heard.lanes)
        found = [m.id for node in (here, there) for m in await node.leased(lane)]
        assert sorted(found) == [4, 5]


@pytest.mark.parametrize("leased", [False, True], ids=["waits", "in a lane"])
async def test_a_lane_that_has_messages_stays(
    nodes: MakeNodes, postgres: Postgres, database: str, entry: MakeEntry, leased: bool
) -> None:
    async with nodes("a", "b") as [here, _]:
        phone = next(one for one in PHONES if here.store.sends_to(one))
        await here.store.accept([entry(1, to=phone, campaign="spring", leased=leased)])
        [[number, version]] = postgres.ask(database, "SELECT id, xmin::text FROM lane")
        forget = upkeep.forget_unused_lanes({number: version})
        assert await here.store._engine.write(forget) == 0  # noqa: SLF001


async def test_a_lane_that_a_node_has_looked_up_meanwhile_stays(
    nodes: MakeNodes, postgres: Postgres, database: str
) -> None:
    async with nodes("a", "b") as [here, there]:
        lane = LANE._replace(campaign="spring")
        await there.store.lease(lane, 1.0, 1)
        [[number, version]] = postgres.ask(database, "SELECT id, xmin::text FROM lane")
        engine = there.store._engine  # noqa: SLF001
        await engine.write(upkeep.look_lanes_up([number]))
        await there.store.lease(lane, 1.0, 1)
        forget = upkeep.forget_unused_lanes({number: version})
        assert await here.store._engine.write(forget) == 0  # noqa: SLF001
