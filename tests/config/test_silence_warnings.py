"""What ``gateway check`` says of phones that are not heard, of lines that others can read, and of
routes that nothing takes: the keys are those of the file."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.config import Settings, warnings

Read = Callable[..., Settings]

TODAY = date(2026, 11, 26)


def told(settings: Settings, begin: str) -> list[str]:
    return [line for line in warnings.found(settings, TODAY) if line.startswith(begin)]


@pytest.mark.parametrize(
    ("tables", "begin"),
    [
        ({"policy": {"optout": {"keywords": []}}}, "policy.optout.keywords: has no words"),
        ({"policy": {"optout": {"start": ["STOP"]}}}, "policy.optout.start[0]: 'STOP' opts"),
        ({"policy": {"optout": {"categories": []}}}, "policy.optout.categories: is empty"),
        (
            {
                "policy": {"optout": {"categories": ["marketing"]}},
                "tenant": {"category": "otp", "categories": ["otp"]},
            },
            "tenants[0].categories: has none of policy.optout.categories",
        ),
        (
            {
                "routes": [
                    {"carriers": [{"id": "alpha"}]},
                    {"match": {"prefix": ["86"]}, "carriers": [{"id": "alpha"}]},
                ]
            },
            "routes[1]: never matches, for 'match: everything' takes all that it could",
        ),
    ],
)
def test_what_is_hardly_meant(read: Read, tables: dict[str, Any], begin: str) -> None:
    assert told(read(**tables), begin)
    assert not told(read(), begin)


@pytest.mark.parametrize(
    ("listen", "warned"),
    [
        ("tcp://127.0.0.1:7600", False),
        ("tcp://127.8.8.8:7600", False),
        ("tcp://localhost:7600", False),
        ("tcp://[::1]:7600", False),
        ("tcp://[::ffff:127.0.0.1]:7600", False),
        ("unix:///run/gateway.sock", False),
        ("tcp://0.0.0.0:7600", True),
        ("tcp://[::]:7600", True),
        ("tcp://10.1.2.3:7600", True),
        ("tcp://[fe80::1]:7600", True),
        ("tcp://gateway.example:7600", True),
    ],
)
def test_an_api_that_other_machines_reach_without_tls(
    read: Read, tmp_path: Path, listen: str, *, warned: bool
) -> None:
    begin = f"api.listen[1]: {listen} is reached from other machines"
    here = "unix:///tmp/gateway.sock"
    assert bool(told(read(api={"listen": [here, listen]}), begin)) is warned
    authority = trustme.CA()
    certificate = authority.issue_cert("gateway.example")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    assert not told(read(api={"listen": [here, listen], "tls": tls}), "api.listen")


def test_an_admin_server_that_other_machines_reach(read: Read) -> None:
    begin = "admin.listen: 0.0.0.0:7601 is reached from other machines"
    token = ["0" * 64]
    assert told(read(admin={"listen": "0.0.0.0:7601", "token_sha256": token}), begin)
    assert not told(read(admin={"listen": "[::1]:7601", "token_sha256": token}), "admin")
