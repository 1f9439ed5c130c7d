"""``gateway migrate`` by real processes: killed again and again it ends whole, and the gateway that
is started on what it made gives every message the one outcome that it has not had."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.servers import OWNER, Postgres

MESSAGES = 3_000


@pytest.fixture
def urls(site: Any, postgres: Postgres, database: str) -> Iterator[tuple[str, str]]:
    """The store of a site, and a database that is empty."""
    folder = quote(str(postgres.folder), safe="")
    yield f"sqlite://{site.folder}/gateway.db", f"postgresql://{OWNER}@{folder}/{database}"
    for process in site.running():
        process.kill()


def migrate(site: Any, name: str, urls: tuple[str, str]) -> Any:
    return site.command(name, "migrate", "--from", urls[0], "--to", urls[1])


def test_a_move_that_is_killed_goes_on_and_loses_nothing(
    site: Any, urls: tuple[str, str], postgres: Postgres, database: str
) -> None:
    port = site.free_port()
    site.account("alpha", port)
    gateway = site.gateway()
    client = site.client()
    numbers = [f"4479111{n:05}" for n in range(MESSAGES)]
    accepted: set[str] = set()
    for start in range(0, MESSAGES, 500):
        batch = [{"to": to, "text": "hi", "key": to} for to in numbers[start : start + 500]]
        accepted |= {one["message_id"] for one in client.ask("submit", messages=batch)["results"]}
    refused = migrate(site, "refused", urls)
    assert refused.wait() == 1, refused.text()
    assert "is in use by process" in refused.text()
    assert gateway.terminate() == 0

    for killed, table in enumerate(("message", "key")):
        moving = migrate(site, f"moving-{killed}", urls)
        while moving.running and not (
            postgres.ask(database, "SELECT to_regclass('memo') IS NOT NULL")[0][0]
            and postgres.ask(database, f"SELECT EXISTS (SELECT FROM {table})")[0][0]
        ):
            pass
        moving.kill()
    moving = migrate(site, "moved", urls)
    moving.wait_for('"rows"')
    assert moving.wait() == 0
    assert f'"message":{MESSAGES}' in moving.text()
    old = site.failing_gateway()
    assert f"gateway.db: was moved to postgresql://{OWNER}@" in old.text()

    site.use_postgres(postgres, database)
    site.simulator("alpha", port)
    site.gateway()
    client = site.client()
    events = client.events(MESSAGES)
    outcomes = Counter(event["message_id"] for event in events)
    assert outcomes.keys() == accepted
    assert set(outcomes.values()) == {1}
    assert {event["type"] for event in events} == {"delivered"}
    assert not any(event.get("maybe_duplicate") for event in events)
    [again] = client.ask("submit", messages=[{"to": numbers[7], "text": "hi", "key": numbers[7]}])[
        "results"
    ]
    assert again["duplicate"]
    client.close()

    site.stop_carriers()
    back = migrate(site, "back", (urls[1], f"sqlite://{site.folder}/back.db"))
    assert back.wait() == 0, back.text()
