"""Real processes, started as an operator would start them, and a client that knows docs/api.md
and nothing of the gateway's code."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

TOKEN = "correct horse battery staple"
PATIENCE = 60.0
"""Seconds after which something that does not happen is a failure."""

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
category = "transactional"
"""

CARRIER = """
[[carriers]]
id = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "shop"
password = "secret"
binds = 2
window = 100
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A command of the gateway, with its output in a file."""

    def __init__(self, output: Path, *arguments: str) -> None:
        self.output = output
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "NO_COLOR": "1"},
            )

    def wait_for(self, pattern: str, times: int = 1) -> None:
        """Wait until the output shows ``pattern`` so many times."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if len(re.findall(pattern, self.output.read_text())) >= times:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                break
        raise AssertionError(f"no {pattern!r} in:\n{self.output.read_text()}")

    def wait(self) -> int:
        """Wait for it to end; returns the exit status."""
        return self._process.wait(PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """End it in order; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    @property
    def running(self) -> bool:
        return self._process.poll() is None


class Client:
    """A campaign system written from docs/api.md with msgpack and a socket."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._id = 0
        self.tenant = self.ask("hello", token=token)["tenant"]

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
    """A gateway and its simulated carriers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api, self.admin = free_port(), free_port()
        self._processes: list[Process] = []
        self._clients: list[Client] = []
        self._configuration = CONFIGURATION.format(
            api=self.api,
            admin=self.admin,
            folder=folder,
            token=hashlib.sha256(TOKEN.encode()).hexdigest(),
        )

    def carrier(self, name: str, *options: str) -> Path:
        """Start a simulated carrier; returns the file with its record."""
        port = free_port()
        record = self.folder / f"{name}.jsonl"
        arguments = ["--port", str(port), "--account", "shop=secret", "--record", str(record)]
        process = Process(self.folder / f"{name}.log", "simulate", *arguments, *options)
        self._processes.append(process)
        process.wait_for(str(port))
        self.configure_carrier(name, port)
        return record

    def configure_carrier(self, name: str, port: int) -> None:
        """Have the gateway use a carrier."""
        self._configuration += CARRIER.format(name=name, port=port)

    def reconfigure(self, more: str = "") -> str:
        """Write the configuration, with something at its end; returns the path."""
        configuration = self.folder / "gateway.toml"
        configuration.write_text(self._configuration + more)
        return str(configuration)

    def gateway(self) -> Process:
        """Start the gateway; it takes messages when this returns."""
        output = self.folder / "gateway.log"
        served = output.read_text().count('"serving"') if output.exists() else 0
        process = Process(output, "serve", "--config", self.reconfigure())
        self._processes.append(process)
        process.wait_for('"serving"', served + 1)
        return process

    def failing_gateway(self) -> Process:
        """Start a gateway that ends with an error by itself."""
        process = Process(self.folder / "failing.log", "serve", "--config", self.reconfigure())
        self._processes.append(process)
        assert process.wait() not in (0, None)
        return process

    def client(self, token: str = TOKEN) -> Client:
        """Connect, as the tenant ``shop`` unless another token is given."""
        self._clients.append(Client(self.api, token))
        return self._clients[-1]

    def stop_carriers(self) -> None:
        """End the carriers in order, so that their records are complete."""
        for process in self._processes:
            if process.running:
                process.terminate()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for process in self._processes:
            if process.running:
                process.kill()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A folder with free ports for a gateway and its carriers."""
    found = Site(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """The real texts of the corpus, where it is at hand."""
    path = Path(__file__).parents[3] / "shared" / "data" / "sms_texts.jsonl"
    if not path.exists():
        pytest.skip(f"no corpus at {path}")
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]
