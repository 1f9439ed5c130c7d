"""What it costs that several nodes share a database: the same flood on one node, on two and on
three, in turn; and how soon others send what a node that is killed had, with a million queued.

On one machine more nodes cannot be faster. What counts is the CPU time of a message, of all the
gateways and of the server together: the same three tenants submit the same messages, each to a node
of its own where there are as many. The model of `benchmarks.scaling` is fed with what comes of it.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import trio
from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import PREFIX, LoadFigures, finished, started
from benchmarks.options import Numbers, Options
from benchmarks.plots import bars
from benchmarks.processes import Carrier, Gateway, serving, simulated, tenant_name, usage
from benchmarks.results import Findings, Result, at_most, case
from benchmarks.runs import CARRIER, GATEWAY, LOAD, RATE, Sample, scratch
from benchmarks.server import cpu, server
from gateway.message import Message
from gateway.queue.postgresql import PostgresStore
from gateway.queue.postgresql.holding import LEASE
from gateway.queue.postgresql.sharing import SHARDS, shard
from gateway.queue.store import Entry
from tests.servers import Postgres
from tools.ports import free_port

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TENANTS: Final = 3
"""Who submits, however many nodes there are."""

BINDS: Final = 6
"""Of the carrier: as many for each node, whether there are one, two or three."""

RECEIPTS: Final = 2.0
"""Seconds after which the carrier gives a receipt, as a real one does at the soonest. Given at
once, one node settles it in the same round as the response, which several cannot."""

SERVER: Final = ("server CPU", "us/message")
TOTAL: Final = ("all CPU", "us/message")
LOG: Final = ("WAL", "bytes/message")
KEPT: Final = ("kept", "bytes/message")
IDLE: Final = ("idle gateways", "ms/s")
IDLE_SERVER: Final = ("idle server", "ms/s")
QUEUED: Final = ("waiting when it is killed", "messages")
TAKEN: Final = ("shards taken", "s")
SENT: Final = ("all of them sent", "s")

GROWTH: Final = 1.15
"""Times what a message costs on one node, at most, on three."""

SLACK: Final = 2.0
"""Seconds after the end of a lease by which others send."""

IDLE_SECONDS: Final = 5.0
"""For how long nodes without work are watched."""

BLOCK: Final = 10_000
"""Messages in one call of the store, where it is filled."""

MORE: Final = 500_000
"""Messages beyond those that are to wait: the first nodes send them until the last is there."""

PATIENCE: Final = 180.0
"""Seconds to wait for anything at most."""

EVERY: Final = 0.05
"""Seconds between looks."""

_LOG: Final = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8"
_KEPT: Final = """SELECT sum(pg_total_relation_size(oid))::float8 FROM pg_class
    WHERE relname ~ '^(event|finished|key)_[0-9]+$'"""
_QUEUED: Final = """SELECT ((SELECT count(*) FROM message WHERE state = 0)
    + (SELECT coalesce(sum(size), 0) FROM backlog))::float8"""
_SHARDS: Final = """SELECT name, array_agg(shard.number) FROM shard
    JOIN node ON node.number = shard.node GROUP BY name"""


class NodesOptions(Options, frozen=True, kw_only=True):
    messages: Annotated[int, Meta(description="in each run")] = 90_000
    batch: Annotated[int, Meta(description="messages in a submit request")] = 1_000
    nodes: Annotated[Numbers, Meta(description="how many share the database")] = (1, 2, 3)
    queued: Annotated[int, Meta(description="that wait when a node is killed; 0: none is")] = (
        1_000_000
    )


class Site:
    """Nodes that share a database and a carrier.

    Attributes:
        gateways: by their names.
        carrier: the process of the carrier.
    """

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.postgres = postgres
        self.database = postgres.database()
        self.gateways: dict[str, Gateway] = {}
        self.carrier = 0
        self._folder = folder

    @contextlib.contextmanager
    def running(self, count: int, carrier: Carrier) -> Iterator[None]:
        """Run so many nodes, each of which has its part from the start."""
        ports = {carrier.name: free_port()}
        with contextlib.ExitStack() as stack:
            self.carrier = stack.enter_context(simulated(carrier, ports[carrier.name]))
            for number in range(count):
                name = f"node-{number}"
                folder = self._folder / name
                folder.mkdir()
                queue = f'backend = "postgresql"\ndsn = "{self.postgres.dsn(self.database)}"\n'
                queue += f'nodes = {count}\nnode = "{name}"'
                made = Gateway(folder, TENANTS, [carrier], queue, ports=ports)
                stack.enter_context(serving(made))
                self.gateways[name] = made
            most = -(-SHARDS // count)
            wait_for(lambda: [*map(len, self.shards().values())].count(most) >= count - 1)
            yield

    def shards(self) -> dict[str, list[int]]:
        """The shards of each node that has any."""
        return dict(self.postgres.ask(self.database, _SHARDS))

    def figure(self, query: str) -> float:
        """What a query gives that gives a number."""
        return float(self.postgres.ask(self.database, query)[0][0])

    def spent(self) -> tuple[float, float]:
        """CPU seconds of all gateways, and of the server."""
        return sum(one.usage().cpu for one in self.gateways.values()), cpu(self.postgres.pid)


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > deadline:
            raise SystemExit(f"not so after {PATIENCE:g} s: it takes a quieter machine")
        time.sleep(EVERY)


def run(nodes: int, options: NodesOptions, folder: Path) -> Sample:
    """One flood on so many nodes, on an empty database."""
    with scratch(folder) as empty, server(empty) as postgres:
        site = Site(empty, postgres)
        receipts = ("--receipt-delay", f"{RECEIPTS:g}")
        with site.running(nodes, Carrier(binds=BINDS, simulator=receipts)):
            idle = site.spent()
            time.sleep(IDLE_SECONDS)
            before = site.spent()
            carrier, log, kept = usage(site.carrier).cpu, site.figure(_LOG), site.figure(_KEPT)
            figures = flood(site, options)
            after = site.spent()
            carrier = usage(site.carrier).cpu - carrier
            log, kept = site.figure(_LOG) - log, site.figure(_KEPT) - kept
    messages = sum(one.messages for one in figures)
    each = 1e6 / messages
    gateways, served = after[0] - before[0], after[1] - before[1]
    still = 1e3 / IDLE_SECONDS
    return {
        RATE: messages / max(one.seconds for one in figures),
        GATEWAY: gateways * each,
        SERVER: served * each,
        TOTAL: (gateways + served) * each,
        CARRIER: carrier * each,
        LOAD: sum(one.cpu for one in figures) * each,
        LOG: log / messages,
        KEPT: kept / messages,
        IDLE: (before[0] - idle[0]) * still,
        IDLE_SERVER: (before[1] - idle[1]) * still,
    }


def flood(site: Site, options: NodesOptions) -> list[LoadFigures]:
    """Have every tenant submit its part of the messages, each to one of the nodes in turn."""
    gateways = [*site.gateways.values()]
    messages = options.messages // TENANTS
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(
                started(
                    address=gateways[tenant % len(gateways)].address,
                    messages=messages,
                    batch=options.batch,
                    first_tenant=tenant,
                    first_number=tenant * messages,
                )
            )
            for tenant in range(TENANTS)
        ]
        figures = [finished(one) for one in loads]
    for one in figures:
        if one.refused or one.outcomes != {"delivered": messages}:
            raise SystemExit(f"not all were delivered: {one.outcomes}, {one.refused} refused")
    return figures


def takeover(nodes: int, options: NodesOptions, folder: Path) -> Sample:
    """Kill one of some nodes while many messages wait and all are sending."""
    with scratch(folder) as empty, server(empty) as postgres:
        site = Site(empty, postgres)
        trio.run(fill, postgres.dsn(site.database), options.queued + MORE)
        record = Record(empty / "record.jsonl")
        carrier = Carrier(binds=BINDS, simulator=("--record", str(empty / "record.jsonl")))
        with site.running(nodes, carrier):
            dead = [*site.gateways][-1]
            lost, queued = set(site.shards()[dead]), site.figure(_QUEUED)
            os.kill(site.gateways[dead].pid, signal.SIGKILL)
            killed = time.time()
            wait_for(lambda: dead not in site.shards())
            taken = time.time()
            record.begin(taken)
            wait_for(lambda: lost <= record.look())
            sent = max(record.first[one] for one in lost)
    if queued < options.queued:
        raise SystemExit(f"{queued:,.0f} messages waited, not {options.queued:,}")
    return {QUEUED: queued, TAKEN: taken - killed, SENT: sent - killed}


class Record:
    """What a carrier has taken, read as it grows.

    Attributes:
        first: when the first message of each shard was taken, since the last `begin`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._since = 0.0
        self.first: dict[int, float] = {}

    def begin(self, since: float) -> None:
        """Look at what is taken after a moment that is no later than now."""
        self._since, self.first = since, {}

    def look(self) -> set[int]:
        """The shards that messages were taken of."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole, end, _ = file.read().rpartition(b"\n")
            self._read += len(whole + end)
            for line in _decode_lines(whole):
                if line.time >= self._since:
                    self.first.setdefault(shard(line.destination), line.time)
        return set(self.first)


class _Line(msgspec.Struct):
    """What is of interest of a line of a carrier's record."""

    time: float
    destination: str


