"""What waits on PostgreSQL, as chunks: one row for many messages, which nodes may look into at
once, and which moves to the node that leases it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
import trio
import trio.testing

from gateway.message import Message
from gateway.queue.operators import Which
from gateway.queue.postgresql import PostgresStore, connecting, holding, schema, statements
from gateway.queue.postgresql.connecting import Target
from gateway.queue.store import Entry, Final, Settlement
from tests.queue.contract.rig import LANE
from tests.queue.nodes import Node, opener
from tests.queue.on_disk import Clock
from tests.servers import Postgres

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]
Rows = Callable[[], dict[str, int]]

TABLES = ("arrived", "backlog", "message", "arrival")
PHONES = [f"4479{n:08}" for n in range(2_000)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(postgres: Postgres, database: str, clock: Clock) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres.dsn(database), node="a", clock=clock)
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture
def nodes(postgres: Postgres, database: str) -> Callable[..., Any]:
    """Opens nodes that share an empty database, and closes them."""
    return opener(postgres, database)


@pytest.fixture
def rows(postgres: Postgres, database: str) -> Rows:
    """Counts the rows of the tables that have any."""

    def count() -> dict[str, int]:
        counted = ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
        [found] = postgres.ask(database, f"SELECT {counted}")
        return {table: number for table, number in zip(TABLES, found, strict=True) if number}

    return count


async def leased(store: PostgresStore, now: float = 9e9, limit: int = 1_000) -> list[int]:
    return [m.id for m in (await store.lease(LANE, now, limit)).messages]


async def states(store: PostgresStore, *numbers: int) -> list[str | None]:
    """What the store says of messages: where they are, or their outcome."""
    records, _ = await store.find("acme", numbers, [])
    return [None if one is None else one.event.type if one.event else one.state for one in records]


def to_all(entry: MakeEntry, count: int, **options: Any) -> list[Entry]:
    """Messages to as many phones, numbered from 1."""
    return [entry(n, to=phone, **options) for n, phone in enumerate(PHONES[:count], 1)]


def halves(nodes: list[Node], entries: list[Entry]) -> list[set[int]]:
    """The messages that each of two nodes is to send."""
    messages = [one.message for one in entries]
    away = [nodes[n].store.elsewhere(messages) for n in (0, 1)]
    return [{m.id for at, m in enumerate(messages) if at not in away[n]} for n in (0, 1)]


# --- one node ---


async def test_what_waits_is_a_row_until_the_last_is_done(
    store: PostgresStore, rows: Rows, entry: MakeEntry, delivered: MakeFinal
) -> None:
    later = [entry(n, due=5_000.0) for n in range(11, 21)]
    long = entry(22, parts=2)
    await store.accept([*(entry(n) for n in range(1, 11)), *later, entry(21, route="fr"), long])
    assert rows() == {"backlog": 2, "message": 2}
    assert await states(store, 1, 11, 21, 99) == ["queued", "deferred", "queued", None]
    lease = await store.lease(LANE, 1_000.0, 100)
    assert [m.id for m in lease.messages] == [*range(1, 11), 22]
    assert lease.next_due == 5_000.0
    assert rows() == {"arrived": 1, "backlog": 1, "message": 2}
    await store.settle(Settlement(finals=[delivered(m) for m in lease.messages]))
    assert rows() == {"backlog": 1, "message": 1}
    assert await states(store, 1, 22, 11) == ["delivered", "delivered", "deferred"]


async def test_who_has_room_for_few_gets_few_in_their_order(
    store: PostgresStore, entry: MakeEntry
) -> None:
    await store.accept([entry(n) for n in range(1, 601)])
    await store.accept([entry(700, due=1_000.5)])
    found: list[int] = []
    while some := await leased(store, limit=90):
        assert len(some) <= 90
        found += some
    assert found == [*range(1, 601), 700]


async def test_what_is_put_off_together_is_a_row_again(
    store: PostgresStore, rows: Rows, entry: MakeEntry, clock: Clock
) -> None:
    everything = [entry(n, due=7_000.0, leased=n > 10).message for n in range(1, 21)]
    await store.accept([entry(n, leased=n > 10) for n in range(1, 21)])
    await leased(store)
    await store.defer(everything[5:])
    assert rows() == {"arrived": 1, "backlog": 1}
    assert await leased(store, 6_999.0) == []
    await store.leased(0, 10)  # has what is left where it was shelved
    assert rows() == {"backlog": 1, "message": 5}
    assert await leased(store, 7_000.0) == [*range(6, 21)]


async def test_a_chunk_that_is_leased_is_known_when_another_asks(
    store: PostgresStore, entry: MakeEntry, nursery: trio.Nursery
) -> None:
    """Also while the lease is under way: a shard is given up when nothing of it is leased."""
    await store.accept([entry(n) for n in range(1, 11)])
    nursery.start_soon(leased, store)
    await trio.testing.wait_all_tasks_blocked()
    assert (await store.leased(0, 100)).messages == 10


async def test_a_key_stays_while_its_message_waits(
    store: PostgresStore, entry: MakeEntry, clock: Clock
) -> None:
    await store.accept([entry(n, key=f"k{n}", due=9e8) for n in range(1, 11)])
    clock.now = 5e8
    await store.accept([entry(20, key="k20")])
    while await store.prune(4e8, 1_000):
        pass
    assert len(await store.known("acme", [f"k{n}" for n in range(1, 11)])) == 10
    assert len(await store.lease_ids("acme", [3])) == 1
    while await store.prune(4e8, 1_000):
        pass
    assert set(await store.known("acme", ["k3", "k4"])) == {"k3", "k4"}


# --- several ---


async def test_what_another_node_sends_crosses_in_a_few_rows(
    nodes: Callable[..., Any], rows: Rows, entry: MakeEntry
) -> None:
    async with nodes("a", "b") as both:
        here, there = both
        there.deaf = trio.Event()
        entries = to_all(entry, 400)
        own, theirs = halves(both, entries)
        await here.store.accept(entries)
        found = rows()
        assert found["backlog"] <= 4  # two, unless it does not know yet who has what was given up
        assert found.get("arrival", 0) <= 2  # unless the other one has taken them by now
        there.deaf.set()
        await there.until(lambda heard: LANE in heard.lanes)
        assert {m.id for m in await there.leased()} == theirs
        assert {m.id for m in await here.leased()} == own
        assert rows() == {"arrived": found["backlog"]}


async def test_a_chunk_of_two_nodes_is_divided(
    nodes: Callable[..., Any], postgres: Postgres, database: str, rows: Rows, entry: MakeEntry
) -> None:
    """Such as one that was made before there were two; not due yet, or whoever takes phones leases
    at once."""
    async with nodes("alone") as [one]:
        await one.store.accept(to_all(entry, 200, due=8e9))
    assert rows() == {"backlog": 1}
    async with nodes("a", "b") as both:
        own, theirs = halves(both, to_all(entry, 200))
        assert own
        assert theirs
        for node in both:
            assert sum(lane.due for lane in await node.store.waiting(9e9)) == 200
        async with trio.open_nursery() as nursery:
            found: list[list[Message]] = []

            async def lease(node: Node) -> None:
                with trio.fail_after(30):
                    while not (some := await node.leased()):
                        await trio.sleep(0.01)  # the other one is at it
                found.append(some)

            for node in both:
                nursery.start_soon(lease, node)
        assert sorted(sorted(m.id for m in some) for some in found) == sorted(
            [sorted(own), sorted(theirs)]
        )
        assert rows() == {"arrived": 2}


async def test_what_waits_is_counted_by_the_node_that_sends_it(
    nodes: Callable[..., Any], entry: MakeEntry
) -> None:
    async with nodes("alone") as [one]:
        await one.store.accept(to_all(entry, 200, due=8e9))
    async with nodes("a", "b") as both:
        own, theirs = halves(both, to_all(entry, 200))
        for node, mine in zip(both, (own, theirs), strict=True):
            node.listening.cancel()
            with trio.fail_after(30):
                while not (counts := (await node.store.heard()).counts):
                    pass
            assert [(one.state, one.messages) for one in counts] == [("deferred", len(mine))]


async def test_any_node_cancels_what_another_has_accepted(
    nodes: Callable[..., Any], rows: Rows, entry: MakeEntry, delivered: MakeFinal
) -> None:
    async with nodes("a", "b") as [here, there]:
        await here.store.accept(to_all(entry, 20, due=8e9))
        found = await there.store.lease_ids("acme", [3, 7, 99])
        assert sorted(m.id for m in found) == [3, 7]
        assert await there.store.lease_ids("umbrella", [4]) == []
        await there.store.settle(Settlement(finals=[delivered(m) for m in found]))
        assert await states(here.store, 3, 4, 7) == ["delivered", "deferred", "delivered"]
        assert await there.store.waiting_where(Which("acme")) == 18
        assert await there.store.waiting_where(Which("acme"), 10) == 8
        more = await there.store.lease_where(Which("acme"), 10, 5)
        more += await here.store.lease_where(Which("acme"), 10, 50)
        assert sorted(m.id for m in more) == [1, 2, 4, 5, 6, 8, 9, 10]
        assert await here.store.waiting_where(Which("acme")) == 10


async def test_nodes_that_want_the_same_share_it(
    nodes: Callable[..., Any], entry: MakeEntry
) -> None:
    async with nodes("a", "b") as [here, there]:
        await here.store.accept(to_all(entry, 1_000, due=8e9))
        found: list[int] = []

        async def take(node: Node, limit: int) -> None:
            while some := await node.store.lease_where(Which("acme"), 10_000, limit):
                found.extend(m.id for m in some)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take, here, 70)
            nursery.start_soon(take, there, 110)
        assert sorted(found) == [*range(1, 1_001)]


async def test_a_chunk_that_was_cut_meanwhile_is_looked_for_again(
    store: PostgresStore, postgres: Postgres, database: str, entry: MakeEntry
) -> None:
    """Whoever waits for one that another node changes finds its messages where they are by then."""
    await store.accept([entry(n) for n in range(1, 11)])
    columns = "lane, shards, counts, size, due, expires, at, low, high, body"
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("SELECT FROM backlog FOR UPDATE")
        other.execute(f"INSERT INTO backlog ({columns}) SELECT {columns} FROM backlog")
        other.execute("DELETE FROM backlog WHERE number = (SELECT min(number) FROM backlog)")
        found: list[Message] = []

        async def take() -> None:
            found.extend(await store.lease_ids("acme", [4, 5]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            with trio.fail_after(30):
                while postgres.ask(database, waiting) == [(0,)]:
                    await trio.sleep(0.01)
            other.commit()
    assert [m.id for m in found] == [4, 5]


async def test_a_dead_nodes_chunks_are_taken_over(
    nodes: Callable[..., Any],
    postgres: Postgres,
    database: str,
    rows: Rows,
    entry: MakeEntry,
    delivered: MakeFinal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it had leased may have been sent; what it had not was not."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as both:
        here, there = both
        entries = to_all(entry, 100)
        _, theirs = halves(both, entries)
        later = [entry(n + 500, to=m.message.to, due=8e9) for n, m in enumerate(entries)]
        await here.store.accept([*entries, *later])
        had = await there.leased()
        assert {m.id for m in had if m.id < 500} == theirs
        await there.store.settle(Settlement(finals=[delivered(had[0])]))
        there.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        await here.until(lambda heard: heard.share == 1.0)
        found = {m.id: m.maybe_duplicate for m in await here.leased()}
        expected = {m.message.id for m in (*entries, *later)} - {had[0].id}
        assert set(found) == expected
        assert {number for number, marked in found.items() if marked} == {m.id for m in had[1:]}


def test_what_had_arrived_before_the_step_is_told(postgres: Postgres, database: str) -> None:
    target = Target.of(postgres.dsn(database), "commit")
    steps = statements.steps()
    step = next(at for at, one in enumerate(steps) if b"CREATE TABLE backlog" in one)
    with connecting.connect(target, "test") as connection:
        schema.migrate(connection, target, steps[:step])
        connection.execute("INSERT INTO arrival VALUES (0, 7, 1.0), (63, 7, 2.0), (5, 8, 3.0)")
        schema.migrate(connection, target)
        found = connection.execute("SELECT shards, lane, due FROM arrival ORDER BY due").fetchall()
    assert found == [(1, 7, 1.0), (-(1 << 63), 7, 2.0), (1 << 5, 8, 3.0)]
