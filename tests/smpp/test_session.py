import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LocalProtocolError
from gateway.smpp import pdu as p
from gateway.smpp import window
from gateway.smpp.events import (
    BindRefused,
    BindRequest,
    Bound,
    Dead,
    Deliveries,
    Delivery,
    Request,
    Requests,
    Response,
    Responses,
    SessionEvent,
    Strange,
    TimedOut,
    Unbound,
)
from gateway.smpp.framing import Splitter
from gateway.smpp.options import BindOptions, Mode, SessionOptions
from gateway.smpp.session import PARTING, UNBIND_TIMEOUT, Session
from gateway.smpp.states import ANSWERS, BOUND, State
from gateway.smpp.status import Status
from gateway.smpp.tlv import SC_INTERFACE_VERSION

OPTIONS = BindOptions(host="h", port=1, system_id="esme", password="secret", window=8)
SMSC = SessionOptions(system_id="smsc", window=8)
TEXT = p.SubmitSm(source_addr="10690001", destination_addr="8613800000000", short_message=b"hi")
RECEIPT = p.DeliverSm(esm_class=4, short_message=b"id:1 stat:DELIVRD")


def packets(data: bytes) -> list[p.Packet]:
    return [p.decode(frame) for frame in Splitter().feed(data)]


def kinds(data: bytes) -> list[tuple[str, int, int]]:
    return [(type(k.pdu).__name__, k.sequence, k.status) for k in packets(data)]


def esme(mode: Mode = "transceiver", now: float = 0.0, **changes: object) -> Session:
    """A bound session of an ESME. Its bind had sequence number 1."""
    session = Session("esme", _options(mode=mode, **changes), now, number=7)
    (bind,) = packets(session.bind(now))
    assert isinstance(bind.pdu, p.Pdu)
    resp = ANSWERS[type(bind.pdu)]
    (bound,) = session.receive(p.encode(resp, bind.sequence), now)
    assert isinstance(bound, Bound)
    return session


def _options(**changes: object) -> BindOptions:
    fields = {name: getattr(OPTIONS, name) for name in OPTIONS.__struct_fields__}
    return BindOptions(**(fields | changes))


def smsc(bind: type[p.Pdu] = p.BindTransceiver) -> Session:
    """A bound session of an SMSC."""
    session = Session("smsc", SMSC, 0.0)
    session.receive(p.encode(bind(), 1), 0.0)
    session.answer_bind(0)
    return session


def responses(events: Sequence[SessionEvent]) -> list[Response]:
    return [r for event in events if isinstance(event, Responses) for r in event.responses]


