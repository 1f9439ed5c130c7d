"""A process that has imported the gateway and forks: what tests start of it runs a second of
processor time earlier each. They are processes like any others, and children of whoever asks."""

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

PR_SET_CHILD_SUBREAPER: Final = 36
"""Has processes whose parent has ended be ours (prctl(2))."""

REQUEST: Final = 1 << 20
"""Octets of a request: a command, a folder, an environment."""


class Forked:
    """A process, as `subprocess.Popen` has it."""

    def __init__(self, pid: int, stdin: IO[bytes]) -> None:
        self.pid = pid
        self.stdin = stdin
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        with self._lock:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end; returns the exit status."""
        deadline = time.monotonic() + timeout
        pause = 0.001
        while (status := self.poll()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(min(pause, left))
            pause = min(2 * pause, 0.05)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(9)


class Zygote:
    """Has `main` run beside us."""

    def __init__(self) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.zygote", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
            )
        self._lock = threading.Lock()

    def start(
        self, arguments: Sequence[str], output: IO[bytes], folder: Path, **more: str
    ) -> Forked:
        """Start a command of the gateway in a folder; ``more`` stands in its environment."""
        body = json.dumps([[*arguments], str(folder), {**os.environ, **more}]).encode()
        read, write = os.pipe()
        with self._lock:
            rights = array.array("i", [read, output.fileno()])
            self._socket.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            pid = int(self._socket.recv(32))
        os.close(read)
        return Forked(pid, os.fdopen(write, "wb"))

    def close(self) -> None:
        """End it. What it has started goes on."""
        self._socket.close()
        self._process.wait()


def main(number: int) -> None:
    """Fork for each request until there are no more."""
    importlib.import_module("gateway.app")
    importlib.import_module("gateway.cli.simulating")
    gc.freeze()
    requests = socket.socket(fileno=number)
    while True:
        body, rights, _, _ = requests.recvmsg(REQUEST, socket.CMSG_SPACE(8))
        if not body:
            return
        given = array.array("i")
        given.frombytes(rights[0][2])
        # Who asks is the parent of what has lost its own.
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                os.close(read)
                os.close(write)
                requests.close()
                os._exit(_run(*json.loads(body), *given))
            os.write(write, str(pid).encode())
            os._exit(0)
        os.waitpid(between, 0)
        requests.send(os.read(read, 32))
        for each in (*given, read, write):
            os.close(each)


def _run(
    arguments: list[str], folder: str, environment: dict[str, str], stdin: int, output: int
) -> int:
    """Carry out a command; returns its exit status."""
    for number, place in ((stdin, 0), (output, 1), (output, 2)):
        os.dup2(number, place)
    os.closerange(3, 64)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()
    sys.argv = ["gateway", *arguments]
    status: Any = 0
    try:
        importlib.import_module("gateway.cli").main()
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001  as at the end of any program
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return status if isinstance(status, int) else int(status is not None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
