"""The process and what it needs, as operators see it: out of the metrics, and of what was observed
since somebody looked before."""

from collections.abc import Callable
from typing import Literal

from gateway.dispatch.core import Dispatch
from gateway.message import CATEGORIES
from gateway.ops.instruments import Gauge, Labels
from gateway.ops.lately import Lately
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Running
from gateway.ops.views import ExpiryView, LatencyView, SystemView

State = Literal["works", "slow", "refuses", "silent"]


class System:
    """Looks at the process.

    Args:
        full_in: in how many seconds the disk is full, None for not to be seen.
        clock: Unix time.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        metrics: Metrics,
        full_in: Callable[[], float | None],
        clock: Callable[[], float],
    ) -> None:
        self._dispatch = dispatch
        self._metrics = metrics
        self._full_in = full_in
        self._clock = clock
        self._to_carrier = Lately(metrics.accept_to_submit_seconds, clock)
        self._to_phone = Lately(metrics.accept_to_phone_seconds, clock)
        self._commits = Lately(metrics.store_commit_seconds, clock)
        self._answers = Lately(metrics.accept_seconds, clock)
        self._used: tuple[float, float] | None = None

    def view(self, running: Running, *, silent: bool) -> SystemView:
        """How all that is now; ``silent`` where the store does not answer."""
        metrics, now = self._metrics, self._clock()
        process = metrics.process()
        seconds, to_carrier = self._to_carrier.spreads()
        _, to_phone = self._to_phone.spreads()
        return SystemView(
            at=now,
            version=running.version,
            started_at=running.started_at,
            digest=running.digest,
            loaded_at=running.loaded_at,
            tried_at=running.tried_at,
            refused=running.refused,
            waiting=running.waiting,
            store=self._state(silent=silent),
            seconds=seconds,
            latencies=tuple(
                LatencyView(
                    category=name,
                    to_carrier=to_carrier.get((name,)),
                    to_phone=to_phone.get((name,)),
                )
                for name in CATEGORIES
            ),
            commits=self._commits.spreads()[1].get(()),
            answers=self._answers.spreads()[1].get(()),
            store_bytes=_one(metrics.store_size_bytes),
            log_bytes=_one(metrics.store_log_bytes),
            free_bytes=_one(metrics.store_free_bytes),
            full_in_seconds=self._full_in(),
            longest_turn_seconds=_one(metrics.event_loop_longest_turn_seconds),
            cores=self._cores(process.get("process_cpu_seconds_total"), now),
            memory_bytes=process.get("process_resident_memory_bytes"),
            memory_limit_bytes=_one(metrics.memory_limit_bytes),
            files=process.get("process_open_fds"),
            files_limit=process.get("process_max_fds"),
            lane_messages=self._dispatch.lanes.statistics().messages,
            lane_messages_limit=self._dispatch.lanes.budget,
            connections=int(_one(metrics.api_connections) or 0),
            connections_limit=int(_one(metrics.api_connections_limit) or 0),
            places={str(place): n for place, n in self._dispatch.places.counts().items()},
            certificates=_expiries(metrics.certificate_expiry_timestamp_seconds),
            holidays=_expiries(metrics.holidays_known_until_timestamp_seconds),
        )

    def _state(self, *, silent: bool) -> State:
        if silent:
            return "silent"
        if self._dispatch.failing:
            return "refuses"
        return "slow" if self._dispatch.congested else "works"

    def _cores(self, seconds: float | None, now: float) -> float | None:
        """What the process has used of the processors since the last look."""
        before, self._used = self._used, None if seconds is None else (now, seconds)
        if before is None or seconds is None or now <= before[0]:
            return None
        return (seconds - before[1]) / (now - before[0])


def _one(gauge: Gauge) -> float | None:
    return gauge.values().get(())


def _expiries(gauge: Gauge) -> tuple[ExpiryView, ...]:
    """The next first."""
    found: list[tuple[Labels, float]] = sorted(gauge.values().items(), key=lambda one: one[1])
    return tuple(ExpiryView(name=name, until=until) for (name,), until in found)
