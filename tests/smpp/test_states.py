"""Every row of the table, by what a session does in that state."""

from itertools import product

import pytest

from gateway.errors import LocalProtocolError
from gateway.smpp import pdu as p
from gateway.smpp.events import Strange
from gateway.smpp.framing import Splitter
from gateway.smpp.options import BindOptions, Mode, SessionOptions
from gateway.smpp.session import Session
from gateway.smpp.states import ANSWERS, BOUND, SPOKEN, TABLE, Role, State


def kinds(data: bytes) -> list[tuple[str, int, int]]:
    packets = [p.decode(frame) for frame in Splitter().feed(data)]
    return [(type(k.pdu).__name__, k.sequence, k.status) for k in packets]


def _in_state(role: Role, state: State) -> Session:
    bind = {s: k for k, s in BOUND.items()}.get(state, p.BindTransceiver)
    modes: dict[type[p.Pdu], Mode] = {
        p.BindReceiver: "receiver",
        p.BindTransmitter: "transmitter",
        p.BindTransceiver: "transceiver",
    }
    options: dict[Role, SessionOptions] = {
        "esme": BindOptions(host="h", port=1, mode=modes[bind]),
        "smsc": SessionOptions(),
    }
    session = Session(role, options[role], 0.0)
    if state is State.OPEN:
        return session
    if state is State.CLOSED:
        session.close()
        return session
    if role == "smsc":
        session.receive(p.encode(bind(), 1), 0.0)
        if state is not State.BINDING:
            session.answer_bind(0)
    else:
        session.bind(0.0)
        if state is not State.BINDING:
            session.receive(p.encode(ANSWERS[bind], 1), 0.0)
    if state is State.UNBINDING:
        session.unbind(0.0)
    if state is State.PARTING:
        request = p.DeliverSm() if role == "smsc" else p.SubmitSm()
        session.submit([(request, "under way")], 0.0)
        session.receive(p.encode(p.Unbind(), 500), 0.0)
    session.data_to_send()
    assert session.state is state
    return session


ROWS = list(product(TABLE, State))
ROW_IDS = [f"{role}-{state.name}" for role, state in ROWS]
SENT_BY_CALLER: list[type[p.Pdu]] = [p.SubmitSm, p.DeliverSm, p.DataSm]


@pytest.mark.parametrize(("role", "state"), ROWS, ids=ROW_IDS)
@pytest.mark.parametrize("kind", [kind for kind in p.TYPES if kind in SPOKEN])
def test_what_a_row_does_not_list_is_not_acted_upon(
    role: Role, state: State, kind: type[p.Pdu]
) -> None:
    session = _in_state(role, state)
    happened = session.receive(p.encode(kind(), 600), 1.0)
    sent = kinds(session.data_to_send())
    if state is State.CLOSED:
        assert (happened, sent) == ([], [])
    elif kind in TABLE[role][state].receives:
        assert not [s for _, _, s in sent if s]
        assert Strange("wrong_state", 1) not in happened
    else:
        assert happened == [Strange("wrong_state", 1)]
        assert session.state is state
        refusal = [(type(ANSWERS[kind]).__name__, 600, 4)] if kind in ANSWERS else []
        assert sent == refusal


@pytest.mark.parametrize(("role", "state"), ROWS, ids=ROW_IDS)
def test_only_what_a_row_lists_can_be_sent(role: Role, state: State) -> None:
    sends = TABLE[role][state].sends
    for kind in SENT_BY_CALLER:
        session = _in_state(role, state)
        if kind in sends:
            assert kinds(session.submit([(kind(), "c")], 0.0))
        else:
            with pytest.raises(LocalProtocolError, match="may not be sent while"):
                session.submit([(kind(), "c")], 0.0)
        response = ANSWERS[kind]
        session = _in_state(role, state)
        if type(response) in sends:
            assert kinds(session.answer([1], response))
        else:
            with pytest.raises(LocalProtocolError, match="may not be sent while"):
                session.answer([1], response)
    assert bool(_in_state(role, state).room) == bool({p.SubmitSm, p.DeliverSm} & sends)
    if p.Unbind in sends:
        assert _in_state(role, state).unbind(0.0)
    else:
        with pytest.raises(LocalProtocolError, match="Unbind may not be sent while"):
            _in_state(role, state).unbind(0.0)


def test_what_one_end_may_send_the_other_may_receive() -> None:
    both = [State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX]
    agree = frozenset({p.UnbindResp})  # sent on the way out of the state
    for state in both:
        ours, theirs = TABLE["esme"][state], TABLE["smsc"][state]
        assert ours.sends - agree <= theirs.receives
        assert theirs.sends - agree <= ours.receives
