"""What is the PostgreSQL engine's own: its errors, its schema, its connections."""

import contextlib
import os
import re
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StoreError, StoreFenced
from gateway.queue.backends import StoreOptions
from gateway.queue.consents import Consent
from gateway.queue.postgresql import (
    PostgresStore,
    arrays,
    connecting,
    holding,
    optouts,
    records,
    schema,
    session,
    statements,
)
from gateway.queue.postgresql.connecting import Connected, Target
from gateway.queue.postgresql.following import Follower
from gateway.queue.store import Entry, Known, OptoutChange, Settlement
from tests.queue.contract.rig import LANE, decoded, notices
from tests.servers import OWNER, Postgres, cluster
from tools.ports import free_port

MakeEntry = Callable[..., Entry]
SECRET = "s3cr3t-" + secrets.token_hex(8)


@pytest.fixture
def made(postgres: Postgres, database: str) -> Callable[..., PostgresStore]:
    """Makes a store on an empty database, of node ``a`` unless another is named."""

    def make(node: str = "a", **options: Any) -> PostgresStore:
        return PostgresStore(postgres.dsn(database), node=node, **options)

    return make


# --- what is refused, and what to do ---


async def refused(dsn: str, **options: Any) -> str:
    """Why a store does not open."""
    with pytest.raises(StoreError) as raised:
        await PostgresStore(dsn, node="a", lease=0.1, **options).open()
    told = str(raised.value)
    assert SECRET not in told
    assert "\n" not in told
    return told


async def test_a_database_that_is_not_there(postgres: Postgres) -> None:
    told = await refused(f"{postgres.dsn('nowhere')} password={SECRET}")
    assert told == (
        f"postgresql://gateway@{postgres.folder}:5432/nowhere:"
        " there is no database nowhere; make it: createdb nowhere"
    )


async def test_a_role_that_is_not_there(postgres: Postgres, database: str) -> None:
    told = await refused(postgres.dsn(database, "stranger"))
    assert told.endswith("there is no role stranger; make it: createuser stranger")


async def test_a_server_that_is_not_there() -> None:
    port = free_port()
    told = await refused(f"postgresql://gateway:{SECRET}@127.0.0.1:{port}/gateway")
    assert told.startswith(f"postgresql://gateway@127.0.0.1:{port}/gateway: cannot be reached")


@pytest.fixture
def listening(postgres: Postgres) -> Iterator[int]:
    """A port of the server, where it asks for passwords."""
    port = free_port()
    postgres.settings({"listen_addresses": "'127.0.0.1'", "port": str(port)})
    yield port
    postgres.settings({})


async def test_a_wrong_password(postgres: Postgres, database: str, listening: int) -> None:
    postgres.ask(database, "ALTER ROLE gateway PASSWORD 'right'")
    dsn = f"postgresql://gateway:{{}}@127.0.0.1:{listening}/{database}"
    told = await refused(dsn.format(SECRET))
    where = f"postgresql://gateway@127.0.0.1:{listening}/{database}"
    assert told == f"{where}: the password is refused; mend it"
    store = PostgresStore(dsn.format("right"), node="a")
    await store.open()
    await store.aclose()


async def test_a_role_without_rights(postgres: Postgres, database: str) -> None:
    postgres.ask(database, "CREATE ROLE guest LOGIN")
    told = await refused(postgres.dsn(database, "guest"))
    assert "permission denied for schema public" in told
    assert told.endswith("make the role the owner of its database: ALTER DATABASE … OWNER TO …")
    postgres.ask(database, "DROP ROLE guest")


async def test_another_programs_database(postgres: Postgres, database: str) -> None:
    postgres.ask(database, "CREATE TABLE account (id int)")
    told = await refused(postgres.dsn(database))
    assert told.endswith("has another program's tables; give the gateway a database of its own")
    postgres.ask(database, "CREATE TABLE gateway (id int)")
    assert "another program's tables" in await refused(postgres.dsn(database))
    assert postgres.ask(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [
        (2,)
    ]


async def test_a_newer_schema(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore]
) -> None:
    store = made()
    await store.open()
    await store.aclose()
    postgres.ask(database, "UPDATE gateway SET version = 99")
    told = await refused(postgres.dsn(database))
    newest = len(statements.steps())
    assert f"has schema version 99, this gateway knows up to {newest}; run the newer" in told


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_does_not_keep_what_it_has(
    postgres: Postgres, database: str, setting: str
) -> None:
    postgres.settings({setting: "off"})
    try:
        told = await refused(postgres.dsn(database))
        assert f"runs with {setting}=off and loses what was answered when its power fails" in told
        assert told.endswith(f'turn {setting} on, or say queue.synchronous = "off"')
        store = PostgresStore(postgres.dsn(database), node="a", synchronous="off")
        await store.open()
        await store.aclose()
    finally:
        postgres.settings({})


