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

TITLES: Final = ("answered, durable", "parts taken by carriers", "outcomes")


async def show(console: Console, tally: Tally, drafts: int, admin: str) -> None:
    """Show it until cancelled. ``drafts`` is how many messages there are to submit, ``admin`` the
    URL of the gateway's admin server."""
    started = time.monotonic()
    bars = Progress(
        TextColumn("{task.description:24}"),
        BarColumn(36),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        console=console,
        disable=not console.is_terminal,
    )
    tasks = [bars.add_task(title, total=None, rate="") for title in TITLES]
    with bars:
        while True:
            await trio.sleep(BAR_EVERY if console.is_terminal else LINE_EVERY)
            metrics = await trio.to_thread.run_sync(scrape, admin)
            waiting = tally.waiting
            reached = (
                (len(tally.accepted) + tally.refused.total(), drafts),
                (int(metrics.total("parts_submitted_total", status="ESME_ROK")), tally.parts),
                (
                    len(tally.accepted) - len(waiting),
                    len(tally.accepted) - len(waiting & tally.due_later),
                ),
            )
            seconds = time.monotonic() - started
            for task, (done, total) in zip(tasks, reached, strict=True):
                bars.update(task, completed=done, total=total, rate=f"{done / seconds:,.0f}/s")
            if not console.is_terminal:
                told = (
                    f"{title} {done:,} of {total:,}"
                    for title, (done, total) in zip(TITLES, reached, strict=True)
                )
                console.print(f"{seconds:5.1f} s  {', '.join(told)}")
