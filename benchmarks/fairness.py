"""One greedy tenant and nine modest ones on a carrier that takes a thousand parts a second.

The greedy one has its whole campaign accepted first; then the modest ones submit at a steady rate,
open loop. Shares are what arrived at the carrier while they did, and how long a message waited
counts from the time at which it was to be submitted. The ideal is max-min fairness: everybody gets
what they ask for up to an equal share of what is left, and whoever asks for less waits for nobody.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from benchmarks.arrivals import arrivals, percentile, spectrum
from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import load
from benchmarks.options import Numbers, Options
from benchmarks.processes import Carrier, gateway
from benchmarks.results import Findings, Result, case
from benchmarks.runs import Sample, scratch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FairnessOptions(Options, frozen=True, kw_only=True):
    rate: Annotated[int, Meta(description="parts a second that the carrier takes")] = 1_000
    modest: Annotated[int, Meta(description="modest tenants, beside the greedy one")] = 9
    demands: Annotated[Numbers, Meta(description="messages a second of each modest tenant")] = (
        50, 150,
    )  # fmt: skip
    seconds: Annotated[int, Meta(description="for which they submit")] = 10


MODEST_NUMBERS: Final = 50_000_000
"""Where the recipients of the modest tenants begin."""

SETTLED: Final = 1.0
"""Seconds at the start that do not count: the carrier's burst."""


SHARES: Final = {
    "greedy": "ideal greedy",
    "modest, least": "ideal modest",
    "modest, most": "ideal modest",
}
"""What is to be compared with what."""


def ideal(rate: float, demands: Sequence[float]) -> list[float]:
    """What each gets of ``rate`` under max-min fairness."""
    shares = [0.0] * len(demands)
    left = rate
    waiting = sorted(range(len(demands)), key=demands.__getitem__)
    for place, one in enumerate(waiting):
        shares[one] = min(demands[one], left / (len(waiting) - place))
        left -= shares[one]
    return shares


def ideal_wait(demand: float, share: float, seconds: float, percent: float) -> float:
    """The percentile of the seconds that messages wait which are submitted at the rate ``demand``
    and sent at the rate ``share``: none, or longer and longer."""
    last = demand * seconds
    return last * percent / 100 * (1 / share - 1 / demand)


def run(options: FairnessOptions, demand: int, folder: Path) -> tuple[Sample, list[float]]:
    """One run: shares and waiting times, and the waits of the modest tenants."""
    tenants = options.modest + 1
    total = demand * options.modest
    submitted = total * options.seconds
    # Enough to last until the modest ones are through, whoever is preferred.
    greedy = options.rate * (options.seconds + 5)
    with scratch(folder) as empty:
        record = empty / "record"
        carrier = Carrier(rate=options.rate, simulator=("--record", str(record)))
        with gateway(empty, tenants, [carrier]) as running:
            load(address=running.address, messages=greedy, accept_only=True)
            modest = load(
                address=running.address,
                messages=submitted,
                batch=1,
                rate=total,
                tenants=options.modest,
                first_tenant=1,
                first_number=MODEST_NUMBERS,
            )
        found = arrivals(record)
    first, last = modest.started_at + SETTLED, modest.started_at + options.seconds
    counts = [0] * tenants
    waits: list[float] = []
    for number, at in found.items():
        index = number - MODEST_NUMBERS
        if first <= at < last:
            counts[0 if index < 0 else 1 + index % options.modest] += 1
        if 0 <= index < submitted:
            waits.append(at - modest.started_at - index / total)
    shares = [count / (last - first) for count in counts]
    waits.sort()
    sample = {
        ("greedy", "parts/s"): shares[0],
        ("modest, least", "parts/s"): min(shares[1:]),
        ("modest, most", "parts/s"): max(shares[1:]),
        ("modest wait p50", "ms"): percentile(waits, 50) * 1e3,
        ("modest wait p99", "ms"): percentile(waits, 99) * 1e3,
    }
    return sample, waits


def measure(options: FairnessOptions, folder: Path, tell: Tell) -> Findings:
    cases = []
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for demand in options.demands:
        samples = []
        pooled: list[float] = []
        for repeat in range(options.repeats):
            tell(f"{demand} a second each, repeat {repeat + 1}")
            sample, waits = run(options, demand, folder)
            samples.append(sample)
            pooled += waits
        wanted = ideal(options.rate, [options.rate, *[demand] * options.modest])
        wait = ideal_wait(demand, wanted[1], options.seconds, 99)
        settings = {
            "carrier": options.rate,
            "modest tenants": options.modest,
            "each asks": demand,
            "seconds": options.seconds,
            "ideal greedy": round(wanted[0]),
            "ideal modest": round(wanted[1]),
            "ideal wait p99": round(wait * 1e3),
        }
        cases.append(case(dict(settings), samples))
        curves[f"each asks {demand}"] = spectrum(pooled)
    return Findings(cases, curves=curves)


def draw(result: Result, canvas: "Figure") -> None:
    """Shares against the ideal, and how long modest tenants' messages waited."""
    shares, line = canvas.subplots(1, 2)
    names: list[str] = []
    for one in result.findings.cases:
        for name, wanted in SHARES.items():
            at = len(names)
            names.append(f"{name}\nof {one.settings['each asks']}")
            shares.bar(at, one.figures[name].median, color="C0")
            shares.hlines(float(one.settings[wanted]), at - 0.4, at + 0.4, "black", "dotted")
    shares.set_xticks(range(len(names)), names, fontsize=7)
    shares.set(ylabel="parts/s", title="shares by what each modest tenant asks; dotted: ideal")
    for name, (percents, seconds) in result.findings.curves.items():
        line.plot([1e3 * value for value in seconds], percents, marker=".", label=name)
    line.set(xscale="log", xlabel="wait of a modest tenant's message, ms", ylabel="percentile")
    line.legend()
    for ax in (shares, line):
        ax.grid(alpha=0.4)


BENCHMARK = Benchmark(
    about="one greedy and nine modest tenants on one slow carrier",
    options=FairnessOptions(),
    quick=FairnessOptions(repeats=1, seconds=4),
    measure=measure,
    draw=draw,
)
