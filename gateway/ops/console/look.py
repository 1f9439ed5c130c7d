"""What the pages show: for each, what is asked for and how it is put together for its template.

A page is named by its path. What is gathered depends on the address and on the role of who looks,
so that all who look at the same page are served one rendering.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from gateway.ops.admin.patience import Patience
from gateway.ops.console.fresh import KEPT, Fresh
from gateway.ops.console.listing import listing, most
from gateway.ops.operations import Caller, Operations, Queues
from gateway.ops.problems import ProblemError
from gateway.ops.roles import AUDITING, demand, sees_numbers
from gateway.ops.views import CampaignView, MessageView

T = TypeVar("T")

Query = Mapping[str, str]
Context = dict[str, Any]

HOURS: Final = 48
"""Hours of which campaigns are shown, unless others are asked for."""

PULSE: Final = 4.9
"""Seconds that the head of a page shows how all is: on the first page it is a second."""

MOST_HOURS: Final = 24 * 31

SENT: Final = 20
"""Tenants and categories of which is told what carriers have: the oldest."""

RECORDS: Final = 100
"""Records of the audit on a page."""


class Look:
    """Gathers what pages show."""

    def __init__(
        self, operations: Operations, patience: Patience, clock: Callable[[], float]
    ) -> None:
        self._operations = operations
        self._ask = patience.look
        self._clock = clock
        self._queues = Fresh(lambda: self._ask(operations.queues))
        self._overview = self._of_queues(operations.overview)
        self._pulse = self._of_queues(operations.overview, PULSE)
        self._carriers = Fresh(lambda: self._ask(operations.carriers))
        self._sent = Fresh(lambda: self._ask(operations.sent))
        self._tenants = self._of_queues(operations.tenants)
        self._consumers = Fresh(lambda: self._ask(operations.consumers))
        self._nodes = Fresh(lambda: self._ask(operations.nodes))
        self._pauses = self._of_queues(operations.pauses)
        self._reach = Fresh(lambda: self._ask(operations.reach))
        self._policy = Fresh(lambda: self._ask(operations.policy))
        self._system = Fresh(lambda: self._ask(operations.system))
        self._campaigns: dict[int, Fresh[Any]] = {}
        self._of: Mapping[str, Callable[[Query, Caller], Awaitable[Context]]] = {
            "/": self._now,
            "/carriers": self._carrier_list,
            "/queues": self._queue_list,
            "/tenants": self._tenant_list,
            "/policy": self._policy_page,
            "/system": self._system_page,
            "/campaigns": self._campaign_list,
            "/messages": self._message_list,
            "/optouts": self._optout_list,
            "/consumers": self._consumer_list,
            "/nodes": self._node_list,
            "/audit": self._audit,
            "/panels": self._nothing,
        }

    def _of_queues(self, ask: Callable[[Queues], Awaitable[T]], kept: float = KEPT) -> Fresh[T]:
        """What is made of the queues: these are asked for once for all pages."""

        async def answer() -> T:
            queues = await self._queues()
            return await self._ask(lambda: ask(queues))

        return Fresh(answer, kept)

    async def at(self, path: str, query: Query, caller: Caller) -> Context:
        """What the template of the page at ``path`` needs.

        Raises:
            ProblemError: it cannot be told, or not to this caller.
        """
        return {"now": self._clock(), **await self._of[path](query, caller)}

    async def pulse(self) -> Context:
        """Whether all is well, for the head of every page; None where nobody can tell."""
        try:
            return {"overview": await self._pulse()}
        except ProblemError:
            return {"overview": None}

    async def message(self, identifier: str, caller: Caller) -> Context:
        """One message and its life."""
        found = await self._ask(lambda: self._operations.message(identifier))
        return {"now": self._clock(), "message": self._shown(found, caller)}

    async def carrier(self, name: str) -> Context:
        """One carrier.

        Raises:
            ProblemError: there is none of this name.
        """
        for one in await self._carriers():
            if one.id == name:
                reach = {each.carrier: each for each in await self._reach()}
                return {"now": self._clock(), "one": one, "reach": reach.get(name)}
        raise ProblemError("not_found", f"no carrier is called {name!r}")

    async def _now(self, _query: Query, _caller: Caller) -> Context:
        overview = await self._overview()
        return {
            "overview": overview,
            "pauses": await self._pauses() if overview.pauses else (),
            "system": await self._system(),
        }

    async def _policy_page(self, _query: Query, _caller: Caller) -> Context:
        return {"policy": await self._policy()}

    async def _system_page(self, _query: Query, _caller: Caller) -> Context:
        return {"system": await self._system()}

    async def _carrier_list(self, query: Query, _caller: Caller) -> Context:
        states = ("down", "degraded", "up", "elsewhere")
        rows = listing(
            await self._carriers(),
            query,
            "/carriers",
            lambda one: " ".join((one.id, one.state, one.address, *one.routes)),
            {
                "state": lambda one: (states.index(one.state), most(one.waiting), one.id),
                "carrier": lambda one: one.id,
                "waiting": lambda one: (most(one.waiting), one.id),
                "window": lambda one: (most(one.in_use / one.window if one.window else 0), one.id),
                "silent": lambda one: (most(one.receipts_silent_seconds), one.id),
                "owed": lambda one: (most(one.receipts_owed), one.id),
            },
        )
        reach = {one.carrier: one for one in await self._reach()}
        return {"rows": rows, "reach": reach}

    async def _queue_list(self, query: Query, _caller: Caller) -> Context:
        rows = listing(
            await self._queues(),
            query,
            "/queues",
            lambda one: (
                f"{one.tenant} {one.category} {one.route} {one.campaign or ''} "
                f"{one.reason.replace('_', ' ')} {one.reason}"
            ),
            {
                "oldest": lambda one: (most(one.oldest_seconds), most(one.messages)),
                "messages": lambda one: most(one.messages),
                "tenant": lambda one: (one.tenant, one.category, one.route, one.campaign or ""),
                "reason": lambda one: (one.reason, most(one.messages)),
                "due": lambda one: (one.next_due is None, one.next_due or 0.0),
            },
        )
        sent = await self._sent()
        return {
            "rows": rows,
            "pauses": await self._pauses(),
            "sent": sent[:SENT],
            "more": max(0, len(sent) - SENT),
        }

    async def _tenant_list(self, query: Query, _caller: Caller) -> Context:
        rows = listing(
            await self._tenants(),
            query,
            "/tenants",
            lambda one: f"{one.id} {one.name}",
            {
                "oldest": lambda one: (most(one.oldest_seconds), most(one.queued), one.id),
                "tenant": lambda one: one.id,
                "queued": lambda one: (most(one.queued), one.id),
                "share": lambda one: (most(_share(one.queued, one.max_queued)), one.id),
                "lag": lambda one: (most(one.lag), one.id),
            },
        )
        return {"rows": rows}

    async def _campaign_list(self, query: Query, _caller: Caller) -> Context:
        asked = query.get("hours", "")
        hours = (
            min(max(1, int(asked)), MOST_HOURS) if asked.isascii() and asked.isdigit() else HOURS
        )
        if hours not in self._campaigns:
            if len(self._campaigns) > 8:
                self._campaigns.clear()
            self._campaigns[hours] = Fresh(
                lambda: self._ask(lambda: self._operations.campaigns(None, hours))
            )

        def newest(one: CampaignView) -> tuple[float, ...]:
            return (-one.last_hour, -one.waiting, -one.accepted)

        rows = listing(
            await self._campaigns[hours](),
            query,
            "/campaigns",
            lambda one: f"{one.tenant} {one.campaign}",
            {
                "newest": newest,
                "campaign": lambda one: (one.tenant, one.campaign),
                "waiting": lambda one: most(one.waiting),
                "accepted": lambda one: most(one.accepted),
                "optouts": lambda one: most(one.optouts),
            },
        )
        return {"rows": rows, "hours": hours}

    async def _message_list(self, query: Query, caller: Caller) -> Context:
        asked = query.get("q", "").strip()[:80]
        found: tuple[MessageView, ...] = ()
        following = None
        if asked:
            page = await self._ask(
                lambda: self._operations.messages(asked, query.get("after") or None)
            )
            found, following = page.messages, page.next
        return {
            "asked": asked,
            "messages": [self._shown(one, caller) for one in found],
            "next": following,
        }

    async def _optout_list(self, query: Query, caller: Caller) -> Context:
        tenant = query.get("tenant", "").strip() or None
        after = query.get("after", "")
        asked = "".join(query.get("q", "").split()).lstrip("+")
        if asked.isascii() and asked.isdigit():
            # The list goes on behind a number: begin just before the one that is looked for.
            after = str(int(asked) - 1).zfill(len(asked))
        found = await self._ask(lambda: self._operations.optouts(tenant, after))
        if asked:
            found = [one for one in found if one.number.startswith(asked)]
        return {
            "tenant": tenant,
            "asked": asked,
            "optouts": found if sees_numbers(caller) else [one.masked() for one in found],
            "next": found[-1].number if found and not asked and sees_numbers(caller) else None,
        }

    async def _consumer_list(self, query: Query, _caller: Caller) -> Context:
        rows = listing(
            await self._consumers(),
            query,
            "/consumers",
            lambda one: f"{one.tenant} {one.name}",
            {
                "lag": lambda one: (not one.missed, most(one.lag), one.tenant, one.name),
                "consumer": lambda one: (one.tenant, one.name),
                "seen": lambda one: one.seen_at,
            },
        )
        return {"rows": rows}

    async def _node_list(self, query: Query, _caller: Caller) -> Context:
        nodes = await self._nodes()
        rows = listing(
            nodes,
            query,
            "/nodes",
            lambda one: " ".join((one.name, one.config, one.version, *one.slots)),
            {
                "node": lambda one: one.number,
                "state": lambda one: (one.alive, not one.moved, one.number),
                "phones": lambda one: (most(one.phones), one.number),
                "behind": lambda one: (most(one.behind if one.alive else 0), one.number),
                "clock": lambda one: (most(abs(one.ahead)), one.number),
            },
        )
        used = Counter(one.config for one in nodes if one.alive and one.config)
        usual, _ = used.most_common(1)[0] if used else ("", 0)
        return {"rows": rows, "differing": used.keys() - {usual}}

    async def _audit(self, query: Query, caller: Caller) -> Context:
        demand(caller, AUDITING)
        before = query.get("before", "")
        number = int(before) if before.isascii() and before.isdigit() else None
        found = await self._ask(lambda: self._operations.audit(number, RECORDS))
        words = query.get("q", "").casefold().split()
        shown = [
            one
            for one in found
            if all(
                word in f"{one.who} {one.verb} {one.subject} {one.result}".casefold()
                for word in words
            )
        ]
        following = found[-1].id if len(found) == RECORDS else None
        return {
            "records": shown if sees_numbers(caller) else [one.masked() for one in shown],
            "next": following,
            "asked": query.get("q", ""),
        }

    async def _nothing(self, _query: Query, _caller: Caller) -> Context:
        return {}

    def _shown(self, message: MessageView, caller: Caller) -> MessageView:
        return message if sees_numbers(caller) else message.masked()


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
