"""Phones that texts do not reach: what is kept of them, and when they count as unreachable.

How many failures in what time say so is the caller's to know and comes with each `Strike`; this
module, shared by all engines, adds one to what is known. A phone is known by the number that stands
for it, to each tenant by itself.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

MOST: Final = 16
"""Failures of a phone that are remembered: more never decide."""


class Strike(NamedTuple):
    """A text did not reach a phone.

    Attributes:
        tenant: whose text it was.
        number: in any spelling of the phone.
        at: Unix seconds.
        failures: how many of them, this one among them, make the phone unreachable.
        within: the seconds in which they are to fall.
        keep: for how many seconds after this one it is unreachable then.
    """

    tenant: str
    number: str
    at: float
    failures: int
    within: float
    keep: float


class Failing(NamedTuple):
    """What is known of a phone.

    Attributes:
        times: of the latest failures, in order.
        until: until when it is unreachable; 0 where it is not.
        expires: when nothing of this matters any more.
    """

    times: tuple[float, ...] = ()
    until: float = 0.0
    expires: float = 0.0


def struck(known: Failing, strike: Strike) -> Failing:
    """What is known after one more failure."""
    since = strike.at - strike.within
    times = (*(at for at in known.times if at > since), strike.at)[-MOST:]
    until = known.until
    if len(times) >= strike.failures:
        until = max(until, strike.at + strike.keep)
    return Failing(times, until, max(known.expires, until, strike.at + strike.within))


def after(known: Failing, strikes: Sequence[Strike]) -> Failing:
    """What is known after several."""
    for strike in strikes:
        known = struck(known, strike)
    return known
