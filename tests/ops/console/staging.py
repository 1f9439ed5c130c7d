"""What the console's tests show in it: operations that answer with views put there, and note what
they are told to do; and the console served over a real socket."""

import hashlib
import html
import http.client
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlencode

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import ASGIFramework
from msgspec.structs import replace
from starlette.applications import Starlette

from gateway.ops.admin.gate import Gate
from gateway.ops.admin.options import AdminOptions, AdminToken
from gateway.ops.admin.patience import Patience
from gateway.ops.commands import Cancel, Command, SendTest
from gateway.ops.console.pages import Console
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Caller, Queues, Role
from gateway.ops.problems import ProblemError
from gateway.ops.views import (
    AuditRecord,
    BindView,
    CampaignView,
    CarrierView,
    ConsumerView,
    Diff,
    Done,
    ExpiryView,
    Finding,
    LatencyView,
    MessagePage,
    MessageView,
    NodeView,
    OptoutView,
    Overview,
    PauseView,
    PersonView,
    PolicyView,
    QueueView,
    RateView,
    ReachHour,
    ReachView,
    RuleView,
    SentView,
    SpreadView,
    Step,
    SystemView,
    Target,
    TenantRuleView,
    TenantView,
)

NOW: Final = 1_794_363_600.0
"""11 November 2026, 03:00 in Berlin."""

TOKENS: Final[dict[Role, str]] = {
    "viewer": "see",
    "operator": "steer",
    "compliance": "comply",
    "admin": "do-everything",
}

OPTIONS: Final = AdminOptions(
    "127.0.0.1:0",
    tokens=tuple(
        AdminToken(role, role, hashlib.sha256(token.encode()).hexdigest())
        for role, token in TOKENS.items()
    ),
)
FREE: Final = AdminOptions("127.0.0.1:0")


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Staged:
    """Operations that answer with what was put here."""

    def __init__(self) -> None:
        self.calm = Overview(
            at=NOW,
            version="1.0",
            started_at=NOW - 90_000,
            digest="3f9c2a7e5b1d4c68",
            loaded_at=NOW - 8_000,
            well=True,
            findings=(),
            queued=0,
            deferred=0,
            sent=0,
            oldest_seconds=None,
            unanswered_seconds=None,
            receipt_seconds=None,
            carriers=2,
            carriers_up=2,
            binds=4,
            binds_up=4,
            pauses=0,
        )
        self.seen = replace(
            self.calm,
            well=False,
            findings=FINDINGS,
            queued=12_722,
            deferred=4_100,
            sent=381,
            oldest_seconds=185.0,
            unanswered_seconds=0.4,
            receipt_seconds=480.0,
            carriers_up=1,
            binds_up=2,
            pauses=1,
        )
        self.carrier_views: list[CarrierView] = [ALPHA, BETA, GAMMA]
        self.reach_views: list[ReachView] = list(REACH)
        self.policy_view = POLICY
        self.system_view = SYSTEM
        self.queue_views: list[QueueView] = list(QUEUES)
        self.tenant_views: list[TenantView] = list(TENANTS)
        self.campaign_views: list[CampaignView] = list(CAMPAIGNS)
        self.consumer_views: list[ConsumerView] = list(CONSUMERS)
        self.node_views: list[NodeView] = list(NODES)
        self.message_views: dict[str, MessageView] = {MESSAGE.id: MESSAGE}
        self.optout_views: list[OptoutView] = list(OPTOUTS)
        self.pause_views: list[PauseView] = [PAUSE]
        self.records: list[AuditRecord] = list(RECORDS)
        self.told: list[tuple[Command, Caller]] = []
        self.matching = 12_310
        self.refusal: ProblemError | None = None
        self.stuck = False
        self.asked = 0

    async def overview(self, queues: Queues = None) -> Overview:
        self.asked += 1
        if self.stuck:
            raise ProblemError("store_stuck", "the store does not answer")
        return self.seen

    async def carriers(self) -> Sequence[CarrierView]:
        return self.carrier_views

    async def reach(self) -> Sequence[ReachView]:
        return self.reach_views

    async def policy(self) -> PolicyView:
        return self.policy_view

    async def system(self) -> SystemView:
        return self.system_view

    async def queues(self) -> Sequence[QueueView]:
        return self.queue_views

    async def sent(self) -> Sequence[SentView]:
        return SENT

    async def tenants(self, queues: Queues = None) -> Sequence[TenantView]:
        return self.tenant_views

    async def campaigns(self, tenant: str | None, hours: int) -> Sequence[CampaignView]:
        return [one for one in self.campaign_views if tenant in (None, one.tenant)]

    async def consumers(self) -> Sequence[ConsumerView]:
        return self.consumer_views

    async def nodes(self) -> Sequence[NodeView]:
        return self.node_views

    async def message(self, identifier: str) -> MessageView:
        if identifier not in self.message_views:
            raise ProblemError("not_found", f"no message is called {identifier!r}")
        return self.message_views[identifier]

    async def messages(self, number: str, after: str | None) -> MessagePage:
        found = [one for one in self.message_views.values() if one.to == number.lstrip("+")]
        return MessagePage(messages=tuple(found), next=None)

    async def person(self, number: str) -> PersonView:
        held = tuple(one for one in self.optout_views if one.number == number.lstrip("+"))
        return PersonView(number=number.lstrip("+"), optouts=held, consents=())

    async def optouts(self, tenant: str | None, after: str) -> Sequence[OptoutView]:
        return [one for one in self.optout_views if one.tenant == tenant and one.number > after]

    async def pauses(self, queues: Queues = None) -> Sequence[PauseView]:
        return self.pause_views

    async def diff(self) -> Diff:
        return Diff(running="a", file="b", made=("tenants.acme.rate",), waiting=(), errors=())

    async def audit(self, before: int | None, limit: int) -> Sequence[AuditRecord]:
        return [one for one in self.records if before is None or one.id < before][:limit]

    async def do(self, command: Command, caller: Caller) -> Done:
        if self.refusal is not None:
            raise self.refusal
        if isinstance(command, Cancel) and command.confirm is None:
            return Done(verb="cancel", subject=command.subject, messages=self.matching)
        if isinstance(command, Cancel) and command.confirm != self.matching:
            detail = f"it would be {self.matching} messages now, not {command.confirm}"
            raise ProblemError("changed", detail, messages=self.matching)
        self.told.append((command, caller))
        after = {"message_id": MESSAGE.id} if isinstance(command, SendTest) else {}
        return Done(verb=command.verb, subject=command.subject, after=after)


