"""One connection to a simulated carrier as octets in and out: no sockets here.

`Peer.receive` handles all PDUs that came together; `Peer.due` gives all that is to be sent by now,
responses and deliveries. ``now`` is in seconds on any clock.
"""

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from gateway.smpp import times, tlv
from gateway.smpp.framing import BadLengthError, Splitter
from gateway.smpp.pdu import (
    HEADER,
    RESPONSE,
    TYPES,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    CancelSmResp,
    DataSmResp,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Packet,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from gateway.smpp.simulator.carrier import Account, Carrier, Delivery
from gateway.smpp.simulator.record import Recorder
from gateway.smpp.status import Status

DELIVERY_BATCH: Final = 256
"""Deliveries in one write, so that the binds of an account share them."""

RETRY_AFTER: Final = 1.0
"""When a delivery that was refused for the time being is sent again, in seconds."""

_TEMPORARY = (
    Status.ESME_RSYSERR,
    Status.ESME_RMSGQFUL,
    Status.ESME_RTHROTTLED,
    Status.ESME_RX_T_APPN,
)
_ENROUTE = 1
_KNOWN = frozenset(kind.command_id for kind in TYPES)
_BIND_RESPONSES = {
    BindReceiver.command_id: BindReceiverResp,
    BindTransmitter.command_id: BindTransmitterResp,
    BindTransceiver.command_id: BindTransceiverResp,
}


class Peer:
    """What is said on one connection.

    Attributes:
        receives: bound as receiver or transceiver.
        submits: bound as transmitter or transceiver.
        ended: nothing more is to be read; the connection closes once what is due was sent.
        dropped: the connection closes at once.
    """

    def __init__(
        self, carrier: Carrier, recorder: Recorder | None, number: int, wake: Callable[[], None]
    ) -> None:
        """``number`` is the connection's in the record; ``wake`` is called when another connection
        has made something due on this one."""
        self.receives = False
        self.submits = False
        self.ended = False
        self.dropped = False
        self.wake = wake
        self._account: Account | None = None
        self._carrier = carrier
        self._recorder = recorder
        self._number = number
        self._splitter = Splitter()
        self._heard_at = math.inf
        self._asked = False
        self._ready: list[bytes] = []
        self._later: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._sequences = count(1)
        self._unanswered: dict[int, Delivery] = {}
        self._handlers: dict[type[object], Callable[[Any, Packet, float], None]] = {
            SubmitSm: self._on_submit,
            DeliverSmResp: self._on_delivered,
            DataSmResp: self._on_delivered,
            GenericNack: self._on_delivered,
            BindReceiver: self._on_bind,
            BindTransmitter: self._on_bind,
            BindTransceiver: self._on_bind,
            QuerySm: self._on_query,
            CancelSm: self._on_cancel,
            EnquireLink: self._on_enquire_link,
            Unbind: self._on_unbind,
        }

    def leave(self, now: float) -> None:
        """Give what was delivered and not answered back to the account, for another bind."""
        if self._account is not None:
            self._account.binds.discard(self)
            for delivery in self._unanswered.values():
                self._account.add(now, delivery)
            self._account.wake()

    # Sending

    @property
    def unsent(self) -> int:
        """Responses that wait to be sent."""
        return len(self._ready) + len(self._later)

    def due(self, now: float) -> list[bytes]:
        """Take the frames that are to be sent by now; all responses where the session ended."""
        until = math.inf if self.ended else now
        frames, self._ready = self._ready, []
        if now >= self._silent_at:
            if self._asked:
                self.dropped = True
                return []
            self._asked = True
            frames.append(encode(EnquireLink(), next(self._sequences)))
        while self._later and self._later[0][0] <= until:
            frames.append(heappop(self._later)[2])
        if self._account is not None and self._room > 0 and not self.ended:
            for delivery in self._account.take_due(now, min(self._room, DELIVERY_BATCH)):
                sequence = next(self._sequences)
                self._unanswered[sequence] = delivery
                frames.append(encode(self._carrier.pdu(delivery), sequence))
        return frames

    def next_due(self) -> float:
        """When something is to be sent; never (infinity) where nothing waits."""
        if self._ready:
            return 0.0
        due = self._later[0][0] if self._later else math.inf
        due = min(due, self._silent_at)
        if self._account is not None and self._room > 0:
            due = min(due, self._account.next_due())
        return due

    @property
    def _silent_at(self) -> float:
        """When it has said nothing for so long that it is asked, or was asked in vain."""
        patience = self._carrier.options.enquire_link
        return self._heard_at + patience * (1 + self._asked) if patience else math.inf

    @property
    def _room(self) -> int:
        window = self._carrier.options.delivery_window
        return window - len(self._unanswered) if self.receives else 0

    def _answer(self, pdu: Pdu, sequence: int, status: int = 0) -> None:
        self._ready.append(encode(pdu, sequence, status))

    def _refuse(self, packet: Packet, status: int) -> None:
        self._ready.append(_refusal(packet, status))

    def _schedule(self, frame: bytes, due: float, now: float) -> None:
        if due <= now:
            self._ready.append(frame)
        else:
            heappush(self._later, (due, next(self._order), frame))

    # Receiving

    def receive(self, data: bytes, now: float) -> None:
        """Handle what came, whatever it is."""
        self._heard_at, self._asked = now, False
        bad_length = False
        try:
            frames = self._splitter.feed(data)
        except BadLengthError as error:
            frames, bad_length = error.frames, True
        for frame in frames:
            packet = decode(frame)
            handler = self._handlers.get(type(packet.pdu), self._on_other)
            if packet.broken and not packet.command_id & RESPONSE:
                handler = self._on_other  # as carriers do: whoever wrote it is to mend it
            handler(packet.pdu, packet, now)
            if self.ended or self.dropped:
                return
        if bad_length:
            self._answer(GenericNack(), 0, Status.ESME_RINVCMDLEN)
            self.ended = True
        if self._account is not None and self.submits:
            self._account.wake()  # there may be receipts

    def _on_submit(self, pdu: SubmitSm, packet: Packet, now: float) -> None:
        carrier, account = self._carrier, self._account
        if account is None or not self.submits:
            self._refuse(packet, Status.ESME_RINVBNDSTS)
            return
        if carrier.chokes(pdu):
            self.dropped = True
            return
        answer_at = carrier.answer_at(now)
        status = carrier.judge(account, now)
        carrier.submits[status] += 1
        if status:
            self._schedule(_refusal(packet, status), answer_at, now)
            return
        taken, answer_at = carrier.take(account, pdu, now, answer_at)
        if self._recorder is not None:
            self._recorder.add(taken.taken_at, account.system_id, self._number, pdu, taken.ref)
        if carrier.drops():
            self.dropped = True
            return
        for _ in range(1 + carrier.repeats()):
            self._schedule(encode(SubmitSmResp(taken.ref), packet.sequence), answer_at, now)

    def _on_delivered(self, _pdu: Pdu, packet: Packet, now: float) -> None:
        delivery = self._unanswered.pop(packet.sequence, None)
        if delivery is None or self._account is None:
            return
        if packet.status == Status.ESME_ROK:
            self._carrier.answered += 1
            return
        self._carrier.refused += 1
        if packet.status in _TEMPORARY:
            self._account.add(now + RETRY_AFTER, delivery)

    def _on_bind(
        self, pdu: BindReceiver | BindTransmitter | BindTransceiver, packet: Packet, _now: float
    ) -> None:
        if self._account is not None:
            self._refuse(packet, Status.ESME_RALYBND)
            return
        status, account = self._carrier.admit(pdu.system_id, pdu.password)
        if account is None:
            self._refuse(packet, status)
            return
        self._account = account
        self.submits = not isinstance(pdu, BindReceiver)
        self.receives = not isinstance(pdu, BindTransmitter)
        account.binds.add(self)
        response = _BIND_RESPONSES[packet.command_id](
            self._carrier.options.system_id, tlvs=(tlv.SC_INTERFACE_VERSION.of(0x34),)
        )
        self._answer(response, packet.sequence)

    def _on_query(self, pdu: QuerySm, packet: Packet, now: float) -> None:
        taken = self._carrier.find(pdu.message_id)
        if self._account is None:
            self._refuse(packet, Status.ESME_RINVBNDSTS)
        elif taken is None:
            self._refuse(packet, Status.ESME_RQUERYFAIL)
        elif self._carrier.is_done(taken, now):
            date = times.absolute(taken.done_at)
            self._answer(QuerySmResp(taken.ref, date, taken.state), packet.sequence)
        else:
            self._answer(QuerySmResp(taken.ref, "", _ENROUTE), packet.sequence)

    def _on_cancel(self, pdu: CancelSm, packet: Packet, now: float) -> None:
        if self._account is None:
            self._refuse(packet, Status.ESME_RINVBNDSTS)
        elif self._carrier.cancel(pdu.message_id, now):
            self._answer(CancelSmResp(), packet.sequence)
        else:
            self._refuse(packet, Status.ESME_RCANCELFAIL)

    def _on_enquire_link(self, _pdu: EnquireLink, packet: Packet, _now: float) -> None:
        self._answer(EnquireLinkResp(), packet.sequence)

    def _on_unbind(self, _pdu: Unbind, packet: Packet, _now: float) -> None:
        self._answer(UnbindResp(), packet.sequence)
        self.ended = True

    def _on_other(self, _pdu: object, packet: Packet, _now: float) -> None:
        if not packet.command_id & RESPONSE:
            known = packet.command_id in _KNOWN
            status = Status.ESME_RINVCMDLEN if known else Status.ESME_RINVCMDID
            self._answer(GenericNack(), packet.sequence, status)


def _refusal(packet: Packet, status: int) -> bytes:
    # A header alone, as SMPP 3.4 (4.4.2) has it for a submit_sm that failed.
    return HEADER.pack(HEADER.size, packet.command_id | RESPONSE, status, packet.sequence)
