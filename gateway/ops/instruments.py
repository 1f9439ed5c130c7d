"""The kinds of metric, and all of them at one moment.

Counters and histograms are fed in batches and are plain integers in plain dicts; gauges are read
where the truth is, when somebody asks. Only a scrape turns any of it into `prometheus_client`'s
types, and it can do so in a worker thread while the gateway goes on.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import ClassVar, Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Exemplar

Labels = tuple[str, ...]

SERIES: Final = 20_000
"""Label combinations of one metric, enough for a thousand tenants and every code. Labels that would
make more, such as statuses that a carrier makes up, are counted under ``other``."""

OTHER: Final = "other"


class Table(NamedTuple):
    """The values of a metric at one moment, by the values of its ``labels``."""

    labels: Labels
    values: Mapping[Labels, float]


class _Metric:
    def __init__(self, name: str, documentation: str, labels: Labels) -> None:
        self.name = f"gateway_{name}"
        self.documentation = documentation
        self.labels = labels

    @property
    def table(self) -> str:
        """The name of what `reading` puts into a table."""
        return self.name

    def _series(self, labels: Labels, known: int) -> Labels:
        """The labels to count under for labels not seen before."""
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has labels {self.labels}, not {labels}")
        return labels if known < SERIES else (OTHER,) * len(labels)


class Counter(_Metric):
    """A number that only grows."""

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        super().__init__(name, documentation, labels)
        self._values: dict[Labels, int] = {}

    def add(self, n: int, *labels: str) -> None:
        try:
            self._values[labels] += n
        except KeyError:
            labels = self._series(labels, len(self._values))
            self._values[labels] = self._values.get(labels, 0) + n

    def values(self) -> Mapping[Labels, int]:
        """What was counted, by labels."""
        return self._values

    def reading(self) -> Callable[[], tuple[str, Table]]:
        """What it says now, to be put into a table later and elsewhere."""
        values = self._values.copy()
        return lambda: (self.name, Table(self.labels, values))

    def snapshot(self) -> Callable[[], Metric]:
        values = self._values.copy()

        def family() -> Metric:
            metric = CounterMetricFamily(self.name, self.documentation, labels=self.labels)
            for labels, value in values.items():
                metric.add_metric(labels, value)
            return metric

        return family


class _Series:
    __slots__ = ("counts", "exemplars", "total")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.exemplars: list[Exemplar | None] = [None] * size
        self.total = 0.0


class Histogram(_Metric):
    """How seconds are spread over ``buckets``, given by their upper bounds."""

    def __init__(
        self, name: str, documentation: str, buckets: Sequence[float], *labels: str
    ) -> None:
        super().__init__(name, documentation, labels)
        self.buckets = buckets
        self._names = [*map(str, buckets), "+Inf"]
        self._values: dict[Labels, _Series] = {}

    def observe(self, value: float, n: int = 1, *labels: str) -> None:
        """``value`` came up ``n`` times."""
        series = self._values.get(labels) or self._new(labels)
        series.counts[bisect_left(self.buckets, value)] += n
        series.total += value * n

    def observe_many(self, values: Sequence[float], *labels: str) -> None:
        series = self._values.get(labels) or self._new(labels)
        counts = series.counts
        buckets = self.buckets
        for value in values:
            counts[bisect_left(buckets, value)] += 1
        series.total += sum(values)

    def exemplify(self, value: float, message: str, at: float, *labels: str) -> None:
        """One of what was observed, to look at: the id of a message, and when it was so. Call it
        once for a batch, with what stands out."""
        series = self._values.get(labels) or self._new(labels)
        place = bisect_left(self.buckets, value)
        series.exemplars[place] = Exemplar({"message_id": message}, value, at)

    def counts(self) -> dict[Labels, list[int]]:
        """How many values are in each bucket, and above the last, by labels."""
        return {labels: series.counts.copy() for labels, series in self._values.items()}

    def median(self, *labels: str) -> float | None:
        """The bound of the bucket in which the middle of all values is; None for no values."""
        series = self._values.get(labels)
        if series is None or not any(series.counts):
            return None
        sums = list(accumulate(series.counts))
        return [*self.buckets, self.buckets[-1]][bisect_left(sums, sums[-1] / 2)]

    @property
    def table(self) -> str:
        """The name of what `reading` puts into a table."""
        return f"{self.name}_bucket"

    def reading(self) -> Callable[[], tuple[str, Table]]:
        """What it says now, by buckets, to be put into a table later and elsewhere."""
        values = [(labels, series.counts.copy()) for labels, series in self._values.items()]
        return lambda: (
            self.table,
            Table(
                (*self.labels, "le"),
                {
                    (*labels, bound): count
                    for labels, counts in values
                    for bound, count in zip(self._names, accumulate(counts), strict=True)
                },
            ),
        )

    def _new(self, labels: Labels) -> _Series:
        labels = self._series(labels, len(self._values))
        return self._values.setdefault(labels, _Series(len(self._names)))

    def snapshot(self) -> Callable[[], Metric]:
        values = [
            (labels, s.counts.copy(), s.exemplars.copy(), s.total)
            for labels, s in self._values.items()
        ]

        def family() -> Metric:
            metric = HistogramMetricFamily(self.name, self.documentation, labels=self.labels)
            for labels, counts, exemplars, total in values:
                metric.add_metric(
                    labels,
                    [
                        (bound, number) if one is None else (bound, number, one)
                        for bound, number, one in zip(
                            self._names, accumulate(counts), exemplars, strict=True
                        )
                    ],
                    total,
                )
            return metric

        return family


class Gauge(_Metric):
    """A number that goes up and down, read when asked for; nothing until it is `feed`."""

    family: ClassVar[type[GaugeMetricFamily | CounterMetricFamily]] = GaugeMetricFamily

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        super().__init__(name, documentation, labels)
        self._read: Callable[[], Mapping[Labels, float]] = dict

    def feed(self, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Say where the values come from, by their labels; ``{(): 1.0}`` where it has none."""
        self._read = read

    def values(self) -> Mapping[Labels, float]:
        """What it says now."""
        return self._read()

    def reading(self) -> Callable[[], tuple[str, Table]]:
        """What it says now, to be put into a table later and elsewhere."""
        values = dict(self._read())
        return lambda: (self.name, Table(self.labels, values))

    def snapshot(self) -> Callable[[], Metric]:
        values = dict(self._read())

        def family() -> Metric:
            metric = self.family(self.name, self.documentation, labels=self.labels)
            for labels, value in values.items():
                metric.add_metric(labels, value)
            return metric

        return family


class Tally(Gauge):
    """A number that only grows, and is counted elsewhere."""

    family = CounterMetricFamily


class Snapshot:
    """All metrics at one moment, for `prometheus_client` to collect."""

    def __init__(
        self, families: Sequence[Callable[[], Metric]], process: CollectorRegistry
    ) -> None:
        self._families = families
        self._process = process

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            yield family()
        yield from self._process.collect()

    def render(self) -> bytes:
        """The text format of Prometheus. Takes about 5 µs a line, so call it in a thread."""
        return generate_latest(self)

    def page(self, accept: str) -> tuple[bytes, str]:
        """What an ``Accept`` header asks for, and its media type: OpenMetrics, which has exemplars,
        or the text format."""
        try:
            encode, media_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, media_type = choose_encoder("")
        return encode(self), media_type
