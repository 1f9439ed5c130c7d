"""What is told of the configuration in force: which one it is, since when, and whether the last
attempt to replace it was refused."""

from collections.abc import Callable
from importlib.metadata import version

from gateway.ops.instruments import Labels
from gateway.ops.metrics import Metrics
from gateway.ops.operations import Running


class Reloads:
    """Keeps count of what was loaded.

    Args:
        metrics: are fed from here.
        digest: of what was loaded at the start, see `gateway.config.Settings`.
        now: when that was.
    """

    def __init__(self, metrics: Metrics, digest: str, now: float) -> None:
        self._count = metrics.reloads.add
        self._digest = digest
        self._at = self._started_at = now
        self._tried_at: float | None = None
        self._refused = False
        self._waiting = False

        def number(read: Callable[[], float]) -> Callable[[], dict[Labels, float]]:
            return lambda: {(): read()}

        metrics.reload_refused.feed(number(lambda: self._refused))
        metrics.restart_needed.feed(number(lambda: self._waiting))
        metrics.config_loaded_timestamp_seconds.feed(number(lambda: self._at))
        metrics.config_info.feed(lambda: {(self._digest,): 1.0})

    @property
    def running(self) -> Running:
        """What runs now."""
        return Running(
            version("gateway"),
            self._started_at,
            self._digest,
            self._at,
            self._refused,
            self._waiting,
            self._tried_at,
        )

    def done(self, digest: str, now: float, *, waiting: bool) -> None:
        """Another one is in force; ``waiting`` where some of it holds from the next start on."""
        self._count(1, "done")
        self._digest, self._at = digest, now
        self._tried_at = now
        self._refused, self._waiting = False, waiting

    def refused(self, now: float) -> None:
        """Another one had mistakes, and the last holds on."""
        self._count(1, "refused")
        self._tried_at = now
        self._refused = True
