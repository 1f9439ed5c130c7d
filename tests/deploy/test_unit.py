"""The unit of systemd: sound, hardened, and of one mind with the gateway and the pages."""

import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

import pytest

from gateway import app, cli
from gateway.ops.notify import FEEDS

ROOT: Final = Path(__file__).parents[2]
UNIT: Final = ROOT / "deploy" / "systemd" / "gateway.service"
PROGRAM: Final = "/opt/gateway/bin/gateway"

EXPOSED: Final = 1.5
"""The exposure, of 10, up to which `systemd-analyze security` is content; what is left is that it
uses the network."""


class Directives(dict[str, list[str]]):
    """Every value of a directive that may stand several times."""


def directives(section: str) -> Directives:
    """What a section of the unit has."""
    found = Directives()
    text = UNIT.read_text().partition(f"[{section}]\n")[2].partition("\n[")[0]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def seconds(text: str) -> float:
    """A span of time as systemd writes it."""
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60}[unit]


def test_it_can_be_read_as_a_unit() -> None:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_it_checks_before_it_serves_and_before_it_reloads() -> None:
    service = directives("Service")
    check = f"{PROGRAM} check --config /etc/gateway/gateway.toml"
    assert service["ExecStartPre"] == [check]
    assert service["ExecStart"] == [check.replace(" check ", " serve ")]
    assert service["ExecReload"] == [check, "/bin/kill -HUP $MAINPID"]
    commands = {place.partition(":")[2] for place in cli.COMMANDS}
    assert {"check", "serve"} <= commands


def test_its_times_are_longer_than_the_gateways() -> None:
    service = directives("Service")
    assert service["Type"] == ["notify"]
    assert seconds(service["TimeoutStopSec"][0]) >= 2 * (app.ANSWER + app.DRAIN)
    assert seconds(service["WatchdogSec"][0]) / FEEDS >= 1


def test_it_runs_as_nobody_who_may_do_anything() -> None:
    service = directives("Service")
    assert service["User"] == ["gateway"]
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute"):
        assert service[name] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == [""]
    # Where the process collector of the metrics finds when the machine was started.
    assert "ProcSubset" not in service


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The unit with a program that is there, as systemd-analyze asks for."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, sys.executable))
    return unit


def analyze(*arguments: str) -> str:
    ended = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_systemd_finds_no_mistake_in_it(copy: Path) -> None:
    said = analyze("verify", "--man=no", str(copy))
    assert copy.name not in said, said


def test_systemd_finds_it_hardened(copy: Path) -> None:
    told = analyze("security", "--offline=yes", str(copy))
    exposure = re.search(r"exposure level for gateway.service: ([\d.]+)", told)
    assert exposure is not None, told
    assert float(exposure[1]) <= EXPOSED
