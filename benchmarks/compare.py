"""``python -m benchmarks compare A B``: two results side by side, as tables and as plots."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import plots
from benchmarks.plots import Draw
from benchmarks.results import Figure, Result, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


class Pair(NamedTuple):
    """A figure in both results; None where one has not got it."""

    case: str
    name: str
    one: Figure | None
    other: Figure | None

    @property
    def change(self) -> str:
        if self.one is None or self.other is None or not self.one.median:
            return ""
        return f"{self.other.median / self.one.median - 1:+.0%}"


def load(path: Path) -> Result:
    """A stored result. Raises ValueError, which names the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def pairs(one: Result, other: Result) -> Iterator[Pair]:
    """Figures of cases with the same settings, in the order of the first; then what only the second
    has."""
    cases = [{str(case.settings): case for case in each.findings.cases} for each in (one, other)]
    for key in dict.fromkeys([*cases[0], *cases[1]]):
        found = [each.get(key) for each in cases]
        settings = next(case.settings for case in found if case is not None)
        names = dict.fromkeys(name for case in found if case is not None for name in case.figures)
        for name in names:
            first, second = (None if case is None else case.figures.get(name) for case in found)
            yield Pair(", ".join(map(str, settings.values())), name, first, second)


def differences(one: Result, other: Result) -> Iterator[tuple[str, object, object]]:
    """On what, with what and how they were measured, where that differs."""
    for group in ("machine", "versions", "options"):
        left, right = getattr(one, group), getattr(other, group)
        for name in dict.fromkeys([*left, *right]):
            if left.get(name) != right.get(name):
                yield name, left.get(name), right.get(name)


def show(one: Result, other: Result, console: Console) -> None:
    """Print what differs, and the figures."""
    table = Table("", one.benchmark, other.benchmark, box=None, header_style="bold")
    table.add_row("at", one.at, other.at)
    for name, left, right in differences(one, other):
        table.add_row(name, *("" if value is None else str(value) for value in (left, right)))
    console.print(table)
    table = Table(box=None, header_style="bold")
    for name in ("case", "figure", "unit"):
        table.add_column(name)
    for name in (one.benchmark, other.benchmark, "change"):
        table.add_column(name, justify="right")
    for pair in pairs(one, other):
        figures = (pair.one, pair.other)
        unit = next(figure.unit for figure in figures if figure is not None)
        medians = ("" if figure is None else number(figure.median) for figure in figures)
        table.add_row(pair.case, pair.name, unit, *medians, pair.change)
    console.print(table)


def plot(one: Result, other: Result, draw: Draw, path: Path) -> str:
    """Draw both, one above the other on the same scales; says where, or why not."""

    def both(_: Result, canvas: "Canvas") -> None:
        upper, lower = canvas.subfigures(2, 1, squeeze=False)[:, 0]
        for result, part in ((one, upper), (other, lower)):
            draw(result, part)
            part.suptitle(f"{result.benchmark}: {result.about}")
        for above, below in zip(upper.axes, lower.axes, strict=False):
            _align(above, below)

    return plots.save(one, both, path.parent, name=path.stem, height=10)


def _align(above: "Axes", below: "Axes") -> None:
    (low, high), (other_low, other_high) = above.get_ylim(), below.get_ylim()
    for ax in (above, below):
        ax.set_ylim(min(low, other_low), max(high, other_high))
