"""What rules need to know of a batch beyond its messages, and who is asked for it. Pure types.

Rules say what they want, once, when a tenant's policy is built; dispatch asks the store for it in
one call for a whole batch; rules find it in `Facts`. What nobody wants is not asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

Want = Literal["optouts", "withdrawals", "consents", "uses", "unreachable", "spent"]
"""What the store can be asked for: who is opted out, of all or of some purposes; what for phones
gave their consent; which messages count against caps; which phones texts do not reach; what the
tenant has spent."""

Wants = frozenset[Want]

NOTHING: Final[Wants] = frozenset()
OPTOUTS: Final[Wants] = frozenset({"optouts"})
WITHDRAWALS: Final[Wants] = frozenset({"withdrawals"})
CONSENTS: Final[Wants] = frozenset({"consents"})
USES: Final[Wants] = frozenset({"uses"})
UNREACHABLE: Final[Wants] = frozenset({"unreachable"})
SPENT: Final[Wants] = frozenset({"spent"})


class Use(NamedTuple):
    """A message that counts against the frequency caps of a phone.

    Attributes:
        mark: names what the message counts as (`gateway.policy.frequency`).
        at: when it was sent or, before that, the moment for which it was accepted.
        message: its number.
        sent: a carrier has it; else it was accepted and may go at any moment.
    """

    mark: int
    at: float
    message: int
    sent: bool


class Facts(msgspec.Struct, frozen=True):
    """What is known of the recipients of a batch, and of the tenant whose it is. What was not asked
    for is empty.

    Attributes:
        opted_out: the recipients that are opted out.
        withdrawn: by recipient, the purposes for which it wants no texts of this tenant.
        consents: by recipient, the purposes for which it gave its consent to this tenant.
        uses: by phone (`gateway.numbers.canonical`), the tenant's messages to it that count.
        unreachable: until when texts of this tenant do not reach recipients, where that is so.
        rooms: by range of numbers, how many one-time passwords more are nothing unusual there; only
            of ranges that are watched.
        queued: messages without an outcome that the tenant has before this batch.
        spent: what the tenant's accounts have come to (`gateway.message.Charge`).
    """

    opted_out: frozenset[str] | set[str] = frozenset()
    withdrawn: Mapping[str, frozenset[str]] = {}
    consents: Mapping[str, frozenset[str]] = {}
    uses: Mapping[str, Sequence[Use]] = {}
    unreachable: Mapping[str, float] = {}
    rooms: Mapping[str, int] = {}
    queued: int = 0
    spent: Mapping[str, int] = {}


NO_FACTS: Final = Facts()
