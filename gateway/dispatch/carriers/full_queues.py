"""Whether a queue that is full (ESME_RMSGQFUL) is one phone's or that of the whole account.

A message centre keeps some messages for each phone that it cannot reach, and refuses more: that
concerns one message. Where many phones are said to have no room, and little else is taken, it is
our own queue at the carrier that has none.
"""

from collections.abc import Iterable
from typing import Final

CROWD: Final = 20
"""Phones that it takes, different ones. A campaign's share of phones that have been off for days
is below one in a hundred, and the others are taken meanwhile."""

WITHIN: Final = 5.0
"""Seconds in which they must be met, from the first one on."""


class FullQueues:
    """The phones that a carrier has lately said to have full queues."""

    def __init__(self) -> None:
        self._phones: set[str] = set()
        self._since = 0.0
        self._taken = 0

    def taken(self, parts: int) -> None:
        """The carrier took so many parts meanwhile."""
        if self._phones:
            self._taken += parts

    def met(self, phones: Iterable[str], now: float) -> bool:
        """These have no room left; says whether so many have none that it is the account: `CROWD`
        of them `WITHIN` so many seconds, and no fewer than parts were taken. They are counted anew
        then."""
        if not 0.0 <= now - self._since < WITHIN:
            self._forget(now)
        self._phones.update(phones)
        if len(self._phones) < max(CROWD, self._taken):
            return False
        self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        self._phones.clear()
        self._taken = 0
        self._since = now
