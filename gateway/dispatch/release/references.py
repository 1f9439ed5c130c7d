"""Gives long messages the numbers by which a phone tells whose parts are whose.

Each recipient has its own row of numbers, so that one comes again after all the others to the same
phone, and not after as many messages to everybody, which takes a few seconds.
"""

from collections import OrderedDict
from itertools import islice
from typing import Final

RECIPIENTS = 100_000
"""Recipients that are remembered in either row, the latest: about 10 MB, and 25 for the short one.
A recipient that was forgotten gets any number, which it had a while ago with a chance of 1 in
65,536, or 256."""

LONG: Final = 65_536
"""References of 16 bits."""

SHORT: Final = 256
"""References of 8 bits."""


class _Row:
    """The 8-bit references of one recipient: the last one, and until when those up to it are open,
    one after the other."""

    __slots__ = ("last", "until")

    def __init__(self, last: int) -> None:
        self.last = last
        self.until: list[float] = []


class References:
    """The numbers that recipients have had.

    Of several nodes each gives other ones: a phone that has just come to another node has parts
    under way that this one knows nothing of.
    """

    def __init__(self, first: int, node: int = 0, nodes: int = 1) -> None:
        self._node, self._nodes = node, nodes
        self._long, self._short = LONG // nodes, SHORT // nodes
        self._fresh = first
        self._last: OrderedDict[str, int] = OrderedDict()
        self._rows: OrderedDict[str, _Row] = OrderedDict()

    def take(self, recipient: str) -> int:
        """A reference of 16 bits for the parts of a message."""
        last = self._last.pop(recipient, None)
        if last is None:
            self._fresh += 1
            last = self._fresh
        following = self._last[recipient] = (last + 1) % self._long
        if len(self._last) > RECIPIENTS:
            self._last.popitem(last=False)
        return following * self._nodes + self._node

    def take_short(self, recipient: str, until: float, now: float) -> int | None:
        """A reference of 8 bits, open until the carrier may deliver no part of the message any
        longer; None where every one is open to this recipient."""
        row = self._rows.pop(recipient, None)
        if row is None:
            self._fresh += 1
            row = _Row(self._fresh)
        self._rows[recipient] = row
        while row.until and row.until[0] <= now:
            del row.until[0]
        if len(row.until) == self._short:
            return None
        row.until.append(until)
        row.last = (row.last + 1) % self._short
        self._forget(now)
        return row.last * self._nodes + self._node

    def _forget(self, now: float) -> None:
        """Let go of the recipients that had theirs longest ago: two that have none open, or the one
        that is too many."""
        for recipient, row in [*islice(self._rows.items(), 2)]:
            if len(self._rows) <= RECIPIENTS and max(row.until) > now:
                break
            del self._rows[recipient]
