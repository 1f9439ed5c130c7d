"""What dispatch must know of each tenant, and who owns which number."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.dispatch.intake.wording import Wording
from gateway.message import CATEGORIES, Category
from gateway.policy.chain import Policy
from gateway.policy.conversation import Conversation
from gateway.policy.replies import Texts
from gateway.smpp.tlv import Tlvs

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
        default_region: ISO 3166 alpha-2, whose numbers those without a country code are; None where
            each is to have one.
        max_consumers: with a cursor in its events.
        numbers: our numbers whose inbound messages go to this tenant.
        names: what recipients may call it.
        validity: seconds until expiry by category, see `VALIDITY`.
        confirmation: the answer to an opt-out; empty for none.
        welcome: the answer to who takes it back.
        still_out: the same where somebody else's opt-out holds.
        help: the answer to a call for help.
        replies: the rules by which other texts are answered; None where there are none.
        question: asks a phone to confirm its consent; empty where none is asked.
        tlvs: optional parameters of its messages, where these have no such ones themselves.
    """

    id: str
    token_sha256: tuple[bytes, ...] = ()
    category: Category = "marketing"
    categories: frozenset[Category] = frozenset(CATEGORIES)
    sender: str | None = None
    default_region: str | None = None
    max_consumers: int = MAX_CONSUMERS
    numbers: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    validity: Mapping[Category, float] = msgspec.field(default_factory=lambda: VALIDITY)
    confirmation: Texts = ""
    welcome: Texts = ""
    still_out: Texts = ""
    help: Texts = ""
    question: Texts = ""
    replies: Conversation | None = None
    tlvs: Tlvs = ()

    @property
    def name(self) -> str:
        """What recipients know it as."""
        return self.names[0] if self.names else self.id


class Tenant:
    """A tenant's options, its policy and what is made of its texts, replaced together when the
    configuration is reloaded."""

    def __init__(
        self, options: TenantOptions, policy: Policy, wording: Wording | None = None
    ) -> None:
        self.options = options
        self.policy = policy
        self.wording = wording


class Tenants:
    """The tenants there are now."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}
        self._owners: dict[str, str] = {}
        self._called: dict[str, list[tuple[Tenant, str]]] = {}
        self._shortest = 0
        self.tokens: dict[bytes, str] = {}

    def configure(self, tenants: Iterable[Tenant]) -> None:
        """Use these tenants from now on."""
        self._tenants = {tenant.options.id: tenant for tenant in tenants}
        self._owners = {
            number: tenant.options.id
            for tenant in self._tenants.values()
            for number in tenant.options.numbers
        }
        self._called = {}
        for tenant in self._tenants.values():
            for name in {name.casefold(): name for name in tenant.options.names}.values():
                self._called.setdefault(name.casefold(), []).append((tenant, name))
        self._shortest = min(map(len, self._owners), default=0)
        self.tokens = {
            token: tenant.options.id
            for tenant in self._tenants.values()
            for token in tenant.options.token_sha256
        }

    def get(self, tenant: str) -> Tenant | None:
        """The tenant, or None where a reload has removed it."""
        return self._tenants.get(tenant)

    def owner(self, spellings: Sequence[str]) -> tuple[Tenant, str] | None:
        """Whose number a phone has texted, in any of its spellings, and the one that it was.

        A number with digits behind it is its owner's too: Chinese carriers append them to tell
        what a text answers. The longest number that fits decides, among as long ones the first
        spelling.
        """
        best: tuple[int, str, str] | None = None
        for spelling in spellings:
            for size in range(len(spelling), max(self._shortest, best[0] if best else 1) - 1, -1):
                name = self._owners.get(spelling[:size])
                if name is not None and (best is None or size > best[0]):
                    best = size, name, spelling
                    break
        return None if best is None else (self._tenants[best[1]], best[2])

    def called(self, written: str) -> tuple[Tenant, str] | None:
        """The only tenant that goes by a name, and the name as it writes it; None where none does,
        or several do."""
        found = self._called.get(written.casefold(), [])
        return found[0] if len(found) == 1 else None
