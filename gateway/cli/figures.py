"""The screen of ``gateway stats --watch``: the figures of campaigns, by carrier and variant. Asking
is in `gateway.cli.counting`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.api.wire import Stat
from gateway.cli.counting import in_all

ENDED: Final = ("delivered", "failed", "expired", "unknown")
"""The outcomes by which reach is measured."""

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
        parts += [Text(), _table("carrier", carriers)]
    if len(variants := _by(stats, "variant")) > 1:
        parts += [Text(), _table("variant", variants)]
    return Group(*parts)


def _by(stats: Iterable[Stat], name: str) -> dict[str, dict[str, Any]]:
    """The sums of each carrier or variant."""
    of: dict[str, list[Stat]] = {}
    for stat in stats:
        if (label := getattr(stat, name)) is not None:
            of.setdefault(label, []).append(stat)
    return {label: in_all(rows) for label, rows in sorted(of.items())}


def _table(name: str, sums: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(**BARE)  # type: ignore[arg-type]  # of several types
    table.add_column(name)
    for column in ("sent", "delivered", "failed", "expired", "unknown", "opt-outs"):
        table.add_column(column, justify="right")
    table.add_column("reach", justify="right")
    table.add_column("unknown", justify="right")
    for label, total in sums.items():
        outcomes = total.get("outcomes", {})
        shares = reach(outcomes)
        table.add_row(
            label,
            f"{total.get('sent', 0):,}",
            *(f"{outcomes.get(one, 0):,}" for one in ENDED),
            f"{total.get('optouts', 0):,}",
            *(("", "") if shares is None else (f"{share:.1%}" for share in shares)),
        )
    return table
