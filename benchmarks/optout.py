"""A long list of opted-out numbers: memory, start-up, and what a check costs.

The list is put into the store by a helper (see `benchmarks.prepare`). A check is asked for over the
socket, thousands of numbers to a request, none of them on the list, as nearly all are not; so its
cost includes reading the number and writing the answer. A gateway without a list stands beside.
"""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import PREFIX, frame
from benchmarks.options import Options
from benchmarks.plots import bars
from benchmarks.prepare import prepare
from benchmarks.processes import Gateway, gateway, tenant_token
from benchmarks.results import Findings, Result, at_most, case
from benchmarks.runs import GATEWAY, MEMORY, Sample, flood, scratch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class OptoutOptions(Options, frozen=True, kw_only=True):
    numbers: Annotated[int, Meta(description="opted-out numbers")] = 10_000_000
    checks: Annotated[int, Meta(description="numbers looked up in each run")] = 1_000_000
    messages: Annotated[int, Meta(description="submitted in each run")] = 50_000


BATCH: Final = 10_000
"""Numbers in a request: what the gateway takes at most."""

ELSEWHERE: Final = 50_000_000
"""Where the recipients of submitted messages begin."""

START: Final = ("start", "s")
CHECK: Final = ("check over the socket", "us CPU")


def checked(running: Gateway, checks: int) -> float:
    """CPU seconds of the gateway for so many checks."""
    host, port = running.address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as one, one.makefile("rb") as replies:

        def ask(request: dict[str, object]) -> bytes:
            one.sendall(frame(request))
            return replies.read(int.from_bytes(replies.read(4), "big"))

        ask({"op": "hello", "id": 0, "token": tenant_token(0)})
        before = running.usage().cpu
        for first in range(0, checks, BATCH):
            numbers = [f"{PREFIX}{n:08}" for n in range(first, min(first + BATCH, checks))]
            reply = ask({"op": "optout", "id": 0, "action": "check", "numbers": numbers})
            if reply.count(b"\xc2") < len(numbers):  # ``false``: not opted out
                raise SystemExit("a number is opted out that should not be")
        return running.usage().cpu - before


def measure(options: OptoutOptions, folder: Path, tell: Tell) -> Findings:
    cases = []
    for numbers in (0, options.numbers):
        with scratch(folder) as store:
            if numbers:
                tell(f"storing {numbers:,} numbers")
                prepare(store / "gateway.db", optouts=numbers)
            samples: list[Sample] = []
            for repeat in range(options.repeats):
                tell(f"{numbers:,} numbers, repeat {repeat + 1}")
                with gateway(store) as running:
                    sample = {START: running.start_seconds, MEMORY: running.usage().resident}
                    cpu = checked(running, options.checks)
                    first = ELSEWHERE + repeat * options.messages
                    flooded, _ = flood(running, messages=options.messages, first_number=first)
                sample |= {CHECK: cpu / options.checks * 1e6, GATEWAY: flooded[GATEWAY]}
                samples.append(sample)
        settings = {"numbers": numbers, "checks": options.checks, "messages": options.messages}
        cases.append(case(dict(settings), samples))
    with_list = cases[-1].figures
    name = f"{options.numbers:,} numbers"
    targets = [
        at_most(f"{name}, a check, us", 1, with_list[CHECK[0]].median),
        at_most(f"{name}, memory, MB", 400, with_list[MEMORY[0]].max),
        at_most(f"{name}, start, s", 10, with_list[START[0]].median),
    ]
    return Findings(cases, targets)


def draw(result: Result, canvas: "Figure") -> None:
    """Each figure, without and with the list."""
    cases = result.findings.cases
    names = [f"{one.settings['numbers']:,}" for one in cases]
    axes = canvas.subplots(1, 4)
    for ax, (title, unit) in zip(axes, (START, MEMORY, CHECK, GATEWAY), strict=True):
        bars(ax, names, [one.figures[title] for one in cases])
        ax.set(title=title, ylabel=unit, xlabel="numbers on the list")


BENCHMARK = Benchmark(
    about="a long list of opted-out numbers: memory, start-up, cost of a check",
    options=OptoutOptions(),
    quick=OptoutOptions(repeats=1, numbers=500_000, checks=200_000, messages=20_000),
    measure=measure,
    draw=draw,
)
