"""The regression guard: has the CPU time of a message grown by half?

CPU time is measured beside a calibration loop, which does the kind of work that the gateway does;
their ratio holds on any machine, while a rate holds on none. The ratio is compared with the one in
``baseline.json``. Whatever else the machine does can only make a run dearer, so the cheapest of
several counts, and the first that is within bounds passes.
"""

import json
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from benchmarks.processes import gateway
from benchmarks.runs import GATEWAY, flood, scratch

BASELINE: Final = Path(__file__).parent / "baseline.json"


class GuardOptions(Struct, frozen=True, kw_only=True):
    messages: Annotated[int, Meta(description="in each run")] = 40_000
    runs: Annotated[int, Meta(ge=1, description="at most; the cheapest counts")] = 5
    slack: Annotated[float, Meta(ge=1, description="how often the baseline's ratio fails")] = 1.5
    record: Annotated[bool, Meta(description="true: make this the baseline, after all runs")] = (
        False
    )


class Ratio(NamedTuple):
    """CPU seconds of the gateway for a message, against those of a round of the loop."""

    message: float
    round: float

    @property
    def value(self) -> float:
        return self.message / self.round


class Verdict(NamedTuple):
    """How the cheapest run stands to the baseline: 1.0 is as it was."""

    growth: float
    passed: bool


def judge(ratios: list[float], baseline: float, slack: float) -> Verdict:
    """What measured ratios mean."""
    growth = min(ratios) / baseline
    return Verdict(growth, growth < slack)


# --- calibration ---

ROUNDS: Final = 3_000
"""Rounds of the loop: about a tenth of a second."""

TIMES: Final = 5
"""How often the loop is timed; the median counts."""


class _Thing(Struct, array_like=True):
    number: int
    name: str
    text: str
    at: float
    parts: list[int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Thing).decode


def calibrate() -> float:
    """CPU seconds of one round of a fixed piece of work, in this process: objects made, encoded and
    decoded, texts cut and joined, tables written and read."""
    found = []
    for _ in range(TIMES):
        started = time.process_time()
        table: dict[str, _Thing] = {}
        for number in range(ROUNDS):
            thing = _Thing(number, f"name-{number}", "one two three " * 6, 0.5, [number, 1, 2])
            data = json.dumps({"number": number, "text": thing.text}).encode()
            again = _decode(_encode(thing))
            table[again.name] = again
            table[f"name-{number // 2}"].parts.append(len(data[number % 7 :].split(b" ")))
        found.append((time.process_time() - started) / ROUNDS)
    return median(found)


# --- the check ---


def measured(options: GuardOptions, folder: Path) -> Ratio:
    """One short run, with the loop before and after it."""
    before = calibrate()
    with scratch(folder) as empty, gateway(empty) as running:
        flood(running, messages=options.messages // 10, first_number=90_000_000)
        sample, _ = flood(running, messages=options.messages)
    return Ratio(sample[GATEWAY] / 1e6, (before + calibrate()) / 2)


def check(options: GuardOptions, folder: Path, baseline: Path = BASELINE) -> int:
    """Run it, and say how it stands; 0 where it passes."""
    ratios: list[float] = []
    known: dict[str, Any] = json.loads(baseline.read_bytes()) if baseline.exists() else {}
    for _ in range(options.runs):
        ratio = measured(options, folder)
        ratios.append(ratio.value)
        print(
            f"{ratio.message * 1e6:.1f} us CPU a message, {ratio.round * 1e6:.2f} us a round of"
            f" the calibration loop: ratio {ratio.value:.2f}"
        )
        if not options.record and known and judge(ratios, known["ratio"], options.slack).passed:
            break
    if options.record:
        baseline.write_text(json.dumps({"ratio": round(min(ratios), 2)}) + "\n")
        print(f"wrote {baseline}")
        return 0
    if not known:
        print(f"there is no {baseline}: run `python -m benchmarks check --record true`")
        return 1
    verdict = judge(ratios, known["ratio"], options.slack)
    word = "passed" if verdict.passed else "FAILED"
    print(
        f"{word}: {verdict.growth:.2f} times the baseline's ratio of {known['ratio']},"
        f" fails from {options.slack:g} times on"
    )
    return 0 if verdict.passed else 1
