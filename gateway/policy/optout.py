"""Opt-outs: the rule that heeds them, and what may be configured of the keywords that add them.

Who is opted out is the store's to know and arrives as `Facts.opted_out`. Which texts are keywords
is told in `gateway.policy.keywords`, what happens on one (the list, the reply, the event) in
`gateway.dispatch.inbound.inbound`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from gateway.facts import OPTOUTS, WITHDRAWALS, Facts
from gateway.message import CATEGORIES, Category, Message
from gateway.policy import replies
from gateway.policy.caps import signature
from gateway.policy.content.options import SignatureOptions
from gateway.policy.regions import REGIONS
from gateway.policy.rules import Refuse, Verdicts
from gateway.policy.senders import ANY, normalise

Scope = Literal["sender", "signature", "tenant", "global"]
SENDER, SIGNATURE = "sender:", "signature:"
"""Before what is stopped, as the purpose of a withdrawal (`gateway.queue.consents`); the purpose
that stops a category is its name."""


class OptoutRegion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.optout.regions.CODE]``: what holds for the phones of one region.

    Attributes:
        keywords, start, help: take the place of the words that count in this region alone; None for
            those that the gateway knows.
        confirmation, welcome: the answers to a stop and to a start, for tenants that state none;
            None for those that the gateway knows.
        scope: what a keyword stops there; None for what it stops everywhere.
    """

    keywords: tuple[str, ...] | None = None
    start: tuple[str, ...] | None = None
    help: tuple[str, ...] | None = None
    confirmation: str | None = None
    welcome: str | None = None
    scope: Scope | None = None

    @property
    def answers(self) -> Mapping[str, str]:
        """The answers that are stated, by their kind (`gateway.policy.replies.Kind`)."""
        stated = {"optout": self.confirmation, "start": self.welcome}
        return {kind: text for kind, text in stated.items() if text is not None}


class OptoutOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.optout]``.

    Attributes:
        keywords: texts that opt a phone out, wherever it is; None for those that the gateway knows.
        start: the same, for texts that take the opt-out back.
        help: the same, for texts that ask for help.
        regions: what counts for the phones of a region beside that, by ISO 3166 code.
        categories: which messages an opt-out stops. All of them, unless somebody who knows the law
            of the place narrows it, say to keep one-time passwords apart.
        scope: what a keyword stops: the texts from the number that was texted (``sender``), those
            with the signature that goes with it, all of the tenant whose number it is, or
            everybody's.
    """

    keywords: tuple[str, ...] | None = None
    start: tuple[str, ...] | None = None
    help: tuple[str, ...] | None = None
    regions: dict[str, OptoutRegion] = {}
    categories: frozenset[Category] = frozenset(CATEGORIES)
    scope: Scope = "tenant"

    def problems(self) -> list[str]:
        """What is wrong, each with its key."""
        unknown = [name for name in self.regions if name not in REGIONS or len(name) != 2]
        found = [
            f"regions.{name}: {name[:16]!r} is no ISO 3166 code of two letters, such as 'CN'"
            for name in unknown
        ]
        for name, region in self.regions.items():
            for key, text in (("confirmation", region.confirmation), ("welcome", region.welcome)):
                found += [f"regions.{name}.{key}: {what}" for _, what in replies.problems(text)]
        return found


def narrow_purpose(
    scope: Scope, signatures: Sequence[SignatureOptions], senders: Collection[str], number: str
) -> str | None:
    """What a stop withdraws that came to a number, where that is less than all texts of its owner.
    Where nothing is sent from that number, or several signatures could be meant, it is all of them.

    Args:
        signatures, senders: of the tenant whose number it is.
    """
    if scope == "sender" and (number in senders or (number and ANY in senders)):
        return f"{SENDER}{number}"
    if scope == "signature":
        fitting = [one for one in signatures if not one.senders or number in one.senders]
        if len(fitting) == 1:
            return f"{SIGNATURE}{fitting[0].name}"
    return None


def plain_purpose(purpose: str) -> str:
    """A purpose as it is looked for: a signature without its brackets, a sender as it is sent."""
    kind, colon, name = purpose.partition(":")
    if kind + colon == SIGNATURE:
        return SIGNATURE + (signature(name) or name.strip())
    if kind + colon == SENDER:
        return SENDER + (normalise(name.strip()) or name)
    return purpose


def stops(purpose: str) -> bool:
    """Whether who withdraws a purpose is texted less: others are names of the tenant's own."""
    return purpose in CATEGORIES or purpose.startswith((SENDER, SIGNATURE))


class Optout:
    """Refuses messages to recipients who have opted out, as `opted_out`: of all texts, or of what
    the message is one of. Who withdrew the consent to its category gets none either, whether
    consent is required or not: `no_consent`."""

    name = "optout"
    wants = OPTOUTS | WITHDRAWALS
    _REFUSE = Refuse("optout", "opted_out", "the recipient has opted out")

    def __init__(self, options: OptoutOptions) -> None:
        self._categories = options.categories

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        verdicts: Verdicts = {}
        out, withdrawn = facts.opted_out, facts.withdrawn
        if out:
            verdicts = {
                index: self._REFUSE
                for index, message in enumerate(messages)
                if message.to in out and message.category in self._categories
            }
        if withdrawn:
            for index, message in enumerate(messages):
                purposes = withdrawn.get(message.to)
                if purposes is not None and index not in verdicts:
                    refusal = self._narrow(message, purposes)
                    if refusal is not None:
                        verdicts[index] = refusal
        return verdicts

    def _narrow(self, message: Message, withdrawn: Collection[str]) -> Refuse | None:
        """What a recipient that forbade some purposes says of a message."""
        category = message.category
        if category in withdrawn:
            why = f"the recipient has withdrawn the consent to {category} messages"
            return Refuse(self.name, "no_consent", why)
        if category not in self._categories:
            return None
        signed = signature(message.text)
        for purpose in (f"{SENDER}{message.sender}", f"{SIGNATURE}{signed}"):
            if purpose in withdrawn:
                kind, _, name = purpose.partition(":")
                why = f"the recipient has opted out of the {kind} {name!r}"
                return Refuse(self.name, "opted_out", why)
        return None
