"""Tells the service manager how we stand: sd_notify(3), as much of it as `gateway.service` uses.

Where ``NOTIFY_SOCKET`` names no socket, nothing is told to anybody. The watchdog is fed by a task
of the event loop: a loop that no longer turns is a gateway that does nothing, and is started anew.
A store or a carrier that does not answer leaves the loop turning, and no restart would mend it.
"""

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import structlog
import trio

from gateway.ops.logs import Sparing

PATIENCE: Final = 1.0
"""Seconds for which a notice waits where the manager has too many to read. A service manager that
hangs must not hold us up for longer."""

FEEDS: Final = 3
"""How often the watchdog is fed in the time that it allows: one that is late does no harm."""


class Notifier:
    """Tells what the service manager, if there is one, wants to know.

    Args:
        environ: has ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` if there is one.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog = _watchdog(environ)
        self._warn = Sparing(structlog.get_logger(__name__).warning)

    async def ready(self, status: str) -> None:
        """Starting, or reading the configuration anew, is over. ``status`` is for people."""
        await self._tell("READY=1", f"STATUS={status}")

    async def reloading(self) -> None:
        """The configuration is being read anew."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        await self._tell("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=reading the configuration")

    async def stopping(self) -> None:
        """Stopping in order has begun."""
        await self._tell("STOPPING=1", "STATUS=waiting for carriers to answer")

    async def feed_watchdog(self) -> None:
        """Feed the watchdog until cancelled; returns at once where there is none."""
        while self._address and self._watchdog:
            await self._tell("WATCHDOG=1")
            await trio.sleep(self._watchdog / FEEDS)

    async def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with (
                trio.fail_after(PATIENCE),
                trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
            ):
                # Connected, so that the kernel tells when its queue has room.
                await sock.connect(self._address)
                await sock.send("\n".join(lines).encode())
        except (OSError, trio.TooSlowError) as error:
            detail = str(error) or f"not taken within {PATIENCE:g} s"
            self._warn("notify_failed", "", trio.current_time(), line=lines[0], detail=detail)


def _address(text: str) -> str:
    """The address of the socket, or nothing where there is none that can be used."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds within which the watchdog is to be fed; 0 where there is none, or it is another
    process's."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isascii() and text.isdigit() else 0.0
