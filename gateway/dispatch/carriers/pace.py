"""How fast a carrier is sent to: its stated rate, and the rate that it bears where it says by
refusals (ESME_RTHROTTLED) that this is less.

A carrier that refuses has nothing left of what it allows. So between two refusals it has taken what
it allows in that time, whether it counts by a bucket of tokens or by the second, and whatever it
had saved up before: that is its rate. After the first refusal the limit climbs steeply until the
second one, from then on it is what was measured, and grows slowly to learn of more. After each
refusal there is a short pause, then one part goes out to ask, and all others follow as soon as the
carrier takes something.

Pure: ``now`` is any clock in seconds. One that is set back costs at most a pause, see `set_back`.
"""

import math
from collections import deque
from typing import Final

from gateway.queue.bucket import TokenBucket

BURST: Final = 0.1
"""Seconds' worth of parts that may go to a carrier at once after a pause."""

PAUSE: Final = 1 / 64
"""Seconds of the first pause, where no other is stated; as long as a carrier with a small bucket
can save up for. Each pause after which nothing was taken is followed by one longer by as much."""

LONGEST_PAUSE: Final = 1.0
"""Seconds of the longest pause, unless a longer one is stated."""

SEARCH_FROM: Final = 100.0
SEARCH_DOUBLING: Final = 0.05
"""Parts per second at which the search for an unknown rate begins at least, and seconds in which
they double: 5,000 a second are reached in 0.3 s. What is sent too much then is what goes out in one
round trip, not a whole window."""

SECOND: Final = 1.0
"""Seconds over which taken parts are counted: carriers that count by the clock allow so many in
each. Refusals less than this apart are of one shortage."""

SLOTS: Final = 64
"""Moments of a second that are told apart in counting."""

TELLING: Final = 20
TELLING_SOON: Final = 0.05
TELLING_AFTER: Final = 0.25
"""Parts taken between refusals that tell a rate to some per cent, if they took so many seconds; and
seconds after which fewer do, for want of better, until more is known."""

MARGIN: Final = 0.97
"""What of a measured rate is used at first."""

QUICK_DOUBLING: Final = 1.0
"""Seconds in which the limit doubles from there until the same rate was measured twice: the first
measurement is too low where a carrier saves up less than a pause is long."""

CONFIRMED_AFTER: Final = 0.5
ALIKE: Final = 0.1
"""Two measurements are the same if they are so many seconds apart and differ by no more than this
share."""

REGAIN: Final = 5.0
"""Seconds in which the limit climbs to a rate that was measured twice."""

DOUBLING: Final = 3.0
"""Seconds in which it doubles after that, unrefused: a carrier that took 1 % of its rate for a
while and recovers is back within half a minute."""

SHARPEST: Final = 0.5
"""What is left of a limit at least after one refusal, whatever was taken before it: there may have
been little to send."""

LEAST: Final = 1.0
"""Parts per second below which no carrier is slowed."""

FORGOTTEN: Final = 100_000.0
"""Parts per second at which a limit without a ceiling is none any more."""


