"""What the process needs and may run out of: disk, memory, turns on the event loop, time.

Looked at every few seconds in a worker thread, since a file system that hangs must hang nothing
else; a scrape reads what was last seen. The event loop tells of its turns itself: one at rest is
not woken for it.
"""

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import trio

from gateway.ops.certificates import expiry
from gateway.ops.instruments import Labels
from gateway.ops.metrics import Metrics

LOOK_EVERY, EXPIRIES_EVERY = 5.0, 3600.0
"""Seconds between looks at the disk, and at what expires."""

MINUTE: Final = 60.0

FILLS: Final = 3 * 3600.0
"""Seconds whose pace tells when the disk is full; as long as the boards look back."""

WINDOW: Final = 30.0
"""Seconds; the longest turn is told for one to two of them, so that no scrape misses it."""

LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what memory a container may use."""


class Expiries(msgspec.Struct, frozen=True):
    """What expires.

    Attributes:
        certificates: files in PEM form, by the key of the configuration that names them.
        holidays: until when the public holidays that hours depend on are known, by region.
    """

    certificates: Mapping[str, str] = {}
    holidays: Mapping[str, float] = {}


class Machine:
    """Watches what the process needs.

    Args:
        store: the file of the store, if it has one; what SQLite keeps beside it is looked at too.
        expiries: says what expires; called in a worker thread.
    """

    def __init__(self, store: str | None, expiries: Callable[[], Expiries]) -> None:
        self._store = None if store is None else Path(store)
        self._expiries = expiries
        self._sizes: dict[str, float] = {}
        self._certificates: dict[Labels, float] = {}
        self._holidays: dict[Labels, float] = {}
        self._free: deque[tuple[float, float]] = deque()
        self._memory = float(memory_limit())
        self._turns = Turns()

    def feed(self, metrics: Metrics) -> None:
        """Say where the metrics are read."""

        def size(name: str) -> Callable[[], dict[Labels, float]]:
            return lambda: {(): self._sizes[name]} if name in self._sizes else {}

        metrics.store_free_bytes.feed(size("free"))
        metrics.store_size_bytes.feed(size("file"))
        metrics.store_log_bytes.feed(size("log"))
        metrics.memory_limit_bytes.feed(lambda: {(): self._memory})
        metrics.event_loop_longest_turn_seconds.feed(lambda: {(): self._turns.longest()})
        metrics.certificate_expiry_timestamp_seconds.feed(lambda: self._certificates)
        metrics.holidays_known_until_timestamp_seconds.feed(lambda: self._holidays)

    @property
    def full_in(self) -> float | None:
        """Seconds until the disk of the store is full, at the pace of the last three hours; None
        where room does not shrink, or nothing was seen of it for a minute."""
        known = list(self._free)
        if not known:
            return None
        (since, before), (at, left) = known[0], known[-1]
        if at - since < MINUTE or left >= before:
            return None
        return left * (at - since) / (before - left)

    async def run(self) -> None:
        """Look, until cancelled."""
        trio.lowlevel.add_instrument(self._turns)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._every, LOOK_EVERY, self.look)
                nursery.start_soon(self._every, EXPIRIES_EVERY, self.look_at_expiries)
        finally:
            trio.lowlevel.remove_instrument(self._turns)

    async def _every(self, seconds: float, look: Callable[[], None]) -> None:
        while True:
            await trio.to_thread.run_sync(look, abandon_on_cancel=True)
            await trio.sleep(seconds)

    # --- in a worker thread ---

    def look(self) -> None:
        """See how large the store is, and how much room its disk has."""
        if self._store is None:
            return
        sizes: dict[str, float] = {}
        with contextlib.suppress(OSError):
            disk = os.statvfs(self._store.parent)
            sizes["free"] = disk.f_bavail * disk.f_frsize
            sizes["file"] = self._store.stat().st_size
            sizes["log"] = Path(f"{self._store}-wal").stat().st_size
        self._sizes = sizes
        if "free" in sizes:
            self._note_room(sizes["free"], time.monotonic())

    def _note_room(self, free: float, now: float) -> None:
        """Keep one of a minute, and the last."""
        known = self._free
        if len(known) > 1 and known[-1][0] - known[-2][0] < MINUTE:
            known.pop()
        known.append((now, free))
        while known[0][0] < now - FILLS:
            known.popleft()

    def look_at_expiries(self) -> None:
        """See until when certificates and holidays hold. A certificate that cannot be read tells
        nothing: whoever uses it does."""
        found = self._expiries()
        certificates: dict[Labels, float] = {}
        for key, path in found.certificates.items():
            with contextlib.suppress(OSError, ValueError):
                certificates[key,] = expiry(Path(path).read_text())
        self._certificates = certificates
        self._holidays = {(region,): until for region, until in found.holidays.items()}


class Turns(trio.abc.Instrument):
    """The longest turn of the event loop in the last one to two `WINDOW`s: from when it hears what
    has happened, or should have woken up, until it waits again. It is asked twice a turn, for
    0.4 µs.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._since = self._began = self._due = clock()
        self._before = self._now = 0.0

    def after_io_wait(self, timeout: float) -> None:
        """A turn begins; it may have been kept from it."""
        self._began = min(self._clock(), self._due)

    def before_io_wait(self, timeout: float) -> None:
        """A turn ends, and the next one is due after ``timeout``."""
        now = self._clock()
        self._due = now + timeout
        turn = now - self._began
        if turn > self._now or now - self._since >= WINDOW:
            self._note(turn, now)

    def longest(self) -> float:
        """The longest, in seconds."""
        self._note(0.0, self._clock())
        return max(self._before, self._now)

    def _note(self, turn: float, now: float) -> None:
        if now - self._since >= WINDOW:
            self._before = self._now if now - self._since < 2 * WINDOW else 0.0
            self._now = 0.0
            self._since = now
        self._now = max(self._now, turn)


def memory_limit(files: Iterable[str] = LIMITS) -> int:
    """Bytes of memory that the process may use: what its container allows, or the machine has."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in files:
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path(name).read_text()))
    return min(limits)
