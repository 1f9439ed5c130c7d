"""The configuration file as it is written: every key with its type, bounds and default.

``docs/configuration.md`` says what each key means. A default that one of the layers below has is
taken from there. Lists are bounded: each entry costs something for as long as the gateway runs.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.api.address import parse_address
from gateway.api.options import ServerOptions
from gateway.config.reading import meant, rule, secret
from gateway.dispatch.carriers.actions import Kind
from gateway.dispatch.carriers.addresses import NPI, TON
from gateway.dispatch.core import RETENTION
from gateway.dispatch.intake.tenants import MAX_CONSUMERS, VALIDITY
from gateway.dispatch.options import (
    RECEIPT_WAIT,
    CarrierOptions,
    DestForm,
    LongMessages,
    ValidityPeriod,
)
from gateway.dispatch.settling.long_receipts import LongReceipts
from gateway.message import CATEGORIES, Category
from gateway.numbers import check_region
from gateway.ops.admin import AdminOptions
from gateway.ops.logs import Level
from gateway.policy.carrier_hours import CarrierHoursOptions
from gateway.policy.chain import MAX_QUEUED, PolicyOptions
from gateway.policy.content.options import Ban, SignatureOptions
from gateway.policy.conversation import MOST as MAX_REPLIES
from gateway.policy.conversation import ReplyRule
from gateway.policy.destinations import DestinationOptions
from gateway.policy.replies import LONGEST
from gateway.policy.senders import ANY, normalise
from gateway.queue.backends import Backend, Synchronous
from gateway.queue.scheduler import FLOORS, SchedulerOptions, Share
from gateway.queue.store import NODES
from gateway.smpp.options import LONGEST_ACCOUNT, BindOptions
from gateway.smpp.receipt_ids import ReceiptId
from gateway.smpp.receipt_states import StateName
from gateway.smpp.tlv import VENDOR
from gateway.text.reading import ALPHABETS
from gateway.text.shifting import Language

HOUR: Final = 3_600.0
DAY: Final = 86_400.0

_SERVER: Final = ServerOptions()
_ADMIN: Final = AdminOptions()
_SCHEDULER: Final = SchedulerOptions()
_SHARE: Final = Share()
_CARRIER: Final = CarrierOptions(id="")
_BIND: Final = BindOptions(host="", port=0)


def _check_sender(text: str) -> None:
    if text != ANY and normalise(text) is None:
        raise ValueError(
            f"{text[:40]!r} is neither a number, a name of up to 11 letters and digits nor '*'"
        )


def _check_alphabet(name: str) -> None:
    if name not in ALPHABETS:
        known = ", ".join(ALPHABETS)
        raise ValueError(f"{name[:40]!r} is no alphabet{meant(name, ALPHABETS)}; there are {known}")


def admin_host(listen: str) -> IPv4Address | IPv6Address:
    """The host of ``host:port`` as `gateway.ops.admin` takes it. Raises ValueError, saying so."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        if 0 <= int(port) <= 65_535:
            return ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        pass
    raise ValueError(f"{listen[:40]!r} is not an IP address and a port, such as '127.0.0.1:7601'")


def octets(most: int, least: int = 0) -> Meta:
    """Says that a text goes into a C-octet string of SMPP (3.4, sections 4.1.1 and 5.2)."""
    size = f"{least} to {most}" if least else f"up to {most}"
    return Meta(
        pattern=rf"\A[\x01-\xff]{{{least},{most}}}\Z",
        description=f"a text of {size} Latin-1 characters",
    )


PASSWORD: Final = secret(
    f"a text of up to {LONGEST_ACCOUNT} Latin-1 characters",
    rf"\A[\x01-\xff]{{0,{LONGEST_ACCOUNT}}}\Z",
)

