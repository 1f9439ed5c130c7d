"""Gateways of before, for that of today to work beside: ``programs.tar.xz`` has the package as it
was, under the version of its schema of PostgreSQL.

``python -m tests.upgrade.programs CHECKOUT ...`` makes the archive of folders with the sources of
those times. What most of them have alike is in it once: a further one takes some kilobytes.
"""

import io
import lzma
import sys
import tarfile
from pathlib import Path
from typing import Final

from gateway.queue.postgresql import statements
from gateway.queue.postgresql.schema import BESIDE

ARCHIVE: Final = Path(__file__).with_name("programs.tar.xz")

VERSIONS: Final = (11, 12, 13, 14, 15)
"""Of the schema, whose programs are there: of each the last one that was made with it, or was when
the archive was made."""

TODAY: Final = len(statements.steps())
"""The version of today's."""


def goes_beside(version: int) -> bool:
    """Whether nodes of a version may go on beside those of today."""
    return BESIDE.issuperset(range(version + 1, TODAY + 1))


def unpack(folder: Path) -> None:
    """Unpack all, each into a folder that is named after its version."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")


def command(folder: Path, version: int) -> tuple[str, ...]:
    """What starts a program that was unpacked there."""
    return "env", f"PYTHONPATH={folder / str(version)}", sys.executable, "-m", "gateway"


def _version(checkout: Path) -> int:
    steps = checkout / "gateway" / "queue" / "postgresql" / "sql" / "schema"
    return len([*steps.glob("*.sql")])


def main(*checkouts: str) -> None:
    """Make the archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for checkout in map(Path, checkouts):
            for path in sorted((checkout / "gateway").rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    name = Path(str(_version(checkout))) / path.relative_to(checkout)
                    one = tarfile.TarInfo(str(name))
                    one.size = path.stat().st_size
                    with path.open("rb") as file:
                        archive.addfile(one, file)
    ARCHIVE.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(*sys.argv[1:])
