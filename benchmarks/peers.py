"""The same job on what a user would pick instead, side by side in one run.

Kannel from Debian: HTTP ``sendsms`` in, driven by wrk; SMPP out to the same simulated carrier;
receipts by HTTP callback. With its spool store (a file for each message, never synced) and with no
store at all; its logs hold errors only. A rate is messages whose receipt has come back over the
time from the first request to the last callback. Where Kannel or wrk is not installed, only the
gateway is measured and a note says why.
"""

import re
import resource
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.request import urlopen

from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import PREFIX
from benchmarks.options import Options
from benchmarks.plots import bars
from benchmarks.processes import (
    gateway,
    process,
    python,
    usage,
    wait_for_port,
)
from benchmarks.results import Case, Findings, Result, Target, at_least, at_most, case
from benchmarks.runs import CARRIER, GATEWAY, LOAD, RATE, Sample, flood, scratch
from tools.ports import free_port

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PeersOptions(Options, frozen=True, kw_only=True):
    messages: Annotated[int, Meta(description="to the gateway, in each run")] = 200_000
    seconds: Annotated[int, Meta(description="for which wrk submits to Kannel")] = 8
    connections: Annotated[int, Meta(description="of wrk")] = 32
    window: Annotated[int, Meta(description="unanswered submit_sm")] = 500


NEEDED: Final = ("bearerbox", "smsbox", "wrk")
PATIENCE: Final = 120.0
"""Seconds without a callback after which what is missing is given up."""

BACK: Final = ("receipts back", "%")

Store = Literal["spool store", "no store"]
STORES: Final[dict[Store, str]] = {
    "spool store": 'store-type = spool\nstore-location = "{folder}/spool"\n',
    "no store": "",
}

_CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = secret
admin-interface = 127.0.0.1
smsbox-port = {smsbox}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
box-deny-ip = "*.*.*.*"
dlr-storage = internal
log-file = "{folder}/bearerbox.log"
log-level = 3
sms-incoming-queue-limit = -1
sms-outgoing-queue-limit = -1
{store}
group = smsc
smsc = smpp
smsc-id = alpha
host = 127.0.0.1
port = {carrier}
transceiver-mode = true
smsc-username = gateway
smsc-password = secret
system-type = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {smsbox}
sendsms-port = {http}
sendsms-interface = 127.0.0.1
log-file = "{folder}/smsbox.log"
log-level = 3

group = sendsms-user
username = shop
password = secret
max-messages = 10
concatenation = true
"""

_SCRIPT = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", string.format(
    "/cgi-bin/sendsms?username=shop&password=secret&from=10690000&to={prefix}%08d" ..
    "&text=Hi+Kim+%d,+our+sale+starts+Saturday+at+9:+20+%%25+off+with+code+%05d." ..
    "+Shop+24+-+STOP+ends&dlr-mask=3&dlr-url=http%%3A%%2F%%2F127.0.0.1%%3A{sink}%%2Freceipt",
    number, number % 977, number % 89989))
end
done = function(summary)
  io.write(string.format("taken %d\\n", summary.requests - summary.errors.status))
end
"""


