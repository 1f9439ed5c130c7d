"""The longest turn of the event loop while a tenant sends the largest batches that it may: what
everybody else has to wait for at worst.

The gateway runs in this process, where its loop can be watched, and the client in one of its own.
"""

import gc
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgpack
import trio
from msgspec import Meta

from benchmarks.benchmark import Benchmark, Tell
from benchmarks.load import PREFIX
from benchmarks.options import Options
from benchmarks.processes import Carrier, Gateway, python, tenant_token
from benchmarks.results import Findings, Result, at_most, case
from benchmarks.runs import Sample, scratch
from gateway.api.listen import listen
from gateway.api.server import Server
from gateway.app import COLLECT
from gateway.config import load
from gateway.dispatch.core import Dispatch
from gateway.ops import logs
from gateway.ops.metrics import Metrics
from gateway.queue.sqlite import SqliteStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMIT: Final = 50.0
"""Milliseconds that no batch may hold the loop up for."""

TURN: Final = ("longest turn", "ms")
CPU: Final = ("CPU of the longest", "ms")

YEAR: Final = 350 * 86_400.0


class TurnsOptions(Options, frozen=True, kw_only=True):
    batch: Annotated[int, Meta(description="messages in a request", ge=1, le=10_000)] = 10_000


class Turns(trio.abc.Instrument):
    """Keeps the longest turn that a task had, in milliseconds: by the clock, and of the thread's
    CPU time alone, which other programs on the machine do not lengthen."""

    def __init__(self) -> None:
        self.longest = {TURN: 0.0, CPU: 0.0}
        self._began = time.perf_counter(), time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.perf_counter(), time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        began, cpu = self._began
        longest = self.longest
        longest[TURN] = max(longest[TURN], (time.perf_counter() - began) * 1e3)
        longest[CPU] = max(longest[CPU], (time.thread_time() - cpu) * 1e3)


def requests(size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests by what they are; each finds what those before it have left."""
    chance = random.Random(0)
    numbers = range(size)
    now = time.time()
    recipients = [f"+{PREFIX}{n:08}" for n in numbers]
    keyed = [{"to": to, "text": "x" * 700, "key": f"k{n}"} for n, to in enumerate(recipients)]
    short = [{"to": to, "text": f"No. {n}"} for n, to in enumerate(recipients)]
    common = {"text": "测试短信" * 60, "campaign": "spring", "category": "marketing"}
    abroad = ["+79161{:06}", "+180055{:05}", "+34612{:06}", "+5511912{:06}", "+6281234{:05}"]
    year = [
        {"to": form.format(n), "text": "x", "send_at": now + chance.uniform(0, YEAR)}
        for n, form in ((n, chance.choice(abroad)) for n in numbers)
    ]
    yield "submit, short texts", {"op": "submit", "messages": short}
    yield "submit, long texts with keys", {"op": "submit", "messages": keyed}
    yield "submit, the same again", {"op": "submit", "messages": keyed}
    conflicts = [{**one, "text": "y"} for one in keyed]
    yield "submit, other texts under these keys", {"op": "submit", "messages": conflicts}
    bare = [{"to": to} for to in recipients]
    yield "submit, defaults", {"op": "submit", "messages": bare, "defaults": common}
    wrong = [{**one, "to": "+12"} for one in short]
    yield "submit, all refused", {"op": "submit", "messages": wrong}
    mistaken = [*keyed[1:], {"to": 1}]
    yield "submit, a mistake at the end", {"op": "submit", "messages": mistaken}
    yield "quote, a year of times", {"op": "quote", "messages": year}
    yield "quote, the same again", {"op": "quote", "messages": year}
    yield "status", {"op": "status", "keys": [one["key"] for one in keyed]}
    yield "cancel, keys", {"op": "cancel", "keys": [one["key"] for one in keyed]}
    yield "cancel, a campaign", {"op": "cancel", "campaign": "spring"}
    yield "opt-outs", {"op": "optout", "action": "add", "numbers": recipients}
    nonsense = ["1"] * size
    yield "opt-outs that are no numbers", {"op": "optout", "action": "check", "numbers": nonsense}


def main() -> None:
    """The client: a request at a time, its name once it is answered, and a line to go on."""
    address, size = sys.argv[1:]
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        file = connection.makefile("rb")

        def ask(**request: Any) -> None:
            body = msgpack.packb({"id": 1, **request})
            connection.sendall(len(body).to_bytes(4) + body)
            file.read(int.from_bytes(file.read(4)))

        ask(op="hello", token=tenant_token(0))
        for name, request in requests(int(size)):
            sys.stdin.readline()
            ask(**request)
            print(name, flush=True)


@contextmanager
def client(address: str, size: int) -> Iterator[Callable[[], str]]:
    """A client that makes its next request when it is called for, and tells which it was."""
    command = python("benchmarks.turns", address, str(size))
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        orders, answers = running.stdin, running.stdout

        def proceed() -> str:
            orders.write("\n")
            orders.flush()
            return answers.readline().strip()

        yield proceed


async def watch(folder: Path, size: int) -> dict[str, Sample]:
    """The longest turn, by request."""
    there = Gateway(folder, 1, [Carrier()])
    settings = load(there.configuration, {})
    logs.configure("error")
    store = SqliteStore(settings.queue.path)
    dispatch = Dispatch(store, Metrics(), time.time)
    dispatch.recover(await store.open())
    found: dict[str, Sample] = {}
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(dispatch.run)
            dispatch.configure(settings.dispatch)
            server = Server(dispatch.service, settings.api.limits)
            await nursery.start(server.run, await listen(settings.api.listen))
            gc.freeze()
            gc.set_threshold(*COLLECT)
            with client(there.address, size) as proceed:
                for _ in requests(1):
                    turns = Turns()
                    trio.lowlevel.add_instrument(turns)
                    name = await trio.to_thread.run_sync(proceed)
                    trio.lowlevel.remove_instrument(turns)
                    found[name] = turns.longest
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()
    return found


def measure(options: TurnsOptions, folder: Path, tell: Tell) -> Findings:
    samples: dict[str, list[Sample]] = {}
    for repeat in range(options.repeats):
        tell(f"run {repeat + 1}")
        with scratch(folder) as empty:
            for name, longest in trio.run(watch, empty, options.batch).items():
                samples.setdefault(name, []).append(longest)
    cases = [
        case({"request": name, "batch": options.batch}, found) for name, found in samples.items()
    ]
    worst = max(one.figures[CPU[0]].median for one in cases)
    return Findings(cases, targets=[at_most("the longest turn of any, ms of CPU", LIMIT, worst)])


def draw(result: Result, canvas: "Figure") -> None:
    """Milliseconds, by request."""
    ax = canvas.subplots()
    cases = result.findings.cases[::-1]
    found = [one.figures[CPU[0]] for one in cases]
    ax.barh([str(one.settings["request"]) for one in cases], [one.median for one in found])
    ax.axvline(LIMIT, linestyle="--")
    ax.set(xlabel="longest turn of the event loop, ms of CPU")
    ax.grid(axis="x", alpha=0.4)


BENCHMARK = Benchmark(
    about="the longest turn of the event loop while the largest batches come, ms",
    options=TurnsOptions(),
    quick=TurnsOptions(repeats=1),
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    main()
