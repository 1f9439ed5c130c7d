"""How ``gateway top`` looks: sentences first, then tables; no colour without a word."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from gateway.cli.looking import waits_for
from gateway.dispatch.operating.stuck import duration

STYLES: Final = {"critical": "bold red", "warning": "yellow", "notice": "cyan"}

OF_A_FINDING: Final = 3
"""Lines that a sentence takes, with what to do about it."""

AROUND: Final = 6
"""Lines of a table besides its rows."""


def screen(found: Mapping[str, Any], address: str, trouble: str, height: int) -> RenderableType:
    """What was found at an address, or last before there was ``trouble``, in so many lines."""
    overview = found["overview"]
    head = [_title(overview, address)]
    if trouble:
        head.append(Text(f"what follows is old: {trouble}", style="bold red"))
    findings = overview["findings"]
    most = max(1, height // 4 // OF_A_FINDING)
    for one in findings[:most]:
        head += _finding(one)
    if len(findings) > most:
        head.append(Text(f"… and {len(findings) - most} more: see the console"))
    if not findings:
        head.append(Text("All is well.", style="green"))
    head.append(_sums(overview, found["rates"]))
    head_lines = sum(len(str(one).splitlines()) for one in head)
    lines = max(1, (height - head_lines) // 3 - AROUND)
    return Group(
        *head,
        _carriers(found["carriers"], found["rates"]["carriers"], lines),
        _queues(found["queues"], lines),
        _tenants(found["tenants"], found["rates"]["tenants"], lines),
    )


def _title(overview: Mapping[str, Any], address: str) -> Text:
    at = datetime.fromtimestamp(overview["at"], UTC).astimezone()
    up = duration(overview["at"] - overview["started_at"])
    return Text(
        f"gateway {overview['version']} at {address}  {at:%H:%M:%S}  up {up}"
        f"  configuration {overview['digest']}",
        style="bold",
    )


def _finding(one: Mapping[str, Any]) -> list[Text]:
    style = STYLES[one["severity"]]
    told = Text(f"{one['severity'].upper()} ", style=style)
    told.append(f"{one['subject']}: {one['what']}", style="default")
    lines = [told]
    if one["safe"]:
        lines.append(Text(f"    safe: {one['safe']}"))
    if one["do"]:
        lines.append(Text(f"    do: {one['do']}"))
    return lines


def _sums(overview: Mapping[str, Any], rates: Mapping[str, Any]) -> Text:
    told = (
        f"queued {overview['queued']:,}, deferred {overview['deferred']:,},"
        f" with carriers {overview['sent']:,}"
    )
    if overview["oldest_seconds"] is not None:
        told += f"; the oldest is due since {duration(overview['oldest_seconds'])}"
    if rates["accepted"] is not None:
        told += (
            f"\na second: {rates['accepted']:,} accepted, {rates['answered']:,} parts answered,"
            f" {rates['ended']:,} ended"
        )
    return Text(told)


def _carriers(
    carriers: Sequence[Mapping[str, Any]], rates: Mapping[str, float], most: int
) -> Table:
    table = _table(
        "carrier", "state", "binds", "window", "parts/s", "held to", "no receipt for", "why"
    )
    worst = sorted(carriers, key=lambda one: (one["state"] == "up", one["id"]))
    for one in worst[:most]:
        paused = one["pause"] is not None
        table.add_row(
            one["id"],
            "paused" if paused else one["state"],
            f"{one['binds_up']}/{len(one['binds'])}",
            f"{one['in_use']}/{one['window']}",
            _number(rates.get(one["id"])),
            f"{one['rate']:g}/s" if one["rate"] else "",
            duration(one["receipts_silent_seconds"]) if one["receipts_silent_seconds"] >= 1 else "",
            one["error"] if one["state"] != "up" and one["error"] else "",
        )
    return _rest(table, len(carriers) - most)


def _queues(queues: Sequence[Mapping[str, Any]], most: int) -> Table:
    table = _table("queue", "category", "route", "campaign", "messages", "oldest", "waits for")
    for one in queues[:most]:
        table.add_row(
            one["tenant"],
            one["category"],
            one["route"],
            one["campaign"] or "",
            f"{one['messages']:,}",
            "" if one["oldest_seconds"] is None else duration(one["oldest_seconds"]),
            waits_for(one),
        )
    return _rest(table, len(queues) - most)


def _tenants(tenants: Sequence[Mapping[str, Any]], rates: Mapping[str, float], most: int) -> Table:
    table = _table(
        "tenant", "accepted/s", "queued", "deferred", "sent", "oldest", "events behind", ""
    )
    busiest = sorted(tenants, key=lambda one: (-one["queued"], -rates.get(one["id"], 0.0)))
    for one in busiest[:most]:
        notes = [
            word
            for word, so in (
                ("paused", one["pause"] is not None),
                ("at its rate", one["rate_bound"]),
                ("not in the configuration", not one["configured"]),
            )
            if so
        ]
        table.add_row(
            one["id"],
            _number(rates.get(one["id"])),
            f"{one['queued']:,}",
            f"{one['deferred']:,}",
            f"{one['sent']:,}",
            "" if one["oldest_seconds"] is None else duration(one["oldest_seconds"]),
            f"{one['lag']:,}" if one["lag"] else "",
            ", ".join(notes),
        )
    return _rest(table, len(tenants) - most)


def _table(*columns: str) -> Table:
    cells = [Column(name, no_wrap=True, overflow="ellipsis") for name in columns]
    return Table(*cells, box=box.SIMPLE_HEAD, expand=True, pad_edge=False)


def _rest(table: Table, more: int) -> Table:
    if more > 0:
        table.caption = f"… and {more:,} more"
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
