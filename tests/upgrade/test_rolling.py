"""Nodes of a version of before and of today's on one PostgreSQL, as an operator goes from one to
the other (docs/upgrading.md): side by side where the schema allows it, else all at once. The
gateways of before are real ones, see `programs`."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.queue.postgresql.schema import BESIDE
from gateway.queue.postgresql.sharing import shard
from tests.conftest import LONG
from tests.faults.nodes import MakeNodes, Nodes
from tests.faults.test_postgresql import settle_accounts
from tests.servers import Postgres
from tests.upgrade.programs import TODAY, VERSIONS, command, goes_beside

Start = Callable[[Any], Any]

TOGETHER = [version for version in VERSIONS if goes_beside(version)]
APART = [version for version in VERSIONS if not goes_beside(version)]

DELAY = 5.0
"""Seconds until a carrier tells that a text was delivered: a node stops in less."""

TEXTS = 20

PAGE = Path(__file__).parents[2] / "docs" / "upgrading.md"


def test_there_are_programs_of_both_kinds() -> None:
    """Whoever adds a step to the schema beside which no node of before may go on keeps the program
    with that step here: from then on it is the one that goes beside what follows."""
    assert TOGETHER
    assert APART


def test_the_page_tells_beside_which_steps_older_nodes_may_go_on() -> None:
    rows = re.findall(r"^\| (\d+) \(.*\) \| yes\b.* \|$", PAGE.read_text(), re.MULTILINE)
    assert {int(version) for version in rows} == BESIDE


class Pair:
    """Two nodes whose program is exchanged while tenants are served.

    Attributes:
        running: the process of each node.
        late: the texts whose receipts came when the node that had sent them was gone.
    """

    def __init__(self, nodes: Nodes, ask: Callable[[str], list[Any]], campaign: Any) -> None:
        self.nodes = nodes
        self.running: dict[str, Any] = {}
        self.late = 0
        self._ask = ask
        self._campaign = campaign
        self._phones = iter(range(10_000_000))

    def start(self, node: str, *program: str) -> None:
        """Start a node, of a program of before where one is given."""
        self.running[node] = self.nodes.start(node, *program)

    def stop(self, node: str) -> None:
        """Stop a node in order just after it has sent some texts: their receipts come to the
        other."""
        other = next(name for name in self.nodes.apis if name != node)
        client = self.nodes.client_of(other)
        ids = self.submit(other, self.phones_of(node), category="otp")  # they go first
        while not self._are_sent(client, ids):
            time.sleep(0.02)
        del self.nodes.apis[node]
        assert self.running.pop(node).terminate() == 0
        self.late += sum(state == "sent" for state in self._states(client, ids))

    def submit(self, node: str, phones: list[str], **more: Any) -> list[str]:
        """Have a node accept a text for each phone, one more of the campaign's."""
        texts = [{"to": phone, "text": "late", "key": phone, **more} for phone in phones]
        results = self.nodes.client_of(node).ask("submit", messages=texts)["results"]
        ids = [result["message_id"] for result in results]
        self._campaign.accepted |= dict(zip(phones, ids, strict=True))
        self._campaign.recipients |= {phone: phone for phone in phones}
        return ids

    def phones_of(self, node: str) -> list[str]:
        """Some phones to which a node sends, other ones each time."""
        [[number]] = self._ask(f"SELECT number FROM node WHERE name = '{node}' AND NOT clean")
        owners, found = self.nodes.owners(), list[str]()
        while len(found) < TEXTS:
            phone = f"86150{next(self._phones):08}"
            if owners[shard(phone)] == number:
                found.append(phone)
        return found

    def _are_sent(self, client: Any, ids: list[str]) -> bool:
        return {"sent", "delivered"}.issuperset(self._states(client, ids))

    @staticmethod
    def _states(client: Any, ids: list[str]) -> list[str]:
        return [one["state"] for one in client.ask("status", ids=ids)["messages"]]


