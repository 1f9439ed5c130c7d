"""Nodes and their database are killed again and again, one at a time and together, start-up
included: what was answered with an id has exactly one outcome, and little goes out twice."""

import random
from collections.abc import Callable
from typing import Any

from tests.faults.nodes import MakeNodes
from tests.faults.test_postgresql import settle_accounts
from tests.servers import Postgres

NODES = "abc"

ROUND = ((True, False), (False, True), (True, True), (False, True), (False, True))
"""What is killed, one after the other: a node, the database."""


def test_nodes_and_their_database_are_killed(
    nodes_of: MakeNodes,
    postgres: Postgres,
    start_campaign: Callable[[Any], Any],
    long_or_short: Callable[[float, float], float],
) -> None:
    """In each round six kills: of a node, of the database, of both, of the database twice."""
    chance = random.Random(11)
    nodes = nodes_of(len(NODES))
    records = nodes.carriers("--latency", "0.02", binds=len(NODES))
    running = {name: nodes.start(name) for name in NODES}
    campaign, reader = start_campaign(nodes)
    kills = 0
    for _ in range(int(long_or_short(50, 5))):
        for node, database in ROUND:
            campaign.wait_for(len(campaign.accepted) + chance.randrange(1, 400))
            name = chance.choice(NODES)
            if node:
                running[name].kill()
            if database:
                postgres.kill()
                postgres.start()
            if node:
                running[name] = nodes.launch(name)
            kills += node + database
    campaign.wait_for(len(campaign.accepted) + 100)
    settle_accounts(nodes, campaign, reader, records, kills)
    assert kills >= 30
