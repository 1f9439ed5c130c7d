"""What a benchmark found: cases with figures, targets, curves to plot; printed and stored."""

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

Value: TypeAlias = str | int | float


class Figure(Struct, frozen=True):
    """Something measured, once in each repeat."""

    unit: str
    repeats: list[float]
    median: float
    min: float
    max: float

    def __str__(self) -> str:
        if len(self.repeats) == 1:
            return number(self.median)
        return f"{number(self.median)} ({number(self.min)}-{number(self.max)})"


def figure(unit: str, repeats: Iterable[float]) -> Figure:
    """The figure that repeats come to."""
    values = list(repeats)
    return Figure(unit, values, statistics.median(values), min(values), max(values))


def number(value: float) -> str:
    """A number with three digits that matter."""
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


class Case(Struct, frozen=True):
    """One setting of what is varied, and what was measured in it."""

    settings: dict[str, Value]
    figures: dict[str, Figure]


def case(settings: dict[str, Value], samples: Sequence[dict[tuple[str, str], float]]) -> Case:
    """A case of one sample for each repeat; a sample has values by name and unit."""
    return Case(
        settings,
        {
            name: figure(unit, [sample[name, unit] for sample in samples])
            for name, unit in samples[0]
        },
    )


class Target(Struct, frozen=True):
    """What a figure is to be, and what it is."""

    what: str
    wanted: str
    measured: float
    met: bool


def at_least(what: str, limit: float, measured: float) -> Target:
    return Target(what, f"at least {number(limit)}", measured, measured >= limit)


def at_most(what: str, limit: float, measured: float) -> Target:
    return Target(what, f"at most {number(limit)}", measured, measured <= limit)


class Findings(Struct, frozen=True):
    """What a benchmark hands over.

    Attributes:
        curves: by name, points to plot: x values and y values.
        notes: what a reader must know, such as why something was skipped.
    """

    cases: list[Case]
    targets: list[Target] = []
    curves: dict[str, tuple[list[float], list[float]]] = {}
    notes: list[str] = []


class Result(Struct, frozen=True):
    """A run of a benchmark, as it is stored."""

    benchmark: str
    about: str
    at: str
    seconds: float
    machine: dict[str, str]
    versions: dict[str, str]
    options: dict[str, Any]
    findings: Findings


def write(result: Result, folder: Path) -> Path:
    """Store a result as JSON."""
    path = folder / f"{result.benchmark}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    return path


def show(findings: Findings, console: Console) -> None:
    """Print tables, targets and notes."""
    for _, cases in groupby(findings.cases, _columns):
        console.print(_table(list(cases)))
    for target in findings.targets:
        word = "[green]met[/]" if target.met else "[red]missed[/]"
        console.print(f"{word}: {target.what}: {number(target.measured)}, {target.wanted}")
    for note in findings.notes:
        console.print(f"note: {note}", highlight=False, markup=False)


def _columns(one: Case) -> tuple[str, ...]:
    return (*one.settings, *one.figures)


def _table(cases: Sequence[Case]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in cases[0].settings:
        table.add_column(name, justify="left")
    for name, one in cases[0].figures.items():
        table.add_column(f"{name}\n{one.unit}", justify="right")
    for one_case in cases:
        settings = [
            f"{value:,}" if isinstance(value, int | float) else value
            for value in one_case.settings.values()
        ]
        table.add_row(*settings, *map(str, one_case.figures.values()))
    return table
