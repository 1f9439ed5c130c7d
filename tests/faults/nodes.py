"""Several gateways that share a database and carriers, for tests to break."""

import itertools
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.servers import Postgres

LEASE = 10.0
"""Seconds for which a silent node keeps what it has (`gateway.queue.postgresql.holding.LEASE`)."""


class Nodes:
    """Gateways that share a database and carriers, and clients that go to any of them."""

    def __init__(
        self, site: Any, postgres: Postgres, database: str, count: int, dsn: str = ""
    ) -> None:
        self.site = site
        self._postgres = postgres
        self._database = database
        self._node, self._ports = "", site.ports()
        queue = f'backend = "postgresql"\ndsn = "{dsn or postgres.dsn(database)}"\nnodes = {count}'
        site.change(f'path = "{site.folder}/gateway.db"', f'{queue}\nnode = ""')
        self.apis: dict[str, int] = {}
        self._turn = itertools.count()

    def configure(self, node: str) -> Path:
        """Write the configuration of a node, with ports of its own; gives where it is."""
        site = self.site
        site.change(f'node = "{self._node}"', f'node = "{node}"')
        ports = site.free_port(), self.site.free_port()
        for before, now in zip(self._ports, ports, strict=True):
            site.change(f"127.0.0.1:{before}", f"127.0.0.1:{now}")
        self._node, self._ports = node, ports
        self.apis[node] = ports[0]
        return Path(site.configure()).rename(site.folder / f"{node}.toml")

    def start(self, node: str, *before: str) -> Any:
        """Start a node, by a command ``before`` its own if need be; it takes messages when this
        returns."""
        self.configure(node)
        process = self.launch(node, *before)
        process.wait_for('"serving"', process.text().count('"serving"') + 1)
        return process

    def launch(self, node: str, *before: str) -> Any:
        """Start a node with the configuration that it has, and do not wait for it."""
        command = before or (sys.executable, "-m", "gateway")
        config = str(self.site.folder / f"{node}.toml")
        return self.site.start(node, *command, "serve", "--config", config)

    def twin(self, node: str) -> Any:
        """Start another process that calls itself as a node does, and do not wait for it."""
        path, ports = (
            self.site.folder / f"{node}.toml",
            (self.site.free_port(), self.site.free_port()),
        )
        text = path.read_text()
        found = re.findall(r"127\.0\.0\.1:(\d+)", text)
        for before, now in zip(found, ports, strict=False):
            text = text.replace(f"127.0.0.1:{before}", f"127.0.0.1:{now}")
        (self.site.folder / "twin.toml").write_text(text)
        return self.launch("twin")

    def client(self) -> Any:
        """A connection to some node, another each time."""
        names = sorted(self.apis)
        self.site.api = self.apis[names[next(self._turn) % len(names)]]
        return self.site.client()

    def client_of(self, node: str) -> Any:
        """A connection to a node."""
        self.site.api = self.apis[node]
        return self.site.client()

    def shares(self) -> list[int]:
        """How many shards each node has that has any, the most first."""
        query = "SELECT count(*) FROM shard WHERE node IS NOT NULL GROUP BY node ORDER BY 1 DESC"
        return [count for [count] in self._postgres.ask(self._database, query)]

    def wait_for_shares(self, *shares: int) -> None:
        """Wait until the shards are shared so."""
        deadline = time.monotonic() + 60
        while self.shares() != [*shares]:
            assert time.monotonic() < deadline, self.shares()
            time.sleep(0.02)

    def slots(self) -> list[int]:
        """How many binds of the first carrier each node has that has any, the most first."""
        query = "SELECT count(*) FROM slot WHERE carrier = 'alpha' GROUP BY node ORDER BY 1 DESC"
        return [count for [count] in self._postgres.ask(self._database, query)]

    def owners(self) -> dict[int, int]:
        """The number of the node that has each shard."""
        return dict(self._postgres.ask(self._database, "TABLE shard"))

    def wait_for_slots(self, *slots: int) -> None:
        """Wait until the binds are shared so."""
        deadline = time.monotonic() + 60
        while self.slots() != [*slots]:
            assert time.monotonic() < deadline, self.slots()
            time.sleep(0.02)

    def move(self, node: str, *how: str) -> None:
        """Move a node away, or back, as an operator of the first one. On a machine that is busy the
        answer may come too late for the command; what was asked is done even so."""
        command = ("move", node, *how, "--config", str(self.site.folder / "a.toml"))
        process = self.site.start("operator", sys.executable, "-m", "gateway", *command)
        assert process.wait() == 0 or "the store" in process.text(), process.text()

    def stop_carriers(self) -> None:
        self.site.stop_carriers()

    def carriers(self, *options: str, binds: int) -> list[Path]:
        """Start two simulated carriers, which refuse more sessions than the account has."""
        records = []
        options = ("--max-binds", str(binds), *options)
        for name in ("alpha", "beta"):
            port = self.site.free_port()
            records.append(self.site.simulator(name, port, *options)[1])
            self.site.account(name, port, binds=binds)
        return records


MakeNodes = Callable[[int], Nodes]
