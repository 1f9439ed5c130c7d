"""``make demo``: the gateway at work on a campaign, from its first message to a table that adds up.

Two simulated carriers and the gateway run as processes of their own (`examples.stage`); this one is
the campaign system. It submits `examples.campaign` over the socket, follows the events, and in the
end compares what it was promised with what it was told, and with what the carriers saw.
"""

import signal
import sys
import time
from collections.abc import Mapping
from typing import Final

import trio
from rich.console import Console

from examples import board, report
from examples.campaign import REMINDER, SENDER, Campaign
from examples.metrics import scrape
from examples.stage import Stage, StageError, stage
from examples.tally import Tally, audit
from gateway.api.client import Client, connect
from gateway.api.wire import Accepted

SIZE: Final = 10_000
"""Messages, more or less."""

AGAIN: Final = 500
"""Messages that are submitted once more, as after a crash."""

PATIENCE: Final = 60.0
"""Seconds for outcomes to come in, several times what it takes."""

WIDTH: Final = 100
"""Characters of a line where the output is not a terminal."""


async def run(stage: Stage, campaign: Campaign, console: Console) -> report.Result:
    """Be a campaign system."""
    tally = Tally()
    async with connect(stage.address, stage.token, name="demo") as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_follow, client, tally)
            nursery.start_soon(board.show, console, tally, len(campaign.drafts), stage.admin)
            await client.optout("add", campaign.opted_out)
            started = time.monotonic()
            await _submit(client, campaign, tally)
            accepted = time.monotonic()
            again, recognised = await _submit_again(client, tally)
            await client.cancel(campaign=REMINDER)
            with trio.move_on_after(PATIENCE):
                while tally.waiting - tally.due_later:
                    await trio.sleep(0.1)
            ended = time.monotonic()
            await trio.sleep(max(board.BAR_EVERY, board.LINE_EVERY))  # for its last look
            nursery.cancel_scope.cancel()
        states = await _states(client, tally)
    return report.Result(
        tally=tally,
        states=states,
        again=again,
        recognised=recognised,
        accepting=accepted - started,
        took=ended - started,
        metrics=await trio.to_thread.run_sync(scrape, stage.admin),
        audit=audit(stage.records, campaign),
    )


async def _follow(client: Client, tally: Tally) -> None:
    async for event in client.events("demo", "start"):
        tally.reported(event)


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


async def _states(client: Client, tally: Tally) -> Mapping[str, str]:
    """Where the gateway says that the messages without an outcome are."""
    return {
        status.message_id: status.state
        for status in await client.status(list(tally.waiting))
        if status is not None
    }


def main() -> int:
    """Run the demo; the exit status is 0 where everything adds up."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    # Whatever ends us ends what we have started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    now = time.time()
    campaign = Campaign(SIZE, now)
    try:
        report.introduce(console, campaign, now)
        with stage(SENDER, campaign.night.region) as running:
            result = trio.run(run, running, campaign, console)
            report.conclude(console, campaign, result)
    except StageError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0 if result.adds_up else 1


if __name__ == "__main__":
    sys.exit(main())
