"""What a configuration may say and is hardly meant: ``gateway check`` warns of it and passes.

A warning is a line as a fault is, ``key.path: what follows from it; the mend``. Each check here
looks at settings that are free of faults. One that needs to know a lower layer well is written
there, and only called here.
"""

from collections.abc import Callable, Iterable
from datetime import date
from ipaddress import IPv6Address, ip_address
from itertools import chain
from typing import Final

from gateway.api.address import TcpAddress, parse_address
from gateway.config.keys import admin_host
from gateway.config.settings import Settings
from gateway.dispatch.release import route_advice
from gateway.dispatch.release.pool import routes_or_default
from gateway.dispatch.release.routing import common_tables, is_direct
from gateway.policy import (
    advice,
    caps_advice,
    closing_advice,
    conversation,
    destinations,
    idle_advice,
    optout_advice,
)
from gateway.policy.carrier_hours import CarrierHoursOptions
from gateway.policy.content import advice as content_advice
from gateway.policy.keywords import Vocabulary
from gateway.policy.pumping import PumpingOptions
from gateway.policy.quiet_hours import QuietHoursOptions
from gateway.policy.senders import ANY
from gateway.policy.unreachable import NO_SUCH_NUMBER
from gateway.smpp.options import OPTIONAL_PARAMETERS_SINCE, PASSWORD, SYSTEM_ID

Check = Callable[[Settings, date], Iterable[str]]
"""Given the settings and the day on which somebody asks, the lines to print."""


def store(settings: Settings, _today: date) -> Iterable[str]:
    """A store of which nothing is left."""
    if settings.queue.backend == "memory":
        yield (
            "queue.backend: keeps everything in memory, and what was accepted is gone with the"
            ' process; set "sqlite" for anything but tests'
        )
    if settings.queue.synchronous == "off":
        yield (
            "queue.synchronous: commits are answered before they are on any disk, and the last of"
            ' them are lost when the server crashes; set "commit"'
        )


def quiet_hours(settings: Settings, today: date) -> Iterable[str]:
    """Hours that were shipped and hold no more, that are never open, and days not known yet."""
    options = settings.dispatch.policy.quiet_hours
    found = chain(
        advice.dropped(options),
        advice.never_open(options, today),
        advice.unknown_holidays(options, today),
        _no_category(options),
        closing_advice.over(options, today),
        closing_advice.kept_by_nobody(
            options, any(one.quiet_hours for one in settings.dispatch.policies.values())
        ),
    )
    return (f"policy.quiet_hours.{line}" for line in found)


def carrier_hours(settings: Settings, today: date) -> Iterable[str]:
    """Carriers that take nothing at any hour, or keep to days that are not known yet."""
    quiet = settings.dispatch.policy.quiet_hours
    for index, carrier in enumerate(settings.dispatch.carriers):
        hours = carrier.options.hours
        if hours is not None:
            where = f"carriers[{index}].hours"
            yield from (
                f"{where}: {line}" for line in advice.carrier_never_open(hours, quiet, today)
            )
            found = chain(advice.carrier_unknown_holidays(hours, today), _no_category(hours))
            yield from (f"{where}.{line}" for line in found)


def _no_category(hours: QuietHoursOptions | CarrierHoursOptions) -> Iterable[str]:
    """Hours that hold for no message."""
    if not hours.categories:
        yield "categories: is empty, so nothing keeps to these hours; name what does"


def nodes(settings: Settings, _today: date) -> Iterable[str]:
    """Nodes that do not send, since a carrier has fewer binds."""
    nodes = settings.queue.nodes
    for index, carrier in enumerate(settings.dispatch.carriers):
        if carrier.slots < nodes:
            yield (
                f"carriers[{index}].binds: {carrier.slots} is less than queue.nodes, so"
                f" {nodes - carrier.slots} of the {nodes} nodes accept and do not send, since each"
                " that does needs a bind of every carrier; ask the carrier for more, or have fewer"
                " nodes"
            )


def accounts(settings: Settings, _today: date) -> Iterable[str]:
    """Accounts that are longer than the book has room for."""
    for index, carrier in enumerate(settings.dispatch.carriers):
        bind = carrier.binds[0]
        for key, size, most in (
            ("system_id", len(bind.system_id), SYSTEM_ID),
            ("password", len(bind.password), PASSWORD),
        ):
            if size > most:
                yield (
                    f"carriers[{index}].{key}: is longer than the {most} characters that SMPP has"
                    " room for; it is sent whole, which only some carriers take"
                )


def versions(settings: Settings, _today: date) -> Iterable[str]:
    """Carriers that are to get what their version of SMPP does not have."""
    for index, carrier in enumerate(settings.dispatch.carriers):
        options = carrier.options
        if carrier.binds[0].interface_version < OPTIONAL_PARAMETERS_SINCE and (
            options.tlvs or options.long_messages in ("sar", "payload")
        ):
            key = "tlvs" if options.tlvs else "long_messages"
            yield (
                f"carriers[{index}].{key}: SMPP 3.3 has no optional parameters, and this carrier is"
                " told that we speak it; leave this out, or raise interface_version"
            )