class TestBind:
    def test_says_who_we_are(self) -> None:
        session = Session(
            "esme",
            _options(system_type="VMA", address_range="^1069", addr_ton=1, addr_npi=1),
            0.0,
        )
        (packet,) = packets(session.bind(0.0))
        assert packet.pdu == p.BindTransceiver(
            system_id="esme",
            password="secret",
            system_type="VMA",
            address_range="^1069",
            addr_ton=1,
            addr_npi=1,
        )
        assert session.state is State.BINDING
        assert session.room == 0

    @pytest.mark.parametrize(
        ("mode", "kind", "state", "room"),
        [
            ("transceiver", p.BindTransceiver, State.BOUND_TRX, 8),
            ("transmitter", p.BindTransmitter, State.BOUND_TX, 8),
            ("receiver", p.BindReceiver, State.BOUND_RX, 0),
        ],
    )
    def test_every_mode(self, mode: Mode, kind: type[p.Pdu], state: State, room: int) -> None:
        session = Session("esme", _options(mode=mode), 0.0)
        (packet,) = packets(session.bind(0.0))
        assert type(packet.pdu) is kind
        session.receive(p.encode(ANSWERS[kind], packet.sequence), 0.0)
        assert (session.state, session.room) == (state, room)

    def test_the_carrier_says_who_it_is(self) -> None:
        session = Session("esme", OPTIONS, 0.0)
        session.bind(0.0)
        resp = p.BindTransceiverResp(system_id="smsc", tlvs=(SC_INTERFACE_VERSION.of(0x34),))
        assert session.receive(p.encode(resp, 1), 1.0) == [Bound("smsc", 0x34)]

    def test_already_bound_is_bound(self) -> None:
        session = Session("esme", OPTIONS, 0.0)
        session.bind(0.0)
        resp = p.encode(p.BindTransceiverResp(), 1, Status.ESME_RALYBND)
        assert session.receive(resp, 1.0) == [Bound("", None, already=True)]
        assert session.room == 8

    def test_an_unreadable_acceptance_is_an_acceptance(self) -> None:
        session = Session("esme", OPTIONS, 0.0)
        session.bind(0.0)
        resp = p.HEADER.pack(20, p.BindTransceiverResp.command_id, 0, 1) + b"abcd"
        assert session.receive(resp, 1.0) == [
            Bound("abcd", None),
            Strange("missing_nul", 1, "BindTransceiverResp: system_id"),
        ]

    def test_refused_without_a_body(self) -> None:
        session = Session("esme", OPTIONS, 0.0)
        session.bind(0.0)
        refusal = p.HEADER.pack(16, p.BindTransceiverResp.command_id, Status.ESME_RINVPASWD, 1)
        assert session.receive(refusal, 1.0) == [BindRefused(Status.ESME_RINVPASWD)]
        assert session.closed
        assert session.next_wakeup() == math.inf

    def test_refused_with_a_generic_nack(self) -> None:
        session = Session("esme", OPTIONS, 0.0)
        session.bind(0.0)
        nack = p.encode(p.GenericNack(), 1, Status.ESME_RINVCMDID)
        assert session.receive(nack, 1.0) == [BindRefused(Status.ESME_RINVCMDID)]

    def test_no_answer(self) -> None:
        session = Session("esme", OPTIONS, 0.0)
        session.bind(5.0)
        assert session.next_wakeup() == 35.0
        assert session.tick(34.9) == []
        assert session.tick(35.0) == [Dead("no answer in time while binding")]
        assert session.closed

    def test_an_smsc_does_not_bind(self) -> None:
        with pytest.raises(LocalProtocolError):
            Session("smsc", SMSC, 0.0).bind(0.0)


