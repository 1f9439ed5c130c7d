"""What a recipient may look like.

No judge of whether a number is in service: carriers know that. It only keeps out what no carrier
can route, before it takes room in a queue.
"""

from gateway.policy.regions import CODES


def normalise(to: str) -> str | None:
    """The digits of an E.164 number given with or without ``+``: 7 to 15 ASCII digits that begin
    with a country code. None (`invalid_recipient`) for anything else, spaces and dashes too."""
    digits = to.removeprefix("+")
    if 7 <= len(digits) <= 15 and digits.isascii() and digits.isdigit() and digits[:3] in CODES:
        return digits
    return None
