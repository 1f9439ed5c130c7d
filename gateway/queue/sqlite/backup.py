"""Copies a store to a file, beside the gateway that has it open or without one, and makes sure that
the copy is whole.

The copy is made in one read transaction, so commits go on and are not in it. What is copied is what
is counted: every table has as many rows there as it had in that transaction. Nothing is ever
overwritten, nobody but the user can read the copy at any moment, and it has its name only once it
is complete.
"""

import contextlib
import os
from collections.abc import Container
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from gateway.errors import StoreError
from gateway.queue.sqlite import arrived, backlog, lineage, schema
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.engine import BUSY_MS, store_error

STEP: Final = 1_024
"""Pages copied at a time, 4 MB: between two, Ctrl-C is heard."""

SUFFIX: Final = ".part"
"""At the end of the name of a copy that is being made."""

_BESIDE: Final = ("", "-journal", "-wal", "-shm")


class Copied(NamedTuple):
    """What a backup has: its size, messages without an outcome, outcomes, keys and opt-outs."""

    size: int
    messages: int
    outcomes: int
    keys: int
    optouts: int


def backup(path: str, target: Path) -> Copied:
    """Copy the store at ``path`` to ``target``, a file that is not there yet.

    Raises:
        StoreError: there is no store, or no copy could be made; there is none then.
    """
    part = Path(f"{target}{SUFFIX}")
    if not Path(path).is_file():
        raise StoreError(f"{path}: there is no store; give the configuration that names it")
    if os.path.lexists(target):
        raise StoreError(f"{target}: is there already; give another name, or remove it")
    mask = os.umask(0o077)  # for what SQLite puts beside the copy, for moments
    try:
        _create(part)
        try:
            counts, in_chunks = _copy(path, part)
            _publish(part, target)
        except BaseException:
            for end in _BESIDE:
                Path(f"{part}{end}").unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    size = target.stat().st_size
    tables = ("message", "finished", "key", "optout")
    messages, *others = (counts.get(table, 0) for table in tables)
    return Copied(size, messages + in_chunks, *others)


def _create(part: Path) -> None:
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        why = "is there already: another backup is being made, or one was broken off"
        raise StoreError(f"{part}: {why}; remove it then") from error
    os.close(handle)


def _copy(path: str, part: Path) -> tuple[dict[str, int], int]:
    """Fill the copy, and check it; returns how many rows its tables have, and how many messages are
    in chunks."""
    try:
        source = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise store_error(path, error) from error
    copy = apsw.Connection(str(part))
    try:
        try:
            source.set_busy_timeout(BUSY_MS)
            schema.check(source, path)
            source.execute("BEGIN")  # the copy is of this moment, however long it takes
            wanted = _counts(source)
        except apsw.Error as error:
            raise store_error(path, error) from error
        with copy.backup("main", source, "main") as copying:
            while not copying.done:
                copying.step(STEP)
        source.execute("ROLLBACK")
        copy.pragma("journal_mode", "delete")
        if "epoch" in wanted:
            lineage.mark_backup(copy)
        _verify(copy, part, wanted)
        in_chunks = _in_chunks(copy.execute, wanted)
    except apsw.Error as error:
        raise store_error(str(part), error) from error
    finally:
        copy.close()
        source.close()
    return wanted, in_chunks


def _in_chunks(execute: Execute, tables: Container[str]) -> int:
    """How many messages are in chunks, of which a store of before has no table, or one."""
    found = arrived.count(execute, "arrived") if "arrived" in tables else 0
    if "backlog" in tables:
        found += arrived.count(execute, "backlog WHERE state = 1") + backlog.count_all(execute)
    return found


def _verify(copy: apsw.Connection, part: Path, wanted: dict[str, int]) -> None:
    """Read all of the copy. Raises StoreError where it is not what was copied."""
    faults = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
    if faults != ["ok"]:
        why = "the disk of the store or that of the copy fails; keep the last backup that was good"
        raise StoreError(f"{part}: the copy is damaged ({faults[0]}): {why}")
    found = _counts(copy)
    if found != wanted:
        raise StoreError(f"{part}: has {found} rows where the store has {wanted}")


def _counts(connection: apsw.Connection) -> dict[str, int]:
    """How many rows each table has."""
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {
        str(name): int(connection.execute(f'SELECT count(*) FROM "{name}"').get)  # noqa: S608
        for (name,) in names
    }


def _publish(part: Path, target: Path) -> None:
    """Give the copy its name, durably, unless something else has it by now."""
    try:
        target.hardlink_to(part)
    except FileExistsError as error:
        raise StoreError(f"{target}: is there already; give another name") from error
    except OSError as error:  # a file system without links
        if os.path.lexists(target):
            raise StoreError(f"{target}: is there already; give another name") from error
        part.rename(target)
    else:
        part.unlink()
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # nor do all of them take this
            os.fsync(handle)
    finally:
        os.close(handle)
