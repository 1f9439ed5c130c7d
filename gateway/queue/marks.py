"""What messages count as against frequency caps, as rows have it: eight octets for each thing."""

from collections.abc import Sequence
from struct import pack, unpack

from gateway.facts import Use
from gateway.message import Counted


def marks(counted: Sequence[Counted]) -> bytes:
    """What a message counts as."""
    return pack(f">{len(counted)}q", *[one[0] for one in counted])


def keep(counted: Sequence[Counted]) -> int:
    """For how many seconds after it was sent some cap looks at a message."""
    return max([one[1] for one in counted])


def uses(stored: bytes, at: float, message: int, sent: bool) -> list[Use]:
    """What counts of a message, by its `marks`."""
    return [Use(mark, at, message, sent) for mark in unpack(f">{len(stored) // 8}q", stored)]
