"""Which rate is tried next on the way to the highest that holds. Pure: from what was tried so far.

Rates double until one does not hold, or are halved until one does; then the gap between the two is
halved until it is narrow. A rate above one that did not hold counts for nothing, even if it held.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

NARROW: Final = 1.1
"""The highest that held and the lowest that did not are this close in the end."""

LEAST: Final = 0.1
"""Messages a second below which nothing is tried."""


class Limits(NamedTuple):
    """What is to hold: seconds that 99 of 100 messages take at most, and the share that may be
    refused, fail or have no outcome."""

    p99: float
    loss: float


class Trial(NamedTuple):
    """What a rate came to. ``offered`` is what really left, in messages a second; ``p99`` is None
    where no message came so far."""

    rate: float
    offered: float
    p99: float | None
    loss: float


SHORT: Final = 0.95
"""The share of a rate that must have left; below it, the load generator is what does not hold."""


def why_not(trial: Trial, limits: Limits) -> str:
    """Why a rate does not hold; empty where it does."""
    if trial.offered < SHORT * trial.rate:
        return f"only {trial.offered:,.0f} of {trial.rate:,.0f} a second left"
    if trial.loss > limits.loss:
        return f"{trial.loss:.3%} lost, more than {limits.loss:.3%}"
    if trial.p99 is None:
        return "no message came through"
    if trial.p99 > limits.p99:
        return f"p99 {trial.p99 * 1e3:,.0f} ms, more than {limits.p99 * 1e3:,.0f} ms"
    return ""


def best(trials: Sequence[Trial], limits: Limits) -> Trial | None:
    """The highest that held, below all that did not."""
    ceiling = min((t.rate for t in trials if why_not(t, limits)), default=float("inf"))
    held = [t for t in trials if t.rate < ceiling and not why_not(t, limits)]
    return max(held, default=None, key=lambda trial: trial.rate)


def next_rate(
    trials: Sequence[Trial], limits: Limits, first: float, highest: float
) -> float | None:
    """The rate to try next, None where the highest is found, or there is none."""
    if not trials:
        return min(first, highest)
    found = best(trials, limits)
    failed = [trial.rate for trial in trials if why_not(trial, limits)]
    if found is None:
        lower = min(failed) / 2
        return lower if lower >= LEAST else None
    if not failed:
        return min(2 * found.rate, highest) if found.rate < highest else None
    ceiling = min(failed)
    return None if ceiling <= found.rate * NARROW else (found.rate + ceiling) / 2
