"""Real processes, started as an operator would start them, and a client that knows docs/api.md
and nothing of the gateway's code."""

import contextlib
import functools
import gc
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

import msgpack
import pytest
from hypothesis import HealthCheck, settings

from tests.holding import check_process, leased_in
from tests.servers import Postgres, cluster
from tests.workers import pytest_collection_modifyitems, pytest_xdist_auto_num_workers
from tests.zygote import Forked, Zygote
from tools.ports import free_port

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_auto_num_workers"]

# The same examples in every run, and as long as a busy machine takes for them.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session."""
    with cluster() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """An empty database of that server."""
    name = postgres.database()
    yield name
    postgres.drop(name)


# --- skips ---

UNEXPECTED = pytest.StashKey[list[str]]()
"""The tests that were skipped for no reason that ``--may-skip`` gives."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--may-skip",
        action="append",
        metavar="REASON",
        help="a regular expression for why a test may be skipped; can be given several times, "
        "and fails the run where a test is skipped for any other reason",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts a program in the background has it ignore SIGINT, and what that starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[UNEXPECTED] = []
    if config.getoption("--may-skip") is not None:
        config.pluginmanager.register(Skips(config), "skips")


def pytest_unconfigure() -> None:
    if zygote.cache_info().currsize:
        zygote().close()


class Skips:
    """Lets no test be passed over in silence: what is never run guards nothing."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._expected = [re.compile(reason) for reason in config.getoption("--may-skip")]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            told = report.longrepr
            reason = told[2] if isinstance(told, tuple) else str(told)
            if not any(expected.search(reason) for expected in self._expected):
                self._config.stash[UNEXPECTED].append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._config.stash[UNEXPECTED] and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for each in self._config.stash[UNEXPECTED]:
            terminalreporter.write_line(f"SKIPPED UNEXPECTEDLY {each}", red=True)


# --- processes ---

TOKEN = "correct horse battery staple"
PATIENCE = 180.0
"""Seconds after which something that does not happen is a failure, on a busy machine too."""

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
numbers = ["10690001", "123"]
category = "transactional"
"""

CARRIER = """
[[carriers]]
id = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "shop"
password = "secret"
binds = {binds}
window = 100
bind = "{bind}"
"""


GATEWAY: Final = (sys.executable, "-m", "gateway")

zygote = functools.cache(Zygote)
"""What has imported the gateway, once in a process of tests."""

_forking = threading.Lock()
"""Some tests start gateways in several threads; `functools.cache` would make one for each."""


class Process:
    """A command, with its output in a file; it ends with the site at the latest. One of the gateway
    is forked from what has imported it: that takes a second each, and there are hundreds."""

    def __init__(self, output: Path, command: Sequence[str]) -> None:
        self.output = output
        self._process: subprocess.Popen[bytes] | Forked
        with output.open("ab") as file:
            if tuple(command[: len(GATEWAY)]) == GATEWAY:
                arguments = command[len(GATEWAY) :]
                with _forking:
                    self._process = zygote().start(arguments, file, output.parent, NO_COLOR="1")
            else:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    cwd=output.parent,
                    env={**os.environ, "NO_COLOR": "1"},
                )

    @property
    def pid(self) -> int:
        return self._process.pid

    def text(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="replace")

    def wait_for(self, pattern: str, times: int = 1) -> None:
        """Wait until the output shows ``pattern`` so many times."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            running = self.running
            if len(re.findall(pattern, self.text())) >= times:
                return
            if not running:
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        raise AssertionError(f"no {pattern!r} in:\n{self.text()}")

    def tell(self, fact: dict[str, Any]) -> None:
        """Write a line of JSON to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fact).encode() + b"\n")
        self._process.stdin.flush()

    def told(self, kind: str, count: int = 0) -> list[dict[str, Any]]:
        """The lines of JSON in its output whose ``type`` is ``kind``, once there are ``count``."""
        self.wait_for(f'"type":"{kind}"', count)
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("type") == kind]

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def terminate(self) -> int:
        """End it in order; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def end_input(self) -> None:
        """Close its input."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def wait(self) -> int:
        """Wait until it has ended; returns the exit status."""
        status = self._process.wait(PATIENCE)
        self.end_input()
        return status

    @property
    def running(self) -> bool:
        return self._process.poll() is None


class Client:
    """A campaign system written from docs/api.md with msgpack and a socket."""

    def __init__(self, port: int, token: str, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._id = 0
        try:
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname="127.0.0.1")
            self.tenant = self.ask("hello", token=token)["tenant"]
        except BaseException:
            self._socket.close()
            raise

    def send(self, op: str, **fields: Any) -> int:
        """Send a request; returns its id."""
        self._id += 1
        body = msgpack.packb({"op": op, "id": self._id, **fields})
        self._socket.sendall(len(body).to_bytes(4, "big") + body)
        return self._id

    def receive(self) -> dict[str, Any]:
        """The next frame: a reply or events."""
        length = int.from_bytes(self._exactly(4), "big")
        frame: dict[str, Any] = msgpack.unpackb(self._exactly(length))
        return frame

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for its reply, which must be a good one."""
        number = self.send(op, **fields)
        reply = self.receive()
        assert reply.get("id") == number, reply
        assert reply["ok"], reply
        return reply

    def events(self, until: int, but: str = "") -> list[dict[str, Any]]:
        """Subscribe and read from the start until there are ``until`` events, not counting those
        of the type ``but``."""
        events: list[dict[str, Any]] = []
        self.ask("subscribe", consumer="reader", **{"from": "start"})
        while len(events) < until:
            found = self.receive().get("events", [])
            events += [event for event in found if event["type"] != but]
        return events

    def wait_for_state(self, message_id: str, state: str) -> None:
        """Wait until a message has come so far."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.ask("status", ids=[message_id])["messages"][0]["state"]) != state:
            assert time.monotonic() < deadline, f"{found}, not {state}"

    def interrupt(self) -> None:
        """Wake whoever waits for a frame: there will be none."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("closed by the gateway")
            data += piece
        return data


