"""``make demo-nodes``: three nodes share a campaign and a PostgreSQL, one of them is killed, and a
table in the end adds up.

The processes are `examples.nodes.cluster`; this one is the campaign system. It submits to all nodes
at a time, kills one in the middle, submits to the others what that one did not answer, follows the
events, and compares what it was told with what the nodes say and with what the carriers saw.
"""

import contextlib
import json
import time
from collections import Counter
from typing import Final
from urllib.request import urlopen

import trio
from rich.console import Console

from examples.campaign import SENDER, Campaign, Draft
from examples.demo import GRACE, PATIENCE, command
from examples.metrics import scrape
from examples.nodes import showing
from examples.nodes.books import Books, Death, Done
from examples.nodes.cluster import Cluster, Node, cluster
from examples.nodes.showing import Board, Sight
from examples.stage import Stage
from examples.staying import stay
from examples.tally import Tally, audit
from gateway.api.client import connect
from gateway.api.wire import Accepted

SIZE: Final = 10_000
"""Messages; another number can be named on the command line."""

SUBMITTING: Final = 12.0
"""Seconds in which they are submitted: so long that the one that dies is missed."""

NOT_NOW: Final = frozenset(
    {
        "mistakes",
        "sale, at night",
        "sign-in, at night",
        "sale, opted out",
        "reminder, in an hour",
    }
)
"""What of the campaign `make demo` is for: here all is to be sent, and at once."""

LIST: Final = 50
"""Messages that are submitted at a time, at most."""

KILLED: Final = "b"
AFTER: Final = 0.25
"""Which node is killed, and after which part of the campaign."""

EVEN: Final = 0.1
"""How much more of the phones one node may have than another: a shard is a 64th of them."""

LOOK: Final = 0.1
"""Seconds between looks at the nodes."""


