"""Several nodes at once on one PostgreSQL, under what may befall them: killed, asleep for longer
than their lease, come and gone in order. The promises are those of one node."""

import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from gateway.queue.postgresql.sharing import shard
from tests.endtoend import test_imports as imports
from tests.faults.nodes import LEASE, MakeNodes
from tests.faults.test_postgresql import settle_accounts
from tests.servers import Postgres

Start = Callable[[Any], Any]


def test_a_node_of_three_is_killed(nodes_of: MakeNodes, start_campaign: Start) -> None:
    """The others take over what it had, and it may come back and have its part again."""
    nodes = nodes_of(3)
    records = nodes.carriers("--latency", "0.02", binds=3)
    first, second, _ = [nodes.start(name) for name in "abc"]
    nodes.wait_for_shares(22, 22, 20)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(2_000)
    second.kill()
    del nodes.apis["b"]
    nodes.wait_for_shares(32, 32)
    campaign.wait_for(len(campaign.accepted) + 1_000)
    nodes.start("b")
    nodes.wait_for_shares(22, 22, 20)
    campaign.wait_for(len(campaign.accepted) + 1_000)
    settle_accounts(nodes, campaign, reader, records, 1)
    assert first.terminate() == 0


def test_another_node_goes_on_with_an_import(
    nodes_of: MakeNodes, postgres: Postgres, database: str
) -> None:
    """It is carried out by the node that has the first shard, and that one is killed in the middle.
    The other, which was asked, says that all of it holds once it does."""
    nodes = nodes_of(2)
    nodes.site.account("alpha", nodes.site.free_port())
    running = {name: nodes.start(name) for name in "ab"}
    nodes.wait_for_shares(32, 32)
    query = "SELECT name FROM node JOIN shard ON shard.node = node.number WHERE shard.number = 0"
    [[doing]] = postgres.ask(database, query)
    [asked] = {*running} - {doing}
    client, other = nodes.client_of(asked), nodes.client_of(asked)
    imports.stage(client)
    size = len(imports.NUMBERS)
    client.send("import", action="apply", name="spring", size=size)
    imports.until(lambda: imports.out(other, imports.NUMBERS[0]) == [True])
    running[doing].kill()
    assert imports.out(other, imports.NUMBERS[-1]) == [False], "it was killed in the middle"
    assert imports.apply(other) == {"size": size, "rest": 0, "changed": size}
    assert imports.listed(other) == size


def test_a_node_that_sleeps_is_a_zombie(nodes_of: MakeNodes, start_campaign: Start) -> None:
    """It is stopped for longer than its lease, and then goes on as if nothing were. Until carriers
    find out that nobody answers on its sessions, they refuse those that take their places."""
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", "--enquire-link", "8", binds=2)
    first = nodes.start("a")
    sleeper = nodes.start("b")
    nodes.wait_for_shares(32, 32)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(2_000)
    bound = first.text().count('"bound"')
    sleeper.signal(signal.SIGSTOP)
    del nodes.apis["b"]
    nodes.wait_for_shares(64)
    first.wait_for('"session_left"', 2)
    asked = nodes.site.command("asked", "carriers", "--config", str(nodes.site.folder / "a.toml"))
    asked.wait()
    assert "for the session of node b, which nobody has ended" in asked.text()
    first.wait_for('"bound"', bound + 2)
    assert '"bind_refused"' not in first.text()
    sleeper.signal(signal.SIGCONT)
    assert sleeper.wait() == 1
    assert '"fenced"' in sleeper.text()
    campaign.wait_for(len(campaign.accepted) + 1_000)
    settle_accounts(nodes, campaign, reader, records, 1)


def test_a_carrier_never_has_more_sessions_than_it_allows(
    nodes_of: MakeNodes, start_campaign: Start
) -> None:
    """Nodes come, go in order, are killed and come back: all binds are in use, each by one node.
    The carriers refuse a session more, and never have to."""
    nodes = nodes_of(3)
    records = nodes.carriers("--latency", "0.02", binds=4)
    first = nodes.start("a")
    nodes.wait_for_slots(4)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(500)
    second = nodes.start("b")
    nodes.wait_for_slots(2, 2)
    third = nodes.start("c")
    nodes.wait_for_slots(2, 1, 1)
    campaign.wait_for(len(campaign.accepted) + 500)
    second.kill()
    del nodes.apis["b"]
    nodes.wait_for_slots(2, 2)
    again = nodes.start("b")
    nodes.wait_for_slots(2, 1, 1)
    del nodes.apis["c"]
    assert third.terminate() == 0
    nodes.wait_for_slots(2, 2)
    campaign.wait_for(len(campaign.accepted) + 500)
    settle_accounts(nodes, campaign, reader, records, 1)
    for process in (first, second, third, again):
        assert "ESME_RBINDFAIL" not in process.text()