def check_that_what_is_answered_holds_at_both(pair: Pair, campaign: Any) -> None:
    """An opt-out, and the pause and the end of the pause of a campaign, told to either node."""
    for told, other in ("ab", "ba"):
        teller, asked = (pair.nodes.client_of(name) for name in (told, other))
        phone = pair.phones_of(other)[0]
        teller.ask("optout", action="add", numbers=[phone])
        [result] = asked.ask("submit", messages=[{"to": phone, "text": "x"}])["results"]
        assert result["error"]["code"] == "opted_out"
        teller.ask("pause", campaign=told)
        ids = [
            *pair.submit(told, pair.phones_of(other), campaign=told),
            *pair.submit(other, pair.phones_of(told), campaign=told),
        ]
        campaign.wait_for(len(campaign.accepted) + 200)
        states = asked.ask("status", ids=ids)["messages"]
        assert {one["state"] for one in states} == {"queued"}
        assert asked.ask("resume", campaign=told)["released"] == len(ids)


@pytest.mark.parametrize("version", TOGETHER if LONG else TOGETHER[:1])
def test_nodes_of_two_versions_work_side_by_side(
    version: int,
    unpacked: Path,
    postgres: Postgres,
    database: str,
    nodes_of: MakeNodes,
    start_campaign: Start,
) -> None:
    """Two nodes of before serve a campaign. One after the other is stopped and started as today's,
    the first one moved away before; where the schema is the same, one goes back as well."""
    before = command(unpacked, version)
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", "--receipt-delay", str(DELAY), binds=2)
    first = nodes.start("a", *before)
    campaign, reader = start_campaign(nodes)
    pair = Pair(nodes, lambda query: postgres.ask(database, query), campaign)
    pair.running["a"] = first
    pair.start("b", *before)
    nodes.wait_for_shares(32, 32)
    campaign.wait_for(500)

    moving = ("move", "a", "--config", str(nodes.site.folder / "a.toml"))
    assert nodes.site.start("operator", *before, *moving).wait() == 0
    nodes.wait_for_shares(64)
    del nodes.apis["a"]
    assert first.terminate() == 0
    pair.start("a")
    nodes.move("a", "--back")
    nodes.wait_for_shares(32, 32)
    assert postgres.ask(database, "SELECT version FROM gateway") == [(TODAY,)]
    campaign.wait_for(len(campaign.accepted) + 500)
    check_that_what_is_answered_holds_at_both(pair, campaign)

    pair.stop("a")
    assert pair.late, "receipts of what today's has sent come to the one before"
    pair.start("a", *(before if version == TODAY else ()))
    nodes.wait_for_shares(32, 32)
    pair.late = 0
    pair.stop("b")
    assert pair.late, "and the other way round"
    pair.start("b")
    nodes.wait_for_shares(32, 32)
    campaign.wait_for(len(campaign.accepted) + 500)

    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any(event.get("maybe_duplicate") for event in reader.events.values())


@pytest.mark.parametrize("version", APART if LONG else APART[-1:])
def test_a_version_that_cannot_work_beside_others_waits_until_they_are_stopped(
    version: int,
    unpacked: Path,
    postgres: Postgres,
    database: str,
    nodes_of: MakeNodes,
    start_campaign: Start,
) -> None:
    """It says so, and changes nothing; nor does one of before that is started when it works."""
    before = command(unpacked, version)
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", binds=2)
    running = [nodes.start(name, *before) for name in "ab"]
    nodes.wait_for_shares(32, 32)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(500)
    del nodes.apis["a"]
    assert running[0].terminate() == 0
    early = nodes.launch("a")
    assert early.wait() == 1
    assert (
        "is in use by nodes of an older version (b), which cannot work with this one's schema;"
        " stop them all, then start this version" in early.text()
    )
    assert postgres.ask(database, "SELECT version FROM gateway") == [(version,)]
    campaign.wait_for(len(campaign.accepted) + 500)
    assert running[1].terminate() == 0

    nodes.start("a")
    late = nodes.launch("b", *before)
    assert late.wait() == 1
    assert f"has schema version {TODAY}, this gateway knows up to {version}" in late.text()
    nodes.start("b")
    nodes.wait_for_shares(32, 32)
    campaign.wait_for(len(campaign.accepted) + 500)
    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any(event.get("maybe_duplicate") for event in reader.events.values())
