"""The chain that runs rules over a batch, and the policy of a tenant made of two of them.

Rules are asked in order. The first refusal of a message stands, and later rules do not see the
message. A deferral moves it: later rules judge it at the time to which it was deferred, so that
where several defer, the last word holds for all that came after it. That asks of a rule that defers
to stand after those whose verdict depends on the time.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import structs

from gateway.facts import NOTHING, Facts
from gateway.message import Message
from gateway.policy import caps, destinations
from gateway.policy.budget import Budget
from gateway.policy.caps import FrequencyCap
from gateway.policy.consent import ConsentOptions, ConsentRule
from gateway.policy.content.judging import Contents
from gateway.policy.content.links import domain_problem
from gateway.policy.content.options import (
    Ban,
    ContentOptions,
    SignatureOptions,
    signature_problems,
)
from gateway.policy.destinations import DestinationOptions
from gateway.policy.frequency import Again, Frequency
from gateway.policy.holidays import years_ahead
from gateway.policy.limits import QueueLimit
from gateway.policy.optout import Optout, OptoutOptions
from gateway.policy.prices import PriceOptions, Prices, micros, prices
from gateway.policy.pumping import Pumping, PumpingAgain, PumpingOptions
from gateway.policy.quiet_hours import QuietHours, QuietHoursOptions
from gateway.policy.repeats import RepeatOptions
from gateway.policy.rules import Defer, Rule, Verdicts
from gateway.policy.senders import ANY, Senders, normalise
from gateway.policy.unreachable import Unreachable, UnreachableOptions

MAX_CAPS: Final = 100
"""Frequency caps at most: each that a message counts in is a row of the store."""

MAX_QUEUED: Final = 1_000_000
"""Messages without an outcome that a tenant may have unless it is given another limit."""


NOWHERE: Final = DestinationOptions()


class Chain:
    """Rules in the order in which they are asked.

    Attributes:
        wants: what any of them reads of the store's facts.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self.wants = NOTHING.union(*[rule.wants for rule in rules])

    def judge(self, messages: Sequence[Message], facts: Facts, now: float) -> Verdicts:
        """The verdicts on a batch of one tenant's messages, see `Rule.judge`."""
        verdicts: Verdicts = {}
        places: Sequence[int] = range(len(messages))
        batch = messages
        for rule in self._rules:
            found = rule.judge(batch, facts, now)
            if not found:
                continue
            for index, verdict in found.items():
                verdicts[places[index]] = verdict
            if rule is not self._rules[-1]:
                places, batch = _remaining(places, batch, found)
        return verdicts


def _remaining(
    places: Sequence[int], batch: Sequence[Message], found: Verdicts
) -> tuple[list[int], list[Message]]:
    """The messages for the next rule, the deferred ones at their new time, and their places."""
    left: list[int] = []
    messages: list[Message] = []
    for index, message in enumerate(batch):
        verdict = found.get(index)
        if verdict is None:
            messages.append(message)
        elif isinstance(verdict, Defer):
            messages.append(msgspec.structs.replace(message, due=verdict.until))
        else:
            continue
        left.append(places[index])
    return left, messages


class TenantOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What one tenant's policy depends on; the fields are those of ``[[tenants]]``.

    Attributes:
        senders: those it may use, the first being its default; ``*`` allows any.
        max_queued: messages without an outcome that it may have.
        quiet_hours: whether quiet hours are kept for its messages.
        frequency: whether frequency caps are.
        repeats: whether `[policy.repeats]` holds for them.
        unreachable: whether `[policy.unreachable]` does.
        destinations: where they may go, within what the policy of all allows.
        content: whether ``[policy.content]`` holds for them.
        domains: to which its links may lead where they are restricted.
        signatures: with which its texts begin; none where that is not looked at.
        consent: whether consent is asked for where it is required.
        smart_encoding: whether typographic characters are made plain where that spares UCS-2.
        balance: all that it has paid in advance; None where it pays later.
        quota: parts a month; 0 for any number.
        templates: whether every text must come of a template that its carriers have approved.
    """

    senders: tuple[str, ...] = ()
    max_queued: int = MAX_QUEUED
    quiet_hours: bool = True
    frequency: bool = True
    repeats: bool = True
    unreachable: bool = True
    destinations: DestinationOptions | None = None
    content: bool = True
    domains: tuple[str, ...] = ()
    signatures: tuple[SignatureOptions, ...] = ()
    consent: bool = True
    templates: Literal["any", "approved"] = "any"
    smart_encoding: bool = False
    balance: float | None = None
    quota: int = 0

    def problems(self) -> list[str]:
        """What is wrong, each with its key."""
        found = [
            f"senders[{index}]: {sender!r} is neither a number, a name of up to 11 letters nor '*'"
            for index, sender in enumerate(self.senders)
            if sender != ANY and normalise(sender) is None
        ]
        if self.destinations is not None:
            found += [f"destinations.{problem}" for problem in self.destinations.problems()]
        if self.max_queued < 1:
            found.append(f"max_queued: {self.max_queued} is not at least 1")
        for index, domain in enumerate(self.domains):
            if why := domain_problem(domain):
                found.append(f"domains[{index}]: {why}")
        for index, signature in enumerate(self.signatures):
            found += [
                f"signatures[{index}].{key}: {why}" for key, why in signature_problems(signature)
            ]
        return found


class PolicyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy]``: what holds for all tenants."""

    quiet_hours: QuietHoursOptions = QuietHoursOptions()
    optout: OptoutOptions = OptoutOptions()
    consent: ConsentOptions = ConsentOptions()
    frequency: Annotated[tuple[FrequencyCap, ...], msgspec.Meta(max_length=MAX_CAPS)] = ()
    content: ContentOptions = ContentOptions()
    repeats: RepeatOptions = RepeatOptions()
    destinations: DestinationOptions = DestinationOptions()
    unreachable: UnreachableOptions = UnreachableOptions()
    price: PriceOptions = PriceOptions()
    pumping: PumpingOptions = PumpingOptions()

    def problems(self) -> list[str]:
        """What is wrong, each with its key."""
        return [
            *(f"quiet_hours.{problem}" for problem in self.quiet_hours.problems()),
            *(f"optout.{problem}" for problem in self.optout.problems()),
            *(f"consent.{problem}" for problem in self.consent.problems()),
            *(f"frequency{problem}" for problem in caps.problems(self.frequency)),
            *(f"repeats.{problem}" for problem in self.repeats.problems()),
            *(f"destinations.{problem}" for problem in self.destinations.problems()),
            *(f"unreachable.{problem}" for problem in self.unreachable.problems()),
            *(f"content.{problem}" for problem in self.content.problems()),
        ]


