"""The demo of several nodes: it adds up with one of them killed, and says so where it does not."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.nodes.books import Books, Death, Done
from examples.tally import Audit, Tally
from gateway.api.wire import Accepted, Event
from tests.test_demo import line_with
from tools.postgres import binaries

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo has its temporary files: a socket's path may have 107 octets, too few for
    pytest's folders."""
    with tempfile.TemporaryDirectory(prefix="nodes-") as made:
        Path(made).chmod(0o755)  # root's folders have to let the server's user in
        yield Path(made)


@pytest.fixture
def demo(folder: Path) -> "subprocess.Popen[str]":
    """The demo."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    return subprocess.Popen(
        [sys.executable, "-m", "examples.nodes", "600"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow  # a lease has to pass
def test_it_adds_up_with_a_node_killed(demo: "subprocess.Popen[str]", folder: Path) -> None:
    with demo:
        shown, _ = demo.communicate()
    assert demo.returncode == 0, shown
    assert re.search(r"node b is killed; 3\d% of the phones were its", shown)
    assert re.search(r"600 submitted = 600 accepted: \d+ by a, \d+ by b, \d+ by c", shown)
    assert "600 accepted = 600 with an outcome" in shown
    assert "It adds up." in shown
    assert "\x1b" not in shown
    assert list(folder.iterdir()) == []


@pytest.mark.slow  # three nodes and a database start
def test_whatever_ends_it_ends_its_processes(demo: "subprocess.Popen[str]", folder: Path) -> None:
    with demo:
        line_with(demo, "runs, and these nodes on it")
        demo.send_signal(signal.SIGINT)
        assert demo.stdout is not None
        # Its processes hold the other end: it ends when the last of them has.
        assert demo.stdout.read().endswith("interrupted\n")
    assert demo.returncode == 130
    assert list(folder.iterdir()) == []


def books(**changed: Any) -> Books:
    """Two messages, one of which went out by the node that was killed."""
    tally = Tally()
    for number in range(2):
        draft: object = None
        tally.submitted(draft, Accepted(f"m{number}", 1, "gsm7"))  # type: ignore[arg-type]
        tally.reported(Event(number + 1, "delivered", 0.0, f"m{number}", to=f"4479{number}"))
    found = Books(
        submitted=2,
        tally=tally,
        audit=Audit({"alpha": 1, "beta": 1}, 2, 0, 0, 0, 0),
        answered={"a": 1, "b": 1},
        again=0,
        known=0,
        done={"a": Done(1, 1), "b": Done(1, 0)},
        phones={"a": 1.0, "b": 0.0},
        death=Death("b", 1.0, 0.5, 10.5),
        gaps=0,
        took=12.0,
    )
    return found._replace(**changed)


def test_what_is_as_promised_adds_up() -> None:
    assert all(kept for kept, _ in books().checks)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"submitted": 3}, "3 submitted = 2 accepted"),
        ({"answered": {"a": 1, "b": 0}}, "2 submitted = 2 accepted: 1 by a, 0 by b"),
        ({"gaps": 1}, "1 gaps in the events"),
        ({"done": {"a": Done(1, 2), "b": Done(1, 1)}}, "2 outcomes = 3 that nodes have counted"),
        ({"done": {"a": Done(2, 1), "b": Done(1, 0)}}, "2 parts taken = 3 that nodes have counted"),
        ({"audit": Audit({"alpha": 3}, 2, 1, 1, 0, 0)}, "1 parts were taken twice, 1 unannounced"),
        ({"phones": {"a": 0.5, "b": 0.5}}, "50% of the phones are left with b"),
    ],
)
def test_what_is_not_does_not(changed: dict[str, Any], told: str) -> None:
    [wrong] = [what for kept, what in books(**changed).checks if not kept]
    assert wrong.startswith(told)


def test_a_message_that_has_none_or_two_outcomes_does_not() -> None:
    tally = books().tally
    tally.reported(Event(3, "failed", 0.0, "m1", to="44791"))
    del tally.outcomes["m0"]
    wrong = [what for kept, what in books(tally=tally).checks if not kept]
    assert wrong[:2] == ["2 accepted = 1 with an outcome", "1 messages with a second outcome"]
