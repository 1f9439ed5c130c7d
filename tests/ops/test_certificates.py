"""Until when certificates hold, as their files tell."""

from datetime import UTC, datetime

import pytest
import trustme

from gateway.ops.certificates import expiry

CA = trustme.CA()


@pytest.mark.parametrize(
    "until",
    [
        datetime(2027, 3, 1, 12, 30, 15, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),  # the last in two digits of a year
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(2061, 7, 4, 8, 0, 1, tzinfo=UTC),
    ],
)
def test_the_end_is_read(until: datetime) -> None:
    cert = CA.issue_cert("gateway.example", not_after=until)
    pem = b"".join(blob.bytes() for blob in cert.cert_chain_pems).decode()
    assert expiry(pem) == until.timestamp()
    assert expiry(f"key: a comment before it\n{pem}{CA.cert_pem.bytes().decode()}") == expiry(pem)


def test_every_cut_is_refused_and_nothing_else() -> None:
    pem = CA.cert_pem.bytes().decode()
    for end in range(0, len(pem) // 2, 7):
        with pytest.raises(ValueError):
            expiry(pem[:end])
    for text in ("", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"):
        with pytest.raises(ValueError):
            expiry(text)