def test_fewer_binds_than_nodes(nodes_of: MakeNodes, start_campaign: Start) -> None:
    """One node sends, the other accepts; when the first is killed, the other does both."""
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", binds=1)
    first = nodes.start("a")
    second = nodes.start("b")
    nodes.wait_for_shares(64)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(1_000)
    first.kill()
    del nodes.apis["a"]
    campaign.wait_for(len(campaign.accepted) + 1_000)
    nodes.wait_for_slots(1)
    settle_accounts(nodes, campaign, reader, records, 1)
    assert "ESME_RBINDFAIL" not in second.text()


def test_a_node_is_moved_away_for_maintenance(nodes_of: MakeNodes, start_campaign: Start) -> None:
    """It gives up all it has, goes on accepting, is stopped and started, and takes its part again
    when it is moved back. Nothing goes out twice, nor may have."""
    nodes = nodes_of(3)
    records = nodes.carriers("--latency", "0.02", binds=4)
    _, second, _ = [nodes.start(name) for name in "abc"]
    nodes.wait_for_shares(22, 22, 20)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(1_000)
    nodes.move("b")
    nodes.wait_for_shares(32, 32)
    nodes.wait_for_slots(2, 2)
    campaign.wait_for(len(campaign.accepted) + 500)
    api = nodes.apis.pop("b")
    nodes.site.api = api
    assert nodes.site.client().ask("submit", messages=[{"to": "12", "text": "x"}])["results"]
    assert second.terminate() == 0
    nodes.start("b")
    campaign.wait_for(len(campaign.accepted) + 500)
    assert (nodes.shares(), nodes.slots()) == ([32, 32], [2, 2])
    nodes.move("b", "--back")
    nodes.wait_for_shares(22, 22, 20)
    nodes.wait_for_slots(2, 1, 1)
    campaign.wait_for(len(campaign.accepted) + 500)
    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any(event.get("maybe_duplicate") for event in reader.events.values())


def test_sessions_end_before_the_lease_does(
    nodes_of: MakeNodes, postgres: Postgres, start_campaign: Start
) -> None:
    """The database is gone for longer than that: others may take the binds by then. Nobody has when
    it is back, and they are bound again."""
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", binds=2)
    node = nodes.start("a")
    nodes.wait_for_slots(2)
    campaign, reader = start_campaign(nodes)
    campaign.wait_for(500)
    bound = node.text().count('"bound"')
    stopped = time.monotonic()
    postgres.stop()
    try:
        node.wait_for('"bind_lost"', 4)
        assert time.monotonic() - stopped < LEASE
        assert '"lease_over"' in node.text()
    finally:
        postgres.start()
    node.wait_for('"lease_renewed"')
    node.wait_for('"bound"', bound + 4)
    campaign.wait_for(len(campaign.accepted) + 500)
    settle_accounts(nodes, campaign, reader, records, 1)


def test_a_tenant_s_rate_holds_over_all_nodes(nodes_of: MakeNodes) -> None:
    """Whatever the phones are: nearly all of them are those of one node, a few another's, and the
    third one has none. Over ten seconds it is the rate, within five per cent."""
    rate = 100
    nodes = nodes_of(3)
    nodes.site.change('category = "transactional"', f'category = "transactional"\nrate = {rate}')
    records = nodes.carriers(binds=3)
    for name in "abc":
        nodes.start(name)
    nodes.wait_for_shares(22, 22, 20)
    owners = nodes.owners()
    of: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for number in range(10_000):
        phone = f"8613{number:09}"
        of[owners[shard(phone)]].append(phone)
    phones = [*of[0][:1_400], *of[1][:100]]
    client = nodes.client_of("c")
    for start in range(0, len(phones), 500):
        texts = [{"to": phone, "text": "hello"} for phone in phones[start : start + 500]]
        answer = client.ask("submit", messages=texts)
        assert all("message_id" in result for result in answer["results"])
    reader = nodes.client_of("b")
    reader.ask("subscribe", consumer="reader", **{"from": "start"})
    ended = 0
    while ended < len(phones):
        ended += len(reader.receive().get("events", []))
    nodes.stop_carriers()
    sent = [json.loads(line) for record in records for line in record.read_text().splitlines()]
    assert len(sent) == len(phones)
    times = sorted(part["time"] for part in sent)
    # After the burst, and once nodes have heard of one another. A machine that is busy with other
    # things may send late for a while, never more.
    starts = [times[0] + 2 + tenths / 10 for tenths in range(20)]
    counts = [sum(began <= at < began + 10 for at in times) for began in starts]
    assert max(counts) >= 0.95 * rate * 10
    assert all(count <= 1.05 * rate * 10 for count in counts)


