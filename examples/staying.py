"""What goes on after the demo while somebody looks at the console: the shop texts on, some messages
a second, until Ctrl-C."""

import time
from itertools import count
from typing import Final

import trio
from rich.console import Console

from examples.campaign import Campaign
from examples.stage import Stage
from gateway.api.client import Client, connect

LIST: Final = 1_000
"""Messages of one list; when it is at its end, the next one is begun."""

BATCH: Final = 10
EVERY: Final = 0.5
"""Messages of a batch, and seconds between batches."""


def stay(console: Console, stage: Stage) -> None:
    """Text on until somebody ends it."""
    console.print(
        f"\nThe console stays at [bold]{stage.admin}/[/] until Ctrl-C, and the shop texts on: "
        f"{BATCH / EVERY:.0f} messages a second."
    )
    try:
        trio.run(_go_on, stage)
    except* KeyboardInterrupt:
        console.print("That was it.")


async def _go_on(stage: Stage) -> None:
    async with (
        connect(stage.address, stage.token, name="demo") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_follow, client)
        for seed in count(12):
            drafts = Campaign(LIST, time.time(), seed).drafts
            for start in range(0, len(drafts), BATCH):
                batch = drafts[start : start + BATCH]
                await client.submit([draft.message for draft in batch])
                await trio.sleep(EVERY)


async def _follow(client: Client) -> None:
    async for _ in client.events("demo"):
        pass