PAUSE: Final = PauseView(
    target=Target("campaign", "singles-day", "acme"),
    by="night shift",
    at=NOW - 900,
    until=NOW + 2_700,
    why="wrong price in the text",
    held=4_212,
)

FINDINGS: Final = (
    Finding(
        kind="carrier_down",
        severity="critical",
        subject="carrier alpha",
        what="0 of 2 binds up for 4 min",
        messages=12_310,
        oldest_seconds=185.0,
        safe="nothing is lost; what was unanswered goes out again, marked",
        do="see why it refuses below, or pause it and let its routes' backups take over",
        verb="/rebind",
        runbook="CarrierDown",
    ),
    Finding(
        kind="tenant_rate",
        severity="warning",
        subject="tenant acme",
        what="its own rate of 50 parts a second is what holds its messages",
        messages=412,
        oldest_seconds=41.0,
        safe="other tenants are not slowed",
        do="leave it, or raise tenants.acme.rate and reload",
        runbook="TenantAtItsRate",
    ),
)


def bind(name: str, state: Any = "bound", error: str | None = None) -> BindView:
    return BindView(
        name=name,
        carrier=name.partition("/")[0],
        mode="transceiver",
        state=state,
        since=NOW - 240,
        error=error,
        error_at=NOW - 12 if error else None,
        window=64,
        in_use=17 if state == "bound" else 0,
        peer="smsc-7" if state == "bound" else "",
    )


BETA: Final = CarrierView(
    id="beta",
    address="smsc.beta.example:2775",
    state="up",
    since=NOW - 86_000,
    error=None,
    pause=None,
    binds=(bind("beta/1"), bind("beta/2")),
    binds_up=2,
    routes=("default", "china"),
    window=128,
    in_use=34,
    rate_stated=200.0,
    rate=200.0,
    rate_found=False,
    rate_set=RateView(rate=120.0, by="night shift", at=NOW - 600, until=NOW + 3_000),
    throttled_since=None,
    statuses={"ESME_ROK": 98_112, "ESME_RTHROTTLED": 412, "ESME_RSYSERR": 12},
    receipts={"DELIVRD": 91_000, "UNDELIV": 3_100, "EXPIRED": 240, "REJECTD": 11},
    receipts_silent_seconds=2.0,
    receipt_seconds=4.1,
    receipts_parked=3,
    receipts_owed=4_711,
    receipts_unmatched=17,
    response=SpreadView(count=9_000, median=0.18, p90=0.4, p99=2.4),
    binds_lost=3,
    torn=0,
    waiting=381,
)
ALPHA: Final = replace(
    BETA,
    id="alpha",
    address="smsc.alpha.example:2776",
    state="down",
    since=NOW - 240,
    error="bind refused: ESME_RINVPASWD",
    binds=(
        bind("alpha/1", "down", "ESME_RINVPASWD (0x0E): invalid password"),
        bind("alpha/2", "connecting", "connection refused"),
    ),
    binds_up=0,
    rate_set=None,
    rate=87.5,
    rate_found=True,
    in_use=0,
    throttled_since=NOW - 100,
    receipts_silent_seconds=310.0,
    waiting=12_310,
)
GAMMA: Final = replace(
    BETA,
    id="gamma",
    address="10.20.30.40:2775",
    state="degraded",
    binds=(bind("gamma/1"), bind("gamma/2", "drained")),
    binds_up=1,
    rate_set=None,
    rate=0.0,
    rate_stated=0.0,
    pause=replace(PAUSE, target=Target("carrier", "gamma"), until=None, held=0),
    statuses={},
    receipts={},
    receipt_seconds=None,
)

