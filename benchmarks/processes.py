"""The processes that are measured: the gateway and its carriers, each started as an operator would
start it, and what the system says of them.

Everything listens on loopback. The store is a file of its own in the folder that is given, with
``synchronous=FULL`` as always, unless another one is named.
"""

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

from msgspec import Struct

from tools.ports import free_port

STARTUP: Final = 120.0
"""Seconds that a process may take to be ready; ten million opt-outs are to take less than ten."""

SHUTDOWN: Final = 60.0
"""Seconds that a process may take to end before it is killed."""

HALF_WIDTH: Final = 6
"""Hours before and after now for which the quiet-hours rule finds the recipients' place open."""

_CONFIGURATION = """
[api]
listen = ["tcp://127.0.0.1:{api}"]
max_connections = 4096
[admin]
listen = "127.0.0.1:{admin}"
[queue]
{queue}
[log]
level = "warning"
[policy.quiet_hours]
open = "{hours}"
"""

_TENANT = """
[[tenants]]
id = "{name}"
token_sha256 = ["{token}"]
senders = ["{sender}"]
max_queued = 100000000
"""

_CARRIER = """
[[carriers]]
id = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "gateway"
password = "secret"
binds = {binds}
window = {window}
rate = {rate}
"""

_ROUTE = """
[[routes]]
match = {{ tenant = [{tenants}] }}
carriers = [{{ id = "{carrier}" }}]
"""


class Usage(NamedTuple):
    """What a process has used: CPU seconds (user and system) and resident memory in MB."""

    cpu: float
    resident: float


def usage(pid: int) -> Usage:
    """What the system says of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return Usage(cpu, resident)


@contextlib.contextmanager
def process(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command as a process of its own, ended with the block."""
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(SHUTDOWN)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def python(module: str, *arguments: str) -> Sequence[str]:
    """The command that runs a module."""
    return (sys.executable, "-m", module, *arguments)


def wait_for_port(port: int) -> None:
    """Wait until something listens on a port of loopback."""
    deadline = time.monotonic() + STARTUP
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after {STARTUP:g} s")


class Carrier(Struct, frozen=True, kw_only=True):
    """A simulated carrier and how the gateway uses it.

    Attributes:
        name: its id in the configuration.
        tenants: those whose messages go there; empty where it is the only carrier.
        binds, window, rate: as in ``[[carriers]]``.
        simulator: further arguments of ``gateway simulate``.
    """

    name: str = "alpha"
    tenants: tuple[int, ...] = ()
    binds: int = 4
    window: int = 500
    rate: float = 0
    simulator: tuple[str, ...] = ()


def tenant_name(number: int) -> str:
    return f"tenant-{number}"


def tenant_token(number: int) -> str:
    return f"token-{number}"


class Gateway:
    """A running gateway.

    Attributes:
        pid: its process.
        carriers: the processes of its carriers, by name; ``ports`` is where they listen.
        address: ``host:port`` of its API.
        start_seconds: how long it took from its start until it was ready.

    Args:
        ports: where its carriers listen, if they are others' too.
    """

    def __init__(
        self,
        folder: Path,
        tenants: int,
        carriers: Sequence[Carrier],
        queue: str = "",
        policy: str = "",
        tenant: str = "",
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self._policy, self._tenant = policy, tenant
        self.address = f"127.0.0.1:{free_port()}"
        self.pid = 0
        self.carriers: dict[str, int] = {}
        self.start_seconds = 0.0
        self.admin = free_port()
        self._folder = folder
        self._queue = queue or f'path = "{folder}/gateway.db"'
        self._tenants = tenants
        self.ports = ports or {carrier.name: free_port() for carrier in carriers}
        self.configure(carriers)

    @property
    def configuration(self) -> Path:
        return self._folder / "gateway.toml"

    def configure(self, carriers: Sequence[Carrier]) -> None:
        """Write the configuration."""
        tables = [
            _CONFIGURATION.format(
                api=self.address.rpartition(":")[2],
                admin=self.admin,
                queue=self._queue,
                hours=open_hours(time.time()),
            )
            + self._policy
        ]
        for number in range(self._tenants):
            token = hashlib.sha256(tenant_token(number).encode()).hexdigest()
            tables.append(
                _TENANT.format(name=tenant_name(number), token=token, sender=1069_0000 + number)
                + self._tenant
            )
        for carrier in carriers:
            port = self.ports[carrier.name]
            tables.append(
                _CARRIER.format(
                    name=carrier.name,
                    port=port,
                    binds=carrier.binds,
                    window=carrier.window,
                    rate=carrier.rate,
                )
            )
            if carrier.tenants:
                names = ", ".join(f'"{tenant_name(number)}"' for number in carrier.tenants)
                tables.append(_ROUTE.format(tenants=names, carrier=carrier.name))
        self.configuration.write_text("".join(tables))

    def reload(self, carriers: Sequence[Carrier]) -> None:
        """Have it use other settings of the same carriers."""
        self.configure(carriers)
        os.kill(self.pid, signal.SIGHUP)

    def usage(self) -> Usage:
        return usage(self.pid)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the series that have these labels."""
        with urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=30) as reply:
            text: str = reply.read().decode()
        series = re.findall(rf"^gateway_{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(value) for found, value in series if all(w in found for w in wanted))

    def wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until it takes submissions and a bind is up."""
        self.pid = process.pid
        started = time.monotonic()
        while time.monotonic() < started + STARTUP:
            with contextlib.suppress(OSError):
                urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=5).close()
                self.start_seconds = time.monotonic() - started
                return
            if process.poll() is not None:
                raise SystemExit("the gateway ended before it was ready")
            time.sleep(0.02)
        raise SystemExit(f"the gateway is not ready after {STARTUP:g} s")


@contextlib.contextmanager
def gateway(
    folder: Path,
    tenants: int = 1,
    carriers: Sequence[Carrier] = (Carrier(),),
    queue: str = "",
    policy: str = "",
    tenant: str = "",
) -> Iterator[Gateway]:
    """A gateway on the store in ``folder``, or one of which ``queue`` says where it is, as the
    configuration does, with simulated carriers; ``policy`` and ``tenant`` are what it has beside
    the usual, of all tenants and of each."""
    with contextlib.ExitStack() as stack:
        running = Gateway(folder, tenants, carriers, queue, policy, tenant)
        for carrier in carriers:
            pid = stack.enter_context(simulated(carrier, running.ports[carrier.name]))
            running.carriers[carrier.name] = pid
        stack.enter_context(serving(running))
        yield running


@contextlib.contextmanager
def simulated(carrier: Carrier, port: int) -> Iterator[int]:
    """A simulated carrier that listens on a port; gives its process."""
    command = python(
        "gateway", "simulate", "--port", str(port), "--max-binds", "100", *carrier.simulator
    )
    with process(*command) as running:
        wait_for_port(port)
        yield running.pid


@contextlib.contextmanager
def serving(configured: Gateway) -> Iterator["subprocess.Popen[bytes]"]:
    """A gateway that is configured, run until the block ends."""
    with process(*python("gateway", "serve", "--config", str(configured.configuration))) as running:
        configured.wait_until_ready(running)
        yield running


def open_hours(now: float) -> str:
    """Hours that are open in China now, and not always: so the rule has something to do."""
    local = time.gmtime(now + 8 * 3600)
    first, last = (local.tm_hour - HALF_WIDTH) % 24, (local.tm_hour + HALF_WIDTH) % 24
    if first < last:
        return f"{first:02}:00-{last:02}:00"
    evening = f"{first:02}:00-24:00"
    return f"00:00-{last:02}:00,{evening}" if last else evening
