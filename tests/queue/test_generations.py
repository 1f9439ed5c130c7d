"""History in generations (`gateway.queue.postgresql.generations`): which tables there are, what
goes with them, and that no key is ever in two."""

from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
import pytest
import trio

from gateway.errors import StoreError
from gateway.message import Event, message_id
from gateway.queue import events
from gateway.queue.postgresql import (
    PostgresStore,
    connecting,
    generations,
    history,
    schema,
    statements,
)
from gateway.queue.postgresql.connecting import Target
from gateway.queue.store import Entry, Final, Known, Settlement
from tests.queue.nodes import opener
from tests.queue.on_disk import Clock
from tests.servers import Postgres

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]
Make = Callable[..., PostgresStore]

DAY = 86_400.0
KEPT = 8 * DAY
"""A generation lasts a day then, and the keys of four are together."""


@pytest.fixture
def made(postgres: Postgres, database: str, clock: Clock) -> Make:
    """Makes a store on the test's database."""

    def make(node: str = "a", **options: Any) -> PostgresStore:
        return PostgresStore(postgres.dsn(database), node=node, clock=clock, **options)

    return make


@pytest.fixture
def tables(postgres: Postgres, database: str) -> Callable[[], list[str]]:
    """Which partitions there are."""
    query = "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON oid = inhparent"

    def look() -> list[str]:
        return sorted(name for [name] in postgres.ask(database, f"{query} WHERE relkind = 'p'"))

    return look


async def prune(store: PostgresStore, clock: Clock, kept: float = KEPT) -> None:
    while await store.prune(clock.now - kept, 1_000):
        pass


async def days(
    store: PostgresStore,
    clock: Clock,
    numbers: range,
    entry: MakeEntry,
    delivered: MakeFinal,
) -> None:
    """A message on each of some days, with its outcome, and what upkeep does."""
    for number in numbers:
        one = entry(number, key=f"k{number}", accepted_at=clock.now)
        assert await store.accept([one]) == {}
        await store.settle(Settlement(finals=[delivered(one.message, at=clock.now)]))
        clock.now += DAY
        await prune(store, clock)


# --- whole generations ---


async def test_what_is_old_goes_by_the_dropping_of_tables(
    made: Make,
    clock: Clock,
    tables: Callable[[], list[str]],
    entry: MakeEntry,
    delivered: MakeFinal,
    postgres: Postgres,
    database: str,
) -> None:
    store = made()
    await store.open()
    await prune(store, clock)
    await days(store, clock, range(1, 31), entry, delivered)
    found = tables()
    assert found == [
        *("event_0", *(f"event_{n}" for n in range(23, 32))),
        *("finished_0", *(f"finished_{n}" for n in range(23, 32))),
        *("key_0", "key_21", "key_25", "key_29"),
    ]
    assert await store.bounds("acme") == (23, 30)
    asked = [f"k{n}" for n in range(1, 31)]
    records, by_key = await store.find("acme", [22, 23, 30], asked)
    assert [one is None for one in records] == [True, False, False]
    assert [one is not None for one in by_key] == [n >= 23 for n in range(1, 31)]
    assert (await store.known("acme", asked)).keys() == {f"k{n}" for n in range(21, 31)}
    assert set(await store.accept([entry(99, key="k21"), entry(100, key="k20")])) == {0}
    await store.aclose()
    changed = "SELECT sum(n_tup_ins), sum(n_tup_del + n_tup_upd) FROM pg_stat_user_tables"
    [[came, went]] = postgres.ask(database, f"{changed} WHERE relname ~ '^(event|finished|key)_'")
    assert came > 20
    assert went == 0


async def test_what_the_tables_take_is_told_by_their_common_name(
    made: Make, clock: Clock, entry: MakeEntry, delivered: MakeFinal
) -> None:
    store = made()
    await store.open()
    before = await store.vitals()
    await days(store, clock, range(1, 5), entry, delivered)
    after = await store.vitals()
    assert not [name for name in after.sizes if name[-1].isdigit()]
    for table in ("event", "finished", "key"):
        assert after.sizes[table] > before.sizes[table] > 0
        assert after.dead[table] == 0
    await store.aclose()


