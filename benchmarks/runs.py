"""Runs of a load against a gateway, with the CPU time of every process that takes part."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.load import LoadFigures, load
from benchmarks.processes import Gateway, usage

Sample = dict[tuple[str, str], float]
"""Values of one repeat, by name and unit."""

RATE: Final = ("rate", "messages/s")
ACCEPTED: Final = ("accepted", "messages/s")
GATEWAY: Final = ("gateway CPU", "us/message")
CARRIER: Final = ("carrier CPU", "us/message")
LOAD: Final = ("load CPU", "us/message")
MEMORY: Final = ("memory", "MB")


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty folder for a store, gone with the block."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def flood(gateway: Gateway, **options: Any) -> tuple[Sample, LoadFigures]:
    """Submit as fast as the gateway takes it, until every outcome is acknowledged.

    Every message must end delivered: a rate of failures says nothing.
    """
    before = {pid: usage(pid).cpu for pid in (gateway.pid, *gateway.carriers.values())}
    figures = load(address=gateway.address, **options)
    spent = {pid: usage(pid).cpu - cpu for pid, cpu in before.items()}
    messages = figures.messages
    if figures.refused or figures.outcomes != {"delivered": messages}:
        raise SystemExit(f"not all were delivered: {figures.outcomes}, {figures.refused} refused")
    each = 1e6 / messages
    own = spent.pop(gateway.pid)
    sample = {
        RATE: messages / figures.seconds,
        ACCEPTED: messages / figures.accept_seconds,
        GATEWAY: own * each,
        CARRIER: sum(spent.values()) * each,
        LOAD: figures.cpu * each,
        MEMORY: gateway.usage().resident,
    }
    return sample, figures
