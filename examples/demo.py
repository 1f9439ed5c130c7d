"""``make demo``: the gateway at work on a campaign, from its first message to a table that adds up.

Two simulated carriers and the gateway run as processes of their own (`examples.stage`); this one is
the campaign system. It submits `examples.campaign` over the socket, follows the events, and in the
end compares what it was promised with what it was told, and with what the carriers saw. On a
terminal it stays until Ctrl-C, with a console to look at.
"""

import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import trio
from rich.console import Console

from examples import board, brands, report
from examples.campaign import REMINDER, SENDER, Campaign
from examples.metrics import scrape
from examples.result import Result
from examples.stage import Stage, StageError, stage
from examples.staying import stay
from examples.tally import Tally, audit
from gateway.api.client import Client, connect
from gateway.api.wire import Accepted

STAY: Final = "--stay"
"""Asks it to leave the gateway running until Ctrl-C, as it does on a terminal."""

SIZE: Final = 10_000
"""Messages that can be sent; another number can be named on the command line."""

AGAIN: Final = 500
"""Messages that are submitted once more, as after a crash."""

PATIENCE: Final = 60.0
"""Seconds without a single outcome, after which no more are waited for."""

GRACE: Final = 1.0
"""Seconds in which an outcome too many would be noticed."""

FAILED: Final = 1
INTERRUPTED: Final = 130
"""Exit statuses; 130 is what shells make of Ctrl-C."""

WIDTH: Final = 100
"""Characters of a line where the output is not a terminal."""


async def run(stage: Stage, campaign: Campaign, console: Console) -> Result:
    """Be a campaign system."""
    tally = Tally()
    async with connect(stage.address, stage.token, name="demo") as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(board.show, console, tally, len(campaign.drafts), stage.admin)
            await client.optout("add", campaign.opted_out)
            started = time.monotonic()
            await _submit(client, campaign, tally)
            accepted = time.monotonic()
            again, recognised = await _submit_again(client, tally)
            cancelled = (await client.cancel(campaign=REMINDER)).cancelled
            ended = await _follow(client, tally)
            nursery.cancel_scope.cancel()
        states = await _states(client, tally)
    return Result(
        tally=tally,
        states=states,
        again=again,
        recognised=recognised,
        cancelled=cancelled,
        accepting=accepted - started,
        took=ended - started,
        metrics=await trio.to_thread.run_sync(scrape, stage.admin),
        audit=audit(stage.records, campaign, tally),
    )


async def _submit(client: Client, campaign: Campaign, tally: Tally) -> None:
    drafts = iter(campaign.drafts)
    async for result in client.submit_many(draft.message for draft in campaign.drafts):
        tally.submitted(next(drafts), result)


async def _submit_again(client: Client, tally: Tally) -> tuple[int, int]:
    """Submit accepted messages once more: how many, and how many of them the gateway knew."""
    drafts = list(tally.accepted.items())[:AGAIN]
    results = await client.submit([draft.message for _, draft in drafts])
    recognised = sum(
        isinstance(result, Accepted) and result.duplicate and result.message_id == identifier
        for (identifier, _), result in zip(drafts, results, strict=True)
    )
    return len(drafts), recognised


async def _follow(client: Client, tally: Tally) -> float:
    """Take in events until every message that was due has its outcome; returns when it had."""
    ended = time.monotonic()
    with trio.move_on_after(PATIENCE) as scope:
        async for event in client.events("demo", "start"):
            due = len(tally.due)
            tally.reported(event)
            if len(tally.due) < due:
                ended = time.monotonic()
                scope.deadline = trio.current_time() + (PATIENCE if tally.due else GRACE)
    return ended


async def _states(client: Client, tally: Tally) -> Mapping[str, str]:
    """Where the gateway says that the messages without an outcome are."""
    return {
        status.message_id: status.state
        for status in await client.status(tally.waiting())
        if status is not None
    }


def demonstrate(console: Console, size: int, *, stays: bool) -> bool:
    """Run the demo with ``size`` messages; whether everything adds up. Where it ``stays``, the
    gateway and its console do until Ctrl-C."""
    now = time.time()
    campaign = Campaign(size, now)
    report.introduce(console, campaign, now)
    with stage(SENDER, campaign.night.region) as running:
        report.follow(console, running)
        result = trio.run(run, running, campaign, console)
        adds_up = report.conclude(console, campaign, result)
        adds_up = brands.show(console, now) and adds_up
        if stays:
            stay(console, running)
        return adds_up


def command(shows: Callable[..., bool], usual: int) -> None:
    """Run a demonstration and exit, with status 0 where everything adds up.

    Args:
        shows: runs it, on a console, with so many messages; where it ``stays``, until Ctrl-C.
        usual: messages where the command line names no other number.
    """
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    # Whatever ends us ends what we have started.
    # A shell that starts a program in the background has it ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    arguments = [argument for argument in sys.argv[1:] if argument != STAY]
    size = int(arguments[0]) if arguments else usual
    stays = STAY in sys.argv or console.is_terminal
    status = INTERRUPTED
    try:
        status = 0 if shows(console, size, stays=stays) else FAILED
    except* KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    except* StageError as failure:
        print(*failure.exceptions, file=sys.stderr)
        status = FAILED
    sys.exit(status)


if __name__ == "__main__":
    command(demonstrate, SIZE)