Name = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9._-]{1,64}\Z",
        description="a name of 1 to 64 letters, digits, '.', '_' and '-'",
    ),
]
File = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f]+\Z", description="the path of a file")]
Host = Annotated[
    str, Meta(pattern=r"\A[\x21-\x7e]{1,253}\Z", description="a host name or an address")
]
TokenHash = Annotated[
    str,
    secret(
        "the 64 hex digits of a token's SHA-256 (gateway token prints one)", r"\A[0-9a-fA-F]{64}\Z"
    ),
]
Sender = Annotated[str, rule(_check_sender)]
Region = Annotated[str, rule(check_region)]
Number = Annotated[
    str, Meta(pattern=r"\A\+?[0-9]{1,20}\Z", description="a number of up to 20 digits")
]
Prefix = Annotated[
    str, Meta(pattern=r"\A[0-9]{1,15}\Z", description="the leading digits of a number, without +")
]
Title = Annotated[str, Meta(max_length=64, description="a text of up to 64 characters")]
Reply = Annotated[
    str | dict[str, str],
    Meta(description=f"a text of up to {LONGEST} characters, or a table of them"),
]
TypeOfNumber = Annotated[int, Meta(ge=0, le=6)]
NumberingPlan = Annotated[int, Meta(ge=0, le=18)]
Coding = Annotated[int, Meta(ge=0, le=255)]
Rate = Annotated[float, Meta(ge=0, le=100_000)]
Lifetime = Annotated[float, Meta(ge=10, le=2_592_000)]


class ApiTls(Struct, frozen=True):
    cert: File
    key: File
    client_ca: File | None = None


class Api(Struct, frozen=True):
    listen: Annotated[
        tuple[Annotated[str, rule(parse_address)], ...], Meta(min_length=1, max_length=16)
    ] = ("tcp://127.0.0.1:7600",)
    tls: ApiTls | None = None
    max_frame: Annotated[int, Meta(ge=65_536, le=67_108_864)] = _SERVER.max_frame
    max_batch: Annotated[int, Meta(ge=1, le=100_000)] = _SERVER.max_batch
    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = _SERVER.max_in_flight
    max_tenant_bytes: Annotated[int, Meta(ge=65_536, le=4_294_967_296)] = _SERVER.max_tenant_bytes
    max_connections: Annotated[int, Meta(ge=1, le=65_536)] = _SERVER.max_connections
    max_tenant_connections: Annotated[int, Meta(ge=1, le=65_536)] = _SERVER.max_tenant_connections
    max_subscriptions: Annotated[int, Meta(ge=1, le=1000)] = _SERVER.max_subscriptions
    hello_timeout: Annotated[float, Meta(ge=1, le=300)] = _SERVER.hello_timeout
    idle_timeout: Annotated[float, Meta(ge=1, le=86_400)] = _SERVER.idle_timeout
    send_timeout: Annotated[float, Meta(ge=1, le=3600)] = _SERVER.send_timeout
    refusal_delay: Annotated[float, Meta(ge=0, le=10)] = _SERVER.refusal_delay


class AdminToken(Struct, frozen=True):
    name: Name
    role: Literal["viewer", "operator", "compliance", "admin"]
    token_sha256: TokenHash


class Admin(Struct, frozen=True):
    listen: Annotated[str, rule(admin_host)] = _ADMIN.listen
    token_sha256: Annotated[tuple[TokenHash, ...], Meta(max_length=16)] = _ADMIN.token_sha256
    tokens: Annotated[tuple[AdminToken, ...], Meta(max_length=256)] = ()


class Validity(Struct, frozen=True):
    otp: Lifetime = VALIDITY["otp"]
    transactional: Lifetime = VALIDITY["transactional"]
    marketing: Lifetime = VALIDITY["marketing"]


class Queue(Struct, frozen=True):
    backend: Backend = "sqlite"
    path: File = "var/gateway.db"
    dsn: Annotated[str, secret("a connection string")] | None = None
    dsn_env: Annotated[str, secret("the name of an environment variable")] | None = None
    dsn_file: Annotated[str, secret("the path of a file")] | None = None
    node: Name | None = None
    nodes: Annotated[int, Meta(ge=1, le=NODES)] = 1
    synchronous: Synchronous = "commit"
    # A consumer that was away over a weekend still finds its events.
    retention_days: Annotated[float, Meta(ge=3, le=3650)] = RETENTION / DAY
    validity: Validity = Validity()


class Octets(Struct, frozen=True):
    hex: Annotated[
        str,
        Meta(pattern=r"\A(?:[0-9A-Fa-f]{2})*\Z", description="octets as pairs of hex digits"),
    ]


Parameters = dict[
    str, Annotated[str | Octets, Meta(description='a text, or a table with hex = "01ff"')]
]


