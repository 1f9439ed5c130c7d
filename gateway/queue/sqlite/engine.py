"""Connections and commits: one writer with group commit, one reader, one that checkpoints.

Each connection has a thread of its own (`CallThread`). All writing calls that wait share one
transaction; a transaction that fails is undone and its calls are made again one by one, so that
only those that fail by themselves do. What is written is told in `writes` and `upkeep`.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeVar

import apsw

from gateway.errors import StoreError, StoreFenced
from gateway.queue.signals import Signals
from gateway.queue.sqlite import schema
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.lock import Lock
from gateway.queue.sqlite.session import Session
from gateway.queue.threads import Call, CallThread

T = TypeVar("T")

Synchronous = Literal["full", "normal"]
"""``full`` keeps the store's promise; ``normal`` may lose the last commits on power loss."""

PAGE: Final = 4_096
"""Bytes in a page: what SQLite writes to the log at least."""

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

STATEMENTS: Final = 256
"""Statements that a connection keeps prepared: all there are, in every size of block."""

SWITCH_SECONDS: Final = 0.000_1
"""How long a thread waits for the interpreter lock before it demands it. An event loop that is
busy lets go of the lock at each of its system calls and takes it back before a waiting thread is
awake, whose wait then begins anew. With Python's 5 ms, longer than the loop goes between two system
calls, a commit beside a busy loop waited for seconds now and then; with this, for milliseconds."""

REWRITTEN: Final = 65_536
"""Pages (256 MB) up to which a file is written anew while the gateway runs: a second or two."""

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