REACH: Final = (
    ReachView(
        carrier="beta",
        reach=0.83,
        reach_at=NOW - 3_600,
        median=0.955,
        median_hours=161,
        unknown=190,
        hours=(
            ReachHour(at=NOW, outcomes={"delivered": 11, "failed": 1}, reach=11 / 12),
            ReachHour(
                at=NOW - 3_600,
                outcomes={"delivered": 8_300, "failed": 1_600, "unknown": 100},
                reach=0.83,
            ),
        ),
    ),
    ReachView(
        carrier="alpha", reach=None, reach_at=None, median=None, median_hours=0, unknown=0, hours=()
    ),
)

POLICY: Final = PolicyView(
    deferred=4_100,
    next_due=NOW + 18_000,
    rules=(
        RuleView(
            rule="quiet_hours", refused=12, refused_hour=1, deferred=61_000, deferred_hour=4_100
        ),
        RuleView(rule="optout", refused=1_312, refused_hour=77, deferred=0, deferred_hour=0),
    ),
    tenants=(TenantRuleView(tenant="acme", rule="quiet_hours", refused=12, deferred=60_400),),
    codes={"opted_out": 1_312, "invalid_recipient": 40},
    optouts={"keyword": 77, "api": 3},
    optouts_lifted={"keyword": 2},
    suspected=5,
    unowned={"beta": 6},
    maybe_duplicate={"acme": 31},
    repeated={"globex": 8},
)

SYSTEM: Final = SystemView(
    at=NOW,
    version="1.0",
    started_at=NOW - 90_000,
    digest="3f9c2a7e5b1d4c68",
    loaded_at=NOW - 8_000,
    tried_at=NOW - 300,
    refused=True,
    waiting=False,
    store="works",
    seconds=610.0,
    latencies=(
        LatencyView(
            category="otp",
            to_carrier=SpreadView(count=900, median=0.004, p90=0.02, p99=0.31),
            to_phone=SpreadView(count=880, median=2.2, p90=7.5, p99=31.0),
        ),
        LatencyView(category="transactional", to_carrier=None, to_phone=None),
        LatencyView(
            category="marketing",
            to_carrier=SpreadView(count=9_000, median=41.0, p90=240.0, p99=290.0),
            to_phone=None,
        ),
    ),
    commits=SpreadView(count=4_000, median=0.003, p90=0.008, p99=0.021),
    answers=SpreadView(count=800, median=0.006, p90=0.011, p99=0.032),
    store_bytes=2.1e9,
    log_bytes=31e6,
    free_bytes=41e9,
    full_in_seconds=190_000.0,
    longest_turn_seconds=0.034,
    cores=0.23,
    memory_bytes=212e6,
    memory_limit_bytes=2e9,
    files=77,
    files_limit=1_024,
    lane_messages=12_000,
    lane_messages_limit=200_000,
    connections=12,
    connections_limit=1_000,
    places={"lane": 12_000, "carrier": 381},
    certificates=(ExpiryView(name="api.tls.cert", until=NOW + 9 * 86_400),),
    holidays=(ExpiryView(name="FR", until=NOW + 700 * 86_400),),
)

QUEUES: Final = (
    QueueView(
        tenant="acme", category="marketing", route="default", campaign="singles-day",
        messages=4_212, ready=1_000, parts=8_410, oldest_seconds=905.0, next_due=None,
        reason="paused", pause=PAUSE,
    ),
    QueueView(
        tenant="acme", category="otp", route="china", campaign=None, messages=12, ready=12,
        parts=12, oldest_seconds=185.0, next_due=None, reason="no_bind", pause=None,
    ),
    QueueView(
        tenant="globex", category="marketing", route="default", campaign="autumn", messages=4_100,
        ready=0, parts=4_100, oldest_seconds=None, next_due=NOW + 18_000, reason="none", pause=None,
    ),
)  # fmt: skip

