"""Fuzzes an SMPP session at either end: a script, read off the input, of what the peer sends and
what we do. Whatever the peer sends, the session says what happened or ends; nothing is raised,
nothing of ours is lost, and what is kept and owed stays in proportion to what was sent."""

from collections.abc import Callable
from typing import Final, get_args

from gateway.smpp import events, states
from gateway.smpp.framing import MAX_FRAME, Splitter
from gateway.smpp.options import BindOptions, Mode, SessionOptions
from gateway.smpp.pdu import HEADER, TYPES, DeliverSm, Pdu, SubmitSm, decode, encode
from gateway.smpp.session import Session
from gateway.smpp.states import Role, State
from tests.fuzz.tape import Tape

WINDOW: Final = 5
STEPS: Final = 200
"""Steps of a script that are taken: more make a run slower, not better."""

_MODES: Final[tuple[Mode, ...]] = get_args(Mode)
_EVENTS: Final = get_args(events.SessionEvent)


class Play:
    """A session and what it must have to show for what was done with it."""

    def __init__(self, role: Role, tape: Tape) -> None:
        self._tape = tape
        self._role = role
        self._now = 0.0
        self._request: Pdu = SubmitSm() if role == "esme" else DeliverSm()
        common = SessionOptions(system_id="us", window=WINDOW)
        ours = BindOptions(host="", port=0, window=WINDOW, mode=_MODES[tape.octet() % 3])
        self._session = Session(role, ours if role == "esme" else common, self._now)
        self._owed_at_most = HEADER.size  # a generic_nack to four octets that are no length
        self._submitted = 0
        self._settled: list[object] = []
        self._unanswered: list[tuple[int, Pdu]] = []
        self._steps: tuple[Callable[[], None], ...] = (
            self._octets, self._frame, self._pdu, self._wait, self._ask, self._submit, self._answer,
        )  # fmt: skip

    def run(self) -> None:
        for _ in range(STEPS):
            if self._tape.over:
                break
            self._steps[self._tape.octet() % len(self._steps)]()
        self._settled += self._session.close()
        assert sorted(map(str, self._settled)) == sorted(map(str, range(self._submitted)))

    # --- what the peer does ---

    def _octets(self) -> None:
        self._receive(self._tape.piece())

    def _frame(self) -> None:
        """A frame of a PDU that exists, with any body."""
        kind = TYPES[self._tape.octet() % len(TYPES)]
        status, sequence, body = self._tape.octet(), self._tape.octet(), self._tape.piece()
        head = HEADER.pack(HEADER.size + len(body), kind.command_id, status, sequence)
        self._receive(head + body)

    def _pdu(self) -> None:
        """A PDU that is all right, be it the time for it or not."""
        kind = TYPES[self._tape.octet() % len(TYPES)]
        self._receive(encode(kind(), self._tape.octet(), self._tape.octet() & 1))

    def _receive(self, data: bytes) -> None:
        self._owed_at_most += 2 * len(data)
        self._see(self._session.receive(data, self._now))
        assert self._session.buffered < MAX_FRAME

    # --- what we do ---

    def _wait(self) -> None:
        self._now += self._tape.octet()
        self._owed_at_most += HEADER.size  # an enquire_link
        self._see(self._session.tick(self._now))

    def _ask(self) -> None:
        """Bind, or agree to the peer's bind, or unbind: whatever there is to be done next."""
        session = self._session
        if session.bound:
            session.unbind(self._now)
        elif session.state is State.OPEN and isinstance(self._request, SubmitSm):
            session.bind(self._now)
        elif session.state is State.BINDING and not isinstance(self._request, SubmitSm):
            session.answer_bind(self._tape.octet() & 1)

    def _submit(self) -> None:
        wanted = self._tape.octet() % (WINDOW + 1)
        count = min(wanted, self._session.room)
        if type(self._request) not in states.TABLE[self._role][self._session.state].sends:
            count = 0
        first = self._submitted
        self._submitted += count
        contexts = range(first, self._submitted)
        self._session.submit([(self._request, context) for context in contexts], self._now)

    def _answer(self) -> None:
        may_send = states.TABLE[self._role][self._session.state].sends
        answers = [(number, states.ANSWERS[type(request)]) for number, request in self._unanswered]
        answers = [(number, answer) for number, answer in answers if type(answer) in may_send]
        for number, answer in answers:
            self._session.answer([number], answer)
        if answers:
            self._unanswered.clear()

    # --- what comes of it ---

    def _see(self, news: list[events.SessionEvent]) -> None:
        for event in news:
            assert isinstance(event, _EVENTS)
            match event:
                case events.Responses(responses=responses):
                    self._settled += [response.context for response in responses]
                case events.TimedOut(contexts=contexts):
                    self._settled += contexts
                case events.Deliveries(deliveries=deliveries):
                    self._unanswered += [(one.sequence, one.pdu) for one in deliveries]
                case events.Requests(requests=requests):
                    self._unanswered += [(one.sequence, one.pdu) for one in requests]
        session = self._session
        ends = (events.Dead, events.Unbound, events.BindRefused)
        assert session.closed >= any(isinstance(event, ends) for event in news)
        assert session.closed or session.unanswered == len(self._unanswered)
        assert session.in_use <= WINDOW
        owed = session.data_to_send()
        self._owed_at_most -= len(owed)
        assert self._owed_at_most >= 0
        for frame in Splitter().feed(owed):
            packet = decode(frame)
            assert isinstance(packet.pdu, Pdu)
            assert not packet.broken


def esme(data: bytes) -> None:
    """We are the client, the peer is a carrier."""
    Play("esme", Tape(data)).run()


def smsc(data: bytes) -> None:
    """We are a carrier, the peer is its client."""
    Play("smsc", Tape(data)).run()
