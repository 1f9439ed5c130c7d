"""Nodes that share a database, and what each of them hears of the others."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from gateway.message import LaneKey, Message
from gateway.queue.postgresql import PostgresStore
from gateway.queue.store import Heard, Recovery
from tests.queue.contract.rig import LANE
from tests.servers import Postgres


class Node:
    """A node, and what it has heard."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.recovery: Recovery
        self.heard = Heard()
        self.deaf = trio.Event()
        self.deaf.set()
        self.listening = trio.CancelScope()

    async def listen(self) -> None:
        """Hear of the others, as dispatch does, but while the test has it `deaf`."""
        with self.listening:
            await self._listen()

    async def _listen(self) -> None:
        while True:
            await self.deaf.wait()
            heard = await self.store.heard()
            for lane, due in heard.lanes.items():
                self.heard.lanes[lane] = min(due, self.heard.lanes.get(lane, due))
            self.heard.share = self.heard.share if heard.share is None else heard.share
            self.heard.came += heard.came
            self.heard.newest = max(self.heard.newest, heard.newest)
            self.heard.notices += heard.notices
            self.heard.held += heard.held
            self.heard.handed |= heard.handed
            self.heard.erased += heard.erased
            self.heard.slots = self.heard.slots if heard.slots is None else heard.slots
            self.heard.leaving = heard.leaving or self.heard.leaving
            self.heard.inherited |= heard.inherited

    async def until(self, so: Callable[[Heard], Any]) -> None:
        """Wait until what was heard is so."""
        with trio.fail_after(30):
            while not so(self.heard):
                await trio.sleep(0.01)

    async def leased(self, lane: LaneKey = LANE) -> list[Message]:
        """Lease what is due and this node's, beside what has come leased."""
        found = [m for m in self.heard.came if m.lane == lane]
        self.heard.came = [m for m in self.heard.came if m.lane != lane]
        return found + (await self.store.lease(lane, 9e9, 10_000)).messages


def opener(postgres: Postgres, database: str) -> Callable[..., Any]:
    """Opens nodes that share an empty database, and closes them."""

    @asynccontextmanager
    async def opened(*names: str, of: int = 2, **options: Any) -> AsyncIterator[list[Node]]:
        found = [
            Node(PostgresStore(postgres.dsn(database), node=name, nodes=of, **options))
            for name in names
        ]
        async with trio.open_nursery() as nursery:
            for node in found:
                node.recovery = await node.store.open()
                nursery.start_soon(node.listen)
            share = 1 / len(found)
            for node in found:
                await node.until(lambda heard: abs((heard.share or 0.0) - share) < 0.02)
            yield found
            nursery.cancel_scope.cancel()
        for node in found:
            await node.store.aclose()

    return opened
