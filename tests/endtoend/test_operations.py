"""What an operator does: start, look, reload, stop, and get it wrong."""

import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from gateway.api.blocking import connect
from gateway.api.wire import Event
from tests.conftest import TOKEN


def page(site: Any, path: str) -> tuple[int, str]:
    """What the admin server answers."""
    try:
        with urlopen(f"http://127.0.0.1:{site.admin}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def submit(client: Any, count: int, key: str | None = None, **fields: Any) -> list[str]:
    """Submit messages; returns their ids."""
    reply = client.ask("submit", messages=numbered(count, key), defaults=fields)
    return [result["message_id"] for result in reply["results"]]


def submit_again(client: Any, count: int, key: str, **fields: Any) -> list[dict[str, Any]]:
    """Submit what `submit` has with such keys; returns the results."""
    reply = client.ask("submit", messages=numbered(count, key), defaults=fields)
    results: list[dict[str, Any]] = reply["results"]
    return results


def numbered(count: int, key: str | None) -> list[dict[str, Any]]:
    """Messages to so many phones, with keys if need be."""
    messages = [{"to": f"86139{number:08}", "text": f"No. {number}"} for number in range(count)]
    if key is not None:
        messages = [{**one, "key": f"{key}-{number}"} for number, one in enumerate(messages)]
    return messages


def outcomes(client: Any, count: int) -> list[dict[str, Any]]:
    """The next ``count`` outcomes."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += client.receive().get("events", [])
    return found


@pytest.mark.own_store
def test_it_says_when_it_is_ready_and_what_it_does(site: Any) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    gateway.wait_for('"bound"', 2)
    assert page(site, "/readyz") == (200, '{"ok":true,"reasons":[]}')
    assert page(site, "/healthz")[0] == 200
    client = site.client()
    client.ask("subscribe", consumer="shop")
    submit(client, 10)
    outcomes(client, 10)
    client.ask("submit", messages=[{"to": "12", "text": "?"}])
    metrics = page(site, "/metrics")[1]
    for line in (
        'gateway_messages_accepted_total{category="transactional",tenant="shop"} 10.0',
        'gateway_messages_refused_total{code="invalid_recipient",tenant="shop"} 1.0',
        'gateway_messages_final_total{outcome="delivered",tenant="shop"} 10.0',
        'gateway_parts_submitted_total{carrier="alpha",status="ESME_ROK"} 10.0',
        'gateway_receipts_total{carrier="alpha",state="DELIVRD"} 10.0',
        'gateway_bind_up{bind="alpha-1",carrier="alpha"} 1.0',
        'gateway_carrier_info{carrier="alpha",system_id="simulator"} 1.0',
        'gateway_window_in_use{bind="alpha-1",carrier="alpha"} 0.0',
        "gateway_reload_refused 0.0",
        'gateway_accept_to_submit_seconds_count{category="transactional"} 10.0',
        'gateway_delivery_seconds_count{carrier="alpha"} 10.0',
    ):
        assert line in metrics.splitlines()
    for name in ("store_free_bytes", "config_info", "event_loop_longest_turn_seconds"):
        assert f"\ngateway_{name}" in metrics
    assert "86139" not in metrics
    assert "8613900000001" not in gateway.output.read_text()


def test_it_is_not_ready_without_a_bind(site: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        site.account("alpha", closed.getsockname()[1])
        site.gateway()
        status, body = page(site, "/readyz")
        assert (status, json.loads(body)["reasons"]) == (503, ["no bind is up"])
        assert page(site, "/healthz")[0] == 200


@pytest.mark.both_stores
def test_sigterm_finishes_what_is_in_flight(site: Any) -> None:
    site.carrier("alpha", "--latency", "0.3")
    gateway = site.gateway()
    gateway.wait_for('"bound"', 2)
    client = site.client()
    ids = submit(client, 150)
    assert gateway.terminate() == 0
    gateway = site.gateway()
    client = site.client()
    client.ask("subscribe", consumer="shop", **{"from": "start"})
    events = outcomes(client, 150)
    assert sorted(event["message_id"] for event in events) == sorted(ids)
    assert not [event for event in events if event.get("maybe_duplicate")]


def test_sighup_reloads(site: Any) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    gateway.wait_for('"bound"', 2)
    newcomer = hashlib.sha256(b"newcomer").hexdigest()
    more = f'[[tenants]]\nid = "new"\ntoken_sha256 = ["{newcomer}"]\nsenders = ["Newcomer"]\n'
    site.configure(more)
    gateway.signal(signal.SIGHUP)
    gateway.wait_for('"reloaded"')
    assert site.client("newcomer").tenant == "new"
    log = gateway.output.read_text()
    assert '"changed":["tenants.new: added"]' in log.replace(", ", ",").replace(": [", ":[")
    assert "restart_needed" not in log
    site.configure(more + '[log]\nlevel = "debug"\n')
    gateway.signal(signal.SIGHUP)
    gateway.wait_for('"restart_needed"')
    log = gateway.output.read_text()
    assert '"log.level"' in log
    assert log.count('"bound"') == 2, "the binds did not change and were left alone"


def test_sighup_with_a_bad_file_changes_nothing(site: Any) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    site.configure("[tenant]\n[[carriers]]\nid = 1\n")
    gateway.signal(signal.SIGHUP)
    gateway.wait_for('"reload_refused"')
    client = site.client()
    client.ask("subscribe", consumer="shop")
    submit(client, 1)
    assert outcomes(client, 1)[0]["type"] == "delivered"


@pytest.mark.parametrize("what", ["api", "admin"])
def test_a_port_in_use_is_named(site: Any, what: str) -> None:
    site.carrier("alpha")
    port = site.api if what == "api" else site.admin
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        process = site.failing_gateway()
    output = process.output.read_text()
    assert f"127.0.0.1:{port}" in output
    assert "Traceback" not in output


@pytest.mark.own_store
def test_a_database_that_cannot_be_written_is_named(site: Any) -> None:
    site.carrier("alpha")
    (site.folder / "gateway.db").mkdir()
    output = site.failing_gateway().output.read_text()
    assert str(site.folder / "gateway.db") in output
    assert "Traceback" not in output


@pytest.mark.own_store
def test_a_second_gateway_is_refused_the_store(site: Any, tmp_path: Path) -> None:
    site.carrier("alpha")
    site.gateway()
    output = site.failing_gateway().output.read_text()
    assert "is in use by process" in output


@pytest.mark.own_store
def test_a_consumer_loses_nothing_when_a_backup_is_restored(site: Any) -> None:
    """It has handled events that the backup does not have, whose numbers are then given again."""
    site.carrier("alpha")
    gateway = site.gateway()
    gateway.wait_for('"bound"', 2)
    client = site.client()
    following = Following(f"tcp://127.0.0.1:{site.api}", last="last-0")
    following.wait_for(submit(client, 10))
    database, copy = site.folder / "gateway.db", back_up(site)
    following.wait_for(submit(client, 20))
    assert gateway.terminate() == 0

    copy.replace(database)
    for end in ("-wal", "-shm"):
        Path(f"{database}{end}").unlink(missing_ok=True)
    gateway = site.gateway()
    gateway.wait_for('"restored"')
    gateway.wait_for('"bound"', 2)
    client = site.client()
    following.wait_for(submit(client, 30))
    first, second = dict.fromkeys(event.epoch for event in following.seen)
    before = {event.seq for event in following.seen if event.epoch == first}
    after = {event.seq for event in following.seen if event.epoch == second}
    assert before == set(range(1, 31))
    assert after >= set(range(11, 41))
    assert client.ask("ack", consumer="shop", seq=40, epoch=first)["seq"] <= 40
    assert client.ask("ack", consumer="shop", seq=40, epoch=second)["seq"] == 40
    [consumer] = client.ask("consumers", action="list")["consumers"]
    assert (consumer["consumer"], consumer["lag"]) == ("shop", 0)
    submit(client, 1, key="last")
    following.join(30)
    assert not following.is_alive()


def back_up(site: Any) -> Path:
    """What ``gateway backup`` makes, as docs/store.md has it."""
    copy: Path = site.folder / "backup.db"
    command = [sys.executable, "-m", "gateway", "backup", str(copy), "--config", site.configure()]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout)["size"] == copy.stat().st_size
    return copy


@pytest.mark.own_store
def test_a_backup_is_restored_and_every_message_has_its_outcome(site: Any) -> None:
    site.carrier("alpha")
    gateway = site.gateway()
    gateway.wait_for('"bound"', 2)
    client = site.client()
    first_epoch = client.ask("subscribe", consumer="shop")["epoch"]
    over = submit(client, 10, key="over")
    assert {event["message_id"] for event in outcomes(client, 10)} == set(over)
    client.ask("pause", campaign="later")
    waiting = submit(client, 20, key="waiting", campaign="later")
    back_up(site)
    lost = submit(client, 10, key="lost")
    assert {event["message_id"] for event in outcomes(client, 10)} == set(lost)
    gateway.kill()

    subprocess.run(["sh", "-euc", restoring(), site.folder], check=True)
    database = site.folder / "gateway.db"
    assert database.stat().st_mode & 0o777 == 0o600
    gateway = site.gateway()
    gateway.wait_for('"restored"')
    gateway.wait_for('"bound"', 2)
    client = site.client()
    client.ask("resume", campaign="later")
    assert client.ask("subscribe", consumer="anew", **{"from": "start"})["epoch"] != first_epoch
    events = outcomes(client, 30)
    assert [event["message_id"] for event in events[:10]] == over
    assert sorted(event["message_id"] for event in events[10:]) == waiting
    assert {event["type"] for event in events} == {"delivered"}
    states = client.ask("status", ids=[*over, *waiting, *lost])["messages"]
    assert [state and state["state"] for state in states] == ["delivered"] * 30 + [None] * 10
    # What was waiting is known by its keys, and what came later is not.
    again = submit_again(client, 20, "waiting", campaign="later")
    assert [result["message_id"] for result in again if result["duplicate"]] == waiting
    assert not any("duplicate" in result for result in submit_again(client, 10, "lost"))


def restoring() -> str:
    """The commands of docs/store.md that put a backup in its place, for the folder ``$0``."""
    page = Path(__file__).parents[2].joinpath("docs/store.md").read_text()
    block = page.split("To restore")[1].split("```")[1]
    lines = [line for line in block.splitlines()[1:] if "systemctl" not in line]
    return 'cd "$0"\n' + "\n".join(lines)


class Following(threading.Thread):
    """Follows the events in a thread of its own, until that of the message with the key ``last``:
    one that went on would meet the gateways of other tests."""

    def __init__(self, address: str, last: str) -> None:
        super().__init__(daemon=True)
        self.seen: list[Event] = []
        self._address = address
        self._last = last
        self._more = threading.Condition()
        self.start()

    def run(self) -> None:
        with connect(self._address, TOKEN) as client:
            for event in client.events("shop"):
                with self._more:
                    self.seen.append(event)
                    self._more.notify()
                if event.key == self._last:
                    return

    def wait_for(self, ids: list[str]) -> None:
        """Until these messages have their outcome."""
        with self._more:
            assert self._more.wait_for(
                lambda: set(ids) <= {event.message_id for event in self.seen}, timeout=60
            )


def test_the_rate_of_a_carrier_is_found_in_no_time(site: Any) -> None:
    site.carrier("alpha", "--rate", "300")
    site.gateway().wait_for('"bound"', 2)
    client = site.client()
    client.ask("subscribe", consumer="shop")
    began = time.monotonic()
    submit(client, 1_500)
    assert len(outcomes(client, 1_500)) == 1_500
    assert time.monotonic() - began < 30.0  # 300 at once, the others in 4 s on an idle machine
    metrics = page(site, "/metrics")[1]
    rate = re.search(r'gateway_carrier_rate_limit{carrier="alpha"} (\S+)', metrics)
    assert rate is not None
    assert float(rate[1]) == pytest.approx(300, rel=0.5)
    refused = re.search(r'{carrier="alpha",status="ESME_RTHROTTLED"} (\S+)', metrics)
    assert refused is not None
    assert float(refused[1]) < 750  # mostly what was on its way at the first one
