"""A store is copied beside the gateway that has it open: whole, private, and never over a file."""

import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
import trio

from gateway.errors import StoreError
from gateway.message import Event, Message
from gateway.queue.sqlite import SqliteStore
from gateway.queue.sqlite.backup import SUFFIX, Copied, backup
from gateway.queue.store import Entry, Final, OptoutChange, Settlement
from tests.queue.asking import opted_out


def messages(first: int, count: int) -> list[Message]:
    return [
        Message(
            number, "acme", "447400123456", "10690001", "hello " * 20, "marketing", "default",
            "gsm7", 1, 1.0, 1.0, 9e9, key=f"k{number}",
        )
        for number in range(first, first + count)
    ]  # fmt: skip


async def accept(store: SqliteStore, first: int, count: int) -> list[Message]:
    batch = messages(first, count)
    await store.accept([Entry(message, 0, leased=False) for message in batch])
    return batch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "var").mkdir()
    return tmp_path / "var" / "store.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "monday.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """A store in use: 3,000 messages wait, one has its outcome, two phones opted out."""
    store = SqliteStore(str(path))
    await store.open()
    await accept(store, 1, 3_000)
    [ended] = messages(1, 1)
    event = Event("delivered", 1.0, "1", to="447400123456")
    await store.settle(Settlement(finals=[Final(ended, event)]))
    await store.optout([OptoutChange("acme", f"44740012345{n}", True, "api", 1.0) for n in (1, 2)])
    yield store
    await store.aclose()


async def test_the_copy_has_what_the_store_had(
    store: SqliteStore, path: Path, target: Path
) -> None:
    copied = await trio.to_thread.run_sync(backup, str(path), target)
    assert copied == Copied(content(target)["size"], 2_999, 1, 3_000, 2)
    restored = SqliteStore(str(target))
    recovery = await restored.open()
    assert restored.restored
    assert restored.epoch != store.epoch
    assert sum(count.messages for count in recovery.counts) == 2_999
    assert await opted_out(restored, "acme", ["447400123451", "447400123453"]) == {"447400123451"}
    [first, second], _ = await restored.find("acme", [1, 2], [])
    assert first is not None
    assert second is not None
    assert (first.event is not None, second.event is not None) == (True, False)
    await restored.aclose()


async def test_what_is_committed_meanwhile_neither_waits_nor_is_in_it(
    store: SqliteStore, path: Path, target: Path
) -> None:
    first = 10_000
    done = trio.Event()

    async def copy() -> None:
        copied = await trio.to_thread.run_sync(backup, str(path), target)
        assert 2_999 <= copied.messages < first - 10_000 + 2_999
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy)
        while not done.is_set():
            await accept(store, first, 10)
            first += 10
    assert len(await store.known("acme", [f"k{first - 1}"])) == 1
    # Whole batches, all up to some moment; of a message and its key, both.
    found = content(target)
    assert found["messages"] - 2_999 == found["keys"] - 3_000 == found["since"]
    assert found["since"] % 10 == 0
    assert found["last"] == (10_000 + found["since"] - 1 if found["since"] else 3_000)


def content(target: Path) -> dict[str, int]:
    """What a copy has."""
    connection = apsw.Connection(str(target))
    questions = {
        "size": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        "messages": "SELECT (SELECT count(*) FROM message) + (SELECT sum(size) FROM backlog)",
        "keys": "SELECT count(*) FROM key",
        "since": "SELECT coalesce(sum(size), 0) FROM backlog WHERE first >= 10000",
        "last": "SELECT max(last) FROM backlog",
    }
    found = {name: int(connection.execute(text).get) for name, text in questions.items()}
    connection.close()
    return found


async def test_nobody_else_can_read_it_at_any_moment(
    store: SqliteStore, path: Path, target: Path
) -> None:
    for first in range(10_000, 40_000, 5_000):
        await accept(store, first, 5_000)
    over = threading.Event()
    seen: dict[str, int] = {}

    def watch() -> None:
        while not over.is_set():
            for file in target.parent.iterdir():
                with suppress(FileNotFoundError):
                    seen[file.name] = seen.get(file.name, 0) | (file.stat().st_mode & 0o777)

    mask = os.umask(0)
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        await trio.to_thread.run_sync(backup, str(path), target)
    finally:
        over.set()
        watching.join()
        assert os.umask(mask) == 0
    assert seen[f"{target.name}{SUFFIX}"] == 0o600
    assert set(seen.values()) == {0o600}
    assert [(file.name, file.stat().st_mode & 0o777) for file in target.parent.iterdir()] == [
        (target.name, 0o600)
    ]


def _taken(path: Path, target: Path) -> None:
    target.write_text("precious")


def _dangling(path: Path, target: Path) -> None:
    target.symlink_to(target.parent / "nowhere")


def _under_way(path: Path, target: Path) -> None:
    Path(f"{target}{SUFFIX}").write_text("precious")


def _no_folder(path: Path, target: Path) -> None:
    target.parent.rmdir()


def _no_store(path: Path, target: Path) -> None:
    path.unlink()


def _no_database(path: Path, target: Path) -> None:
    path.write_bytes(b"nothing of the kind" * 1000)


def _another_program_s(path: Path, target: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE diary (day TEXT)")
    connection.close()


def _damaged(path: Path, target: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 50_000)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_taken, "monday.db: is there already; give another name, or remove it"),
        (_dangling, "monday.db: is there already; give another name, or remove it"),
        (_under_way, "monday.db.part: is there already: another backup is being made, or one"),
        (_no_folder, "monday.db: No such file or directory"),
        (_no_store, "store.db: there is no store"),
        (_no_database, "store.db: is not a database"),
        (_another_program_s, "store.db: is another program's database"),
        (_damaged, "is damaged"),
    ],
)
async def test_where_none_can_be_made_there_is_none(
    path: Path, target: Path, spoil: Callable[[Path, Path], None], said: str
) -> None:
    store = SqliteStore(str(path))
    await store.open()
    await accept(store, 1, 3_000)
    await store.aclose()
    spoil(path, target)
    before = {file: file.read_bytes() for file in target.parent.glob("*") if file.is_file()}
    with pytest.raises(StoreError, match=said.replace(".", r"\.")):
        backup(str(path), target)
    after = {file: file.read_bytes() for file in target.parent.glob("*") if file.is_file()}
    assert after == before


async def test_a_stopped_store_can_be_copied_too(path: Path, target: Path) -> None:
    store = SqliteStore(str(path))
    await store.open()
    await accept(store, 1, 10)
    await store.aclose()
    names = {file.name for file in path.parent.iterdir()}
    assert backup(str(path), target).messages == 10
    assert {file.name for file in path.parent.iterdir()} - names <= {
        "store.db-wal", "store.db-shm"
    }  # fmt: skip
    await store.open()
    await store.aclose()
