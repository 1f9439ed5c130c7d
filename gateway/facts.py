"""What rules need to know of a batch beyond its messages, and who is asked for it. Pure types.

Rules say what they want, once, when a tenant's policy is built; dispatch asks the store for it in
one call for a whole batch; rules find it in `Facts`. What nobody wants is not asked for.
"""

from typing import Final, Literal

import msgspec

Want = Literal["optouts"]
"""What the store can be asked for: who is opted out."""

Wants = frozenset[Want]

NOTHING: Final[Wants] = frozenset()
OPTOUTS: Final[Wants] = frozenset({"optouts"})


class Facts(msgspec.Struct, frozen=True):
    """What is known of the recipients of a batch, and of the tenant whose it is. What was not asked
    for is empty.

    Attributes:
        opted_out: the recipients that are opted out.
        queued: messages without an outcome that the tenant has before this batch.
    """

    opted_out: frozenset[str] | set[str] = frozenset()
    queued: int = 0


NO_FACTS: Final = Facts()
