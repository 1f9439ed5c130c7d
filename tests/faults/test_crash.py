"""The gateway is killed at random moments under load, start-up included, and the machine with it:
what was answered with an id has exactly one outcome, and little goes out twice."""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

WINDOWS = 2 * 2 * 100
"""What may be in the windows: two carriers, two binds each."""

UNSETTLED = 1_000
"""Responses that may wait for a commit (`gateway.dispatch.settling.settle.UNSETTLED`)."""

SERVING = '"serving"'
SECTOR = 512
"""Bytes that a disk writes as one."""


class Machine:
    """A gateway that ends as told, and comes back."""

    def __init__(self, site: Any, disk: Any) -> None:
        self.process: Any = None
        self._site = site
        self._command = [sys.executable, "-m", "gateway", "serve", "--config", site.configure()]

    def start(self) -> None:
        """Start the gateway; it may not serve yet."""
        self._served = self.process.text().count(SERVING) if self.process else 0
        self.process = self._site.start("gateway", *self._command)

    def served(self) -> None:
        """Wait until what was started last serves."""
        self.process.wait_for(SERVING, self._served + 1)

    def kill(self) -> None:
        self.process.kill()


class Powered(Machine):
    """The same on a machine whose power fails: the database is then what fsync made durable, and
    of each sector written since, perhaps the new content."""

    def __init__(self, site: Any, disk: Any) -> None:
        super().__init__(site, disk)
        self._chance = random.Random(SECTOR)
        self._durable = disk.durable
        self._durable.mkdir()
        self._command = disk.command()

    def kill(self) -> None:
        super().kill()
        for name in ("gateway.db", "gateway.db-wal"):
            found, durable = self._site.folder / name, self._durable / name
            if not durable.exists():
                found.unlink(missing_ok=True)
                continue
            left = self._left(durable.read_bytes(), found.read_bytes())
            found.write_bytes(left)
            durable.write_bytes(left)
        (self._site.folder / "gateway.db-shm").unlink(missing_ok=True)

    def _left(self, durable: bytes, written: bytes) -> bytes:
        """What a power loss leaves of a file."""
        left = bytearray(durable)
        for start in range(0, max(len(durable), len(written)), SECTOR):
            new = written[start : start + SECTOR]
            if new != durable[start : start + SECTOR] and self._chance.random() < 0.5:
                left.extend(bytes(max(0, start - len(left))))
                left[start : start + len(new)] = new
        return bytes(left)


def copies(records: Iterable[Path]) -> Counter[tuple[str, str]]:
    """How often carriers took each part: by recipient and what it says, without the reference of
    a long message, which is another each time."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        for line in record.read_text().splitlines():
            part = json.loads(line)
            octets = part["short_message"]
            long = part["esm_class"] & 0x40
            found[part["destination"], octets[8:] if long else octets] += 1
    return found


def counts(site: Any) -> Counter[str]:
    """What the gateway has counted in all."""
    found: Counter[str] = Counter()
    client = site.client()
    for row in client.ask("stats")["rows"]:
        found.update(accepted=row.get("accepted", 0), sent=row.get("sent", 0))
        found.update(row.get("outcomes", {}))
    client.close()
    return found


@pytest.mark.parametrize("kind", [Machine, Powered])
@pytest.mark.own_store
def test_killed_under_load(
    site: Any,
    disk: Any,
    start_campaign: Callable[[Any], Any],
    long_or_short: Callable[[float, float], float],
    kind: type[Machine],
) -> None:
    chance = random.Random(kind.__name__)
    kills = int(long_or_short(60, 12))
    records = [site.carrier("alpha", "--latency", "0.02"), site.carrier("beta")]
    machine = kind(site, disk)
    machine.start()
    machine.served()
    campaign, reader = start_campaign(site)
    for number in range(kills):
        if number % 4 == 3:
            moment = chance.uniform(0.05, 0.7)  # wherever that is in its start
        else:
            wanted = len(campaign.accepted) + chance.randrange(1, 1_500)
            campaign.wait_for(wanted)
            moment = chance.uniform(0.0, 0.05)
        time.sleep(moment)
        machine.kill()
        machine.start()
    machine.served()
    campaign.stop()
    accepted = set(campaign.accepted.values())
    reader.wait_for(len(accepted))
    reader.stop()
    counted = counts(site)
    assert machine.process.terminate() == 0
    site.stop_carriers()

    assert sorted(reader.events) == list(range(1, len(reader.events) + 1))
    outcomes = Counter(event["message_id"] for event in reader.events.values())
    assert outcomes.keys() == accepted
    assert set(outcomes.values()) == {1}
    assert {event["type"] for event in reader.events.values()} == {"delivered"}
    # What is counted is what the events tell, whenever the process was killed.
    assert counted["accepted"] == counted["delivered"] == len(accepted)
    assert counted["sent"] <= len(accepted)
    taken = copies(records)
    assert {phone for phone, _ in taken} == set(campaign.recipients.values())
    twice = {part: count for part, count in taken.items() if count > 1}
    flagged = {e["to"] for e in reader.events.values() if e.get("maybe_duplicate")}
    assert {phone for phone, _ in twice} <= flagged
    assert sum(twice.values()) - len(twice) <= kills * (WINDOWS + UNSETTLED)