async def test_a_server_whose_default_is_not_to_wait_waits_for_us(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore]
) -> None:
    postgres.ask(database, f"ALTER DATABASE {database} SET synchronous_commit = off")
    with connecting.connect(Target.of(postgres.dsn(database), "commit"), "test") as connection:
        assert connecting.show(connection, "SHOW synchronous_commit") == "on"


async def test_a_standby(postgres: Postgres, database: str) -> None:
    with postgres.standby() as standby:
        told = await refused(standby.dsn(database))
        assert told.endswith(
            "is a standby, in recovery; name the primary, or all hosts with"
            " target_session_attrs=read-write"
        )


async def test_a_server_that_is_too_old(
    postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "OLDEST", 99)  # as there is no old one here
    told = await refused(postgres.dsn(database))
    assert "; 99 or later is needed: upgrade it" in told
    assert "is PostgreSQL " in told


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_does_not_hold_every_text(postgres: Postgres, encoding: str) -> None:
    name = f"of_{encoding.lower()}"
    postgres.ask("postgres", f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")
    told = await refused(postgres.dsn(name))
    assert f"has the encoding {encoding}, which does not hold every text" in told
    assert told.endswith("make it anew: createdb --encoding UTF8 --template template0")
    postgres.drop(name)


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (
            "ALTER ROLE guest SET default_transaction_read_only = on",
            "on; ALTER ROLE … or DATABASE … RESET default_transaction_read_only",
        ),
        ("ALTER ROLE guest NOLOGIN", "role guest may not log in; let it: ALTER ROLE guest LOGIN"),
        (
            "REVOKE CONNECT ON DATABASE {0} FROM public",
            "the role may not connect to {0}; let it: GRANT CONNECT ON DATABASE {0} TO …",
        ),
        (
            "ALTER DATABASE {0} ALLOW_CONNECTIONS false",
            "{0} takes no connections; let it: ALTER DATABASE {0} ALLOW_CONNECTIONS true",
        ),
        ("ALTER ROLE guest CONNECTION LIMIT 0", "has no connection left; raise max_connections"),
    ],
)
async def test_a_role_or_a_database_that_lets_nobody_in(
    postgres: Postgres, database: str, done: str, told: str
) -> None:
    postgres.ask("postgres", "CREATE ROLE guest LOGIN")
    postgres.ask("postgres", done.format(database))
    assert (await refused(postgres.dsn(database, "guest"))).endswith(told.format(database))
    postgres.ask("postgres", "DROP ROLE guest")


class Pooler:
    """Stands between a gateway and a server, and says as poolers do that the session has another
    number than the server's."""

    def __init__(self, server: str) -> None:
        self._server = server

    async def serve(self, client: trio.SocketStream) -> None:
        server = await trio.open_unix_socket(self._server)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._pass, client, server, False)
            await self._pass(server, client, True)
            nursery.cancel_scope.cancel()

    async def _pass(self, one: trio.SocketStream, other: trio.SocketStream, back: bool) -> None:
        async for data in one:
            key = data.find(b"K\0\0\0\x0c") if back else -1
            number = slice(key + 5, key + 9) if key >= 0 else slice(0, 0)
            await other.send_all(
                data[: number.start] + bytes(number.stop - number.start) + data[number.stop :]
            )


async def test_a_pooler(postgres: Postgres, database: str, nursery: trio.Nursery) -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    pooler = Pooler(f"{postgres.folder}/.s.PGSQL.5432")
    nursery.start_soon(trio.serve_listeners, pooler.serve, [listener])
    port = listener.socket.getsockname()[1]
    told = await refused(f"postgresql://gateway@127.0.0.1:{port}/{database}")
    assert told.endswith(
        "is reached through a pooler, which may give each transaction another session; name the"
        " server itself"
    )
    nursery.cancel_scope.cancel()


