"""Load tests of a real gateway with a simulated carrier, each of a few seconds."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.processes import Carrier, Gateway, gateway, python, tenant_token
from benchmarks.target import ramp
from gateway.api import blocking
from tools.ports import free_port

PATIENCE = 60.0


class Site:
    """A gateway with a carrier that stamps."""

    def __init__(self, running: Gateway, stamps: int, output: Path) -> None:
        self.running = running
        self.output = output
        self.common = [
            "target",
            *("--address", f"tcp://{running.address}"),
            *("--metrics", f"http://127.0.0.1:{running.admin}/metrics"),
            *("--stamps", f"127.0.0.1:{stamps}"),
            *("--output", str(output)),
        ]

    def words(self, *words: str) -> list[str]:
        return [*self.common, *("--token", tenant_token(0), "--name", "result"), *words]

    def run(self, *words: str) -> int:
        return command.main(self.words(*words))

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.output / "result.json").read_bytes())
        return found

    def case(self, **settings: object) -> dict[str, float]:
        """The figures of the case with these settings."""
        (found,) = (c for c in self.result()["findings"]["cases"] if c["settings"] == settings)
        return {name: figure["median"] for name, figure in found["figures"].items()}

    def consumers(self) -> list[str]:
        with blocking.connect(f"tcp://{self.running.address}", tenant_token(0)) as client:
            return [one.consumer for one in client.consumers()]

    def accepted(self) -> float:
        return self.running.metric("messages_accepted_total")


@contextmanager
def site_in(folder: Path, *, tenants: int = 1, **carrier: Any) -> Iterator[Site]:
    stamps = free_port()
    simulator = ("--stamp", str(stamps), *carrier.pop("simulator", ()))
    with gateway(folder, tenants, [Carrier(simulator=simulator, **carrier)]) as running:
        yield Site(running, stamps, folder / "output")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_in(tmp_path_factory.mktemp("site"), tenants=2) as made:
        yield made


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_fixed_rate_is_offered_and_every_stage_is_measured(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.run("--rate", "200", "--seconds", "2", "--otp", "0.2", "--p99", "60") == 0
    run = site.case(of="the run")
    assert (run["messages"], run["lost"]) == (400, 0)
    assert run["offered"] == pytest.approx(200, rel=0.5)
    for messages in ("all", "one-time passwords", "the others"):
        before = 0.0
        for stage in ("accepted", "answered", "outcome"):
            figures = site.case(messages=messages, until=stage)
            assert before <= figures["p50"] <= figures["p99"] <= figures["max"]
            before = figures["p50"]
        assert site.case(messages=messages, until="arrived")["p50"] > 0
    curves = site.result()["findings"]["curves"]
    assert sum(curves["by second, ended"][1]) == pytest.approx(400, rel=0.2)
    assert (site.output / "result.svg").stat().st_size > 10_000
    told = capsys.readouterr().out
    assert "every carrier of the gateway is a simulator" in told
    assert "400 delivered" in told
    assert "met: p99 to outcome" in told
    assert site.consumers() == []


def test_several_tenants_share_the_load(site: Site, tmp_path: Path) -> None:
    before = {
        n: site.running.metric("messages_accepted_total", tenant=f"tenant-{n}") for n in (0, 1)
    }
    file = tmp_path / "tenants"
    file.write_text(f"{tenant_token(0)},1\n{tenant_token(1)},3\n")
    words = [*site.common, "--tenants", str(file), "--rate", "200", "--seconds", "2"]
    assert command.main([*words, "--batch", "1", "--name", "result"]) == 0
    share = {
        n: site.running.metric("messages_accepted_total", tenant=f"tenant-{n}") - before[n]
        for n in (0, 1)
    }
    assert sum(share.values()) == 400
    assert share[1] / 400 == pytest.approx(0.75, abs=0.1)


def test_a_count_bounds_a_run(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    before = site.accepted()
    assert site.run("--rate", "1000", "--messages", "33") == 0
    assert site.accepted() - before == 33
    assert "33 of 60,000 messages were to be sent at most" in capsys.readouterr().out


def test_a_day_is_replayed(site: Site, tmp_path: Path) -> None:
    curve = tmp_path / "day.csv"
    curve.write_text("hour,messages\n06:00,0\n12:00,50\n18:00,0\n")
    words = ("--mode", "replay", "--rate", "200", "--seconds", "3", "--curve", str(curve))
    assert site.run(*words) == 0
    assert site.case(of="the run")["messages"] == pytest.approx(150, abs=5)


def test_a_ramp_finds_a_rate(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ramp, "SHORT", 0.1)  # a busy machine lets the load leave late
    words = ("--mode", "ramp", "--rate", "50", "--highest", "200", "--step", "1", "--p99", "60")
    assert site.run(*words, "--seconds", "20") == 0
    assert [c["settings"]["tried, messages/s"] for c in site.result()["findings"]["cases"][:3]] == [
        50, 100, 200,
    ]  # fmt: skip
    told = capsys.readouterr().out
    assert "met: the highest rate, messages/s: 200" in told
    assert "no higher rate was tried: --highest bounds it" in told


def test_a_ramp_that_nothing_holds_fails(site: Site) -> None:
    words = ("--mode", "ramp", "--rate", "5", "--step", "1", "--p99", "0.0001", "--seconds", "3")
    assert site.run(*words, "--batch", "1") == 1


def test_a_ramp_leaves_nothing_of_a_rate_to_the_next(tmp_path: Path) -> None:
    with site_in(tmp_path, binds=1, window=5, simulator=("--latency", "1")) as site:
        words = ("--mode", "ramp", "--rate", "80", "--step", "1", "--seconds", "9", "--drain", "1")
        assert site.run(*words) == 1
        tried = [
            case["settings"]["tried, messages/s"]
            for case in site.result()["findings"]["cases"]
            if "tried, messages/s" in case["settings"]
        ]
        assert tried[:2] == [80, 40]
        assert site.running.metric("messages_final_total", outcome="cancelled") >= 60


def test_a_goal_that_is_missed_fails(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("--rate", "50", "--seconds", "1", "--p99", "0.0001") == 1
    assert "missed: p99 to outcome" in capsys.readouterr().out


# --- before anything is sent ---


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("--from", "STRANGER"), 1, "would refuse all of tenant-0: sender_not_allowed"),
        (("--batch", "20000"), 2, "--batch: 20,000 is more than it takes, 10,000"),
        (("--token", "wrong"), 1, "unauthenticated"),
        (("--address", "tcp://127.0.0.1:1"), 1, "connect"),
        (("--metrics", "http://127.0.0.1:1/metrics"), 2, "there is nobody to ask: --yes sends"),
        (("--stamps", "127.0.0.1:1"), 1, "connect"),
    ],
)
def test_what_cannot_be_sent_is_not(
    site: Site,
    words: tuple[str, ...],
    status: int,
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = site.accepted()
    assert site.run("--seconds", "1", *words) == status
    assert why in capsys.readouterr().err
    assert site.accepted() == before


@pytest.mark.parametrize(("answer", "status", "sent"), [("no", 1, 0), ("yes", 0, 10)])
def test_a_person_is_asked_where_a_carrier_may_be_real(
    site: Site, answer: str, status: int, sent: int
) -> None:
    before = site.accepted()
    ours, theirs = os.openpty()
    # The page of metrics of something that is no gateway.
    words = site.words("--rate", "10", "--seconds", "1", "--metrics", "http://127.0.0.1:1/")
    with subprocess.Popen(
        python("benchmarks", *words), stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as running:
        os.write(ours, f"{answer}\n".encode())
        told, _ = running.communicate(timeout=PATIENCE)
    os.close(ours)
    os.close(theirs)
    assert "whether carriers are simulated is unknown" in told
    assert running.returncode == status
    assert site.accepted() - before == sent


# --- an early end ---


def started(site: Site, *words: str) -> "subprocess.Popen[str]":
    """A load test as a process of its own, with messages under way."""
    before = site.accepted()
    running = subprocess.Popen(
        python("benchmarks", *site.words(*words)), stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: site.accepted() > before + 100)
    return running


def test_ctrl_c_ends_it_cleanly_with_what_was_measured(site: Site) -> None:
    with started(site, "--rate", "200", "--seconds", "600") as running:
        running.send_signal(signal.SIGINT)
        told, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "ended early: interrupted" in told
    run = site.case(of="the run")
    assert run["messages"] >= 100
    assert run["lost"] == 0  # it waited for the outcomes
    assert site.consumers() == []


def test_ctrl_c_twice_waits_for_nothing_and_cancels_what_is_left(tmp_path: Path) -> None:
    with site_in(tmp_path, binds=1, window=10, simulator=("--latency", "4")) as site:
        with started(site, "--rate", "200", "--drain", "3600") as running:
            running.send_signal(signal.SIGINT)
            # It goes on waiting: for the second.
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.5)
            running.send_signal(signal.SIGINT)
            told, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert "without an outcome" in told
        assert site.case(of="the run")["lost"] > 80
        assert site.running.metric("queued_messages", state="queued") <= 10
        assert site.consumers() == []


def test_what_was_measured_is_told_where_the_gateway_goes_away(tmp_path: Path) -> None:
    with site_in(tmp_path) as site, started(site, "--rate", "200", "--drain", "1") as running:
        os.kill(site.running.pid, signal.SIGKILL)
        told, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == 1
        # By an end, or by a reset where something was still on its way to it.
        assert re.search(
            "ended early: the (gateway closed the connection|connection to the gateway was lost)",
            told,
        )
        assert "is left behind" in told
        assert site.case(of="the run")["messages"] >= 100