class Site:
    """A gateway and its carriers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api, self.admin = self.free_port(), self.free_port()
        self.leased: Callable[[], int | None] = lambda: leased_in(folder / "gateway.db")
        self.tls: ssl.SSLContext | None = None
        self._processes: list[Process] = []
        self._clients: list[Client] = []
        self._configuration = CONFIGURATION.format(
            api=self.api,
            admin=self.admin,
            folder=folder,
            token=hashlib.sha256(TOKEN.encode()).hexdigest(),
        )

    @staticmethod
    def free_port() -> int:
        """A port on which nobody listens."""
        return free_port()

    def start(self, name: str, *command: str) -> Process:
        """Start a command in the folder; what it writes is in ``name``.log."""
        process = Process(self.folder / f"{name}.log", command)
        self._processes.append(process)
        return process

    def simulator(self, name: str, port: int, *options: str) -> tuple[Process, Path]:
        """Start a simulated carrier; returns it and the file with its record."""
        record = self.folder / f"{name}.jsonl"
        arguments = ["--port", str(port), "--account", "shop=secret", "--record", str(record)]
        process = self.command(name, "simulate", *arguments, *options)
        process.wait_for(f":{port}")
        return process, record

    def account(self, name: str, port: int, *, binds: int = 2, bind: str = "transceiver") -> None:
        """Have the gateway use the carrier that listens there."""
        self._configuration += CARRIER.format(name=name, port=port, binds=binds, bind=bind)

    def carrier(self, name: str, *options: str) -> Path:
        """Start a simulated carrier that the gateway uses; returns the file with its record."""
        port = self.free_port()
        _, record = self.simulator(name, port, *options)
        self.account(name, port)
        return record

    def change(self, old: str, new: str) -> None:
        """Have the configuration say something else."""
        assert old in self._configuration
        self._configuration = self._configuration.replace(old, new)

    def use_postgres(self, server: Postgres, database: str) -> None:
        """Have the gateway keep what it knows in a database, as node ``a``."""

        def leased() -> int:
            [[count]] = server.ask(database, "SELECT count(*) FROM message WHERE state = 1")
            return int(count)

        self.change(
            f'path = "{self.folder}/gateway.db"',
            f'backend = "postgresql"\ndsn = "{server.dsn(database)}"\nnode = "a"',
        )
        self.leased = leased

    def configure(self, more: str = "") -> str:
        """Write the configuration, with ``more`` at its end; returns the path."""
        configuration = self.folder / "gateway.toml"
        configuration.write_text(self._configuration + more)
        return str(configuration)

    def gateway(self, more: str = "") -> Process:
        """Start the gateway; it takes messages when this returns."""
        output = self.folder / "gateway.log"
        served = output.read_text().count('"serving"') if output.exists() else 0
        process = self.command("gateway", "serve", "--config", self.configure(more))
        process.wait_for('"serving"', served + 1)
        return process

    def failing_gateway(self) -> Process:
        """Start a gateway that ends by itself, with an error."""
        process = self.command("failing", "serve", "--config", self.configure())
        assert process.wait() != 0
        return process

    def client(self, token: str = TOKEN) -> Client:
        """Connect, as the tenant ``shop`` unless another token is given."""
        client = Client(self.api, token, self.tls)
        self._clients.append(client)
        return client

    def running(self) -> list[Process]:
        """What runs."""
        return [process for process in self._processes if process.running]

    def ports(self) -> tuple[int, int]:
        """Where the configuration has the gateway listen, for tenants and for operators."""
        api, admin, *_ = re.findall(r"127\.0\.0\.1:(\d+)", self._configuration)
        return int(api), int(admin)

    def stop_carriers(self) -> None:
        """End what runs in order, so that the carriers' records are complete."""
        for process in self._processes:
            if process.running:
                process.terminate()

    def check_places(self) -> None:
        """The gateway holds what its store says that it has leased; it has never misplaced any."""
        output = self.folder / "gateway.log"
        if output.exists():
            text = output.read_text(errors="replace")
            check_process(self.admin, self.leased, text)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for process in self._processes:
            process.kill()

    def command(self, name: str, *arguments: str) -> Process:
        return self.start(name, sys.executable, "-m", "gateway", *arguments)


