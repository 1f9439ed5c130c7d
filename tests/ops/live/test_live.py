"""Prometheus scrapes gateways at work; each has a fault of its own, and exactly the alerts that are
meant for it fire, and end with it. Every panel and every question has an answer meanwhile."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from gateway.ops.watching import ALERTS, BOARDS, QUESTIONS
from tests.ops.live.cell import Cell
from tests.ops.live.faults import FAULTS, Fault
from tests.ops.live.prometheus import Prometheus
from tests.servers import Postgres

QUERIES = {
    f"{board.name}: {panel.title}: {query.expr}": query.expr
    for board in BOARDS
    for panel in board.panels
    for query in panel.queries
} | {one.asked: one.expr for one in QUESTIONS}
"""Every panel's queries and every question's, by what they are for."""

UNANSWERED = """have no answer from any gateway, or none that names the one with the fault; a new
panel needs a gateway whose work feeds its metric: have `Cell._submit` or `Cell.pause` in
tests/ops/live/cell.py, or the habits of `steady` in faults.py, do what it counts"""
"""Says what is to be added."""

FOUND_WITHIN = 20.0
"""Seconds in which the last of them are to be answered."""

ROUNDS = 3
"""How often the faults are brought about, where something is not as it should be."""


@pytest.fixture
def cells(
    site: Any, tmp_path: Path, postgres: Postgres, database: str
) -> Iterator[dict[str, Cell]]:
    """A gateway for each fault; one has a database with a standby for its store, which it might
    share with another."""
    found: dict[str, Cell] = {}
    for fault in FAULTS:
        folder = tmp_path / fault.name
        folder.mkdir()
        found[fault.name] = Cell(fault.name, type(site)(folder), fault.habits)
    sharing = found["quiet"].site
    sharing.use_postgres(postgres, database)
    sharing.change('node = "a"', 'node = "a"\nnodes = 2')  # of which the other is not there
    with postgres.standby():
        yield found
        for cell in found.values():
            cell.stop()
            cell.site.close()


@pytest.fixture
def programs() -> tuple[str, str]:
    """Prometheus, and its promtool."""
    found = shutil.which("prometheus"), shutil.which("promtool")
    if found[0] is None or found[1] is None:
        pytest.skip("prometheus is not installed; .ci/interop installs it on Debian")
    return found[0], found[1]


def at_once(do: Callable[[Fault], None]) -> None:
    """Do something for all faults, several at a time."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(do, FAULTS))


def unanswered(watching: Prometheus, names: set[str]) -> set[str]:
    """Those of these queries that have no answer, and those that do not name whom they should."""
    named = {fault.tells: fault.name for fault in FAULTS}
    left = set()
    for name in names:
        found = watching.shown(QUERIES[name])
        who = named.get(name)
        if not found or (who and not any(who in one["metric"].values() for one in found)):
            left.add(name)
    return left


def astray(watching: Prometheus, cells: dict[str, Cell]) -> dict[str, set[Any]]:
    """Bring about all faults and mend them; returns what is not as it should be, by what it is."""
    too_early = watching.watch(25, 25, set())
    expected = {(alert, fault.name) for fault in FAULTS for alert in fault.alerts}
    at_once(lambda fault: fault.make(cells[fault.name]))
    seen = watching.watch(25, 25, expected)
    left = unanswered(watching, set(QUERIES))
    seen |= watching.watch(20, 35, expected - seen)
    cells["steady"].pause()
    deadline = time.monotonic() + FOUND_WITHIN
    while (left := unanswered(watching, left)) and time.monotonic() < deadline:
        time.sleep(1)
    at_once(lambda fault: fault.mend(cells[fault.name]))
    found: dict[str, set[Any]] = {
        "fire while all is well": too_early,
        "do not fire": expected - seen,
        "fire for nothing": seen - expected,
        UNANSWERED: left,
        "do not end": watching.wait_until_quiet(60),
    }
    return {what: which for what, which in found.items() if which}


@pytest.mark.slow  # some two minutes: a day passes sixty times as fast
def test_each_fault_raises_the_alerts_that_are_meant_for_it(
    site: Any, cells: dict[str, Cell], programs: tuple[str, str]
) -> None:
    prometheus, promtool = programs
    at_once(lambda fault: cells[fault.name].start())
    watching = Prometheus(site, prometheus, {name: one.site.admin for name, one in cells.items()})
    # Two seconds for which the machine has no time for a gateway are two minutes of silence here,
    # and an alert that is right. Not in every round, though.
    for _ in range(ROUNDS):
        wrong = astray(watching, cells)
        if not wrong:
            break
    assert wrong == {}
    with urlopen(f"http://127.0.0.1:{cells['steady'].site.admin}/metrics", timeout=60) as page:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=page.read(), capture_output=True, check=False
        )
    assert checked.stdout + checked.stderr == b""


def test_faults_are_named_once_and_what_they_speak_of_exists() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {alert for fault in FAULTS for alert in fault.alerts} <= {one.name for one in ALERTS}
    assert {fault.tells for fault in FAULTS} <= {one.asked for one in QUESTIONS} | {""}
