"""How commands start: soon, and by a Python that is new enough, or not at all."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gateway

ROOT = Path(gateway.__file__).parents[1]

# Each takes a tenth of a second or more, with what it imports in turn.
SERVING = {
    "apsw", "gateway.app", "gateway.config", "gateway.dispatch", "gateway.policy", "gateway.queue",
    "gateway.smpp", "holidays", "hypercorn", "prometheus_client", "regex", "starlette", "structlog",
}  # fmt: skip
TALKING = {"rich.console", "rich.progress", "rich.table", "trio"}
NOWHERE = ("--token=t", "--address=unix:///nowhere/api.sock")


def imported(*arguments: str) -> set[str]:
    """What a command imports by the time it ends."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode in (0, 1), ended.stderr
    lines = (line for line in ended.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["token"], SERVING | TALKING | {"gateway.api.blocking", "importlib.metadata"}),
        (["--version"], SERVING | {"trio"}),
        (["--help"], SERVING - {"gateway.smpp"}),
        (["status", "1", *NOWHERE], SERVING | TALKING),
        (["cancel", "1", *NOWHERE], SERVING | TALKING),
        (["optout", "check", "447700900123", *NOWHERE], SERVING | TALKING),
        (["consumers", "list", *NOWHERE], SERVING | TALKING),
        (["events", *NOWHERE], SERVING | TALKING - {"trio"}),
        (["send", "--to=447700900123", "--text=x", *NOWHERE], SERVING | {"trio"}),
        (["queues", "--admin=http://127.0.0.1:1"], SERVING | TALKING),
        (["serve", "--help"], SERVING | {"trio"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_small_command_does_not_wait_for_what_another_needs(
    arguments: list[str], without: set[str]
) -> None:
    assert imported(*arguments) & without == set()


@pytest.mark.parametrize("name", ["gateway/__init__.py", "gateway/__main__.py"])
def test_any_python_can_read_what_says_that_it_is_too_old(name: str) -> None:
    ast.parse((ROOT / name).read_text(), feature_version=(3, 6))


OLD = "import sys; sys.version_info = (3, 10, 12, 'final', 0); "


def test_a_python_that_is_too_old_is_told_so_in_one_line() -> None:
    start = "import runpy; runpy.run_module('gateway', run_name='__main__')"
    ended = subprocess.run(
        [sys.executable, "-c", OLD + start],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    expected = f"gateway: needs Python 3.11 or later, and {sys.executable} is 3.10.12\n"
    assert ended.stderr == expected


@pytest.mark.parametrize("goal", ["setup", "demo", "test"])
def test_make_says_so_before_it_makes_anything(tmp_path: Path, goal: str) -> None:
    old = tmp_path / "python3.10"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{OLD}exec(sys.argv[1])" "$2"\n')
    old.chmod(0o755)
    ended = subprocess.run(
        ["make", "-C", str(ROOT), goal, f"PYTHON={old}", f"VENV={tmp_path}/venv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    said, *by_make = ended.stderr.splitlines()
    assert said == (
        f"Python 3.11 or later is needed, and {old} is 3.10.12; "
        f"name another: make PYTHON=python3.11 {goal}"
    )
    assert all(line.startswith("make") for line in by_make)
    assert not (tmp_path / "venv").exists()
