"""Two gateways on one store: the second takes it over, and the first ends by itself."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

MESSAGES = 3_000


@pytest.mark.own_store
def test_a_second_gateway_takes_the_store_over(site: Any, tmp_path: Path) -> None:
    record = site.carrier("alpha", "--latency", "0.3")
    first = site.gateway()
    phones = [f"4479{n:08d}" for n in range(MESSAGES)]
    texts = [{"to": phone, "text": "Ready.", "key": phone} for phone in phones]
    ids = [one["message_id"] for one in site.client().ask("submit", messages=texts)["results"]]

    (tmp_path / "gateway.db.lock").unlink()
    old = site.api, site.admin
    site.api, site.admin = site.free_port(), site.free_port()
    for before, now in zip(old, (site.api, site.admin), strict=True):
        site.change(f"127.0.0.1:{before}", f"127.0.0.1:{now}")
    command = ("-m", "gateway", "serve", "--config", site.configure())
    second = site.start("second", sys.executable, *command)
    second.wait_for('"serving"')
    assert first.wait() == 1
    assert '"fenced"' in first.text()
    assert first.text().splitlines()[-1].endswith("this one has stopped")

    told = site.client().events(MESSAGES)
    assert sorted(event["message_id"] for event in told) == sorted(ids)
    assert {event["type"] for event in told} == {"delivered"}
    assert second.terminate() == 0
    site.stop_carriers()
    taken = Counter(json.loads(line)["destination"] for line in record.read_text().splitlines())
    assert taken.keys() == set(phones)
    marked = {event["to"] for event in told if event.get("maybe_duplicate")}
    assert {phone for phone, times in taken.items() if times > 1} <= marked
