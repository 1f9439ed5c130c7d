"""The processes of the demo: two simulated carriers and the gateway, each as an operator would
start it, on free ports and in a folder of their own. Whatever happens, none is left behind."""

import hashlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

START_UP: Final = 30.0
"""Seconds that a process may take to start, on a machine that has other things to do."""

SHUT_DOWN: Final = 30.0
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
    "--inbound-rate=4",
)
"""Quick and full of faults: it is told to take 1,500 parts a second, and tells nobody."""

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
window = 100
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
        records: what each carrier took, see `gateway.smpp.simulator.record`.
    """

    address: str
    token: str
    admin: str
    records: Sequence[Path]


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
            carrier = stack.enter_context(_process(folder, name, "simulate", "--port=0", f"--record={folder}/{name}.jsonl", "--account=harbour=secret", f"--inbound-to={sender}", f"--system-id={name}", *habits))
            ports[name] = carrier.listening()
        ...
