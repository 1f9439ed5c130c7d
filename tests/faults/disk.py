"""A gateway on a disk that a test can break: ``python disk.py FOLDER serve --config FILE``.

Below SQLite lies a file system of our own, which does what the files in FOLDER say:

- ``full``, ``read_only``, ``failing``: while such a file exists, writes fail for lack of room,
  because the disk became read-only, or every fsync fails after its data were written.
- ``durable``: where this folder exists, each file of the database has a copy there that holds what
  an fsync has made durable and nothing else: what a power loss leaves at the least.
"""

import os
import sys
from pathlib import Path
from typing import Any

import apsw

from gateway.cli import main


class Disk(apsw.VFS):
    """The file system, by default under every database of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__("breakable", base="unix", makedefault=True)

    def is_(self, state: str) -> bool:
        return (self._folder / state).exists()

    def durable(self, name: str) -> Path:
        return self._folder / "durable" / Path(name).name

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802  SQLite's name
        return File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  SQLite's name
        super().xDelete(filename, syncdir)
        self.durable(filename).unlink(missing_ok=True)


class File(apsw.VFSFile):
    """A file whose writes stay in doubt until an fsync has succeeded."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._doubtful: list[tuple[int, bytes | None]] = []
        self._copy: int | None = None
        if name is not None and disk.is_("durable"):
            path = name.filename() if isinstance(name, apsw.URIFilename) else name
            self._copy = os.open(disk.durable(path), os.O_RDWR | os.O_CREAT, 0o600)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's name
        if self._disk.is_("full"):
            raise apsw.FullError("no space left on device")
        if self._disk.is_("read_only"):
            raise apsw.ReadOnlyError("read-only file system")
        super().xWrite(data, offset)
        if self._copy is not None:
            self._doubtful.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  SQLite's name
        super().xTruncate(newsize)
        if self._copy is not None:
            self._doubtful.append((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802  SQLite's name
        if self._disk.is_("failing"):
            raise apsw.IOError("fsync failed")
        if self._copy is None:
            super().xSync(flags)
            return
        # The copy stands for the platter: nothing is gained by waiting for the real one.
        for offset, data in self._doubtful:
            if data is None:
                os.ftruncate(self._copy, offset)
            else:
                os.pwrite(self._copy, data, offset)
        self._doubtful.clear()


if __name__ == "__main__":
    DISK = Disk(Path(sys.argv[1]))
    main(sys.argv[2:])
