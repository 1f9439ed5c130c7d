"""What a load test found: figures, targets, curves, a plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.arrivals import percentile, spectrum
from benchmarks.results import Case, Findings, Result, Target, Value, at_most, case
from benchmarks.target.arguments import Settings
from benchmarks.target.ramp import Limits, Trial, best, why_not
from benchmarks.target.tally import STAGES, Tally, Timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PERCENTS: Final = (50, 90, 99, 99.9, 100)

RATES: Final = ("offered", "accepted", "ended")
SPECTRUM: Final = "spectrum, "
BY_SECOND: Final = "by second, "


class Step(NamedTuple):
    """A rate, and what came of it."""

    rate: float
    tally: Tally

    def trial(self, settings: Settings) -> Trial:
        ordered = self.tally.ordered(settings.stage)
        offered = self.tally.offered / max(self.tally.lasted, 1e-9)
        p99 = percentile(ordered, 99) if ordered else None
        return Trial(self.rate, offered, p99, self.tally.lost)


def findings(
    settings: Settings, steps: Sequence[Step], timeline: Timeline, notes: Sequence[str]
) -> Findings:
    """What all steps come to."""
    tally = steps[-1].tally
    cases: list[Case] = []
    targets: list[Target] = []
    told = list(notes)
    if settings.mode == "ramp":
        limits = Limits(settings.p99 or 0.0, settings.loss or 0.0)
        trials = [step.trial(settings) for step in steps]
        found = best(trials, limits)
        cases += [_tried(step, trial, limits) for step, trial in zip(steps, trials, strict=True)]
        if found is None:
            targets.append(Target("a rate that holds", _wanted(settings), 0.0, met=False))
        else:
            tally = next(s.tally for s in steps if s.rate == found.rate)
            targets.append(
                Target("the highest rate, messages/s", _wanted(settings), found.rate, met=True)
            )
            if found.rate >= settings.highest:
                told.append("no higher rate was tried: --highest bounds it")
        rate = steps[-1].rate if found is None else found.rate
        told.append(f"what follows the table of rates is of {rate:,.4g} a second")
    else:
        if settings.p99 is not None:
            p99 = steps[-1].trial(settings).p99
            value = float("inf") if p99 is None else p99 * 1e3
            targets.append(at_most(f"p99 to {settings.stage}, ms", settings.p99 * 1e3, value))
        if settings.loss is not None:
            targets.append(at_most("lost, %", settings.loss * 100, tally.lost * 100))
    cases.append(_whole(tally))
    cases += _stages(tally)
    told += [f"{count:,} {what}" for what, count in tally.counts().items()]
    if any((tally.ordered(stage) or [0.0])[0] < 0 for stage in STAGES):
        told.append("some took less than nothing: the clocks of the machines differ")
    if tally.late > 0.1:
        told.append(
            f"the load generator was {tally.late * 1e3:,.0f} ms late at worst, which its latencies "
            "hold: use a faster machine, larger batches, or fewer messages"
        )
    return Findings(cases, targets, curves_of(tally, timeline), told)


def _wanted(settings: Settings) -> str:
    return (
        f"p99 to {settings.stage} at most {(settings.p99 or 0) * 1e3:,.4g} ms, "
        f"lost at most {(settings.loss or 0) * 100:.3g} %"
    )


def _tried(step: Step, trial: Trial, limits: Limits) -> Case:
    settings: dict[str, Value] = {
        "tried, messages/s": round(step.rate, 2),
        "holds": why_not(trial, limits) or "yes",
    }
    figures = {
        ("left", "messages/s"): trial.offered,
        ("p99", "ms"): (trial.p99 or 0.0) * 1e3,
        ("lost", "%"): trial.loss * 100,
    }
    return case(settings, [figures])


def _whole(tally: Tally) -> Case:
    took = max(tally.lasted, 1e-9)
    figures = {
        ("offered", "messages/s"): tally.offered / took,
        ("accepted", "messages/s"): tally.accepted / took,
        ("messages", ""): float(tally.offered),
        ("parts", ""): float(tally.parts),
        ("refused", "%"): 100 * tally.refused.total() / max(tally.offered, 1),
        ("lost", "%"): 100 * tally.lost,
        ("late at worst", "ms"): tally.late * 1e3,
    }
    return case({"of": "the run"}, [figures])


def _stages(tally: Tally) -> list[Case]:
    cases = []
    kinds: list[tuple[str, bool | None]] = [("all", None)]
    if tally.ordered("accepted", otp=True):
        kinds += [("one-time passwords", True), ("the others", False)]
    for name, otp in kinds:
        for stage in STAGES:
            if ordered := tally.ordered(stage, otp=otp):
                figures = {
                    ("max" if p == 100 else f"p{p:g}", "ms"): percentile(ordered, p) * 1e3
                    for p in PERCENTS
                }
                cases.append(case({"messages": name, "until": stage}, [figures]))
    return cases


def curves_of(tally: Tally, timeline: Timeline) -> dict[str, tuple[list[float], list[float]]]:
    """What is plotted, by name."""
    seconds = timeline.seconds
    curves = {
        f"{BY_SECOND}{name}": ([s.at for s in seconds], [getattr(s, name) for s in seconds])
        for name in RATES
    }
    for name in ("p50", "p99"):
        told = [(s.at, value) for s in seconds if (value := getattr(s, name)) is not None]
        curves[f"{BY_SECOND}{name}"] = ([at for at, _ in told], [value for _, value in told])
    for stage in STAGES:
        if ordered := tally.ordered(stage):
            curves[f"{SPECTRUM}{stage}"] = spectrum(ordered)
    return curves


def draw(result: Result, canvas: "Figure") -> None:
    """Rates and latencies by the second, and how latencies are spread."""
    curves = result.findings.curves
    rates, took, spread = canvas.subplots(1, 3)
    for name in RATES:
        rates.plot(*curves[BY_SECOND + name], label=name)
    for name in ("p50", "p99"):
        at, seconds = curves[BY_SECOND + name]
        took.plot(at, [value * 1e3 for value in seconds], label=name)
    for name, (percents, seconds) in curves.items():
        if name.startswith(SPECTRUM):
            rest = [1 / max(1 - percent / 100, 1e-6) for percent in percents[:-1]]
            label = f"until {name.removeprefix(SPECTRUM)}"
            spread.plot(rest, [value * 1e3 for value in seconds[:-1]], marker=".", label=label)
    rates.set(title="messages a second", xlabel="s")
    took.set(title=f"ms until {result.options['stage']}, by the second", xlabel="s", yscale="log")
    spread.set(xscale="log", yscale="log", title="ms, by percentile", xlabel="percentile")
    spread.set_xticks([1, 2, 10, 100, 1_000, 10_000], ["0", "50", "90", "99", "99.9", "99.99"])
    for ax in (rates, took, spread):
        ax.grid(alpha=0.4, which="both")
        if ax.lines:
            ax.legend()
