"""A gateway on a disk that a test can break: ``python disk.py FOLDER serve --config FILE``.

Below SQLite lies a file system of our own, which does what the files in FOLDER say:

- ``full``, ``read_only``, ``failing``: while such a file exists, writes fail for lack of room,
  because the disk became read-only, or every fsync fails after its data were written.
- ``free``: while there is such a file, so many bytes are said to be free.
- ``durable``: where this folder exists, each file of the database has a copy there that holds what
  an fsync has made durable and nothing else: what a power loss leaves at the least.
"""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from gateway.cli import main
from gateway.queue.sqlite import engine

SIZE, FREE = 1, 4
"""Where statvfs tells the size of a block, and how many blocks are free to whoever asks."""

CHECKPOINT = 128
"""Pages in the log from which it is checkpointed here, so that power is lost during that too."""


class Disk(apsw.VFS):
    """The file system, by default under every database of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._platters: dict[Path, Platter] = {}
        super().__init__("breakable", base="unix", makedefault=True)

    def is_(self, state: str) -> bool:
        return (self._folder / state).exists()

    def durable(self, name: str) -> Path:
        return self._folder / "durable" / Path(name).name

    def platter(self, name: str) -> "Platter":
        """Where a file's durable copy is; one for all who have the file open."""
        path = self.durable(name)
        return self._platters.setdefault(path, Platter(path))

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802  SQLite's name
        return File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  SQLite's name
        super().xDelete(filename, syncdir)
        self.platter(filename).delete()


class Platter:
    """What fsync has made durable of a file, and what was written since, by whatever handle: an
    fsync by one of them makes durable what was written by all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._doubtful: list[tuple[int, bytes | None]] = []
        self._lock = threading.Lock()

    def open(self) -> None:
        self._path.touch(mode=0o600)

    def change(self, offset: int, data: bytes | None) -> None:
        """Data were written, or the file was cut off at ``offset``."""
        with self._lock:
            self._doubtful.append((offset, data))

    def sync(self) -> None:
        with self._lock, self._path.open("r+b") as copy:
            for offset, data in self._doubtful:
                if data is None:
                    copy.truncate(offset)
                else:
                    copy.seek(offset)
                    copy.write(data)
            self._doubtful.clear()

    def delete(self) -> None:
        with self._lock:
            self._path.unlink(missing_ok=True)
            self._doubtful.clear()


class File(apsw.VFSFile):
    """A file whose writes stay in doubt until an fsync has succeeded."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._platter: Platter | None = None
        if name is not None and disk.is_("durable"):
            path = name.filename() if isinstance(name, apsw.URIFilename) else name
            self._platter = disk.platter(path)
            self._platter.open()
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's name
        if self._disk.is_("full"):
            raise apsw.FullError("no space left on device")
        if self._disk.is_("read_only"):
            raise apsw.ReadOnlyError("read-only file system")
        super().xWrite(data, offset)
        if self._platter is not None:
            self._platter.change(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  SQLite's name
        super().xTruncate(newsize)
        if self._platter is not None:
            self._platter.change(newsize, None)

    def xSync(self, flags: int) -> None:  # noqa: N802  SQLite's name
        if self._disk.is_("failing"):
            raise apsw.IOError("fsync failed")
        if self._platter is None:
            super().xSync(flags)
        else:
            # It stands for the disk: nothing is gained by waiting for the real one.
            self._platter.sync()


def told(folder: Path) -> Callable[[Any], os.statvfs_result]:
    """What the system says of a file system, but for the room that a file of the test tells of."""
    ask = os.statvfs

    def statvfs(path: Any) -> os.statvfs_result:
        found = list(ask(path))
        file = folder / "free"
        if file.exists():
            found[FREE] = int(file.read_text()) // found[SIZE]
        return os.statvfs_result(found)

    return statvfs


if __name__ == "__main__":
    os.statvfs = told(Path(sys.argv[1]))  # type: ignore[assignment]
    if (Path(sys.argv[1]) / "durable").exists():
        engine.CHECKPOINT = CHECKPOINT  # type: ignore[misc]
    DISK = Disk(Path(sys.argv[1]))
    main(sys.argv[2:])
