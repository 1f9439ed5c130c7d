"""Configurations made by changing the smallest one that works."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings, load
from gateway.errors import ConfigError

TENANT: dict[str, Any] = {
    "id": "acme",
    "token_sha256": [hashlib.sha256(b"token").hexdigest()],
    "senders": ["10690001"],
}
CARRIER: dict[str, Any] = {
    "id": "alpha",
    "host": "smsc.example",
    "system_id": "u",
    "password": "hunter2",
}


def toml(value: object) -> str:
    """A value as TOML writes it in one line."""
    match value:
        case dict():
            pairs = (f"{toml(str(key))} = {toml(item)}" for key, item in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
        case bool():
            return str(value).lower()
        case int():
            return hex(value) if value >= 0 else str(value)
        case _:
            return str(value)


@pytest.fixture
def load_tables(tmp_path: Path) -> Callable[..., Settings]:
    """Loads a file with these tables."""
    path = tmp_path / "gateway.toml"

    def load_tables(
        tables: Mapping[str, object], environ: Mapping[str, str] | None = None
    ) -> Settings:
        path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in tables.items()))
        return load(path, environ or {})

    return load_tables


@pytest.fixture
def read(load_tables: Callable[..., Settings]) -> Callable[..., Settings]:
    """Loads a tenant and a carrier that are all right but for what is changed in them, with
    whatever other tables. What is changed to None is left out."""

    def read(
        tenant: Mapping[str, object] | None = None,
        carrier: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        **tables: object,
    ) -> Settings:
        ours = {
            "tenants": [_changed(TENANT, tenant or {})],
            "carriers": [_changed(CARRIER, carrier or {})],
        }
        return load_tables(ours | tables, environ)

    return read


@pytest.fixture
def faults(read: Callable[..., Settings]) -> Callable[..., list[str]]:
    """The lines with which the same is refused."""

    def faults(**changes: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(**changes)
        return caught.value.errors

    return faults


@pytest.fixture
def tenants() -> Callable[..., list[dict[str, object]]]:
    """Two tenants that are all right but for what is changed in each."""

    def tenants(first: dict[str, object], second: dict[str, object]) -> list[dict[str, object]]:
        other = {
            "id": "bravo",
            "token_sha256": [hashlib.sha256(b"another").hexdigest()],
            "senders": ["10690002"],
        }
        return [TENANT | first, other | second]

    return tenants


def _changed(table: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in {**table, **changes}.items() if value is not None}