class Pace:
    """What one carrier may be sent, over all its binds.

    Args:
        ceiling: the stated rate in parts per second, never exceeded; 0 for none.
    """

    __slots__ = (
        "_again", "_asked_until", "_base", "_bucket", "_ceiling", "_doubling", "_goal", "_length",
        "_marked_at", "_marked_total", "_measured", "_measured_at", "_paused_until", "_probing",
        "_refused_at", "_seen", "_short", "_since", "_slots", "_total",
    )  # fmt: skip

    def __init__(self, ceiling: float = 0) -> None:
        self._ceiling = ceiling
        self._bucket = TokenBucket(ceiling, ceiling * BURST)
        # The limit at `_since`, 0 for none but the ceiling; and how it climbs from there: to the
        # goal first once its doubling is the slow one.
        self._base = 0.0
        self._since = 0.0
        self._goal = 0.0
        self._doubling = SEARCH_DOUBLING
        # The last measurement, and when the first of those that followed closely was made.
        self._measured = 0.0
        self._measured_at = -math.inf
        # Parts that were ever taken; and how many before some moments of the last second.
        self._total = 0
        self._slots: deque[tuple[float, int]] = deque()
        # The last refusal, and the first one of the same shortage, with what was taken before.
        self._refused_at = -math.inf
        self._seen = 0
        self._marked_at = 0.0
        self._marked_total = 0
        # Pauses: nothing was taken since the last one began, nor since some before it; how long it
        # is; when parts may go out again; when to ask once more if there is no answer.
        self._probing = False
        self._again = 0
        self._length = PAUSE
        self._paused_until = -math.inf
        self._asked_until = -math.inf
        self._short = False

    def change(self, ceiling: float) -> None:
        """Go on under another ceiling; what was learnt is kept."""
        self._ceiling = ceiling

    def scale(self, factor: float) -> None:
        """So much more, or less, of what the carrier bears is for this one than before."""
        if self._base:
            self._base = max(LEAST, self._base * factor)
            self._goal = max(LEAST, self._goal * factor) if self._goal else 0.0
        self._measured *= factor

    def set_back(self, seconds: float) -> None:
        """The clock was set back."""
        self._paused_until -= seconds
        self._asked_until -= seconds
        self._since -= seconds

    # --- what may be sent ---

    def limit(self, now: float) -> float:
        """Parts per second to hold to; 0 for unlimited."""
        if not self._base:
            return self._ceiling
        climbing = 0.0 if self._probing else max(0.0, now - self._since)
        limit = self._base
        if self._doubling == DOUBLING:
            limit += (self._goal - self._base) * min(climbing / REGAIN, 1.0)
            climbing = max(0.0, climbing - REGAIN)
        # A century unrefused is no overflow.
        limit *= math.pow(2.0, min(climbing / self._doubling, 64.0))
        if limit >= (self._ceiling or FORGOTTEN):
            self._base = 0.0
            return self._ceiling
        return limit

    @property
    def searching(self) -> bool:
        """Whether the carrier bears less than the ceiling, as far as is known."""
        return bool(self._base)

    def room(self, now: float) -> int:
        """Parts that may be sent at once."""
        if now < self._paused_until or (self._probing and now < self._asked_until):
            return 0
        limit = self.limit(now)
        if limit != self._bucket.rate:
            self._bucket.change(limit, limit * BURST, now)
        available = self._bucket.available(now)
        if available <= 0:
            self._short = True
        return min(available, 1) if self._probing else available

    @property
    def passed(self) -> int:
        """Parts that were ever sent within a rate."""
        return self._bucket.passed

    def was_short(self) -> bool:
        """Whether `room` was asked for since this was, and there was none within the rate."""
        short, self._short = self._short, False
        return short

    def ready_at(self, now: float) -> float:
        """When time alone will give room; ``now`` where it has."""
        asked = self._asked_until if self._probing else now
        return max(self._paused_until, asked, self._bucket.ready_at(now))

    def sent(self, parts: int, now: float) -> None:
        """So many parts were sent."""
        self._bucket.take(parts, now)
        if self._probing:
            self._asked_until = now + self._length

    # --- what the carrier says ---

    def taken(self, parts: int, now: float) -> None:
        """The carrier was not too busy for so many parts (call once per batch of responses)."""
        slots = self._slots
        if slots and now < slots[-1][0]:
            slots.clear()
        if not slots or now - slots[-1][0] >= SECOND / SLOTS:
            slots.append((now, self._total))
            if len(slots) > SLOTS:
                slots.popleft()
        self._total += parts
        if self._probing:
            self._probing = False
            self._again = 0
            self._since = max(now, self._paused_until)
            # What was saved up meanwhile is not sent at once, but at the limit's pace.
            self._bucket.take(max(0, self._bucket.available(now)), now)

    def refused(self, now: float, pause: float = PAUSE) -> None:
        """The carrier refused parts for going too fast; ``pause`` is how long to wait at first."""
        fresh = self._total > self._seen
        if not 0.0 <= now - self._refused_at < SECOND:
            self._marked_at, self._marked_total = now, self._total
            self._cut(now)
        elif fresh:
            self._measure(now)
        if now >= self._paused_until:
            self._again = 1 if fresh else self._again + 1
            self._length = min(pause * self._again, max(pause, LONGEST_PAUSE))
            self._paused_until = now + self._length
        self._refused_at, self._seen, self._probing = now, self._total, True

    def _cut(self, now: float) -> None:
        """It refuses for the first time in a while: how much it takes is not sure yet."""
        limit, taken = self.limit(now), self._taken_since(now - SECOND) / SECOND
        if not limit:
            self._base = max(SEARCH_FROM, taken * SHARPEST)
            self._goal, self._doubling = 0.0, SEARCH_DOUBLING
        elif taken < limit * SHARPEST and not self._is_known(taken):
            self._base, self._goal = max(LEAST, limit * SHARPEST), limit
            self._doubling = QUICK_DOUBLING
        else:
            self._hold(min(limit, taken), now)

    def _measure(self, now: float) -> None:
        """Hold to what was taken since the first refusal of this shortage, and one part more for
        what was left then."""
        since = max(now - SECOND, self._marked_at)
        taken, seconds = self._taken_since(since) + 1, now - since
        if seconds >= (TELLING_SOON if taken > TELLING else TELLING_AFTER):
            # No more than was sent; where nothing limited that, it is not known.
            most = max(self.limit(now), self._goal) or math.inf
            self._hold(min(most, taken / seconds), now)

    def _hold(self, rate: float, now: float) -> None:
        """Hold to a rate: for some time where the same was measured before."""
        if not 0.0 <= now - self._measured_at < CONFIRMED_AFTER:
            self._doubling = DOUBLING if self._is_known(rate) else QUICK_DOUBLING
            self._measured_at = now
        self._measured = rate
        self._goal = max(LEAST, rate)
        self._base = max(LEAST, rate * MARGIN)

    def _is_known(self, rate: float) -> bool:
        return abs(rate - self._measured) < ALIKE * self._measured

    def _taken_since(self, moment: float) -> int:
        """Parts that were taken since a moment, a second ago at most."""
        if moment == self._marked_at:
            return self._total - self._marked_total
        return self._total - next(
            (before for at, before in self._slots if at >= moment), self._total
        )
