"""From keys to settings, with the checks that take more than one key to make."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import convert, structs

from gateway.api.listen import server_context
from gateway.api.options import ServerOptions, TlsOptions
from gateway.config import carriers, content, files, keys, stores
from gateway.config.reading import Faults, below, meant
from gateway.config.settings import ApiSettings, Settings
from gateway.dispatch.carriers.fleet import CarrierSettings
from gateway.dispatch.core import DispatchOptions
from gateway.dispatch.intake.tenants import TenantOptions
from gateway.dispatch.release.routing import (
    DEFAULT_ROUTE,
    CarrierShare,
    Match,
    RouteOptions,
    named_by_content,
)
from gateway.errors import ConfigError
from gateway.message import Category
from gateway.ops.admin import NAMELESS, AdminOptions, AdminToken
from gateway.policy import chain, conversation
from gateway.policy.conversation import Conversation
from gateway.policy.replies import problems
from gateway.policy.senders import ANY, default_sender, normalise
from gateway.queue.scheduler import SchedulerOptions, Share


def build(file: keys.Keys, environ: Mapping[str, str], faults: Faults) -> Settings:
    """The settings that a file comes to; of no use where faults were found."""
    policy = _policy_of_all(file, faults)
    for problem in policy.problems():
        # What could not be read is not missing as well.
        if not faults.at(f"policy.{problem.partition(': ')[0]}"):
            faults.add("", f"policy.{problem}")
    named = (
        (f"policy.frequency[{i}].tenants[{j}]", tenant)
        for i, cap in enumerate(file.policy.frequency)
        for j, tenant in enumerate(cap.tenants)
    )
    _known(named, {tenant.id for tenant in file.tenants}, "tenant", faults)
    return Settings(
        api=_api(file.api, faults),
        admin=_admin(file.admin, faults),
        queue=stores.build(file.queue, environ, faults),
        dispatch=DispatchOptions(
            tenants=_tenants(file, faults),
            policy=policy,
            policies={tenant.id: _policy(tenant) for tenant in file.tenants},
            scheduler=_scheduler(file),
            carriers=_carriers(file, environ, faults),
            routes=_routes(file, faults),
            retention=file.queue.retention_days * keys.DAY,
        ),
        log=file.log.level,
        file=file,
    )


def _unique(values: Iterable[tuple[str, str]], faults: Faults, rule: str) -> None:
    """Each value, given with its path, is to be there once. Values are not shown: some are secret.
    Empty ones stand in for what could not be read."""
    first: dict[str, str] = {}
    for where, value in values:
        earlier = first.setdefault(value, where)
        if value and earlier != where:
            faults.add(where, f"the same as {earlier}; {rule}")


def _known(values: Iterable[tuple[str, str]], ids: set[str], what: str, faults: Faults) -> None:
    """Each value, given with its path, is to be one of ``ids``."""
    for where, value in values:
        if value and value not in ids:
            faults.add(where, f"there is no {what} {value[:64]!r}{meant(value, ids)}")


# --- tenants ---


def _tenants(file: keys.Keys, faults: Faults) -> list[TenantOptions]:
    tenants = [(f"tenants[{i}]", tenant) for i, tenant in enumerate(file.tenants)]
    ids = ((f"{where}.id", tenant.id) for where, tenant in tenants)
    _unique(ids, faults, "every tenant has an id of its own")
    for where, tenant in tenants:
        if tenant.category not in tenant.categories:
            faults.add(
                f"{where}.category",
                f"{tenant.category!r} is not among the tenant's categories: add it there, or name "
                f"one of them: {', '.join(tenant.categories)}",
            )
    tokens = (
        (f"{where}.token_sha256[{i}]", token.lower())
        for where, tenant in tenants
        for i, token in enumerate(tenant.token_sha256)
    )
    _unique(tokens, faults, "a token stands for one tenant")
    validity: dict[Category, float] = {
        "otp": file.queue.validity.otp,
        "transactional": file.queue.validity.transactional,
        "marketing": file.queue.validity.marketing,
    }
    carrier_ids = {carrier.id for carrier in file.carriers}
    for where, tenant in tenants:
        _check_answers(where, tenant, faults)
        for problem in conversation.problems(tenant.replies):
            faults.add("", f"{where}.{problem}")
        if tenant.destinations is not None:
            for problem in tenant.destinations.problems():
                faults.add("", f"{where}.destinations.{problem}")
        content.check_tenant(where, tenant, carrier_ids, faults)
    return [
        TenantOptions(
            id=tenant.id,
            token_sha256=tuple(bytes.fromhex(token) for token in tenant.token_sha256),
            category=tenant.category,
            categories=frozenset(tenant.categories),
            sender=default_sender(tenant.senders),
            default_region=tenant.default_region,
            max_consumers=tenant.max_consumers,
            numbers=numbers,
            names=_names(tenant),
            validity=validity,
            confirmation=tenant.confirmation,
            welcome=tenant.welcome,
            still_out=tenant.still_out,
            help=tenant.help,
            replies=Conversation(tenant.replies) if tenant.replies else None,
            question=tenant.question,
            tlvs=carriers.parameters(tenant.tlvs, f"{where}.tlvs", faults),
        )
        for (where, tenant), numbers in zip(tenants, _numbers(tenants, faults), strict=True)
    ]


def _policy(tenant: keys.Tenant) -> chain.TenantOptions:
    return chain.TenantOptions(
        senders=tenant.senders,
        max_queued=tenant.max_queued,
        quiet_hours=tenant.quiet_hours,
        frequency=tenant.frequency,
        repeats=tenant.repeats,
        unreachable=tenant.unreachable,
        destinations=tenant.destinations,
        content=tenant.content,
        domains=tenant.domains,
        signatures=tenant.signatures,
        consent=tenant.consent,
        templates=tenant.templates,
        smart_encoding=tenant.smart_encoding,
        balance=tenant.balance,
        quota=tenant.quota,
    )


def _policy_of_all(file: keys.Keys, faults: Faults) -> chain.PolicyOptions:
    """``[policy]`` with the words of the files that it names."""
    carrier_ids = {carrier.id for carrier in file.carriers}
    found = content.loaded(file.policy.content, carrier_ids, faults)
    price = file.policy.price
    for problem in price.problems([carrier.id for carrier in file.carriers]):
        faults.add("", f"policy.price.{problem}")
    for index, tenant in enumerate(file.tenants):
        if tenant.balance is not None and not price.tariffs:
            faults.add(
                f"tenants[{index}].balance",
                "is there and no prices are: add policy.price.tariffs, or give a quota of parts",
            )
    return structs.replace(file.policy, content=found)


def _scheduler(file: keys.Keys) -> SchedulerOptions:
    floors = file.scheduler.floors
    return SchedulerOptions(
        shares={
            tenant.id: Share(tenant.weight, tenant.rate, tenant.burst) for tenant in file.tenants
        },
        floors={"transactional": floors.transactional, "marketing": floors.marketing},
        quantum=file.scheduler.quantum,
    )


def _names(tenant: keys.Tenant) -> tuple[str, ...]:
    """What recipients may call a tenant: its name, its id and the names that it sends from."""
    senders = (normalise(sender) or "" for sender in tenant.senders if sender != ANY)
    words = (sender for sender in senders if not sender.isdigit())
    return tuple(dict.fromkeys(filter(None, (tenant.name, tenant.id, *words))))


def _check_answers(where: str, tenant: keys.Tenant, faults: Faults) -> None:
    for key in ("confirmation", "welcome", "still_out", "help", "question"):
        for name, problem in problems(getattr(tenant, key)):
            faults.add(below(f"{where}.{key}", name) if name else f"{where}.{key}", problem)


def _numbers(tenants: Sequence[tuple[str, keys.Tenant]], faults: Faults) -> list[frozenset[str]]:
    """The numbers of each tenant: those it states, else its senders that are numbers, but for
    those that another tenant states."""
    stated = [
        (f"{where}.numbers[{i}]", number.removeprefix("+"))
        for where, tenant in tenants
        for i, number in enumerate(tenant.numbers or ())
    ]
    _unique(stated, faults, "a number has one owner")
    taken = {number for _, number in stated}
    owned = []
    by_default = []
    for where, tenant in tenants:
        if tenant.numbers is not None:
            owned.append(frozenset(number.removeprefix("+") for number in tenant.numbers))
            continue
        places = {
            number: f"{where}.senders[{i}]"
            for i, sender in enumerate(tenant.senders)
            if (number := normalise(sender) or "").isdigit() and number not in taken
        }
        by_default += [(place, number) for number, place in places.items()]
        owned.append(frozenset(places))
    _unique(by_default, faults, "state in `numbers` which tenant gets what phones send to it")
    return owned


# --- carriers and routes ---


def _carriers(file: keys.Keys, environ: Mapping[str, str], faults: Faults) -> list[CarrierSettings]:
    places = [(f"carriers[{i}]", carrier) for i, carrier in enumerate(file.carriers)]
    ids = ((f"{where}.id", carrier.id) for where, carrier in places)
    _unique(ids, faults, "every carrier has an id of its own")
    return [carriers.build(carrier, where, environ, faults) for where, carrier in places]


def _routes(file: keys.Keys, faults: Faults) -> list[RouteOptions]:
    carrier_ids = {carrier.id for carrier in file.carriers}
    tenant_ids = {tenant.id for tenant in file.tenants}
    names = [
        (f"routes[{number}].name", route.name or "") for number, route in enumerate(file.routes)
    ]
    unnamed: Counter[str] = Counter()
    routes = []
    for number, route in enumerate(file.routes):
        where = f"routes[{number}]"
        match = Match(
            prefix=list(route.match.prefix),
            category=list(route.match.category),
            tenant=list(route.match.tenant),
        )
        name = route.name or named_by_content(match)
        if not route.name:
            unnamed[name] += 1
            if unnamed[name] > 1:  # it never matches, of which there is a warning
                name += f" ({unnamed[name]})"
        shares = [(f"{where}.carriers[{i}].id", share.id) for i, share in enumerate(route.carriers)]
        backup = [(f"{where}.backup[{i}]", carrier) for i, carrier in enumerate(route.backup)]
        tenants = [(f"{where}.match.tenant[{i}]", t) for i, t in enumerate(route.match.tenant)]
        _known(shares + backup, carrier_ids, "carrier", faults)
        _known(tenants, tenant_ids, "tenant", faults)
        _unique(shares + backup, faults, "a route names a carrier once")
        routes.append(
            RouteOptions(
                name=name,
                carriers=[CarrierShare(share.id, share.weight) for share in route.carriers],
                match=match,
                backup=list(route.backup),
            )
        )
    _unique([one for one in names if one[1]], faults, "every route has a name of its own")
    for where, name in names:
        if name == DEFAULT_ROUTE:
            faults.add(where, f"{name!r} is what the route is called that is there without any")
    return routes


# --- the rest ---


def _api(api: keys.Api, faults: Faults) -> ApiSettings:
    listen = [(f"api.listen[{i}]", address) for i, address in enumerate(api.listen)]
    _unique(listen, faults, "an address can be used once")
    if api.max_tenant_bytes < api.max_frame:
        faults.add("api.max_tenant_bytes", f"{api.max_tenant_bytes} is less than api.max_frame")
    return ApiSettings(
        listen=api.listen,
        tls=_api_tls(api.tls, faults) if api.tls is not None else None,
        limits=convert(api, ServerOptions, from_attributes=True),
    )


def _api_tls(tls: keys.ApiTls, faults: Faults) -> TlsOptions:
    options = TlsOptions(tls.cert, tls.key, tls.client_ca)
    before = len(faults.lines)
    files.read(tls.cert, "api.tls.cert", faults)
    files.read_key(tls.key, "api.tls.key", faults)
    files.read(tls.client_ca, "api.tls.client_ca", faults)
    if len(faults.lines) == before:
        try:
            server_context(options)
        except ConfigError as error:
            for line in error.errors:
                faults.add("", line)
    return options


def _admin(admin: keys.Admin, faults: Faults) -> AdminOptions:
    named = [(f"admin.tokens[{i}]", one) for i, one in enumerate(admin.tokens)]
    names = [(f"{where}.name", one.name) for where, one in named]
    if admin.token_sha256:
        names.insert(0, ("admin.token_sha256", NAMELESS))
    _unique(names, faults, "every token has a name of its own, for the audit")
    tokens = [
        (f"admin.token_sha256[{i}]", token.lower()) for i, token in enumerate(admin.token_sha256)
    ]
    tokens += [(f"{where}.token_sha256", one.token_sha256.lower()) for where, one in named]
    _unique(tokens, faults, "a token has one role")
    if not tokens and not keys.admin_host(admin.listen).is_loopback:
        faults.add(
            "admin.token_sha256",
            f"is missing; it is needed because other machines can reach {admin.listen}",
        )
    return AdminOptions(
        admin.listen,
        admin.token_sha256,
        tuple(AdminToken(one.name, one.role, one.token_sha256) for one in admin.tokens),
    )
