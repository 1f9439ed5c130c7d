"""The store in PostgreSQL under what may befall it: the gateway killed, the database restarted, its
connections cut, a spare that takes over from one that sleeps. The promises are those of a file."""

import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Postgres

WINDOWS, UNSETTLED = 2 * 2 * 100, 1_000
"""What may go out twice each time: two carriers, two binds each; responses that wait for a commit
(`gateway.dispatch.settling.settle.UNSETTLED`)."""


@pytest.fixture
def on_postgres(site: Any, postgres: Postgres, database: str) -> Iterator[Any]:
    """A site whose store is in a database of its own."""

    site.use_postgres(postgres, database)
    yield site
    for process in site.running():
        process.kill()


def copies(records: list[Path]) -> Counter[tuple[str, str]]:
    """How often carriers took each part: by recipient and what it says, without the reference of
    a long message, which is another each time."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        for line in record.read_text().splitlines():
            part = json.loads(line)
            octets = part["short_message"]
            found[part["destination"], octets[8:] if part["esm_class"] & 0x40 else octets] += 1
    return found


def settle_accounts(site: Any, campaign: Any, reader: Any, records: list[Path], times: int) -> None:
    """What was accepted has one outcome, each in its order, and little went out twice, marked."""
    campaign.stop()
    accepted = set(campaign.accepted.values())
    reader.wait_for(len(accepted))
    reader.stop()
    site.stop_carriers()
    assert sorted(reader.events) == list(range(1, len(reader.events) + 1))
    outcomes = Counter(event["message_id"] for event in reader.events.values())
    assert outcomes.keys() == accepted
    assert set(outcomes.values()) == {1}
    assert {event["type"] for event in reader.events.values()} == {"delivered"}
    taken = copies(records)
    assert {phone for phone, _ in taken} == set(campaign.recipients.values())
    twice = {part: count for part, count in taken.items() if count > 1}
    marked = {e["to"] for e in reader.events.values() if e.get("maybe_duplicate")}
    assert {phone for phone, _ in twice} <= marked
    assert sum(twice.values()) - len(twice) <= times * (WINDOWS + UNSETTLED)


Start = Callable[[Any], Any]
Chosen = Callable[[float, float], float]


def test_killed_under_load(on_postgres: Any, start_campaign: Start, long_or_short: Chosen) -> None:
    site, chance = on_postgres, random.Random(7)
    records = [site.carrier("alpha", "--latency", "0.02"), site.carrier("beta")]
    gateway = site.gateway()
    campaign, reader = start_campaign(site)
    kills = int(long_or_short(30, 4))
    for _ in range(kills):
        campaign.wait_for(len(campaign.accepted) + chance.randrange(1, 1_000))
        gateway.kill()
        gateway = site.gateway()
    settle_accounts(site, campaign, reader, records, kills)


def test_the_database_is_restarted_and_its_connections_cut(
    on_postgres: Any,
    postgres: Postgres,
    database: str,
    start_campaign: Start,
    long_or_short: Chosen,
) -> None:
    site, chance = on_postgres, random.Random(8)
    records = [site.carrier("alpha", "--latency", "0.02"), site.carrier("beta")]
    gateway = site.gateway()
    campaign, reader = start_campaign(site)
    for turn in range(int(long_or_short(60, 9))):
        campaign.wait_for(len(campaign.accepted) + chance.randrange(1, 1_000))
        if turn % 4 == 3:
            postgres.stop()
            time.sleep(chance.uniform(0.0, 1.0))
            postgres.start()
        else:
            postgres.cut(database)
    settle_accounts(site, campaign, reader, records, 0)
    assert gateway.terminate() == 0
    assert '"fenced"' not in gateway.text()


def test_a_spare_takes_over_from_a_gateway_that_sleeps(
    on_postgres: Any, start_campaign: Start
) -> None:
    """The first one is stopped for longer than its lease, and then goes on as if nothing were."""
    site = on_postgres
    records = [site.carrier("alpha", "--latency", "0.02"), site.carrier("beta")]
    first = site.gateway()
    campaign, reader = start_campaign(site)
    campaign.wait_for(2_000)
    for port in (site.api, site.admin):
        site.change(f"127.0.0.1:{port}", f"127.0.0.1:{site.free_port()}")
    site.change('node = "a"', 'node = "b"')
    spare = site.start(
        "spare", sys.executable, "-m", "gateway", "serve", "--config", site.configure()
    )
    time.sleep(1.0)
    assert '"serving"' not in spare.text()
    first.signal(signal.SIGSTOP)
    spare.wait_for('"serving"')
    site.api, site.admin = site.ports()
    for client in (campaign, reader):
        client.hang_up()
    campaign.wait_for(len(campaign.accepted) + 1)
    first.signal(signal.SIGCONT)
    assert first.wait() == 1
    assert '"fenced"' in first.text()
    assert "another node has taken the store over; this one has stopped" in first.text()
    campaign.wait_for(len(campaign.accepted) + 1_000)
    settle_accounts(site, campaign, reader, records, 1)
    assert spare.terminate() == 0
