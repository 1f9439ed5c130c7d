"""A synchronous standby is lost, takes over from the primary, and the old primary comes back as if
it were one still: nothing that was answered is lost, and nothing goes to the old one any more."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.nodes import Nodes
from tests.faults.test_postgresql import settle_accounts
from tests.servers import Postgres, cluster

SECOND = "second"
FOLLOWING = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
"""The standbys without which nothing is committed."""

CONNECTED = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'gateway %'"
"""The connections that gateways have to a server."""

WAITING = CONNECTED + " AND wait_event = 'SyncRep'"
"""Those of them whose commit waits for a standby."""

STOPPED = 0.5
"""Seconds in which something that goes on would show."""


@pytest.fixture
def primary() -> Iterator[Postgres]:
    """A server of the test's own, for it is not what it was in the end."""
    with cluster() as server:
        yield server


@pytest.fixture
def standby(primary: Postgres) -> Iterator[Postgres]:
    """One that follows it, and without which nothing is committed."""
    with primary.standby(SECOND) as server:
        primary.reload({"synchronous_standby_names": SECOND})
        wait_for(primary, FOLLOWING, 1)
        yield server


def wait_for(server: Postgres, query: str, count: int) -> None:
    """Wait until a query gives so many rows."""
    deadline = time.monotonic() + 60
    while len(server.ask("postgres", query)) != count:
        assert time.monotonic() < deadline, query
        time.sleep(0.01)


def still(campaign: Any) -> int:
    """How many messages are accepted once nothing is under way any more."""
    while True:
        count = len(campaign.accepted)
        time.sleep(STOPPED)
        if len(campaign.accepted) == count:
            return count


@pytest.mark.own_store
def test_a_standby_is_lost_and_takes_over(
    site: Any, primary: Postgres, standby: Postgres, start_campaign: Callable[[Any], Any]
) -> None:
    site.leased = lambda: None
    database = primary.database()
    dsn = f"host={primary.folder},{standby.folder} user=gateway dbname={database}"
    nodes = Nodes(site, standby, database, 2, dsn)
    records = nodes.carriers("--latency", "0.02", binds=2)
    running = {name: nodes.start(name) for name in "ab"}
    campaign, reader = start_campaign(nodes)
    campaign.pause = 0.0  # both nodes are to have commits under way whenever something happens
    campaign.wait_for(500)

    # Nothing is answered while no standby has it, but what the operator says needs none.
    standby.kill()
    wait_for(primary, WAITING, 2)
    before = still(campaign)
    primary.cut(database)  # in the middle of commits that wait for it
    wait_for(primary, WAITING, 2)
    assert still(campaign) == before
    standby.start()
    campaign.wait_for(before + 500)
    standby.kill()
    primary.reload({})
    campaign.wait_for(len(campaign.accepted) + 500)
    standby.start()
    primary.reload({"synchronous_standby_names": SECOND})
    wait_for(primary, FOLLOWING, 1)

    campaign.wait_for(len(campaign.accepted) + 500)
    primary.kill()
    standby.promote()
    standby.reload({"synchronous_standby_names": "''"})
    campaign.wait_for(len(campaign.accepted) + 500)

    # The old one is the first that is named, takes writes, and waits for nobody.
    primary.configure({})
    primary.start()
    standby.cut(database)
    campaign.wait_for(len(campaign.accepted) + 500)
    running["b"].kill()
    nodes.launch("b").wait_for('"serving"', 2)
    campaign.wait_for(len(campaign.accepted) + 500)
    assert primary.ask(database, CONNECTED) == []
    settle_accounts(nodes, campaign, reader, records, 1)
    assert '"fenced"' not in running["a"].text()
    for process in site.running():
        process.kill()


@pytest.mark.own_store
def test_a_primary_that_hangs_is_left_for_the_one_that_took_over(
    site: Any, primary: Postgres, standby: Postgres, start_campaign: Callable[[Any], Any]
) -> None:
    site.leased = lambda: None
    database = primary.database()
    dsn = f"host={primary.folder},{standby.folder} user=gateway dbname={database}"
    nodes = Nodes(site, standby, database, 2, dsn)
    records = nodes.carriers("--latency", "0.02", binds=2)
    running = [nodes.start(name) for name in "ab"]
    nodes.wait_for_shares(32, 32)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(500)
    with primary.frozen():
        standby.promote()
        standby.reload({"synchronous_standby_names": "''"})
        campaign.wait_for(len(campaign.accepted) + 500)
    primary.reload({})  # it waits for no standby, and makes what it had under way
    wait_for(primary, CONNECTED, 0)
    campaign.wait_for(len(campaign.accepted) + 200)
    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any('"fenced"' in node.text() for node in running)
    for process in site.running():
        process.kill()
