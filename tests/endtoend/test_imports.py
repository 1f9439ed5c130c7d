"""Imports that hold all or not at all, whatever is killed, and when."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

import pytest

from tests.conftest import PATIENCE, TOKEN

CHUNK: Final = 200
NUMBERS: Final = [f"4477{n:08}" for n in range(250 * CHUNK)]
"""More than are carried out in the time that it takes to ask how far that is."""


@pytest.fixture(autouse=True)
def _nobody_takes_texts(site: Any) -> None:
    site.account("alpha", site.free_port())


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def out(client: Any, *numbers: str) -> list[bool]:
    results = client.ask("optout", action="check", numbers=numbers)["results"]
    return [one["opted_out"] for one in results]


def listed(client: Any) -> int:
    count, after = 0, ""
    while page := client.ask("optout", action="list", after=after)["results"]:
        count, after = count + len(page), page[-1]["number"]
    return count


def stage(client: Any, name: str = "spring") -> None:
    for start in range(0, len(NUMBERS), CHUNK):
        asked = {"action": "add", "numbers": NUMBERS[start : start + CHUNK], "source": "import"}
        client.ask("optout", **asked, **{"import": {"name": name, "part": start}})


def apply(client: Any, name: str = "spring") -> dict[str, int]:
    """Have an import hold, to its end."""
    asked = {"action": "apply", "name": name, "size": len(NUMBERS)}
    while (found := client.ask("import", **asked)["imported"])["rest"]:
        pass
    return dict(found)


@pytest.mark.both_stores
def test_a_gateway_that_is_killed_before_the_word_has_nothing_hold(site: Any) -> None:
    gateway = site.gateway()
    stage(site.client())
    gateway.kill()
    site.gateway()
    client = site.client()
    assert listed(client) == 0
    # What was staged is there still: whoever has heard the answers can go on.
    done = apply(client)
    assert done == {"size": len(NUMBERS), "rest": 0, "changed": len(NUMBERS)}
    assert listed(client) == len(NUMBERS)


@pytest.mark.both_stores
def test_a_gateway_that_is_killed_behind_the_word_goes_on_with_it(site: Any) -> None:
    gateway = site.gateway()
    client, other = site.client(), site.client()
    stage(client)
    client.send("import", action="apply", name="spring", size=len(NUMBERS))
    until(lambda: out(other, NUMBERS[0]) == [True])
    assert out(other, NUMBERS[-1]) == [False], "it is in the middle"
    gateway.kill()
    site.gateway()
    client = site.client()
    until(lambda: out(client, NUMBERS[-1]) == [True])
    assert listed(client) == len(NUMBERS)
    sent = client.ask("submit", messages=[{"to": NUMBERS[-1], "text": "Sale"}])
    assert sent["results"][0]["error"]["code"] == "opted_out"
    # Who did not hear of it gives the list again.
    assert apply(client)["changed"] == len(NUMBERS)
    stage(client, "again")
    assert apply(client, "again") == {"size": len(NUMBERS), "rest": 0, "changed": 0}


# --- the command ---


def found(site: Any, query: str) -> int:
    """What the store has, read beside the gateway."""
    with closing(sqlite3.connect(f"file:{site.folder}/gateway.db?mode=ro", uri=True)) as store:
        [[count]] = store.execute(query).fetchall()
    return int(count or 0)


def importing(site: Any, monkeypatch: pytest.MonkeyPatch, file: Path, name: str) -> Any:
    monkeypatch.setenv("GATEWAY_ADDRESS", f"tcp://127.0.0.1:{site.api}")
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)
    return site.command(name, "optout", "add", f"--file={file}", "--all-or-nothing")


def feed(pipe: IO[str]) -> None:
    """Write half of the numbers, as far as somebody reads them."""
    with suppress(BrokenPipeError):
        pipe.write("\n".join(NUMBERS[: len(NUMBERS) // 2]) + "\n")
        pipe.flush()


@pytest.mark.own_store
def test_a_command_that_is_killed_has_all_or_nothing_hold(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.gateway()
    client = site.client()
    pipe, file = tmp_path / "pipe", tmp_path / "list.csv"
    file.write_text("\n".join(NUMBERS))
    os.mkfifo(pipe)
    # Before all is staged, while it waits for more.
    command = importing(site, monkeypatch, pipe, "staging")
    with suppress(BrokenPipeError), pipe.open("w") as more:
        feeding = Thread(target=feed, args=(more,))
        feeding.start()
        until(lambda: found(site, "SELECT sum(size) FROM staged") > 1_000)
        command.kill()
        feeding.join()
    assert found(site, "SELECT count(*) FROM import WHERE marked IS NOT NULL") == 0
    assert listed(client) == 0
    # Behind the word.
    command = importing(site, monkeypatch, file, "applying")
    until(lambda: found(site, "SELECT count(*) FROM import WHERE marked IS NOT NULL"))
    command.kill()
    until(lambda: listed(client) == len(NUMBERS))
    # And the same command once more.
    command = importing(site, monkeypatch, file, "again")
    assert command.wait() == 0
    assert f'{{"numbers":{len(NUMBERS)},"changed":0,"refused":0}}' in command.text()


@pytest.mark.own_store
def test_a_command_goes_on_where_its_gateway_is_started_again(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("\n".join(NUMBERS))
    gateway = site.gateway()
    command = importing(site, monkeypatch, file, "command")
    for when in (
        "SELECT count(*) > 10 FROM staged",
        "SELECT count(*) FROM import WHERE marked IS NOT NULL",
    ):
        until(lambda when=when: found(site, when))  # type: ignore[misc]  # of this very round
        gateway.kill()
        gateway = site.gateway()
    assert command.wait() == 0
    told = f'{{"numbers":{len(NUMBERS)},"changed":{len(NUMBERS)},"refused":0}}'
    assert told in command.text()
    assert listed(site.client()) == len(NUMBERS)
