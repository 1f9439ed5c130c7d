"""What a simulated carrier's record says of when messages arrived, and what latencies come to."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks.load import PREFIX

SPECTRUM: Final = (
    0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999, 100,
)  # fmt: skip
"""The percentiles of an HDR-style plot: evenly spread where it is 1 / (1 - share) that counts."""


class _Line(Struct, gc=False):
    time: float
    destination: str


_lines = msgspec.json.Decoder(_Line)


def arrivals(record: Path) -> dict[int, float]:
    """When the submit_sm to each recipient arrived: Unix seconds by the number's last eight
    digits."""
    with record.open("rb") as file:
        lines = map(_lines.decode, file)
        return {int(line.destination[len(PREFIX) :]): line.time for line in lines}


def waited(
    found: Mapping[int, float], first: int, count: int, batch: int, started: float, rate: float
) -> list[float]:
    """Seconds from each message's appointed time (see `benchmarks.load`) to its arrival, of
    ``count`` messages to numbers from ``first`` on. Raises ValueError where one never arrived."""
    numbers = range(first, first + count)
    if missing := sum(number not in found for number in numbers):
        raise ValueError(f"{missing} of {count} messages never arrived")
    interval = batch / rate
    return [
        found[number] - started - index // batch * interval for index, number in enumerate(numbers)
    ]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value that so many percent of the values, in ascending order, do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spectrum(values: Iterable[float]) -> tuple[list[float], list[float]]:
    """The percentiles of `SPECTRUM` that there are enough values for, and what they are."""
    ordered = sorted(values)
    told = [p for p in SPECTRUM if p == 100 or round(len(ordered) * (100 - p)) >= 100]
    return [float(p) for p in told], [percentile(ordered, p) for p in told]
