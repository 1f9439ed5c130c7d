"""The file beside the database that one process at a time can hold.

It says which process that is, and what whoever holds it has to remember outside of the database
(`gateway.queue.sqlite.lineage`). It stays where it is: one that was removed would lock nothing.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway.errors import StoreError

_SIZE: Final = 64
"""Octets of what is written, filled up with blanks: one write, in one sector of the disk, which is
there whole or not at all."""


class Lock:
    """Makes sure that there is a file at ``path``, and holds the lock file beside it.

    Attributes:
        marks: what the last holder left.

    Raises:
        StoreError: another process holds it, or it cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = f"{path}.lock"
        directory = Path(path).parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # For the gateway's user alone, since it holds numbers and texts; SQLite gives the same
            # mode to the files beside it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            handle = os.open(directory, os.O_RDONLY)
            os.fsync(handle)  # a new file's name is durable only once its directory is
            os.close(handle)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}; give another queue.path") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _, *marks = self._read()
            self.marks = frozenset(marks)
            self._write(marks)
        except BlockingIOError as error:
            owner, *_ = self._read()
            os.close(self._file)
            mend = "stop that one, or give another queue.path"
            raise StoreError(f"{path}: is in use by process {owner}; {mend}") from error
        except OSError as error:
            os.close(self._file)
            raise StoreError(f"{self._path}: {error.strerror}; give another queue.path") from error

    def leave(self, marks: Iterable[str]) -> None:
        """Have the file tell these marks, durably. Raises StoreError."""
        try:
            self._write(marks)
            os.fsync(self._file)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from error

    def release(self) -> None:
        """Let another process hold it."""
        os.close(self._file)

    def _read(self) -> list[str]:
        """The process that holds it or held it last, and its marks."""
        text = os.pread(self._file, _SIZE, 0).decode(errors="replace")
        return text.split() or ["unknown"]

    def _write(self, marks: Iterable[str]) -> None:
        text = " ".join((str(os.getpid()), *marks))
        os.pwrite(self._file, text.ljust(_SIZE).encode(), 0)
