"""What happens in a session, as `gateway.smpp.session` reports it, and how it is gathered.

Responses that arrived together come as one event, and so do deliveries: whoever acts on them works
in batches.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from gateway.smpp.odd import Odd, OddKind
from gateway.smpp.pdu import DataSm, DeliverSm, Pdu, decode
from gateway.smpp.quick import Told


class Response(msgspec.Struct, frozen=True, gc=False):
    """The answer to a request of ours.

    Attributes:
        context: what came with the request when it was submitted.
        status: command_status; never 0 where the answer is a generic_nack.
        message_id: as the carrier wrote it, however long; empty where it gave none.
        sent_at: when the request was submitted.
    """

    context: Any
    status: int
    message_id: str
    sent_at: float


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A receipt or an inbound message. The carrier sends it again unless it is answered.

    Attributes:
        sequence: its sequence number, which the answer must bear.
        content: what it says: a PDU, or the frame of one where ``told`` is all of it.
        session: `Session.number` of the session that it came in; to be answered in that one only.
        told: what a receipt in the form of the book tells; None for all else.
    """

    sequence: int
    content: DeliverSm | DataSm | bytes
    session: int
    told: Told | None = None

    @property
    def pdu(self) -> DeliverSm | DataSm:
        """What it says."""
        if isinstance(self.content, bytes):
            return cast("DeliverSm", decode(self.content).pdu)
        return self.content


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request of an ESME: a submit_sm or its like, to be answered under its ``sequence``."""

    sequence: int
    pdu: Pdu


class Bound(msgspec.Struct, frozen=True):
    """Our bind was accepted.

    Attributes:
        system_id: the carrier's name for itself.
        version: the SMPP version it speaks, 0x34 for 3.4; None where it does not say.
        already: it says that we were bound before (ESME_RALYBND): most carriers take the bind even
            so, and some do not, having another session of the account.
    """

    system_id: str
    version: int | None
    already: bool = False


class BindRefused(msgspec.Struct, frozen=True):
    """Our bind was answered with this status. The session is closed."""

    status: int


class BindRequest(msgspec.Struct, frozen=True):
    """An ESME wants to bind; `Session.answer_bind` decides."""

    pdu: Pdu


class Responses(msgspec.Struct, frozen=True):
    """Answers to requests of ours, in order of arrival."""

    responses: list[Response]


class Deliveries(msgspec.Struct, frozen=True):
    """At an ESME: what the carrier delivered, in order of arrival. Each must be answered."""

    deliveries: list[Delivery]


class Requests(msgspec.Struct, frozen=True):
    """At an SMSC: what an ESME asks for, in order of arrival. Each must be answered."""

    requests: list[Request]


class TimedOut(msgspec.Struct, frozen=True):
    """Requests of ours that got no answer in time: the contexts, the oldest first. Whether the peer
    acted on them is not known. An answer that still comes is `Strange`."""

    contexts: list[object]


class Unbound(msgspec.Struct, frozen=True):
    """One side asked to end the session and the other agreed. The session is closed."""


class Dead(msgspec.Struct, frozen=True):
    """The session cannot go on, and is closed. ``reason`` is for a log."""

    reason: str


StrangeKind = (
    OddKind
    | Literal[
        "late_response", "unknown_response", "unparsed_request", "unknown_command", "wrong_state"
    ]
)


class Strange(msgspec.Struct, frozen=True):
    """What the peer should not have sent, and the session lived through.

    Attributes:
        kind: ``late_response``: to a request that was answered or given up before;
            ``unknown_response``: to none of ours; ``unparsed_request``: the body breaks its layout
            (at an SMSC, which refuses it); ``unknown_command``: no such command_id;
            ``wrong_state``: nothing to be sent in this state; else what was odd about a PDU that
            was taken for what of it is whole (`gateway.smpp.odd`).
        count: how many of the kind came together.
        where: in which PDU and field, of the first of them; nothing of its content.
    """

    kind: StrangeKind
    count: int
    where: str = ""


SessionEvent = (
    Bound
    | BindRefused
    | BindRequest
    | Responses
    | Deliveries
    | Requests
    | TimedOut
    | Unbound
    | Dead
    | Strange
)


class News:
    """Events in the making. Responses, deliveries and requests are appended one by one, strange
    things counted; `add` and `take` make events of them.

    Responses come before the deliveries that came with them: a receipt is better seen after the
    response that gave its message id.
    """

    __slots__ = ("_events", "_where", "deliveries", "requests", "responses", "strange")

    def __init__(self) -> None:
        self._events: list[SessionEvent] = []
        self.responses: list[Response] = []
        self.deliveries: list[Delivery] = []
        self.requests: list[Request] = []
        self.strange: Counter[StrangeKind] = Counter()
        self._where: dict[StrangeKind, str] = {}

    def note(self, odd: Sequence[Odd]) -> None:
        """Count what is odd about a PDU."""
        for kind, where in odd:
            self.strange[kind] += 1
            self._where.setdefault(kind, where)

    def add(self, event: SessionEvent) -> None:
        """Put an event after all that came before it."""
        self._settle()
        self._events.append(event)

    def take(self) -> list[SessionEvent]:
        """Everything since the last call."""
        self._settle()
        events, self._events = self._events, []
        if self.strange:
            events += [
                Strange(kind, count, self._where.get(kind, ""))
                for kind, count in self.strange.items()
            ]
            self.strange.clear()
            self._where.clear()
        return events

    def _settle(self) -> None:
        if self.responses:
            self._events.append(Responses(self.responses))
            self.responses = []
        if self.deliveries:
            self._events.append(Deliveries(self.deliveries))
            self.deliveries = []
        if self.requests:
            self._events.append(Requests(self.requests))
            self.requests = []
