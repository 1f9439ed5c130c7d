"""The same flood with the store in a file and in PostgreSQL, in turn: what each costs the gateway,
and the server; and whether its tables grow with what has passed through them."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.options import Options
from benchmarks.plots import bars
from benchmarks.processes import Carrier, gateway
from benchmarks.results import Findings, Result, at_least, case
from benchmarks.runs import GATEWAY, RATE, Sample, flood, scratch
from benchmarks.server import cpu, server

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERVER: Final = ("server CPU", "us/message")
QUEUE: Final = ("queue at the end", "MB")

HOT: Final = ("arrived", "message", "taken", "part", "held", "use", "charge")
"""Tables from which everything goes again: what they take is what they took at most."""

STORES: Final = ("sqlite", "postgresql")


class StoresOptions(Options, frozen=True, kw_only=True):
    messages: Annotated[int, Meta(description="in each run")] = 100_000
    batch: Annotated[int, Meta(description="messages in a submit request")] = 1000


def run(store: str, options: StoresOptions, folder: Path) -> Sample:
    """One run on an empty store."""
    with scratch(folder) as empty, contextlib.ExitStack() as stack:
        made = stack.enter_context(server(empty)) if store == "postgresql" else None
        queue = ""
        if made is not None:
            database = made.database()
            queue = f'backend = "postgresql"\ndsn = "{made.dsn(database)}"'
        with gateway(empty, 1, [Carrier()], queue) as running:
            before = cpu(made.pid) if made is not None else 0.0
            sample, _ = flood(running, messages=options.messages, batch=options.batch)
            spent = cpu(made.pid) - before if made is not None else 0.0
        size = 0.0
        if made is not None:
            names = ", ".join(f"'{name}'" for name in HOT)
            total = (
                f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ({names})"
            )
            size = float(made.ask(database, total)[0][0])
        return sample | {SERVER: spent * 1e6 / options.messages, QUEUE: size / 1e6}


def measure(options: StoresOptions, folder: Path, tell: Tell) -> Findings:
    samples: dict[str, list[Sample]] = {store: [] for store in STORES}
    for repeat in range(options.repeats):
        for store in STORES:
            tell(f"{store} repeat {repeat + 1}")
            samples[store].append(run(store, options, folder))
    settings = {"batch": options.batch, "messages": options.messages}
    cases = [case({"store": store, **settings}, samples[store]) for store in STORES]
    file, database = (one.figures[RATE[0]].median for one in cases)
    return Findings(cases, [at_least("rate on PostgreSQL, of a file's", 0.4, database / file)])


def draw(result: Result, canvas: "Figure") -> None:
    """Rate and CPU per message, of each store."""
    axes = canvas.subplots(1, 3, squeeze=False)[0]
    for ax, (title, unit) in zip(axes, (RATE, GATEWAY, SERVER), strict=True):
        bars(ax, STORES, [one.figures[title] for one in result.findings.cases])
        ax.set_title(f"{title}, {unit}")


BENCHMARK = Benchmark(
    about="the store in a file and in PostgreSQL, in turn",
    options=StoresOptions(),
    quick=StoresOptions(repeats=1, messages=20_000),
    measure=measure,
    draw=draw,
)
