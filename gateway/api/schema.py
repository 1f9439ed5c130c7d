"""The requests and replies of the wire API as types, and nothing else.

`gateway.api.codec` turns them from and into bytes; ``docs/api.md`` says what they mean. Whether a
*value* makes sense (a recipient, a category) is not decided by types: that refuses one message,
not the request.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

from gateway.api.peek import Echo
from gateway.errors import MessageCode, RequestCode
from gateway.message import Encoding

VERSION: Final = 1

RequestId = int | str
ConsumerName = Annotated[str, Meta(min_length=1, max_length=64)]
CampaignName = Annotated[str, Meta(min_length=1, max_length=64)]
LONGEST_EXTENSION: Final = 30 * 86_400.0
"""Seconds by which messages may be given more time: a month."""

Seq = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


# --- requests ---


class MessageOptions(Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What a message may say of itself, and its batch may say for it.

    ``category``, ``encoding``, ``report`` and what `gateway.policy.local` reads are any string
    here, and the values in ``tlvs`` anything: a wrong one is refused alone. ``send_at`` and
    ``expires_at`` are Unix seconds.
    """

    sender: str | None = field(default=None, name="from")
    key: str | None = None
    category: str | None = None
    campaign: str | None = None
    variant: str | None = None
    send_at: float | None = None
    send_at_local: str | None = None
    time_zone: str | None = None
    region: str | None = None
    window: str | None = None
    allow_repeat: bool | None = None
    expires_at: float | None = None
    encoding: str | None = None
    report: str | None = None
    tlvs: dict[int | str, Any] | None = None
    template: str | None = None
    vars: dict[str, str | int | float] | None = None


class SubmitMessage(MessageOptions, frozen=True, gc=False, kw_only=True):
    """One message as a tenant submits it, with the defaults of its batch filled in. The text of
    one with a ``template`` is empty, but where it has both."""

    to: str
    text: str


