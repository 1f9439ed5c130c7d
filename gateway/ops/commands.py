"""What operators can have done, as types: each verb is one struct that says all it needs.

Who may give which is in `gateway.ops.roles`; `gateway.ops.operations` leaves a record of each.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.message import masked
from gateway.ops.views import Scope, Target

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Why = Annotated[str, Meta(max_length=200)]
Seconds = Annotated[float, Meta(ge=1, le=31 * 86_400)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A verb with all that it needs. ``why`` is for whoever reads the audit."""

    why: Why = ""

    @property
    def verb(self) -> str:
        """Its name in the audit, ``set_rate``."""
        return re.sub("(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def subject(self) -> str:
        """To what it is done, for the audit."""
        return ""

    @property
    def phone(self) -> str | None:
        """The number of the phone that it is about."""
        return None


class _OfTarget(Command, frozen=True):
    """Something is done to what can be paused."""

    scope: Scope
    name: Name
    tenant: Name | None = None

    @property
    def target(self) -> Target:
        return Target(self.scope, self.name, self.tenant)

    @property
    def subject(self) -> str:
        return str(self.target)


class _OfBind(Command, frozen=True):
    """Something is done to a bind."""

    bind: Name

    @property
    def subject(self) -> str:
        return f"bind {self.bind}"


class _OfNode(Command, frozen=True):
    """Something is done to a node of those that share a database."""

    node: Name

    @property
    def subject(self) -> str:
        return f"node {self.node}"


class _OfCarrier(Command, frozen=True):
    """Something is done to a carrier."""

    carrier: Name

    @property
    def subject(self) -> str:
        return f"carrier {self.carrier}"


class Pause(_OfTarget, frozen=True):
    """Send nothing more of something: from the next PDU on, over a restart, until it is resumed or
    ``seconds`` are over."""

    seconds: Seconds | None = None


class Resume(_OfTarget, frozen=True):
    """Go on with what was paused. ``extend`` lets a campaign's messages expire so much later."""

    extend: Annotated[float, Meta(gt=0, le=31 * 86_400)] | None = None


class Drain(_OfBind, frozen=True):
    """End a bind in order, and leave it ended until it is bound again or the gateway starts."""


class Rebind(_OfBind, frozen=True):
    """End a bind in order, if it is up, and make it anew."""


class Move(_OfNode, frozen=True):
    """Have a node give its phones and binds to the others, also over a restart of it, until it is
    moved back. It goes on accepting, for them."""


class MoveBack(_OfNode, frozen=True):
    """Have a node take its part again."""


class SetRate(_OfCarrier, frozen=True, kw_only=True):
    """Send a carrier at most ``rate`` parts per second for a time; never more than it states."""

    rate: Annotated[float, Meta(gt=0, le=1_000_000)]
    seconds: Seconds


class UnsetRate(_OfCarrier, frozen=True):
    """Let a carrier go by its own rate again."""


class Cancel(Command, frozen=True):
    """Cancel what no carrier has of some messages: all that each filter takes which is given.

    Attributes:
        confirm: how many there are, as it was told by the last answer; without it nothing is
            cancelled, and the answer tells the count.
    """

    tenant: Name | None = None
    campaign: Name | None = None
    category: Literal["otp", "transactional", "marketing"] | None = None
    route: Name | None = None
    confirm: Annotated[int, Meta(ge=0)] | None = None

    @property
    def subject(self) -> str:
        given = {
            "tenant": self.tenant,
            "campaign": self.campaign,
            "category": self.category,
            "route": self.route,
        }
        return "messages of " + ", ".join(f"{key} {one}" for key, one in given.items() if one)


class Settle(Command, frozen=True):
    """End, or send again by another carrier, the messages for which a carrier owes receipts.

    Attributes:
        to: ``expire`` ends them as ``unknown``; ``requeue`` has them sent once more, marked
            ``maybe_duplicate``: their recipients may get them twice.
        older: only those that it took so many seconds ago.
        confirm: as in `Cancel`.
    """

    carrier: Name
    to: Literal["expire", "requeue"]
    older: Annotated[float, Meta(ge=0)] = 0.0
    confirm: Annotated[int, Meta(ge=0)] | None = None

    @property
    def subject(self) -> str:
        return f"messages that carrier {self.carrier} owes receipts for"


class Disconnect(Command, frozen=True):
    """End the connections of a consumer; it may connect again."""

    tenant: Name
    consumer: Name

    @property
    def subject(self) -> str:
        return f"consumer {self.consumer} of {self.tenant}"


class ChangeOptout(Command, frozen=True):
    """Add an opt-out, or take it back; of a tenant's texts, or of everybody's (without one)."""

    action: Literal["add", "remove"]
    number: Name
    tenant: Name | None = None
    source: Literal["api", "import", "complaint"] = "complaint"

    @property
    def subject(self) -> str:
        return f"opt-out of {self.tenant or 'everybody'}"

    @property
    def phone(self) -> str:
        return self.number


class Erase(Command, frozen=True):
    """Erase all that is known of a phone but its opt-outs: to a tenant, or to everybody (without
    one).

    Attributes:
        again: the number once more; without it nothing is erased, and the answer tells how many
            messages would be cancelled.
    """

    number: Name
    tenant: Name | None = None
    again: Name | None = None

    @property
    def subject(self) -> str:
        return f"person, as {self.tenant or 'everybody'} knows it"

    @property
    def phone(self) -> str:
        """Masked: the record is not to tell what was erased."""
        return masked(self.number)


class SendTest(Command, frozen=True):
    """Send one message as a tenant, by the carrier that its route gives it."""

    tenant: Name
    to: Name
    text: Annotated[str, Meta(min_length=1, max_length=1600)]
    sender: Name | None = None

    @property
    def subject(self) -> str:
        return f"test message of {self.tenant}"

    @property
    def phone(self) -> str:
        return self.to


class Reload(Command, frozen=True):
    """Read the configuration anew.

    Attributes:
        confirm: the digest of the file that was looked at; refused where it is another one by now.
    """

    confirm: Name | None = None

    @property
    def subject(self) -> str:
        return "configuration"
