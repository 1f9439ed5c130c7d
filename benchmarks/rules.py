"""What all rules together cost end to end: the CPU time of a message with every rule on, against
that with those that are on without being written.

Runs of both take turns, and the cheapest of each counts: whatever else the machine does can only
make a run dearer. Consent is not among them: it would take records of all recipients first.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from benchmarks import wordings
from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import TextKind
from benchmarks.options import Options
from benchmarks.plots import bars
from benchmarks.processes import Carrier, gateway
from benchmarks.results import Findings, Result, at_most, case
from benchmarks.runs import GATEWAY, Sample, flood, scratch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rules = Literal["usual", "every"]
"""Those that are on without being written, or all."""

TEXT: Final[TextKind] = "chinese"
"""It has a signature and an opt-out line, as the rules ask for."""

MOST: Final = 1.25
"""Times what a message costs with the usual rules."""

_POLICY: Final = """
[[policy.frequency]]
category = "marketing"
max = 3
per = "7d"
[policy.repeats]
per = "30d"
[policy.destinations]
allowed = ["CN"]
blocked = ["86170"]
kinds = ["mobile"]
watched = ["CN"]
[policy.unreachable]
categories = ["marketing"]
[policy.content]
links = "registered"
shorteners = "refuse"
max_parts = 4
[[policy.content.words]]
name = "banned"
file = "{words}"
[[policy.content.optout_line]]
region = "CN"
text = "回T退订"
[[policy.price.tariffs]]
carrier = "alpha"
price = 0.05
"""

_TENANT: Final = """
signatures = [{ text = "小店" }]
domains = ["shop.example"]
smart_encoding = true
balance = 1000000
quota = 100000000
"""


class RulesOptions(Options, frozen=True, kw_only=True):
    messages: Annotated[int, Meta(description="in each run")] = 50_000
    batch: Annotated[int, Meta(description="messages in a submit request")] = 1_000


def run(rules: Rules, options: RulesOptions, folder: Path) -> Sample:
    """One run on an empty store."""
    with scratch(folder) as empty:
        policy = tenant = ""
        if rules == "every":
            words = empty / "words.txt"
            words.write_text("\n".join(wordings.words()))
            policy, tenant = _POLICY.format(words=words), _TENANT
        with gateway(empty, 1, [Carrier()], policy=policy, tenant=tenant) as running:
            sample, _ = flood(running, messages=options.messages, batch=options.batch, text=TEXT)
    return sample


def measure(options: RulesOptions, folder: Path, tell: Tell) -> Findings:
    samples: dict[Rules, list[Sample]] = {"usual": [], "every": []}
    for repeat in range(options.repeats):
        for rules, found in samples.items():
            tell(f"{rules} rules, repeat {repeat + 1}")
            found.append(run(rules, options, folder))
    least = {rules: min(one[GATEWAY] for one in found) for rules, found in samples.items()}
    growth = least["every"] / least["usual"]
    return Findings(
        [case({"rules": rules, "text": TEXT}, found) for rules, found in samples.items()],
        [at_most("every rule, gateway CPU against the usual ones", MOST, growth)],
    )


def draw(result: Result, canvas: "Figure") -> None:
    """CPU time of a message, with the usual rules and with every one."""
    ax = canvas.subplots()
    cases = result.findings.cases
    bars(
        ax,
        [str(one.settings["rules"]) for one in cases],
        [one.figures["gateway CPU"] for one in cases],
        "C0",
    )
    ax.set_ylabel("gateway CPU, us/message")


BENCHMARK = Benchmark(
    about="every rule on against the usual ones",
    options=RulesOptions(),
    quick=RulesOptions(repeats=2, messages=10_000),
    measure=measure,
    draw=draw,
)
