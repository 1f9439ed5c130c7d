"""What a service manager is told, at a socket as systemd's is, and when."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from gateway.ops.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        yield sock


def told(manager: socket.socket) -> list[str]:
    """The next notice, line by line."""
    return manager.recv(4096).decode().split("\n")


def states(manager: socket.socket, until: str) -> list[str]:
    """The first lines of all notices to ``until``, the watchdog's only where it is waited for."""
    found = []
    while until not in found:
        found.append(told(manager)[0])
    return [state for state in found if state == until or state != "WATCHDOG=1"]


async def test_each_notice_is_what_systemd_expects(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    await notifier.ready("serving")
    assert told(manager) == ["READY=1", "STATUS=serving"]
    await notifier.reloading()
    state, since, status = told(manager)
    assert (state, status) == ("RELOADING=1", "STATUS=reading the configuration")
    assert since.removeprefix("MONOTONIC_USEC=").isdigit()
    await notifier.stopping()
    assert told(manager)[0] == "STOPPING=1"


async def test_a_socket_without_a_file_is_found() -> None:
    name = f"gateway-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(30)
        await Notifier({"NOTIFY_SOCKET": "@" + name}).ready("serving")
        assert told(sock)[0] == "READY=1"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234", "notify"])
async def test_without_a_socket_nothing_is_told(address: str | None) -> None:
    environ = {"WATCHDOG_USEC": "1000000"} | ({} if address is None else {"NOTIFY_SOCKET": address})
    with capture_logs() as logs, trio.fail_after(30):
        notifier = Notifier(environ)
        await notifier.ready("serving")
        await notifier.feed_watchdog()
    assert logs == []


@pytest.mark.parametrize(
    ("environ", "feeds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 7),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 7),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "0"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
async def test_the_watchdog_is_fed_thrice_in_its_time(
    manager: socket.socket, autojump_clock: Any, environ: dict[str, str], feeds: int
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), **environ})
    with trio.move_on_after(65):
        await notifier.feed_watchdog()
    manager.setblocking(False)
    for _ in range(feeds):
        assert told(manager) == ["WATCHDOG=1"]
    with pytest.raises(BlockingIOError):
        told(manager)


async def test_a_manager_that_is_gone_is_told_of_once(tmp_path: Path, autojump_clock: Any) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "3000000"})
    with capture_logs() as logs, trio.move_on_after(59):
        await notifier.feed_watchdog()
    [log] = logs
    assert (log["event"], log["log_level"]) == ("notify_failed", "warning")
    assert "No such file" in log["detail"]


async def test_a_manager_that_hangs_holds_nothing_up_for_long(
    manager: socket.socket, autojump_clock: Any
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    with capture_logs() as logs, trio.fail_after(1_000):
        while not logs:  # until its queue is full
            await notifier.ready("serving")
    assert logs[0]["detail"] == "not taken within 1 s"


def test_a_gateway_tells_its_whole_life(
    site: Any, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    site.carrier("alpha")
    gateway = site.gateway()
    assert states(manager, "READY=1") == ["READY=1"]
    site.client()  # it listens where it says so
    assert states(manager, "WATCHDOG=1")[-1] == "WATCHDOG=1"
    gateway.signal(signal.SIGHUP)
    assert states(manager, "READY=1") == ["RELOADING=1", "READY=1"]
    site.configure("[tenant]\n")
    gateway.signal(signal.SIGHUP)
    assert states(manager, "RELOADING=1") == ["RELOADING=1"]
    while (notice := told(manager))[0] == "WATCHDOG=1":
        pass
    assert notice[0] == "READY=1"
    assert "the old one holds" in notice[1]
    gateway.signal(signal.SIGTERM)
    assert states(manager, "STOPPING=1") == ["STOPPING=1"]
    assert gateway.wait() == 0
