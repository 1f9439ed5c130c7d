"""What nodes that share a database are to have alike."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import Settings

Read = Callable[..., Settings]

POSTGRES = {"backend": "postgresql", "dsn": "postgresql://127.0.0.1/gateway"}


@pytest.mark.parametrize(
    ("tables", "same"),
    [
        ({"queue": POSTGRES | {"node": "b"}}, True),
        ({"api": {"listen": ["tcp://127.0.0.1:7777"]}}, True),
        ({"admin": {"listen": "127.0.0.1:7778"}}, True),
        ({"queue": POSTGRES | {"retention_days": 3}}, False),
        ({"tenant": {"category": "otp"}}, False),
        ({"admin": {"listen": "127.0.0.1:7778", "token_sha256": ["0" * 64]}}, False),
    ],
)
def test_nodes_need_not_have_their_names_and_addresses_alike(
    read: Read, tables: dict[str, Any], same: bool
) -> None:
    """Else each would say for ever that the others go by another configuration."""
    usual = {"queue": POSTGRES | {"node": "a"}}
    one, other = read(**usual), read(**usual | tables)
    assert one.digest != other.digest
    assert (one.dispatch.shared == other.dispatch.shared) is same
