"""Every test of this package runs on every engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.queue.postgresql import backlog as of_postgresql
from gateway.queue.postgresql import schema
from gateway.queue.postgresql.connecting import Target, connect
from gateway.queue.sqlite import backlog as of_sqlite
from gateway.queue.store import Store
from tests.queue.contract.rig import ENGINES, READY, Rig, engine
from tests.servers import Postgres


@pytest.fixture(scope="session")
def ready(postgres: Postgres) -> Postgres:
    """A server with a database that has the schema, of which each test has a copy."""
    postgres.ask("postgres", f"CREATE DATABASE {READY} TEMPLATE template0")
    target = Target.of(postgres.dsn(READY), "commit")
    with connect(target, "tests") as connection:
        schema.migrate(connection, target)
    return postgres


@pytest.fixture(params=ENGINES)
async def rig(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    if request.param.endswith("chunks"):
        for backlog in (of_sqlite, of_postgresql):
            monkeypatch.setattr(backlog, "SMALLEST", 1)
    rig = Rig(engine(request.param, tmp_path, lambda: request.getfixturevalue("ready")))
    await rig.store.open()
    yield rig
    await rig.aclose()


@pytest.fixture
def store(rig: Rig) -> Store:
    return rig.store
