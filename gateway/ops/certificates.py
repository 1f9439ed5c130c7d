"""Until when a certificate holds, read from its DER form: a time three levels deep, which the
standard library does not tell of a file, and no reason for another dependency."""

import ssl
from datetime import UTC, datetime
from typing import Final

BEGIN: Final = "-----BEGIN CERTIFICATE-----"

_UTC_TIME: Final = 0x17
_VERSION: Final = 0xA0


def expiry(pem: str) -> float:
    """When the first certificate of a chain ends to hold, in Unix seconds.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    start = pem.find(BEGIN)
    if start < 0:
        raise ValueError("has no certificate")
    end = pem.find("-----END", start)
    der = ssl.PEM_cert_to_DER_cert(f"{pem[start:end]}-----END CERTIFICATE-----\n")
    try:
        # Certificate, TBSCertificate; in it a version perhaps, then serial number, algorithm,
        # issuer, and the validity: two times (RFC 5280, section 4.1).
        _, body, _ = _value(_value(der)[1])
        tag, _, rest = _value(body)
        for _ in range(3 if tag == _VERSION else 2):
            _, _, rest = _value(rest)
        _, validity, _ = _value(rest)
        tag, moment, _ = _value(_value(validity)[2])
        return _unix(tag, moment.decode("ascii"))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("is no certificate") from error


def _value(data: bytes) -> tuple[int, bytes, bytes]:
    """The tag and content of what comes first, and what follows it."""
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if start + size > len(data):
        raise IndexError("cut off")
    return tag, data[start : start + size], data[start + size :]


def _unix(tag: int, moment: str) -> float:
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(moment, form).replace(tzinfo=UTC).timestamp()
