"""Saves a benchmark's plot as SVG, where matplotlib is installed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import Figure as Measured
from benchmarks.results import Result, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[[Result, Any], None]
"""Puts a result on an empty canvas, a figure of matplotlib or a part of one."""


def save(
    result: Result, draw: Draw, folder: Path, *, name: str | None = None, height: float = 6
) -> str:
    """Draw a result, into a file of this name or its own; says where the plot is, or why there is
    none."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  a plot is no reason to refuse a measurement
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return "no plot: matplotlib is not installed; `make setup` installs it"
    path = folder / f"{name or result.benchmark}.svg"
    # Without a salt and a date the same result gives the same file.
    with mpl.rc_context({"svg.hashsalt": result.benchmark, "svg.fonttype": "none"}):
        canvas = Figure(figsize=(12, height), layout="constrained")
        draw(result, canvas)
        where = f"{result.machine['processor']}, {result.machine['cores']} cores"
        canvas.suptitle(f"{result.benchmark}: {result.about}\n{where}, {result.at}")
        canvas.savefig(path, metadata={"Date": None})
    return f"plot: {path}"


def bars(ax: "Axes", names: Sequence[str], found: Sequence[Measured], color: str = "C0") -> None:
    """Medians as bars, with a line from the least to the most."""
    spread = [f.median - f.min for f in found], [f.max - f.median for f in found]
    drawn = ax.bar(names, [f.median for f in found], yerr=spread, capsize=4, color=color)
    ax.bar_label(drawn, [number(f.median) for f in found], label_type="center", color="white")
    ax.grid(axis="y", alpha=0.4)
