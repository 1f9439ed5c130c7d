"""What a policy rule is: a pure judge of a batch of messages.

A rule is given messages, the facts that were looked up for the whole batch, and the time; it says
which messages it refuses or defers, and why. It reads no clock, no store and no random source.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.errors import MessageCode
from gateway.facts import Facts, Wants
from gateway.message import Message


class Refuse(NamedTuple):
    """Not to be sent, ever. ``why`` is a sentence for the tenant; ``rule`` names the judge;
    ``retry_at`` is when another like it may go, where that can be told, ``place`` where in the text
    the reason is, from 0."""

    rule: str
    code: MessageCode
    why: str
    retry_at: float | None = None
    place: int | None = None


class Defer(NamedTuple):
    """Not to be sent before ``until``."""

    rule: str
    until: float
    why: str


Verdict = Refuse | Defer
"""What a rule says of a message it does not allow; silence allows."""

Verdicts = dict[int, Verdict]
"""By index in the batch; a message without an entry is allowed."""


class Rule(Protocol):
    """One rule of a tenant's policy."""

    @property
    def name(self) -> str: ...

    @property
    def wants(self) -> Wants:
        """What of `Facts` it reads; what the store is asked for when a tenant has the rule."""

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        """The verdicts on a batch of one tenant's messages that are to be sent at ``now`` or, where
        a message's ``due`` is later, then."""
