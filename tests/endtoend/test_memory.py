"""A gateway that keeps nothing, as somebody uses it who tests a program of their own against it."""

import subprocess
import sys
from typing import Any

import pytest


def in_memory(site: Any) -> None:
    site.change(f'path = "{site.folder}/gateway.db"', 'backend = "memory"')


@pytest.mark.own_store
def test_a_program_is_tested_against_a_gateway_in_memory(site: Any) -> None:
    in_memory(site)
    site.carrier("alpha")
    gateway = site.gateway()
    client = site.client()
    orders = [{"to": f"4479{n:08d}", "text": f"Order {n}.", "key": f"k{n}"} for n in range(500)]
    answered = client.ask("submit", messages=orders)["results"]
    ids = [one["message_id"] for one in answered]
    again = client.ask("submit", messages=orders)["results"]
    assert [one["message_id"] for one in again] == ids
    assert all(one["duplicate"] for one in again)
    told = client.events(len(ids))
    assert sorted(event["message_id"] for event in told) == sorted(ids)
    assert {event["type"] for event in told} == {"delivered"}
    assert '"nothing_survives"' in gateway.text()

    assert gateway.terminate() == 0
    assert not list(site.folder.rglob("*.db*"))
    site.gateway()
    client = site.client()
    assert client.ask("status", ids=ids[:1])["messages"] == [None]
    fresh = client.ask("submit", messages=orders[:1])["results"]
    assert not fresh[0].get("duplicate")


@pytest.mark.own_store
def test_whoever_would_use_it_for_more_is_warned(site: Any) -> None:
    in_memory(site)
    site.carrier("alpha")
    command = [sys.executable, "-m", "gateway"]
    config = ["--config", site.configure()]
    checked = subprocess.run(
        [*command, "check", *config], capture_output=True, text=True, check=True
    )
    assert "warning: queue.backend: keeps everything in memory" in checked.stdout
    copied = subprocess.run(
        [*command, "backup", str(site.folder / "copy.db"), *config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert copied.returncode == 2
    assert copied.stderr == "gateway: queue.backend: memory has no file\n"
