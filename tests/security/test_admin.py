"""The admin listener does not leave this machine unguarded, however its address is written."""

import hashlib
from pathlib import Path
from typing import cast

import pytest

from gateway.config import load
from gateway.errors import ConfigError
from gateway.ops.admin import AdminOptions, Health
from gateway.ops.admin.serving import serve
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Operations
from tests.security.running import configuration

NOBODY = cast("Operations", None)
"""No operator is answered here."""

OPEN = [
    "0.0.0.0:0", "[::]:0", ":::0", "192.0.2.1:0", "10.0.0.1:0", "169.254.1.1:0", "[fe80::1]:0",
    "[::ffff:0.0.0.0]:0", "[::ffff:192.0.2.1]:0", "224.0.0.1:0", "255.255.255.255:0",
]  # fmt: skip
LOOPBACK = ["127.0.0.1:7601", "127.8.8.8:7601", "localhost:7601", "[::1]:7601"]


def written(listen: str, token: str = "") -> str:
    tokens = [hashlib.sha256(token.encode()).hexdigest()] if token else []
    return f'[admin]\nlisten = "{listen}"\ntoken_sha256 = {tokens}\n' + configuration("acme")


@pytest.mark.parametrize("listen", OPEN)
async def test_beyond_this_machine_it_asks_for_a_token(listen: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(written(listen))
    with pytest.raises(ConfigError, match=r"admin\.token_sha256: is missing"):
        load(path, {})
    with pytest.raises(ConfigError, match="token_sha256"):
        await serve(AdminOptions(listen), Metrics(), NOBODY, healthy=Health, ready=Health)

    path.write_text(written(listen, "secret"))
    assert load(path, {}).admin.listen == listen


@pytest.mark.parametrize("listen", LOOPBACK)
def test_on_this_machine_it_asks_for_none(listen: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(written(listen))
    assert load(path, {}).admin.listen == listen
