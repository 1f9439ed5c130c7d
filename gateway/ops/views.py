"""What operators are shown, as types: one read model for the admin API, the console and the command
line. Made by whoever knows (`gateway.ops.operations.Operations`); nothing here asks or decides.

Times are Unix seconds, spans seconds. Numbers of phones are whole here: whoever answers somebody
masks them for those who may not see them (``masked``).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from gateway.message import Category, masked

Severity = Literal["critical", "warning", "notice"]
"""Somebody is to look now; somebody is to look today; it is as somebody wants it, and good to know.
"""

Reason = Literal[
    "store_congested",
    "tenant_missing",
    "paused",
    "no_bind",
    "tenant_rate",
    "window_full",
    "carrier_rate",
    "none",
]
"""What messages wait for, the first that holds; ``none`` where they go at once."""

OWED: Final = 100_000
"""Messages that a carrier owes receipts for, after which they are not counted on."""

Scope = Literal["carrier", "route", "tenant", "category", "campaign"]
"""What can be paused."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is shown."""


class Target(msgspec.Struct, frozen=True):
    """Names something that can be paused.

    Attributes:
        scope: what it is.
        name: its name.
        tenant: whose campaign it is; None for all else.
    """

    scope: Scope
    name: str
    tenant: str | None = None

    def __str__(self) -> str:
        of = f" of {self.tenant}" if self.tenant else ""
        return f"{self.scope} {self.name}{of}"


class PauseView(View, frozen=True):
    """A pause that holds.

    Attributes:
        by: who said so; a tenant's own name where its program did.
        until: when it ends by itself; None where somebody has to resume it.
        held: messages that wait because of it, as of a few seconds ago.
    """

    target: Target
    by: str
    at: float
    until: float | None
    why: str
    held: int

    @property
    def own(self) -> bool:
        """Whether the tenant has said so, which alone lifts it."""
        return self.by.startswith("tenant ")


class Finding(View, frozen=True):
    """Something that is worth a sentence: what is stuck, where, why, and what to do.

    Attributes:
        kind: a word that stays the same, to recognise it by.
        subject: of what it is told, such as ``carrier alpha``.
        what: the sentence, such as "0 of 2 binds are up since 4 min".
        messages: that wait because of it, and for how long the oldest has.
        safe: what need not be feared.
        do: what to do.
        verb: the path below ``/api/v1`` of a verb that may be the answer, None for none.
        runbook: the heading in ``docs/runbooks.md``, None for none.
    """

    kind: str
    severity: Severity
    subject: str
    what: str
    messages: int
    oldest_seconds: float | None
    safe: str
    do: str
    verb: str | None = None
    runbook: str | None = None


class Overview(View, frozen=True):
    """Is it well, and if not, where. ``findings`` come with the worst first.

    Attributes:
        queued, deferred, sent: messages without an outcome: due, due later, with a carrier.
        oldest_seconds: for how long the oldest that is due has not been sent.
        unanswered_seconds, receipt_seconds: for how long the oldest is with a carrier that has not
            answered, and the oldest with one that has taken it and owes its receipt.
        digest: of the configuration in force, loaded at ``loaded_at``.
    """

    at: float
    version: str
    started_at: float
    digest: str
    loaded_at: float
    well: bool
    findings: tuple[Finding, ...]
    queued: int
    deferred: int
    sent: int
    oldest_seconds: float | None
    unanswered_seconds: float | None
    receipt_seconds: float | None
    carriers: int
    carriers_up: int
    binds: int
    binds_up: int
    pauses: int


BindState = Literal["bound", "down", "connecting", "draining", "drained"]


class BindView(View, frozen=True):
    """One session of a carrier.

    Attributes:
        since: when it came to be in its ``state``; None where that was before anybody looked.
        error: why its last attempt or session ended, at ``error_at``.
        peer: what the carrier calls itself.
    """

    name: str
    carrier: str
    mode: str
    state: BindState
    since: float | None
    error: str | None
    error_at: float | None
    window: int
    in_use: int
    peer: str


class SpreadView(View, frozen=True):
    """How long something took: how often it was, the middle of all, and what 90 and 99 of 100
    were below of."""

    count: int
    median: float
    p90: float
    p99: float


class RateView(View, frozen=True):
    """A rate that somebody has set for a time."""

    rate: float
    by: str
    at: float
    until: float