async def test_a_database_that_vanishes_and_comes_back_empty(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    store = made()
    await store.open()
    postgres.drop(database)
    while True:  # a connection that is lost is found out by the first call on it
        with pytest.raises(StoreError) as raised:
            await store.accept([entry(1)])
        if "lost" not in str(raised.value):
            break
    assert str(raised.value).endswith(
        f"there is no database {database}; make it: createdb {database}"
    )
    postgres.ask("postgres", f"CREATE DATABASE {database}")
    with pytest.raises(StoreError, match="its tables are gone; restore a backup of the database"):
        await store.accept([entry(1)])
    await store.aclose()


def test_what_is_no_dsn_is_not_shown() -> None:
    with pytest.raises(StoreError) as raised:
        PostgresStore(f"postgresql:/{SECRET}", node="a")
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_nothing_shows_a_password() -> None:
    dsn = f"postgresql://gateway:{SECRET}@db.example.net:6432/sms?sslmode=require"
    target = Target.of(dsn, "commit")
    assert target.where == "postgresql://gateway@db.example.net:6432/sms"
    for shown in (repr(target), str(target), repr(StoreOptions("postgresql", dsn=dsn))):
        assert SECRET not in shown


# --- what can be seen of it ---


async def test_how_the_database_fares(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    store = made()
    await store.open()
    await store.accept([entry(number) for number in range(500)])
    idle = await store.vitals()
    assert idle.sizes["backlog"] > 100_000
    assert (idle.oldest_transaction, idle.standbys, idle.lags) == (0.0, 0, {})
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("SELECT 1")
        before = await store.vitals()
        after = await store.vitals()
        assert 0.0 < before.oldest_transaction < after.oldest_transaction
    await store.lease(LANE, 2_000.0, 500)
    postgres.ask(database, "SELECT pg_stat_force_next_flush()")
    while not (await store.vitals()).dead["backlog"]:  # counted by the server in its own time
        await store.remember("x", b"")
    with postgres.standby():
        while not (followed := await store.vitals()).lags:
            pass
    assert followed.standbys == 1
    assert list(followed.lags) == ["standby"]
    await store.aclose()


# --- one node at a time ---


async def test_two_nodes_of_one_name(made: Callable[..., PostgresStore]) -> None:
    store = made()
    await store.open()
    with pytest.raises(StoreError, match="another process that calls itself node a; stop that one"):
        await made(lease=0.1).open()
    await store.aclose()


async def test_a_second_node_waits_for_the_first(
    made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    store = made()
    first = await store.open()
    with pytest.raises(StoreError, match="is in use by node a; one node at a time can have it"):
        await made("b", lease=0.1).open()
    await store.accept([entry(1, leased=True)])
    other = made("b")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.aclose)
        second = await other.open()
    assert (second.clean, second.node, second.token) == (True, 0, first.token + 1)
    await other.aclose()
    assert (await store.open()).node == 0


async def test_a_node_that_falls_silent_is_taken_over(
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where it is stopped, or its machine is gone: its connections stay, it says nothing."""
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    silent = made(lease=9_999.0)
    await silent.open()
    await silent.accept([entry(1, leased=True), entry(2)])
    postgres.ask(database, "UPDATE node SET until = clock_timestamp() + interval '0.3 s'")
    other = made("b")
    recovery = await other.open()
    assert not recovery.clean
    leased = await other.lease(LANE, 1_000.0, 10)
    assert [(m.id, m.maybe_duplicate) for m in leased.messages] == [(1, True), (2, False)]
    with pytest.raises(StoreFenced, match="another node has taken the store over"):
        await silent.settle(Settlement(notices=notices("acme", 1)))
    await silent.aclose()
    await other.aclose()


async def test_a_node_that_falls_silent_within_a_transaction_is_taken_over(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    """It has locked what it was about to write, and would not let go for as long as it sleeps."""
    before = made()
    await before.open()
    await before.accept([entry(1, leased=True)])
    await before.aclose()
    target = Target.of(postgres.dsn(database), "commit")
    silent = connecting.connect(target, "a: writer")
    holding.take(silent, target, "a", lease=0.1)
    silent.execute("BEGIN")
    silent.execute("UPDATE node SET operation = operation + 1")
    silent.execute("UPDATE message SET state = 0")
    other = made("b")
    with trio.fail_after(60):
        await other.open()
        leased = await other.lease(LANE, 1_000.0, 10)
    assert [m.id for m in leased.messages] == [1]
    with pytest.raises(psycopg.OperationalError):
        silent.execute("COMMIT")
    await other.aclose()


async def test_a_killed_node_goes_on_under_its_name_at_once(
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "RENEW", 3_600.0)
    killed = made(lease=9_999.0)
    await killed.open()
    await killed.accept([entry(1, leased=True)])
    postgres.cut(database)
    again = made()
    assert not (await again.open()).clean
    with pytest.raises(StoreFenced):
        await killed.remember("forms", b"x")
    await killed.aclose()
    await again.aclose()


async def test_one_that_is_idle_learns_of_it_too(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore]
) -> None:
    idle = made(lease=0.3)
    await idle.open()
    postgres.ask(database, "UPDATE node SET token = token + 1")
    with trio.fail_after(60), pytest.raises(StoreFenced):
        await idle.until_fenced()
    await idle.aclose()


@pytest.mark.parametrize("last", [31_000, 2_147_482_000])
async def test_events_are_read_however_many_there_were(
    last: int,
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    entry: MakeEntry,
) -> None:
    """Their numbers outgrow what a small integer holds, and an ordinary one."""
    store = made()
    await store.open()
    await store.accept([entry(1)])
    await store.aclose()
    postgres.ask(database, f"UPDATE tenant SET seq = {last}")
    store = made()
    await store.open()
    await store.settle(Settlement(notices=notices("acme", 1_000)))
    await store.aclose()
    again = made()
    await again.open()
    told = decoded(await again.events("acme", last + 900, 1_000))
    assert [event["seq"] for event in told] == [*range(last + 901, last + 1_001)]
    await again.aclose()


# --- the database goes away ---


async def test_connections_that_are_cut_are_made_again(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    store = made()
    await store.open()
    for number in range(1, 6):
        postgres.cut(database)
        for _ in range(2):  # the first may find out
            try:
                await store.accept([entry(number, key=f"k{number}")])
                break
            except StoreError:
                continue
        postgres.cut(database)
        while True:
            try:
                found = await store.known("acme", [f"k{number}"])
                break
            except StoreError:
                continue
        assert found[f"k{number}"].message == number
    await store.aclose()


@pytest.mark.parametrize("cut_before", [False, True])
async def test_a_commit_whose_answer_is_lost_is_made_once(
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    entry: MakeEntry,
    cut_before: bool,
) -> None:
    """Its connection is cut while it waits for a standby that is not there: it was made, and is
    answered once the standby does not matter any more. Nor is it told before where it was tried in
    vain on a connection that had been lost already."""
    store = made()
    await store.open()
    postgres.reload({"synchronous_standby_names": "'nobody'"})
    if cut_before:
        postgres.cut(database)
    answered: list[object] = []

    async def accept() -> None:
        answered.append(await store.accept([entry(1, key="a"), entry(2, key="a")]))

    try:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(accept)
                while not _waits(postgres, database, "SyncRep"):
                    await trio.sleep(0.01)
                postgres.cut(database)
                while not _waits(postgres, database, "SyncRep"):
                    await trio.sleep(0.01)
                assert answered == []
                postgres.reload({})
    finally:
        postgres.reload({})
    assert answered == [{1: Known(1, 1, 1, "ucs2", None)}]
    assert [m.id for m in (await store.lease(LANE, 1_000.0, 10)).messages] == [1]
    await store.settle(Settlement(notices=notices("acme", 1)))
    assert len(decoded(await store.events("acme", 0, 10))) == 1
    await store.aclose()


async def test_a_commit_that_was_not_made_is_told_so(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    """Its connection is cut while it waits for a lock."""
    store = made()
    await store.open()
    with psycopg.connect(postgres.dsn(database)) as locking:
        locking.execute("SELECT 1 FROM node FOR UPDATE")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_refused, store, entry(1, key="a"))
            while not _waits(postgres, database, "transactionid"):
                await trio.sleep(0.01)
            postgres.cut(database, "writer")
            locking.rollback()
    assert await store.known("acme", ["a"]) == {}
    assert await store.accept([entry(1, key="a")]) == {}
    await store.aclose()


async def test_a_commit_that_hung_is_not_made_after_it_was_said_not_to_be(
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server had all of it when the connection was lost, and goes on with it later."""
    store = made()
    await store.open()
    query = (
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%: writer'"
        f" AND datname = '{database}'"
    )
    [[process]] = postgres.ask(database, query)
    fence = session.Session._fence  # noqa: SLF001  the last statement but for COMMIT
    hung: list[Connected] = []

    def hang(self: session.Session) -> None:
        if not hung and self.connection is not None:
            os.kill(process, signal.SIGSTOP)
            hung.append(self.connection)
        fence(self)

    monkeypatch.setattr(session.Session, "_fence", hang)
    monkeypatch.setattr(holding, "CUT", 0.1)
    answers: list[bool] = []

    async def accept() -> None:
        try:
            await store.accept([entry(1, key="k")])
        except StoreError:
            answers.append(False)
        else:
            answers.append(True)

    try:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(accept)
                while not hung:
                    await trio.sleep(0.01)
                await trio.sleep(0.3)  # for all of it to be on its way
                with socket.socket(fileno=os.dup(hung[0].fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)
                with contextlib.suppress(StoreError):
                    await store.accept([entry(2)])
                os.kill(process, signal.SIGCONT)
                while (process,) in postgres.ask(database, query):
                    await trio.sleep(0.01)
                number = 2
                while not answers:
                    number += 1
                    with contextlib.suppress(StoreError):
                        await store.accept([entry(number)])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    assert answers == [bool(await store.known("acme", ["k"]))]
    await store.aclose()


async def _refused(store: PostgresStore, entry: Entry) -> None:
    with pytest.raises(StoreError, match="connection"):
        await store.accept([entry])


def _waits(postgres: Postgres, database: str, what: str) -> bool:
    return bool(
        postgres.ask(
            "postgres",
            f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}'"
            f" AND wait_event = '{what}'",
        )
    )


async def test_a_server_that_is_restarted_is_found_again(
    postgres: Postgres, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    store = made()
    await store.open()
    await store.accept([entry(1, leased=True)])
    await trio.to_thread.run_sync(postgres.stop)
    with pytest.raises(StoreError):
        await store.accept([entry(2)])
    with pytest.raises(StoreError):
        await store.lease(LANE, 9e9, 10)
    await trio.to_thread.run_sync(postgres.start)
    await store.accept([entry(3)])
    assert [m.id for m in (await store.lease(LANE, 9e9, 10)).messages] == [3]
    await store.aclose()


# --- another server takes over ---


@pytest.fixture
def primary() -> Iterator[Postgres]:
    """A server of the test's own, for it is left behind in the end."""
    with cluster() as server:
        yield server


async def test_an_old_primary_is_passed_over(primary: Postgres, entry: MakeEntry) -> None:
    """Both servers take writes; the first one that is named does not count, for a node that was
    there before the failover and for one that comes later."""
    database = primary.database()
    with primary.standby() as standby:
        dsn = f"host={primary.folder},{standby.folder} user={OWNER} dbname={database}"
        primary.reload({"synchronous_standby_names": "standby"})
        store = PostgresStore(dsn, node="a", nodes=2)
        await store.open()
        await store.accept([entry(1)])
        standby.promote()
        primary.reload({})
        primary.cut(database)
        await _accepted(store, entry(2, key="k"))
        assert [len(server.ask(database, KEYS)) for server in (primary, standby)] == [0, 1]
        with trio.fail_after(30):  # whichever connection finds out first
            while await store.known("acme", ["k"]) == {}:
                await trio.sleep(0.01)
        later = PostgresStore(dsn, node="b", nodes=2)
        await later.open()
        assert await later.newest() == 2
        await later.aclose()
        standby.kill()
        with pytest.raises(StoreError):
            await store.accept([entry(3)])
        with pytest.raises(StoreError, match="is an old primary, left behind by a failover; stop"):
            await store.accept([entry(3)])
        await store.aclose()


async def test_a_failover_that_has_lost_what_was_committed_ends_a_node(
    primary: Postgres, entry: MakeEntry
) -> None:
    database = primary.database()
    with primary.standby() as standby:
        dsn = f"host={primary.folder},{standby.folder} user={OWNER} dbname={database}"
        store = PostgresStore(dsn, node="a")
        await store.open()
        await store.accept([entry(1)])
        while not standby.ask(database, "SELECT 1 FROM message"):
            await trio.sleep(0.01)
        standby.kill()  # and hears of nothing any more
        await store.accept([entry(2)])
        primary.kill()
        standby.start()
        standby.promote()
        with pytest.raises(StoreFenced, match="a failover has lost what was committed here"):
            await _accepted(store, entry(3))
        await store.aclose()
        again = PostgresStore(dsn, node="a")
        await again.open()
        assert again.restored
        assert [m.id for m in (await again.lease(LANE, 9e9, 10)).messages] == [1]
        await again.aclose()


KEYS = "SELECT 1 FROM key"


async def _accepted(store: PostgresStore, entry: Entry) -> None:
    """Accept a message; the connection may have to be made first."""
    with trio.fail_after(30):
        while True:
            try:
                await store.accept([entry])
                return
            except StoreFenced:
                raise
            except StoreError:
                await trio.sleep(0.01)


async def test_a_restored_database_begins_an_epoch(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore]
) -> None:
    store = made()
    await store.open()
    epoch = store.epoch
    assert not store.restored
    await store.aclose()
    copy = postgres.database(database)
    restored = PostgresStore(postgres.dsn(copy), node="a")
    await restored.open()
    assert (restored.restored, restored.epoch == epoch) == (True, False)
    await restored.aclose()
    await store.open()
    assert (store.restored, store.epoch) == (False, epoch)
    await store.aclose()
    postgres.drop(copy)


@pytest.mark.parametrize(
    ("error", "definite"),
    [
        (psycopg.errors.UniqueViolation, True),
        (psycopg.errors.DiskFull, True),
        (psycopg.errors.SerializationFailure, True),
        (psycopg.errors.AdminShutdown, False),
        (psycopg.errors.CrashShutdown, False),
        (psycopg.errors.QueryCanceled, False),
        (psycopg.errors.ConnectionFailure, False),
        (psycopg.errors.IoError, False),
        (psycopg.OperationalError, False),
    ],
)
def test_which_errors_say_that_a_commit_was_not_made(
    error: type[psycopg.Error], definite: bool
) -> None:
    assert session.was_refused(error("told")) is definite


# --- the schema, and arrays ---


def test_a_step_that_fails_is_not_half_taken(postgres: Postgres, database: str) -> None:
    target = Target.of(postgres.dsn(database), "commit")
    steps = [*statements.steps(), b"CREATE TABLE more (id int); SELECT 1 / 0"]
    with connecting.connect(target, "test") as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            schema.migrate(connection, target, steps)
        assert connecting.show(connection, "SELECT version FROM gateway") == len(steps) - 1
        assert connecting.show(connection, "SELECT to_regclass('more')") is None
        schema.migrate(connection, target, [*steps[:-1], b"CREATE TABLE more (id int)"])
        assert connecting.show(connection, "SELECT version FROM gateway") == len(steps)


async def test_a_newer_version_starts_once_no_older_node_works(
    postgres: Postgres, database: str, made: Callable[..., PostgresStore], entry: MakeEntry
) -> None:
    """Unless its schema only adds what that one need not know: then both work side by side."""
    older = made(nodes=2)
    await older.open()
    target = Target.of(postgres.dsn(database), "commit")
    steps = [*statements.steps(), b"CREATE TABLE more (id int)"]
    with connecting.connect(target, "test") as connection:
        with pytest.raises(StoreError, match=r"nodes of an older version \(a\), .*; stop"):
            schema.migrate(connection, target, steps)
        assert connecting.show(connection, "SELECT to_regclass('more')") is None
        schema.migrate(connection, target, steps, beside=frozenset({len(steps)}))
        await older.accept([entry(1)])
        steps.append(b"CREATE TABLE still_more (id int)")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(older.aclose)
            await trio.to_thread.run_sync(
                lambda: schema.migrate(connection, target, steps, patience=30.0)
            )
        assert connecting.show(connection, "SELECT version FROM gateway") == len(steps)
    with pytest.raises(StoreError, match="run the newer gateway, or restore a backup"):
        await older.open()


INT8 = st.integers(-(1 << 63), (1 << 63) - 1)


@given(
    st.lists(INT8),
    st.lists(st.floats(allow_nan=False)),
    st.lists(st.none() | st.floats(allow_nan=False)),
    st.lists(st.binary(max_size=20)),
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    st.lists(st.booleans()),
)
def test_arrays_come_back_as_they_went(
    postgres: Postgres,
    numbers: list[int],
    floats: list[float],
    perhaps: list[float | None],
    octets: list[bytes],
    texts: list[str],
    there: list[bool],
) -> None:
    some_octets = [one if is_there else None for one, is_there in zip(octets, there, strict=False)]
    some_texts = [one if is_there else None for one, is_there in zip(texts, there, strict=False)]
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        arrays.register(connection)
        given_ = (
            arrays.int8s(numbers),
            arrays.int4s([number >> 32 for number in numbers]),
            arrays.int2s([number >> 48 for number in numbers]),
            arrays.float8s(floats),
            arrays.maybe_float8s(perhaps),
            arrays.octets(octets),
            arrays.texts(texts),
            arrays.maybe_octets(some_octets),
            arrays.maybe_texts(some_texts),
        )
        query = "SELECT %s::int8[], %s::int4[], %s::int2[], %s::float8[], %s::float8[],"
        cursor = connection.cursor(binary=True)
        query += " %s::bytea[], %s::text[], %s::bytea[], %s::text[]"
        [row] = cursor.execute(query, given_).fetchall()
    sent = (
        numbers,
        [number >> 32 for number in numbers],
        [number >> 48 for number in numbers],
        floats,
        perhaps,
        octets,
        texts,
        some_octets,
        some_texts,
    )
    assert row == sent


async def test_a_node_whose_time_is_over_once_it_has_opened_has_all_phones(
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To read what is there, and to put away what a node has left behind, may take longer than a
    lease; where there is one node, nothing would look again."""
    begin = Follower.begin

    async def late(follower: Follower) -> None:
        postgres.ask(database, "UPDATE node SET until = clock_timestamp() - interval '1 s'")
        await begin(follower)

    monkeypatch.setattr(Follower, "begin", late)
    store = made()
    await store.open()
    await store.accept([entry(1)])
    assert [message.id for message in (await store.lease(LANE, 1e9, 10)).messages] == [1]
    await store.aclose()


# --- plans ---


def read_from(plan: dict[str, Any], table: str) -> float:
    """How many rows of a table a plan has read when it was carried out."""
    own = 0.0
    if plan.get("Relation Name") == table:
        rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        own = rows * plan["Actual Loops"]
    return own + sum(read_from(one, table) for one in plan.get("Plans", ()))


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("optout", optouts.WRITES["optouts_of"]),
        ("optout", optouts.READS["opted_out"]),
        ("optout", optouts.READS["optout_entries"]),
        ("consent", records.SQL["consents"]),
    ],
)
async def test_phones_are_looked_up_by_the_index_before_their_table_was_ever_analysed(
    postgres: Postgres,
    database: str,
    made: Callable[..., PostgresStore],
    table: str,
    statement: bytes,
) -> None:
    """A list of millions is in before the server has looked at the table: plans are made as if it
    was empty."""
    store = made()
    await store.open()
    numbers = [f"4477{n:08}" for n in range(600)]
    await store.optout([OptoutChange("acme", number, True, "api", 1.0) for number in numbers])
    await store.consent([Consent("acme", n, "news", "given", 1.0, "form") for n in numbers])
    await store.aclose()
    asked = {
        "numbers": f"ARRAY{numbers[::30]}",
        "scopes": "ARRAY['', 'acme']",
        "scope": "'acme'",
        "tenant": "'acme'",
    }
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement.decode())))
    text = re.sub(r"%\((\w+)\)s", lambda name: f"${names.index(name[1]) + 1}", statement.decode())
    given_ = ", ".join(asked[name] for name in names)
    with connecting.connect(Target.of(postgres.dsn(database), "commit"), "tests") as connection:
        connection.execute(f"PREPARE asked AS {text}".encode())
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({given_})"
        [[[plan]]] = connection.execute(explain.encode()).fetchall()
    assert read_from(plan["Plan"], table) <= 40
