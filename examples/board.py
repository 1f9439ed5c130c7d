"""Shows how far the demo has come: bars on a terminal, a plain line a second elsewhere."""

import time
from typing import Final

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from examples.metrics import scrape
from examples.tally import Tally

BAR_EVERY: Final = 0.2
LINE_EVERY: Final = 1.0
"""Seconds between two looks."""


async def show(console: Console, tally: Tally, drafts: int, admin: str) -> None:
    """Show it until cancelled. ``drafts`` is how many messages there are to submit, ``admin`` the
    URL of the gateway's admin server."""
    started = time.monotonic()
    bars = Progress(
        TextColumn("{task.description:9}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[more]}"),
        console=console,
        disable=not console.is_terminal,
    )
    answered = bars.add_task("answered", total=drafts, more="")
    outcomes = bars.add_task("outcomes", total=None, more="")
    with bars:
        while True:
            await trio.sleep(BAR_EVERY if console.is_terminal else LINE_EVERY)
            metrics = await trio.to_thread.run_sync(scrape, admin)
            parts = metrics.total("parts_submitted_total", status="ESME_ROK")
            asked = len(tally.accepted) + tally.refused.total()
            done = len(tally.outcomes)
            seconds = time.monotonic() - started
            more = f"{done / seconds:,.0f}/s, {parts:,.0f} parts taken by carriers"
            bars.update(answered, completed=asked)
            bars.update(outcomes, completed=done, total=done + len(tally.due), more=more)
            if not console.is_terminal:
                console.print(
                    f"{seconds:5.1f} s  answered {asked:,} of {drafts:,}, outcomes {done:,} of "
                    f"{done + len(tally.due):,}, {more}"
                )
