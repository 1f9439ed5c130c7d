"""Gives long messages the numbers by which a phone tells whose parts are whose."""

from collections import OrderedDict

RECIPIENTS = 100_000
"""Recipients of long messages that are remembered, the latest: about 10 MB."""


class References:
    """Numbers for long messages, 16 bits, so that a phone can tell whose parts are whose.

    Each recipient has its own row of numbers, so that one comes again after 65,536 long messages
    to the same phone and not after as many to everybody, which takes a few seconds.
    """

    def __init__(self, first: int) -> None:
        self._fresh = first
        self._last: OrderedDict[str, int] = OrderedDict()

    def take(self, recipient: str) -> int:
        """A reference for the parts of a message."""
        last = self._last.pop(recipient, None)
        if last is None:
            self._fresh += 1
            last = self._fresh
        reference = self._last[recipient] = (last + 1) & 0xFFFF
        if len(self._last) > RECIPIENTS:
            self._last.popitem(last=False)
        return reference
