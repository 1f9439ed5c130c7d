"""A server that hangs is told from one that takes its time."""

import gc
import socket

import psycopg
import pytest

from gateway.errors import StoreError
from gateway.queue.postgresql import connecting, hanging
from gateway.queue.postgresql.connecting import Target
from gateway.queue.postgresql.hanging import Impatient
from tests.servers import Postgres


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hanging, "SILENCE", 0.2)


def connect(postgres: Postgres, database: str) -> Impatient:
    return Impatient.connect(postgres.dsn(database), autocommit=True)


def test_a_server_that_hangs_is_given_up(
    postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging, "PROBE", 0.2)
    with connect(postgres, database) as alone, connect(postgres, database) as piped:
        with postgres.frozen():
            with pytest.raises(psycopg.OperationalError):
                alone.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError), piped.pipeline():
                piped.execute("SELECT 1")
        assert alone.closed
        assert piped.closed


def test_one_that_takes_its_time_is_not(postgres: Postgres, database: str) -> None:
    with connect(postgres, database) as connection:
        row = connection.execute("SELECT 7 FROM pg_sleep(1)").fetchone()
    assert row == (7,)


def test_an_attempt_that_took_too_long_leaves_no_socket_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "PATIENCE", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as server:
        dsn = f"host=127.0.0.1 port={server.getsockname()[1]} user=x dbname=x sslmode=disable"
        gc.disable()
        try:
            with pytest.raises(StoreError, match="cannot be reached"):
                connecting.connect(Target.of(dsn, "commit"), "x")
            came, _ = server.accept()
            with came:
                came.settimeout(5)
                while came.recv(4_096):
                    pass
        finally:
            gc.enable()