class TestSubmit:
    def test_each_answer_brings_its_context_whatever_the_order(self) -> None:
        session = esme()
        data = session.submit([(TEXT, "a"), (TEXT, "b"), (TEXT, "c")], 10.0)
        assert kinds(data) == [("SubmitSm", n, 0) for n in (2, 3, 4)]
        assert (session.in_use, session.room) == (3, 5)
        answer = p.encode(p.SubmitSmResp(message_id="x"), 4) + p.encode(
            p.SubmitSmResp(message_id="y"), 2
        )
        assert session.receive(answer, 11.0) == [
            Responses([Response("c", 0, "x", 10.0), Response("a", 0, "y", 10.0)])
        ]
        assert (session.in_use, session.room) == (1, 7)

    def test_an_error_without_a_body(self) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        answer = p.HEADER.pack(16, p.SubmitSmResp.command_id, Status.ESME_RTHROTTLED, 2)
        assert session.receive(answer, 1.0) == [
            Responses([Response("a", Status.ESME_RTHROTTLED, "", 0.0)])
        ]

    def test_an_answer_whose_id_has_no_nul(self) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        answer = p.HEADER.pack(19, p.SubmitSmResp.command_id, 0, 2) + b"abc"
        assert session.receive(answer, 1.0) == [
            Responses([Response("a", 0, "abc", 0.0)]),
            Strange("missing_nul", 1, "SubmitSmResp: message_id"),
        ]

    @pytest.mark.parametrize("status", [Status.ESME_RINVCMDID, Status.ESME_ROK])
    def test_a_generic_nack_answers_and_never_means_yes(self, status: int) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        (response,) = responses(session.receive(p.encode(p.GenericNack(), 2, status), 1.0))
        assert response.context == "a"
        assert response.status == (status or Status.ESME_RUNKNOWNERR)

    @pytest.mark.parametrize("sequence", [0, 99])
    def test_a_generic_nack_to_nothing_is_strange(self, sequence: int) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        nack = p.encode(p.GenericNack(), sequence, Status.ESME_RINVCMDLEN)
        assert session.receive(nack, 1.0) == [Strange("unknown_response", 1)]
        assert session.in_use == 1
        assert session.bound

    def test_answers_to_nothing_are_counted(self) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        answer = p.encode(p.SubmitSmResp(), 2)
        unknown = p.encode(p.SubmitSmResp(), 1000)
        (got, late, strange) = session.receive(answer + answer + unknown + unknown, 1.0)
        assert got == Responses([Response("a", 0, "", 0.0)])
        assert late == Strange("late_response", 1)
        assert strange == Strange("unknown_response", 2)

    def test_no_more_than_there_is_room_for(self) -> None:
        session = esme()
        with pytest.raises(LocalProtocolError, match="9 requests, but room for 8"):
            session.submit([(TEXT, n) for n in range(9)], 0.0)
        assert session.in_use == 0
        session.submit([(TEXT, n) for n in range(8)], 0.0)
        assert session.room == 0

    def test_a_field_that_does_not_fit_sends_nothing(self) -> None:
        session = esme()
        bad = p.SubmitSm(destination_addr="1" * 21)
        with pytest.raises(LocalProtocolError, match="destination_addr"):
            session.submit([(TEXT, "a"), (bad, "b")], 0.0)
        assert session.in_use == 0

    def test_sequence_numbers_start_over_and_pass_over_those_in_use(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(window, "MAX_SEQUENCE", 5)
        session = esme()
        session.submit([(TEXT, "old"), (TEXT, "older"), (TEXT, "newer")], 0.0)
        session.receive(b"".join(p.encode(p.SubmitSmResp(), n) for n in (3, 4)), 0.0)
        data = session.submit([(TEXT, n) for n in range(4)], 0.0)
        assert [k.sequence for k in packets(data)] == [5, 1, 3, 4]
        answer = p.encode(p.SubmitSmResp(), 5) + p.encode(p.SubmitSmResp(), 2)
        assert [r.context for r in responses(session.receive(answer, 1.0))] == [0, "old"]

    def test_unanswered_ones_come_back_in_order_of_submission(self) -> None:
        session = esme()
        session.submit([(TEXT, "a"), (TEXT, "b"), (TEXT, "c")], 0.0)
        session.receive(p.encode(p.SubmitSmResp(), 3), 1.0)
        assert session.close() == ["a", "c"]
        assert session.close() == []
        assert session.receive(p.encode(p.SubmitSmResp(), 2), 1.0) == []


class TestDeliveries:
    def test_come_together_and_are_answered_in_kind(self) -> None:
        session = esme()
        data = p.DataSm(source_addr="86138")
        (event,) = session.receive(p.encode(RECEIPT, 5) + p.encode(data, 9), 1.0)
        assert event == Deliveries([Delivery(5, RECEIPT, 7), Delivery(9, data, 7)])
        assert session.unanswered == 2
        assert session.data_to_send() == b""
        answered = session.answer([5], p.DeliverSmResp())
        answered += session.answer([9], p.DataSmResp(), Status.ESME_RX_T_APPN)
        assert kinds(answered) == [
            ("DeliverSmResp", 5, 0),
            ("DataSmResp", 9, Status.ESME_RX_T_APPN),
        ]
        assert session.unanswered == 0

    def test_responses_come_first(self) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        data = p.encode(RECEIPT, 1) + p.encode(p.SubmitSmResp(message_id="1"), 2)
        first, second = session.receive(data, 1.0)
        assert isinstance(first, Responses)
        assert isinstance(second, Deliveries)

    def test_one_that_breaks_its_layout_is_taken_for_what_is_whole(self) -> None:
        session = esme()
        bad = p.HEADER.pack(19, p.DeliverSm.command_id, 0, 5) + b"\0\1\1"
        news = session.receive(bad + p.encode(RECEIPT, 6), 1.0)
        half = p.DeliverSm(source_addr_ton=1, source_addr_npi=1)
        assert news == [
            Deliveries([Delivery(5, half, 7), Delivery(6, RECEIPT, 7)]),
            Strange("short_body", 1, "DeliverSm: source_addr"),
        ]
        assert session.data_to_send() == b""
        assert session.unanswered == 2

    def test_may_still_be_answered_while_unbinding(self) -> None:
        session = esme()
        session.receive(p.encode(RECEIPT, 5), 1.0)
        session.unbind(2.0)
        assert kinds(session.answer([5], p.DeliverSmResp())) == [("DeliverSmResp", 5, 0)]


class TestEnd:
    def test_we_unbind(self) -> None:
        session = esme()
        assert kinds(session.unbind(1.0)) == [("Unbind", 2, 0)]
        assert (session.bound, session.room) == (False, 0)
        with pytest.raises(LocalProtocolError, match="SubmitSm may not be sent while unbinding"):
            session.submit([(TEXT, "a")], 1.0)
        assert session.receive(p.encode(p.UnbindResp(), 2), 2.0) == [Unbound()]
        assert session.closed

    def test_answers_that_come_before_the_unbind_resp_count(self) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        session.unbind(1.0)
        data = p.encode(p.SubmitSmResp(), 2) + p.encode(p.UnbindResp(), 3)
        assert session.receive(data, 2.0) == [Responses([Response("a", 0, "", 0.0)]), Unbound()]

    def test_an_unbind_is_given_up_soon(self) -> None:
        session = esme()
        session.unbind(1.0)
        assert session.next_wakeup() == 1.0 + UNBIND_TIMEOUT
        assert session.tick(1.0 + UNBIND_TIMEOUT) == [Dead("no answer in time while unbinding")]

    def test_the_carrier_unbinds(self) -> None:
        session = esme()
        assert session.receive(p.encode(p.Unbind(), 9), 1.0) == [Unbound()]
        assert kinds(session.data_to_send()) == [("UnbindResp", 9, 0)]
        assert session.closed

    def test_the_carrier_unbinds_while_answers_are_on_their_way(self) -> None:
        session = esme()
        session.submit([(TEXT, "a"), (TEXT, "b")], 0.0)
        assert session.receive(p.encode(p.Unbind(), 9), 1.0) == []
        assert kinds(session.data_to_send()) == [("UnbindResp", 9, 0)]
        assert (session.bound, session.room, session.parting) == (False, 0, True)
        with pytest.raises(LocalProtocolError, match="SubmitSm may not be sent while unbound by"):
            session.submit([(TEXT, "c")], 1.0)
        first = session.receive(p.encode(p.SubmitSmResp(message_id="1"), 2), 1.5)
        assert first == [Responses([Response("a", 0, "1", 0.0)])]
        last = session.receive(p.encode(p.SubmitSmResp(message_id="2"), 3), 2.0)
        assert last == [Responses([Response("b", 0, "2", 0.0)]), Unbound()]
        assert session.close() == []

    def test_what_has_no_answer_a_moment_after_the_unbind_never_has(self) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        session.receive(p.encode(p.Unbind(), 9), 1.0)
        assert session.next_wakeup() == 1.0 + PARTING
        assert session.tick(0.9 + PARTING) == []
        assert session.receive(p.encode(p.Unbind(), 10), 0.9 + PARTING) == []
        assert session.next_wakeup() == 1.0 + PARTING
        assert session.tick(1.0 + PARTING) == [Unbound()]
        assert session.close() == ["a"]

    def test_a_delivery_is_still_answered_after_the_unbind(self) -> None:
        session = esme()
        data = p.encode(RECEIPT, 8) + p.encode(p.Unbind(), 9) + p.encode(RECEIPT, 10)
        (event,) = session.receive(data, 1.0)
        assert isinstance(event, Deliveries)
        assert len(event.deliveries) == 2
        assert kinds(session.answer([8, 10], p.DeliverSmResp())) == [
            ("DeliverSmResp", 8, 0),
            ("DeliverSmResp", 10, 0),
        ]
        assert session.next_wakeup() < 1.0
        assert session.tick(1.0) == [Unbound()]

    def test_both_unbind(self) -> None:
        session = esme()
        session.unbind(1.0)
        assert session.receive(p.encode(p.Unbind(), 9), 1.0) == [Unbound()]
        assert kinds(session.data_to_send()) == [("UnbindResp", 9, 0)]

    @pytest.mark.parametrize("length", [0, 15, 0x7FFFFFFF])
    def test_a_bad_length_is_the_end_but_what_came_before_counts(self, length: int) -> None:
        session = esme()
        session.submit([(TEXT, "a")], 0.0)
        data = p.encode(p.SubmitSmResp(), 2) + length.to_bytes(4, "big") + b"x" * 20
        answered, dead = session.receive(data, 1.0)
        assert responses([answered])[0].context == "a"
        assert isinstance(dead, Dead)
        assert kinds(session.data_to_send()) == [("GenericNack", 0, Status.ESME_RINVCMDLEN)]
        assert session.closed
        assert session.receive(data, 1.0) == []
        assert session.tick(1e9) == []


class TestTime:
    def test_a_silent_carrier_is_asked_and_given_up(self) -> None:
        session = esme(now=100.0)
        assert session.next_wakeup() == 130.0
        assert session.tick(129.9) == []
        assert session.data_to_send() == b""
        assert session.tick(130.0) == []
        assert kinds(session.data_to_send()) == [("EnquireLink", 2, 0)]
        assert session.next_wakeup() == 190.0
        assert session.tick(189.9) == []
        assert session.data_to_send() == b""
        assert session.tick(190.0) == [Dead("enquire_link unanswered")]

    @pytest.mark.parametrize("sign", [p.EnquireLinkResp(), p.EnquireLink(), RECEIPT])
    def test_any_sign_of_life_will_do(self, sign: p.Pdu) -> None:
        session = esme()
        session.tick(30.0)
        session.receive(p.encode(sign, 2), 50.0)
        session.data_to_send()
        assert session.tick(60.0) == []
        assert kinds(session.data_to_send()) == [("EnquireLink", 3, 0)]
        assert session.tick(119.0) == []
        assert session.tick(120.0) == [Dead("enquire_link unanswered")]

    @pytest.mark.parametrize("sign", [p.EnquireLink(), RECEIPT, p.SubmitSmResp()])
    def test_a_carrier_that_is_never_silent_is_asked_all_the_same(self, sign: p.Pdu) -> None:
        session = esme(enquire_link=10.0)
        asked = []
        for second in range(1, 61):
            session.receive(p.encode(sign, second), float(second))
            session.data_to_send()
            assert session.tick(float(second)) == []
            asked += [second for kind, _, _ in kinds(session.data_to_send())]
        assert asked == [10, 20, 30, 40, 50, 60]

    def test_while_nobody_reads_it_is_asked_and_nothing_given_up(self) -> None:
        session = esme(response_timeout=15.0, enquire_link=10.0)
        session.submit([(TEXT, "a")], 0.0)
        asked = []
        for second in range(1, 61):
            if second >= session.next_wakeup(patient=True):
                assert session.tick(float(second), patient=True) == []
                asked += [second for _ in kinds(session.data_to_send())]
        assert asked == [10, 20, 30, 40, 50, 60]
        assert session.tick(61.0) == [TimedOut(["a"]), Dead("enquire_link unanswered")]

    def test_an_unanswered_request_is_given_up_and_its_place_is_free(self) -> None:
        session = esme(response_timeout=10.0)
        session.submit([(TEXT, "a"), (TEXT, "b")], 1.0)
        session.submit([(TEXT, "c")], 2.0)
        assert session.next_wakeup() == 11.0
        assert session.tick(10.9) == []
        assert session.tick(11.0) == [TimedOut(["a", "b"])]
        assert session.room == 7
        assert session.receive(p.encode(p.SubmitSmResp(), 2), 11.5) == [Strange("late_response", 1)]
        assert session.close() == ["c"]

    @given(st.floats(0, 1e10), st.floats(1e-3, 1e3))
    def test_waking_up_when_told_to_always_gets_on(self, start: float, timeout: float) -> None:
        session = esme(now=start, response_timeout=timeout, enquire_link=timeout * 1.7)
        session.submit([(TEXT, "a")], start)
        happened: list[SessionEvent] = []
        for _ in range(3):
            happened += session.tick(session.next_wakeup())
        assert happened == [TimedOut(["a"]), Dead("enquire_link unanswered")]

    def test_an_enquire_link_is_answered(self) -> None:
        session = esme()
        assert session.receive(p.encode(p.EnquireLink(), 77), 1.0) == []
        assert kinds(session.data_to_send()) == [("EnquireLinkResp", 77, 0)]
        assert session.data_to_send() == b""


class TestStrange:
    def test_an_unknown_command_is_refused(self) -> None:
        session = esme()
        unknown = p.HEADER.pack(20, 0x00010203, 0, 5) + b"body"
        assert session.receive(unknown, 1.0) == [Strange("unknown_command", 1)]
        assert kinds(session.data_to_send()) == [("GenericNack", 5, Status.ESME_RINVCMDID)]

    def test_an_unknown_response_is_not_answered(self) -> None:
        session = esme()
        unknown = p.HEADER.pack(16, 0x80010203, 0, 5)
        assert session.receive(unknown, 1.0) == [Strange("unknown_command", 1)]
        assert session.data_to_send() == b""

    def test_a_request_that_nobody_serves_is_refused(self) -> None:
        session = smsc()
        assert session.receive(p.encode(p.QuerySm(), 5), 1.0) == [Strange("unknown_command", 1)]
        assert kinds(session.data_to_send()) == [("GenericNack", 5, Status.ESME_RINVCMDID)]

    @given(st.lists(st.binary(max_size=100), max_size=5))
    def test_garbage_never_raises(self, chunks: list[bytes]) -> None:
        session = esme()
        for chunk in chunks:
            session.receive(chunk, 1.0)

    @given(
        st.lists(
            st.tuples(
                st.one_of(
                    st.sampled_from([kind.command_id for kind in p.TYPES]),
                    st.integers(0, 0xFFFFFFFF),
                ),
                st.integers(0, 0xFFFFFFFF),
                st.integers(0, 12),
                st.binary(max_size=60),
            ),
            max_size=8,
        ),
        st.booleans(),
    )
    def test_no_frame_raises_and_no_context_is_lost(
        self, frames: list[tuple[int, int, int, bytes]], server: bool
    ) -> None:
        session = smsc() if server else esme()
        request = p.DeliverSm() if server else TEXT
        session.submit([(request, n) for n in range(8)], 0.0)
        happened: list[SessionEvent] = []
        for command_id, status, sequence, body in frames:
            head = p.HEADER.pack(16 + len(body), command_id, status, sequence)
            happened += session.receive(head + body, 1.0)
        packets(session.data_to_send())
        contexts = [r.context for r in responses(happened)] + session.close()
        assert sorted(contexts, key=str) == list(range(8))


def _conversation() -> bytes:
    return b"".join(
        [
            p.encode(p.BindTransceiverResp(system_id="smsc"), 1),
            p.encode(p.SubmitSmResp(message_id="a1"), 2),
            p.encode(RECEIPT, 1),
            p.encode(p.EnquireLink(), 2),
            p.HEADER.pack(16, 0x00010203, 0, 3),
            p.encode(p.GenericNack(), 3, Status.ESME_RINVCMDLEN),
            p.encode(p.Unbind(), 4),
        ]
    )


def _play(chunks: Sequence[bytes]) -> tuple[list[object], bytes]:
    """What a conversation comes to, told without regard to what came together."""
    session = Session("esme", OPTIONS, 0.0)
    session.bind(0.0)
    told: list[object] = []
    sent = b""
    for chunk in chunks:
        for event in session.receive(chunk, 1.0):
            match event:
                case Responses(items):
                    told += items
                case Deliveries(deliveries):
                    told += deliveries
                case other:
                    told.append(other)
        sent += session.data_to_send()
        if session.room == 8:
            session.submit([(TEXT, "a"), (TEXT, "b")], 0.0)
    return told, sent


def _cut(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        yield data[start:end]


BIND_RESP_SIZE = len(p.encode(p.BindTransceiverResp(system_id="smsc"), 1))


@given(st.sets(st.integers(BIND_RESP_SIZE + 1, len(_conversation()) - 1), max_size=10))
def test_it_does_not_matter_how_octets_come_together(cuts: set[int]) -> None:
    whole = _conversation()
    expected, sent = _play([whole[:BIND_RESP_SIZE], whole[BIND_RESP_SIZE:]])
    told, answered = _play(list(_cut(whole, [BIND_RESP_SIZE, *cuts])))
    assert answered == sent
    assert sorted(map(repr, told)) == sorted(map(repr, expected))


def test_octet_by_octet() -> None:
    told, sent = _play([bytes([octet]) for octet in _conversation()])
    assert told == [
        Bound("smsc", None),
        Response("a", 0, "a1", 0.0),
        Delivery(1, RECEIPT, 0),
        Strange("unknown_command", 1),
        Response("b", Status.ESME_RINVCMDLEN, "", 0.0),
    ]
    assert kinds(sent) == [
        ("EnquireLinkResp", 2, 0),
        ("GenericNack", 3, Status.ESME_RINVCMDID),
        ("UnbindResp", 4, 0),
    ]


class TestSmsc:
    @pytest.mark.parametrize("kind", list(BOUND))
    def test_takes_a_bind(self, kind: type[p.Pdu]) -> None:
        session = Session("smsc", SMSC, 0.0)
        request = kind()
        assert session.receive(p.encode(request, 41), 1.0) == [BindRequest(request)]
        assert session.state is State.BINDING
        (answer,) = packets(session.answer_bind(0))
        assert (type(answer.pdu), answer.sequence) == (type(ANSWERS[kind]), 41)
        assert session.state is BOUND[kind]

    def test_refuses_a_bind(self) -> None:
        session = Session("smsc", SMSC, 0.0)
        session.receive(p.encode(p.BindTransceiver(), 1), 1.0)
        answer = session.answer_bind(Status.ESME_RINVPASWD)
        assert kinds(answer) == [("BindTransceiverResp", 1, Status.ESME_RINVPASWD)]
        assert session.closed

    def test_nobody_binds(self) -> None:
        session = Session("smsc", SMSC, 0.0)
        assert session.next_wakeup() == 30.0
        assert session.tick(30.0) == [Dead("no answer in time while open")]

    def test_serves_requests_and_delivers(self) -> None:
        session = smsc()
        assert session.receive(p.encode(TEXT, 5), 1.0) == [Requests([Request(5, TEXT)])]
        answer = session.answer([5], p.SubmitSmResp(message_id="m1"))
        assert packets(answer)[0].pdu == p.SubmitSmResp(message_id="m1")
        sent = session.submit([(RECEIPT, "ctx")], 1.0)
        (packet,) = packets(sent)
        (event,) = session.receive(p.encode(p.DeliverSmResp(), packet.sequence), 2.0)
        assert event == Responses([Response("ctx", 0, "", 1.0)])

    def test_the_two_ends_understand_each_other(self) -> None:
        ours, theirs = Session("esme", OPTIONS, 0.0), Session("smsc", SMSC, 0.0)
        theirs.receive(ours.bind(0.0), 0.0)
        assert ours.receive(theirs.answer_bind(0), 0.0) == [Bound("smsc", 0x34)]
        (event,) = theirs.receive(ours.submit([(TEXT, "a")], 1.0), 1.0)
        assert isinstance(event, Requests)
        asked = [request.sequence for request in event.requests]
        answered = theirs.answer(asked, p.SubmitSmResp(message_id="9"))
        happened = ours.receive(answered, 2.0)
        assert responses(happened) == [Response("a", 0, "9", 1.0)]
        assert theirs.receive(ours.unbind(3.0), 3.0) == [Unbound()]
        assert ours.receive(theirs.data_to_send(), 3.0) == [Unbound()]


def test_link_management_may_not_be_submitted() -> None:
    with pytest.raises(LocalProtocolError, match="EnquireLink"):
        esme().submit([(p.EnquireLink(), "c")], 0.0)
