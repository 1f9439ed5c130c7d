"""What the exit status of each command says, as docs/operations.md has it: 0 done, 1 tried and
failed or refused, 2 a mistake of whoever typed it or wrote the configuration."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import command, line_with

Run = Callable[..., Any]

ROWS = {
    "good.csv": "to,text\n+8613912345678,hi\n",
    "some-refused.csv": "to,text\n+8613912345678,hi\n12,hi\n",
    "wrong-column.csv": "to,txt\n+8613912345678,hi\n",
    "bad.toml": "[api]\nlisten = 7\n",
    "broken.toml": "[",
}


@pytest.mark.parametrize(
    ("line", "status"),
    [
        # the command line
        ("", 0),
        ("--help", 0),
        ("--version", 0),
        ("token", 0),
        ("bogus", 2),
        ("status x --bogus", 2),
        ("send", 2),
        ("optout bogus 1", 2),
        ("simulate --port 99999", 2),
        ("status x --address nowhere", 2),
        ("events --until-idle 0", 2),
        # configurations
        ("check --config {folder}/gateway.toml", 0),
        ("check --config {files}/bad.toml", 1),
        ("check --config {files}/broken.toml", 1),
        ("check --config {files}/absent.toml", 1),
        ("check", 2),
        ("serve --config {files}/bad.toml", 2),
        ("serve --config {files}/broken.toml", 2),
        ("serve --config {files}/absent.toml", 2),
        ("backup {files}/copy.db --config {folder}/gateway.toml", 0),
        ("backup {files}/good.csv --config {folder}/gateway.toml", 1),
        ("backup {files}/absent/copy.db --config {folder}/gateway.toml", 1),
        ("backup {files}/copy.db --config {files}/broken.toml", 2),
        ("backup {files}/copy.db", 2),
        # messages
        ("send {files}/good.csv", 0),
        ("send {files}/some-refused.csv", 1),
        ("send {files}/absent.csv", 1),
        ("send {files}/wrong-column.csv", 2),
        ("send --to 12 --text x", 1),
        ("quote {files}/good.csv", 0),
        ("quote {files}/some-refused.csv", 1),
        # questions
        ("status nope", 1),
        ("status", 2),
        ("cancel nope", 1),
        ("cancel --campaign nope", 1),
        ("optout check +8613912345678", 0),
        ("optout check 12", 1),
        ("consumers list", 0),
        ("consumers delete nope", 1),
        ("events --until-idle 0.2", 0),
        # nobody there, or nobody who knows us
        ("status x --address unix://{files}/nobody.sock", 1),
        ("send {files}/good.csv --address unix://{files}/nobody.sock", 1),
        ("events --address unix://{files}/nobody.sock", 1),
        ("status x --token wrong", 1),
        ("events --token wrong", 1),
        ("send {files}/good.csv --token wrong", 1),
    ],
)
def test_of_a_command(shop: Run, folder: Path, tmp_path: Path, line: str, status: int) -> None:
    for name, text in ROWS.items():
        (tmp_path / name).write_text(text)
    ended = shop(*line.format(folder=folder, files=tmp_path).split())
    assert ended.status == status, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("what", ["api", "admin", "store"])
def test_of_a_server_that_cannot_have_what_it_needs(
    run: Run, folder: Path, tmp_path: Path, what: str
) -> None:
    text = (folder / "gateway.toml").read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        if what != "store":  # which the gateway of these tests has open
            text = text.replace(f'path = "{folder}', f'path = "{tmp_path}')
        listen = f"tcp://{address}" if what == "api" else f"unix://{tmp_path}/api.sock"
        text = text.replace(f"unix://{folder}/api.sock", listen)
        if what == "admin":
            text = text.replace("127.0.0.1:0", address)
        (tmp_path / "gateway.toml").write_text(text)
        with command("serve", f"--config={tmp_path}/gateway.toml") as process:
            out, _ = process.communicate(timeout=180)
    assert process.returncode == 1, out
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("arguments", "first", "number", "status"),
    [
        (["simulate", "--port=0"], "listening", signal.SIGTERM, 0),
        (["simulate", "--port=0"], "listening", signal.SIGINT, 0),
        (["serve"], '"serving"', signal.SIGTERM, 0),
        (["serve"], '"serving"', signal.SIGINT, 0),
        (["events"], '"type"', signal.SIGINT, 130),
        (["events"], '"type"', signal.SIGTERM, -signal.SIGTERM),  # 143 to a shell
    ],
)
def test_of_one_that_is_told_to_end(
    shop: Run, folder: Path, tmp_path: Path,
    arguments: list[str], first: str, number: signal.Signals, status: int,
) -> None:  # fmt: skip
    if arguments == ["serve"]:
        text = (folder / "gateway.toml").read_text().replace(str(folder), str(tmp_path))
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", text)
        (tmp_path / "gateway.toml").write_text(text)
        arguments = ["serve", f"--config={tmp_path}/gateway.toml"]
    if arguments == ["events"]:
        assert shop("send", "--to", "+8613912345678", "--text", "hi").status == 0
        arguments = ["events", "--from=start", f"--consumer=status-{number}"]
    running = [sys.executable, "-m", "gateway", *arguments]
    with subprocess.Popen(
        running, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert first in line_with(process, first)
        process.send_signal(number)
        out, _ = process.communicate(timeout=180)
    assert process.returncode == status, out
    assert "Traceback" not in out