class Shop:
    """The campaign system.

    Attributes:
        answered: how many messages each node has accepted.
        again: those that a node did not live to answer.
        known: of those, how many were stored.
    """

    def __init__(self, cluster: Cluster, drafts: list[Draft], console: Console) -> None:
        self.tally = Tally()
        self.sight = Sight()
        self.answered = Counter({node.name: 0 for node in cluster.nodes})
        self.again = self.known = self.gaps = 0
        self.death: Death | None = None
        self.ended = 0.0
        self._cluster = cluster
        self._size = len(drafts)
        many = max(1, min(LIST, len(drafts) // 60))
        self._lists = [drafts[start : start + many] for start in range(0, len(drafts), many)]
        self._pace = SUBMITTING * len(cluster.nodes) / len(self._lists)
        self._connections = {node.name: trio.CancelScope() for node in cluster.nodes}
        self._due = trio.Event()
        self._shared = trio.Event()
        self._board = Board(console, self.tally, self.sight, self._size)

    async def run(self) -> None:
        """Run the campaign until every message has its outcome."""
        doomed = next(node for node in self._cluster.nodes if node.name == KILLED)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look)
            await self._shared.wait()
            self._board.begin()
            nursery.start_soon(self._board.show)
            async with trio.open_nursery() as campaign:
                campaign.start_soon(self._follow, self._cluster.nodes[0])
                campaign.start_soon(self._kill, doomed)
                for node in self._cluster.nodes:
                    campaign.start_soon(self._submit, node)
            await self._see()
            nursery.cancel_scope.cancel()

    async def _submit(self, node: Node) -> None:
        """Submit list by list to one node, for as long as there are any."""
        with self._connections[node.name]:
            async with connect(node.address, self._cluster.token, name="demo") as client:
                while self._lists:
                    began = trio.current_time()
                    drafts = self._lists.pop()
                    answered = False
                    try:
                        results = await client.submit([draft.message for draft in drafts])
                        answered = True
                    finally:
                        if not answered:
                            self.again += len(drafts)
                            self._lists.append(drafts)
                    for draft, result in zip(drafts, results, strict=True):
                        self.tally.submitted(draft, result)
                        if isinstance(result, Accepted):
                            self.answered[node.name] += 1
                            self.known += result.duplicate
                    if len(self.tally.accepted) >= AFTER * self._size:
                        self._due.set()
                    await trio.sleep_until(began + self._pace)

    async def _kill(self, node: Node) -> None:
        """Kill a node in the middle, and wait until others have taken over what it had."""
        await self._due.wait()
        sight = self.sight
        phones = sight.phones[node.name]
        await self._see()
        node.process.kill()
        sight.dead.add(node.name)
        killed, at = time.monotonic(), self._board.seconds
        self._connections[node.name].cancel()
        self._board.say(f"node {node.name} is killed; {phones:.0%} of the phones were its")
        self._shared = trio.Event()
        await self._shared.wait()
        took = time.monotonic() - killed
        self._board.say(f"the others have its phones, {took:.1f} s after it was killed")
        self.death = Death(node.name, at, phones, took)

    async def _follow(self, node: Node) -> None:
        """Take in events until every message has its outcome."""
        last = 0
        async with connect(node.address, self._cluster.token, name="demo") as client:
            with trio.move_on_after(PATIENCE) as scope:
                async for event in client.events("demo", "start"):
                    self.gaps += event.seq != last + 1
                    last = event.seq
                    self.tally.reported(event)
                    over = len(self.tally.outcomes) >= self._size
                    self.ended = self.ended if over and self.ended else self._board.seconds
                    scope.deadline = trio.current_time() + (GRACE if over else PATIENCE)

    async def _look(self) -> None:
        while True:
            await self._see()
            await trio.sleep(LOOK)

    async def _see(self) -> None:
        """Look at the nodes; one that does not answer now is as it was."""
        sight = self.sight
        living = [node for node in self._cluster.nodes if node.name not in sight.dead]
        for node in living:
            with contextlib.suppress(OSError):
                metrics = await trio.to_thread.run_sync(scrape, node.admin)
                sight.done[node.name] = Done.of(metrics)
        with contextlib.suppress(OSError):
            sight.phones = await trio.to_thread.run_sync(_phones, living[0])
        theirs = [share for name, share in sight.phones.items() if name not in sight.dead]
        if sum(theirs) == 1.0 and max(theirs) - min(theirs) < EVEN:
            self._shared.set()


def _phones(node: Node) -> dict[str, float]:
    """The part of all phones that each node sends to, as one of them tells."""
    with urlopen(f"{node.admin}/api/v1/nodes", timeout=60) as answer:
        found = {one["name"]: one["phones"] for one in json.load(answer)["items"]}
    return dict(sorted(found.items()))


def demonstrate(console: Console, size: int, *, stays: bool) -> bool:
    """Run the demo with ``size`` messages; whether everything adds up. Where it ``stays``, the
    nodes that are left do until Ctrl-C."""
    showing.introduce(console, size)
    campaign = Campaign(size * 6 // 5, time.time())
    drafts = [draft for draft in campaign.drafts if draft.what not in NOT_NOW][:size]
    with cluster(SENDER) as running:
        showing.follow(console, running)
        shop = Shop(running, drafts, console)
        trio.run(shop.run)
        assert shop.death is not None
        books = Books(
            submitted=len(drafts),
            tally=shop.tally,
            audit=audit(running.records, campaign, shop.tally),
            answered=shop.answered,
            again=shop.again,
            known=shop.known,
            done=shop.sight.done,
            phones=shop.sight.phones,
            death=shop.death,
            gaps=shop.gaps,
            took=shop.ended,
        )
        adds_up = showing.conclude(console, books)
        if stays:
            first = running.nodes[0]
            stay(console, Stage(first.address, running.token, first.admin, running.records))
        return adds_up


if __name__ == "__main__":
    command(demonstrate, SIZE)