def endless(settings: Settings, _today: date) -> Iterable[str]:
    """Carriers that are not told until when they may deliver."""
    for index, carrier in enumerate(settings.dispatch.carriers):
        if carrier.options.validity_period == "none":
            yield (
                f"carriers[{index}].validity_period: without one the carrier may deliver what has"
                " expired, and in quiet hours; use 'relative' or 'absolute' where it takes them"
            )


def optouts(settings: Settings, _today: date) -> Iterable[str]:
    """Texts from phones that nobody heeds."""
    options = settings.dispatch.policy.optout
    found = chain(optout_advice.silent(options), optout_advice.without_effect(options))
    return (f"policy.optout.{line}" for line in found)


def contents(settings: Settings, _today: date) -> Iterable[str]:
    """Content rules that never apply, and tenants whose texts can hardly pass."""
    dispatch = settings.dispatch
    yield from (f"policy.content.{line}" for line in content_advice.never(dispatch.policy.content))
    places = {tenant.id: number for number, tenant in enumerate(dispatch.tenants)}
    for name, line in content_advice.tenants(dispatch.policy.content, dispatch.policies):
        yield f"tenants[{places[name]}].{line}"


def idle(settings: Settings, _today: date) -> Iterable[str]:
    """Tenants for which no rule holds, and rules about what is not sent, and places that nothing is
    sent to."""
    dispatch = settings.dispatch
    policy, policies = dispatch.policy, dispatch.policies
    sent = {tenant.id: tenant.categories for tenant in dispatch.tenants}
    banned = any(carrier.options.bans for carrier in dispatch.carriers)
    yield from idle_advice.without_rules(policy, policies, sent, banned)
    yield from idle_advice.unsent(policy, policies, sent)
    for index, carrier in enumerate(dispatch.carriers):
        hours, bans = carrier.options.hours, bool(carrier.options.bans)
        kept = hours.categories if hours is not None else ()
        found = idle_advice.unsent_by_any(kept, bans, sent)
        yield from (f"carriers[{index}].{line}" for line in found)
    yield from (f"policy.{line}" for line in idle_advice.nowhere(dispatch.policy))


def optouts_of_tenants(settings: Settings, _today: date) -> Iterable[str]:
    """Tenants that send nothing of what an opt-out stops."""
    stopped = settings.dispatch.policy.optout.categories
    for number, tenant in enumerate(settings.dispatch.tenants):
        if stopped and stopped.isdisjoint(tenant.categories):
            yield (
                f"tenants[{number}].categories: has none of policy.optout.categories, so who opts"
                " out is texted on; name there what the tenant sends"
            )


def frequency(settings: Settings, _today: date) -> Iterable[str]:
    """Caps that never apply or that nothing outlives, and tenants without any."""
    dispatch = settings.dispatch
    caps = dispatch.policy.frequency
    tenants = {tenant.id: tenant.categories for tenant in dispatch.tenants}
    on = {name: policy.frequency for name, policy in dispatch.policies.items()}
    validity = dispatch.tenants[0].validity
    found = chain(caps_advice.never_apply(caps, tenants), caps_advice.outlived(caps, validity))
    yield from (f"policy.frequency{line}" for line in found)
    yield from caps_advice.without(caps, tenants, on)


def consents(settings: Settings, _today: date) -> Iterable[str]:
    """Consent that is required for nothing, or of nobody's messages."""
    options = settings.dispatch.policy.consent
    if not options.require:
        return
    if not options.categories:
        yield (
            "policy.consent.categories: is empty, so nobody's consent is asked for; name what needs"
            " it, or leave require out"
        )
    for number, tenant in enumerate(settings.dispatch.tenants):
        asked = settings.dispatch.policies[tenant.id].consent
        if asked and options.categories and options.categories.isdisjoint(tenant.categories):
            yield (
                f"tenants[{number}].categories: has none of policy.consent.categories, so its"
                " messages need no consent; name there what the tenant sends, or write consent ="
                " false"
            )


def stops_of_signatures(settings: Settings, _today: date) -> Iterable[str]:
    """Tenants whose stops are to be of one signature, and that have none."""
    options = settings.dispatch.policy.optout
    scopes = {"scope": options.scope} | {
        f"regions.{name}.scope": region.scope for name, region in options.regions.items()
    }
    where = next((key for key, scope in scopes.items() if scope == "signature"), None)
    if where is None:
        return
    for number, tenant in enumerate(settings.dispatch.tenants):
        if not settings.dispatch.policies[tenant.id].signatures:
            yield (
                f"tenants[{number}].signatures: is missing where policy.optout.{where} is"
                " 'signature', so a stop is of all its texts; state its signatures, or another"
                " scope"
            )


def in_the_clear(settings: Settings, _today: date) -> Iterable[str]:
    """Addresses that other machines reach, and where everything travels as it is."""
    for number, listen in enumerate(settings.api.listen):
        address = parse_address(listen)
        beyond = isinstance(address, TcpAddress) and not _is_loopback(address.host)
        if beyond and settings.api.tls is None:
            yield (
                f"api.listen[{number}]: {listen} is reached from other machines, and tokens and"
                " texts travel there in the clear; state api.tls, or listen on 127.0.0.1 or a Unix"
                " socket"
            )
    if not admin_host(settings.admin.listen).is_loopback:
        yield (
            f"admin.listen: {settings.admin.listen} is reached from other machines, and its token"
            " travels there in the clear; listen on 127.0.0.1 behind a proxy that speaks TLS"
        )


