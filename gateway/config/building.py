"""From keys to settings, with the checks that take more than one key to make."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from msgspec import convert

from gateway.api.address import TcpAddress, parse_address
from gateway.api.listen import server_context
from gateway.api.options import ServerOptions, TlsOptions
from gateway.config import carriers, files, keys
from gateway.config.reading import Faults, meant
from gateway.config.settings import AdminSettings, ApiSettings, Settings
from gateway.dispatch.core import DispatchOptions
from gateway.dispatch.routing import DEFAULT_ROUTE, CarrierShare, Match, RouteOptions
from gateway.dispatch.tenants import TenantOptions
from gateway.errors import ConfigError
from gateway.message import Category
from gateway.policy import chain
from gateway.policy.senders import ANY, default_sender, normalise
from gateway.queue.scheduler import SchedulerOptions, Share


def build(file: keys.Keys, environ: Mapping[str, str], faults: Faults) -> Settings:
    """The settings that a file comes to; of no use where faults were found."""
    for problem in file.policy.problems():
        faults.add("", f"policy.{problem}")
    dispatch = DispatchOptions(
        tenants=_tenants(file, faults),
        policy=file.policy,
        policies={
            tenant.id: chain.TenantOptions(
                senders=tenant.senders,
                max_queued=tenant.max_queued,
                quiet_hours=tenant.quiet_hours,
            )
            for tenant in file.tenants
        },
        scheduler=SchedulerOptions(
            shares={
                tenant.id: Share(tenant.weight, tenant.rate, tenant.burst)
                for tenant in file.tenants
            },
            floors={
                "transactional": file.scheduler.floors.transactional,
                "marketing": file.scheduler.floors.marketing,
            },
            quantum=file.scheduler.quantum,
        ),
        carriers=[
            carriers.build(carrier, f"carriers[{i}]", environ, faults)
            for i, carrier in enumerate(file.carriers)
        ],
        routes=_routes(file, faults),
        retention=file.queue.retention_days * keys.DAY,
    )
    ids = ((f"carriers[{i}].id", carrier.id) for i, carrier in enumerate(file.carriers))
    _unique(ids, faults, "every carrier has an id of its own")
    return Settings(
        api=_api(file.api, faults),
        admin=_admin(file.admin, faults),
        queue=file.queue.path,
        dispatch=dispatch,
        log=file.log.level,
    )


def _unique(values: Iterable[tuple[str, str]], faults: Faults, rule: str) -> None:
    """Each value, given with its path, is to be there once. Values are not shown: some are secret.
    Empty ones stand in for what could not be read."""
    first: dict[str, str] = {}
    for where, value in values:
        earlier = first.setdefault(value, where)
        if value and earlier != where:
            faults.add(where, f"the same as {earlier}; {rule}")


def _known(values: Iterable[tuple[str, str]], ids: Iterable[str], what: str, faults: Faults) -> None:
    """Each value, given with its path, is to be one of ``ids``."""
    ids = frozenset(ids)
    for where, value in values:
        if value and value not in ids:
            faults.add(where, f"there is no {what} {value[:64]!r}{meant(value, ids)}")


# --- tenants ---


def _tenants(file: keys.Keys, faults: Faults) -> list[TenantOptions]:
    tenants = [(f"tenants[{i}]", tenant) for i, tenant in enumerate(file.tenants)]
    ids = ((f"{where}.id", tenant.id) for where, tenant in tenants)
    _unique(ids, faults, "every tenant has an id of its own")
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
    return [
        TenantOptions(
            id=tenant.id,
            token_sha256=tuple(bytes.fromhex(token) for token in tenant.token_sha256),
            category=tenant.category,
            sender=default_sender(tenant.senders),
            numbers=numbers,
            validity=validity,
            confirmation=_confirmation(tenant),
            help=tenant.help,
        )
        for (_, tenant), numbers in zip(tenants, _numbers(tenants, faults), strict=True)
    ]


def _confirmation(tenant: keys.Tenant) -> str:
    if tenant.confirmation is not None:
        return tenant.confirmation
    return f"{tenant.name or tenant.id}: you have opted out and will get no more messages."


def _numbers(
    tenants: Sequence[tuple[str, keys.Tenant]], faults: Faults
) -> list[frozenset[str]]:
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
            own = {number.removeprefix("+") for number in tenant.numbers}
        else:
            senders = {normalise(sender) or "" for sender in tenant.senders if sender != ANY}
            own = {sender for sender in senders if sender.isdigit()} - taken
            by_default += [(f"{where}.senders", number) for number in sorted(own)]
        owned.append(frozenset(own))
    _unique(by_default, faults, "state in `numbers` who gets what phones send to it")
    return owned
