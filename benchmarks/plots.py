"""Saves a benchmark's plot as SVG, where matplotlib is installed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(result: Result, draw: Callable[[Result, "Figure"], None], folder: Path) -> str:
    """Draw a result; says where the plot is, or why there is none."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  a plot is no reason to refuse a measurement
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return "no plot: matplotlib is not installed; `make setup` installs it"
    path = folder / f"{result.benchmark}.svg"
    # Without a salt and a date the same result gives the same file.
    style = {"svg.hashsalt": result.benchmark, "font.size": 9.0, "svg.fonttype": "none"}
    with mpl.rc_context(style):
        canvas = Figure(figsize=(12, 6), layout="constrained")
        draw(result, canvas)
        where = f"{result.machine['processor']}, {result.machine['cores']} cores"
        canvas.suptitle(f"{result.benchmark}: {result.about}\n{where}, {result.at}")
        canvas.savefig(path, metadata={"Date": None})
    return f"plot: {path}"
