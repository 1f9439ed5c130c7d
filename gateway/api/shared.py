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

logger = structlog.get_logger(__name__)

Reason = Literal[
    "no_hello", "unauthenticated", "too_many", "tls", "frame_too_large", "idle", "slow_reader",
    "error",
]  # fmt: skip
"""Why the server ended a connection."""

_LOG_EVERY: Final = 1.0
"""Seconds between log lines about connections that were ended; those between are counted."""


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


class Tenant:
    """What one tenant's connections use together: how many there are, and the bytes of requests
    that are not answered yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0
        self.bytes = 0


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
        self._log_after = -float("inf")
        self._unlogged: Counter[Reason] = Counter()

    def authenticate(self, token: str) -> str | None:
        """The tenant of a token. Every hash is compared, each in constant time."""
        digest = sha256(token.encode()).digest()
        found = None
        for known, tenant in self.backend.tokens().items():
            if compare_digest(known, digest):
                found = tenant
        return found

    def enter(self, name: str) -> Tenant | None:
        """Count a connection in; None where the tenant has as many as it may. To be followed by
        `leave`."""
        tenant = self._tenants.setdefault(name, Tenant(name))
        if tenant.connections >= self.options.max_tenant_connections:
            return None
        tenant.connections += 1
        return tenant

    def leave(self, tenant: Tenant) -> None:
        tenant.connections -= 1
        if not tenant.connections:
            del self._tenants[tenant.name]

    def ended(self, reason: Reason, peer: str) -> None:
        """Count a connection that the server ends, and log a few of them."""
        self.stats.closed[reason] += 1
        self._unlogged[reason] += 1
        if trio.current_time() >= self._log_after:
            self._log_after = trio.current_time() + _LOG_EVERY
            logger.warning("ended connections", last_peer=peer, counts=dict(self._unlogged))
            self._unlogged.clear()
