"""What all connections of one API server have in common: who may connect, who uses how much, and
what was counted."""

from collections import Counter
from hashlib import sha256
from hmac import compare_digest
from typing import Final, Literal

import structlog
import trio
from msgspec import Struct, field

from gateway.api.backend import Backend
from gateway.api.options import ServerOptions
from gateway.api.turnstile import Turnstile

logger = structlog.get_logger(__name__)

Reason = Literal[
    "no_hello", "unauthenticated", "too_many", "tls", "frame_too_large", "idle", "slow_reader",
    "stalled", "error", "disconnected",
]  # fmt: skip
"""Why the server ended a connection."""

_LINES: Final = 20
"""Log lines about connections at once; after that, one a second, and the others are counted. A
client that connects in a loop does not fill the disk."""


class ServerStats(Struct):
    """What the server has counted since it started; read it whenever you like.

    Attributes:
        connections: open now.
        accepted: connections ever taken in.
        in_flight: requests not answered yet.
        requests: by op, those that could be decoded.
        errors: refused requests, by code.
        closed: connections that the server ended.
        events: sent to consumers.
    """

    connections: int = 0
    accepted: int = 0
    in_flight: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    closed: Counter[Reason] = field(default_factory=Counter)
    events: int = 0


SMALL: Final = 64 * 1024
"""Bytes of a frame that is *small*: what comes in one read, and is in memory before its length is
known. A larger one has room before the rest of it is read, so that it can always be completed."""


UNREAD: Final = 8
"""How many times the bytes that a tenant may send it may leave unread. A reply to a full frame of
messages is half of that frame, so that only other ops come to so much: what is known of 10,000
messages is 20 MB and more."""

FEW: Final = 1024 * 1024
"""Bytes of replies that any connection may leave unread, whatever others do."""


class Tenant:
    """What one tenant's connections use together.

    Attributes:
        connections: how many there are.
        unread: bytes that wait to be taken by them.
        small: what their small frames pass that are not answered yet.
        large: what the others pass, before they are read. A quarter of what the tenant may hold is
            kept from them, for the small ones: those that are read slowly hold up no one-time
            password.
    """

    def __init__(self, name: str, max_bytes: int) -> None:
        self.name = name
        self.connections = 0
        self.unread = 0
        self._max_unread = UNREAD * max_bytes
        self.small = Turnstile(max_bytes // 4)
        self.large = Turnstile(max_bytes - max_bytes // 4)

    def wait(self, more: int) -> None:
        """So many bytes more wait to be taken, or fewer."""
        self.unread += more

    def is_unread(self, waiting: int) -> bool:
        """Whether a connection for which so much waits is to read before it asks for more."""
        return waiting > FEW and self.unread > self._max_unread


class Shared:
    """One server's backend, limits and books.

    Attributes:
        requests: the nursery that requests are carried out in. They outlive their connection: what
            was asked is made durable whole, though the one who asked has gone.
        draining: no new work is taken.
        progress: unparked whenever requests have been answered.
    """

    requests: trio.Nursery

    def __init__(self, backend: Backend, options: ServerOptions) -> None:
        self.backend = backend
        self.options = options
        self.stats = ServerStats()
        self.draining = False
        self.progress = trio.lowlevel.ParkingLot()
        self._tenants: dict[str, Tenant] = {}
        self._lines = float(_LINES)
        self._counted_at = 0.0
        self._left_out = 0

    def authenticate(self, token: str) -> tuple[bytes, str] | None:
        """The hash of a token and its tenant, or None where it is not valid. Every hash is
        compared, each in constant time."""
        digest = sha256(token.encode()).digest()
        found = None
        for known, tenant in self.backend.tokens().items():
            if compare_digest(known, digest):
                found = digest, tenant
        return found

    def enter(self, name: str) -> Tenant | None:
        """Count a connection in; None where the tenant has as many as it may. To be followed by
        `leave`."""
        tenant = self._tenants.setdefault(name, Tenant(name, self.options.max_tenant_bytes))
        if tenant.connections >= self.options.max_tenant_connections:
            return None
        tenant.connections += 1
        return tenant

    def leave(self, tenant: Tenant) -> None:
        """Count a connection out. What is known of the tenant stays: requests of connections that
        are gone may still be in flight."""
        tenant.connections -= 1

    def ended(self, reason: Reason, peer: str) -> None:
        """Count a connection that the server ends."""
        self.stats.closed[reason] += 1
        self.log("connection_ended", reason=reason, peer=peer)

    def log(self, event: str, **fields: str | None) -> None:
        """Log something about a connection, unless there was too much of it of late."""
        now = trio.current_time()
        self._lines = min(_LINES, self._lines + now - self._counted_at)
        self._counted_at = now
        if self._lines < 1:
            self._left_out += 1
            return
        self._lines -= 1
        logger.info(event, **fields, left_out=self._left_out)
        self._left_out = 0