class Engine:
    """An open file, its connections and their threads, and its ``signals``.

    Args:
        path: the database file; it and its directory are created where they are missing. Held by
            ``lock`` until `aclose`.
        synchronous: see `Synchronous`.
        observe: told, in the writer's thread, how many seconds each group of writing calls took.
    """

    def __init__(
        self, path: str, synchronous: Synchronous, observe: Callable[[float], None]
    ) -> None:
        self._path = path
        self._observe = observe
        self._log_pages = 0
        self._checkpoint_state: Literal["none", "under way", "nearly done"] = "none"
        self._checkpoint_lock = threading.Lock()
        self._reading = threading.Lock()
        self._connections: list[apsw.Connection] = []
        self.signals = Signals()
        self.lock = Lock(path)
        try:
            writer = self._connect(WRITER_CACHE, synchronous)
            schema.migrate(writer)
            self.session = Session(writer)
            self.session.load()
            self._reader = self._connect(READER_CACHE, synchronous)
            self._checkpointer = self._connect(READER_CACHE, synchronous)
        except BaseException as error:
            self._release()
            if isinstance(error, apsw.Error):
                raise store_error(path, error) from error
            raise
        # Takes the place of SQLite's own automatic checkpoint, which runs inside the commit.
        writer.set_wal_hook(self._committed)

    def start(self) -> None:
        """Start the threads; called in the event loop."""
        sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
        self._writes = CallThread("store-writer", self._serve_writes)
        self._reads = CallThread("store-reader", self._serve_reads)
        self._checkpoints = CallThread("store-checkpoints", self._serve_checkpoints)

    async def write(
        self,
        work: Callable[[Session], T],
        applied: Callable[[T], None] | None = None,
        patience: float = 0.0,
    ) -> T:
        """Do ``work`` in the next transaction; durable on return. For ``applied`` see `Call`, for
        ``patience`` `CallThread.call`."""
        try:
            return await self._writes.call(lambda: work(self.session), applied, patience)
        except StoreFenced as error:
            self.signals.fenced(str(error))
            raise

    async def read(self, work: Callable[[Execute], T]) -> T:
        """Do ``work`` on the reading connection, which sees all that is durable by now."""
        return await self._reads.call(lambda: work(self._reader.execute))

    async def rewrite(self) -> bool:
        """Write the file anew, with nothing in it or in the log of what was deleted, which holds up
        commits; False where it is too large for that (`REWRITTEN`)."""

        def work() -> bool:
            with self._reading, self._checkpoint_lock:
                connection = self._checkpointer
                if connection.pragma("page_count") > REWRITTEN:
                    return False
                connection.execute("VACUUM")
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                return True

        return await self._checkpoints.call(work)

    async def aclose(self) -> None:
        """End the threads and let go of the file."""
        for thread in (self._reads, self._writes, self._checkpoints):
            await thread.stop()
        self._release()

    def _connect(self, cache: int, synchronous: Synchronous) -> apsw.Connection:
        connection = apsw.Connection(self._path, statementcachesize=STATEMENTS)
        self._connections.append(connection)
        connection.set_busy_timeout(BUSY_MS)
        schema.check(connection, self._path)
        for name, value in {
            "page_size": PAGE,
            "journal_mode": "wal",
            "synchronous": synchronous,
            "fullfsync": True,  # on macOS, fsync alone does not empty the drive's cache
            "cache_size": -cache,
            "journal_size_limit": CHECKPOINT_NOW * PAGE,
        }.items():
            connection.pragma(name, value)
        return connection

    def _release(self) -> None:
        # The last one to close moves the whole log into the file; if it cannot, the log stays.
        for connection in self._connections:
            with contextlib.suppress(apsw.Error):
                connection.close()
        self.lock.release()

    # --- in the writer's thread ---

    def _serve_writes(self, calls: Sequence[Call[Any]]) -> None:
        started = time.perf_counter()
        error = self._commit(calls)
        if error is not None and not isinstance(error, apsw.BusyError):
            for call in calls:
                self._commit([call])
            with contextlib.suppress(apsw.Error):
                self.session.clear_doubt()
        self._observe(time.perf_counter() - started)
        self._checkpoint()

    def _commit(self, calls: Sequence[Call[Any]]) -> Exception | None:
        try:
            values = self.session.transact([call.work for call in calls])
        except Exception as error:  # noqa: BLE001  every caller is told
            for call in calls:
                call.fail(
                    store_error(self._path, error) if isinstance(error, apsw.Error) else error
                )
            return error
        for call, value in zip(calls, values, strict=True):
            call.succeed(value)
        return None

    def _committed(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Move the log into the file, most of it while commits go on.

        SQLite writes the log from its start again once all of it is moved, which a checkpoint
        beside a busy writer never quite reaches. So the other thread moves the bulk, and then
        this one moves the little that has come since. A reader in the way of that has its turn
        until there is too much.
        """
        if self._log_pages >= CHECKPOINT_NOW:
            with self._reading:
                self._checkpoint_on(self.session.connection)
        elif self._checkpoint_state == "nearly done":
            self._checkpoint_state = "none"
            self._checkpoint_on(self.session.connection)
        elif self._checkpoint_state == "none" and self._log_pages >= CHECKPOINT:
            self._checkpoint_state = "under way"
            self._checkpoints.post(lambda: self._checkpoint_on(self._checkpointer))

    # --- in the other threads ---

    def _serve_reads(self, calls: Sequence[Call[Any]]) -> None:
        with self._reading:
            # One snapshot for all: each was made after what it may expect to see was committed.
            try:
                self._reader.execute("BEGIN")
            except apsw.Error as error:
                for call in calls:
                    call.fail(store_error(self._path, error))
                return
            for call in calls:
                try:
                    call.succeed(call.work())
                except apsw.Error as error:
                    call.fail(store_error(self._path, error))
                except Exception as error:  # noqa: BLE001  the caller is told
                    call.fail(error)
            if self._reader.in_transaction:
                self._reader.execute("ROLLBACK")

    def _serve_checkpoints(self, calls: Sequence[Call[Any]]) -> None:
        for call in calls:
            call.succeed(call.work())
        self._checkpoint_state = "nearly done"

    def _checkpoint_on(self, connection: apsw.Connection) -> None:
        # One that fails loses nothing: the log stays as it is, and the next one tries again.
        with self._checkpoint_lock, contextlib.suppress(apsw.Error):
            connection.wal_checkpoint()
