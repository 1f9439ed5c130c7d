"""What of a configuration expires."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import trustme

from gateway.config import Settings
from gateway.config.expiring import expiries

Read = Callable[..., Settings]


def test_every_certificate_is_found_under_its_key(read: Read, tmp_path: Path) -> None:
    ca = trustme.CA()
    cert = ca.issue_cert("127.0.0.1")
    files: dict[str, Any] = {"cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}
    cert.cert_chain_pems[0].write_to_path(files["cert"])
    cert.private_key_pem.write_to_path(files["key"])
    tls = {name: str(path) for name, path in files.items()}
    settings = read(carrier={"id": "alpha", "tls": tls}, api={"tls": tls})
    found = expiries(settings, date(2026, 6, 1)).certificates
    assert found == {"api.tls.cert": tls["cert"], "carriers.alpha.tls.cert": tls["cert"]}


def test_holidays_are_told_for_the_regions_whose_hours_have_them(read: Read) -> None:
    today = date(2026, 6, 1)
    found = expiries(read(), today).holidays
    assert "FR" in found  # its hours are shipped
    assert "CN" not in found
    china = {"quiet_hours": {"regions": {"CN": {"holidays": "closed"}}}}
    found = expiries(read(policy=china), today).holidays
    # Exchanged days are announced in the autumn before: 2026 is known by then, 2029 is not.
    assert datetime(2027, 1, 1, tzinfo=UTC).timestamp() <= found["CN"]
    assert found["CN"] < found["FR"] == datetime(2029, 1, 1, tzinfo=UTC).timestamp()


def test_the_digest_is_that_of_the_file(read: Read, tmp_path: Path) -> None:
    settings = read()
    data = (tmp_path / "gateway.toml").read_bytes()
    assert settings.digest == hashlib.sha256(data).hexdigest()[:12]
