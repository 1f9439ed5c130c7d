"""What an operator should know of rules that a configuration has and that never apply: tenants for
which none holds, rules about what none of their tenants sends, and rules about regions that nothing
is sent to. All of it is allowed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from operator import attrgetter
from typing import Final, NamedTuple

from gateway.message import CATEGORIES, Category
from gateway.policy.caps import expanded
from gateway.policy.chain import PolicyOptions, TenantOptions
from gateway.policy.consent import EVERYWHERE
from gateway.policy.content.options import ContentOptions
from gateway.policy.destinations import DestinationOptions
from gateway.policy.hours import with_territories
from gateway.policy.quiet_hours import QuietHoursOptions

ALWAYS: Final = "00:00-24:00"

Sent = Mapping[str, Collection[Category]]
"""The categories that each tenant may send."""


def without_rules(
    policy: PolicyOptions, tenants: Mapping[str, TenantOptions], sent: Sent, banned: bool
) -> Iterator[str]:
    """Tenants of which no text is ever looked at, but for opt-outs, senders and their queue.

    Args:
        banned: carriers have bans.
    """
    for number, (name, categories) in enumerate(sent.items()):
        if not any(_rules(policy, name, tenants[name], categories, banned)):
            yield (
                f"tenants[{number}]: no rule holds for it but opt-outs: none of policy is about"
                f" what it sends ({', '.join(one for one in CATEGORIES if one in categories)}), or"
                " it has them switched off; state quiet_hours, frequency, content or what is meant"
            )


def _rules(
    policy: PolicyOptions, name: str, own: TenantOptions, sent: Collection[Category], banned: bool
) -> Iterator[bool]:
    """For each rule, whether it may ever say a word about a tenant's texts."""

    def about(categories: Collection[Category]) -> bool:
        return not set(categories).isdisjoint(sent)

    quiet, content = policy.quiet_hours, policy.content
    yield own.quiet_hours and about(quiet.categories) and not _never_closed(quiet)
    yield own.frequency and any(
        (not cap.tenants or name in cap.tenants) and about([cap.category] if cap.category else sent)
        for cap in expanded(policy.frequency)
    )
    yield own.repeats and policy.repeats.per is not None and about(policy.repeats.categories)
    yield own.unreachable and about(policy.unreachable.categories)
    yield own.consent and bool(policy.consent.require) and about(policy.consent.categories)
    yield own.content and (content != ContentOptions() or (banned and about(["marketing"])))
    yield any(
        (not one.is_idle and about(one.categories)) or (bool(one.watched) and about(["otp"]))
        for one in (policy.destinations, own.destinations)
        if one is not None
    )
    yield bool(own.signatures) or own.templates == "approved"
    yield own.balance is not None or own.quota > 0


def _never_closed(options: QuietHoursOptions) -> bool:
    return options.open == ALWAYS and not options.regions and not options.closings


class _Written(NamedTuple):
    """A rule that somebody has written: where its categories stand, what they are, and for which
    tenants it is switched on."""

    key: str
    categories: Collection[Category]
    is_on: Callable[[TenantOptions], bool]


def unsent(
    policy: PolicyOptions, tenants: Mapping[str, TenantOptions], sent: Sent
) -> Iterator[str]:
    """Rules about categories that none of the tenants may send for which they hold. Of caps and
    consents `caps_advice` and the configuration tell."""
    for key, categories, is_on in _written(policy):
        senders = [sent[name] for name, own in tenants.items() if is_on(own)]
        if senders and categories and all(map(frozenset(categories).isdisjoint, senders)):
            yield (
                f"policy.{key}: never applies, for none of its tenants may send {_or(categories)};"
                " name what they send, or leave it out"
            )
    for number, (name, own) in enumerate(tenants.items()):
        narrower = own.destinations
        if narrower is not None:
            for key, categories, _ in _of_destinations(narrower):
                if categories and frozenset(categories).isdisjoint(sent[name]):
                    yield (
                        f"tenants[{number}].{key}: never applies, for it may not send"
                        f" {_or(categories)}"
                    )


def unsent_by_any(hours: Collection[Category], banned: bool, sent: Sent) -> Iterator[str]:
    """The same of what a carrier takes not at all or not at any time: nobody sends such messages.

    Args:
        hours: the categories that keep to its hours, none where it has none.
        banned: it has bans, which are of promotions.
    """
    everything = {category for categories in sent.values() for category in categories}
    about: list[tuple[str, Collection[Category]]] = [("hours.categories", hours)]
    about += [("bans", ["marketing"])] if banned else []
    for key, categories in about:
        if categories and everything.isdisjoint(categories):
            yield f"{key}: never applies, for no tenant may send {_or(categories)}"


def _written(policy: PolicyOptions) -> Iterator[_Written]:
    quiet, content = policy.quiet_hours, policy.content
    if quiet != QuietHoursOptions():
        yield _Written("quiet_hours.categories", quiet.categories, attrgetter("quiet_hours"))
    if policy.repeats.per is not None:
        yield _Written("repeats.categories", policy.repeats.categories, attrgetter("repeats"))
    spared = policy.unreachable.categories
    yield _Written("unreachable.categories", spared, attrgetter("unreachable"))
    if content.links == "registered" or content.shorteners == "refuse" or content.max_parts:
        yield _Written("content.categories", content.categories, attrgetter("content"))
    for at, one in enumerate(content.words):
        yield _Written(f"content.words[{at}].categories", one.categories, attrgetter("content"))
    for at, line in enumerate(content.optout_line):
        key = f"content.optout_line[{at}].category"
        yield _Written(key, [line.category], attrgetter("content"))
    yield from _of_destinations(policy.destinations)


def _of_destinations(options: DestinationOptions) -> Iterator[_Written]:
    if not options.is_idle:
        yield _Written("destinations.categories", options.categories, lambda _: True)
    if options.watched:
        yield _Written("destinations.watched", ["otp"], lambda _: True)


def _or(categories: Collection[Category]) -> str:
    return " or ".join(one for one in CATEGORIES if one in categories)


def nowhere(policy: PolicyOptions) -> Iterator[str]:
    """Rules about regions alone that no text goes to."""
    texted = policy.destinations
    if not texted.allowed or not texted.categories.issuperset(CATEGORIES):
        return
    if any(one[0].isdigit() for one in texted.allowed):
        return  # who knows where those are
    allowed = with_territories(texted.allowed)
    for key, regions in chain(
        (("consent.require", policy.consent.require),),
        ((f"frequency[{at}].regions", cap.regions) for at, cap in enumerate(policy.frequency)),
        (
            (f"content.words[{at}].regions", one.regions)
            for at, one in enumerate(policy.content.words)
        ),
        (
            (f"content.optout_line[{at}].region", (line.region,))
            for at, line in enumerate(policy.content.optout_line)
        ),
    ):
        places = {region[:2] for region in with_territories(regions)}
        if regions and EVERYWHERE not in regions and allowed.isdisjoint(places):
            named = ", ".join(regions)
            yield (
                f"{key}: never applies, for nothing is sent to {named}: policy.destinations.allowed"
                " has others alone; add it there, or leave this out"
            )
