"""Real processes: simulated carriers and a gateway, started as an operator would start them."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.request import urlopen

import pytest

TOKEN = "correct-horse"
TOKEN_SHA256 = "5a5b0f7b6c5d4c0d8f6d9b4f5f5d0c0a"

STARTUP = 20.0
"""Seconds that a process may take to be ready."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A command of the gateway, with its output in a file."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.output = folder / f"{name}.log"
        self._file: IO[bytes] = self.output.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_COLOR": "1"},
        )

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output shows ``pattern``."""
        deadline = time.monotonic() + STARTUP
        while time.monotonic() < deadline:
            found = re.search(pattern, self.output.read_text())
            if found:
                return found
            if self.process.poll() is not None:
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
        raise AssertionError(f"no {pattern!r} in:\n{self.output.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End it in order; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._file.close()
