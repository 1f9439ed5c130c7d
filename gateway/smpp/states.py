"""The states of an SMPP session, and the one table that says what may be sent and received in each.

            bind           bind_*_resp            unbind              unbind_resp
    OPEN ---------> BINDING ---------> BOUND_* ------------> UNBINDING ---------> CLOSED
                       |                  |    unbind from the peer                  ^
                       |                  +----------------------> PARTING ----------+
                       +-- refused -------+-- Dead, close() -------------------------+

UNBINDING is where the side that asks is. The other side agrees at once, and is PARTING while
answers are on their way. What is done about a PDU is `gateway.smpp.session`'s. Source: SMPP 3.4,
section 2.3.
"""

from enum import Enum
from typing import Final, Literal, NamedTuple

from gateway.smpp.pdu import (
    RESPONSE,
    TYPES,
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSm,
    Unbind,
    UnbindResp,
)

Role = Literal["esme", "smsc"]


class State(Enum):
    """What the two ends have agreed on. CLOSED is for good."""

    OPEN = "open"
    BINDING = "binding"
    BOUND_TX = "bound as transmitter"
    BOUND_RX = "bound as receiver"
    BOUND_TRX = "bound as transceiver"
    UNBINDING = "unbinding"
    PARTING = "unbound by the peer"
    CLOSED = "closed"


BOUND: Final[dict[type[Pdu], State]] = {
    BindTransmitter: State.BOUND_TX,
    BindReceiver: State.BOUND_RX,
    BindTransceiver: State.BOUND_TRX,
}
"""The state that each kind of bind asks for."""

KINDS: Final = {kind.command_id: kind for kind in TYPES}
"""Every known PDU by its command_id."""

ANSWERS: Final[dict[type[Pdu], Pdu]] = {
    kind: KINDS[kind.command_id | RESPONSE]()
    for kind in TYPES
    if not kind.command_id & RESPONSE and kind.command_id | RESPONSE in KINDS
}
"""The empty response to each kind of request that has one."""

Types = frozenset[type[Pdu]]


class Row(NamedTuple):
    """What one side may send in a state, and what it may receive."""

    sends: Types
    receives: Types


def _types(*kinds: type[Pdu]) -> Types:
    return frozenset(kinds)


def _answers(requests: Types) -> Types:
    return frozenset(type(ANSWERS[kind]) for kind in requests)


_BIND = frozenset(BOUND)
BIND_RESP: Final = _answers(_BIND)
UP: Final = _types(SubmitSm, DataSm)
"""What an ESME asks of an SMSC."""
UP_RESP: Final = _answers(UP)
DOWN: Final = _types(DeliverSm, DataSm)
"""What an SMSC asks of an ESME."""
DOWN_RESP: Final = _answers(DOWN)
_PROBE = _types(EnquireLink)
_REPLY = _types(EnquireLinkResp, GenericNack)
_LIVE = _PROBE | _REPLY | _types(Unbind)
_AGREE = _types(UnbindResp)
_ALERT = _types(AlertNotification)

REQUESTS: Final = UP | DOWN
"""What counts against a window and is answered by whoever uses the session."""

TABLE: Final[dict[Role, dict[State, Row]]] = {
    "esme": {
        State.OPEN: Row(_REPLY | _BIND, _PROBE),
        State.BINDING: Row(_REPLY, _PROBE | BIND_RESP | _types(GenericNack)),
        State.BOUND_TX: Row(_LIVE | _AGREE | UP, _LIVE | UP_RESP),
        State.BOUND_RX: Row(_LIVE | _AGREE | DOWN_RESP, _LIVE | DOWN | _ALERT),
        State.BOUND_TRX: Row(_LIVE | _AGREE | UP | DOWN_RESP, _LIVE | UP_RESP | DOWN | _ALERT),
        State.UNBINDING: Row(_REPLY | _AGREE | DOWN_RESP, _LIVE | _AGREE | UP_RESP | DOWN | _ALERT),
        State.PARTING: Row(_REPLY | _AGREE | DOWN_RESP, _LIVE | _AGREE | UP_RESP | DOWN | _ALERT),
        State.CLOSED: Row(_types(), _types()),
    },
    "smsc": {
        State.OPEN: Row(_REPLY, _PROBE | _BIND),
        State.BINDING: Row(_REPLY | BIND_RESP, _PROBE),
        State.BOUND_TX: Row(_LIVE | _AGREE | UP_RESP, _LIVE | UP),
        State.BOUND_RX: Row(_LIVE | _AGREE | DOWN, _LIVE | DOWN_RESP),
        State.BOUND_TRX: Row(_LIVE | _AGREE | UP_RESP | DOWN, _LIVE | UP | DOWN_RESP),
        State.UNBINDING: Row(_REPLY | _AGREE | UP_RESP, _LIVE | _AGREE | UP | DOWN_RESP),
        State.PARTING: Row(_REPLY | _AGREE | UP_RESP, _LIVE | _AGREE | UP | DOWN_RESP),
        State.CLOSED: Row(_types(), _types()),
    },
}
"""What may be sent and received, by side and state.

A request that may not be received is refused with ESME_RINVBNDSTS, one that no row lists with
ESME_RINVCMDID; a response that may not be is noted and passed over.
"""

SPOKEN: Final[Types] = frozenset().union(
    *(row.receives for rows in TABLE.values() for row in rows.values())
)
"""Every PDU that is of use in some state."""
