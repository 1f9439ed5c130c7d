"""What wall clocks show: time zones by the newest data at hand, and their offsets day by day.

Countries change their clocks with little notice, and machines are brought up to date late: of the
system's time zones and those of the `tzdata` package, the newer hold for this whole process, from
the import of this module on.
"""

import os
import zoneinfo
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 86_400
"""Seconds. Days are those of UTC, counted from 1970."""

BLOCK: Final = 64
"""Days whose offsets are looked up at once, which takes 50 µs: whoever asks of one day asks of
others near it."""

BLOCKS: Final = 40
"""Blocks that a clock keeps: seven years, 25 KB. Forgotten all at once when full."""

Stretch = tuple[int, int, int]
"""From and until when (Unix seconds) a clock is so many seconds ahead of UTC."""


def release(folder: Path) -> str:
    """Which time zones are in a folder, ``2026f``; empty where it does not say."""
    for name, mark in (("tzdata.zi", "# version "), ("+VERSION", "")):
        try:
            with (folder / name).open(encoding="ascii", errors="replace") as file:
                line = file.readline().strip()
        except OSError:
            continue
        if line.startswith(mark):
            return line.removeprefix(mark)
    return ""


def newest(system: Sequence[str], packaged: str) -> list[str]:
    """Where to look for time zones: in the folders of the system, and in the package's before them
    if that is newer than the first of them which has any, or if it does not say how old it is."""
    first = next((Path(one) for one in system if (Path(one) / "Europe").is_dir()), None)
    if first is not None and release(first) >= release(Path(packaged)):
        return [*system]
    return [packaged, *(one for one in system if one != packaged)]


def _use_newest() -> None:
    # Somebody who set PYTHONTZPATH has chosen.
    if "PYTHONTZPATH" not in os.environ:
        packaged = str(resources.files("tzdata") / "zoneinfo")
        zoneinfo.reset_tzpath(newest(zoneinfo.TZPATH, packaged))
        ZoneInfo.clear_cache()


_use_newest()


class Clock:
    """The wall clocks of one time zone. It is taken that none is changed twice in a day."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self._blocks: dict[int, list[int]] = {}

    def through(self, day: int) -> tuple[Stretch, ...]:
        """The stretches of a day between changes of the clock."""
        number, index = divmod(day, BLOCK)
        offsets = self._blocks.get(number)
        if offsets is None:
            if len(self._blocks) >= BLOCKS:
                self._blocks.clear()
            first = number * BLOCK * DAY
            offsets = [self._offset(at) for at in range(first, first + (BLOCK + 1) * DAY, DAY)]
            self._blocks[number] = offsets
        before, after = offsets[index], offsets[index + 1]
        begin, end = day * DAY, (day + 1) * DAY
        if before == after:
            return ((begin, end, before),)
        change = self._change(begin, end)
        if change == end:
            return ((begin, end, before),)
        return ((begin, change, before), (change, end, after))

    def first_shows(self, shown: datetime) -> int:
        """The first instant at which the clock shows this, or later where it skips it."""
        at = int(shown.replace(tzinfo=self._zone, fold=0).timestamp())
        if self._shown(at) == shown:
            return at
        # Skipped: by the offset before the jump that is an instant after it, and the other way.
        before = int(shown.replace(tzinfo=self._zone, fold=1).timestamp())
        while at - before > 1:
            middle = (before + at) // 2
            if self._shown(middle) >= shown:
                at = middle
            else:
                before = middle
        return at

    def _shown(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, self._zone).replace(tzinfo=None, fold=0)

    def _offset(self, at: int) -> int:
        ahead = datetime.fromtimestamp(at, self._zone).utcoffset() or timedelta()
        return int(ahead.total_seconds())

    def _change(self, old: int, new: int) -> int:
        """The first instant after ``old`` at which the clock shows what it shows at ``new``."""
        after = self._offset(new)
        while new - old > 1:
            middle = (old + new) // 2
            if self._offset(middle) == after:
                new = middle
            else:
                old = middle
        return new


NO_ZONES: Final = ("posix/", "right/", "posixrules", "localtime", "Factory")
"""What stands beside time zones and is none that people live by: ``right`` counts leap seconds."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ValueError, with a sentence."""
    try:
        if not name.startswith(NO_ZONES):
            return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        pass
    raise ValueError(f"{name[:40]!r} is no time zone, such as 'Asia/Shanghai'")


@cache
def clock(name: str) -> Clock:
    """The clock of an IANA time zone. There are some 430 of them."""
    return Clock(name)
