"""Files that a configuration names: certificates, their keys, passwords."""

import ssl
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.config.keys import CarrierTls
from gateway.config.reading import Faults

MAX_SIZE: Final = 4 * 1024 * 1024
"""Bytes of a file. The certificates of all public authorities together have about 250,000."""

_ENCRYPTED: Final = b"ENCRYPTED"
"""Stands at the head of a private key that has a passphrase."""


def read(path: str | None, where: str, faults: Faults, what: str = "") -> bytes:
    """What is in the file that the key at ``where`` names; nothing where there is no such key.

    ``what`` goes into faults in place of the path.
    """
    if not path:
        return b""
    what = what or repr(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        faults.add(where, f"{what} cannot be read: {error.strerror}")
        return b""
    except ValueError:
        faults.add(where, f"{what} is no path")
        return b""
    if not data:
        faults.add(where, f"{what} is empty")
    if len(data) > MAX_SIZE:
        faults.add(where, f"{what} has more than {MAX_SIZE} bytes")
    return data


def read_key(path: str | None, where: str, faults: Faults) -> bytes:
    """The same for a private key. It must have no passphrase, for nobody is there to type it."""
    data = read(path, where, faults)
    if _ENCRYPTED in data:
        faults.add(where, f"{path!r} has a passphrase; name a key without one")
    return data


def client_context(
    tls: CarrierTls, where: str, faults: Faults
) -> tuple[ssl.SSLContext | None, bytes]:
    """How to speak TLS to a carrier (None where a fault was found), and a digest of the files that
    this depends on."""
    before = len(faults.lines)
    ca = read(tls.ca, f"{where}.ca", faults)
    cert = read(tls.cert, f"{where}.cert", faults)
    key = read_key(tls.key, f"{where}.key", faults)
    digest = sha256(b"\0".join((ca, cert, key))).digest()
    if tls.key is not None and tls.cert is None:
        faults.add(f"{where}.cert", "is missing; a key needs its certificate")
    if len(faults.lines) > before:
        return None, digest
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
    except OSError:
        mend = "ca and cert must be certificates in PEM form, key the private key of cert"
        faults.add(where, f"these files cannot be used; {mend}")
        return None, digest
    return context, digest