def test_two_nodes_of_one_name(nodes_of: MakeNodes, start_campaign: Start) -> None:
    """The second one does not start, and the first goes on as if nothing were."""
    nodes = nodes_of(2)
    records = nodes.carriers("--latency", "0.02", binds=2)
    running = [nodes.start(name) for name in "ab"]
    campaign, reader = start_campaign(nodes)
    twin = nodes.twin("b")
    assert twin.wait() == 1
    assert "in use by another process that calls itself node b; stop that one" in twin.text()
    settle_accounts(nodes, campaign, reader, records, 0)
    assert not any('"fenced"' in process.text() for process in running)


SLACK = 0.5
"""Seconds that what was written before may take to the carrier's record, on a machine that is busy
with other things."""


def test_what_was_answered_holds_at_every_node(nodes_of: MakeNodes) -> None:
    """Messages wait at both nodes and go out all the time. Opt-outs, a pause and a cancel are said
    to one of them: once they are answered, nothing that they forbid goes out by the other."""
    nodes = nodes_of(2)
    nodes.site.change('category = "transactional"', 'category = "transactional"\nrate = 50')
    records = nodes.carriers(binds=2)
    for name in "ab":
        nodes.start(name)
    nodes.wait_for_shares(32, 32)
    clients = [nodes.client_of(name) for name in "ab"]
    phones = [f"86139{n:08}" for n in range(40)]
    ids: dict[str, str] = {}
    for turn in range(8):
        for campaign in ("spring", "summer", "autumn"):
            texts = [
                {"to": phone, "text": f"{campaign} {turn}", "campaign": campaign}
                for phone in phones
            ]
            answer = clients[turn % 2].ask("submit", messages=texts)
            ids |= {result["message_id"]: campaign for result in answer["results"]}
    answered: dict[str, float] = {}
    clients[0].ask("pause", campaign="spring")
    answered["spring"] = time.time()
    clients[1].ask("cancel", campaign="summer")
    answered["summer"] = time.time()
    for number, phone in enumerate(phones[:4]):
        clients[number % 2].ask("optout", action="add", numbers=[phone])
        answered[phone] = time.time()
    ends: dict[str, str] = {}
    reader = nodes.client_of("b")
    reader.ask("subscribe", consumer="reader", **{"from": "start"})
    while {number for number, of in ids.items() if of != "spring"} - ends.keys():
        for event in reader.receive().get("events", []):
            if "message_id" in event:
                assert ends.setdefault(event["message_id"], event["type"]) == event["type"]
    nodes.stop_carriers()
    sent = [json.loads(line) for record in records for line in record.read_text().splitlines()]
    assert len(sent) == sum(end == "delivered" for end in ends.values())
    for part in sent:
        campaign = bytes.fromhex(part["short_message"]).decode().split()[0]
        for what in (part["destination"], campaign):
            assert part["time"] <= answered.get(what, part["time"]) + SLACK
    kinds = {(ids[number], end) for number, end in ends.items()}
    assert {("summer", "cancelled"), ("autumn", "blocked"), ("autumn", "delivered")} <= kinds


def test_a_node_tells_who_is_there(nodes_of: MakeNodes) -> None:
    """And that the configurations differ, as long as they do."""
    nodes = nodes_of(2)
    nodes.carriers(binds=2)
    first = nodes.start("a")
    nodes.site.change('category = "transactional"', 'category = "marketing"')
    nodes.start("b")
    nodes.wait_for_shares(32, 32)
    first.wait_for("configurations_differ")
    config = str(nodes.site.folder / "a.toml")
    asked = nodes.site.start("asked", sys.executable, "-m", "gateway", "nodes", "--config", config)
    assert asked.wait() == 1
    told = [json.loads(line) for line in asked.text().splitlines() if line.startswith("{")]
    assert [(one["name"], one["here"], one["phones"]) for one in told] == [
        ("a", True, 0.5),
        ("b", False, 0.5),
    ]
    assert "the nodes' configurations differ; reload them all" in asked.text()
