"""An SMPP session without I/O: octets in, events and octets out, at either end of the link.

`Session.receive` and `Session.tick` say what happened; `bind`, `submit`, `answer` and `unbind`
return the octets to write. What the protocol owes by itself, such as an enquire_link_resp, is had
from `data_to_send` after each `receive` and `tick`. ``now`` is in seconds on whatever clock the
caller keeps to. Not here: connecting, trying again, and what a message is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, cast

import msgspec

from gateway.errors import LocalProtocolError
from gateway.smpp import events, quick, states
from gateway.smpp.framing import BadLengthError, Splitter
from gateway.smpp.options import BindOptions, Mode, SessionOptions
from gateway.smpp.pdu import (
    HEADER,
    RESPONSE,
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
    Encoded,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Packet,
    Pdu,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    decode,
    encode,
    encoded,
)
from gateway.smpp.states import Role, State
from gateway.smpp.status import Status
from gateway.smpp.tlv import SC_INTERFACE_VERSION
from gateway.smpp.window import Window

MAX_UNANSWERED: Final = 1000
"""Deliveries that may await their answer; past it, the caller must not read on. Carriers' own
windows are far smaller, so only one that keeps to none is ever held up."""

UNBIND_TIMEOUT: Final = 5.0
"""How long to wait for the answer to an unbind, in seconds: nothing is lost without it."""

PARTING: Final = 2.0
"""Seconds after the peer's unbind in which answers may still come and go: what was sent just before
it has its answer by then. What has none is as if the connection were lost."""

_BINDS: Final[dict[Mode, type[BindTransmitter | BindReceiver | BindTransceiver]]] = {
    "transmitter": BindTransmitter,
    "receiver": BindReceiver,
    "transceiver": BindTransceiver,
}

_QUICK: Final = frozenset({SubmitSmResp.command_id, DeliverSm.command_id})
"""The PDUs that `quick` may read."""

_Handler = Callable[["Session", Packet], None]


class Session:
    """One SMPP session over one connection.

    Attributes:
        number: tells this session from others; its deliveries bear it.
        state: where the session stands.
        unanswered: requests of the peer that were reported and not yet answered; see
            `MAX_UNANSWERED`.
    """

    def __init__(self, role: Role, options: SessionOptions, now: float, number: int = 0) -> None:
        """An ESME needs `BindOptions`. ``now`` is when the connection was made."""
        self.number = number
        self.unanswered = 0
        self._role: Role = role
        self._options = options
        self._window = Window(options.window)
        self._splitter = Splitter()
        self._owed: list[bytes] = []
        self._bind: type[Pdu] = BindTransceiver  # what was asked for, by us or by the peer
        self._handshake = 0  # the sequence number of the bind or unbind under way; 0 for none
        self._handshake_by = now + options.session_init_timeout
        self._heard_at = now
        self._enquire_at = math.inf
        self._enquired_at: float | None = None  # since when nothing was heard after we asked
        self._news = events.News()
        self._enter(State.OPEN)

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def bound(self) -> bool:
        """Whether the peer took our bind, or we its, and neither has asked to end it."""
        return Unbind in self._row.sends

    @property
    def parting(self) -> bool:
        """Whether the peer has asked to end it, and answers are still on their way."""
        return self.state is State.PARTING

    @property
    def room(self) -> int:
        """How many requests `submit` takes now; 0 where the state allows none."""
        return self._window.room if self._row.sends & states.REQUESTS else 0

    @property
    def buffered(self) -> int:
        """Octets of a PDU that is not complete yet."""
        return self._splitter.buffered

    @property
    def in_use(self) -> int:
        """How many requests of ours are unanswered."""
        return len(self._window)

    @property
    def submitted(self) -> list[object]:
        """What was submitted with the requests of ours that are unanswered."""
        return self._window.contexts()

    def _enter(self, state: State) -> None:
        self.state = state
        self._row = states.TABLE[self._role][state]
        handled = self._HANDLED[self._role]
        self._handlers = {kind.command_id: handled[kind] for kind in self._row.receives}

    def bind(self, now: float) -> bytes:
        """Ask to be bound, as the options say. `Bound`, `BindRefused` or `Dead` follows."""
        options = self._options
        if not isinstance(options, BindOptions):
            raise LocalProtocolError("only an ESME with BindOptions can bind")
        request = _BINDS[options.mode](
            system_id=options.system_id,
            password=options.password,
            system_type=options.system_type,
            interface_version=options.interface_version,
            addr_ton=options.addr_ton,
            addr_npi=options.addr_npi,
            address_range=options.address_range,
        )
        frame = self._begin(request)
        self._bind = type(request)
        self._handshake_by = now + options.session_init_timeout
        self._enter(State.BINDING)
        return frame

    def unbind(self, now: float) -> bytes:
        """Ask to end the session. Nothing may be submitted from then on, but what was received may
        still be answered. `Unbound` or `Dead` follows."""
        frame = self._begin(Unbind())
        self._handshake_by = now + UNBIND_TIMEOUT
        self._enter(State.UNBINDING)
        return frame

    def _begin(self, request: Pdu) -> bytes:
        self._check(type(request))
        (self._handshake,) = self._window.sequences(1)
        return encode(request, self._handshake)

    def submit(self, requests: Sequence[tuple[Pdu | Encoded, object]], now: float) -> bytes:
        """Send requests, each with a context to come back with its answer: submit_sm and data_sm
        at an ESME, deliver_sm and data_sm at an SMSC. They go out together, in order.

        Raises LocalProtocolError, and sends none, where there is not room for all, where the state
        forbids one of them, or where a field does not fit.
        """
        sequences = self._window.sequences(len(requests))
        made = [pdu if isinstance(pdu, Encoded) else encoded(pdu) for pdu, _ in requests]
        for kind in {one.kind for one in made}:
            if kind not in self._row.sends & states.REQUESTS:
                raise self._forbidden(kind)
        self._window.add(sequences, [context for _, context in requests], now)
        return b"".join([one.numbered(number) for one, number in zip(made, sequences, strict=True)])

    def answer(self, sequences: Sequence[int], response: Pdu, status: int = 0) -> bytes:
        """Answer requests of the peer, by their sequence numbers, with the same response.

        Raises LocalProtocolError where the state forbids it.
        """
        self._check(type(response))
        answer = encoded(response, status)
        self.unanswered -= len(sequences)
        return b"".join([answer.numbered(sequence) for sequence in sequences])

    def answer_bind(self, status: int) -> bytes:
        """At an SMSC, answer a `BindRequest`. Unless ``status`` is 0 the session is closed."""
        options = self._options
        response = msgspec.structs.replace(
            states.ANSWERS[self._bind],
            system_id=options.system_id,
            tlvs=(SC_INTERFACE_VERSION.of(options.interface_version),),
        )
        self._check(type(response))
        frame = encode(response, self._handshake, status)
        self._enter_bound()
        if status:
            self._enter(State.CLOSED)
        return frame

    def _check(self, kind: type[Pdu]) -> None:
        if kind not in self._row.sends:
            raise self._forbidden(kind)

    def _forbidden(self, kind: type[Pdu]) -> LocalProtocolError:
        return LocalProtocolError(f"{kind.__name__} may not be sent while {self.state.value}")

    def data_to_send(self) -> bytes:
        """Take what the protocol owes the peer; often nothing."""
        owed, self._owed = self._owed, []
        return b"".join(owed)

    def close(self) -> list[object]:
        """End the session without a word to the peer.

        Returns:
            the contexts of the requests that were never answered, in order of submission. Whether
            the peer acted on them is not known.
        """
        self._enter(State.CLOSED)
        return self._window.clear()

    def next_wakeup(self, *, patient: bool = False) -> float:
        """When `tick` is to be called unless something is received or sent before."""
        if self.closed:
            return math.inf
        if patient:
            return self._enquire_at if self.bound else math.inf
        if self.parting and not self._under_way:
            return -math.inf
        options = self._options
        oldest = self._window.oldest()
        return min(
            self._handshake_by,
            self._enquiry_by(),
            math.inf if oldest is None else oldest + options.response_timeout,
        )

    def tick(self, now: float, *, patient: bool = False) -> list[events.SessionEvent]:
        """Let time pass: ask whether the peer is there, give up what has waited too long; the
        latter not where ``patient``, since nobody has been reading what may be there."""
        if self.closed:
            return []
        if not patient:
            self._give_up(now)
        if self.bound and now >= self._enquire_at and (patient or self._enquired_at is None):
            self._enquire_at = now + self._options.enquire_link
            if self._enquired_at is None:
                self._enquired_at = now
            self._owe(EnquireLink(), *self._window.sequences(1))
        return self._news.take()

    def _give_up(self, now: float) -> None:
        late = self._window.overdue(now, self._options.response_timeout)
        if late:
            self._news.add(events.TimedOut(late))
        if self.parting and (now >= self._handshake_by or not self._under_way):
            self._close_with(events.Unbound())
        elif now >= self._handshake_by:
            self._close_with(events.Dead(f"no answer in time while {self.state.value}"))
        elif self._enquired_at is not None and now >= self._enquiry_by():
            self._close_with(events.Dead("enquire_link unanswered"))

    def _enquiry_by(self) -> float:
        """When to ask whether the peer is there or, if it was asked, to give it up."""
        if not self.bound:
            return math.inf
        if self._enquired_at is not None:
            return self._enquired_at + self._options.response_timeout
        return self._enquire_at

    @property
    def _under_way(self) -> bool:
        """Whether either side waits for answers of the other."""
        return bool(self._window) or self.unanswered > 0

    def receive(self, data: bytes, now: float) -> list[events.SessionEvent]:
        """What the peer sent says, as events in order. Whatever it is, nothing is raised."""
        if self.closed:
            return []
        # Anything that is heard is a sign of life, the answer to an enquire_link or not.
        self._heard_at = now
        self._enquired_at = None
        bad_length = None
        try:
            frames = self._splitter.feed(data)
        except BadLengthError as error:
            bad_length, frames = error, error.frames
        unexpected = Session._on_unexpected
        for frame in frames:
            _, command_id, status, sequence = HEADER.unpack_from(frame)
            if command_id in _QUICK and command_id in self._handlers:  # as most are
                if command_id == DeliverSm.command_id:
                    told = quick.told(frame)
                    if told is not None:
                        self._delivered(sequence, frame, told)
                        continue
                elif not status:
                    message_id = quick.taken_id(frame)
                    if message_id is not None:
                        self._answered(sequence, status, message_id)
                        continue
            packet = decode(frame)
            if packet.odd:
                self._news.note(packet.odd)
            self._handlers.get(command_id, unexpected)(self, packet)
        if bad_length and not self.closed:
            self._owe(GenericNack(), 0, Status.ESME_RINVCMDLEN)
            self._close_with(events.Dead(str(bad_length)))
        if self.parting and not self._under_way:
            self._close_with(events.Unbound())
        return self._news.take()

    def _close_with(self, event: events.SessionEvent) -> None:
        self._news.add(event)
        self._enter(State.CLOSED)

    def _owe(self, pdu: Pdu, sequence: int, status: int = 0) -> None:
        self._owed.append(encode(pdu, sequence, status))

    def _on_response(self, packet: Packet) -> None:
        self._answered(packet.sequence, packet.status, getattr(packet.pdu, "message_id", ""))

    def _answered(self, sequence: int, status: int, message_id: str) -> None:
        entry = self._window.resolve(sequence)
        if entry is None:
            given = self._window.gave(sequence)
            self._news.strange["late_response" if given else "unknown_response"] += 1
            return
        context, sent_at = entry
        self._news.responses.append(events.Response(context, status, message_id, sent_at))

    def _on_generic_nack(self, packet: Packet) -> None:
        # It means no, whatever its status says.
        status = packet.status or Status.ESME_RUNKNOWNERR
        if not self._handshake or packet.sequence != self._handshake:
            self._on_response(msgspec.structs.replace(packet, status=status))
        elif self.state is State.BINDING:
            self._close_with(events.BindRefused(status))
        else:
            self._close_with(events.Unbound())

    def _on_delivery(self, packet: Packet) -> None:
        # As whole as it is: a carrier does not deliver it any better next time.
        self._delivered(packet.sequence, cast("DeliverSm | DataSm", packet.pdu))

    def _delivered(
        self, sequence: int, content: DeliverSm | DataSm | bytes, told: quick.Told | None = None
    ) -> None:
        self.unanswered += 1
        self._news.deliveries.append(events.Delivery(sequence, content, self.number, told))

    def _on_request(self, packet: Packet) -> None:
        if self._refused(packet):
            return
        self.unanswered += 1
        self._news.requests.append(events.Request(packet.sequence, cast("Pdu", packet.pdu)))

    def _refused(self, packet: Packet) -> bool:
        """Refuse what breaks its layout, as SMSCs do: whoever wrote it is to mend it."""
        if not packet.broken:
            return False
        self._news.strange["unparsed_request"] += 1
        answer = states.ANSWERS[states.KINDS[packet.command_id]]
        self._owe(answer, packet.sequence, Status.ESME_RINVCMDLEN)
        return True

    def _on_bind(self, packet: Packet) -> None:
        if self._refused(packet):
            return
        pdu = cast("Pdu", packet.pdu)
        self._bind = type(pdu)
        self._handshake = packet.sequence
        self._enter(State.BINDING)
        self._news.add(events.BindRequest(pdu))

    def _on_bind_resp(self, packet: Packet) -> None:
        # Carriers say "already bound" of a bind that they do take (as Kannel's sources know).
        if packet.status not in (Status.ESME_ROK, Status.ESME_RALYBND):
            self._close_with(events.BindRefused(packet.status))
            return
        self._enter_bound()
        version = SC_INTERFACE_VERSION.get(getattr(packet.pdu, "tlvs", ()))
        already = packet.status == Status.ESME_RALYBND
        self._news.add(events.Bound(getattr(packet.pdu, "system_id", ""), version, already))

    def _enter_bound(self) -> None:
        self._handshake = 0
        self._handshake_by = math.inf
        self._enquire_at = self._heard_at + self._options.enquire_link
        self._enter(states.BOUND[self._bind])

    def _on_enquire_link(self, packet: Packet) -> None:
        self._owe(EnquireLinkResp(), packet.sequence)

    def _on_unbind(self, packet: Packet) -> None:
        self._owe(UnbindResp(), packet.sequence)
        if not self.parting:
            self._handshake = 0
            self._handshake_by = self._heard_at + PARTING
            self._enter(State.PARTING)

    def _on_unbind_resp(self, _: Packet) -> None:
        self._close_with(events.Unbound())

    def _on_no_concern(self, _: Packet) -> None: ...

    def _on_unexpected(self, packet: Packet) -> None:
        if self.closed:
            return  # it came together with what closed the session
        kind = states.KINDS.get(packet.command_id)
        known = kind in states.SPOKEN
        self._news.strange["wrong_state" if known else "unknown_command"] += 1
        if packet.command_id & RESPONSE:
            return  # an answer is never answered
        if not known:
            self._owe(GenericNack(), packet.sequence, Status.ESME_RINVCMDID)
        elif kind in states.ANSWERS:
            self._owe(states.ANSWERS[kind], packet.sequence, Status.ESME_RINVBNDSTS)

    _COMMON: ClassVar[Mapping[type[Pdu], _Handler]] = {
        AlertNotification: _on_no_concern,
        EnquireLink: _on_enquire_link,
        EnquireLinkResp: _on_no_concern,
        GenericNack: _on_generic_nack,
        Unbind: _on_unbind,
        UnbindResp: _on_unbind_resp,
    }
    _HANDLED: ClassVar[Mapping[Role, Mapping[type[Pdu], _Handler]]] = {
        "esme": {
            **_COMMON,
            **dict.fromkeys(states.BIND_RESP, _on_bind_resp),
            **dict.fromkeys(states.UP_RESP, _on_response),
            **dict.fromkeys(states.DOWN, _on_delivery),
        },
        "smsc": {
            **_COMMON,
            **dict.fromkeys(states.BOUND, _on_bind),
            **dict.fromkeys(states.DOWN_RESP, _on_response),
            **dict.fromkeys(states.UP, _on_request),
        },
    }
