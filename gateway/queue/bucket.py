"""How fast: token buckets in parts, which shape the flow of a tenant or a carrier to a rate.

It knows nothing of messages and reads no clock: ``now`` is any clock in seconds. One that is set
back costs it no more than what had built up since its last call.
"""

import math
from typing import Final

UNLIMITED: Final = 1 << 30
"""What a bucket without a rate has available: more parts than any batch asks for."""


class TokenBucket:
    """Lets ``rate`` parts a second pass, and ``burst`` at once after a pause.

    Over any ``t`` seconds at most ``burst + rate * t`` parts pass, plus the length of one message
    less a part: a message may start whenever a whole part is available, goes through whole, and
    what it overdraws is waited for afterwards.

    Args:
        rate: parts per second; 0 for unlimited.
        burst: parts; 0 for one second's worth. Never less than one part.
    """

    __slots__ = ("_at", "_burst", "_level", "_rate", "passed")

    def __init__(self, rate: float, burst: float = 0) -> None:
        self._rate = rate
        self._burst = max(burst or rate, 1.0)
        self._level = self._burst
        self._at = 0.0
        self.passed = 0  # parts that were ever taken and not given back, while there was a rate

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
        """Let ``parts`` pass, even if they overdraw."""
        if self._rate:
            self._refill(now)
            self._level -= parts
            self.passed += parts

    def give_back(self, parts: int) -> None:
        """These did not pass after all."""
        self._level = min(self._burst, self._level + parts)
        self.passed -= parts

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