class Tenant(Struct, frozen=True, kw_only=True):
    id: Name
    name: Title | None = None
    token_sha256: Annotated[tuple[TokenHash, ...], Meta(max_length=16)]
    rate: Rate = _SHARE.rate
    burst: Annotated[float, Meta(ge=0, le=1_000_000)] = _SHARE.burst
    weight: Annotated[float, Meta(ge=0.01, le=1000)] = _SHARE.weight
    max_queued: Annotated[int, Meta(ge=1, le=100_000_000)] = MAX_QUEUED
    max_consumers: Annotated[int, Meta(ge=1, le=10_000)] = MAX_CONSUMERS
    senders: Annotated[tuple[Sender, ...], Meta(min_length=1, max_length=1000)]
    numbers: Annotated[tuple[Number, ...], Meta(max_length=1000)] | None = None
    default_region: Region | None = None
    category: Category = "marketing"
    categories: Annotated[tuple[Category, ...], Meta(min_length=1, max_length=3)] = CATEGORIES
    quiet_hours: bool = True
    frequency: bool = True
    repeats: bool = True
    unreachable: bool = True
    destinations: DestinationOptions | None = None
    content: bool = True
    domains: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    signatures: Annotated[tuple[SignatureOptions, ...], Meta(max_length=100)] = ()
    consent: bool = True
    templates: Literal["any", "approved"] = "any"
    smart_encoding: bool = False
    balance: Annotated[float, Meta(ge=0, le=1_000_000_000)] | None = None
    quota: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    confirmation: Reply | None = None
    welcome: Reply | None = None
    still_out: Reply | None = None
    help: Reply = ""
    replies: Annotated[tuple[ReplyRule, ...], Meta(max_length=MAX_REPLIES)] = ()
    question: Reply = ""
    tlvs: Parameters = {}


class Floors(Struct, frozen=True):
    transactional: Annotated[float, Meta(ge=0, le=0.5)] = FLOORS["transactional"]
    marketing: Annotated[float, Meta(ge=0, le=0.5)] = FLOORS["marketing"]


class Scheduler(Struct, frozen=True):
    floors: Floors = Floors()
    quantum: Annotated[int, Meta(ge=1, le=10_000)] = _SCHEDULER.quantum


class CarrierTls(Struct, frozen=True):
    ca: File | None = None
    server_name: Host | None = None
    cert: File | None = None
    key: File | None = None


class StatusAction(Struct, frozen=True):
    do: Kind
    delay: Annotated[float, Meta(ge=0.1, le=3600)] = 10.0
    tries: Annotated[int, Meta(ge=0, le=1000)] = 2
    slows: bool = False


class SourceTon(Struct, frozen=True):
    international: TypeOfNumber = TON.international
    national: TypeOfNumber = TON.national
    alphanumeric: TypeOfNumber = TON.alphanumeric
    short_code: TypeOfNumber = TON.short_code


class SourceNpi(Struct, frozen=True):
    international: NumberingPlan = NPI.international
    national: NumberingPlan = NPI.national
    alphanumeric: NumberingPlan = NPI.alphanumeric
    short_code: NumberingPlan = NPI.short_code


class DestTon(Struct, frozen=True):
    international: TypeOfNumber = TON.international
    national: TypeOfNumber = TON.national


class DestNpi(Struct, frozen=True):
    international: NumberingPlan = NPI.international
    national: NumberingPlan = NPI.national


_TYPES: Final = "a number between 0 and 6, or a table of them by kind of address"
_PLANS: Final = "a number between 0 and 18, or a table of them by kind of address"


