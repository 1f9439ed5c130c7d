"""What a result was measured on: the machine, the disk under the store, and the versions."""

import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

import apsw

PACKAGES: Final = ("gateway", "trio", "msgspec", "apsw")
FSYNCS: Final = 30


def computer() -> dict[str, str]:
    """The machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.1f} GB",
        "load average at start": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
    }


def machine(folder: Path) -> dict[str, str]:
    """The machine, and the file system that ``folder`` is on."""
    return computer() | {
        "store's file system": _file_system(folder),
        "fsync of 4 KiB": f"{_fsync_seconds(folder) * 1e3:.2f} ms (median of {FSYNCS})",
    }


def versions() -> dict[str, str]:
    """The versions of what takes part."""
    found = {"python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    found |= {name: version(name) for name in PACKAGES}
    return found | {"commit": _commit()}


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return name[1] if name else platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the mount that holds ``folder``."""
    path = str(folder.resolve())
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [m for m in mounts if path == m[0] or path.startswith(m[0].rstrip("/") + "/")]
    return max(holding, key=lambda mount: len(mount[0]))[1] if holding else "unknown"


def _fsync_seconds(folder: Path) -> float:
    """What making a page durable costs there: on a memory file system nothing, and then the
    store's figures say little."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            file.write(bytes(4096))
            started = time.perf_counter()
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return statistics.median(took)


def _commit() -> str:
    """The commit that is checked out, and whether anything but results differs from it."""
    changed = ["status", "--porcelain", "--untracked-files=no", "--", ":/", ":!results"]
    try:
        commit, changes = _git("rev-parse", "--short", "HEAD"), _git(*changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-dirty" if changes else commit


def _git(*words: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", *words], cwd=here, capture_output=True, check=True)
    return done.stdout.decode().strip()
