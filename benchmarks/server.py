"""A PostgreSQL of its own for a benchmark: a cluster in a folder, gone with it, that syncs what it
commits."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import usage
from tools.postgres import Postgres, binaries

TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Postgres]:
    """A server that runs. Exits where none is installed."""
    programs = binaries()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    for each in (folder.parent, folder):
        each.chmod(0o755)  # root's folders have to let the server's user in
    made = Postgres(folder / "it", programs)
    made.start()
    try:
        yield made
    finally:
        made.stop("fast")


def cpu(postmaster: int) -> float:
    """CPU seconds that a server has used, with its processes that have ended."""
    used = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            number = int(stat.parent.name)
            fields = stat.read_text().rpartition(")")[2].split()
            if number == postmaster:
                used += (int(fields[13]) + int(fields[14])) / TICKS
            if postmaster in (number, int(fields[1])):
                used += usage(number).cpu
    return used