SENT: Final = (
    SentView(
        tenant="acme", category="otp", messages=381, unanswered_seconds=0.4, receipt_seconds=480.0
    ),
)  # fmt: skip

TENANTS: Final = (
    TenantView(
        id="acme", name="Acme Shop", configured=True, categories=("marketing", "otp"), rate=50.0,
        rate_bound=True, weight=1.0, max_queued=1_000_000, queued=12_722, deferred=0, sent=381,
        oldest_seconds=185.0, lag=0, pause=None,
    ),
    TenantView(
        id="globex", name="Globex", configured=True, categories=("marketing",), rate=0.0,
        rate_bound=False, weight=2.0, max_queued=10_000, queued=0, deferred=4_100, sent=0,
        oldest_seconds=None, lag=2_310, pause=None,
    ),
    TenantView(
        id="initech", name="", configured=False, categories=(), rate=0.0, rate_bound=False,
        weight=1.0, max_queued=1, queued=3, deferred=0, sent=0, oldest_seconds=90_000.0, lag=0,
        pause=None,
    ),
)  # fmt: skip

CAMPAIGNS: Final = (
    CampaignView(
        tenant="acme", campaign="singles-day", accepted=60_000, refused={"opted_out": 312},
        deferred={"quiet_hours": 4_000}, sent=55_401, parts=110_210,
        outcomes={"delivered": 51_200, "failed": 2_400, "unknown": 190, "expired": 12},
        codes={"UNDELIV": 2_100, "REJECTD": 300}, inbound=140, optouts=77,
        first_hour=NOW - 10_800, last_hour=NOW, waiting=4_212, pause=PAUSE,
    ),
    CampaignView(
        tenant="globex", campaign="autumn", accepted=4_100, refused={}, deferred={}, sent=0,
        parts=0, outcomes={}, codes={}, inbound=0, optouts=0, first_hour=NOW - 3_600,
        last_hour=NOW - 3_600, waiting=4_100, pause=None,
    ),
)  # fmt: skip

CONSUMERS: Final = (
    ConsumerView(
        tenant="acme", name="crm", connected=True, missed=False, seq=812_001, lag=0,
        since=NOW - 900_000, seen_at=NOW - 1,
    ),
    ConsumerView(
        tenant="globex", name="billing", connected=False, missed=True, seq=11_020, lag=2_310,
        since=NOW - 400_000, seen_at=NOW - 7_400,
    ),
)  # fmt: skip

NODES: Final = (
    NodeView(
        number=0, name="a", here=True, alive=True, version="1.4.0", config="3f9c2a7e5b1d4c68",
        phones=0.5, behind=0, moved=False, slots={"alpha": 2, "beta": 1}, ahead=0.0,
    ),
    NodeView(
        number=1, name="b", here=False, alive=True, version="1.4.0", config="3f9c2a7e5b1d4c68",
        phones=0.0, behind=0, moved=True, slots={}, ahead=0.3,
    ),
    NodeView(
        number=2, name="c", here=False, alive=True, version="1.3.2", config="77aa01e2d9c4b5f0",
        phones=0.5, behind=2, moved=False, slots={"alpha": 2}, ahead=3_600.0,
    ),
    NodeView(
        number=3, name="d", here=False, alive=False, version="1.3.2", config="77aa01e2d9c4b5f0",
        phones=0.0, behind=913, moved=False, slots={}, ahead=0.0,
    ),
)  # fmt: skip

MESSAGE: Final = MessageView(
    id="m6f3a2b1c",
    tenant="acme",
    state="failed",
    final=True,
    to="4915112345678",
    sender="10690001",
    text="Only today: 20 % off everything. Reply STOP to opt out",
    category="marketing",
    route="default",
    campaign="singles-day",
    variant="b",
    key="order-4711",
    encoding="gsm7",
    parts=1,
    attempts=2,
    maybe_duplicate=True,
    accepted_at=NOW - 30_000,
    due=NOW - 3_600,
    expires_at=NOW + 200_000,
    updated_at=NOW - 3_500,
    code="UNDELIV",
    detail={"carrier": "beta", "receipt_state": "UNDELIV", "receipt_error": "027"},
    reason=None,
    steps=(
        Step(at=NOW - 30_000, what="accepted", detail="from crm, key order-4711"),
        Step(
            at=NOW - 30_000,
            what="put off",
            detail="quiet hours of DE: it was 19:40 in Europe/Berlin, open 08:00-20:00; not before "
            "08:00",
        ),
        Step(at=NOW - 3_600, what="given to a carrier", detail="beta, bind beta/1"),
        Step(at=None, what="taken by the carrier", detail="id 0x7f31"),
        Step(at=NOW - 3_500, what="failed", detail="receipt UNDELIV, error 027: absent subscriber"),
    ),
)

