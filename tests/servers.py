"""A PostgreSQL for tests: one cluster for the session, and for each test a database of its own."""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

OWNER: Final = "gateway"
PASSWORD: Final = "open sesame"

ROOM: Final = 2 << 30
"""Bytes that a cluster may take, with its log."""

_NAMES = itertools.count(1)


def binaries() -> Path | None:
    """Where the programs of the newest PostgreSQL here are."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """A cluster in a folder of its own, reached by a socket in there."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._data = folder / "data"
        self._port = "5432"
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        options = ["-D", str(self._data), "-U", OWNER, "--auth-local=trust", "-E", "UTF8"]
        self._run("initdb", *options, "--auth-host=scram-sha-256", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(f"unix_socket_directories = '{folder}'\nlisten_addresses = ''\n")
            file.write("max_connections = 200\nshared_buffers = 64MB\n")

    def start(self) -> None:
        """Start the server; it takes connections when this returns."""
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self.folder / "log"), "-w", "start")

    @property
    def pid(self) -> int:
        """The process that all of the server's others come from."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; ``immediate`` is as a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def dsn(self, database: str, user: str = OWNER) -> str:
        """How to reach a database."""
        return f"host={self.folder} port={self._port} user={user} dbname={database}"

    def settings(self, changed: Mapping[str, str]) -> None:
        """Start anew with these settings beside the usual ones."""
        lines = [f"{name} = {value}\n" for name, value in changed.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines))
        self.stop("fast")
        self.start()
        self._port = changed.get("port", "5432")

    def reload(self, changed: Mapping[str, str]) -> None:
        """Go on with these settings beside the usual ones."""
        before = self.ask("postgres", "SELECT pg_conf_load_time()")
        lines = [f"{name} = {value}\n" for name, value in changed.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines))
        self._run("pg_ctl", "-D", str(self._data), "reload")
        while self.ask("postgres", "SELECT pg_conf_load_time()") == before:
            pass

    @contextlib.contextmanager
    def standby(self) -> Iterator[str]:
        """A server that follows this one; gives how to reach it, but for the database."""
        data, port = self.folder / "standby", "5433"
        self._run(
            "pg_basebackup",
            "-h",
            str(self.folder),
            "-U",
            OWNER,
            "-D",
            str(data),
            "-R",
            "-c",
            "fast",
        )
        options = f"-p {port}"
        log = str(self.folder / "standby.log")
        self._run("pg_ctl", "-D", str(data), "-l", log, "-o", options, "-w", "start")
        try:
            yield f"host={self.folder} port={port}"
        finally:
            self._run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
            shutil.rmtree(data)

    def database(self, template: str = "template0") -> str:
        """Make a database; returns its name."""
        name = f"test_{next(_NAMES)}"
        self.ask("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.ask("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def cut(self, database: str, whose: str = "") -> None:
        """End all connections to a database, or those of a name."""
        self.ask(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{database}' AND application_name LIKE '%{whose}%'"
            " AND pid <> pg_backend_pid()",
        )

    def ask(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of everything."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:  # which it refuses to be run as
            command = ["runuser", "-u", "postgres", "--", *command]
        ended = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


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
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
