"""Sessions of people at the console, pure: what a cookie says and whether it may.

A cookie says which token somebody has shown and until when it holds, under a seal made with a
secret of this process and the token's hash: it ends with its time, with the token's removal from
the configuration and with the process. A form carries a seal of the same session, which no page of
another site can read (CSRF).
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

import msgspec

LASTS: Final = 12 * 3600.0
"""Seconds of a session: a shift."""

LOCAL: Final = "local"
"""The session of everybody where no token is configured."""


class Session(msgspec.Struct, frozen=True):
    """Somebody's session.

    Attributes:
        holder: the SHA-256 of the token, in hex; `LOCAL` where none is needed.
        until: Unix seconds.
    """

    holder: str
    until: float


class Seals:
    """Makes and reads cookies and the seals of forms."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def begin(self, digest: str, now: float) -> str:
        """The cookie of a new session of the holder of a token with this SHA-256."""
        body = f"{digest}.{int(now + LASTS)}"
        return f"{body}.{self._seal('session', body)}"

    def read(self, cookie: str, now: float) -> Session | None:
        """The session of a cookie; None where it is none of ours, or over."""
        body, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal("session", body).encode()):
            return None
        digest, _, until = body.partition(".")
        return Session(digest, float(until)) if now < float(until) else None

    def of_form(self, session: Session) -> str:
        """What a form of this session has to carry."""
        return self._seal("form", f"{session.holder}.{session.until}")

    def fits(self, session: Session, seal: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(seal.encode(), self.of_form(session).encode())

    def _seal(self, use: str, body: str) -> str:
        digest = hmac.digest(self._secret, f"{use}:{body}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