def senders_without_numbers(settings: Settings, _today: date) -> Iterable[str]:
    """Tenants that send from any number and own none: whose would the texts be?"""
    dispatch = settings.dispatch
    for number, tenant in enumerate(dispatch.tenants):
        if ANY in dispatch.policies[tenant.id].senders and not tenant.numbers:
            yield (
                f"tenants[{number}].numbers: is missing where senders allow any, so texts from"
                " phones, opt-outs too, go by who texted the phone last; list the numbers that"
                " phones can text"
            )


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False  # a name: who knows of what
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def routes(settings: Settings, _today: date) -> Iterable[str]:
    """Routes that never match."""
    tenants = [tenant.id for tenant in settings.dispatch.tenants]
    return route_advice.unreached(settings.dispatch.routes, tenants)


def hygiene(settings: Settings, _today: date) -> Iterable[str]:
    """Destinations that are never texted in any case, and repeats that nobody is spared."""
    dispatch = settings.dispatch
    yield from (
        f"policy.destinations.{line}" for line in destinations.advice(dispatch.policy.destinations)
    )
    for number, tenant in enumerate(dispatch.tenants):
        own = dispatch.policies[tenant.id].destinations
        if own is not None:
            found = chain(
                destinations.advice(own),
                destinations.nothing_left(dispatch.policy.destinations, own),
            )
            yield from (f"tenants[{number}].destinations.{line}" for line in found)
    vocabulary = Vocabulary(dispatch.policy.optout)
    for number, (tenant, keys) in enumerate(
        zip(dispatch.tenants, settings.file.tenants, strict=True)
    ):
        keywords = vocabulary.of(tenant.default_region)
        yield from (
            f"tenants[{number}].{line}"
            for line in conversation.advice(keys.replies, tenant.numbers, keywords.read)
        )
    learns = any(policy.unreachable for policy in dispatch.policies.values())
    if dispatch.policy.unreachable.categories and not learns:
        yield "policy.unreachable: holds for nobody, since every tenant has unreachable = false"
    policy = dispatch.policy
    stated = policy.unreachable.permanent_errors != NO_SUCH_NUMBER
    if stated and not policy.unreachable.categories:
        yield (
            "policy.unreachable.categories: is empty, so permanent_errors teach nothing; name what"
            " is spared"
        )
    yield from _guarded(settings)
    on = any(one.repeats for one in dispatch.policies.values())
    if policy.repeats.per is not None and not on:
        yield "policy.repeats.per: holds for nobody, since every tenant has repeats = false"


def shift_tables(settings: Settings, _today: date) -> Iterable[str]:
    """Shift tables that no route has in common, so that no message is written with them."""
    dispatch = settings.dispatch
    tables = {one.options.id: one.options.shift_tables for one in dispatch.carriers}
    shared = common_tables(routes_or_default(dispatch.routes, list(tables)), tables)
    used = {language for route, some in shared.items() if not is_direct(route) for language in some}
    for index, carrier in enumerate(dispatch.carriers):
        for at, language in enumerate(carrier.options.shift_tables):
            if language not in used:
                yield (
                    f"carriers[{index}].shift_tables[{at}]: {language!r} is never used, for no"
                    " route has only carriers that take it; state it for the others of its route"
                )


def _guarded(settings: Settings) -> Iterable[str]:
    """A guard against traffic pumping that watches nothing, or lets nothing go that it held."""
    dispatch = settings.dispatch
    options, places = dispatch.policy.pumping, dispatch.policy.destinations.watched
    owns = [policy.destinations for policy in dispatch.policies.values()]
    if not places and not any(own is not None and own.watched for own in owns):
        if options != PumpingOptions():
            yield (
                "policy.pumping: watches nothing; name regions or ranges in"
                " policy.destinations.watched"
            )
        return
    for number, tenant in enumerate(dispatch.tenants):
        minutes = tenant.validity["otp"] / 60
        if options.hold_minutes >= minutes:
            yield (
                f"policy.pumping.hold_minutes: {options.hold_minutes} is not below the"
                f" {minutes:g} minutes that one-time passwords of tenants[{number}] live, so what"
                " is held always expires"
            )
            return


CHECKS: Final[tuple[Check, ...]] = (
    store,
    quiet_hours,
    carrier_hours,
    nodes,
    accounts,
    versions,
    endless,
    optouts,
    optouts_of_tenants,
    consents,
    stops_of_signatures,
    frequency,
    contents,
    idle,
    hygiene,
    senders_without_numbers,
    in_the_clear,
    routes,
    shift_tables,
)
"""Every check, in the order in which their lines are printed."""


def found(settings: Settings, today: date) -> list[str]:
    """The warnings about a configuration."""
    return [line for check in CHECKS for line in check(settings, today)]