class CarrierView(View, frozen=True):
    """An account at a carrier.

    Attributes:
        state: ``down`` where no bind can send, ``degraded`` where some cannot, ``elsewhere`` where
            all binds are other nodes'.
        since, error: of its ``state``.
        rate_stated, rate: parts per second: in the configuration, and held to now; 0 for
            unlimited. ``rate_found`` where the latter was found out.
        statuses: what it has answered since the start, by ``command_status``.
        receipts: the same of receipts, by state.
        receipts_silent_seconds: for how long it has taken parts and given no receipt.
        receipt_seconds: in how many seconds half of the receipts came.
        receipts_parked: those that match nothing yet.
        receipts_owed: messages that it has taken and owes a receipt for; but for some of the last
            half minute, and `OWED` or more where it is that.
        receipts_unmatched: receipts since the start that match no message.
        response: what its answers take, lately; None where there were none.
        binds_lost: binds that were up and ended, since the start.
        torn: messages with parts to be sent once more.
    """

    id: str
    address: str
    state: Literal["up", "degraded", "down", "elsewhere"]
    since: float | None
    error: str | None
    pause: PauseView | None
    binds: tuple[BindView, ...]
    binds_up: int
    routes: tuple[str, ...]
    window: int
    in_use: int
    rate_stated: float
    rate: float
    rate_found: bool
    rate_set: RateView | None
    throttled_since: float | None
    statuses: Mapping[str, int]
    receipts: Mapping[str, int]
    receipts_silent_seconds: float
    receipt_seconds: float | None
    receipts_parked: int
    receipts_owed: int | None
    receipts_unmatched: int
    response: SpreadView | None
    binds_lost: int
    torn: int
    waiting: int


class ReachHour(View, frozen=True):
    """What became in an hour (UTC), which begins ``at``, of messages that a carrier had taken:
    how many have which outcome, and the share that is delivered."""

    at: float
    outcomes: Mapping[str, int]
    reach: float | None


class ReachView(View, frozen=True):
    """How many of what a carrier has taken it delivers.

    Attributes:
        reach: of the newest hour with enough outcomes to tell, which begins ``reach_at``.
        median: of the hours of seven days before the present one that have enough,
            ``median_hours`` of them.
        unknown: outcomes of 24 hours whose receipt never came.
        hours: those of the last 24 that have outcomes, the newest first.
    """

    carrier: str
    reach: float | None
    reach_at: float | None
    median: float | None
    median_hours: int
    unknown: int
    hours: tuple[ReachHour, ...]


class RuleView(View, frozen=True):
    """What a rule of the policy, a ``send_at`` or a retry has done: messages refused, and times
    that one was put off, in 24 hours and in the present one."""

    rule: str
    refused: int
    refused_hour: int
    deferred: int
    deferred_hour: int


class TenantRuleView(View, frozen=True):
    """The same of one tenant's messages, since the start of the process."""

    tenant: str
    rule: str
    refused: int
    deferred: int


class PolicyView(View, frozen=True):
    """What the policy holds back and refuses, and what phones say.

    Attributes:
        deferred: messages that wait for their hour now, the first until ``next_due``.
        rules: by rule, the most first; `tenants` the same by tenant.
        codes: messages refused when they were submitted, of 24 hours, by code.
        optouts, optouts_lifted: since the start, by who said so.
        suspected: texts since the start that may be opt-outs, for people to judge.
        unowned: texts since the start to a number that no tenant has, by carrier: one may be a
            STOP.
        maybe_duplicate: messages since the start that may have reached their phone twice, by
            tenant.
        repeated: messages since the start that were submitted again under a key that was known,
            and not sent twice, by tenant.
    """

    deferred: int
    next_due: float | None
    rules: tuple[RuleView, ...]
    tenants: tuple[TenantRuleView, ...]
    codes: Mapping[str, int]
    optouts: Mapping[str, int]
    optouts_lifted: Mapping[str, int]
    suspected: int
    unowned: Mapping[str, int]
    maybe_duplicate: Mapping[str, int]
    repeated: Mapping[str, int]


class LatencyView(View, frozen=True):
    """How long messages of a category took lately, from when they were accepted or due: to a
    carrier, and to the receipt that they are with the phone. None where there were none."""

    category: Category
    to_carrier: SpreadView | None
    to_phone: SpreadView | None


class ExpiryView(View, frozen=True):
    """Something that holds until a moment: a certificate, by its key in the configuration, or the
    table of a region's public holidays."""

    name: str
    until: float


