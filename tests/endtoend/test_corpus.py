"""Ten thousand real texts through two carriers: each arrives as it was submitted, each has one
outcome, also where the gateway is killed in the middle."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from gateway.text.alphabets import Alphabet, decode
from gateway.text.udh import parse_user_data

MESSAGES = 10_000
BATCH = 500

ALPHABETS: dict[int, Alphabet] = {0: "gsm7", 8: "ucs2"}
"""By data_coding, as the gateway sends them."""


def submissions(corpus: list[str]) -> dict[str, dict[str, Any]]:
    """Messages to submit by recipient: one each, so that what arrives can be told apart."""
    found = {}
    for number in range(MESSAGES):
        text = corpus[number % len(corpus)]
        if number % 50 == 0:
            several = (corpus[(number + more) % len(corpus)] for more in range(6))
            text = " ".join(several)[:1500]
        recipient = f"86139{number:08}"
        found[recipient] = {"to": f"+{recipient}", "text": text, "key": f"corpus-{number}"}
    return found


def arrived(*records: Path) -> dict[str, list[str]]:
    """The texts that each recipient would have read, put together from the carriers' records."""
    singles: dict[str, list[str]] = defaultdict(list)
    parts: dict[tuple[str, int], dict[int, bytes]] = defaultdict(dict)
    totals: dict[tuple[str, int], tuple[int, int]] = {}
    for record in records:
        for line in record.read_text().splitlines():
            taken = json.loads(line)
            payload = bytes.fromhex(taken["short_message"])
            alphabet = ALPHABETS[taken["data_coding"]]
            if not taken["esm_class"] & 0x40:
                singles[taken["destination"]].append(decode(payload, alphabet))
                continue
            concat, payload = parse_user_data(payload)
            assert concat is not None
            key = (taken["destination"], concat.reference)
            parts[key][concat.sequence] = payload
            totals[key] = (concat.total, taken["data_coding"])
    for key, pieces in parts.items():
        total, coding = totals[key]
        if len(pieces) == total:
            octets = b"".join(pieces[n] for n in sorted(pieces))
            singles[key[0]].append(decode(octets, ALPHABETS[coding]))
    return singles


def read_events(client: Any, until: int) -> list[dict[str, Any]]:
    """Subscribe and read until there are ``until`` outcomes, acknowledging them."""
    events: list[dict[str, Any]] = []
    client.ask("subscribe", consumer="reader", **{"from": "start"})
    while len(events) < until:
        frame = client.receive()
        events += frame.get("events", [])
    client.send("ack", consumer="reader", seq=events[-1]["seq"])
    return events


def check_outcomes(events: list[dict[str, Any]], accepted: dict[str, str]) -> None:
    """Every accepted message has exactly one outcome, and the stream has no gap."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    outcomes = Counter(event["message_id"] for event in events)
    assert set(outcomes) == set(accepted.values())
    assert set(outcomes.values()) == {1}


@pytest.mark.both_stores
def test_every_text_arrives_as_submitted(site: Any, corpus: list[str]) -> None:
    records = [site.carrier("alpha"), site.carrier("beta", "--receipt-ids", "hex_dec")]
    gateway = site.gateway()
    client = site.client()
    wanted = submissions(corpus)
    messages = list(wanted.values())
    accepted: dict[str, str] = {}
    for first in range(0, MESSAGES, BATCH):
        batch = messages[first : first + BATCH]
        results = client.ask("submit", messages=batch)["results"]
        accepted.update(
            (message["key"], result["message_id"])
            for message, result in zip(batch, results, strict=True)
        )
    events = read_events(client, MESSAGES)
    check_outcomes(events, accepted)
    assert {event["type"] for event in events} == {"delivered"}
    assert gateway.terminate() == 0
    site.stop_carriers()
    texts = arrived(*records)
    assert {recipient: [message["text"]] for recipient, message in wanted.items()} == texts
    assert all(record.read_text() for record in records), "both carriers had their share"


def test_nothing_accepted_is_lost_when_killed(site: Any, corpus: list[str]) -> None:
    records = [site.carrier("alpha", "--latency", "0.05"), site.carrier("beta")]
    gateway = site.gateway()
    client = site.client()
    wanted = submissions(corpus)
    messages = list(wanted.values())
    accepted: dict[str, str] = {}
    killed = 0
    for first in range(0, MESSAGES, BATCH):
        batch = messages[first : first + BATCH]
        results = client.ask("submit", messages=batch)["results"]
        accepted.update(
            (message["key"], result["message_id"])
            for message, result in zip(batch, results, strict=True)
        )
        if first in (MESSAGES // 4 // BATCH * BATCH, MESSAGES // 2):
            client.send("submit", messages=messages[first + BATCH : first + 2 * BATCH])
            gateway.kill()
            killed += 1
            client.close()
            gateway = site.gateway()
            client = site.client()
    assert killed == 2
    events = read_events(client, MESSAGES)
    check_outcomes(events, accepted)
    assert gateway.terminate() == 0
    site.stop_carriers()
    texts = arrived(*records)
    assert texts.keys() == wanted.keys()
    for recipient, message in wanted.items():
        assert set(texts[recipient]) == {message["text"]}
    twice = sum(len(found) - 1 for found in texts.values())
    windows, unsettled = 2 * 2 * 100, 1000
    assert twice <= killed * (windows + unsettled), "duplicates beyond what was in the windows"
    flagged = {event["to"] for event in events if event.get("maybe_duplicate")}
    assert {recipient for recipient, found in texts.items() if len(found) > 1} <= flagged
