"""The vocabulary of the gateway as types, and nothing else.

A `Message` never changes. What happens to it is told by the lane or the table it stands in and,
at the end, by one `Event`. Times are Unix seconds (UTC) as floats throughout; recipients are
E.164 digits without ``+``.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

Category = Literal["otp", "transactional", "marketing"]
URGENT: Final = "otp"
CATEGORIES: Final[tuple[Category, ...]] = (URGENT, "transactional", "marketing")
"""Every category, the most urgent first."""

Encoding = Literal["gsm7", "ucs2"]
Report = Literal["final", "none"]

Outcome = Literal["delivered", "failed", "expired", "cancelled", "blocked", "unknown", "sent"]
"""The one final state of a message; ``sent`` only where no receipt was asked for."""

EventType = Literal[
    "delivered", "failed", "expired", "cancelled", "blocked", "unknown", "sent",
    "inbound", "optout", "optout_suspected", "handover", "gap",
]  # fmt: skip

WaitingState = Literal["deferred", "queued", "sent"]
"""Where a message without an outcome is: due later, due now, or with a carrier."""


NAME_MAX: Final = 64
"""Octets of an idempotency key, characters of a campaign."""

VARIANT_MAX: Final = 16
"""Characters of a variant."""


Approved = tuple[tuple[str, str], ...]
"""The ids by which carriers know the template of a message, by carrier."""


class Charge(NamedTuple):
    """What a message is charged with (`gateway.policy.budget`).

    Attributes:
        account: names what its tenant pays from.
        amount: at most, which is reserved when it is accepted.
        by_carrier: what it is if that depends on the carrier that takes it; else it is the same.
    """

    account: str
    amount: int
    by_carrier: tuple[tuple[str, int], ...] = ()

    def at(self, carrier: str) -> int:
        """What it is where a carrier takes the message."""
        return next((cost for name, cost in self.by_carrier if name == carrier), self.amount)


class LaneKey(NamedTuple):
    """Names a queue, and the lane that is its ready part in memory: the messages of one tenant,
    category, route and campaign.

    The route is part of the name so that a route whose carriers are all down holds up nobody
    else's messages, not even the same tenant's; the campaign, so that a small one is not behind a
    million of another, and can be paused alone.
    """

    tenant: str
    category: Category
    route: str
    campaign: str | None = None


class Counted(NamedTuple):
    """What a message counts as against frequency caps (`gateway.policy.frequency`), and for how
    many seconds after it was sent."""

    mark: int
    keep: int


class Handed(NamedTuple):
    """When a message was released and handed to a carrier.

    Attributes:
        carrier, bind: which they were.
        config: the digest of the configuration that judged it then, where it is another than the
            one that accepted it.
    """

    at: float
    carrier: str
    bind: str
    config: str = ""


class Step(NamedTuple):
    """Something that happened to a message on its way (`gateway.dispatch.serving.steps`).

    Attributes:
        what: a rule put it off, a carrier did not take it, or it was judged again and ended.
        rule: the rule, or the carrier.
        until: when it is to be judged again.
        why: as a sentence, or a word of the carrier.
        handed: how the carrier had it; of the others, ``config`` is what decided.
    """

    at: float
    what: Literal["deferred", "refused", "judged"]
    rule: str
    until: float | None = None
    why: str = ""
    handed: Handed | None = None


class Receipt(NamedTuple):
    """The final receipt of one of several parts, from 0: its SMPP message_state."""

    part: int
    at: float
    state: int


class Submission(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a carrier was given of a message last, and what it said.

    Attributes:
        handed: None where a version handed it over that kept nothing of the kind.
        taken_at: when the carrier had taken all of it; 0 where it has not.
        refs: the carrier's ids of the parts, as far as they are known; None for a part that it did
            not take.
        receipts: of a long message, as far as they came while it was in memory.
    """

    handed: Handed | None
    taken_at: float = 0.0
    refs: Sequence[str | None] = ()
    receipts: Sequence[Receipt] = ()


