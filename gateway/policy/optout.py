"""Opt-outs: the rule that heeds them, and what may be configured of the keywords that add them.

Who is opted out is the store's to know and arrives as `Facts.opted_out`. Which texts are keywords
is told in `gateway.policy.keywords`, what happens on one (the list, the reply, the event) in
`gateway.dispatch.inbound`.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from gateway.facts import OPTOUTS, Facts
from gateway.message import CATEGORIES, Category, Message
from gateway.policy import replies
from gateway.policy.regions import REGIONS
from gateway.policy.rules import Refuse, Verdicts


class OptoutRegion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy.optout.regions.CODE]``: what holds for the phones of one region.

    Attributes:
        keywords, start, help: take the place of the words that count in this region alone; None for
            those that the gateway knows.
        confirmation, welcome: the answers to a stop and to a start, for tenants that state none;
            None for those that the gateway knows.
    """

    keywords: tuple[str, ...] | None = None
    start: tuple[str, ...] | None = None
    help: tuple[str, ...] | None = None
    confirmation: str | None = None
    welcome: str | None = None

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
        scope: whose texts a keyword stops: those of the tenant whose number was texted, or
            everybody's.
    """

    keywords: tuple[str, ...] | None = None
    start: tuple[str, ...] | None = None
    help: tuple[str, ...] | None = None
    regions: dict[str, OptoutRegion] = {}
    categories: frozenset[Category] = frozenset(CATEGORIES)
    scope: Literal["tenant", "global"] = "tenant"

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


class Optout:
    """Refuses messages to recipients who have opted out, as `opted_out`."""

    name = "optout"
    wants = OPTOUTS
    _REFUSE = Refuse("optout", "opted_out", "the recipient has opted out")

    def __init__(self, options: OptoutOptions) -> None:
        self._categories = options.categories

    def judge(
        self,
        messages: Sequence[Message],
        facts: Facts,
        now: float,
    ) -> Verdicts:
        out = facts.opted_out
        if not out:
            return {}
        return {
            index: self._REFUSE
            for index, message in enumerate(messages)
            if message.to in out and message.category in self._categories
        }