class Carrier(Struct, frozen=True, kw_only=True):
    id: Name
    host: Host
    port: Annotated[int, Meta(ge=1, le=65_535)] = 2775
    system_id: Annotated[str, octets(LONGEST_ACCOUNT, least=1)]
    password: Annotated[str, PASSWORD] | None = None
    password_env: Annotated[str, secret("the name of an environment variable")] | None = None
    password_file: Annotated[str, secret("the path of a file")] | None = None
    bind: Literal["transceiver", "separate"] = "transceiver"
    binds: Annotated[int, Meta(ge=1, le=100)] = 1
    window: Annotated[int, Meta(ge=1, le=10_000)] = 64
    rate: Rate = _CARRIER.rate
    tls: Annotated[bool | CarrierTls, Meta(description="true, false or a table")] = False
    enquire_link: Annotated[float, Meta(ge=1, le=3600)] = _BIND.enquire_link
    response_timeout: Annotated[float, Meta(ge=1, le=600)] = _BIND.response_timeout
    unanswered: Literal["resend", "unknown"] = _CARRIER.unanswered
    statuses: dict[
        str, Annotated[Kind | StatusAction, Meta(description="wait, other, refuse or a table")]
    ] = {}
    receipt_id: ReceiptId = _CARRIER.receipt_id
    long_receipts: LongReceipts = _CARRIER.long_receipts
    long_messages: LongMessages = _CARRIER.long_messages
    shift_tables: tuple[Language, ...] = _CARRIER.shift_tables
    receipt_states: dict[str, StateName] = {}
    receipt_wait_hours: Annotated[float, Meta(ge=1, le=720)] = RECEIPT_WAIT / HOUR
    accepted_is_delivered: bool = _CARRIER.accepted_is_delivered
    alphabet: Literal["gsm7", "latin1"] = _CARRIER.alphabet
    gsm7_coding: Coding = _CARRIER.gsm7_coding
    latin1_coding: Coding = _CARRIER.latin1_coding
    ucs2_coding: Coding = _CARRIER.ucs2_coding
    inbound_codings: dict[str, Annotated[str, rule(_check_alphabet)]] = {}
    interface_version: Annotated[
        Literal[0x33, 0x34, 0x50], Meta(description="0x33, 0x34 or 0x50 (SMPP 3.3, 3.4 or 5.0)")
    ] = 0x34
    system_type: Annotated[str, octets(12)] = _BIND.system_type
    service_type: Annotated[str, octets(5)] = _CARRIER.service_type
    address_range: Annotated[str, octets(40)] = _BIND.address_range
    address_ton: TypeOfNumber = _BIND.addr_ton
    address_npi: NumberingPlan = _BIND.addr_npi
    source_ton: Annotated[TypeOfNumber | SourceTon, Meta(description=_TYPES)] | None = None
    source_npi: Annotated[NumberingPlan | SourceNpi, Meta(description=_PLANS)] | None = None
    dest_ton: Annotated[TypeOfNumber | DestTon, Meta(description=_TYPES)] | None = None
    dest_npi: Annotated[NumberingPlan | DestNpi, Meta(description=_PLANS)] | None = None
    country_code: Annotated[
        str, Meta(pattern=r"\A[0-9]{0,4}\Z", description="the digits of a country code")
    ] = _CARRIER.country_code
    dest_form: DestForm = _CARRIER.dest_form
    trunk_prefix: Annotated[
        str, Meta(pattern=r"\A[0-9]{0,4}\Z", description="up to 4 digits, such as '0'")
    ] = _CARRIER.trunk_prefix
    validity_period: ValidityPeriod = _CARRIER.validity_period
    min_validity: Annotated[float, Meta(ge=0, le=86_400)] = _CARRIER.min_validity
    tlvs: Parameters = {}
    hours: CarrierHoursOptions | None = None
    bans: tuple[Ban, ...] = ()
    template_tlv: Annotated[int, Meta(ge=VENDOR.start, le=VENDOR[-1])] | None = None


class Match(Struct, frozen=True):
    prefix: Annotated[tuple[Prefix, ...], Meta(max_length=10_000)] = ()
    category: tuple[Category, ...] = ()
    tenant: tuple[str, ...] = ()


class RouteShare(Struct, frozen=True):
    id: str
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class Route(Struct, frozen=True, kw_only=True):
    name: Name | None = None
    match: Match = Match()
    carriers: Annotated[tuple[RouteShare, ...], Meta(min_length=1, max_length=100)]
    backup: Annotated[tuple[str, ...], Meta(max_length=100)] = ()


class Log(Struct, frozen=True):
    level: Level = "info"


class Keys(Struct, frozen=True, kw_only=True):
    """The whole file."""

    api: Api = Api()
    admin: Admin = Admin()
    queue: Queue = Queue()
    tenants: Annotated[tuple[Tenant, ...], Meta(min_length=1, max_length=10_000)]
    policy: PolicyOptions = PolicyOptions()
    scheduler: Scheduler = Scheduler()
    carriers: Annotated[tuple[Carrier, ...], Meta(min_length=1, max_length=1000)]
    routes: Annotated[tuple[Route, ...], Meta(max_length=10_000)] = ()
    log: Log = Log()
