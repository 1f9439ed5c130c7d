"""Connections and commits: one writer with group commit, one reader, one that checkpoints.

Each connection has a thread of its own (`CallThread`). All writing calls that wait share one
transaction; a transaction that fails is undone and its calls are made again one by one, so that
only those that fail by themselves do. What is written is told in `writes` and `upkeep`.
"""

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import apsw

from gateway.errors import StoreError
from gateway.queue.sqlite import schema
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.threads import Call, CallThread

T = TypeVar("T")

Synchronous = Literal["full", "normal"]
"""``full`` keeps the store's promise; ``normal`` may lose the last commits on power loss."""

CHECKPOINT: Final = 8_192
"""Pages in the log (32 MB) from which it is checkpointed: enough for most pages to be written
back once instead of once for each commit that changed them."""

CHECKPOINT_NOW: Final = 65_536
"""Pages in the log (256 MB) from which the writer checkpoints by itself: commits wait for it, so
the log cannot outgrow a disk that is slower than its tenants."""

WRITER_CACHE: Final = 32 * 1024
"""KiB of pages that the writer keeps: the live queue's inner pages and the newest leaves."""

READER_CACHE: Final = 4 * 1024
"""KiB of pages that a reader keeps; it drops them whenever something was committed."""

BUSY_MS: Final = 5_000
"""How long to wait for a lock that another program (a shell, a backup) holds on the file."""

_MEANINGS: Final = (
    (apsw.FullError, "the disk is full; free some space"),
    (apsw.BusyError, "another program holds a lock on it; end that program's transaction"),
    (apsw.ReadOnlyError, "cannot be written; give the gateway's user write access"),
    (apsw.NotADBError, "is not a database; give another queue.path"),
    (apsw.CorruptError, "is damaged; restore a backup"),
)


def store_error(path: str, error: Exception) -> StoreError:
    """What an error of the database or the system means to the operator."""
    for kind, meaning in _MEANINGS:
        if isinstance(error, kind):
            return StoreError(f"{path}: {meaning} ({error})", full=kind is apsw.FullError)
    return StoreError(f"{path}: {error}")


class Session:
    """The writer's connection, as `writes` and `upkeep` see it.

    Attributes:
        execute: runs a statement.
        seqs: the last ``seq`` given, by tenant number, as far as known; forgotten with a
            transaction that fails.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.execute: Execute = connection.execute
        self.seqs: dict[int, int] = {}


class Lock:
    """The one process that may have a store open: a lock file beside it."""

    def __init__(self, path: str) -> None:
        self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._file, 20).decode(errors="replace")
            os.close(self._file)
            raise StoreError(
                f"{path}: is in use by process {owner or 'unknown'};"
                " stop that one, or give another queue.path"
            ) from error
        os.truncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        os.close(self._file)


class Engine:
    """An open file, its connections and their threads.

    Args:
        path: the database file; it and its directory are created where they are missing.
        synchronous: see `Synchronous`.
        prepare: called in each writing transaction before its calls.
        observe: told of every transaction with calls, in the writer's thread: how many seconds
            it took.
    """

    def __init__(
        self,
        path: str,
        synchronous: Synchronous,
        prepare: Callable[[Session], None],
        observe: Callable[[float], None],
    ) -> None:
        self._path = path
        self._prepare = prepare
        self._observe = observe
        self._log_pages = 0
        self._checkpointing: Literal["no", "under way", "nearly done"] = "no"
        self._doubtful = False
        self._create()
        self._lock = Lock(path)
        self._connections: list[apsw.Connection] = []
        try:
            self._session = Session(self._connect(WRITER_CACHE, synchronous))
            self._reader = self._connect(READER_CACHE, synchronous)
            self._checkpointer = self._connect(READER_CACHE, synchronous)
        except BaseException:
            self._release()
            raise
        # Takes the place of SQLite's own automatic checkpoint, which runs inside the commit.
        self._session.connection.set_wal_hook(self._committed)

    def start(self) -> None:
        """Start the threads. Called in the event loop."""
        self._writes = CallThread("store-writer", self._serve_writes)
        self._reads = CallThread("store-reader", self._serve_reads)
        self._checkpoints = CallThread("store-checkpoints", self._serve_checkpoints)

    async def write(
        self, work: Callable[[Session], T], applied: Callable[[T], None] | None = None
    ) -> T:
        """Do ``work`` in the next transaction; durable on return."""
        return await self._writes.call(lambda: work(self._session), applied)

    async def read(self, work: Callable[[Execute], T]) -> T:
        """Do ``work`` on the reading connection: it sees all that was durable when called."""
        return await self._reads.call(lambda: work(self._reader.execute))

    async def aclose(self) -> None:
        """End the threads and let go of the file."""
        await self._reads.stop()
        await self._writes.stop()
        await self._checkpoints.stop()
        self._release()

    # --- opening and closing ---

    def _create(self) -> None:
        path = Path(self._path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # For the gateway's user alone: it holds numbers and texts. SQLite gives the log and
            # the index of the log the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}; give another queue.path") from error

    def _connect(self, cache: int, synchronous: Synchronous) -> apsw.Connection:
        try:
            connection = apsw.Connection(self._path)
            self._connections.append(connection)
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", synchronous)
            connection.pragma("fullfsync", True)  # macOS: fsync alone reaches the drive's cache
            connection.pragma("cache_size", -cache)
            connection.pragma("temp_store", "memory")
            connection.pragma("journal_size_limit", CHECKPOINT_NOW * 4096)
            schema.migrate(connection, self._path)
        except apsw.Error as error:
            raise store_error(self._path, error) from error
        return connection

    def _release(self) -> None:
        for connection in reversed(self._connections):
            connection.close()
        self._lock.release()

    # --- writing, in the writer's thread ---

    def _serve_writes(self, calls: Sequence[Call[Any]]) -> None:
        started = time.perf_counter()
        if not self._commit(calls):
            for call in calls:
                self._commit([call])
        self._observe(time.perf_counter() - started)
        self._checkpoint()

    def _commit(self, calls: Sequence[Call[Any]]) -> bool:
        """Do calls in one transaction; where it fails, all of them have failed."""
        connection = self._session.connection
        try:
            self._overwrite_failed_commit()
            connection.execute("BEGIN IMMEDIATE")
            self._prepare(self._session)
            values = [call.work() for call in calls]
            self._doubtful = True
            connection.execute("COMMIT")
            self._doubtful = False
        except Exception as error:  # noqa: BLE001  every caller is told
            self._undo()
            for call in calls:
                call.error = store_error(self._path, error) if _of_store(error) else error
            return False
        for call, value in zip(calls, values, strict=True):
            call.value, call.error = value, None
        return True
