"""The database of several nodes is away for longer than a lease, or the connection to it is lost in
the middle of commits: everything goes on by itself, and nothing goes out twice."""

import time
from collections.abc import Callable
from typing import Any

from tests.faults.nodes import LEASE, MakeNodes
from tests.faults.test_postgresql import settle_accounts
from tests.faults.wire import Wire
from tests.servers import Postgres

Start = Callable[[Any], Any]
Chosen = Callable[[float, float], float]


def test_the_database_is_gone_for_longer_than_a_lease(
    nodes_of: MakeNodes, postgres: Postgres, start_campaign: Start, long_or_short: Chosen
) -> None:
    """Nobody could renew anything meanwhile: once it is back, no node takes another for dead."""
    nodes = nodes_of(3)
    records = nodes.carriers("--latency", "0.02", binds=3)
    running = [nodes.start(name) for name in "abc"]
    nodes.wait_for_shares(22, 22, 20)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(1_000)
    postgres.kill()
    time.sleep(long_or_short(60.0, LEASE + 1.0))
    postgres.start()
    campaign.wait_for(len(campaign.accepted) + 1_000)
    assert nodes.shares() == [22, 22, 20]
    assert all(node.running for node in running)
    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any('"fenced"' in node.text() for node in running)


def test_the_database_hangs(
    nodes_of: MakeNodes, postgres: Postgres, start_campaign: Start, long_or_short: Chosen
) -> None:
    """The kernel of its machine still acknowledges what is sent: whoever waits is told even so,
    sessions end before the lease does, and all goes on with what was under way."""
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", binds=2)
    running = [nodes.start(name) for name in "ab"]
    nodes.wait_for_shares(32, 32)
    campaign, reader = start_campaign(nodes)
    asking = [nodes.client_of(name) for name in "ab"]
    for turn in range(1, int(long_or_short(6, 2))):
        campaign.wait_for(len(campaign.accepted) + 500)
        with postgres.frozen():
            for client in asking:
                client.send("consumers", action="list")
            for client in asking:
                assert client.receive()["error"]["code"] == "busy"
            for node in running:
                node.wait_for('"lease_over"', turn)
    campaign.wait_for(len(campaign.accepted) + 500)
    nodes.wait_for_shares(32, 32)
    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any('"fenced"' in node.text() for node in running)


def test_answers_of_commits_are_lost(
    site: Any, postgres: Postgres, database: str, start_campaign: Start, long_or_short: Chosen
) -> None:
    """The connection is cut when a COMMIT has been sent, before or after the server has answered:
    what was made is not made again, and what was not is not forgotten."""
    with Wire(postgres) as wire:
        site.use_postgres(postgres, database)
        site.change(postgres.dsn(database), wire.dsn(database))
        records = [site.carrier("alpha", "--latency", "0.02"), site.carrier("beta")]
        gateway = site.gateway()
        campaign, reader = start_campaign(site)
        for turn in range(int(long_or_short(200, 16))):
            campaign.wait_for(len(campaign.accepted) + 50)
            wire.lose(answered=turn % 2 == 0)
        settle_accounts(site, campaign, reader, records, 0)
        assert gateway.terminate() == 0
        assert '"fenced"' not in gateway.text()
