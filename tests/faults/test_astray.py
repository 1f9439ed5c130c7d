"""Two nodes whose wall clocks are an hour apart: nothing is lost, nothing goes out twice, and the
one that is wrong says so."""

import json
import sys
from collections import Counter
from pathlib import Path

from gateway.queue.postgresql.sharing import shard
from tests.faults.nodes import MakeNodes

ASTRAY = Path(__file__).with_name("astray.py")


def test_clocks_an_hour_apart(nodes_of: MakeNodes) -> None:
    """What the one that is ahead accepts for a phone of the other waits there, and goes out when
    the other ends."""
    nodes = nodes_of(2)
    records = nodes.carriers(binds=2)
    right = nodes.start("a")
    ahead = nodes.start("b", sys.executable, str(ASTRAY), "3600")
    nodes.wait_for_shares(32, 32)
    owners = nodes.owners()
    phones = [f"86139{n:08}" for n in range(100)]
    accepted: dict[str, bool] = {}
    for number, node in enumerate("ab"):
        messages = [{"to": phone, "text": node} for phone in phones]
        results = nodes.client_of(node).ask("submit", messages=messages)["results"]
        for phone, result in zip(phones, results, strict=True):
            accepted[result["message_id"]] = number == 1 and owners[shard(phone)] == 0
    waiting = {number for number, waits in accepted.items() if waits}
    assert waiting
    reader = nodes.client_of("b")
    reader.ask("subscribe", consumer="reader", **{"from": "start"})
    ends: dict[str, str] = {}

    def read(number: int) -> None:
        while len(ends) < number:
            for event in reader.receive().get("events", []):
                assert event["message_id"] not in ends
                ends[event["message_id"]] = event["type"]

    read(len(accepted) - len(waiting))
    assert not ends.keys() & waiting
    ahead.wait_for('"clock_differs"')
    assert '"clock_differs"' not in right.text()
    told: dict[str, float] = {}
    for look in range(20):  # of half a second each
        config = str(nodes.site.folder / "a.toml")
        command = (sys.executable, "-m", "gateway", "nodes", "--config", config)
        asked = nodes.site.start(f"asked-{look}", *command)
        asked.wait()
        lines = [line for line in asked.text().splitlines() if line.startswith("{")]
        told = {one["name"]: one["ahead"] for one in map(json.loads, lines)}
        if told["b"]:
            break
    assert told["a"] == 0.0
    assert 3_590.0 < told["b"] < 3_610.0
    assert right.terminate() == 0
    read(len(accepted))
    assert set(ends) == set(accepted)
    assert set(ends.values()) == {"delivered"}
    nodes.stop_carriers()
    sent = [json.loads(line) for record in records for line in record.read_text().splitlines()]
    copies = Counter((part["destination"], part["short_message"]) for part in sent)
    assert (len(copies), set(copies.values())) == (len(accepted), {1})
