"""A PostgreSQL for tests: one cluster for the session, and for each test a database of its own."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tools.postgres import OWNER, Postgres, binaries

__all__ = ["OWNER", "Postgres", "cluster"]

ROOM: Final = 2 << 30
"""Bytes that a cluster may take, with its log."""


def _memory() -> str | None:
    """A folder in memory with room for a cluster, if there is one."""
    folder = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM:
            return str(folder)
    return None


@contextlib.contextmanager
def cluster() -> Iterator[Postgres]:
    """A server that runs; tests skip where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # A socket's path may have 107 octets: too few for pytest's folders. In memory where there is
    # room, since making and dropping databases syncs a lot.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_memory()))
    try:
        folder.chmod(0o755)
        server = Postgres(folder / "it", programs)
        server.start()
        try:
            yield server
        finally:
            if server.running:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
