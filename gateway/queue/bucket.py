"""How fast: token buckets in parts, and the discovery of the rate that a carrier bears.

`TokenBucket` shapes the flow of a tenant or a carrier to a known rate. `AdaptiveRate` finds the
rate of a carrier that tells it only by refusing (ESME_RTHROTTLED). Neither knows what a message
is, and neither reads a clock: ``now`` is any clock in seconds. One that is set back costs
neither of them more than what had built up since their last call.
"""

import math
from typing import Final

UNLIMITED: Final = 1 << 30
"""What a bucket without a rate has available: more parts than any batch asks for."""

COOLDOWN: Final = 1.0
"""Seconds after a cut in which further refusals do not cut again: they answer parts that were
sent before it. Longer than the round trip to any carrier that works."""

MILD_CUT: Final = 0.8
SHARP_CUT: Final = 0.5
"""A cut goes to 80 % of what the carrier has lately taken, but from no limit at once to less than
half of it, so that one refusal after a quiet second does not bring a fast carrier to a halt."""

REGAIN: Final = 10.0
"""Seconds in which the limit climbs, in a straight line, from a cut back to where the carrier
refused: 90 % of that is reached within 5 s of a mild cut."""

DOUBLING: Final = 5.0
"""Once it passes that point unrefused, the limit doubles in so many seconds: a carrier that took
1 % of its rate for a while and recovers is back to 90 % within 45 s."""

LEAST: Final = 1.0
"""Parts per second below which no carrier is slowed: a probe must go out to learn of recovery."""

FORGOTTEN: Final = 100_000.0
"""Parts per second at which a limit without a ceiling is none any more."""


class TokenBucket:
    """Lets ``rate`` parts a second pass, and ``burst`` at once after a pause.

    Over any ``t`` seconds at most ``burst + rate * t`` parts pass, plus the length of one message
    less a part: a message may start whenever a whole part is available, goes through whole, and
    what it overdraws is waited for afterwards.

    Args:
        rate: parts per second; 0 for unlimited.
        burst: parts; 0 for one second's worth. Never less than one part.
    """

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float = 0) -> None:
        self._rate = rate
        self._burst = max(burst or rate, 1.0)
        self._level = self._burst
        self._at = 0.0

    @property
    def rate(self) -> float:
        return self._rate

    def change(self, rate: float, burst: float, now: float) -> None:
        """Go on at another rate; what was saved up, or overdrawn, is kept up to the new burst."""
        self._refill(now)
        self._rate = rate
        self._burst = max(burst or rate, 1.0)
        self._level = min(self._level, self._burst)

    def available(self, now: float) -> int:
        """Whole parts that may pass now; none where it is 0 or less."""
        if not self._rate:
            return UNLIMITED
        self._refill(now)
        return math.floor(self._level)

    def take(self, parts: int, now: float) -> None:
        """Let ``parts`` pass, even if they overdraw. A negative number gives parts back."""
        if self._rate:
            self._refill(now)
            self._level = min(self._burst, self._level - parts)

    def ready_at(self, now: float, parts: int = 1) -> float:
        """The earliest moment at which ``parts`` (or a full bucket, if less) will be available."""
        if not self._rate:
            return now
        self._refill(now)
        wanted = min(parts, math.floor(self._burst))
        if self._level >= wanted:
            return now
        at = now + (wanted - self._level) / self._rate
        while self._level + (at - now) * self._rate < wanted:  # rounding: never a moment too early
            at = math.nextafter(at, math.inf)
        return at

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now


class AdaptiveRate:
    """The rate that a carrier bears, found by additive increase and multiplicative decrease.

    Args:
        ceiling: the configured rate in parts per second, never exceeded; 0 for none.
    """

    __slots__ = (
        "_base", "_before", "_ceiling", "_cut_at", "_goal", "_parts", "_previous", "_since"
    )  # fmt: skip

    def __init__(self, ceiling: float = 0) -> None:
        self._ceiling = ceiling
        self._base = 0.0  # the limit right after the last cut; 0: not limited
        self._before = 0.0  # the limit right before it
        self._goal = 0.0  # the rate at which the carrier refused
        self._cut_at = -math.inf
        self._since = 0.0  # a second of counting began
        self._parts = 0
        self._previous = 0.0  # parts per second in the one before

    def change(self, ceiling: float) -> None:
        """Go on under another ceiling; what was learnt is kept."""
        self._ceiling = ceiling

    def taken(self, parts: int, now: float) -> None:
        """The carrier took so many parts (call once per batch of responses)."""
        self._count(now)
        self._parts += parts
        if self._base and 0.0 <= now - self._cut_at < COOLDOWN:
            # Binds answer one after the other: what was taken may be told after what was refused.
            self._cut(now)

    def throttled(self, now: float) -> None:
        """The carrier refused for going too fast; within `COOLDOWN` of a cut it changes nothing."""
        limit = self.limit(now)
        if self._base and now - self._cut_at < COOLDOWN:
            return
        self._count(now)
        self._before = limit
        self._base = 0.0
        self._cut_at = now
        self._cut(now)

    def limit(self, now: float) -> float:
        """Parts per second to hold to; 0 for unlimited."""
        if not self._base:
            return self._ceiling
        self._cut_at = min(self._cut_at, now)
        climbing = now - self._cut_at
        if climbing < REGAIN:
            limit = self._base + (self._goal - self._base) * climbing / REGAIN
        else:
            # A century unrefused is no overflow.
            limit = self._goal * 2.0 ** min((climbing - REGAIN) / DOUBLING, 64.0)
        if limit >= (self._ceiling or FORGOTTEN):
            self._base = 0.0
            return self._ceiling
        return limit

    def _cut(self, now: float) -> None:
        """Cut to a share of what the carrier is seen to take, or less far than it was."""
        measured = max(self._previous, self._parts / max(now - self._since, 0.25))
        goal = min(self._before, measured) if self._before else measured
        base = max(LEAST, goal * MILD_CUT, self._before * SHARP_CUT)
        if base > self._base:
            self._base = base
            self._goal = max(goal, base / MILD_CUT)

    def _count(self, now: float) -> None:
        elapsed = now - self._since
        if not 0.0 <= elapsed < 1.0:
            # After a gap the last count says little, and a clock set back says nothing of time.
            self._previous = self._parts / max(elapsed, 1.0)
            self._since = now
            self._parts = 0