class Policy(msgspec.Struct, frozen=True):
    """What is asked of one tenant's messages.

    Attributes:
        admission: asked when a batch is submitted.
        release: asked, with fresh facts, when messages are about to be sent.
        quiet_hours: the rule in both, for `QuietHours.ends`; where none are kept, the one that
            heeds what messages themselves say of their recipients' clocks.
        frequency: the rule of frequency caps; None where the tenant has none.
        unreachable: the rule of numbers that texts do not reach, which learns from outcomes; None
            where it is off.
        pumping: the guard against traffic pumping; None where nothing is watched.
        consent: the rule of consents; None where none are required of the tenant.
        budget: the rule of what the tenant may spend; None where that has no bound.
        signatures: with which the tenant's texts begin.
        senders: those that it may use.
    """

    admission: Chain
    release: Chain
    quiet_hours: QuietHours
    frequency: Frequency | None = None
    unreachable: Unreachable | None = None
    pumping: Pumping | None = None
    consent: ConsentRule | None = None
    budget: Budget | None = None
    signatures: tuple[SignatureOptions, ...] = ()
    senders: frozenset[str] = frozenset()


def build(
    options: PolicyOptions,
    tenants: Mapping[str, TenantOptions],
    now: float | None = None,
    bans: Mapping[str, frozenset[Ban]] | None = None,
    carriers: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Policy]:
    """The policy of each tenant by its id, with the holidays at hand of all years that messages
    accepted in the year from ``now`` on can be about; ``bans`` is what carriers take in no text, by
    route, ``carriers`` those through which its messages may go. Raises ValueError where the options
    have `problems`."""
    quiet_hours = QuietHours(options.quiet_hours)
    own_windows = QuietHours(structs.replace(options.quiet_hours, categories=frozenset()))
    if now is not None:
        quiet_hours.load(years_ahead(now))
    optout = Optout(options.optout)
    consent = ConsentRule(options.consent) if options.consent.require else None
    known = prices(options.price)
    policies = {}
    for tenant, own in tenants.items():
        quiet = quiet_hours if own.quiet_hours else own_windows
        # What a message is refused for goes before the count, lest it take up room in it; what
        # quiet hours refuse is too rare to matter, and their deferrals are cheapest at the end.
        allowed: list[Rule] = [consent] if consent and own.consent else []
        frequency = _frequency(options, tenant, own, quiet)
        capped: list[Rule] = [frequency] if frequency else []
        again: list[Rule] = [Again(frequency)] if frequency else []
        unreachable = None
        if own.unreachable and options.unreachable.categories:
            unreachable = Unreachable(options.unreachable)
        silent: list[Rule] = [unreachable] if unreachable else []
        watched = (*options.destinations.watched, *(own.destinations or NOWHERE).watched)
        pumping = Pumping(options.pumping, watched) if watched else None
        guarded: list[Rule] = [pumping] if pumping else []
        guarded_again: list[Rule] = [PumpingAgain(pumping)] if pumping else []
        where = destinations.rules(options.destinations, own.destinations)
        contents = Contents(options.content, own.domains, bans) if own.content else None
        content: list[Rule] = [] if contents is None or contents.is_idle else [contents]
        budget = _budget(own, known, carriers or {})
        admission = Chain(
            [
                Senders(own.senders),
                optout,
                *allowed,
                *where,
                *silent,
                *content,
                QueueLimit(own.max_queued),
                *guarded,
                quiet,
                *capped,
                *([budget] if budget else ()),
            ]
        )
        policies[tenant] = Policy(
            admission=admission,
            release=Chain([optout, *allowed, *where, *guarded_again, quiet, *again]),
            quiet_hours=quiet,
            unreachable=unreachable,
            pumping=pumping,
            frequency=frequency,
            consent=consent if own.consent else None,
            budget=budget,
            signatures=own.signatures,
            senders=frozenset(normalise(one) or one for one in own.senders),
        )
    return policies


def _budget(
    own: TenantOptions, known: Prices | None, carriers: Mapping[str, Collection[str]]
) -> Budget | None:
    """The rule of what a tenant may spend, None where that has no bound."""
    if own.balance is None and not own.quota:
        return None
    balance = None if own.balance is None else micros(own.balance)
    return Budget(balance, own.quota, known, carriers)


def _frequency(
    options: PolicyOptions, tenant: str, own: TenantOptions, quiet_hours: QuietHours
) -> Frequency | None:
    """The rule of a tenant's frequency caps and of repeats, None where it has neither."""
    theirs = [
        cap
        for cap in (caps.expanded(options.frequency) if own.frequency else ())
        if not cap.tenants or tenant in cap.tenants
    ]
    repeats = options.repeats.caps() if own.repeats else []
    return Frequency(theirs, quiet_hours.opens, repeats) if theirs or repeats else None
