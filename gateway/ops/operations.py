"""What the admin side asks of the layer above: to look, and to have things done.

Whatever reads or steers for an operator, the admin API, the console or the command line, goes
through here: the same answers, the same rules. The layer above does it
(`gateway.dispatch.operating`), `gateway.app` brings both together.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from gateway.ops.commands import Command
from gateway.ops.views import (
    AuditRecord,
    CampaignView,
    CarrierView,
    ConsumerView,
    Diff,
    Done,
    MessagePage,
    MessageView,
    NodeView,
    OptoutView,
    Overview,
    PauseView,
    PersonView,
    PolicyView,
    QueueView,
    ReachView,
    SentView,
    SystemView,
    TenantView,
)

Role = Literal["viewer", "operator", "compliance", "admin"]


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the name and the role of the token, and the address that it came from."""

    name: str
    role: Role
    client: str


class Running(msgspec.Struct, frozen=True):
    """What runs.

    Attributes:
        version: of the gateway, which started at ``started_at``.
        digest: of the configuration in force, loaded at ``loaded_at``.
        refused: the last attempt to replace it, at ``tried_at``, was refused.
        waiting: some of it holds from the next start on.
    """

    version: str
    started_at: float
    digest: str
    loaded_at: float
    refused: bool
    waiting: bool
    tried_at: float | None = None


class Configuration(Protocol):
    """What only the top knows: it reads the file."""

    @property
    def running(self) -> Running:
        """What runs now."""

    async def diff(self) -> Diff:
        """What a reload would change."""

    async def reload(self) -> Diff:
        """Read it anew; returns what changed, or the mistakes for which it was refused."""


Queues = Sequence[QueueView] | None
"""What no carrier has yet, where the caller knows it already from a moment ago: it is what is dear
to find out. None has it looked up."""


class Operations(Protocol):
    """Raises `gateway.ops.problems.ProblemError` where something is not there or not done."""

    async def overview(self, queues: Queues = None) -> Overview:
        """Is it well, and if not, where."""

    async def carriers(self) -> Sequence[CarrierView]:
        """All carriers with their binds, as configured."""

    async def reach(self) -> Sequence[ReachView]:
        """What carriers reach, by the hour."""

    async def policy(self) -> PolicyView:
        """What the rules hold back and refuse."""

    async def system(self) -> SystemView:
        """The process and what it needs."""

    async def queues(self) -> Sequence[QueueView]:
        """What no carrier has yet, the oldest first."""

    async def sent(self) -> Sequence[SentView]:
        """What carriers have, the oldest first."""

    async def tenants(self, queues: Queues = None) -> Sequence[TenantView]:
        """All tenants."""

    async def campaigns(self, tenant: str | None, hours: int) -> Sequence[CampaignView]:
        """What was counted in the last hours, by campaign, the newest first."""

    async def consumers(self) -> Sequence[ConsumerView]:
        """Who reads events."""

    async def nodes(self) -> Sequence[NodeView]:
        """The nodes that share the store, by number."""

    async def message(self, identifier: str) -> MessageView:
        """One message, by its id."""

    async def messages(self, number: str, after: str | None) -> MessagePage:
        """The messages to a phone, the newest first; ``after`` is the ``next`` of the last page."""

    async def person(self, number: str) -> PersonView:
        """What is on record of a phone, beside its messages."""

    async def optouts(self, tenant: str | None, after: str) -> Sequence[OptoutView]:
        """The next opt-outs of a tenant, or of everybody, behind a number."""

    async def pauses(self, queues: Queues = None) -> Sequence[PauseView]:
        """All that is paused."""

    async def diff(self) -> Diff:
        """What a reload would change."""

    async def audit(self, before: int | None, limit: int) -> Sequence[AuditRecord]:
        """What was changed, the newest first; ``before`` is the id of the last one seen."""

    async def do(self, command: Command, caller: Caller) -> Done:
        """Have something done, with a record in the audit, whatever comes of it."""