def missing() -> str | None:
    """Why Kannel cannot be measured here, or None."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if not absent:
        return None
    return f"Kannel is skipped: {', '.join(absent)} not found; `apt-get install kannel wrk`"


def kannel(store: Store, options: PeersOptions, folder: Path) -> Sample:
    """One run of Kannel."""
    admin, smsbox, http, carrier, sink = (free_port() for _ in range(5))
    (folder / "spool").mkdir()
    configuration, script = folder / "kannel.conf", folder / "wrk.lua"
    configuration.write_text(
        _CONFIGURATION.format(
            admin=admin,
            smsbox=smsbox,
            http=http,
            carrier=carrier,
            folder=folder,
            store=STORES[store].format(folder=folder),
            window=options.window,
        )
    )
    script.write_text(_SCRIPT.format(prefix=PREFIX, sink=sink))
    with ExitStack() as stack:

        def start(*command: str, port: int) -> int:
            pid = stack.enter_context(process(*command)).pid
            wait_for_port(port)
            return pid

        simulator = start(*python("gateway", "simulate", "--port", str(carrier)), port=carrier)
        receipts = start(*python("benchmarks.sink", str(sink)), port=sink)
        boxes = (
            start("bearerbox", "-v", "4", str(configuration), port=smsbox),
            start("smsbox", "-v", "4", str(configuration), port=http),
        )
        time.sleep(SETTLE)
        before = {pid: usage(pid).cpu for pid in (*boxes, simulator, receipts)}
        started = time.monotonic()
        drove = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken = _drive(script, http, options)
        driven = resource.getrusage(resource.RUSAGE_CHILDREN)
        back, finished = _callbacks(sink, taken)
        spent = {pid: usage(pid).cpu - cpu for pid, cpu in before.items()}
    each = 1e6 / back
    return {
        RATE: back / (finished - started),
        GATEWAY: sum(spent[pid] for pid in boxes) * each,
        CARRIER: spent[simulator] * each,
        LOAD: (spent[receipts] + _cpu(driven) - _cpu(drove)) * each,
        BACK: back / taken * 100,
    }


SETTLE: Final = 2.0
"""Seconds for Kannel to bind at its carrier."""


def _drive(script: Path, port: int, options: PeersOptions) -> int:
    """Have wrk submit; returns how many messages Kannel took."""
    command = [
        "wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", str(script),
        f"http://127.0.0.1:{port}",
    ]  # fmt: skip
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"taken (\d+)", told)
    if found is None:
        raise SystemExit(f"wrk did not say how many: {told}")
    return int(found[1])


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def _callbacks(sink: int, wanted: int) -> tuple[int, float]:
    """Wait for the callbacks; how many came, and when the last one did."""
    count, at = 0, time.monotonic()
    while count < wanted and time.monotonic() < at + PATIENCE:
        with urlopen(f"http://127.0.0.1:{sink}/count", timeout=30) as reply:
            now = int(reply.read())
        if now > count:
            count, at = now, time.monotonic()
        time.sleep(0.05)
    if not count:
        raise SystemExit("no receipt came back through Kannel")
    return count, at


def own(options: PeersOptions, folder: Path) -> Sample:
    """One run of the gateway."""
    with gateway(folder) as running:
        sample, _ = flood(running, messages=options.messages)
    return {**{name: sample[name] for name in (RATE, GATEWAY, CARRIER, LOAD)}, BACK: 100.0}


OURS: Final = "gateway, synchronous=FULL"


def measure(options: PeersOptions, folder: Path, tell: Tell) -> Findings:
    reason = missing()
    samples: dict[str, list[Sample]] = {}
    for repeat in range(options.repeats):  # in turn, so that a change of the machine hits all
        tell(f"gateway, repeat {repeat + 1}")
        with scratch(folder) as empty:
            samples.setdefault(OURS, []).append(own(options, empty))
        for store in () if reason else STORES:
            tell(f"Kannel, {store}, repeat {repeat + 1}")
            with scratch(folder) as empty:
                samples.setdefault(f"Kannel, {store}", []).append(kannel(store, options, empty))
    cases = {name: case({"system": name}, runs) for name, runs in samples.items()}
    targets = [] if reason else _targets(cases)
    notes = (
        [reason]
        if reason
        else [_kannel_version(), "load CPU beside Kannel: wrk and the callbacks' sink"]
    )
    return Findings([*cases.values()], targets, notes=notes)


def _targets(cases: dict[str, Case]) -> list[Target]:
    def ratio(name: str, to: Store) -> float:
        theirs = cases[f"Kannel, {to}"].figures[name].median
        return cases[OURS].figures[name].median / theirs

    return [
        at_least("rate against Kannel, spool store, times", 15, ratio(RATE[0], "spool store")),
        at_least("rate against Kannel, no store, times", 6, ratio(RATE[0], "no store")),
        at_most("CPU against Kannel, spool store, %", 5, ratio(GATEWAY[0], "spool store") * 100),
    ]


def _kannel_version() -> str:
    told = subprocess.run(["bearerbox", "--version"], capture_output=True, text=True, check=False)
    return told.stdout.partition("\n")[0] or "Kannel"


def draw(result: Result, canvas: "Figure") -> None:
    """Rate and CPU, by system."""
    cases = result.findings.cases
    names = [str(one.settings["system"]).replace(", ", ",\n") for one in cases]
    for ax, (title, unit) in zip(canvas.subplots(1, 2), (RATE, GATEWAY), strict=True):
        bars(ax, names, [one.figures[title] for one in cases])
        ax.set(ylabel=unit, title=title.replace("gateway ", ""))


BENCHMARK = Benchmark(
    about="the same job on Kannel, with receipts",
    options=PeersOptions(),
    quick=PeersOptions(repeats=1, messages=50_000, seconds=3),
    measure=measure,
    draw=draw,
)
