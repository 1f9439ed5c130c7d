"""The SQLite engine beyond the contract: files, crashes, full and failing disks, long histories."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgpack
import pytest
import trio

from gateway.errors import StoreError
from gateway.facts import SPENT, USES, Use
from gateway.message import Charge, Event, LaneKey, Message
from gateway.queue import tail
from gateway.queue.sqlite import SqliteStore, engine, keys, schema, upkeep
from gateway.queue.sqlite.bulk import encode_message
from gateway.queue.store import (
    GLOBAL,
    Entry,
    Final,
    Known,
    Notice,
    OptoutChange,
    OptoutEntry,
    Ref,
    Sent,
    Settlement,
)
from gateway.queue.tallies import NAMES
from tests.queue.asking import opted_out

LANE = LaneKey("acme", "transactional", "uk")
NOBODY = 65_534
"""The user id that systems keep for nobody."""

MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]


def known(message: int, digest: int = 1) -> Known:
    """What the key of one of these messages stands for."""
    return Known(message, digest, 1, "ucs2", None)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "var" / "store.db")


@pytest.fixture
async def store(path: str) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.aclose()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[apsw.Connection]:
    """Every connection that is made from now on, the one that writes first."""
    made: list[apsw.Connection] = []
    monkeypatch.setattr(apsw, "connection_hooks", [*apsw.connection_hooks, made.append])
    return made


def left_by_a_crash(path: str, to: Path) -> SqliteStore:
    """A store on what the disk would hold if the process that has ``path`` open ended now."""
    to.mkdir()
    for name in (path, f"{path}-wal"):
        shutil.copy(name, to)
    return SqliteStore(str(to / Path(path).name))


def files(path: str) -> dict[str, os.stat_result]:
    """What there is beside the store, by name."""
    return {file.name: file.stat() for file in Path(path).parent.iterdir()}


async def waiting(store: SqliteStore) -> list[int]:
    """The ids of the messages that wait, found by leasing them; in order."""
    return [m.id for m in (await store.lease(LANE, 9e9, 10_000)).messages]


async def waiting_at(store: SqliteStore, now: float) -> list[int]:
    """The ids of the messages that are due, found by leasing them."""
    return sorted(m.id for m in (await store.lease(LANE, now, 10_000)).messages)


# --- the file ---


async def test_the_file_is_for_the_gateways_user_alone(store: SqliteStore, path: str) -> None:
    assert {name: stat.st_mode & 0o777 for name, stat in files(path).items()} == dict.fromkeys(
        ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"], 0o600
    )


async def test_an_orderly_end_leaves_one_file(store: SqliteStore, path: str) -> None:
    await store.remember("forms", b"hex")
    await store.aclose()
    assert files(path).keys() == {"store.db", "store.db.lock"}
    copy = SqliteStore(shutil.copy(path, f"{path}.backup"))
    await copy.open()
    assert await copy.recall("forms") == b"hex"
    await copy.aclose()
    await store.open()


async def test_a_copy_can_be_made_beside_the_open_store(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept([entry(1, key="k"), entry(2, leased=True)])
    shell = apsw.Connection(path)
    shell.execute("VACUUM INTO ?", (f"{path}.backup",))
    shell.close()
    await store.accept([entry(3)])
    copy = SqliteStore(f"{path}.backup")
    assert not (await copy.open()).clean
    assert await waiting(copy) == [1, 2]
    assert await copy.known("acme", ["k"]) == {"k": known(1, 1)}
    await copy.aclose()


def make_directory(path: Path) -> None:
    path.mkdir()


def make_text_file(path: Path) -> None:
    path.write_text("recipients\n" * 500)


def make_foreign_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE crm (id)")
    connection.close()


def make_newer_store(path: Path) -> None:
    connection = apsw.Connection(str(path))
    schema.migrate(connection)
    connection.pragma("user_version", 99)
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_directory, "Is a directory"),
        (make_text_file, "is not a database"),
        (make_foreign_database, "is another program's database"),
        (make_newer_store, "has schema version 99"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "store.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    for _ in range(2):  # a lock that was not let go would show
        with pytest.raises(StoreError, match=reason) as caught:
            await SqliteStore(str(path)).open()
        assert str(caught.value).startswith(f"{path}: ")
    assert before == (path.read_bytes() if path.is_file() else b"")


async def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(StoreError, match=r"store\.db: .*; give another queue\.path"):
        await SqliteStore(str(tmp_path / "var" / "store.db")).open()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of a user whom permissions bind, who is whoever runs this but for root."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("mode", [0o400, 0o000])
async def test_a_file_without_permission_is_refused(home: Path, mode: int) -> None:
    path = home / "store.db"
    path.touch(mode)
    with pytest.raises(StoreError, match="Permission denied"):
        await SqliteStore(str(path)).open()


async def test_a_second_process_is_refused(store: SqliteStore, path: str) -> None:
    # The lock belongs to an open file, so that a second store stands for a second process.
    second = SqliteStore(path)
    with pytest.raises(StoreError, match=f"is in use by process {os.getpid()}"):
        await second.open()
    await store.aclose()
    await second.open()
    await second.aclose()
    await store.open()


async def test_another_programs_transaction_delays_only_so_long(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_MS", 10)
    store = SqliteStore(path)
    await store.open()
    shell = apsw.Connection(path)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds a lock"):
        await store.remember("a", b"1")
    shell.execute("ROLLBACK")
    await store.remember("a", b"2")
    assert await store.recall("a") == b"2"
    shell.close()
    await store.aclose()


# --- schema ---


def test_steps_are_taken_from_any_version() -> None:
    connection = apsw.Connection("")
    steps = ["CREATE TABLE a (x); INSERT INTO a VALUES (1)", "ALTER TABLE a ADD COLUMN y DEFAULT 2"]
    schema.migrate(connection, steps[:1])
    schema.migrate(connection, steps)
    schema.migrate(connection, steps)
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
    assert connection.pragma("user_version") == 2


async def test_opt_outs_of_the_first_schema_are_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway.db")
    connection = apsw.Connection(path)
    schema.migrate(connection, schema.STEPS[:1])
    connection.execute(
        """INSERT INTO tenant (id, name) VALUES (1, 'acme');
        INSERT INTO optout VALUES (0, '111', 'keyword', 1.5), (1, '222', 'api', 2.5)"""
    )
    connection.close()
    store = SqliteStore(path)
    await store.open()
    found = await store.optout_entries("acme", ["111", "222", "333"])
    assert found == {
        "111": [OptoutEntry(GLOBAL, "111", "keyword", 1.5)],
        "222": [OptoutEntry("acme", "222", "api", 2.5)],
    }
    assert await opted_out(store, "acme", ["111", "222", "333"]) == {"111", "222"}
    await store.aclose()


async def test_opt_outs_stored_under_any_spelling_are_of_their_phone(
    path: str, entry: MakeEntry
) -> None:
    mexican, brazilian, british = "525512345678", "5511987654321", "447700900123"
    queued = entry(1, to="4407700900123").message
    sent = entry(2, to="4407700900123").message
    Path(path).parent.mkdir()
    connection = apsw.Connection(path)
    schema.migrate(connection, schema.STEPS[:4])
    connection.execute(
        """INSERT INTO tenant (id, name) VALUES (1, 'acme'), (2, 'b');
        INSERT INTO lane VALUES (1, 'acme', 'transactional', 'uk');
        INSERT INTO optout VALUES
            (1, '525512345678', 'keyword', 5.0, 'b', 'baja'),  -- one source, two spellings
            (1, '5215512345678', 'keyword', 3.0, 'a', 'STOP'),
            (1, '5215512345678', 'complaint', 4.0, NULL, NULL),
            (0, '551187654321', 'api', 1.0, NULL, NULL),
            (2, '5511987654321', 'import', 2.0, NULL, NULL),
            (1, '4407700900123', 'keyword', 6.0, 'c', 'stop'),  -- a zero that is dialled at home
            (1, '8613912345678', 'api', 7.0, NULL, NULL),
            (1, '13912345678', 'api', 8.0, NULL, NULL)  -- no number of any country"""
    )
    for message, state in ((queued, schema.WAITING), (sent, schema.SENT)):
        connection.execute(
            "INSERT INTO message VALUES (?, 1, ?, 0, 9e9, 0, NULL, ?, NULL)",
            (message.id, state, encode_message(message)),
        )
    connection.close()
    store = SqliteStore(path)
    await store.open()
    asked = [mexican, "5215512345678", brazilian, "551187654321", british, "8613912345678"]
    assert await opted_out(store, "acme", [*asked, "447700900124"]) == set(asked)
    assert await opted_out(store, "b", asked) == {brazilian, "551187654321"}
    assert await opted_out(store, "c", asked) == {
        brazilian,
        "551187654321",
    }  # everybody's
    found = await store.optout_entries("acme", [mexican, british])
    assert set(found[mexican]) == {
        OptoutEntry("acme", mexican, "keyword", 3.0, "a", "STOP"),  # the first
        OptoutEntry("acme", mexican, "complaint", 4.0),  # the stronger holds beside it
    }
    assert found[british] == [OptoutEntry("acme", british, "keyword", 6.0, "c", "stop")]
    listed = [one.number for one in await store.optout_list("acme", "", 10)]
    assert listed == ["13912345678", british, mexican, mexican, "8613912345678"]
    # What was accepted before goes out to the number under which its opt-out is found.
    [[first, second], _] = await store.find("acme", [1, 2], ())
    assert (first and first.message and first.message.to) == british
    assert (second and second.message and second.message.to) == sent.to
    await store.aclose()


async def test_messages_of_an_earlier_schema_are_in_the_queues_of_their_campaigns(
    path: str, entry: MakeEntry
) -> None:
    Path(path).parent.mkdir()
    connection = apsw.Connection(path)
    schema.migrate(connection, schema.STEPS[:5])
    connection.execute(
        """INSERT INTO lane VALUES (1, 'acme', 'transactional', 'uk'), (2, 'b', 'otp', 'uk');
        UPDATE node SET clean = 0"""
    )
    for n, campaign, state in ((1, None, 0), (2, "spring", 0), (3, "spring", 1), (4, "fall", 2)):
        body = encode_message(entry(n, campaign=campaign).message)
        connection.execute(
            "INSERT INTO message VALUES (?, 1, ?, 1000.0, 9e9, 0, ?, ?, NULL)",
            (n, state, campaign, body),
        )
    connection.close()
    store = SqliteStore(path)
    recovery = await store.open()
    spring = LANE._replace(campaign="spring")
    assert recovery.lanes == {LANE: 1_000.0, spring: 1_000.0}
    assert [m.id for m in (await store.lease(LANE, 1_000.0, 10)).messages] == [1]
    assert [m.id for m in (await store.lease(spring, 1_000.0, 10)).messages] == [2, 3]
    found, _ = await store.find("acme", [1, 2, 3, 4], ())
    assert [record and record.state for record in found] == ["queued", "queued", "queued", "sent"]
    await store.accept([entry(5, campaign="spring"), entry(6, campaign="new")])
    assert [m.id for m in (await store.lease(spring, 1_000.0, 10)).messages] == [5]
    await store.aclose()


async def test_campaigns_that_are_over_are_forgotten(
    store: SqliteStore, path: str, entry: MakeEntry, delivered: MakeFinal
) -> None:
    day = 86_401.0

    def campaigns() -> list[str]:
        connection = apsw.Connection(path)
        found = connection.execute("SELECT campaign FROM lane ORDER BY id").fetchall()
        connection.close()
        return [str(campaign) for [campaign] in found]

    over = [entry(n, campaign=f"c{n}", leased=True) for n in range(1, 30)]
    waits = entry(30, campaign="waits", due=9e9)
    await store.accept([*over, waits, entry(31)])
    await store.settle(Settlement(finals=[delivered(e.message, at=9e9) for e in over]))
    for today in range(1, 3):  # somebody may have asked for one the moment before
        while await store.prune(today * day, 100):
            pass
        assert len(campaigns()) == 31
    await store.accept([entry(32, campaign="c7")])
    while await store.prune(3 * day, 100):
        pass
    assert campaigns() == ["c7", "waits", ""]
    await store.accept([entry(33, campaign="c8")])
    await store.aclose()
    recovery = await store.open()
    assert {lane.campaign for lane in recovery.lanes} == {None, "waits", "c7", "c8"}


async def test_keys_of_an_earlier_schema_still_stand_for_their_messages(
    path: str, entry: MakeEntry
) -> None:
    Path(path).parent.mkdir()
    connection = apsw.Connection(path)
    schema.migrate(connection, schema.STEPS[:2])
    connection.execute(
        """INSERT INTO tenant (id, name) VALUES (1, 'acme');
        INSERT INTO key VALUES (1, '1:old', 7, 4294967295, 1000.0)"""
    )
    connection.close()
    stands = Known(7, 4_294_967_295, 0, "gsm7", None)
    store = SqliteStore(path)
    await store.open()
    assert await store.accept([entry(8, key="old"), entry(9, key="new")]) == {0: stands}
    assert await store.known("acme", ["old", "new"]) == {"old": stands, "new": known(9)}
    await store.aclose()


async def test_consumers_of_an_earlier_schema_are_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway.db")
    connection = apsw.Connection(path)
    schema.migrate(connection, schema.STEPS[:3])
    connection.execute(
        """INSERT INTO tenant (id, name, seq) VALUES (1, 'acme', 9);
        INSERT INTO cursor VALUES (1, 'crm', 7)"""
    )
    connection.close()
    store = SqliteStore(path)
    started = time.time() - 1  # the database counts whole seconds
    await store.open()
    [one] = await store.consumers()
    assert (one.tenant, one.name, one.seq, one.lag, one.since) == ("acme", "crm", 7, 2, 0)
    assert one.seen >= started
    assert store.epoch
    assert not store.restored
    await store.aclose()


def test_a_step_that_fails_is_not_half_taken() -> None:
    connection = apsw.Connection("")
    schema.migrate(connection, ["CREATE TABLE a (x)"])
    with pytest.raises(apsw.SQLError):
        schema.migrate(connection, ["", "CREATE TABLE b (x); CREATE TABLE a (x)"])
    assert connection.pragma("user_version") == 1
    assert connection.table_exists(None, "a")
    assert not connection.table_exists(None, "b")


async def test_a_message_stored_before_a_field_was_added_is_read(
    store: SqliteStore, path: str, entry: MakeEntry
) -> None:
    await store.accept([entry(1)])
    await store.aclose()
    file = apsw.Connection(path)
    [[body]] = file.execute("SELECT body FROM message").fetchall()
    older = msgpack.packb(msgpack.unpackb(body)[:12])
    file.execute("UPDATE message SET body = ?", (older,))
    file.close()
    await store.open()
    assert (await store.lease(LANE, 9e9, 1)).messages == [entry(1).message]


# --- commits ---


async def test_what_an_earlier_version_has_charged_is_given_back(
    path: str, entry: MakeEntry
) -> None:
    """It had a row for each message without an outcome."""
    store = SqliteStore(path, clock=lambda: 1_000.0)
    await store.open()
    one = entry(1, charges=(Charge("parts 2026-11", 2),))
    await store.accept([one], None, {"parts 2026-11": 9})
    await store.aclose()
    with closing(apsw.Connection(path)) as connection:
        connection.execute("INSERT INTO charge SELECT 1, name, tenant, amount FROM account")
    await store.open()
    cancelled = Event("cancelled", 1_010.0, "1")
    await store.settle(Settlement(finals=[Final(one.message, cancelled)]))
    assert (await store.facts("acme", ("447911123456",), SPENT)).spent == {"parts 2026-11": 0}
    await store.aclose()
    with closing(apsw.Connection(path)) as connection:
        assert list(connection.execute("SELECT * FROM charge")) == []


async def test_what_counts_in_an_earlier_schema_goes_on(
    path: str,
) -> None:
    """It had a row for each thing that a message counts as."""
    steps = [n for n, step in enumerate(schema.STEPS) if "TABLE use_2" in step]
    Path(path).parent.mkdir()
    with closing(apsw.Connection(path)) as connection:
        schema.migrate(connection, schema.STEPS[: steps[0]])
        connection.execute("INSERT INTO tenant (id, name) VALUES (1, 'acme')")
        connection.executemany(
            "INSERT INTO use VALUES (1, ?, ?, ?, ?, ?, ?)",
            [
                ("447911123456", 7, -5, 1_000.0, 60, 1),
                ("447911123456", 7, 9, 1_000.0, 86_400, 1),
                ("447911123456", 8, 9, 2_000.0, 86_400, 0),
            ],
        )
    store = SqliteStore(path, clock=lambda: 1_000.0)
    await store.open()
    found = (await store.facts("acme", ["447911123456"], USES)).uses
    assert {phone: sorted(some) for phone, some in found.items()} == {
        "447911123456": [
            Use(-5, 1_000.0, 7, True),
            Use(9, 1_000.0, 7, True),
            Use(9, 2_000.0, 8, False),
        ]
    }
    await store.aclose()


async def test_calls_share_commits(path: str, entry: MakeEntry) -> None:
    commits: list[float] = []
    store = SqliteStore(path, observe_commit=commits.append)
    await store.open()
    commits.clear()
    async with trio.open_nursery() as nursery:
        for n in range(1, 51):
            nursery.start_soon(store.accept, [entry(n)])
    assert len(commits) < 25
    assert all(seconds > 0 for seconds in commits)
    assert await waiting(store) == list(range(1, 51))
    await store.aclose()


KILLED = """
import sys, trio
from gateway.message import Message, Event, message_id
from gateway.queue.sqlite import SqliteStore
from gateway.queue.tallies import NAMES
from gateway.queue.store import Entry, Final, Settlement

