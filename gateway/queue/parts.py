"""What is known of the parts of a message that a carrier has: which of them have had their receipt.

`States` have a byte for each part:

| byte | meaning |
|---|---|
| 0 | its receipt has not come |
| 1 to 9 | the message_state of its receipt |
| `SHARED` | not come either; it will bear the id of a later part |
| `NOT_OWED` | none will come |

Which parts are owed a receipt is dispatch's to say; when all of them have come, the store's: nodes
may have heard one each. Pure.
"""

from typing import Final

States = bytes | bytearray

SHARED: Final = 0xFE
NOT_OWED: Final = 0xFF

AWAITED: Final = frozenset({0, SHARED})
"""The states of parts whose receipt is still to come."""


def fill(states: bytearray, part: int, state: int) -> bool:
    """The receipt for a part has come; says whether it is the first one for it, which counts."""
    if states[part]:
        if SHARED not in states:
            return False
        part = states.index(SHARED)
    states[part] = state
    return True


def complete(states: States) -> bool:
    """Whether all receipts that are owed have come."""
    return 0 not in states and SHARED not in states
