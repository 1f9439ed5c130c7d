"""What the admin API has: every path with what it takes and gives, once, for the server and for the
OpenAPI document."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, TypeVar, get_args

import msgspec
from msgspec import Meta

from gateway.ops import commands, views
from gateway.ops.commands import Command
from gateway.ops.operations import Operations, Role
from gateway.ops.roles import AUDITING, MAY_DO, PERSONAL

ALL: Final[frozenset[Role]] = frozenset(get_args(Role))

Q = TypeVar("Q", bound="Query")


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand behind the ``?`` of a path. ``format`` is how a list is given."""

    format: Literal["json", "csv"] = "json"


class CampaignsQuery(Query, frozen=True):
    """``tenant``: whose; ``hours``: how far back."""

    tenant: str | None = None
    hours: Annotated[int, Meta(ge=1, le=400 * 24)] = 7 * 24


class MessagesQuery(Query, frozen=True):
    """``to``: the phone's number; ``after``: the ``next`` of the page before."""

    to: Annotated[str, Meta(min_length=4, max_length=24)]
    after: Annotated[str, Meta(max_length=64)] | None = None


class PersonQuery(Query, frozen=True):
    """``number``: the phone's."""

    number: Annotated[str, Meta(min_length=4, max_length=24)]


class OptoutsQuery(Query, frozen=True):
    """``tenant``: whose, or everybody's; ``after``: the last number of the page before."""

    tenant: str | None = None
    after: Annotated[str, Meta(max_length=24)] = ""


class AuditQuery(Query, frozen=True):
    """``before``: the last id of the page before."""

    before: Annotated[int, Meta(ge=1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Look(NamedTuple, Generic[Q]):
    """Something to look at.

    Attributes:
        path: below ``/api/v1``; ``{id}`` is given to ``ask`` as its third argument.
        answer: of one, or of each in a list (``many``).
        roles: who may.
        query: what may be asked.
        ask: gets it.
        rest: with what the rest of a list is asked for, None where there is none.
        cursor: the field of the query in which that goes; empty for a list that comes whole.
    """

    path: str
    summary: str
    answer: type[views.View]
    many: bool
    roles: frozenset[Role]
    query: type[Q]
    ask: Callable[[Operations, Q, str], Awaitable[Any]]
    rest: Callable[[Q, Any], str | None] = lambda _, __: None
    cursor: str = ""


class Verb(NamedTuple):
    """Something to have done, by POST."""

    path: str
    summary: str
    command: type[Command]

    @property
    def roles(self) -> frozenset[Role]:
        """Who may."""
        return MAY_DO[self.command]


LOOKS: Final[Sequence[Look[Any]]] = (
    Look(
        "/overview",
        "Is it well, and if not: what is stuck, where, why, and what to do.",
        views.Overview,
        False,
        ALL,
        Query,
        lambda operations, _, __: operations.overview(),
    ),
    Look(
        "/carriers",
        "Carriers with their binds.",
        views.CarrierView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.carriers(),
    ),
    Look(
        "/reach",
        "How many of what each carrier has taken it delivers, by the hour, beside its median.",
        views.ReachView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.reach(),
    ),
    Look(
        "/policy",
        "What rules hold back and refuse, opt-outs, and texts that found no owner.",
        views.PolicyView,
        False,
        ALL,
        Query,
        lambda operations, _, __: operations.policy(),
    ),
    Look(
        "/system",
        "Store, disk, memory, event loop, what expires, and the configuration in force.",
        views.SystemView,
        False,
        ALL,
        Query,
        lambda operations, _, __: operations.system(),
    ),
    Look(
        "/queues",
        "What no carrier has yet, by tenant, category, route and campaign, the oldest first.",
        views.QueueView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.queues(),
    ),
    Look(
        "/sent",
        "What carriers have, by tenant and category: the oldest without an answer, or a receipt.",
        views.SentView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.sent(),
    ),
    Look(
        "/tenants",
        "Tenants, with what of theirs waits.",
        views.TenantView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.tenants(),
    ),
    Look(
        "/campaigns",
        "What was counted of campaigns.",
        views.CampaignView,
        True,
        ALL,
        CampaignsQuery,
        lambda operations, query, _: operations.campaigns(query.tenant, query.hours),
    ),
    Look(
        "/consumers",
        "Who reads events, and how far it is.",
        views.ConsumerView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.consumers(),
    ),
    Look(
        "/nodes",
        "The nodes that share the database, and what each has of the work.",
        views.NodeView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.nodes(),
    ),
    Look(
        "/messages/{id}",
        "One message, with what has happened to it.",
        views.MessageView,
        False,
        ALL,
        Query,
        lambda operations, _, identifier: operations.message(identifier),
    ),
    Look(
        "/messages",
        "The messages to a phone, the newest first.",
        views.MessageView,
        True,
        PERSONAL,
        MessagesQuery,
        lambda operations, query, _: operations.messages(query.to, query.after),
        lambda _, page: page.next,
        "after",
    ),
    Look(
        "/person",
        "The opt-outs and consents on record of a phone, of every tenant.",
        views.PersonView,
        False,
        PERSONAL,
        PersonQuery,
        lambda operations, query, _: operations.person(query.number),
    ),
    Look(
        "/optouts",
        "Opt-outs of a tenant's texts, or of everybody's, in order of their numbers.",
        views.OptoutView,
        True,
        PERSONAL,
        OptoutsQuery,
        lambda operations, query, _: operations.optouts(query.tenant, query.after),
        lambda _, found: found[-1].number if found else None,
        "after",
    ),
    Look(
        "/pauses",
        "All that is paused, by whom, since and until when.",
        views.PauseView,
        True,
        ALL,
        Query,
        lambda operations, _, __: operations.pauses(),
    ),
    Look(
        "/diff",
        "What a reload of the configuration would change.",
        views.Diff,
        False,
        ALL,
        Query,
        lambda operations, _, __: operations.diff(),
    ),
    Look(
        "/audit",
        "Who changed what, the newest first.",
        views.AuditRecord,
        True,
        AUDITING,
        AuditQuery,
        lambda operations, query, _: operations.audit(query.before, query.limit),
        lambda query, found: str(found[-1].id) if len(found) == query.limit else None,
        "before",
    ),
)

VERBS: Final[Sequence[Verb]] = (
    Verb("/pause", "Send nothing more of a carrier, route, tenant, category or campaign.",
         commands.Pause),
    Verb("/resume", "Go on with what was paused.", commands.Resume),
    Verb("/drain", "End a bind in order, and leave it ended.", commands.Drain),
    Verb("/rebind", "Make a bind anew.", commands.Rebind),
    Verb("/move", "Have a node give its phones and binds to the others.", commands.Move),
    Verb("/move/back", "Have a node take its part again.", commands.MoveBack),
    Verb("/rate", "Send a carrier no faster than this, for a time.", commands.SetRate),
    Verb("/rate/unset", "Let a carrier go by its own rate again.", commands.UnsetRate),
    Verb("/cancel", "Cancel what no carrier has yet: told how many first, then done.",
         commands.Cancel),
    Verb("/settle", "Expire or requeue what a carrier owes: told how many first, then done.",
         commands.Settle),
    Verb("/disconnect", "End the connections of a consumer.", commands.Disconnect),
    Verb("/optout", "Add an opt-out, or take it back.", commands.ChangeOptout),
    Verb("/erase", "Erase all that is known of a phone but its opt-outs.", commands.Erase),
    Verb("/test", "Send a test message.", commands.SendTest),
    Verb("/reload", "Read the configuration anew.", commands.Reload),
)  # fmt: skip
