"""Answers operators: `gateway.ops.operations.Operations`."""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.dispatch.core import Dispatch
from gateway.dispatch.operating import stuck
from gateway.dispatch.operating.ledgers import Audit
from gateway.dispatch.operating.sights import Sights
from gateway.dispatch.operating.traces import Traces, phone_of
from gateway.dispatch.operating.verbs import Verbs
from gateway.errors import StoreError
from gateway.numbers import spellings
from gateway.ops import roles
from gateway.ops.commands import Cancel, Command, Erase, Settle
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Caller, Configuration
from gateway.ops.problems import ProblemError
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
    QueueView,
    TenantView,
)
from gateway.queue.operators import OperatorStore

WELL: Final = "notice"
"""The worst that may be told of a gateway that is well."""


class Operator:
    """Looks, does, and keeps the audit."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: OperatorStore,
        configuration: Configuration,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._dispatch = dispatch
        self._configuration = configuration
        self._clock = clock
        self._sights = Sights(dispatch, store, metrics, clock)
        self._traces = Traces(dispatch, store, clock)
        self._verbs = Verbs(dispatch, store, self._sights, configuration, clock)
        self._audit = Audit(store, clock)

    async def overview(self) -> Overview:
        """Is it well, and if not, where."""
        now, running = self._clock(), self._configuration.running
        queues = await self._sights.queues()
        carriers = self._sights.carriers(queues)
        pauses = self._sights.pauses(queues)
        silent = self._sights.silent_for
        found = stuck.findings(
            running,
            silent=silent,
            failing=self._dispatch.failing,
            congested=self._dispatch.congested,
            carriers=carriers,
            queues=queues,
            tenants=self._sights.tenants(queues),
            consumers=() if silent else await self._sights.consumers(),
            pauses=pauses,
            now=now,
        )
        states = {"queued": 0, "deferred": 0, "sent": 0}
        for one in self._dispatch.ledger.counts():
            states[one.state] += one.messages
        ages = [one.oldest_seconds for one in queues if one.oldest_seconds is not None]
        return Overview(
            at=now,
            version=running.version,
            started_at=running.started_at,
            digest=running.digest,
            loaded_at=running.loaded_at,
            well=all(one.severity == WELL for one in found),
            findings=found,
            queued=states["queued"],
            deferred=states["deferred"],
            sent=states["sent"],
            oldest_seconds=max(ages, default=None),
            carriers=len(carriers),
            carriers_up=sum(1 for one in carriers if one.state != "down"),
            binds=sum(len(one.binds) for one in carriers),
            binds_up=sum(one.binds_up for one in carriers),
            pauses=len(pauses),
        )

    async def carriers(self) -> Sequence[CarrierView]:
        """All carriers."""
        return self._sights.carriers(await self._sights.queues())

    async def queues(self) -> Sequence[QueueView]:
        """What no carrier has."""
        return await self._sights.queues()

    async def tenants(self) -> Sequence[TenantView]:
        """All tenants."""
        return self._sights.tenants(await self._sights.queues())

    async def campaigns(self, tenant: str | None, hours: int) -> Sequence[CampaignView]:
        """What was counted of campaigns."""
        return await self._sights.campaigns(tenant, hours, await self._sights.queues())

    async def consumers(self) -> Sequence[ConsumerView]:
        """Who reads events."""
        return await self._sights.consumers()

    async def nodes(self) -> Sequence[NodeView]:
        """The nodes that share the store."""
        return await self._sights.nodes()

    async def message(self, identifier: str) -> MessageView:
        """One message."""
        return await self._traces.message(identifier)

    async def messages(self, number: str, after: str | None) -> MessagePage:
        """The messages to a phone."""
        return await self._traces.messages(number, after)

    async def person(self, number: str) -> PersonView:
        """What is on record of a phone."""
        return await self._traces.person(number)

    async def optouts(self, tenant: str | None, after: str) -> Sequence[OptoutView]:
        """Opt-outs."""
        return await self._traces.optouts(tenant, after)

    async def pauses(self) -> Sequence[PauseView]:
        """All that is paused."""
        return self._sights.pauses(await self._sights.queues())

    async def diff(self) -> Diff:
        """What a reload would change."""
        return await self._configuration.diff()

    async def audit(self, before: int | None, limit: int) -> Sequence[AuditRecord]:
        """What was changed."""
        return await self._audit.read(before, limit)

    async def do(self, command: Command, caller: Caller) -> Done:
        """Have something done. One that only asks how many it would be leaves no record."""
        roles.check(caller, command)
        if (isinstance(command, Cancel | Settle) and command.confirm is None) or (
            isinstance(command, Erase) and command.again is None
        ):
            return await self._verbs.do(command, caller)
        record = await self._audit.begin(command, caller)
        try:
            done = await self._verbs.do(command, caller)
        except (ProblemError, StoreError) as error:
            await self._audit.refused(record, error)
            raise
        if isinstance(command, Erase) and command.tenant is None:
            await self._audit.erase(spellings(phone_of(command.number)))
        await self._audit.done(record, done)
        return done