OPTOUTS: Final = (
    OptoutView(
        number="4915112345678", tenant="acme", source="reply", at=NOW - 500_000,
        message="m6f3a2b1c", text="STOP please",
    ),
    OptoutView(
        number="8613800138000", tenant=None, source="complaint", at=NOW - 90_000, message=None,
        text=None,
    ),
)  # fmt: skip

RECORDS: Final = (
    AuditRecord(
        id=2, at=NOW - 900, who="night shift", role="operator", client="10.0.0.7", verb="pause",
        subject="campaign singles-day of acme", phone=None, before={"paused": False},
        after={"paused": True},
        result="done", detail="wrong price in the text",
    ),
    AuditRecord(
        id=1, at=NOW - 100_000, who="admin", role="admin", client="127.0.0.1", verb="reload",
        subject="configuration", phone=None, before={}, after={}, result="refused",
        detail="carriers[1].window: 0 is not between 1 and 10000",
    ),
)  # fmt: skip


def many(staged: Staged, tenants: int = 1_000, carriers: int = 100) -> None:
    """Fill it as a large installation does."""
    staged.tenant_views = [
        replace(TENANTS[0], id=f"tenant-{number:04}", queued=number, oldest_seconds=number / 7)
        for number in range(tenants)
    ]
    staged.carrier_views = [replace(BETA, id=f"carrier-{number:03}") for number in range(carriers)]
    staged.queue_views = [
        replace(QUEUES[1], tenant=f"tenant-{number:04}", oldest_seconds=number / 7)
        for number in range(tenants)
    ]


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def cookie(self) -> str:
        """The cookie that it sets, as a browser sends it back."""
        return self.headers["set-cookie"].partition(";")[0]

    def hidden(self, name: str) -> str:
        """The value of a hidden field of its form."""
        [value] = set(re.findall(rf'name="{name}" value="([^"]*)"', self.text))
        return html.unescape(str(value))


async def ask(
    address: str,
    path: str,
    *,
    form: Mapping[str, str] | None = None,
    cookie: str = "",
    **headers: str,
) -> Answer:
    """Ask for a page, or send a form; redirects are not followed."""

    def answer() -> Answer:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        with closing(connection):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            body = None
            if cookie:
                given["cookie"] = cookie
            if form is not None:
                body = urlencode(form)
                given.setdefault("content-type", "application/x-www-form-urlencoded")
            connection.request("GET" if form is None else "POST", path, body, given)
            found = connection.getresponse()
            named = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, named, found.read().decode())

    return await trio.to_thread.run_sync(answer)


async def signed_in(address: str, role: Role) -> str:
    """The cookie of somebody who has signed in."""
    answer = await ask(address, "/login", form={"token": TOKENS[role], "next": "/"})
    assert answer.status == 303
    return answer.cookie


async def events(address: str, path: str, count: int, cookie: str = "") -> list[str]:
    """The first events of a stream."""

    def read() -> list[str]:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        with closing(connection):
            connection.request("GET", path, headers={"cookie": cookie} if cookie else {})
            stream = connection.getresponse()
            found: list[str] = []
            lines: list[str] = []
            while len(found) < count and (line := stream.readline().decode()):
                if line.strip():
                    lines.append(line)
                else:
                    found.append("".join(lines))
                    lines = []
            return found

    return await trio.to_thread.run_sync(read)


@asynccontextmanager
async def serving(
    staged: Staged,
    options: AdminOptions = FREE,
    metrics: Metrics | None = None,
    clock: Clock | None = None,
    latest: Callable[[], AdminOptions] | None = None,
) -> AsyncIterator[str]:
    """The console, served; its address. ``latest`` are the options after a reload."""
    metrics = metrics or Metrics()
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 0.1
    config.errorlog = logging.getLogger("hypercorn")
    async with trio.open_nursery() as nursery:
        gate = Gate(options, metrics, latest)
        console = Console(staged, gate, Patience(nursery), metrics, clock or Clock())
        nursery.start_soon(console.run)
        application = cast("ASGIFramework", Starlette(routes=console.routes()))
        [address] = await nursery.start(serve, application, config)
        yield address
        nursery.cancel_scope.cancel()