class SystemView(View, frozen=True):
    """The process and what it needs.

    Attributes:
        digest: of the configuration in force, loaded at ``loaded_at``.
        tried_at: when it was last read anew; None for never since the start.
        refused: that was refused, and the one before holds.
        waiting: some of it holds from the next start on.
        store: whether it works.
        seconds: of how long the latencies and ``commits`` and ``answers`` are, ten minutes at
            least where somebody has looked before.
        commits: to disk. ``answers``: from a submission to its durable answer.
        store_bytes, log_bytes: its file, and what is not moved there yet; None where it has none.
        free_bytes: room on its disk.
        full_in_seconds: until there is none at the pace of the last three hours; None where there
            is none to be seen.
        longest_turn_seconds: for how long all else waited for one thing, within a minute.
        cores: that the process uses.
        memory_bytes, files: in use.
        lane_messages: messages in memory.
        places: messages that the process holds, by where they are.
    """

    at: float
    version: str
    started_at: float
    digest: str
    loaded_at: float
    tried_at: float | None
    refused: bool
    waiting: bool
    store: Literal["works", "slow", "refuses", "silent"]
    seconds: float
    latencies: tuple[LatencyView, ...]
    commits: SpreadView | None
    answers: SpreadView | None
    store_bytes: float | None
    log_bytes: float | None
    free_bytes: float | None
    full_in_seconds: float | None
    longest_turn_seconds: float | None
    cores: float | None
    memory_bytes: float | None
    memory_limit_bytes: float | None
    files: float | None
    files_limit: float | None
    lane_messages: int
    lane_messages_limit: int
    connections: int
    connections_limit: int
    places: Mapping[str, int]
    certificates: tuple[ExpiryView, ...]
    holidays: tuple[ExpiryView, ...]


class QueueView(View, frozen=True):
    """The messages of one tenant, category, route and campaign that no carrier has.

    Attributes:
        messages: all of them, ``ready`` of which are in memory.
        parts: of them; exact for those in memory, by a sample for the rest.
        oldest_seconds: since the first was due; None where none is.
        next_due: when the next of those is that are due later.
        reason: what those wait for that are due.
    """

    tenant: str
    category: Category
    route: str
    campaign: str | None
    messages: int
    ready: int
    parts: int
    oldest_seconds: float | None
    next_due: float | None
    reason: Reason
    pause: PauseView | None


class SentView(View, frozen=True):
    """The messages of one tenant and category that carriers have.

    Attributes:
        unanswered_seconds: since the oldest was given to a carrier that has not answered; None
            where all have.
        receipt_seconds: since the oldest was taken by a carrier that owes its receipt.
    """

    tenant: str
    category: Category
    messages: int
    unanswered_seconds: float | None
    receipt_seconds: float | None


class TenantView(View, frozen=True):
    """A tenant. ``configured`` is False where only its messages are left.

    Attributes:
        rate: parts per second; 0 for unlimited. ``rate_bound`` while it has messages that wait
            for it.
        lag: events that its slowest consumer in use has not handled.
    """

    id: str
    name: str
    configured: bool
    categories: tuple[Category, ...]
    rate: float
    rate_bound: bool
    weight: float
    max_queued: int
    queued: int
    deferred: int
    sent: int
    oldest_seconds: float | None
    lag: int
    pause: PauseView | None


class CampaignView(View, frozen=True):
    """A tenant's campaign, as counted in the hours that were asked for; see ``stats`` of the API.

    Attributes:
        waiting: messages that no carrier has yet.
    """

    tenant: str
    campaign: str
    accepted: int
    refused: Mapping[str, int]
    deferred: Mapping[str, int]
    sent: int
    parts: int
    outcomes: Mapping[str, int]
    codes: Mapping[str, int]
    inbound: int
    optouts: int
    first_hour: float
    last_hour: float
    waiting: int
    pause: PauseView | None


class ConsumerView(View, frozen=True):
    """Who reads a tenant's events, and how far it is. ``missed`` where it is not connected though
    it was there for long."""

    tenant: str
    name: str
    connected: bool
    missed: bool
    seq: int
    lag: int
    since: float
    seen_at: float


class NodeView(View, frozen=True):
    """A node of those that share a database.

    Attributes:
        here: it is the one that is asked.
        alive: it works; else it has ended, or others have what it had or soon will.
        version, config: of its program, and the digest of its configuration.
        phones: the part of all phones that it sends to.
        behind: notices that it does not go by yet; more than none for a moment only.
        moved: it sends nothing, as long as there are others (`/move`).
        slots: how many slots of each carrier it has: binds, or pairs of binds.
        ahead: seconds by which its clock is ahead of the database's, below 0 where it is behind.
    """

    number: int
    name: str
    here: bool
    alive: bool
    version: str
    config: str
    phones: float
    behind: int
    moved: bool
    slots: Mapping[str, int]
    ahead: float


