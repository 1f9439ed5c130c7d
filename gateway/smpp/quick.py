"""Reads at once, from the frame, the two PDUs that come for nearly every part: the response that
takes it, and the receipt that says it is delivered, in the form of the book.

Nothing here decides anything: what is not exactly of this form is left to `gateway.smpp.pdu` and
`gateway.smpp.receipts`, which read all that is read here too, and read it alike.
"""

import re
from typing import Final

from gateway.smpp.pdu import HEADER

Told = tuple[str, str, str, str]
"""What a receipt tells: the source and destination addresses of its PDU, the carrier's message id,
and the word for the state."""

_ID_MAX: Final = HEADER.size + 65
"""Octets of a submit_sm_resp with the longest message_id."""


def taken_id(frame: bytes) -> str | None:
    """The message_id of a submit_sm_resp with nothing else in its body; None where there is more,
    or less."""
    if frame.find(0, HEADER.size) != len(frame) - 1 or len(frame) > _ID_MAX:
        return None
    return frame[HEADER.size : -1].decode("latin-1")


# service_type, source, destination; esm_class of a receipt, protocol_id, priority, no times; what
# is to be registered or replaced, a data_coding of plain octets, sm_length; the text. ADDRESS has
# a type and a plan in front, a VALUE is what `receipts` takes for one.
_receipt = re.compile(
    r"[^\0]{0,5}\0ADDRESS\0ADDRESS\0\x04..\0\0..[\0\x01\x03].(.)id:(VALUE) "
    r"(?:sub:VALUE dlvrd:VALUE )?+submit date:VALUE done date:VALUE stat:(VALUE) err:VALUE"
    r"(?: [tT]ext:.*)?+".replace("VALUE", r"[!-+\--:<-\xff]++").replace(
        "ADDRESS", r"[^0-9A-Za-z]{2}([^\0-\x1f]{0,20})"
    ),
    re.DOTALL,
).fullmatch
_SIZE: Final = 3  # the group of sm_length


def told(frame: bytes) -> Told | None:
    """What a deliver_sm tells that is a receipt in canonical form and nothing else."""
    match = _receipt(frame.decode("latin-1"), HEADER.size)
    if match is None or frame[match.start(_SIZE)] != len(frame) - match.end(_SIZE):
        return None
    source, destination, _, ref, word = match.groups()
    return source, destination, ref, word
