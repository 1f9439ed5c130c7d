"""Moves a store into another one, and shows how far it has come."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import cast

import trio

from gateway.cli.progress import Meter
from gateway.queue import backends
from gateway.queue.moving import Movable, move


async def carry(from_: str, to: str) -> Mapping[str, int]:
    """Move the store of one URL into that of another; returns how many rows each table has."""
    options = backends.named(from_), backends.named(to)
    places = backends.where(options[0]), backends.where(options[1])
    source, target = (cast("Movable", backends.make(each, lambda _: None)) for each in options)
    with ExitStack() as stack:
        meters: list[Meter] = []

        def observe(what: str, done: int, total: int) -> None:
            if not meters:
                meters.append(stack.enter_context(Meter(total)))
            if meters[0].due or done == total:
                meters[0].tell(done, what)

        async with _opened(source), _opened(target):
            return await move(source, target, places, observe)


@asynccontextmanager
async def _opened(store: Movable) -> AsyncIterator[None]:
    await store.open()
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()
