"""Starts the processes that a benchmark measures, and reads what the system says of them."""

import contextlib
import hashlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

TOKEN = "benchmark"
STARTUP = 30.0
"""Seconds that a process may take to be ready."""

CONFIGURATION = """
[api]
listen = ["tcp://127.0.0.1:{api}"]
[admin]
listen = "127.0.0.1:{admin}"
[queue]
path = "{folder}/gateway.db"
[[tenants]]
id = "shop"
token_sha256 = ["{token}"]
senders = ["10690001"]
max_queued = 100000000
[policy.quiet_hours]
open = "00:00-24:00"
[[carriers]]
id = "alpha"
host = "127.0.0.1"
port = {carrier}
system_id = "shop"
password = "secret"
binds = {binds}
window = {window}
rate = {rate}
[log]
level = "warning"
"""


class Usage(NamedTuple):
    """What a process has used: CPU seconds, and its resident memory in megabytes."""

    cpu: float
    resident: float


def usage(pid: int) -> Usage:
    """What the system says of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return Usage(cpu, int(found[1]) / 1024 if found else 0.0)


def free_port() -> int:
    """A TCP port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module as a process of its own, ended with the block."""
    running = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def wait_until_ready(port: int) -> None:
    """Wait until the gateway says that it is ready."""
    deadline = time.monotonic() + STARTUP
    while time.monotonic() < deadline:
        with contextlib.suppress(URLError, ConnectionError):
            urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
            return
        time.sleep(0.05)
    raise SystemExit("the gateway did not become ready")


class Gateway(NamedTuple):
    """A running gateway and its carrier."""

    pid: int
    carrier_pid: int
    address: str


@contextlib.contextmanager
def gateway(
    folder: Path, *simulator: str, binds: int = 4, window: int = 500, rate: float = 0
) -> Iterator[Gateway]:
    """A gateway with one simulated carrier; ``simulator`` are further options for that one."""
    api, admin, carrier = free_port(), free_port(), free_port()
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    configuration = folder / "gateway.toml"
    configuration.write_text(
        CONFIGURATION.format(
            api=api, admin=admin, carrier=carrier, folder=folder, token=token, binds=binds,
            window=window, rate=rate,
        )
    )  # fmt: skip
    with (
        process(
            "gateway", "simulate", "--port", str(carrier), "--max-binds", "100", *simulator
        ) as smsc,
        process("gateway", "serve", "--config", str(configuration)) as running,
    ):
        wait_until_ready(admin)
        yield Gateway(running.pid, smsc.pid, f"127.0.0.1:{api}")
