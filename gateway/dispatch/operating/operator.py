"""Answers operators: `gateway.ops.operations.Operations`."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gateway.dispatch.core import Dispatch
from gateway.dispatch.operating import ruling, stuck
from gateway.dispatch.operating.ledgers import Audit
from gateway.dispatch.operating.looming import looming
from gateway.dispatch.operating.sights import Sights
from gateway.dispatch.operating.system import System
from gateway.dispatch.operating.traces import Traces, phone_of
from gateway.dispatch.operating.verbs import Verbs
from gateway.dispatch.operating.week import Week
from gateway.errors import StoreError
from gateway.numbers import spellings
from gateway.ops import roles
from gateway.ops.commands import Cancel, Command, Erase, Settle
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Caller, Configuration, Queues
from gateway.ops.problems import ProblemError
from gateway.ops.views import (
    AuditRecord,
    CampaignView,
    CarrierView,
    ConsumerView,
    Diff,
    Done,
    Finding,
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
from gateway.queue.operators import OperatorStore

WELL: Final = "notice"
"""The worst that may be told of a gateway that is well."""


LOOMS: Final = 5.0
"""Seconds for which what looms is not looked at anew."""


class Operator:
    """Looks, does, and keeps the audit."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: OperatorStore,
        configuration: Configuration,
        metrics: Metrics,
        clock: Callable[[], float],
        full_in: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._dispatch = dispatch
        self._metrics = metrics
        self._configuration = configuration
        self._clock = clock
        self._sights = Sights(dispatch, store, metrics, clock)
        self._traces = Traces(dispatch, store, clock)
        self._verbs = Verbs(dispatch, store, self._sights, configuration, clock)
        self._audit = Audit(store, clock)
        self._week = Week(store, clock)
        self._system = System(dispatch, metrics, full_in, clock)
        self._loomed_at = -math.inf
        self._looming: Sequence[Finding] = ()

    async def overview(self, queues: Queues = None) -> Overview:
        """Is it well, and if not, where."""
        queues = await self._seen(queues)
        now, running = self._clock(), self._configuration.running
        carriers = self._sights.carriers(await self._sights.by_route())
        pauses = self._sights.pauses(queues)
        silent = self._sights.silent_for
        found = stuck.findings(
            running,
            silent=silent,
            failing=self._dispatch.failing,
            congested=self._dispatch.congested,
            carriers=carriers,
            queues=queues,
            bound=self._dispatch.scheduler.dry,
            consumers=() if silent else await self._sights.consumers(),
            pauses=pauses,
            looming=await self._loom(queues, carriers),
            now=now,
        )
        states = {"queued": 0, "deferred": 0, "sent": 0}
        for one in self._dispatch.ledger.counts():
            states[one.state] += one.messages
        ages = [one.oldest_seconds for one in queues if one.oldest_seconds is not None]
        sent = self._sights.sent()
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
            unanswered_seconds=_most(one.unanswered_seconds for one in sent),
            receipt_seconds=_most(one.receipt_seconds for one in sent),
            carriers=len(carriers),
            carriers_up=sum(1 for one in carriers if one.state != "down"),
            binds=sum(len(one.binds) for one in carriers),
            binds_up=sum(one.binds_up for one in carriers),
            pauses=len(pauses),
        )

    async def _seen(self, queues: Queues) -> Sequence[QueueView]:
        return await self._sights.queues() if queues is None else queues

    async def _loom(
        self,
        queues: Sequence[QueueView],
        carriers: Sequence[CarrierView],
    ) -> Sequence[Finding]:
        """What no message waits for yet, as of some seconds ago."""
        if time.monotonic() >= self._loomed_at + LOOMS:
            if not self._sights.silent_for:
                await self._week.look()
            self._looming = [
                *looming(
                    system=self._system.view(self._configuration.running, silent=False),
                    policy=ruling.policy(self._dispatch, self._metrics, self._week, queues),
                    reach=self._reach(),
                    carriers=carriers,
                    tenants=self._sights.tenants(queues),
                    now=self._clock(),
                )
            ]
            self._loomed_at = time.monotonic()
        return self._looming

    async def carriers(self) -> Sequence[CarrierView]:
        """All carriers."""
        await self._sights.owed.look([one.options.id for one in self._dispatch.fleet.carriers])
        return self._sights.carriers(await self._sights.by_route())

    async def reach(self) -> Sequence[ReachView]:
        """What carriers reach."""
        await self._week.look()
        return self._reach()

    def _reach(self) -> Sequence[ReachView]:
        return [self._week.reach(one.options.id) for one in self._dispatch.fleet.carriers]

    async def policy(self) -> PolicyView:
        """What the rules hold back and refuse."""
        await self._week.look()
        queues = await self._sights.queues()
        return ruling.policy(self._dispatch, self._metrics, self._week, queues)

    async def system(self) -> SystemView:
        """The process and what it needs; told while the store is silent too."""
        silent = self._sights.silent_for >= stuck.QUIET
        return self._system.view(self._configuration.running, silent=silent)

    async def queues(self) -> Sequence[QueueView]:
        """What no carrier has."""
        return await self._sights.queues()

    async def sent(self) -> Sequence[SentView]:
        """What carriers have."""
        return self._sights.sent()

    async def tenants(self, queues: Queues = None) -> Sequence[TenantView]:
        """All tenants."""
        return self._sights.tenants(await self._seen(queues))

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

    async def pauses(self, queues: Queues = None) -> Sequence[PauseView]:
        """All that is paused."""
        return self._sights.pauses(await self._seen(queues))

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


def _most(seconds: Iterable[float | None]) -> float | None:
    """The largest that there is."""
    return max((one for one in seconds if one is not None), default=None)