class Life(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is kept of a message beside its outcome: when it was accepted, the digest of the
    configuration that decided so, its steps, its last submission, and what its sender said of the
    recipient's clock."""

    accepted_at: float
    config: str = ""
    steps: tuple[Step, ...] = ()
    submission: Submission | None = None
    local: "Local | None" = None


class Local(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a sender says of the recipient's wall clock, where it knows better than the digits.

    Attributes:
        time_zone: IANA name.
        region: ISO 3166 code of a region or subdivision, ``US-TX``.
        window: hours within which the message is to go, ``10:00-12:00,15:00-18:00``.
    """

    time_zone: str | None = None
    region: str | None = None
    window: str | None = None


QUESTION: Final = "question"
"""As the ``reply`` of a message: it asks a phone for its consent."""


class Message(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One text to one recipient, as accepted.

    Attributes:
        id: unique, ascending in order of acceptance; `message_id` gives its form on the wire.
        tenant: whose message it is.
        to: E.164 digits, no ``+``.
        sender: source address: digits, or up to 11 letters and digits.
        text: as it is sent.
        category: decides priority and which policies apply.
        route: the name of the route that the router chose when the message was accepted.
        encoding: ``gsm7`` or ``ucs2``, chosen or asked for.
        parts: how many PDUs the text needs in that encoding.
        accepted_at: when the batch was taken in.
        due: not to be sent before; equals ``accepted_at`` for "at once".
        expires_at: not to be sent at or after.
        report: ``final`` where the tenant wants the carrier's receipt awaited.
        key: the tenant's idempotency key.
        campaign: the tenant's name for what the message belongs to.
        attempts: how often a carrier has refused it for the time being.
        maybe_duplicate: an earlier attempt may have reached the recipient.
        exempt: a reply that the law asks for (the confirmation of an opt-out): neither opt-outs
            nor quiet hours hold it back.
        reply: to what it answers, where it is an answer of the gateway's own
            (`gateway.policy.replies.Kind`).
        tlvs: optional parameters for the carrier, tag and value, by their tags.
        variant: the tenant's name for one of several wordings in a campaign.
        counted: what it counts as against frequency caps.
        approved: the ids by which carriers know its template.
        before: what the text was before smart encoding changed it; None where it did not.
        local: what the sender says of the recipient's wall clock; None where the digits tell.
        config: the digest of the configuration that accepted it.
        steps: what happened to it since.
        allow_repeat: its recipient may have had this text in this campaign.
        charges: what it is charged with.
    """

    id: int
    tenant: str
    to: str
    sender: str
    text: str
    category: Category
    route: str
    encoding: Encoding
    parts: int
    accepted_at: float
    due: float
    expires_at: float
    report: Report = "final"
    key: str | None = None
    campaign: str | None = None
    attempts: int = 0
    maybe_duplicate: bool = False
    exempt: bool = False
    reply: str | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()
    variant: str | None = None
    counted: tuple[Counted, ...] = ()
    local: Local | None = None
    approved: Approved = ()
    before: str | None = None
    config: str = ""
    steps: tuple[Step, ...] = ()
    allow_repeat: bool = False
    charges: tuple[Charge, ...] = ()

    @property
    def lane(self) -> LaneKey:
        return LaneKey(self.tenant, self.category, self.route, self.campaign)


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A durable notice to a tenant, as it goes over the wire but for its ``seq``.

    The store gives each event its ``seq`` when it appends it. At most 14 fields, so that the
    encoded map has a one-byte header (`gateway.queue.events` relies on it).

    Attributes:
        type: an outcome, ``inbound``, ``optout``, ``optout_suspected``, ``handover``, or ``gap``:
            events that retention took before the consumer that is told came to them, ``detail``
            says which.
        at: when it came about.
        message_id: the message that has its outcome; absent for all but outcomes.
        key, campaign, variant: as submitted.
        to: the recipient of the message; for ``inbound``, our number that was texted.
        sender: (``from`` on the wire) who texted us, or opted out.
        parts: how many parts the message had.
        text: what the phone sent.
        code: why the message was not delivered.
        detail: what is known beyond the code: ``carrier``, ``smpp_status``, ``receipt_state``,
            ``receipt_error``, ``parts_delivered``, ``reason``.
        maybe_duplicate: the recipient may have got the message twice.
    """

    type: EventType
    at: float
    message_id: str | None = None
    key: str | None = None
    to: str | None = None
    sender: str | None = msgspec.field(default=None, name="from")
    campaign: str | None = None
    parts: int | None = None
    text: str | None = None
    code: str | None = None
    detail: dict[str, Any] | None = None
    maybe_duplicate: bool = False
    variant: str | None = None


def message_id(number: int) -> str:
    """The wire form of `Message.id`: an opaque string."""
    return f"{number:x}"


def message_number(text: str) -> int | None:
    """The `Message.id` that ``text`` stands for, or None where it can be no message id."""
    if not 1 <= len(text) <= 16:
        return None
    try:
        number = int(text, 16)
    except ValueError:
        return None
    return number if message_id(number) == text and number < 1 << 63 else None


def masked(number: str) -> str:
    """A phone number fit for a log: the country and the last two digits, ``4479*****12``."""
    return number[:4] + "*" * max(0, len(number) - 6) + number[-2:] if len(number) > 6 else "***"
