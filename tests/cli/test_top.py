"""``gateway top`` against a gateway that runs: over a pipe, in a terminal, and where it is not let
in or finds nobody."""

import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

TOP = [sys.executable, "-m", "gateway", "top"]


def ended(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOP, *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def at_work(site: Any) -> Any:
    """A gateway with a carrier that delivers, and one that is not there."""
    site.carrier("alpha")
    site.account("beta", site.free_port())
    site.gateway().wait_for('"bound"', 2)
    client = site.client()
    client.ask("submit", messages=[{"to": "447400123456", "text": "hello"}])
    client.events(1)
    return site


def test_over_a_pipe_it_is_one_object_of_json(at_work: Any) -> None:
    found = ended("--admin", f"http://127.0.0.1:{at_work.admin}", "--every", "0.5")
    assert found.stderr == ""
    [line] = found.stdout.splitlines()
    seen = json.loads(line)
    assert seen.keys() == {"overview", "carriers", "queues", "tenants", "rates"}
    assert {one["id"]: one["state"] for one in seen["carriers"]} == {"alpha": "up", "beta": "down"}
    assert [one["id"] for one in seen["tenants"]] == ["shop"]
    assert seen["rates"]["carriers"]["alpha"] == 0.0
    assert found.returncode == int(not seen["overview"]["well"])


def test_the_configuration_says_where_it_is(at_work: Any) -> None:
    found = ended("--config", at_work.configure(), "--every", "0.5")
    assert json.loads(found.stdout)["overview"]["carriers"] == 2


def test_in_a_terminal_it_goes_on_until_ctrl_c(at_work: Any) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        os.environ["GATEWAY_ADMIN"] = f"http://127.0.0.1:{at_work.admin}"
        os.execv(sys.executable, [*TOP, "--every", "0.5"])
    seen = b""
    deadline = time.monotonic() + 180
    while not (b"beta" in seen and b"parts answered" in seen):
        assert time.monotonic() < deadline, seen.decode(errors="replace")
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536)
    os.kill(child, signal.SIGINT)
    while True:  # what is not read holds it up
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:
            break
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


def test_it_asks_for_a_token_where_one_is_needed(site: Any) -> None:
    site.carrier("alpha")
    token = hashlib.sha256(b"let me look").hexdigest()
    site.change("[queue]", f'token_sha256 = ["{token}"]\n[queue]')
    site.gateway()
    address = f"http://127.0.0.1:{site.admin}"
    refused = ended("--admin", address)
    assert refused.returncode == 1
    assert "GATEWAY_ADMIN_TOKEN" in refused.stderr
    found = ended("--every", "0.5", GATEWAY_ADMIN=address, GATEWAY_ADMIN_TOKEN="let me look")
    assert json.loads(found.stdout)["overview"]["carriers"] == 1


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("http://127.0.0.1:1", 1, "cannot reach the admin server at http://127.0.0.1:1"),
        ("127.0.0.1:7601", 2, "--admin: '127.0.0.1:7601' does not begin with http:// or https://"),
        ("http://nobody.invalid", 1, "cannot reach the admin server"),
        ("http://[", 1, "cannot reach the admin server"),
    ],
)
def test_what_is_no_admin_server_is_told_in_a_line(address: str, status: int, said: str) -> None:
    found = ended("--admin", address)
    assert (found.returncode, found.stdout) == (status, "")
    [line] = found.stderr.splitlines()
    assert line.startswith("gateway: ")
    assert said in line
