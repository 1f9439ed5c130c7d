"""Fills a store through its own interface, in a process of its own, before a gateway opens it:
millions of messages that have their outcome, or of opted-out numbers, would take the socket too
long. Nothing is measured here. Commits need not survive a power failure meanwhile, so
``synchronous`` is ``normal``; the gateway that opens the store uses ``full``.
"""

import subprocess
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Annotated, Final

import trio
from msgspec import Meta, Struct

from benchmarks.load import PREFIX
from benchmarks.options import add_arguments, arguments, read
from benchmarks.processes import python, tenant_name
from gateway.message import Event, Message, message_id
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import GLOBAL, Entry, OptoutChange, Settlement
from gateway.queue.store import Final as Ended

BLOCK: Final = 10_000
"""Messages, or numbers, in one call of the store."""

AGE: Final = 2 * 86_400.0
"""Seconds over which the history lies back: well within what the gateway keeps."""

OPTED_OUT: Final = "86137"
"""What opted-out numbers begin with; no load generator texts them."""


class PrepareOptions(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(description="the store's file")]
    history: Annotated[int, Meta(description="messages that were delivered")] = 0
    optouts: Annotated[int, Meta(description="numbers that nobody may text")] = 0


def prepare(path: Path, *, history: int = 0, optouts: int = 0) -> None:
    """Run the helper to its end."""
    words = arguments(PrepareOptions(path=str(path), history=history, optouts=optouts))
    subprocess.run(python("benchmarks.prepare", *words), check=True)


async def fill(options: PrepareOptions) -> None:
    store = SqliteStore(options.path, synchronous="normal")
    await store.open()
    now = time.time()
    for first in range(0, options.history, BLOCK):
        at = now - AGE * (1 - first / options.history)
        count = min(BLOCK, options.history - first)
        messages = [_message(first + i, (int(at * 1000) << 20) + i, at) for i in range(count)]
        await store.accept([Entry(message, message.id, leased=True) for message in messages])
        await store.settle(Settlement(finals=[Ended(m, _event(m, at)) for m in messages]))
    for first in range(0, options.optouts, BLOCK):
        numbers = range(first, min(first + BLOCK, options.optouts))
        await store.optout(
            [OptoutChange(GLOBAL, f"{OPTED_OUT}{n:08}", True, "api", now) for n in numbers]
        )
    await store.aclose()


def _message(number: int, identifier: int, at: float) -> Message:
    return Message(
        identifier,
        tenant_name(0),
        f"{PREFIX}{number:08}",
        "10690001",
        f"Hi, your order {number} is on its way and should be with you tomorrow",
        "transactional",
        "default",
        "gsm7",
        1,
        at,
        at,
        at + 172_800,
        key=f"history-{number}",
        campaign="history",
    )


def _event(message: Message, at: float) -> Event:
    return Event(
        "delivered",
        at,
        message_id(message.id),
        message.key,
        message.to,
        campaign=message.campaign,
        parts=1,
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    add_arguments(parser, PrepareOptions)
    namespace = parser.parse_args()
    trio.run(fill, read(namespace, PrepareOptions(path=namespace.path)))


if __name__ == "__main__":
    main()
