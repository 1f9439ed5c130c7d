"""The disk below the gateway fills up, becomes read-only or fails: submissions are refused with a
clear code, nothing that was accepted is lost, and service resumes by itself."""

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest


def health(site: Any) -> tuple[int, dict[str, Any]]:
    """What /healthz answers."""
    try:
        with urlopen(f"http://127.0.0.1:{site.admin}/healthz", timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_for_health(site: Any, status: int) -> None:
    deadline = time.monotonic() + 60
    while (found := health(site))[0] != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def check(campaign: Any, reader: Any) -> None:
    """Every accepted message has exactly one outcome, and was delivered."""
    campaign.stop()
    reader.wait_for(len(campaign.accepted))
    reader.stop()
    outcomes = Counter(event["message_id"] for event in reader.events.values())
    assert outcomes.keys() == set(campaign.accepted.values())
    assert set(outcomes.values()) == {1}
    assert {event["type"] for event in reader.events.values()} == {"delivered"}


@pytest.mark.parametrize("state", ["full", "read_only", "failing"])
@pytest.mark.own_store
def test_a_broken_disk_refuses_and_service_resumes(
    site: Any, disk: Any, start_campaign: Callable[[Any], Any], state: str
) -> None:
    site.carrier("alpha", "--latency", "0.02")
    gateway = site.start("gateway", *disk.command())
    gateway.wait_for('"serving"')
    campaign, reader = start_campaign(site)
    for round_ in (1, 2):
        campaign.wait_for(1_000 * round_)
        disk.become(state)
        refused = campaign.refused["busy"]
        campaign.wait_until(lambda: campaign.refused["busy"] > refused + 10)  # noqa: B023
        wait_for_health(site, 503)
        assert gateway.running
        disk.recover(state)
        wait_for_health(site, 200)
    campaign.wait_for(3_000)
    check(campaign, reader)
    assert set(campaign.refused) == {"busy"}
    assert not [event for event in reader.events.values() if event.get("maybe_duplicate")]
    assert gateway.terminate() == 0
    assert "Traceback" not in gateway.text()
    assert len(gateway.text().splitlines()) < 200, "a log that fills the disk"


@pytest.fixture
def small_disk(site: Any) -> Iterator[Path]:
    """A disk of its own for the database."""
    folder: Path = site.folder / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        site.close()
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Fill a disk to the last byte; returns what to remove."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


@pytest.mark.own_store
def test_a_disk_that_is_really_full(
    site: Any, small_disk: Path, start_campaign: Callable[[Any], Any]
) -> None:
    site.change(f"{site.folder}/gateway.db", f"{small_disk}/gateway.db")
    site.carrier("alpha", "--latency", "0.02")
    gateway = site.gateway()
    campaign, reader = start_campaign(site)
    campaign.wait_for(1_000)
    filler = fill(small_disk)
    campaign.wait_until(lambda: campaign.refused["busy"] > 10)
    # Killed, it does not start before there is room, and says so.
    gateway.kill()
    failing = site.failing_gateway()
    assert "the disk is full; free some space" in failing.text()
    assert "Traceback" not in failing.text()
    filler.unlink()
    gateway = site.gateway()
    campaign.wait_for(2_000)
    filler = fill(small_disk)
    refused = campaign.refused["busy"]
    campaign.wait_until(lambda: campaign.refused["busy"] > refused + 10)
    wait_for_health(site, 503)
    filler.unlink()
    campaign.wait_for(3_000)
    check(campaign, reader)
    assert health(site)[0] == 200
    assert gateway.terminate() == 0
