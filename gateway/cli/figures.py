"""The screen of ``gateway stats --watch``: the figures of campaigns, by carrier and variant. Asking
is in `gateway.cli.counting`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from gateway.api.wire import Stat
from gateway.cli.counting import in_all

ENDED: Final = ("delivered", "failed", "expired", "unknown")
"""The outcomes by which reach is measured."""

TITLES: Final = ("sent", *ENDED, "opt-outs", "reach", "% unknown")
"""The columns of a table, but for the first."""

MATTERING: Final = (
    "reach",
    "delivered",
    "sent",
    "failed",
    "unknown",
    "expired",
    "opt-outs",
    "% unknown",
)
"""The same, those first that stay where there is room for few."""

GAP: Final = 2
"""Columns of the terminal between two of a table."""

BARE: Final = {"pad_edge": False, "box": None, "header_style": "bold"}


def reach(outcomes: Mapping[str, int]) -> tuple[float, float] | None:
    """The share that is delivered and the one that is unknown; None where nothing has ended."""
    ended = sum(outcomes.get(one, 0) for one in ENDED)
    if not ended:
        return None
    return outcomes.get("delivered", 0) / ended, outcomes.get("unknown", 0) / ended


def screen(stats: Sequence[Stat], what: str) -> RenderableType:
    """Everything about some campaigns, on one screen."""
    total = in_all(stats)
    head = Text(f"{what}   ", style="bold")
    head.append(
        f"accepted {total['accepted']:,}   sent {total.get('sent', 0):,}   "
        f"parts {total.get('parts', 0):,}   texts from phones {total.get('inbound', 0):,}   "
        f"opt-outs {total.get('optouts', 0):,}",
        style="not bold",
    )
    if total.get("cost"):
        head.append(f"   cost {total['cost']:,.2f}", style="not bold")
    parts: list[RenderableType] = [head]
    for title, counts in (
        ("outcomes", total.get("outcomes")),
        ("refused by code", total.get("refused")),
        ("refused by rule", total.get("ruled_out")),
        ("put off by rule", total.get("deferred")),
    ):
        if counts:
            shown = sorted(counts.items(), key=lambda one: -one[1])
            line = "   ".join(f"{name} {number:,}" for name, number in shown)
            parts.append(Text(f"{title}: {line}"))
    if carriers := _by(stats, "carrier"):
        parts += [Text(), _Table("carrier", carriers)]
    if len(variants := _by(stats, "variant")) > 1:
        parts += [Text(), _Table("variant", variants)]
    return Group(*parts)


def _by(stats: Iterable[Stat], name: str) -> dict[str, dict[str, Any]]:
    """The sums of each carrier or variant."""
    of: dict[str, list[Stat]] = {}
    for stat in stats:
        if (label := getattr(stat, name)) is not None:
            of.setdefault(label, []).append(stat)
    return {label: in_all(rows) for label, rows in sorted(of.items())}


class _Table:
    """Figures by carrier or variant, in as many columns as there is room for: those that tell least
    go first.

    Args:
        name: of what the rows are of.
    """

    def __init__(self, name: str, sums: Mapping[str, Mapping[str, Any]]) -> None:
        self._columns = {name: [*sums], **_columns(sums.values())}
        self._order = (name, *MATTERING)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        left, kept = options.max_width + GAP, set[str]()
        for title in self._order:
            width = max(map(len, (title, *self._columns[title]))) + GAP
            if width <= left or not kept:
                kept.add(title)
                left -= width
        table = Table(**BARE)  # type: ignore[arg-type]  # of several types
        shown = {title: cells for title, cells in self._columns.items() if title in kept}
        for title in shown:
            table.add_column(title, justify="left" if title == self._order[0] else "right")
        for row in zip(*shown.values(), strict=True):
            table.add_row(*row)
        yield table


def _columns(sums: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The figures of rows, by the titles of their columns."""
    found: dict[str, list[str]] = {title: [] for title in TITLES}
    for total in sums:
        outcomes = total.get("outcomes", {})
        shares = reach(outcomes)
        cells = (
            f"{total.get('sent', 0):,}",
            *(f"{outcomes.get(one, 0):,}" for one in ENDED),
            f"{total.get('optouts', 0):,}",
            *(("", "") if shares is None else (f"{share:.1%}" for share in shares)),
        )
        for title, cell in zip(TITLES, cells, strict=True):
            found[title].append(cell)
    return found
