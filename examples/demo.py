"""``make demo``: the gateway at work on a campaign, from its first message to a table that adds up.

Two simulated carriers and the gateway run as processes of their own (`examples.stage`); this one is
the campaign system. It submits `examples.campaign` over the socket, follows the events, and in the
end compares what it was promised with what it was told, and with what the carriers saw.
"""

import signal
import sys
import time
from typing import Final

import trio
from rich.console import Console

from examples import board, report
from examples.campaign import REMINDER, SENDER, Campaign
from examples.metrics import scrape
from examples.stage import Stage, StageError, stage
from examples.tally import Tally, audit
from gateway.api.client import Client, connect

MESSAGES: Final = 10_000
AGAIN: Final = 500
"""Messages that are submitted once more, as after a crash."""

PATIENCE: Final = 60.0
"""Seconds for outcomes to come in, several times what it takes."""

STATUSES: Final = 1000
"""Messages asked about in one request."""


async def campaign_system(
    stage: Stage, campaign: Campaign, tally: Tally, console: Console
) -> report.Facts:
    """Do what a campaign system does; returns what is known in the end."""
    async with connect(stage.address, stage.token, name="demo") as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_follow, client, tally)
            nursery.start_soon(board.show, console, tally, len(campaign.drafts), stage.admin)
            await client.optout("add", campaign.opted_out)
            started = time.monotonic()
            await _submit(client, campaign, tally)
            accepting = time.monotonic() - started
            duplicates = await _submit_again(client, campaign)
            cancelled = await client.cancel(campaign=REMINDER)
            with trio.move_on_after(PATIENCE):
                while tally.waiting - tally.due_later:
                    await trio.sleep(0.1)
            took = time.monotonic() - started
            ...
            nursery.cancel_scope.cancel()