async def test_an_idle_gateway_makes_no_tables(
    made: Make, clock: Clock, tables: Callable[[], list[str]]
) -> None:
    store = made()
    await store.open()
    before = tables()
    for _ in range(30):
        await prune(store, clock)
        clock.now += DAY
    assert tables() == before
    await store.aclose()


async def test_clocks_that_are_days_apart_make_hardly_more_tables(
    postgres: Postgres, database: str, made: Make, clock: Clock, entry: MakeEntry
) -> None:
    right = made("a", nodes=2)
    wrong = PostgresStore(postgres.dsn(database), node="b", nodes=2, clock=lambda: clock.now + 9e5)
    await right.open()
    await wrong.open()
    rounds = 60
    for number in range(rounds):
        for at, (store, ahead) in enumerate(((right, 0.0), (wrong, 9e5))):
            assert await store.accept([entry(2 * number + at, key=f"{number}.{at}")]) == {}
            while await store.prune(clock.now + ahead - KEPT, 1_000):
                pass
        clock.now += history.AGAIN
    [[count]] = postgres.ask(database, "SELECT count(*) FROM generation")
    assert count <= 4
    keys = [f"{number}.{at}" for number in range(rounds) for at in (0, 1)]
    assert len(await right.known("acme", keys)) == len(keys)
    for store in (wrong, right):
        await store.aclose()


async def test_nodes_that_do_not_prune_go_by_the_retention_too(
    postgres: Postgres, database: str, made: Make, clock: Clock, entry: MakeEntry
) -> None:
    both = [made("a", nodes=2), made("b", nodes=2)]
    for store in both:
        await store.open()
        await prune(store, clock)
    clock.now += 0.9 * DAY
    await both[1].accept([entry(1, key="a")])
    assert postgres.ask(database, "SELECT max(number) FROM generation") == [(1,)]
    clock.now += 0.2 * DAY
    await both[1].accept([entry(2, key="b")])
    assert postgres.ask(database, "SELECT max(number) FROM generation") == [(2,)]
    for store in both:
        await store.aclose()


