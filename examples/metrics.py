"""Reads the gateway's metrics as Prometheus would."""

from collections.abc import Iterator
from math import inf
from typing import Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

PREFIX: Final = "gateway_"


class Metrics:
    """One scrape of ``/metrics``. Names are those of ``docs/operations.md``, without the prefix."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append(sample)

    def total(self, name: str, **labels: str) -> float:
        """The sum over every series that has these labels."""
        return sum(sample.value for sample in self._matching(name, labels))

    def quantile(self, name: str, share: float, **labels: str) -> float:
        """Seconds within which this share of observations was, as far as the buckets tell."""
        counts: dict[float, float] = {}
        for sample in self._matching(f"{name}_bucket", labels):
            bound = float(sample.labels["le"])
            counts[bound] = counts.get(bound, 0.0) + sample.value
        wanted = share * max(counts.values(), default=0.0)
        return next((bound for bound, count in sorted(counts.items()) if count >= wanted), inf)

    def _matching(self, name: str, labels: dict[str, str]) -> Iterator[Sample]:
        for sample in self._samples.get(PREFIX + name, ()):
            if labels.items() <= sample.labels.items():
                yield sample


def scrape(admin: str) -> Metrics:
    """The metrics now. Raises OSError."""
    with urlopen(f"{admin}/metrics", timeout=60) as response:
        return Metrics(response.read().decode())
