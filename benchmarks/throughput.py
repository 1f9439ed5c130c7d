"""End to end with everything on: accepted durably, judged, submitted, receipt matched, event
acknowledged. One thing is varied at a time."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import TextKind
from benchmarks.options import Numbers, Options
from benchmarks.plots import bars
from benchmarks.processes import Carrier, gateway
from benchmarks.results import Case, Findings, Result, Target, at_least, at_most, case
from benchmarks.runs import GATEWAY, RATE, Sample, flood, scratch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ThroughputOptions(Options, frozen=True, kw_only=True):
    messages: Annotated[int, Meta(description="in each run; a tenth of it in batches of 1")] = (
        100_000
    )
    texts: tuple[TextKind, ...] = ("one part", "three parts", "chinese")
    batches: Annotated[Numbers, Meta(description="messages in a submit request")] = (
        1, 10, 100, 1000,
    )  # fmt: skip
    binds: Numbers = (1, 4, 16, 64)
    tenants: Numbers = (1, 10, 1000)
    window: Annotated[int, Meta(description="unanswered submit_sm on one bind")] = 500


class Setting(NamedTuple):
    """A run's settings; the defaults are what stays while something else is varied."""

    text: TextKind = "one part"
    batch: int = 1000
    binds: int = 4
    tenants: int = 1


FEW: int = 10
"""Batches up to this size are submitted a tenth as often, so that their runs take as long."""

LARGE: int = 100
"""Messages in a batch from which on the targets hold."""

MANY_TENANTS: Setting = Setting(batch=100)
"""What stays while tenants are varied: among a thousand of them nobody submits thousands."""


def settings(options: ThroughputOptions) -> list[Setting]:
    """What is run, each once."""
    base = Setting()
    wanted = [base._replace(text=text) for text in options.texts]
    wanted += [base._replace(batch=batch) for batch in options.batches]
    wanted += [base._replace(binds=binds) for binds in options.binds]
    wanted += [MANY_TENANTS._replace(tenants=tenants) for tenants in options.tenants]
    return list(dict.fromkeys(wanted))


def run(setting: Setting, messages: int, window: int, folder: Path) -> Sample:
    """One run on an empty store."""
    carrier = Carrier(binds=setting.binds, window=window)
    with scratch(folder) as empty, gateway(empty, setting.tenants, [carrier]) as running:
        sample, _ = flood(
            running,
            messages=messages,
            batch=setting.batch,
            text=setting.text,
            tenants=setting.tenants,
        )
        return sample


def measure(options: ThroughputOptions, folder: Path, tell: Tell) -> Findings:
    cases: dict[Setting, Case] = {}
    for setting in settings(options):
        messages = options.messages // 10 if setting.batch < FEW else options.messages
        samples = []
        for repeat in range(options.repeats):
            tell(f"{setting} repeat {repeat + 1}")
            samples.append(run(setting, messages, options.window, folder))
        cases[setting] = case({**setting._asdict(), "messages": messages}, samples)
    targets: list[Target] = []
    for batch in options.batches:
        if batch >= LARGE:
            figures = cases[Setting(batch=batch)].figures
            name = f"batches of {batch:,}"
            targets += [
                at_least(f"{name}, messages/s", 30_000, figures[RATE[0]].median),
                at_most(f"{name}, gateway CPU us/message", 25, figures[GATEWAY[0]].median),
            ]
    return Findings([*cases.values()], targets)


def _setting(name: str, one: Case) -> Any:
    return one.settings[name]


Varied = Literal["text", "batch", "binds", "tenants"]


def draw(result: Result, canvas: "Figure") -> None:
    """Rate above, CPU per message below, for each thing that is varied."""
    axes = canvas.subplots(2, 4, sharey="row", squeeze=False)
    names: tuple[Varied, ...] = ("text", "batch", "binds", "tenants")
    for column, name in enumerate(names):
        base = MANY_TENANTS if name == "tenants" else Setting()
        fixed: dict[str, Any] = base._asdict()
        del fixed[name]
        cases = [
            one
            for one in result.findings.cases
            if all(one.settings[key] == value for key, value in fixed.items())
        ]
        if name != "text":
            cases.sort(key=partial(_setting, name))
        ticks = [str(one.settings[name]) for one in cases]
        for row, (title, unit) in enumerate((RATE, GATEWAY)):
            ax = axes[row][column]
            found = [one.figures[title] for one in cases]
            bars(ax, ticks, found, f"C{row}")
            if not column:
                ax.set_ylabel(f"{title}, {unit}")
        axes[0][column].set_title(f"by {name}")


BENCHMARK = Benchmark(
    about="accept, policy, submit, receipt, event acknowledged",
    options=ThroughputOptions(),
    quick=ThroughputOptions(
        repeats=1, messages=20_000, texts=("one part", "three parts"), batches=(1, 100, 1000),
        binds=(1, 16), tenants=(10,),
    ),
    measure=measure,
    draw=draw,
)  # fmt: skip