_decode_lines = msgspec.json.Decoder(_Line).decode_lines


async def fill(dsn: str, messages: int) -> None:
    """Have messages wait in a database that no node is on."""
    store = PostgresStore(dsn, node="fill", synchronous="off")
    await store.open()
    now = time.time()
    first = int(now * 1000) << 20
    for start in range(0, messages, BLOCK):
        some = range(start, min(start + BLOCK, messages))
        entries = [Entry(waiting(n, first + n, now), n, leased=False) for n in some]
        await store.accept(entries)
    await store.aclose()


def waiting(number: int, identifier: int, at: float) -> Message:
    """A message to a phone of its own, due at once."""
    return Message(
        identifier,
        tenant_name(number % TENANTS),
        f"{PREFIX}{number:08}",
        "10690000",
        f"Hi, your order {number} is on its way and should be with you tomorrow",
        "marketing",
        "default",
        "gsm7",
        1,
        at,
        at,
        at + 172_800,
        key=f"waiting-{number}",
        campaign="benchmark",
    )


def measure(options: NodesOptions, folder: Path, tell: Tell) -> Findings:
    samples: dict[int, list[Sample]] = {count: [] for count in options.nodes}
    for repeat in range(options.repeats):
        for count in options.nodes:
            tell(f"nodes {count}, repeat {repeat + 1}")
            samples[count].append(run(count, options, folder))
    settings = {"batch": options.batch, "messages": options.messages}
    cases = [case({"nodes": count, **settings}, samples[count]) for count in options.nodes]
    least, most = (min(one[TOTAL] for one in samples[n]) for n in (min(samples), max(samples)))
    what = f"CPU of a message on {max(samples)} nodes, of that on {min(samples)}"
    targets = [at_most(what, GROWTH, most / least)]
    notes: list[str] = []
    if options.queued:
        count = max(options.nodes)
        tell(f"killing one of {count} nodes with {options.queued:,} queued")
        try:
            sample = takeover(count, options, folder)
        except SystemExit as error:  # what was measured before it stays
            notes.append(f"no take-over: {error}")
        else:
            cases.append(case({"nodes": count, "queued": options.queued}, [sample]))
            what = f"take-over of a killed node's shards with {options.queued:,} queued, s"
            targets.append(at_most(what, LEASE + SLACK, sample[SENT]))
    return Findings(cases, targets, notes=notes)


def draw(result: Result, canvas: "Figure") -> None:
    """CPU of a message, by how many nodes there are."""
    cases = [one for one in result.findings.cases if "queued" not in one.settings]
    axes = canvas.subplots(1, 3, squeeze=False)[0]
    for ax, (title, unit) in zip(axes, (GATEWAY, SERVER, TOTAL), strict=True):
        bars(
            ax, [str(one.settings["nodes"]) for one in cases], [one.figures[title] for one in cases]
        )
        ax.set(title=f"{title}, {unit}", xlabel="nodes")


BENCHMARK = Benchmark(
    about="several nodes on one database, in turn, and one of them killed",
    options=NodesOptions(),
    quick=NodesOptions(repeats=1, messages=30_000, queued=100_000),
    measure=measure,
    draw=draw,
)
