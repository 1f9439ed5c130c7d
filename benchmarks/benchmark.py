"""What a benchmark is, and how one is run: measured, printed, stored, plotted."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from rich.console import Console

from benchmarks import plots
from benchmarks.machine import machine, versions
from benchmarks.options import Options
from benchmarks.results import Findings, Result, show, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 180
"""Columns of a table where it does not go to a terminal."""

Tell = Callable[[str], None]
"""Says what is being run."""


class Benchmark(NamedTuple):
    """A benchmark.

    Attributes:
        about: what it measures, in a line.
        options: those of a full run, of some minutes; ``quick``: those of one of seconds.
        measure: runs it in a folder of its own.
        draw: puts the result on an empty canvas.
    """

    about: str
    options: Options
    quick: Options
    measure: Callable[[Any, Path, Tell], Findings]
    draw: Callable[[Result, "Figure"], None]


def run(name: str, benchmark: Benchmark, options: Options, scratch: Path, output: Path) -> Result:
    """Run a benchmark with these options, with its stores below ``scratch``; leave its result and
    its plot in ``output``."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    settings = msgspec.to_builtins(options)
    about, known = machine(scratch), versions()
    console.rule(f"[bold]{name}[/]: {benchmark.about}")
    for group in (about, known, settings):
        line = ", ".join(f"{key} {value}" for key, value in group.items())
        console.print(line, highlight=False, style="dim")
    at, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    with console.status(name) as status:
        findings = benchmark.measure(
            options, scratch, lambda text: status.update(f"{name}: {text}")
        )
    seconds = time.monotonic() - started
    result = Result(name, benchmark.about, at, seconds, about, known, settings, findings)
    keep(result, benchmark.draw, console, output)
    return result


def keep(
    result: Result, draw: Callable[[Result, "Figure"], None], console: Console, output: Path
) -> None:
    """Print a result, and leave it and its plot in a folder."""
    findings = result.findings
    show(findings, console)
    output.mkdir(parents=True, exist_ok=True)
    console.print(
        f"{result.seconds:.0f} s; wrote {write(result, output)}", highlight=False, style="dim"
    )
    if findings.cases:
        told = plots.save(result, draw, output)
        console.print(told, highlight=False, style="dim")
