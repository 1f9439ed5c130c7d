"""A node is cut off from the database and not from its carriers: it stops sending before the others
take over what it had, and nothing that it does counts any more.

It runs in a network namespace of its own, with one cable to the database and one to the carriers.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.nodes import Nodes
from tests.faults.test_postgresql import settle_accounts
from tests.faults.wire import Wire
from tests.servers import Postgres

PLACE = os.getpid() % 250
"""Of the addresses, so that tests that run at the same time have each their own."""

DATABASE, CARRIERS = f"10.213.{PLACE}", f"10.214.{PLACE}"


def ip(*arguments: str) -> bool:
    """Change the network; whether that was done."""
    try:
        return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Namespace:
    """A network of its own for a node."""

    def __init__(self) -> None:
        self.name = f"node-{os.getpid()}"
        self._cables = [(f"db{os.getpid()}", DATABASE), (f"smsc{os.getpid()}", CARRIERS)]

    def make(self) -> bool:
        """Whether it could be made."""
        if not ip("netns", "add", self.name):
            return False
        return ip("-n", self.name, "link", "set", "lo", "up") and all(
            ip("link", "add", cable, "type", "veth", "peer", cable, "netns", self.name)
            and ip("address", "add", f"{place}.1/24", "dev", cable)
            and ip("link", "set", cable, "up")
            and ip("-n", self.name, "address", "add", f"{place}.2/24", "dev", cable)
            and ip("-n", self.name, "link", "set", cable, "up")
            for cable, place in self._cables
        )

    def partition(self, state: str) -> None:
        """Have the cable to the database ``down``, or ``up`` again."""
        assert ip("link", "set", self._cables[0][0], state)

    def close(self) -> None:
        ip("netns", "delete", self.name)
        for cable, _ in self._cables:
            ip("link", "delete", cable)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    try:
        if not made.make():
            pytest.skip("network namespaces are not permitted here")
        yield made
    finally:
        made.close()


def test_a_node_is_cut_off_from_the_database_alone(
    site: Any,
    postgres: Postgres,
    database: str,
    namespace: Namespace,
    start_campaign: Callable[[Any], Any],
) -> None:
    site.leased = lambda: None
    nodes = Nodes(site, postgres, database, 2)
    records = nodes.carriers("--latency", "0.02", "--host", f"{CARRIERS}.1", binds=2)
    site.change('host = "127.0.0.1"', f'host = "{CARRIERS}.1"')
    with Wire(postgres, f"{DATABASE}.1") as wire:
        nodes.start("a")
        site.change(postgres.dsn(database), wire.dsn(database))
        inside = ("ip", "netns", "exec", namespace.name, sys.executable, "-m", "gateway")
        cut_off = nodes.start("b", *inside)
        del nodes.apis["b"]
        nodes.wait_for_shares(32, 32)
        campaign, reader = start_campaign(nodes)
        campaign.wait_for(2_000)
        namespace.partition("down")
        nodes.wait_for_shares(64)
        campaign.wait_for(len(campaign.accepted) + 1_000)
        namespace.partition("up")
        assert cut_off.wait() == 1
        assert '"fenced"' in cut_off.text()
        settle_accounts(nodes, campaign, reader, records, 1)
