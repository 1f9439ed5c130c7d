"""From what became of a message to the one event that tells its tenant.

Tables say which outcome a receipt's state stands for; the functions build events.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.dispatch.carriers.flights import Reason
from gateway.dispatch.settling.long_receipts import came, real
from gateway.message import Event, Message, Outcome, message_id
from gateway.queue.parts import AWAITED, States
from gateway.smpp.receipt_states import STATS
from gateway.smpp.status import status_name
from gateway.text.errors import TextError

ENROUTE, DELIVERED, EXPIRED, DELETED, UNDELIVERABLE = 1, 2, 3, 4, 5
ACCEPTED, UNKNOWN, REJECTED, SKIPPED = 6, 7, 8, 9

FINAL_STATES: Final[dict[int, Outcome]] = {
    DELIVERED: "delivered",
    EXPIRED: "expired",
    DELETED: "failed",
    UNDELIVERABLE: "failed",
    REJECTED: "failed",
    SKIPPED: "failed",
}
"""The receipts that end a part (SMPP message_state, field facts B). The others are on the way;
ACCEPTED is final only where a carrier's configuration says so."""


GOOD: Final = bytes((DELIVERED, ACCEPTED))
"""The states of a part that is with the recipient; ACCEPTED counts where it is final at all."""


def event(
    message: Message,
    outcome: Outcome,
    at: float,
    code: str | None = None,
    detail: dict[str, Any] | None = None,
) -> Event:
    """The event that tells a message's outcome; of an answer of the gateway's own, to what."""
    if message.reply is not None:
        detail = {**(detail or {}), "reply": message.reply}
    return Event(
        outcome,
        at,
        message_id(message.id),
        message.key,
        message.to,
        None,
        message.campaign,
        message.parts,
        None,
        code,
        detail,
        message.maybe_duplicate,
        message.variant,
    )


def sent(message: Message, carrier: str, at: float) -> Event:
    """The carrier has the message, and no receipt was asked for."""
    return event(message, "sent", at, detail={"carrier": carrier, "sent_at": at})


def refused_by_carrier(message: Message, carrier: str, status: int, taken: int, at: float) -> Event:
    """The carrier, and every other one of the route, refused the message."""
    detail: dict[str, Any] = {"carrier": carrier, "smpp_status": status_name(status)}
    if message.parts > 1:
        detail["parts_taken"] = taken
    return event(message, "failed", at, "carrier_refused", detail)


def unanswered(message: Message, carrier: str, at: float) -> Event:
    """The carrier never said whether it took the message."""
    detail = {"carrier": carrier, "reason": "no response"}
    return event(message, "unknown", at, "no_response", detail)


def unencodable(message: Message, carrier: str, error: Exception, at: float) -> Event:
    """No PDU can be made of the message for this carrier."""
    code = error.code if isinstance(error, TextError) else "unencodable"
    return event(message, "failed", at, code, {"carrier": carrier, "reason": str(error)})


def delivered(message: Message, carrier: str | None, sent_at: float | None, at: float) -> Event:
    """Every part is with the recipient. ``carrier`` has the message since ``sent_at``, both None
    where that is not known."""
    detail = {} if carrier is None else {"carrier": carrier, "sent_at": sent_at}
    return event(message, "delivered", at, None, detail)


def by_receipts(
    message: Message,
    carrier: str | None,
    sent_at: float | None,
    states: States,
    reasons: Mapping[int, Reason] | None,
    at: float,
) -> Event:
    """Receipts decide: delivered if all parts are, else failed, or expired if that is all that
    went wrong. A state of 0 is a part without a receipt, which does not hold up a failure.
    ``reasons`` are by the state that they are the reason of; ``carrier`` has the message since
    ``sent_at``, both None where that is not known."""
    if len(states) > 1:
        states = real(states)
    if not states.strip(GOOD):
        return delivered(message, carrier, sent_at, at)
    detail: dict[str, Any] = {}
    if carrier is not None:
        detail = {"carrier": carrier, "sent_at": sent_at}
    missing = [state for state in states if state not in GOOD]
    worst = next((state for state in missing if state not in (0, EXPIRED)), EXPIRED)
    reason = reasons.get(worst, _NO_REASON) if reasons else _NO_REASON
    detail["receipt_state"] = reason.word or STATS[worst]
    if reason.error is not None:
        detail["receipt_error"] = reason.error
    if reason.network_error is not None:
        detail["network_error"] = "{}:{}".format(*reason.network_error)
    if len(states) > 1:
        detail["parts_delivered"] = len(states) - len(missing)
    outcome = FINAL_STATES[worst]
    return event(message, outcome, at, "expired" if outcome == "expired" else "undelivered", detail)


_NO_REASON: Final = Reason()


def without_receipts(message: Message, states: States, at: float) -> Event:
    """The deadline has passed and not every part has its receipt, or several nodes have heard them
    all together."""
    known = real(states)
    if known.strip(b"\0" + GOOD) or AWAITED.isdisjoint(states):
        return by_receipts(message, None, None, states, None, at)
    detail = {"parts_delivered": came(states)} if len(states) > 1 else None
    return event(message, "unknown", at, "no_receipt", detail)
