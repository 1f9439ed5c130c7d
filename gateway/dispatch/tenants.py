"""What dispatch must know of each tenant, and who owns which number."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.message import CATEGORIES, Category
from gateway.policy.chain import Policy

VALIDITY: Mapping[Category, float] = {
    "otp": 600.0,
    "transactional": 48 * 3600.0,
    "marketing": 48 * 3600.0,
}
"""Seconds from acceptance (or ``send_at``) until a message expires that does not say when. Only
those count in which it could be sent."""

MAX_CONSUMERS: Final = 100
"""Consumers of a tenant: each is a row that is looked at every few seconds."""


class TenantOptions(msgspec.Struct, frozen=True):
    """A tenant, as dispatch sees it; rate and weight are the scheduler's.

    Attributes:
        id: names the tenant everywhere.
        token_sha256: the SHA-256 of each valid token.
        category: for messages that name none.
        categories: those that it may use.
        sender: for messages that name none; None where each must.
        max_consumers: with a cursor in its events.
        numbers: our numbers whose inbound messages go to this tenant.
        names: what recipients may call it.
        validity: seconds until expiry by category, see `VALIDITY`.
        confirmation: the reply to an opt-out; empty for none.
        help: the reply to a call for help; empty for none.
    """

    id: str
    token_sha256: tuple[bytes, ...] = ()
    category: Category = "marketing"
    categories: frozenset[Category] = frozenset(CATEGORIES)
    sender: str | None = None
    max_consumers: int = MAX_CONSUMERS
    numbers: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    validity: Mapping[Category, float] = msgspec.field(default_factory=lambda: VALIDITY)
    confirmation: str = ""
    help: str = ""


class Tenant:
    """A tenant's options and policy, replaced together when the configuration is reloaded."""

    def __init__(self, options: TenantOptions, policy: Policy) -> None:
        self.options = options
        self.policy = policy


class Tenants:
    """The tenants there are now."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}
        self._owners: dict[str, str] = {}
        self.tokens: dict[bytes, str] = {}

    def configure(self, tenants: Iterable[Tenant]) -> None:
        """Use these tenants from now on."""
        self._tenants = {tenant.options.id: tenant for tenant in tenants}
        self._owners = {
            number: tenant.options.id
            for tenant in self._tenants.values()
            for number in tenant.options.numbers
        }
        self.tokens = {
            token: tenant.options.id
            for tenant in self._tenants.values()
            for token in tenant.options.token_sha256
        }

    def get(self, tenant: str) -> Tenant | None:
        """The tenant, or None where a reload has removed it."""
        return self._tenants.get(tenant)

    def owner(self, number: str) -> Tenant | None:
        """Whose number this is."""
        return self._tenants.get(self._owners.get(number, ""))
