"""What messages wait for and the configuration does not have: tenants and routes.

A reload, or a start, with a line too few is a mistake more often than it is meant. So the messages
of a tenant that is not there any more are held, and those of a route where no other one takes them,
for `HOLD` from when that was noticed; they age meanwhile, and go on where the line comes back.
After that they end. Since when is kept in the store, over restarts.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec
import structlog

from gateway.dispatch.ledger import Ledger
from gateway.message import LaneKey

HOLD: Final = 24 * 3600.0
"""Seconds for which messages wait for a tenant or a route to come back."""

LOOK: Final = 600.0
"""Seconds after which a message that no route takes is tried again."""

MEMO: Final = "absent"

log = structlog.get_logger(__name__)


class _Since(msgspec.Struct):
    """When tenants and routes were first missed."""

    tenants: dict[str, float] = {}
    routes: dict[str, float] = {}


class Absent:
    """The tenants and routes that are missed.

    Args:
        ledger: tells whose messages wait.
        clock: Unix time.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._tenants: Collection[str] | None = None
        self._since = _Since()
        self._kept = b""

    def recall(self, memo: bytes) -> None:
        """Go on with what was kept."""
        self._since = msgspec.msgpack.decode(memo, type=_Since)
        self._kept = memo

    def memo(self) -> bytes | None:
        """What is to be kept; None where nothing is new."""
        memo = msgspec.msgpack.encode(self._since)
        if memo == (self._kept or msgspec.msgpack.encode(_Since())):
            return None
        self._kept = memo
        return memo

    def configure(self, tenants: Collection[str], routes: Collection[str]) -> None:
        """These are there from now on."""
        self._tenants = frozenset(tenants)
        for name in self._since.tenants.keys() & self._tenants:
            del self._since.tenants[name]
            log.info("tenant_back", tenant=name)
        for name in self._since.routes.keys() & set(routes):
            del self._since.routes[name]
            log.info("route_back", route=name)
        self.look()

    def look(self) -> None:
        """Note whose messages wait for a tenant that is not there. To be called now and then: some
        may just have been on their way."""
        if self._tenants is None:
            return
        waiting: dict[str, int] = {}
        for tenant, _, state, messages in self._ledger.counts():
            if messages > 0 and state != "sent" and tenant not in self._tenants:
                waiting[tenant] = waiting.get(tenant, 0) + messages
        for tenant, messages in waiting.items():
            if tenant not in self._since.tenants:
                self._since.tenants[tenant] = self._clock()
                log.warning("tenant_missing", tenant=tenant, messages=messages, held_seconds=HOLD)
        for tenant in self._since.tenants.keys() - waiting.keys():
            del self._since.tenants[tenant]

    def holds(self, key: LaneKey) -> bool:
        """Whether a queue waits for its tenant."""
        if self._tenants is None or key.tenant in self._tenants:
            return False
        now = self._clock()
        return now < self._since.tenants.get(key.tenant, now) + HOLD

    def holds_route(self, route: str) -> bool:
        """Whether the messages of a route that is not there, and that no other one takes, wait for
        it. It is missed from the first time on that this is asked."""
        now = self._clock()
        if route not in self._since.routes:
            self._since.routes[route] = now
            log.warning("route_missing", route=route, held_seconds=HOLD)
        return now < self._since.routes[route] + HOLD
