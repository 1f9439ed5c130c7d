"""Which store a configuration asks for."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.queue.backends import StoreOptions

Read = Callable[..., Settings]
Faulty = Callable[..., list[str]]

DSN = "postgresql://gateway:s3cr3t@db.example.net/sms"


def postgresql(**keys: Any) -> dict[str, Any]:
    return {"queue": {"backend": "postgresql", **keys}}


def test_a_dsn_may_be_in_the_file_in_another_or_in_the_environment(
    read: Read, tmp_path: Path
) -> None:
    file = tmp_path / "dsn"
    file.write_text(f"{DSN}\n")
    host = socket.gethostname()[:64]
    for keys, environ in (
        ({"dsn": DSN}, {}),
        ({"dsn_file": str(file)}, {}),
        ({"dsn_env": "DATABASE"}, {"DATABASE": DSN}),
    ):
        settings = read(**postgresql(**keys), environ=environ)
        assert settings.queue == StoreOptions("postgresql", "", DSN, host)
        assert "s3cr3t" not in repr(settings)
    settings = read(**postgresql(dsn=DSN, node="a", synchronous="remote_apply"))
    assert settings.queue == StoreOptions("postgresql", "", DSN, "a", 1, "remote_apply")


@pytest.mark.parametrize(
    ("queue", "line"),
    [
        (postgresql(), "queue: needs exactly one of dsn, dsn_env, dsn_file"),
        (
            postgresql(dsn=DSN, dsn_env="DATABASE"),
            "queue: needs exactly one of dsn, dsn_env, dsn_file, has dsn and dsn_env",
        ),
        (
            postgresql(dsn_env="DATABASE"),
            "queue.dsn_env: the environment variable that it names is not set",
        ),
        (
            postgresql(dsn_file="/nowhere/s3cr3t"),
            "queue.dsn_file: the file that it names cannot be read: No such file or directory",
        ),
        (
            postgresql(dsn="s3cr3t"),
            "queue.dsn: is no connection string; write postgresql://USER@HOST:PORT/DATABASE",
        ),
        (
            postgresql(dsn=DSN, synchronous="never"),
            "queue.synchronous: 'never' is not 'commit', 'remote_apply', 'local' or 'off'",
        ),
        (
            postgresql(dsn=DSN, node="a b"),
            "queue.node: 'a b' is not a name of 1 to 64 letters, digits, '.', '_' and '-'",
        ),
        (
            {"queue": {"dsn": DSN}},
            'queue.dsn: is of no use without queue.backend = "postgresql"',
        ),
        (
            {"queue": {"backend": "memory", "node": "a"}},
            'queue.node: is of no use without queue.backend = "postgresql"',
        ),
    ],
)
def test_what_is_wrong_is_named_and_never_shown(
    faults: Faulty, queue: dict[str, Any], line: str
) -> None:
    found = faults(**queue)
    assert line in found
    assert "s3cr3t" not in "\n".join(found)
