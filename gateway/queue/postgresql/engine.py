"""Connections and threads: one that writes with group commit, one that reads, one that renews, and
where there are several nodes one that listens.

A connection that is lost is made again when the next call comes; until then calls fail, and
nothing of them was done. A commit whose answer was lost is in doubt: its calls are answered once it
is known whether it was made, and no other one is made before.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar, cast

import psycopg

from gateway.errors import StoreError, StoreFenced
from gateway.queue.postgresql import holding, schema
from gateway.queue.postgresql.connecting import (
    Connected,
    Target,
    connect,
    show,
    store_error,
    timeline,
)
from gateway.queue.postgresql.listening import Listener, News
from gateway.queue.postgresql.session import LostError, Session, Work
from gateway.queue.signals import Signals
from gateway.queue.threads import Call, CallThread

T = TypeVar("T")

Read = Callable[[Connected], T]
"""Asks on a connection."""

_FENCED, _TURNED = "SG001", "SG002"
"""The SQLSTATEs of ``fence``: the node's place is another's, a generation has ended."""

_NO_TABLE: Final = "42P01"
"""The SQLSTATE of a table that is not there."""

DOUBT: Final = 300.0
"""Seconds after which a process that does not know what was recorded ends: the one that is started
next reads it."""


TRIES: Final = 3
"""Times that a transaction is made again which waited for another node's, and that one for it, or
that wrote to a generation which another node has ended."""


class _Doubtful(NamedTuple):
    """Calls of a transaction of which nobody knows, and what they are answered if it was made."""

    operation: int
    calls: Sequence[Call[Any]]
    values: Sequence[Any]
    since: float


class Engine:
    """A database that this node holds.

    Attributes:
        listener: hears of other nodes, and tells them; None where there are none.
        taken: what it has got.
        epoch, restored: see `gateway.queue.store.Store`.

    The writer decides which server leads (``_seen`` is its timeline); after a failover, a
    connection to one that was left behind is given up.

    Args:
        target: the database; its schema is made where there is none.
        node: the name of this node.
        nodes: how many may work at a time.
        lease: seconds, see `holding.LEASE`.
        observe: told, in the writer's thread, how many seconds each group of writing calls took.
    """

    def __init__(
        self,
        target: Target,
        node: str,
        nodes: int,
        lease: float,
        observe: Callable[[float], None],
    ) -> None:
        self._target = target
        self._node = node
        self._observe = observe
        self._doubtful: _Doubtful | None = None
        self._ended = threading.Event()
        self.signals = Signals()
        self.listener: Listener | None = None
        self.session = Session(lease, alone=nodes == 1)
        connection = connect(target, f"{node}: writer")
        try:
            schema.migrate(connection, target, patience=lease + 2.0)
            self.taken = holding.take(connection, target, node, lease, nodes)
            self.epoch, self.restored = self._lineage(connection)
            self._seen = self._written = timeline(connection)
            self._reader: Connected | None = connect(target, f"{node}: reader", self._seen)
            self._read = timeline(self._reader)
        except psycopg.Error as error:
            connection.close()
            raise store_error(target, error) from None
        except BaseException:
            connection.close()
            raise
        session, taken = self.session, self.taken
        session.connection, self._process = connection, connection.info.backend_pid
        session.number, session.token = taken.number, taken.token
        session.operation = session.made = taken.operation
        session.heard = taken.heard
        session.learn()

    def _lineage(self, connection: Connected) -> tuple[str, bool]:
        """The epoch, a new one where the database was restored."""
        mark, known = schema.mark(connection), show(connection, "SELECT mark FROM gateway")
        if mark == known:
            return str(show(connection, "SELECT epoch FROM gateway")), False
        epoch = "epoch" if not known else "md5(random()::text || clock_timestamp()::text)"
        [row] = connection.execute(
            f"UPDATE gateway SET mark = %s, epoch = {epoch} RETURNING epoch".encode(),  # noqa: S608
            (mark,),
        ).fetchall()
        return str(row[0]), bool(known)

    def start(self) -> None:
        """Start the threads; called in the event loop."""
        self._writes = CallThread("store-writer", self._serve_writes)
        self._reads = CallThread("store-reader", self._serve_reads)
        threading.Thread(target=self._renew, name="store-lease", daemon=True).start()
        if not self.session.alone:
            self.listener = Listener(
                lambda: connect(self._target, f"{self._node}: listener", self._seen)
            )

    async def write(self, work: Work[T], applied: Callable[[T], None] | None = None) -> T:
        """Do ``work`` in the next transaction; durable on return. For ``applied`` see `Call`."""
        return await self._writes.call(cast("Callable[[], T]", work), applied)

    async def read(self, work: Read[T]) -> T:
        """Ask on the reading connection, which sees all that is durable by now."""
        return await self._reads.call(lambda: work(self._readable()))

    def tell(self, news: News) -> None:
        """Have other nodes hear of what was committed; called in any thread."""
        if self.listener is not None and news:
            self.listener.tell(news)

    async def aclose(self) -> None:
        """End the threads and close the connections."""
        self._ended.set()
        for thread in (self._reads, self._writes):
            await thread.stop()
        if self.listener is not None:
            await self.listener.aclose()
        for connection in (self.session.connection, self._reader):
            if connection is not None:
                connection.close()

    # --- in the writer's thread ---

    def _serve_writes(self, calls: Sequence[Call[Any]]) -> None:
        started = time.perf_counter()
        if not self._connected(calls):
            return
        if self._commit(calls):
            for call in calls:
                self._commit([call])
        self._observe(time.perf_counter() - started)

    def _connected(self, calls: Sequence[Call[Any]]) -> bool:
        """Whether there is a connection; else the calls have failed."""
        try:
            self._connect()
        except (StoreError, psycopg.Error) as error:
            for call in calls:
                call.fail(self._meaning(error))
            self._give_up()
            return False
        return True

    def _connect(self) -> None:
        """Have a connection, and know what was done on the last one."""
        session = self.session
        if session.connection is not None and self._written < self._seen:
            session.connection.close()
        if session.connection is None or session.connection.closed:
            session.connection = None
            connection = connect(self._target, f"{self._node}: writer", self._seen)
            self._written = timeline(connection)
            if self._written > self._seen:
                self._fail_over(connection)
            self._end_last(connection)
            holding.lock(connection, self._node)
            session.connection, self._process = connection, connection.info.backend_pid
        doubtful = self._doubtful
        if doubtful is not None:
            done = holding.done(session.connection, self.taken, doubtful.operation)
            self._doubtful = None
            if done:
                session.made = doubtful.operation
                self.tell(News(others=True, shares=True))
            for call, value in zip(doubtful.calls, doubtful.values, strict=True):
                if done:
                    call.succeed(value)
                elif done is None:
                    call.fail(self._fence("another node has taken the store over"))
                else:
                    call.fail(StoreError(f"{self._target.where}: the connection was lost"))
            self._writes.answer(doubtful.calls)

    def _end_last(self, connection: Connected) -> None:
        """Have the server do nothing more of what the last connection has sent: one that hung goes
        on with that once it can, though nobody waits for it."""
        if not holding.cut(connection, self._node, self._process):
            connection.close()
            raise StoreError(f"{self._target.where}: goes on with a connection that was lost")

    def _fail_over(self, connection: Connected) -> None:
        """Another server leads from now on. Raises StoreFenced where it lacks what this node has
        committed: what is known here is of a past that never was."""
        if holding.last(connection, self.taken) < self.session.made:
            connection.close()
            raise self._fence("a failover has lost what was committed here")
        self._seen = self._written
        if self.listener is not None:
            self.listener.again()

    def _give_up(self) -> None:
        """Do not wait for ever to learn what was done."""
        doubtful = self._doubtful
        if doubtful is not None and time.monotonic() > doubtful.since + DOUBT:
            self._doubtful = None
            for call in doubtful.calls:
                call.fail(self._fence("it cannot be told any more what was recorded"))
            self._writes.answer(doubtful.calls)

    def _commit(self, calls: Sequence[Call[Any]], tries: int = TRIES) -> bool:
        """Do calls in one transaction; returns whether they are to be tried one by one: one of them
        has failed, or the connection had been lost before. Two nodes that waited for each other are
        told so, and one of them tries again; so does one whose generation another has ended."""
        values: list[Any] = []

        def gather(work: Work[Any]) -> Work[Any]:
            def noted(session: Session) -> Callable[[], Any]:
                finish = work(session)

                def finished() -> Any:
                    values.append(finish())
                    return values[-1]

                return finished

            return noted

        session = self.session
        try:
            session.transact([gather(call.work) for call in calls])  # type: ignore[arg-type]
        except LostError:
            for call in calls:
                call.doubt()
            self._doubtful = _Doubtful(session.operation, calls, values, time.monotonic())
            return False
        except Exception as error:  # noqa: BLE001  every caller is told
            if tries and self._is_worth_another(error):
                return self._commit(calls, tries - 1)
            for call in calls:
                call.fail(self._meaning(error))
            if session.connection is None or session.connection.closed:
                return self._connected(calls)
            return len(calls) > 1
        self.tell(session.news)
        for call, value in zip(calls, values, strict=True):
            call.succeed(value)
        return False

    def _is_worth_another(self, error: Exception) -> bool:
        if isinstance(error, psycopg.errors.DeadlockDetected):
            return True
        # A generation that ended long ago has no tables any more.
        if isinstance(error, psycopg.Error) and error.sqlstate in (_TURNED, _NO_TABLE):
            with suppress(psycopg.Error):
                return self.session.learn()
        return False

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, psycopg.Error):
            if error.sqlstate == _FENCED:
                return self._fence("another node has taken the store over")
            return store_error(self._target, error)
        return error

    def _fence(self, reason: str) -> StoreFenced:
        """Have the event loop know that nothing of this process counts any more."""
        why = f"{self._target.where}: {reason}"
        self._writes.soon(lambda: self.signals.fenced(why))
        return StoreFenced(why)

    # --- in the other threads ---

    def _renew(self) -> None:
        """Have a transaction made now and then, so that the hold goes on."""
        while not self._ended.wait(holding.renewal(self.session.lease)):
            self._writes.post(cast("Callable[[], None]", _nothing))

    def _readable(self) -> Connected:
        if self._reader is not None and self._read < self._seen:
            self._reader.close()
        if self._reader is None or self._reader.closed:
            self._reader = None
            self._reader = connect(self._target, f"{self._node}: reader", self._seen)
            self._read = timeline(self._reader)
        return self._reader

    def _serve_reads(self, calls: Sequence[Call[Any]]) -> None:
        for call in calls:
            try:
                call.succeed(call.work())
            except psycopg.Error as error:
                call.fail(store_error(self._target, error))
                if self._reader is not None and not self._reader.closed:
                    self._reader.close()
            except Exception as error:  # noqa: BLE001  the caller is told
                call.fail(error)


def _nothing(_: Session) -> Callable[[], None]:
    return lambda: None