def message(n):
    return Message(n, "acme", "447911123456", "1", "x" * (n % 300), "transactional", "uk", "gsm7",
                   1, 1.0, 1.0, 9e9, key=f"k{n}")

async def submit(store, start):
    for first in range(start, 10**9, 80):
        batch = [message(n) for n in range(first, first + 20)]
        await store.accept([Entry(m, 1, True) for m in batch])
        print("accepted", first, flush=True)
        await store.settle(Settlement(finals=[
            Final(m, Event("sent", 1.0, message_id(m.id))) for m in batch[:10]]))
        print("settled", first, flush=True)

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    async with trio.open_nursery() as nursery:
        for start in (1, 21, 41, 61):
            nursery.start_soon(submit, store, start)

trio.run(main)
"""


def test_what_was_acknowledged_survives_kill_9(path: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    told = [process.stdout.readline().split() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    told += [line.split() for line in process.stdout.read().splitlines()]
    process.stdout.close()
    process.wait()
    told = [line for line in told if len(line) == 2]
    accepted = {int(first) for word, first in told if word == "accepted"}
    settled = {int(first) for word, first in told if word == "settled"}

    async def check() -> None:
        store = SqliteStore(path)
        recovery = await store.open()
        assert not recovery.clean
        found = {m.id: m for m in (await store.lease(LANE, 9e9, 10**6)).messages}
        assert all(m.maybe_duplicate for m in found.values())
        outcomes: list[int] = []
        after = 0
        while chunks := await store.events("acme", after, 1_000):
            for chunk in chunks:
                assert chunk.first == after + 1
                after = chunk.last
                unpacker = msgpack.Unpacker()
                unpacker.feed(chunk.body)
                outcomes += [int(event["message_id"], 16) for event in unpacker]
        assert len(outcomes) == len(set(outcomes)) == after
        assert not found.keys() & set(outcomes)
        there = found.keys() | set(outcomes)
        assert all(n in there for first in accepted for n in range(first, first + 20))
        assert all(n in outcomes for first in settled for n in range(first, first + 10))
        # A batch is there whole or not at all, and its keys with it.
        assert all((n + 1 in there) == (n in there) for n in range(1, max(there), 2))
        known = await store.known("acme", [f"k{n}" for n in range(1, max(there) + 20)])
        assert {known.message for known in known.values()} == there
        await store.aclose()

    trio.run(check)


# --- a disk that fails ---


async def test_a_full_disk_refuses_and_then_goes_on(
    connections: list[apsw.Connection],
    store: SqliteStore,
    entry: MakeEntry,
    message: Callable[..., Message],
    tmp_path: Path,
    path: str,
) -> None:
    await store.accept([entry(1, key="k1")])
    await store.settle(Settlement(notices=[Notice("acme", Event("inbound", 1.0))]))
    connection = connections[0]
    connection.pragma("max_page_count", connection.pragma("page_count") + 3)
    text = "x" * 2_000
    async with trio.open_nursery() as nursery:
        failed: list[int] = []

        async def accept(first: int) -> None:
            batch = [entry(n, key=f"k{n}", text=text) for n in range(first, first + 50)]
            with pytest.raises(StoreError, match="the disk is full") as caught:
                await store.accept(batch)
            assert caught.value.full
            failed.append(first)

        for first in (100, 200, 300):
            nursery.start_soon(accept, first)
    assert len(failed) == 3
    notice = Notice("acme", Event("inbound", 1.0, text="x" * 100_000))
    with pytest.raises(StoreError):
        await store.settle(
            Settlement(
                notices=[notice],
                sent=[Sent(message(1), "new", ("r",), 9e9)],
                optouts=[OptoutChange("other", "111", True, "api", 1.0)],
            )
        )
    assert await store.bounds("acme") == (1, 1)
    assert await store.events("acme", 1, 10) == []
    assert await opted_out(store, "other", ["111"]) == set()
    assert await store.known("acme", ["k100", "k1"]) == {"k1": known(1, 1)}

    connection.pragma("max_page_count", 1 << 30)
    assert await store.accept([entry(n, key=f"k{n}", text=text) for n in range(100, 150)]) == {}
    sent = Sent(message(1), "new", ("r",), 9e9)
    await store.settle(Settlement(notices=[notice], sent=[sent]))
    after = left_by_a_crash(path, tmp_path / "crash")
    await after.open()
    for one in (store, after):
        assert await one.bounds("acme") == (1, 2)
        assert [chunk.first for chunk in await one.events("acme", 1, 10)] == [2]
        assert (await one.match([Ref("new", "r")]))[Ref("new", "r")].message.id == 1
        assert await waiting(one) == list(range(100, 150))
    await after.aclose()


class FailingDisk(apsw.VFS):
    """A file system whose fsync of the log fails as often as the test says."""

    def __init__(self) -> None:
        self.failures = 0
        super().__init__("failing-disk", base="unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> "FailingFile":  # noqa: N802  SQLite's name
        return FailingFile(self, name, flags)


class FailingFile(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802  SQLite's name
        super().xSync(flags)
        if self._is_log and self._disk.failures:
            self._disk.failures -= 1
            raise apsw.IOError("fsync failed")


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    default = apsw.vfs_names()[0]
    disk = FailingDisk()
    yield disk
    disk.unregister()
    assert apsw.vfs_names()[0] == default


async def test_a_commit_that_failed_does_not_come_back(
    disk: FailingDisk, path: str, tmp_path: Path, entry: MakeEntry
) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.accept([entry(1)])
    # The commit, and the one that is to overwrite what the first may have left.
    disk.failures = 2
    with pytest.raises(StoreError, match="fsync failed"):
        await store.accept([entry(2, key="two")])
    after = left_by_a_crash(path, tmp_path / "crash")
    await store.accept([entry(3)])
    assert await store.known("acme", ["two"]) == {}
    assert await waiting(store) == [1, 3]
    await store.aclose()
    await after.open()
    assert await waiting(after) == [1]
    await after.aclose()


async def test_nothing_is_written_behind_a_commit_in_doubt(
    disk: FailingDisk, path: str, tmp_path: Path, entry: MakeEntry
) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.accept([entry(1)])
    disk.failures = 1_000
    for n in (2, 3):
        with pytest.raises(StoreError):
            await store.accept([entry(n)])
    disk.failures = 0
    await store.accept([entry(4)])
    after = left_by_a_crash(path, tmp_path / "crash")
    await after.open()
    for one in (store, after):
        assert await waiting(one) == [1, 4]
        await one.aclose()


async def test_one_failure_alone_is_made_good(
    disk: FailingDisk, path: str, entry: MakeEntry
) -> None:
    store = SqliteStore(path)
    await store.open()
    disk.failures = 1
    await store.accept([entry(1)])
    assert await waiting(store) == [1]
    await store.aclose()


# --- bounds ---


async def test_the_log_is_bounded_while_others_read(
    path: str, entry: MakeEntry, delivered: MakeFinal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CHECKPOINT", 100)
    monkeypatch.setattr(engine, "CHECKPOINT_NOW", 400)
    store = SqliteStore(path)
    await store.open()
    largest = total = 0
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            while True:
                await store.find("acme", range(1, 2_000, 7), ["k1"])
                await trio.lowlevel.checkpoint()

        nursery.start_soon(read)
        for batch in range(150):
            numbers = range(batch * 20 + 1, batch * 20 + 21)
            entries = [entry(n, key=f"k{n}", leased=True) for n in numbers]
            await store.accept(entries)
            await store.settle(Settlement(finals=[delivered(e.message) for e in entries]))
            largest = max(largest, files(path)["store.db-wal"].st_size)
            total += len(numbers)
        nursery.cancel_scope.cancel()
    assert largest < 600 * engine.PAGE
    assert await store.bounds("acme") == (1, total)
    await store.aclose()


async def test_events_beyond_the_tail_come_from_the_file(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "TAIL_BYTES", 10 * (tail.CHUNK_COST + 40))
    for n in range(40):
        tenant = "acme" if n % 2 else "b"
        await store.settle(Settlement(notices=[Notice(tenant, Event("inbound", float(n)))]))
    for after in range(21):
        for tenant in ("acme", "b"):
            chunks = await store.events(tenant, after, 100)
            assert sum(chunk.size for chunk in chunks) == 20 - after
            assert [chunk.first for chunk in chunks] == [after + 1] * (after < 20)


async def test_events_that_were_read_can_be_acknowledged_though_their_commit_is_only_just_done(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the event loop had not yet been told of it, while the reading thread sees it already.
    monkeypatch.setattr(tail.EventTail, "append", lambda *_: None)
    await store.settle(Settlement(notices=[Notice("acme", Event("inbound", 1.0))]))
    assert await store.acknowledge("acme", "crm", 1) == 1
    assert await store.acknowledge("acme", "crm", 2) == 1


# --- long histories ---


async def test_old_events_of_many_tenants_go_together(store: SqliteStore) -> None:
    for _ in range(3):
        for tenant in range(40):
            await store.settle(Settlement(notices=[Notice(f"t{tenant}", Event("inbound", 1.0))]))
    gone = []
    while some := await store.prune(2.0, 50):
        gone.append(some)
    assert sum(gone) == 120
    assert len(gone) == 3  # by the event, not by the tenant
    assert [await store.bounds(f"t{tenant}") for tenant in (0, 39)] == [(4, 3)] * 2
    assert await store.events("t39", 0, 10) == []


async def test_a_clock_set_back_is_made_good_by_the_block(
    store: SqliteStore, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BLOCK", 7)
    await store.accept([entry(n, due=1_000.0 + n % 5 * 100) for n in range(1, 101)])
    await store.hasten(1_000.0, 200.0)
    assert await waiting_at(store, 1_000.0) == [n for n in range(1, 101) if n % 5 <= 2]


async def test_a_reader_that_cannot_begin_fails_its_calls_alone(
    store: SqliteStore, connections: list[apsw.Connection]
) -> None:
    await store.aclose()
    await store.open()
    reader = connections[-2]
    reader.execute("BEGIN")  # so that another cannot begin
    with pytest.raises(StoreError, match="within a transaction"):
        await store.recall("forms")
    reader.execute("ROLLBACK")
    assert await store.recall("forms") is None


async def test_keys_of_many_generations(
    store: SqliteStore, entry: MakeEntry, delivered: MakeFinal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "GENERATION", 50)
    monkeypatch.setattr(keys, "BLOCK", 20)
    for first in range(1, 1_000, 40):
        batch = [
            entry(n, key=f"k{n}", accepted_at=float(n), due=float(n))
            for n in range(first, first + 40)
        ]
        assert await store.accept(batch) == {}
        again = [entry(n + 10_000, key=f"k{n}", accepted_at=float(n)) for n in range(1, first, 37)]
        assert await store.accept(again) == {
            index: known(n, 1) for index, n in enumerate(range(1, first, 37))
        }
    everything = {f"k{n}": known(n, 1) for n in range(1, 1_001)}
    for _ in range(2):
        assert await store.known("acme", list(everything)) == everything
        await store.aclose()
        await store.open()
    done = [delivered(entry(n).message, at=float(n)) for n in range(1, 501)]
    await store.settle(Settlement(finals=done))
    while await store.prune(900.0, 100):
        pass
    for _ in range(2):
        left = await store.known("acme", list(everything))
        # Those that wait still, and those that share their generation with a newer one.
        assert set(range(501, 1_001)) <= {one.message for one in left.values()}
        assert not [one for one in left.values() if one.message <= 500]
        await store.aclose()
        await store.open()


def test_a_new_key_is_looked_for_in_few_of_many_generations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "GENERATION", 500)
    index = keys.KeyIndex(500)
    for generation in range(200):
        index.note([f"1:{generation}-{n}" for n in range(500)], 1_000.0)
    new = [f"1:new-{n}" for n in range(1_000)]
    places = [place for some in index.slices() for place in some.places(index.perhaps(new))]
    assert len(places) < 400  # of 200,000
    known = [f"1:{generation}-7" for generation in range(200)]
    places = [place for some in index.slices() for place in some.places(known)]
    assert {place.partition("1:")[2] for place in places} == {name[2:] for name in known}


async def test_a_generation_is_not_kept_open_for_days(
    store: SqliteStore, entry: MakeEntry, delivered: MakeFinal
) -> None:
    for day in range(4):
        at = day * (keys.GENERATION_AGE + 1)
        one = entry(day + 1, key=f"k{day}", accepted_at=at, leased=True)
        await store.accept([one])
        await store.settle(Settlement(finals=[delivered(one.message, at=at)]))
    while await store.prune(2 * keys.GENERATION_AGE, 100):
        pass
    assert sorted(await store.known("acme", ["k0", "k1", "k2", "k3"])) == ["k2", "k3"]


async def test_the_filter_of_optouts_is_filled_at_open(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BLOCK", 100)
    numbers = [f"44{n:06d}" for n in range(1_000)]
    changes = [
        OptoutChange(("acme", "b", GLOBAL)[n % 3], number, True, "api", 1.0)
        for n, number in enumerate(numbers)
    ]
    assert all(await store.optout(changes))
    await store.aclose()
    await store.open()
    assert await opted_out(store, "acme", numbers) == {
        number for n, number in enumerate(numbers) if n % 3 != 1
    }


async def test_recovery_marks_in_blocks(
    store: SqliteStore,
    path: str,
    tmp_path: Path,
    entry: MakeEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "BLOCK", 30)
    await store.accept([entry(n, leased=n % 2 == 0) for n in range(1, 201)])
    after = left_by_a_crash(path, tmp_path / "crash")
    assert not (await after.open()).clean
    found = (await after.lease(LANE, 9e9, 1_000)).messages
    assert [(m.id, m.maybe_duplicate) for m in found] == [(n, n % 2 == 0) for n in range(1, 201)]
    await after.aclose()


async def test_parts_are_looked_through_in_blocks(
    store: SqliteStore, entry: MakeEntry, delivered: MakeFinal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "BLOCK", 10)
    entries = [entry(n, leased=True) for n in range(1, 101)]
    await store.accept(entries)
    sent = [Sent(e.message, "ab"[e.message.id % 2], (f"r{e.message.id}",), 9e9) for e in entries]
    await store.settle(Settlement(sent=sent))
    refs = [Ref(s.carrier, s.refs[0]) for s in sent]
    assert len(await store.match(refs)) == len(entries)
    ended = [e for e in entries if e.message.id % 5]
    await store.settle(Settlement(finals=[delivered(e.message, at=9e9) for e in ended]))
    total = 0
    while gone := await store.prune(9e9 - 1, 10):
        assert gone <= 10
        total += gone
    assert total == len(ended)
    assert len(await store.match(refs)) == len(entries) - len(ended)


async def test_names_of_campaigns_are_bounded(path: str, entry: MakeEntry) -> None:
    store = SqliteStore(path, clock=lambda: 9_000_000.0)
    await store.open()
    names = [f"c{n}" for n in range(NAMES + 200)]
    for start in (0, 2_000):
        await store.accept([entry(start + n, campaign=c) for n, c in enumerate(names, 1)])
    rows, _ = await store.stats("acme", None, 0, 3_000, 9)  # an hour is told whole
    assert len(rows) == NAMES + 1
    assert {row.campaign: row.number for row in rows} == dict.fromkeys(names[:NAMES], 2) | {
        None: 400
    }
    await store.aclose()


async def test_a_count_takes_a_hundred_bytes(path: str, entry: MakeEntry) -> None:
    now = 1_800_000_000.0
    store = SqliteStore(path, clock=lambda: now)
    await store.open()
    codes = ["accepted", "sent", "parts", "ended delivered", "ended failed undelivered"]
    for _ in range(200):
        now += 3_600.0
        tallies: dict[Any, int] = {
            ("acme", f"{campaign:064}", variant * 16, "alpha", code): 20_000
            for campaign in range(10)
            for variant in "ab"
            for code in codes
        }
        await store.settle(Settlement(tallies=tallies))
    await store.aclose()
    connection = apsw.Connection(path)
    connection.execute("ATTACH ':memory:' AS other")
    for table in ("message", "event"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]
    size = connection.pragma("page_count") * 4_096
    rows = connection.execute("SELECT count(*) FROM stat").fetchall()[0][0]
    connection.close()
    assert rows == 20_000
    assert size / rows < 100  # 36 when this was written