class RequestBase(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    id: RequestId


class Hello(RequestBase, frozen=True, tag="hello"):
    token: str
    client: Annotated[str, Meta(max_length=64)] | None = None


class Submit(RequestBase, frozen=True, tag="submit"):
    messages: list[SubmitMessage]


class Quote(RequestBase, frozen=True, tag="quote"):
    messages: list[SubmitMessage]


class Status(RequestBase, frozen=True, tag="status"):
    ids: list[str] = []
    keys: list[str] = []


class Explain(RequestBase, frozen=True, tag="explain"):
    ids: list[str] = []
    keys: list[str] = []


class Cancel(RequestBase, frozen=True, tag="cancel"):
    ids: list[str] = []
    keys: list[str] = []
    campaign: str | None = None


class Pause(RequestBase, frozen=True, tag="pause"):
    campaign: CampaignName


class Resume(RequestBase, frozen=True, tag="resume"):
    """``extend``: seconds by which what waits is to expire later."""

    campaign: CampaignName
    extend: Annotated[float, Meta(ge=0, le=LONGEST_EXTENSION)] | None = None


Start = Literal["acked", "start", "now"]


class Subscribe(RequestBase, frozen=True, tag="subscribe"):
    consumer: ConsumerName
    start: Start = field(default="acked", name="from")


class Ack(RequestBase, frozen=True, tag="ack"):
    consumer: ConsumerName
    seq: Seq
    epoch: str | None = None


ConsumersAction = Literal["list", "delete"]


class Consumers(RequestBase, frozen=True, tag="consumers"):
    action: ConsumersAction
    consumer: ConsumerName | None = None


LATEST: Final = 1e11
"""Unix seconds of the year 5138, and milliseconds of 1973."""

Moment = Annotated[float, Meta(ge=0, le=LATEST)]
"""Unix seconds."""


class Stats(RequestBase, frozen=True, tag="stats"):
    campaign: CampaignName | None = None
    since: Moment | None = field(default=None, name="from")
    until: Moment | None = field(default=None, name="to")


ImportName = Annotated[str, Meta(min_length=1, max_length=64)]
"""Of changes that are staged, to hold all or not at all."""


class Into(Struct, frozen=True, forbid_unknown_fields=True):
    """An import in which the changes of a request are staged. ``part`` numbers the request: one
    that comes again is not staged twice."""

    name: ImportName
    part: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Import(RequestBase, frozen=True, tag="import"):
    """Have all changes of an import hold; ``size`` is how many were staged."""

    action: Literal["apply"]
    name: ImportName
    size: Annotated[int, Meta(ge=1)]


OptoutAction = Literal["add", "remove", "check"]
OptoutBy = Literal["api", "import", "complaint"]
"""Who says so: a program, a list that was brought along, or somebody who complained."""


class Optout(RequestBase, frozen=True, tag="optout"):
    """``numbers`` are needed for all but a ``list``, which goes on behind the number ``after``.
    ``into`` stages what is added or removed."""

    action: Literal["add", "remove", "check", "list"]
    numbers: list[str] | None = None
    source: OptoutBy = "api"
    into: Into | None = field(default=None, name="import")
    after: str = ""


ConsentAction = Literal["add", "withdraw", "ask", "check", "history"]
WORD_MAX: Final = 64
WORDING_MAX: Final = 1_000
"""Characters of what a consent is told with; of its wording."""

Word = Annotated[str, Meta(min_length=1, max_length=WORD_MAX)]
Wording = Annotated[str, Meta(max_length=WORDING_MAX)]


class ConsentRow(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A consent of one number; what it does not say is as the request says. One with a value that
    is too long is refused alone.

    Attributes:
        number: as it is written.
        purpose: a category, or a name of the tenant's own.
        at: when it was given or withdrawn; the time of the request where it is left out.
        source: how: ``form``, ``checkout``, ``shop``, ``import`` or another word.
        wording: what the person read.
        by: who says so.
    """

    number: str
    purpose: str | None = None
    at: float | None = None
    source: str | None = None
    wording: str | None = None
    by: str | None = None


HandoverAction = Literal["close", "check", "list"]


class Handover(RequestBase, frozen=True, tag="handover"):
    """Conversations that a person has, by phone; a ``list`` takes no numbers, and goes on behind
    the number ``after``."""

    action: HandoverAction
    numbers: list[str] | None = None
    after: str = ""


class Person(RequestBase, frozen=True, tag="person"):
    """All that is known of a phone."""

    action: Literal["erase"]
    number: str


class Consent(RequestBase, frozen=True, tag="consent"):
    """Of ``numbers``, all alike, or of ``rows``; a ``list`` takes neither, and goes on behind the
    number ``after``. ``into`` stages what is added or withdrawn."""

    action: Literal["add", "withdraw", "ask", "check", "history", "list"]
    numbers: list[str] | None = None
    rows: list[ConsentRow] | None = None
    purpose: Word | None = None
    at: Moment | None = None
    source: Word | None = None
    wording: Wording | None = None
    by: Word | None = None
    into: Into | None = field(default=None, name="import")
    after: str = ""


VarType = Literal["text", "digits", "number", "code", "link"]
TemplateName = Annotated[str, Meta(min_length=1, max_length=64)]


class TemplateVar(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may stand for a variable of a template."""

    type: VarType = "text"
    max: int = 100
    default: str | None = None


class Template(RequestBase, frozen=True, tag="template"):
    """``name`` is needed for all but a ``list``, which goes on behind the name ``after``; ``text``
    for ``put``; ``version`` asks ``get`` for an earlier one."""

    action: Literal["put", "get", "list", "delete"]
    name: TemplateName | None = None
    text: str | None = None
    category: Literal["otp", "transactional", "marketing"] | None = None
    vars: dict[str, TemplateVar] = {}
    allow: list[Literal["brackets", "links", "breaks"]] = []
    approved: dict[str, str] = {}
    version: int | None = None
    after: str = ""


Request = (
    Hello
    | Submit
    | Quote
    | Status
    | Cancel
    | Pause
    | Resume
    | Stats
    | Subscribe
    | Ack
    | Consumers
    | Optout
    | Consent
    | Import
    | Template
    | Explain
    | Handover
    | Person
)

OPS: Final = frozenset(
    {
        "hello", "submit", "quote", "status", "cancel", "pause", "resume", "stats",
        "subscribe", "ack", "consumers", "optout", "consent", "template", "explain",
        "handover", "person", "import",
    }
)  # fmt: skip


# --- replies ---


class Error(Struct, frozen=True, gc=False, omit_defaults=True):
    """``retry_at``: Unix seconds from when on a message like it would be taken, where that is
    known; ``rule``: which rule of the tenant's policy has refused it, and ``place``: where in its
    text the reason is, from 0."""

    code: RequestCode | MessageCode
    message: str
    retry_at: float | None = None
    rule: str | None = None
    place: int | None = None


class Accepted(Struct, frozen=True, gc=False, omit_defaults=True):
    """A message is durable. ``not_before``: Unix seconds, where it is deferred. Of a ``duplicate``,
    all this is what its first message got; ``state`` is its outcome, where that one was cancelled
    or did not arrive. ``note``: what somebody should know, as a sentence."""

    message_id: str
    parts: int
    encoding: Encoding
    not_before: float | None = None
    duplicate: bool = False
    state: str | None = None
    note: str | None = None


class Price(Struct, frozen=True):
    """What a message costs at least and at most, by the carrier that takes it."""

    least: float
    most: float
    currency: str


class Quoted(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a message would become, or is, if it is a ``duplicate``. ``to`` is the number that its
    recipient was read as, ``region`` the ISO 3166 code of where that is; ``text`` what is sent,
    where that is not what was submitted; ``price`` what it costs."""

    parts: int
    encoding: Encoding
    not_before: float | None = None
    duplicate: bool = False
    note: str | None = None
    to: str | None = None
    region: str | None = None
    paused: bool = False
    text: str | None = None
    price: Price | None = None


class Rejected(Struct, frozen=True):
    """One message, or one number, is refused."""

    error: Error


class MessageStatus(Struct, frozen=True, omit_defaults=True):
    """Where a message stands.

    Attributes:
        state: ``deferred``, ``queued`` or ``sent`` while it has no outcome, then the outcome.
        final: ``state`` is the outcome (``sent`` can be either).
        updated_at: Unix seconds of the last change.
        not_before: when a deferred message is due.
        code, detail: as in the event of its outcome.
        paused: its campaign is.
        text, before: while it has no outcome, what is sent and what smart encoding made that of,
            where it did.
    """

    message_id: str
    state: str
    final: bool
    updated_at: float
    parts: int | None = None
    key: str | None = None
    to: str | None = None
    campaign: str | None = None
    not_before: float | None = None
    code: str | None = None
    detail: dict[str, object] | None = None
    variant: str | None = None
    paused: bool = False
    text: str | None = None
    before: str | None = None


class CancelResult(Struct, frozen=True):
    """Whether a message named in a cancel was cancelled by it, and its state now."""

    message_id: str
    cancelled: bool
    state: str


class Cancelled(Struct, frozen=True):
    """How many messages were cancelled, and what became of each id, then each key, that was asked
    for: None for one that is not known."""

    cancelled: int
    results: Sequence[CancelResult | None] = ()


class Holder(Struct, frozen=True, gc=False, omit_defaults=True):
    """An opt-out that holds.

    Attributes:
        source: ``keyword``, ``api``, ``import`` or ``complaint``.
        at: Unix seconds when it was added.
        everybody: it is of all tenants.
        inbound_id: of the text that said so, as its events have it.
        text: its beginning.
    """

    source: str
    at: float
    everybody: bool = False
    inbound_id: str | None = None
    text: str | None = None


class OptoutResult(Struct, frozen=True, gc=False, omit_defaults=True):
    """``opted_out``: the number is, now, and by what; ``changed``: an opt-out was added or taken
    back; ``only``: what it gets no more of beside that, where that was looked for."""

    number: str
    opted_out: bool
    changed: bool
    held_by: Sequence[Holder] = ()
    only: Sequence[str] = ()


class ExplainedStep(Struct, frozen=True, gc=False, omit_defaults=True):
    """A step of a message's life.

    Attributes:
        what: ``turned_away`` (refused at submission), ``accepted``, ``deferred``, ``released``,
            ``submitted``, ``not_taken`` (by a carrier, and sent again), ``sent`` (taken by one),
            ``receipt`` (of one of several parts), ``judged``, ``waits``, or its outcome.
        rule, why, code: who decided so, and what was said.
        until: until when it was put off.
        carrier, bind: which they were.
        parts: how many the carrier was given.
        part: of which the receipt is, from 1.
        ids: under which the carrier has the parts.
        config: the digest of the configuration that decided, where it is not the message's.
        local: what clocks showed there, by the time zones where the recipient may be, three at
            most.
    """

    at: float
    what: str
    rule: str | None = None
    why: str | None = None
    until: float | None = None
    carrier: str | None = None
    code: str | None = None
    local: dict[str, str] | None = None
    bind: str | None = None
    parts: int | None = None
    part: int | None = None
    ids: list[str] | None = None
    config: str | None = None


class Explained(Struct, frozen=True, gc=False, omit_defaults=True):
    """The life of a message. ``config`` is the digest of the configuration that decided at its
    submission; ``text`` has the steps as sentences."""

    message_id: str | None
    key: str | None
    to: str
    state: str
    config: str | None
    steps: Sequence[ExplainedStep]
    text: Sequence[str]


class HandoverResult(Struct, frozen=True, gc=False, omit_defaults=True):
    """``open``: a person has the conversation, ``until`` then (Unix seconds) unless it is closed;
    ``changed``: it was closed."""

    number: str
    open: bool
    changed: bool
    until: float | None = None


class Erased(Struct, frozen=True, gc=False):
    """What became of what was known of a phone.

    Attributes:
        number: in the spelling that opt-outs are kept under.
        cancelled: messages that waited.
        ended: messages that a carrier had and owed a receipt for.
        events: events that tell nothing of it any more, those of these messages among them.
        records: consents, marks of caps, refusals and whatever else was kept of it.
        left: messages that a carrier is being given at this moment.
    """

    number: str
    cancelled: int
    ended: int
    events: int
    records: int
    left: int


class ConsentRecord(Struct, frozen=True, gc=False, omit_defaults=True):
    """A record of consent: ``given``, ``withdrawn``, or ``asked`` for by text."""

    state: str
    at: float
    source: str
    wording: str | None = None
    by: str | None = None


class ConsentResult(Struct, frozen=True, gc=False, omit_defaults=True):
    """``consented``: texts for this purpose are allowed, now; ``at`` and what follows are of the
    record that says so, or that it was withdrawn. ``changed``: a record was added. ``records`` are
    all of them, where they were asked for."""

    number: str
    purpose: str
    consented: bool
    changed: bool
    at: float | None = None
    source: str | None = None
    wording: str | None = None
    by: str | None = None
    records: Sequence[ConsentRecord] = ()


class Imported(Struct, frozen=True, gc=False):
    """How an import stands: how many changes were staged, how many of them do not hold yet, and how
    many of the others have changed anything."""

    size: int
    rest: int
    changed: int


class ConsumerState(Struct, frozen=True, gc=False):
    """Where a consumer stands.

    Attributes:
        seq: everything up to it is handled.
        lag: events that it has not handled yet.
        seen_at: Unix seconds when it was last heard of.
        connected: some connection is subscribed for it.
    """

    consumer: str
    seq: int
    lag: int
    seen_at: float
    connected: bool


class TemplateState(Struct, frozen=True, omit_defaults=True):
    """A template as it stands. ``at``: Unix seconds when this ``version`` was put."""

    name: str
    version: int
    at: float
    text: str
    category: str | None = None
    vars: dict[str, TemplateVar] = {}
    allow: Sequence[str] = ()
    approved: dict[str, str] = {}


class Figures(Struct, frozen=True, omit_defaults=True):
    """What counts come to for a carrier.

    Attributes:
        cost: what it was paid, in the currency of the prices.
        reach: of the outcomes of what it has taken, the share that is delivered.
        unknown: the share of which nothing is known.
    """

    cost: float = 0.0
    reach: float | None = None
    unknown: float | None = None


class StatsRow(Struct, frozen=True, gc=False, omit_defaults=True):
    """What was counted in one hour. What is 0, or of no campaign, variant or carrier, is absent.

    Attributes:
        hour: Unix seconds when it began.
        accepted: messages.
        refused: messages that were not accepted, by code.
        deferred: how often rules put messages off, by rule.
        ruled_out: of those refused, the ones that a rule of the policy has, by rule.
        sent: messages all of whose parts the carrier has taken.
        parts: of these.
        outcomes: messages, by outcome.
        codes: those that have a code, by that.
        inbound, optouts: texts from phones, and opt-outs among them.
        figures: what this comes to for a carrier.
    """

    hour: int
    campaign: str | None = None
    variant: str | None = None
    carrier: str | None = None
    accepted: int = 0
    refused: dict[str, int] = {}
    deferred: dict[str, int] = {}
    sent: int = 0
    parts: int = 0
    outcomes: dict[str, int] = {}
    codes: dict[str, int] = {}
    inbound: int = 0
    optouts: int = 0
    ruled_out: dict[str, int] = {}
    figures: Figures | None = None


class Left(Struct, frozen=True, omit_defaults=True):
    """What a tenant has left to spend; absent what has no bound.

    Attributes:
        balance: of what it has paid in, in ``currency``.
        parts: of the month's quota.
    """

    balance: float | None = None
    currency: str | None = None
    parts: int | None = None


class Counted(Struct, frozen=True):
    """Rows in order of their hours, and where there are more: from ``following``, Unix seconds."""

    rows: Sequence[StatsRow]
    following: int | None = None
    left: Left | None = None


class Limits(Struct, frozen=True):
    max_frame: int
    max_batch: int
    max_in_flight: int
    idle_timeout: float


class _Reply(Struct, frozen=True):
    id: RequestId
    ok: bool


class Welcome(_Reply, frozen=True):
    tenant: str
    server: str
    version: int
    epoch: str
    limits: Limits


class SubmitReply(_Reply, frozen=True):
    results: Sequence[Accepted | Rejected]


class QuoteReply(_Reply, frozen=True):
    results: Sequence[Quoted | Rejected]


class StatusReply(_Reply, frozen=True):
    messages: Sequence[MessageStatus | None]


class CancelReply(_Reply, frozen=True):
    cancelled: int
    results: Sequence[CancelResult | None]


class PauseReply(_Reply, frozen=True):
    held: int


class ResumeReply(_Reply, frozen=True):
    released: int


class StatsReply(Struct, frozen=True, omit_defaults=True):
    """``following``, where there is more, is the ``from`` of the request that goes on."""

    id: RequestId
    ok: bool
    rows: Sequence[StatsRow]
    following: int | None = field(default=None, name="next")
    left: Left | None = None


class SubscribeReply(_Reply, frozen=True):
    next: int
    epoch: str


class AckReply(_Reply, frozen=True):
    seq: int


class ConsumersReply(_Reply, frozen=True):
    consumers: Sequence[ConsumerState]


class ExplainReply(_Reply, frozen=True):
    messages: Sequence[Explained | None]


class HandoverReply(_Reply, frozen=True):
    results: Sequence[HandoverResult | Rejected]


class PersonReply(_Reply, frozen=True):
    erased: Erased


class ConsentReply(_Reply, frozen=True):
    results: Sequence[ConsentResult | Rejected]


class OptoutReply(_Reply, frozen=True):
    results: Sequence[OptoutResult | Rejected]


class ImportReply(_Reply, frozen=True):
    imported: Imported


class TemplateReply(_Reply, frozen=True):
    templates: Sequence[TemplateState]


class ErrorReply(Struct, frozen=True, omit_defaults=True):
    """``id`` is that of the request as far as it could be read, though it may be none that would be
    taken; where it is None, ``request`` tells which one it was: the first of a connection is 1."""

    id: Echo | None
    ok: bool
    error: Error
    request: int | None = None


def refusal(
    request_id: Echo | None, code: RequestCode, message: str, request: int | None = None
) -> ErrorReply:
    """The reply to a request that is refused whole, the ``request``-th of its connection."""
    number = request if request_id is None else None
    return ErrorReply(request_id, False, Error(code, message), number)


Reply = (
    Welcome
    | SubmitReply
    | QuoteReply
    | StatusReply
    | CancelReply
    | PauseReply
    | ResumeReply
    | StatsReply
    | SubscribeReply
    | AckReply
    | ConsumersReply
    | OptoutReply
    | ConsentReply
    | ImportReply
    | HandoverReply
    | PersonReply
    | TemplateReply
    | ExplainReply
    | ErrorReply
)