async def test_a_walk_that_another_partition_was_begun_with_begins_anew(
    made: Make,
    clock: Clock,
    tables: Callable[[], list[str]],
    entry: MakeEntry,
    delivered: MakeFinal,
    postgres: Postgres,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No key of a message that waits is passed over, though the dropping is held up for long."""
    monkeypatch.setattr(generations, "PAGES", 1)
    store = made()
    await store.open()
    for start in (0, 100):
        waiting = [
            entry(10_000 + start + n, key=f"w{start + n:03}" * 30, due=9e8) for n in range(90)
        ]
        await store.accept(waiting)
        await days(store, clock, range(start + 1, start + 7), entry, delivered)
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("SELECT count(*) FROM key")
        clock.now += 30 * DAY
        for _ in range(2):
            with pytest.raises(StoreError, match="is held up"):
                await prune(store, clock)
    await prune(store, clock)
    assert "key_1" not in tables()
    keys = [f"w{start + n:03}" * 30 for start in (0, 100) for n in range(90)]
    assert len(await store.known("acme", keys)) == len(keys)
    await store.aclose()


@pytest.mark.parametrize("hour", [3_600.0, -3_600.0, 400 * DAY, -999.0])
async def test_a_clock_that_jumps_takes_nothing(
    made: Make, clock: Clock, entry: MakeEntry, delivered: MakeFinal, hour: float
) -> None:
    store = made()
    await store.open()
    await days(store, clock, range(1, 4), entry, delivered)
    right, clock.now = clock.now, clock.now + hour
    one = entry(9, key="k9", accepted_at=clock.now)
    await store.accept([one])
    await store.settle(Settlement(finals=[delivered(one.message, at=clock.now)]))
    clock.now = right
    await days(store, clock, range(4, 7), entry, delivered)
    assert len(await store.known("acme", [f"k{n}" for n in range(10)])) == 7
    records, _ = await store.find("acme", [1, 2, 3, 4, 5, 6, 9], [])
    assert None not in records
    await days(store, clock, range(11, 31), entry, delivered)
    assert "k1" not in await store.known("acme", ["k1"])
    await store.aclose()


async def test_a_message_that_waits_keeps_its_key(
    made: Make,
    clock: Clock,
    tables: Callable[[], list[str]],
    entry: MakeEntry,
    delivered: MakeFinal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generations, "PAGES", 1)
    store = made()
    await store.open()
    waiting = [entry(1_000 + n, key=f"w{n:03}" * 20, due=9e8) for n in range(300)]
    await store.accept(waiting)
    await days(store, clock, range(1, 40), entry, delivered)
    assert "key_1" not in tables()
    again = [entry(5_000 + n, key=f"w{n:03}" * 20) for n in range(300)]
    found = await store.accept(again)
    assert {at: known.message for at, known in found.items()} == {n: 1_000 + n for n in range(300)}
    await store.aclose()


async def test_a_reader_that_stays_holds_up_the_dropping_and_nothing_else(
    made: Make,
    clock: Clock,
    tables: Callable[[], list[str]],
    entry: MakeEntry,
    delivered: MakeFinal,
    postgres: Postgres,
    database: str,
) -> None:
    store = made()
    await store.open()
    await days(store, clock, range(1, 9), entry, delivered)
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("SELECT count(*) FROM event")
        clock.now += 5 * DAY
        with pytest.raises(StoreError, match="is held up by another connection's transaction"):
            await prune(store, clock)
        await store.accept([entry(50, key="k50"), entry(51, key="k1")])
        assert "event_1" in tables()
        other.rollback()
    await prune(store, clock)
    assert "event_1" not in tables()
    await store.aclose()


async def test_a_writer_that_stays_holds_up_the_end_of_a_generation_and_nothing_else(
    made: Make,
    clock: Clock,
    tables: Callable[[], list[str]],
    entry: MakeEntry,
    postgres: Postgres,
    database: str,
) -> None:
    store = made()
    await store.open()
    await store.accept([entry(1, key="a")])
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute(
            "INSERT INTO key_1 (tenant, name, message, digest, at, got)"
            " SELECT id, 'c', 7, 5, 1, 2 FROM tenant"
        )
        clock.now += DAY
        assert set(await store.accept([entry(2, key="a"), entry(3, key="b")])) == {0}
        assert "event_2" not in tables()
    clock.now += history.AGAIN
    assert set(await store.accept([entry(4, key="b"), entry(5, key="c")])) == {0, 1}
    assert "event_2" in tables()
    await store.aclose()


# --- several nodes ---


async def test_no_key_is_taken_twice_while_generations_end(
    postgres: Postgres,
    database: str,
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two nodes are offered the same keys at the same moment, over and over, and each ends a
    generation whenever it can."""
    monkeypatch.setattr(generations, "is_over", lambda *_: True)
    monkeypatch.setattr(history, "AGAIN", 0.0)
    rounds, size = 40, 20
    taken: dict[str, list[int]] = {}

    async def offer(store: PostgresStore, numbers: range, keys: list[str]) -> None:
        entries = [entry(n, key=key) for n, key in zip(numbers, keys, strict=True)]
        found = await store.accept(entries)
        for at, one in enumerate(entries):
            key = one.message.key or ""
            taken.setdefault(key, []).append(found[at].message if at in found else one.message.id)

    async with opener(postgres, database)("a", "b") as both:
        for turn in range(rounds):
            keys = [f"{turn}.{n}" for n in range(size)]
            async with trio.open_nursery() as nursery:
                for at, node in enumerate(both):
                    start = (2 * turn + at) * size + 1
                    nursery.start_soon(offer, node.store, range(start, start + size), keys)
    assert [answers for answers in taken.values() if len(set(answers)) != 1] == []
    twice = "SELECT name FROM key GROUP BY tenant, name HAVING count(*) > 1"
    assert postgres.ask(database, twice) == []
    [[stored]] = postgres.ask(database, "SELECT count(*) FROM key")
    [[ended]] = postgres.ask(database, "SELECT count(*) FROM generation WHERE newest IS NOT NULL")
    assert stored == rounds * size
    assert ended > rounds / 2


async def test_a_node_that_was_idle_for_long_writes_to_the_newest_generation(
    postgres: Postgres,
    database: str,
    made: Make,
    clock: Clock,
    tables: Callable[[], list[str]],
    entry: MakeEntry,
    delivered: MakeFinal,
) -> None:
    """The one that it knows was ended and dropped by another; its own clock stands still."""
    other = made("a", nodes=2)
    idle = PostgresStore(postgres.dsn(database), node="b", nodes=2, clock=lambda: 1_000.0)
    await other.open()
    await days(other, clock, range(1, 2), entry, delivered)
    await idle.open()
    await idle.accept([entry(100, key="x")])
    await days(other, clock, range(2, 30), entry, delivered)
    assert "key_1" not in tables()
    again = [entry(101, key="k29"), entry(102, key="new", leased=True)]
    assert {at: known.message for at, known in (await idle.accept(again)).items()} == {0: 29}
    await idle.settle(Settlement(finals=[delivered(again[1].message, at=clock.now)]))
    [newest] = postgres.ask(database, "SELECT number, keys FROM generation WHERE newest IS NULL")
    placed = "SELECT (SELECT max(generation) FROM finished), max(generation) FROM key"
    assert postgres.ask(database, placed) == [newest]
    for store in (idle, other):
        await store.aclose()


# --- from before there were any ---


def _before(postgres: Postgres, database: str, version: int) -> None:
    """What a gateway of a schema version has left: a message with its outcome and key, of day 1."""
    target = Target.of(postgres.dsn(database), "commit")
    event = Event("delivered", DAY, message_id(7), "old", "447911123456")
    [chunk] = events.chunks("acme", 1, [events.encode(event)])
    chunks, finished, key = generations.TABLES
    if version >= 10:  # what there was before, then
        chunks, finished, key = map(generations.mixed, generations.TABLES)
    with connecting.connect(target, "test") as connection:
        schema.migrate(connection, target, statements.steps()[:version])
        connection.execute("INSERT INTO tenant (name, seq) VALUES ('acme', 1)")
        connection.execute(
            f"INSERT INTO {chunks} (tenant, first, size, at, body) VALUES (1, 1, 1, %s, %s)",
            (DAY, chunk.body),
        )
        connection.execute(f"INSERT INTO {finished} (id, seq, tenant) VALUES (7, 1, 1)")
        connection.execute(
            f"INSERT INTO {key} (tenant, name, message, digest, at, got)"
            " VALUES (1, 'old', 7, 5, %s, 2)",
            (DAY,),
        )


@pytest.mark.parametrize("version", range(1, len(statements.steps())))
async def test_what_every_version_has_left_is_found_and_goes(
    version: int,
    made: Make,
    clock: Clock,
    entry: MakeEntry,
    delivered: MakeFinal,
    postgres: Postgres,
    database: str,
) -> None:
    _before(postgres, database, version)
    clock.now = 3 * DAY
    store = made()
    await store.open()
    assert await store.accept([entry(9, key="old"), entry(8, key="new")]) == {
        0: Known(7, 5, 1, "gsm7", None)
    }
    await store.settle(Settlement(finals=[delivered(entry(8).message, at=clock.now)]))
    told = await store.events("acme", 0, 10)
    assert [msgspec.msgpack.decode(one)["message_id"] for c in told for one in events.split(c)] == [
        message_id(7),
        message_id(8),
    ]
    [of_old, of_new], _ = await store.find("acme", [7, 8], [])
    assert of_old is not None
    assert of_new is not None
    await prune(store, clock, DAY)
    assert (await store.find("acme", [7], ["old"])) == ([None], [None])
    assert (await store.known("acme", ["old", "new"])).keys() == {"new"}
    assert await store.bounds("acme") == (2, 2)
    emptied = "'{event_0,finished_0,key_0}'::regclass[]"
    size = f"SELECT sum(pg_relation_size(name)) FROM unnest({emptied}) AS name"
    assert postgres.ask(database, size) == [(0,)]
    await store.aclose()
