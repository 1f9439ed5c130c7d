"""Messages of a node on PostgreSQL between their acceptance and their outcome: one row for many,
found all the same, by other nodes too, and read again by whoever takes over."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio

from gateway.errors import StoreError, StoreFenced
from gateway.message import Message
from gateway.queue import chunks
from gateway.queue.postgresql import PostgresStore, holding
from gateway.queue.store import Entry, Final, Progress, Ref, Sent, Settlement
from tests.queue.asking import DEADLINE, SINGLE, Asks
from tests.queue.contract.rig import LANE, decoded
from tests.queue.nodes import opener
from tests.queue.on_disk import Clock
from tests.servers import Postgres

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]
Rows = Callable[[], dict[str, int]]

TABLES = ("arrived", "message", "taken", "part")
PHONES = [f"4479{n:08}" for n in range(100)]


@pytest.fixture
async def store(postgres: Postgres, database: str, clock: Clock) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres.dsn(database), node="a", clock=clock)
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture
def rows(postgres: Postgres, database: str) -> Rows:
    """Counts the rows of the tables that have any."""

    def count() -> dict[str, int]:
        counted = ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
        [found] = postgres.ask(database, f"SELECT {counted}")
        return {table: number for table, number in zip(TABLES, found, strict=True) if number}

    return count


@pytest.fixture
async def crash(
    postgres: Postgres, database: str, clock: Clock
) -> AsyncIterator[Callable[[], Awaitable[PostgresStore]]]:
    """Opens what a process that was killed now would leave."""
    opened: list[PostgresStore] = []

    async def now() -> PostgresStore:
        postgres.ask(database, "UPDATE node SET until = '-infinity'")
        store = PostgresStore(postgres.dsn(database), node=f"next-{len(opened)}", clock=clock)
        opened.append(store)
        await store.open()
        return store

    yield now
    for store in opened:
        await store.aclose()


def sent(message: Message) -> Sent:
    return Sent(message, "alpha", (f"r{message.id}",), DEADLINE)


async def states(store: PostgresStore, *numbers: int) -> list[str | None]:
    """What the store says of messages: where they are, or their outcome."""
    records, _ = await store.find("acme", numbers, [])
    return [None if one is None else one.event.type if one.event else one.state for one in records]


# --- one node ---


async def test_what_is_settled_soon_has_no_row_of_its_own(
    store: PostgresStore, rows: Rows, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    assert rows() == {"arrived": 1}
    await store.settle(Settlement(sent=[sent(entry(n).message) for n in (1, 2)]))
    assert rows() == {"arrived": 1, "taken": 1}
    await store.settle(Settlement(finals=[delivered(entry(n).message) for n in (1, 2)]))
    assert rows() == {"arrived": 1}
    once = delivered(entry(3).message)
    assert (await store.settle(Settlement(finals=[once]))).passed_over == frozenset()
    assert (await store.settle(Settlement(finals=[once]))).passed_over == {3}
    assert rows() == {}
    assert await states(store, 1, 2, 3) == ["delivered"] * 3


async def test_there_is_one_for_each_queue_and_long_messages_have_rows(
    store: PostgresStore, rows: Rows, entry: MakeEntry, delivered: MakeFinal
) -> None:
    spring = [entry(n, leased=True, campaign="spring") for n in (1, 2)]
    long = entry(5, leased=True, parts=2)
    await store.accept([*spring, entry(3, leased=True), entry(4, due=9e8), long])
    assert rows() == {"arrived": 2, "message": 2}
    taken = Sent(long.message, "alpha", ("x", "y"), DEADLINE)
    await store.settle(Settlement(sent=[taken], progress=[Progress(5, 0, 2, 2)]))
    assert rows() == {"arrived": 2, "message": 2, "part": 2}
    [match] = (await store.match([Ref("alpha", "y")])).values()
    assert match.states == b"\x02\x00"
    await store.settle(Settlement(finals=[delivered(one.message) for one in spring]))
    assert rows() == {"arrived": 1, "message": 2, "part": 2}


async def test_duplicates_are_in_no_chunk(
    store: PostgresStore, rows: Rows, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, key="a", leased=True)])
    again = [entry(2, key="a", leased=True), entry(3, key="b", leased=True)]
    again += [entry(4, key="b"), entry(5, key="c")]
    assert set(await store.accept(again)) == {0, 2}
    assert set(await store.accept([entry(6, key="a", leased=True)])) == {0}
    assert await states(store, 2, 4, 6) == [None] * 3
    assert [m.id for m in (await store.lease(LANE, 1e9, 10)).messages] == [5]
    for n in (1, 3, 5):
        await store.settle(Settlement(finals=[delivered(entry(n).message)]))
    assert set(rows()) <= {"arrived"}
    await store.leased(0, 10)  # has what is left shelved
    assert rows() == {}


async def test_what_waits_longer_gets_its_row(
    store: PostgresStore, rows: Rows, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3)])
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    clock.now += chunks.AGE
    await store.settle(Settlement(finals=[delivered(entry(2).message)]))
    assert rows() == {"message": 1}
    settled = await store.settle(Settlement(finals=[delivered(entry(3).message)]))
    assert (settled.passed_over, rows()) == (frozenset(), {})


async def test_no_outcome_is_forgotten_while_a_chunk_needs_it(
    store: PostgresStore, rows: Rows, entry: MakeEntry, delivered: MakeFinal
) -> None:
    await store.accept([entry(1, leased=True), entry(2, leased=True)])
    await store.settle(Settlement(finals=[delivered(entry(1).message)]))
    while await store.prune(9e9, 100):
        pass
    assert rows() == {"message": 1}


@pytest.mark.parametrize(("asks", "left"), SINGLE)
async def test_who_asks_for_single_messages_finds_them(
    store: PostgresStore,
    rows: Rows,
    entry: MakeEntry,
    asks: Asks,
    left: int,
) -> None:
    await store.accept([entry(1, leased=True)])
    await store.accept([entry(2, leased=True), entry(3, leased=True)])
    await store.settle(Settlement(sent=[sent(entry(2).message)]))
    assert await asks(store) is not None
    assert rows().get("arrived", 0) == left  # of others nothing was asked


async def test_one_that_is_put_off_leaves_alone_and_a_crash_finds_all(
    store: PostgresStore,
    rows: Rows,
    entry: MakeEntry,
    delivered: MakeFinal,
    crash: Callable[[], Awaitable[PostgresStore]],
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2, 3, 4)])
    later = msgspec.structs.replace(entry(2).message, due=5e3)
    await store.defer([later])
    await store.settle(Settlement(sent=[sent(entry(3).message)]))
    await store.settle(Settlement(finals=[delivered(entry(4).message)]))
    assert rows() == {"arrived": 1, "message": 1, "taken": 1}
    left = await crash()
    assert await states(left, 1, 2, 3, 4) == ["queued", "deferred", "sent", "delivered"]
    assert rows() == {"message": 3, "part": 1}
    found = (await left.lease(LANE, 1e9, 10)).messages
    assert {m.id: m.maybe_duplicate for m in found} == {1: True, 2: False}


async def test_a_call_that_fails_leaves_all_as_it_was(
    store: PostgresStore,
    rows: Rows,
    postgres: Postgres,
    database: str,
    entry: MakeEntry,
    delivered: MakeFinal,
) -> None:
    await store.accept([entry(n, leased=True) for n in (1, 2)])
    await store.settle(Settlement(sent=[sent(entry(1).message)]))
    postgres.ask(database, "ALTER TABLE event ADD CONSTRAINT no CHECK (false) NOT VALID")
    finals = Settlement(finals=[delivered(entry(1).message)], sent=[sent(entry(2).message)])
    for _ in range(2):
        with pytest.raises(StoreError):
            await store.settle(finals)
    assert rows() == {"arrived": 1, "taken": 1}
    postgres.ask(database, "ALTER TABLE event DROP CONSTRAINT no")
    assert (await store.settle(finals)).passed_over == frozenset()
    assert (await store.settle(Settlement(finals=[delivered(entry(2).message)]))).passed_over == (
        frozenset()
    )
    assert rows() == {}
    told = decoded(await store.events("acme", 0, 10))
    assert [event["message_id"] for event in told] == ["1", "2"]


# --- several ---


@pytest.fixture
def nodes(postgres: Postgres, database: str) -> Callable[..., Any]:
    """Opens nodes that share an empty database, and closes them."""
    return opener(postgres, database)


async def until_shared(postgres: Postgres, database: str) -> None:
    """Wait until two nodes have their shards: one that gives some up shelves what it has."""
    query = "SELECT count(*) FROM shard GROUP BY node"
    with trio.fail_after(30):
        while postgres.ask(database, query) != [(32,), (32,)]:
            await trio.sleep(0.05)


async def test_other_nodes_find_what_is_in_a_chunk(
    nodes: Callable[..., Any],
    rows: Rows,
    postgres: Postgres,
    database: str,
    entry: MakeEntry,
    delivered: MakeFinal,
) -> None:
    async with nodes("a", "b") as [here, there]:
        await until_shared(postgres, database)
        now = time.time()
        mine = [
            entry(n, to=phone, leased=True, accepted_at=now)
            for n, phone in enumerate(PHONES[:8], 1)
        ]
        await here.store.accept(mine)
        await here.store.settle(Settlement(finals=[delivered(mine[0].message)]))
        assert rows() == {"arrived": 1}
        assert await states(there.store, 1, 2, 99) == ["delivered", "queued", None]
        assert (await there.store.find_any(2))[0] == "acme"
        found = await there.store.search(PHONES[:2], None, 10)
        assert [record.number for _, record in found.records] == [2, 1]
        live, _ = await there.store.live_to(PHONES[:2])
        assert [record.number for _, record in live] == [2]
        assert rows() == {"arrived": 1}
        await here.store.settle(Settlement(sent=[sent(mine[1].message)]))
        assert await states(there.store, 2) == ["sent"]
        there.store.look_for(["r2"])  # its receipt has come there
        with trio.fail_after(30):
            while not (matches := await there.store.match([Ref("alpha", "r2")])):
                await trio.sleep(0.02)
        [match] = matches.values()
        assert match.message.id == 2
        settled = await there.store.settle(Settlement(finals=[delivered(match.message)]))
        assert settled.passed_over == frozenset()
        assert await states(here.store, 2, 3) == ["delivered", "queued"]


async def test_what_a_dead_node_had_in_chunks_is_taken_over(
    nodes: Callable[..., Any],
    rows: Rows,
    postgres: Postgres,
    database: str,
    entry: MakeEntry,
    delivered: MakeFinal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    async with nodes("a", "b", lease=9_999.0) as [here, there]:
        all_of_them = [entry(n, to=phone, leased=True) for n, phone in enumerate(PHONES, 1)]
        elsewhere = there.store.elsewhere([one.message for one in all_of_them])
        theirs = [one for at, one in enumerate(all_of_them) if at not in elsewhere]
        await there.store.accept(theirs)
        done, *left = [one.message for one in theirs]
        await there.store.settle(Settlement(finals=[delivered(done)]))
        there.listening.cancel()
        postgres.ask(database, "UPDATE node SET until = '-infinity' WHERE name = 'b'")
        await here.until(lambda heard: heard.share == 1.0)
        assert rows() == {"message": len(left)}
        found = {m.id: m.maybe_duplicate for m in await here.leased()}
        assert found == {m.id: True for m in left}
        with pytest.raises(StoreFenced):
            await there.store.settle(Settlement(finals=[delivered(left[0])]))
