"""A gateway and a carrier that run, as processes, and the commands run against them in ours."""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.cli import main
from tools.ports import free_port

TOKEN = "open sesame"
KIOSK = "-a token that looks like an option"

CONFIGURATION = """\
[api]
listen = ["unix://{folder}/api.sock"]
[admin]
listen = "127.0.0.1:{admin}"
tokens = [
    {{ name = "ann", role = "admin", token_sha256 = "{ann_sha256}" }},
    {{ name = "vic", role = "viewer", token_sha256 = "{vic_sha256}" }},
]
[queue]
path = "{folder}/gateway.db"
[[tenants]]
id = "shop"
token_sha256 = ["{token_sha256}"]
senders = ["10690001"]
category = "transactional"
[[tenants]]
id = "kiosk"
token_sha256 = ["{kiosk_sha256}"]
senders = ["10690002"]
category = "transactional"
max_queued = 100
[[carriers]]
id = "alpha"
host = "127.0.0.1"
port = {port}
system_id = "shop"
password = "secret"
"""


class Ended(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ended]


@contextmanager
def command(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command as a process of its own; its stdout and stderr are one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: "subprocess.Popen[str]", word: str) -> str:
    """The next line that a process prints with ``word`` in it."""
    assert process.stdout is not None
    return next(line for line in process.stdout if word in line)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a Unix socket, with a gateway and its carrier running
    in it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        carrier = stack.enter_context(command("simulate", "--port=0", "--account=shop=secret"))
        port = line_with(carrier, "listening on").strip().rpartition(":")[2]
        token_sha256 = hashlib.sha256(TOKEN.encode()).hexdigest()
        configuration = folder / "gateway.toml"
        kiosk_sha256 = hashlib.sha256(KIOSK.encode()).hexdigest()
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                port=port,
                token_sha256=token_sha256,
                kiosk_sha256=kiosk_sha256,
                admin=free_port(),
                ann_sha256=hashlib.sha256(b"ann").hexdigest(),
                vic_sha256=hashlib.sha256(b"vic").hexdigest(),
            )
        )
        gateway = stack.enter_context(command("serve", f"--config={configuration}"))
        line_with(gateway, '"serving"')
        yield folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command."""

    def run(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def kiosk(shop: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as a tenant that may have few messages waiting."""
    monkeypatch.setenv("GATEWAY_TOKEN", KIOSK)
    return shop


@pytest.fixture
def shop(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as the tenant of the running gateway."""
    monkeypatch.setenv("GATEWAY_ADDRESS", f"unix://{folder}/api.sock")
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)
    return run


@pytest.fixture
def ann(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as an operator, who has no tenant's token."""
    monkeypatch.setenv("GATEWAY_ADMIN_TOKEN", "ann")

    def asked(*arguments: str) -> Ended:
        return run(*arguments, f"--config={folder}/gateway.toml")

    return asked
