"""Tells whether the file is what was open here last, or an earlier state of it: a backup.

The file has a *mark*, which changes all the time, and the lock file beside it says which one. A
copy that is put in the file's place, by whatever means, has an older one. Then the streams of
events go on from where they were when the copy was made, and a ``seq`` that was given since is
given again: the epoch is another one. So it is where commits were lost, to a log that was deleted
or a disk that did not keep its promise.

The lock file is written before a new mark is committed, with the old one and the new one, and again
after it, with the new one alone: the process may end at any moment.
"""

import contextlib
import math
import secrets
from typing import Final, NamedTuple

import apsw
import trio

from gateway.errors import StoreError
from gateway.queue.sqlite import reads
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.engine import Engine
from gateway.queue.sqlite.session import Session

MARK_EVERY: Final = 60.0
"""Seconds for which a file that changes keeps a mark: a copy that is older is told apart."""

NO_MARK: Final = ""
"""The mark of a backup, which no lock file tells."""


class Stored(NamedTuple):
    """What the file has: the epoch, and its mark, None where it has none yet."""

    epoch: str
    mark: str | None


def load(execute: Execute) -> Stored:
    """The epoch and the mark of the file."""
    [row] = execute("SELECT name, mark FROM epoch")
    return Stored(*row)


def put(session: Session, stored: Stored) -> None:
    """Give the file an epoch and a mark."""
    session.execute("UPDATE epoch SET name = ?, mark = ?", stored)


def token() -> str:
    """An epoch or a mark that there never was before."""
    return secrets.token_hex(8)


def mark_backup(connection: apsw.Connection) -> None:
    """Make a copy of a store one that begins a new epoch when it is opened in place of a store.
    Not for the store itself."""
    connection.execute("UPDATE epoch SET mark = ?", (NO_MARK,))


class Lineage:
    """The epoch of the database file, and its mark.

    Attributes:
        epoch: known once it has begun.
        restored: it began with the file's being opened.
    """

    def __init__(self) -> None:
        self.restored = False
        self._stored = Stored("", None)
        self._marked_at = -math.inf
        self._marked = 0

    @property
    def epoch(self) -> str:
        return self._stored.epoch

    async def begin(self, engine: Engine) -> None:
        """Go on in the file's epoch, or in a new one where the file is a backup. Raises StoreError
        where that cannot be put on record."""
        self._stored = await engine.read(load)
        mark = self._stored.mark
        self.restored = mark is not None and mark not in engine.lock.marks
        if self.restored:
            self._stored = Stored(token(), None)
        await self._mark(engine)

    async def renew(self, engine: Engine, now: float) -> None:
        """Give a file that has changed a new mark now and then, so that a copy that is made of it
        soon has an old one."""
        if abs(now - self._marked_at) < MARK_EVERY:
            return
        self._marked_at = now
        await self.end(engine)

    async def end(self, engine: Engine) -> None:
        """Give a file that has changed a new mark: no copy that was made of it before has it."""
        if await engine.read(reads.data_version) != self._marked:
            with contextlib.suppress(StoreError):  # the old one still stands, and is known
                await self._mark(engine)

    async def adopt(self, engine: Engine, epoch: str) -> None:
        """Go on in the epoch of a store that was moved here."""
        self._stored = self._stored._replace(epoch=epoch)
        await self._mark(engine)

    async def _mark(self, engine: Engine) -> None:
        old, new = self._stored, self._stored._replace(mark=token())
        marks = [mark for mark in (old.mark, new.mark) if mark]
        await trio.to_thread.run_sync(engine.lock.leave, marks)
        await engine.write(lambda s: put(s, new))
        self._stored = new
        await trio.to_thread.run_sync(engine.lock.leave, marks[-1:])
        self._marked = await engine.read(reads.data_version)
