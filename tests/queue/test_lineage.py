"""A store knows when it is opened on a backup of itself, and tells so by another epoch."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest

from gateway.errors import StoreError
from gateway.message import Event
from gateway.queue.sqlite import SqliteStore, lineage
from gateway.queue.sqlite.backup import backup as make_backup
from gateway.queue.sqlite.lock import Lock
from gateway.queue.store import Notice, Settlement
from tests.queue.on_disk import Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    """A store that was used for a while: opened twice, with events."""
    store = SqliteStore(str(path), clock=clock)
    await store.open()
    await happen(store, clock)
    await store.aclose()
    await store.open()
    yield store
    await store.aclose()


async def happen(store: SqliteStore, clock: Clock, count: int = 1) -> None:
    """Have events, and let a minute pass in which nothing else happens."""
    notices = [Notice("acme", Event("inbound", 1.0, text="hi"))] * count
    await store.settle(Settlement(notices=notices))
    clock.now += lineage.MARK_EVERY
    await store.prune(0.0, 100)


# --- how a copy is made, and how it is put back ---


def vacuum(path: Path, copy: Path) -> None:
    """``sqlite3 store.db "VACUUM INTO 'copy'"``, beside the running gateway."""
    shell = apsw.Connection(str(path))
    shell.execute("VACUUM INTO ?", (str(copy),))
    shell.close()


def backup(path: Path, copy: Path) -> None:
    """``gateway backup copy``, which marks it."""
    make_backup(str(path), copy)


def snapshot(path: Path, copy: Path) -> None:
    """The file and its log at one instant."""
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")


def over(copy: Path, path: Path) -> None:
    """``cp copy store.db``"""
    clear(path)
    shutil.copyfile(copy, path)
    if Path(f"{copy}-wal").exists():
        shutil.copyfile(f"{copy}-wal", f"{path}-wal")


def instead(copy: Path, path: Path) -> None:
    """``mv copy store.db``"""
    clear(path)
    copy.replace(path)
    if Path(f"{copy}-wal").exists():
        Path(f"{copy}-wal").replace(f"{path}-wal")


def clear(path: Path) -> None:
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def copied(path: Path, to: Path, *ends: str) -> str:
    """Copies the files of a store into another folder."""
    to.mkdir()
    for end in ends:
        shutil.copy(f"{path}{end}", to)
    return str(to / path.name)


@pytest.mark.parametrize("put_back", [over, instead])
@pytest.mark.parametrize("make", [vacuum, backup, snapshot])
async def test_a_copy_put_in_place_begins_another_epoch(
    store: SqliteStore,
    path: Path,
    clock: Clock,
    make: Callable[..., None],
    put_back: Callable[..., None],
) -> None:
    epoch, copy = store.epoch, path.with_name("copy.db")
    make(path, copy)
    await happen(store, clock, 5)
    assert (await store.bounds("acme"))[1] == 6
    await store.aclose()
    put_back(copy, path)
    await store.open()
    assert (await store.bounds("acme"))[1] == 1
    assert store.restored
    assert store.epoch != epoch
    epoch = store.epoch
    for _ in range(2):
        await store.aclose()
        await store.open()
        assert (store.epoch, store.restored) == (epoch, False)


@pytest.mark.parametrize("make", [vacuum, backup, snapshot])
async def test_a_backup_put_back_at_once_begins_one_too(
    store: SqliteStore, path: Path, make: Callable[..., None]
) -> None:
    epoch, copy = store.epoch, path.with_name("copy.db")
    make(path, copy)
    await store.settle(Settlement(notices=[Notice("acme", Event("inbound", 1.0))]))
    await store.aclose()
    over(copy, path)
    await store.open()
    assert store.epoch != epoch


async def test_one_that_knows_of_marks_does_even_after_a_crash(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    copy = path.with_name("copy.db")
    backup(path, copy)
    there = tmp_path / "there"
    copied(path, there, ".lock")
    shutil.copy(copy, there / path.name)
    after = SqliteStore(str(there / path.name))
    await after.open()
    assert after.epoch != store.epoch
    await after.aclose()


async def test_a_stopped_store_that_is_copied_and_put_back_after_another_start(
    store: SqliteStore, path: Path
) -> None:
    epoch, copy = store.epoch, path.with_name("copy.db")
    await store.aclose()
    shutil.copyfile(path, copy)
    await store.open()
    assert store.epoch == epoch
    await store.aclose()
    over(copy, path)
    await store.open()
    assert store.epoch != epoch


async def test_a_log_that_was_deleted_takes_events_with_it(
    path: Path, tmp_path: Path, clock: Clock
) -> None:
    store = SqliteStore(str(path), clock=clock)
    await store.open()
    await store.aclose()
    await store.open()
    epoch = store.epoch
    await happen(store, clock)
    left = copied(path, tmp_path / "left", "", ".lock")
    await store.aclose()
    after = SqliteStore(left)
    await after.open()
    assert (await after.bounds("acme"))[1] == 0
    assert after.epoch != epoch
    await after.aclose()


async def test_a_folder_put_back_whole_is_told_by_removing_the_lock_file(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    epoch = store.epoch
    await store.aclose()
    for told in (False, True):
        ends = ("",) if told else ("", ".lock")
        copy = SqliteStore(copied(path, tmp_path / str(told), *ends))
        await copy.open()
        assert (copy.epoch != epoch) == copy.restored == told
        await copy.aclose()
    await store.open()


@pytest.mark.parametrize("writes", range(4))
async def test_the_process_may_end_at_any_moment(
    store: SqliteStore,
    path: Path,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
) -> None:
    """While a mark is changed, twice: as many writes of the lock file come through."""
    epoch, left = store.epoch, writes
    leave = Lock.leave

    def until(lock: Lock, marks: list[str]) -> None:
        nonlocal left
        if not left:
            raise StoreError("the process ends here")
        left -= 1
        leave(lock, marks)

    monkeypatch.setattr(Lock, "leave", until)
    for _ in range(2):
        await happen(store, clock)
    monkeypatch.undo()
    after = SqliteStore(copied(path, tmp_path / "there", "", "-wal", ".lock"))
    await after.open()
    assert (after.epoch, after.restored) == (epoch, False)
    await after.aclose()


async def test_stores_of_their_own_have_epochs_of_their_own(tmp_path: Path) -> None:
    epochs = set()
    for name in "abc":
        store = SqliteStore(str(tmp_path / name))
        await store.open()
        assert not store.restored
        epochs.add(store.epoch)
        await store.aclose()
    assert len(epochs) == 3


async def test_a_store_that_does_not_change_keeps_its_mark(
    store: SqliteStore, path: Path, clock: Clock
) -> None:
    seen = []
    for _ in range(5):
        clock.now += lineage.MARK_EVERY
        await store.prune(0.0, 100)
        seen.append(lock_file(path))
    assert seen[1:] == seen[1:2] * 4  # what the start wrote is marked by the first
    await happen(store, clock)
    assert lock_file(path) != seen[-1]


def lock_file(path: Path) -> str:
    return Path(f"{path}.lock").read_text()
