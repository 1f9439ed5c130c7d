"""Millions of messages queued behind a slow carrier, and millions in the history: what they cost in
memory and in the throughput of everybody else.

One gateway has two carriers. Tenant 0's messages go to the slow one and pile up; tenant 1's go to
the fast one, and its throughput is measured before and after. Then the slow carrier's rate is
lifted by a reload, and the queue drains. A second gateway opens a store whose history was filled by
a helper (see `benchmarks.prepare`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import load
from benchmarks.options import Options
from benchmarks.plots import bars
from benchmarks.prepare import prepare
from benchmarks.processes import Carrier, Gateway, gateway
from benchmarks.results import Case, Findings, Result, Target, at_least, at_most, case
from benchmarks.runs import ACCEPTED, GATEWAY, MEMORY, RATE, Sample, flood, scratch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class BacklogOptions(Options, frozen=True, kw_only=True):
    queued: Annotated[int, Meta(description="messages behind the slow carrier")] = 5_000_000
    history: Annotated[int, Meta(description="messages that have their outcome")] = 10_000_000
    messages: Annotated[int, Meta(description="in each run that measures throughput")] = 100_000


SLOW: Final = Carrier(name="slow", tenants=(0,), rate=1)
FAST: Final = Carrier(name="fast", tenants=(1,))
LIFTED: Final = (msgspec.structs.replace(SLOW, rate=0), FAST)
"""The slow carrier, later, as fast as any."""

ELSEWHERE: Final = 90_000_000
"""Where the recipients of the messages that measure throughput begin."""

EVERY: Final = 1.0
"""Seconds between looks at memory and queue."""

ONLY: Final = "messages"
STATE: Final = "store"


class Watch:
    """Looks at a gateway's memory and queue while something else goes on."""

    def __init__(self, running: Gateway) -> None:
        self.running = running
        self.started = time.monotonic()
        self.seconds: list[float] = []
        self.resident: list[float] = []
        self.queued: list[float] = []

    def look(self) -> float:
        """Take note; returns how many messages of tenant 0 have no outcome."""
        queued = self.running.metric("queued_messages", tenant="tenant-0")
        self.seconds.append(time.monotonic() - self.started)
        self.resident.append(self.running.usage().resident)
        self.queued.append(queued)
        return queued

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look every now and then during the block."""
        over = Event()

        def watch() -> None:
            while not over.wait(EVERY):
                self.look()

        thread = Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def throughputs(
    running: Gateway, options: BacklogOptions, tenant: int, tell: Callable[[int], None]
) -> list[Sample]:
    """A sample for each repeat, of one tenant's messages."""
    samples = []
    for repeat in range(options.repeats):
        tell(repeat + 1)
        first = ELSEWHERE + repeat * options.messages
        sample, _ = flood(
            running, messages=options.messages, first_tenant=tenant, first_number=first
        )
        samples.append({name: sample[name] for name in (RATE, ACCEPTED, GATEWAY, MEMORY)})
    return samples


def measure(options: BacklogOptions, folder: Path, tell: Tell) -> Findings:
    def named(state: str) -> Callable[[int], None]:
        return lambda repeat: tell(f"throughput, {state}, repeat {repeat}")

    cases: list[Case] = []

    def add(state: str, samples: list[Sample]) -> Case:
        cases.append(case({STATE: state, ONLY: options.messages}, samples))
        return cases[-1]

    with scratch(folder) as empty, gateway(empty, 2, [SLOW, FAST]) as running:
        nothing = add("empty", throughputs(running, options, 1, named("empty")))
        tell(f"queueing {options.queued:,}")
        watch = Watch(running)
        before = running.usage().cpu
        with watch.looking():
            accepted = load(address=running.address, messages=options.queued, accept_only=True)
        accept_cpu = running.usage().cpu - before
        state = f"{options.queued:,} queued"
        full = add(state, throughputs(running, options, 1, named(state)))
        watch.look()
        queued_memory = max(watch.resident)
        tell(f"draining {options.queued:,}")
        drained_from, before = time.monotonic(), running.usage().cpu
        running.reload(LIFTED)
        while watch.look():
            time.sleep(EVERY)
        drain_seconds = time.monotonic() - drained_from
        drain_cpu = running.usage().cpu - before
    tell(f"preparing a history of {options.history:,}")
    with scratch(folder) as old:
        prepare(old / "gateway.db", history=options.history)
        with gateway(old) as running:
            state = f"{options.history:,} in the history"
            past = add(state, throughputs(running, options, 0, named(state)))
            start = running.start_seconds
    each = 1e6 / options.queued
    sample = {
        ("accepting", "s"): accepted.seconds,
        ("accepting CPU", "us/message"): accept_cpu * each,
        ("memory, queued", "MB"): queued_memory,
        ("draining", "s"): drain_seconds,
        ("draining rate", "messages/s"): options.queued / drain_seconds,
        ("draining CPU", "us/message"): drain_cpu * each,
        ("memory at most", "MB"): max(watch.resident),
    }
    cases.append(case({"queued": options.queued}, [sample]))
    cases.append(case({"history": options.history}, [{("start", "s"): start}]))
    curves = {
        "memory": (watch.seconds, watch.resident),
        "queued": (watch.seconds, watch.queued),
    }
    return Findings(cases, _targets(nothing, full, past, queued_memory), curves)


def _targets(nothing: Case, full: Case, past: Case, memory: float) -> list[Target]:
    base = nothing.figures[RATE[0]].median
    return [
        at_most(f"memory, {full.settings[STATE]}, MB", 300, memory),
        *(
            at_least(
                f"throughput, {one.settings[STATE]}, against empty, %",
                80,
                one.figures[RATE[0]].median / base * 100,
            )
            for one in (full, past)
        ),
    ]


def draw(result: Result, canvas: "Figure") -> None:
    """Throughput by state; memory and queue over time."""
    left, line = canvas.subplots(1, 2)
    cases = [one for one in result.findings.cases if STATE in one.settings]
    found = [one.figures[RATE[0]] for one in cases]
    bars(left, [str(one.settings[STATE]) for one in cases], found)
    left.axhline(found[0].median * 0.8, linestyle=":", color="black", label="80 % of empty")
    left.set(ylabel="messages/s", title="throughput")
    left.legend()
    seconds, resident = result.findings.curves["memory"]
    line.plot(seconds, resident, color="C1")
    line.set(xlabel="s", ylabel="resident memory, MB", ylim=(0, None), title="queueing, draining")
    line.yaxis.label.set_color("C1")
    queue = line.twinx()
    queue.plot(seconds, [count / 1e6 for count in result.findings.curves["queued"][1]], color="C0")
    queue.set(ylabel="messages without an outcome, millions", ylim=(0, None))
    queue.yaxis.label.set_color("C0")
    line.grid(alpha=0.4)


BENCHMARK = Benchmark(
    about="millions queued behind a slow carrier, millions in the history",
    options=BacklogOptions(),
    quick=BacklogOptions(repeats=1, queued=200_000, history=200_000, messages=30_000),
    measure=measure,
    draw=draw,
)