class Step(View, frozen=True):
    """Something that happened to a message; ``at`` is None where the moment was not kept."""

    at: float | None
    what: str
    detail: str = ""


class MessageView(View, frozen=True):
    """One message, and what has happened to it as far as is known.

    Attributes:
        state: ``queued``, ``deferred``, ``sent`` or its outcome.
        to, sender, text: the text is None for those who may not read it, or where only the outcome
            was kept.
        reason: what it waits for, None where it does not.
    """

    id: str
    tenant: str
    state: str
    final: bool
    to: str | None
    sender: str | None
    text: str | None
    category: Category | None
    route: str | None
    campaign: str | None
    variant: str | None
    key: str | None
    encoding: str | None
    parts: int | None
    attempts: int
    maybe_duplicate: bool
    accepted_at: float | None
    due: float | None
    expires_at: float | None
    updated_at: float
    code: str | None
    detail: Mapping[str, Any]
    reason: Reason | None
    steps: tuple[Step, ...]

    def masked(self) -> "MessageView":
        """The same for somebody who may not see numbers and texts."""
        return msgspec.structs.replace(self, to=self.to and masked(self.to), text=None)


class MessagePage(View, frozen=True):
    """Messages, the newest first; ``next`` asks for older ones, None where there are none."""

    messages: tuple[MessageView, ...]
    next: str | None


class OptoutView(View, frozen=True):
    """An opt-out that holds. ``tenant`` is None where it holds for everybody's texts."""

    number: str
    tenant: str | None
    source: str
    at: float
    message: str | None
    text: str | None

    def masked(self) -> "OptoutView":
        """The same for somebody who may not see numbers and texts."""
        return msgspec.structs.replace(self, number=masked(self.number), text=None)


class ConsentView(View, frozen=True):
    """A record of consent; see ``consent`` in ``docs/api.md``."""

    tenant: str
    purpose: str
    state: str
    at: float
    source: str
    wording: str | None
    by: str | None


class RefusalView(View, frozen=True):
    """A message that was not accepted: by which ``code``, ``rule`` and configuration, and why."""

    tenant: str
    at: float
    key: str | None
    code: str
    rule: str | None
    why: str
    config: str


class PersonView(View, frozen=True):
    """What is on record of a phone, beside its messages: the opt-outs that hold, all that it
    allowed and took back, and the latest messages to it that were not accepted."""

    number: str
    optouts: tuple[OptoutView, ...]
    consents: tuple[ConsentView, ...]
    refusals: tuple[RefusalView, ...] = ()


class Diff(View, frozen=True):
    """What a reload would change now, by the keys of the file and never by their values.

    Attributes:
        made: what would hold at once.
        waiting: what holds from the next start on.
        errors: mistakes for which it would be refused; then nothing else is told.
    """

    running: str
    file: str | None
    made: tuple[str, ...]
    waiting: tuple[str, ...]
    errors: tuple[str, ...]


AuditResult = Literal["begun", "done", "refused", "failed"]
"""``begun`` stays where the gateway ended in the midst of it."""


class AuditRecord(View, frozen=True):
    """Somebody changed something, or tried to.

    Attributes:
        id: ascending.
        who, role: the name and the role of the token.
        client: the address that it came from.
        verb, subject: what was done to what.
        phone: whose opt-out, or to whom; None where it is about no phone.
        before, after: what was and what is otherwise, as far as it can be told in words.
        detail: why it was refused, or failed, or what somebody said of it.
    """

    id: int
    at: float
    who: str
    role: str
    client: str
    verb: str
    subject: str
    phone: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    result: AuditResult
    detail: str = ""

    def masked(self) -> "AuditRecord":
        """The same for somebody who may not see numbers."""
        return msgspec.structs.replace(self, phone=self.phone and masked(self.phone))


class Done(View, frozen=True):
    """What came of a verb.

    Attributes:
        messages: how many it has to do with, None where that means nothing.
        before, after: what was and what is otherwise now.
    """

    verb: str
    subject: str
    messages: int | None = None
    before: Mapping[str, Any] = {}
    after: Mapping[str, Any] = {}
    detail: str = ""