STORES = ("sqlite", "postgresql")

LONG = bool(os.environ.get("SOAK"))
"""Whether the long form of each test is wanted (`make soak`)."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what is tried with whole gateways be tried on every store: of that which is not about a
    file, some in every run (``both_stores``), all of it in the long form. What asks for a
    ``postgres`` brings its own."""
    marked, asked = metafunc.definition.get_closest_marker, metafunc.fixturenames
    if "site" not in asked or "postgres" in asked or marked("own_store"):
        return
    whole = metafunc.definition.path.parent.name in ("endtoend", "faults")
    if marked("both_stores") or (LONG and whole):
        metafunc.parametrize("site", STORES, indirect=True)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A folder with free ports for a gateway and its carriers."""
    found = Site(tmp_path)
    if getattr(request, "param", "sqlite") == "postgresql":
        server, database = request.getfixturevalue("postgres"), request.getfixturevalue("database")
        found.use_postgres(server, database)
    try:
        yield found
        found.check_places()
    finally:
        found.close()


@pytest.fixture(scope="session")
def weigh() -> Callable[[object], int]:
    """Weighs an object: about how many bytes it holds, with all that hangs on it but for code. What
    grows without end shows, whatever it is kept in."""

    def weigh(root: object) -> int:
        seen: set[int] = set()
        waiting, total = [root], 0
        while waiting:
            one = waiting.pop()
            if id(one) in seen or isinstance(one, ModuleType | FunctionType | type):
                continue
            seen.add(id(one))
            total += sys.getsizeof(one)
            waiting += gc.get_referents(one)
        return total

    return weigh


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """Real texts, half of them English and half Chinese: thousands where they are at hand, hundreds
    everywhere. ``tests/data/README.md`` tells whose they are."""
    whole = Path(__file__).parents[2] / "shared" / "data" / "sms_texts.jsonl"
    path = whole if whole.exists() else Path(__file__).parent / "data" / "sms_texts_sample.jsonl"
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]
