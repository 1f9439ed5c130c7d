"""The processes of the demo: two simulated carriers and the gateway, each as an operator would
start it, on free ports and in a folder of their own. Whatever happens, none is left behind."""

import hashlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

from tools.ports import free_port

START_UP: Final = 60.0
"""Seconds that a process may take to start, on a machine that has other things to do."""

SHUT_DOWN: Final = 60.0
"""Seconds that a process may take to end: the gateway's own deadlines, and some."""

ALPHA: Final = (
    "--rate=1500",
    "--latency=0.02",
    "--latency-jitter=0.03",
    "--error=ESME_RSYSERR=0.01",
    "--error=ESME_RINVDSTADR=0.004",
    "--receipt-ids=hex_dec",
    "--receipt-delay=0.3",
    "--receipt-jitter=0.7",
    "--receipt-state=UNDELIV=0.02",
    "--receipt-state=EXPIRED=0.005",
    "--early-receipts=0.05",
    "--drop=0.0002",
    "--inbound-rate=20",
)
"""Quick and full of faults. Its limit of 1,500 parts a second is for the gateway to find out, and
now and then it drops a connection."""

BETA: Final = ("--latency=0.08", "--latency-jitter=0.04", "--receipt-delay=1", "--receipt-form=tlv")
"""Clean and slow."""

CONFIGURATION: Final = """\
[api]
listen = ["{address}"]
[admin]
listen = "{admin}"
[queue]
path = "{folder}/gateway.db"

[[tenants]]
id = "harbour"
name = "Harbour & Vale"
token_sha256 = ["{token_sha256}"]
senders = ["{sender}"]

# Open around the clock, so that the demo shows the same at any hour; but for one country, where it
# is night now.
[policy.quiet_hours]
open = "00:00-24:00"
[policy.quiet_hours.regions.{region}]
open = "08:00-20:00"

[[carriers]]
id = "alpha"
host = "127.0.0.1"
port = {alpha}
system_id = "harbour"
password = "secret"
binds = 2
window = 40
# It says ESME_RSYSERR of one part in a hundred and means none of it.
statuses = {{ ESME_RSYSERR = {{ do = "wait", delay = 1, tries = 3 }} }}

[[carriers]]
id = "beta"
host = "127.0.0.1"
port = {beta}
system_id = "harbour"
password = "secret"
binds = 2
window = 32
"""


class Stage(NamedTuple):
    """What runs, and where.

    Attributes:
        address, token: for tenants.
        admin: the URL of metrics and probes.
        records: what each carrier took, by its id; see `gateway.smpp.simulator.record`.
    """

    address: str
    token: str
    admin: str
    records: Mapping[str, Path]


class StageError(Exception):
    """A process did not start."""


@contextmanager
def stage(sender: str, region: str) -> Iterator[Stage]:
    """Everything running and ready. ``sender`` is the tenant's, ``region`` has its night.

    Raises:
        StageError: something does not start; its last words are in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ports = {}
        for name, habits in (("alpha", ALPHA), ("beta", BETA)):
            options = (
                f"--record={folder / name}.jsonl",
                f"--inbound-to={sender}",
                "--port=0",
                "--account=harbour=secret",
                f"--system-id={name}",
            )
            carrier = stack.enter_context(process(folder, name, "simulate", *options, *habits))
            ports[name] = listening(folder, name, carrier)
        token = secrets.token_urlsafe(32)
        address, admin = f"tcp://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        configuration = CONFIGURATION.format(
            address=address,
            admin=admin,
            folder=folder,
            token_sha256=hashlib.sha256(token.encode()).hexdigest(),
            sender=sender,
            region=region,
            **ports,
        )
        file = folder / "gateway.toml"
        file.write_text(configuration)
        gateway = stack.enter_context(process(folder, "gateway", "serve", f"--config={file}"))
        wait_until_ready(folder, "gateway", gateway, f"http://{admin}/readyz")
        records = {name: folder / f"{name}.jsonl" for name in ports}
        yield Stage(address, token, f"http://{admin}", records)


@contextmanager
def process(folder: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command of the gateway: told to stop in the end, killed where anything goes wrong."""
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C is for us alone: the gateway is to stop before its carriers do.
            process_group=0,
        )
    with process:
        try:
            yield process
            process.terminate()
            process.wait(SHUT_DOWN)
        finally:
            process.kill()


def listening(folder: Path, name: str, carrier: subprocess.Popen[str]) -> int:
    """The port that a simulated carrier says that it listens on."""
    line = carrier.stdout.readline() if carrier.stdout is not None else ""
    _, _, port = line.strip().rpartition(":")
    if not port:
        raise _failure(folder, name)
    return int(port)


def wait_until_ready(folder: Path, name: str, gateway: subprocess.Popen[str], url: str) -> None:
    """Wait until a gateway says that it serves. Raises StageError."""
    deadline = time.monotonic() + START_UP
    while gateway.poll() is None and time.monotonic() < deadline:
        try:
            urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise _failure(folder, name)


def _failure(folder: Path, name: str) -> StageError:
    last = (folder / f"{name}.log").read_text().splitlines()[-5:]
    return StageError("\n".join([f"{name} did not start; the end of its log:", *last]))
