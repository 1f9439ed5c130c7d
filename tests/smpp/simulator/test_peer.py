"""What a simulated carrier says, by the clock of the test."""

import struct
from typing import Any

import msgspec
import pytest

from gateway.smpp import receipts, tlv
from gateway.smpp.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Packet,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.receipts import IdBase, Receipt
from gateway.smpp.simulator import carrier as carrier_module
from gateway.smpp.simulator.options import SimulatorOptions
from gateway.smpp.simulator.peer import RETRY_AFTER
from gateway.smpp.status import Status


def responses(packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if packet.command_id == SubmitSmResp.command_id]


def deliveries(packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if isinstance(packet.pdu, DeliverSm | DataSm)]


def receipt(packet: Packet) -> Receipt:
    assert isinstance(packet.pdu, DeliverSm | DataSm)
    found = receipts.parse(packet.pdu)
    assert found is not None
    return found


class TestBinding:
    @pytest.mark.parametrize("kind", [BindReceiver, BindTransmitter, BindTransceiver])
    def test_an_account_is_let_in(self, make: Any, kind: type[BindReceiver]) -> None:
        line = make.line(make.carrier(accounts={"u": "p"}, system_id="alpha"))
        line.send(kind(system_id="u", password="p"))
        (response,) = line.heard()
        assert response.command_id == kind.command_id | 0x80000000
        assert (response.status, response.sequence) == (0, 1)
        assert response.pdu.system_id == "alpha"
        assert tlv.SC_INTERFACE_VERSION.get(response.pdu.tlvs) == 0x34

    @pytest.mark.parametrize(
        ("system_id", "password", "status"),
        [("x", "p", Status.ESME_RINVSYSID), ("u", "x", Status.ESME_RINVPASWD)],
    )
    def test_others_are_not(self, make: Any, system_id: str, password: str, status: int) -> None:
        line = make.line(make.carrier(accounts={"u": "p"}))
        line.send(BindTransceiver(system_id=system_id, password=password), SubmitSm())
        assert [packet.status for packet in line.heard()] == [status, Status.ESME_RINVBNDSTS]

    @pytest.mark.parametrize("size", [16, 63])
    def test_accounts_may_be_longer_than_the_book_has_room_for(self, make: Any, size: int) -> None:
        user, password = "u" * size, "p" * size
        line = make.line(make.carrier(accounts={user: password}))
        line.send(BindTransceiver(system_id=user, password=password, interface_version=0x33))
        assert [packet.status for packet in line.heard()] == [0]

    def test_an_account_has_so_many_binds(self, make: Any) -> None:
        carrier = make.carrier(max_binds=1)
        first = make.bound(carrier)
        second = make.line(carrier)
        second.send(BindTransceiver(system_id="u"))
        assert second.heard()[0].status == Status.ESME_RBINDFAIL
        first.peer.leave(0.0)
        second.send(BindTransceiver(system_id="u"))
        assert second.heard()[0].status == 0
        assert carrier.statistics().binds == 1

    def test_a_connection_binds_once(self, make: Any) -> None:
        line = make.bound(make.carrier())
        line.send(BindTransceiver(system_id="u"))
        assert line.heard()[0].status == Status.ESME_RALYBND

    def test_who_says_nothing_is_asked_and_then_dropped(self, make: Any) -> None:
        line = make.bound(make.carrier(enquire_link=10.0))
        line.heard()
        assert line.peer.next_due() == 10.0
        assert line.heard(9.9) == []
        assert [type(packet.pdu) for packet in line.heard(10.0)] == [EnquireLink]
        line.send(EnquireLinkResp(), now=12.0)
        assert [type(packet.pdu) for packet in line.heard(22.0)] == [EnquireLink]
        assert (line.heard(31.9), line.peer.dropped) == ([], False)
        assert (line.heard(32.0), line.peer.dropped) == ([], True)

    def test_a_receiver_may_not_submit(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(), BindReceiver)
        line.send(submit)
        assert line.heard()[0].status == Status.ESME_RINVBNDSTS

    def test_unbind_sends_what_is_left_and_ends(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(latency=9.0))
        line.send(submit, Unbind(), EnquireLink())
        assert {type(packet.pdu) for packet in line.heard()} == {SubmitSmResp, UnbindResp}
        assert line.peer.ended


class TestSubmitting:
    def test_each_is_answered_under_its_number(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(first_id=7))
        line.send(submit, submit)
        assert responses(line.heard()) == [
            Packet(SubmitSmResp.command_id, 0, 2, SubmitSmResp("7")),
            Packet(SubmitSmResp.command_id, 0, 3, SubmitSmResp("8")),
        ]

    @pytest.mark.parametrize(
        "tlvs",
        [
            (tlv.MESSAGE_PAYLOAD.of(b"hello" * 100),),
            (
                tlv.SAR_MSG_REF_NUM.of(7),
                tlv.SAR_TOTAL_SEGMENTS.of(2),
                tlv.SAR_SEGMENT_SEQNUM.of(1),
            ),
            ((0x1400, b"1101456700000012345\0"), (0x1401, b"1107160000000012345\0")),
        ],
    )
    def test_whatever_its_parameters(self, make: Any, submit: SubmitSm, tlvs: tlv.Tlvs) -> None:
        line = make.bound(make.carrier(first_id=7))
        line.send(msgspec.structs.replace(submit, tlvs=tlvs))
        assert responses(line.heard()) == [Packet(SubmitSmResp.command_id, 0, 2, SubmitSmResp("7"))]

    def test_latency(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(latency=2.0))
        line.send(submit, now=1.0)
        assert line.heard(2.9) == []
        assert line.peer.next_due() == 3.0
        assert len(responses(line.heard(3.0))) == 1

    def test_jitter_changes_the_order_and_loses_none(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(latency=1.0, latency_jitter=1.0))
        line.send(*[submit] * 50)
        assert line.heard(0.99) == []
        order = [packet.sequence for packet in responses(line.heard(2.0))]
        assert order != sorted(order)
        assert sorted(order) == list(range(2, 52))

    def test_errors_come_as_a_header_in_their_share(self, make: Any, submit: SubmitSm) -> None:
        carrier = make.carrier(errors={"ESME_RSYSERR": 0.1, "ESME_RINVDSTADR": 0.2})
        line = make.bound(carrier)
        line.send(*[submit] * 1000)
        counts = carrier.statistics().submits
        assert counts.keys() == {0, 0x08, 0x0B}
        assert 70 < counts[0x08] < 130
        assert 160 < counts[0x0B] < 240
        refused = [len(frame) for frame in line.peer.due(0.0) if frame[8:12] != bytes(4)]
        assert refused == [16] * (counts[0x08] + counts[0x0B])

    def test_throttling_is_by_the_second(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(rate=10.0))
        line.send(*[submit] * 15)
        assert [p.status for p in responses(line.heard())] == [0] * 10 + [0x58] * 5
        line.send(*[submit] * 5, now=0.25)
        assert [p.status for p in responses(line.heard(0.25))] == [0] * 2 + [0x58] * 3

    def test_a_poison_is_not_taken_and_closes_the_connection(
        self, make: Any, submit: SubmitSm
    ) -> None:
        carrier = make.carrier(poison="XYZZY")
        line = make.bound(carrier)
        line.send(msgspec.structs.replace(submit, short_message=b"please"))
        assert not line.peer.dropped
        line.send(msgspec.structs.replace(submit, short_message=b"say XYZZY please"))
        assert line.peer.dropped
        assert carrier.submits[0] == 1

    def test_a_response_may_come_twice(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(repeated=1.0))
        line.send(submit)
        first, second = responses(line.heard())
        assert (first.sequence, first.pdu) == (second.sequence, second.pdu)

    def test_a_carrier_can_get_well_and_ill(self, make: Any, submit: SubmitSm) -> None:
        ill = SimulatorOptions(errors={"ESME_RSYSERR": 1.0}, latency=5.0, inbound_to="20001")
        carrier = make.carrier()
        line = make.bound(carrier)
        for options, status in ((ill, 8), (ill.well(), 0), (ill, 8)):
            carrier.behave(options, 0.0)
            line.send(submit)
            assert [p.status for p in responses(line.heard(5.0))] == [status]
        assert ill.well().inbound_to == "20001"

    def test_a_drop_comes_after_the_message_was_taken(self, make: Any, submit: SubmitSm) -> None:
        carrier = make.carrier(drop=1.0)
        line = make.bound(carrier)
        line.send(submit, submit)
        assert line.peer.dropped
        assert responses(line.heard()) == []
        assert carrier.statistics().submits == {0: 1}

    def test_a_full_carrier_says_so(
        self, make: Any, submit: SubmitSm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(carrier_module, "MAX_WAITING", 2)
        line = make.bound(make.carrier(), BindTransmitter)
        line.send(submit, submit, submit)
        assert [packet.status for packet in line.heard()] == [0, 0, Status.ESME_RMSGQFUL]

    def test_the_same_seed_is_the_same_fate(self, make: Any, submit: SubmitSm) -> None:
        def fate(seed: int) -> list[bytes]:
            line = make.bound(
                make.carrier(
                    seed=seed,
                    errors={"ESME_RSYSERR": 0.3},
                    latency_jitter=1.0,
                    receipt_jitter=1.0,
                    receipt_states={"UNDELIV": 0.5},
                    lost_receipts=0.2,
                    early_receipts=0.2,
                )
            )
            line.send(*[submit] * 50)
            return list(line.peer.due(9.0))

        assert fate(1) == fate(1)
        assert fate(1) != fate(2)


class TestReceipts:
    def test_what_one_says(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(latency=1.0, receipt_delay=60.0))
        line.send(submit)
        (response,) = line.heard(60.9)
        (delivery,) = line.heard(61.0)
        assert delivery.pdu.source_addr == "447911123456"
        assert delivery.pdu.destination_addr == "10690001"
        assert receipt(delivery) == Receipt(
            ref_raw=response.pdu.message_id,
            state=2,
            error="000",
            submit_date="2611110300",
            done_date="2611110301",
            submitted=1,
            delivered=1,
            text="Hello there, this is",
        )

    @pytest.mark.parametrize("form", ["text", "payload", "tlv", "data_sm"])
    def test_every_form_says_the_same(self, make: Any, submit: SubmitSm, form: str) -> None:
        line = make.bound(make.carrier(receipt_form=form, receipt_states={"UNDELIV": 1.0}))
        line.send(submit)
        response, delivery = line.heard()
        assert isinstance(delivery.pdu, DataSm) == (form == "data_sm")
        found = receipt(delivery)
        assert (found.ref_raw, found.state) == (response.pdu.message_id, 5)
        assert (found.error is None) == (form == "tlv")

    @pytest.mark.parametrize(
        ("form", "response_base", "receipt_base", "alike"),
        [
            ("same", "text", "text", True),
            ("hex_dec", "hex", "dec", False),
            ("dec_hex", "dec", "hex", False),
            ("padded", "text", "text", False),
            ("uuid", "text", "text", True),
        ],
    )
    def test_every_form_of_an_id_meets(
        self,
        make: Any,
        submit: SubmitSm,
        form: str,
        response_base: IdBase,
        receipt_base: IdBase,
        alike: bool,
    ) -> None:
        line = make.bound(make.carrier(receipt_ids=form))
        line.send(submit)
        response, delivery = line.heard()
        ref, receipt_ref = response.pdu.message_id, receipt(delivery).ref_raw
        assert (ref == receipt_ref) == alike
        assert receipts.canonical(ref, response_base) == receipts.canonical(
            receipt_ref, receipt_base
        )

    @pytest.mark.parametrize(
        ("registered_delivery", "state", "expected"),
        [
            (0, "DELIVRD", 0),
            (1, "DELIVRD", 1),
            (1, "EXPIRED", 1),
            (2, "DELIVRD", 0),
            (2, "REJECTD", 1),
            (3, "DELIVRD", 1),
            (3, "UNDELIV", 0),
        ],
    )
    def test_only_what_was_asked_for_is_reported(
        self, make: Any, submit: SubmitSm, registered_delivery: int, state: str, expected: int
    ) -> None:
        line = make.bound(make.carrier(receipt_states={state: 1.0}))
        line.send(msgspec.structs.replace(submit, registered_delivery=registered_delivery))
        assert len(deliveries(line.heard())) == expected

    def test_states_come_in_their_share(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(receipt_states={"UNDELIV": 0.2}, receipt_form="tlv"))
        line.send(*[submit] * 500)
        found = line.heard() + line.heard()
        states = [receipt(packet).state for packet in deliveries(found)]
        assert set(states) == {2, 5}
        assert 70 < states.count(5) < 130

    def test_early_ones_come_before_the_response(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(early_receipts=1.0))
        line.send(submit)
        assert [type(packet.pdu) for packet in line.heard()] == [DeliverSm]
        assert [type(packet.pdu) for packet in line.heard(1.0)] == [SubmitSmResp]

    def test_lost_ones_never_come(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(lost_receipts=1.0))
        line.send(submit)
        assert deliveries(line.heard(1e9)) == []

    def test_any_bind_of_the_account_that_receives_gets_them(
        self, make: Any, submit: SubmitSm
    ) -> None:
        carrier = make.carrier()
        sender = make.bound(carrier, BindTransmitter)
        stranger = make.bound(carrier, user="stranger")
        one, other = (make.bound(carrier, BindReceiver) for _ in range(2))
        sender.send(*[submit] * 300)
        counts = [len(deliveries(line.heard())) for line in (sender, stranger, one, other)]
        assert counts == [0, 0, 256, 44]

    def test_a_bind_that_receives_is_woken(self, make: Any, submit: SubmitSm) -> None:
        carrier = make.carrier()
        receiver, sender = make.bound(carrier, BindReceiver), make.bound(carrier, BindTransmitter)
        before = receiver.woken
        sender.send(submit)
        assert receiver.woken == before + 1
        assert sender.woken == 0

    def test_so_many_may_be_unanswered(self, make: Any, submit: SubmitSm) -> None:
        carrier = make.carrier(delivery_window=2)
        line = make.bound(carrier)
        line.send(*[submit] * 5)
        first = deliveries(line.heard())
        assert len(first) == 2
        assert line.heard() == []
        line.answer(first[:1])
        assert len(deliveries(line.heard())) == 1
        assert (carrier.statistics().answered, carrier.statistics().waiting) == (1, 2)

    def test_unanswered_ones_go_to_the_next_bind(self, make: Any, submit: SubmitSm) -> None:
        carrier = make.carrier()
        line = make.bound(carrier)
        line.send(submit)
        (lost,) = deliveries(line.heard())
        line.peer.leave(1.0)
        (again,) = deliveries(make.bound(carrier).heard(1.0))
        assert again.pdu == lost.pdu

    @pytest.mark.parametrize(
        ("status", "again"), [(Status.ESME_RX_T_APPN, 1), (Status.ESME_RX_P_APPN, 0)]
    )
    def test_refused_ones_come_again_where_told_so(
        self, make: Any, submit: SubmitSm, status: int, again: int
    ) -> None:
        carrier = make.carrier()
        line = make.bound(carrier)
        line.send(submit)
        line.answer(deliveries(line.heard()), status=status)
        assert line.heard(RETRY_AFTER - 0.1) == []
        assert len(deliveries(line.heard(RETRY_AFTER))) == again
        assert carrier.statistics().refused == 1


class TestAsking:
    def test_query_tells_the_state(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(receipt_delay=60.0, receipt_states={"EXPIRED": 1.0}))
        line.send(submit)
        (response,) = line.heard()
        query = QuerySm(message_id=response.pdu.message_id)
        line.send(query, now=59.0)
        line.send(query, now=60.0)
        line.send(QuerySm(message_id="other"), now=60.0)
        ours, done, unknown = (
            packet for packet in line.heard(60.0) if packet.command_id == QuerySmResp.command_id
        )
        assert ours.pdu == QuerySmResp(response.pdu.message_id, "", 1)
        assert done.pdu == QuerySmResp(response.pdu.message_id, "261111030100000+", 3)
        assert unknown.status == Status.ESME_RQUERYFAIL

    def test_cancel_before_it_is_done(self, make: Any, submit: SubmitSm) -> None:
        line = make.bound(make.carrier(receipt_delay=60.0))
        line.send(submit)
        cancel = CancelSm(message_id=line.heard()[0].pdu.message_id)
        line.send(cancel, now=1.0)
        assert line.heard(1.0)[0].status == 0
        line.send(cancel, now=60.0)
        late, delivery = line.heard(60.0)
        assert late.status == Status.ESME_RCANCELFAIL
        assert receipt(delivery).state == 4

    def test_old_messages_are_forgotten(
        self, make: Any, submit: SubmitSm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(carrier_module, "MAX_KNOWN", 2)
        line = make.bound(make.carrier(first_id=1))
        line.send(submit, submit, submit)
        line.heard()
        line.send(QuerySm(message_id="1"), QuerySm(message_id="2"))
        assert [packet.status for packet in line.heard()] == [Status.ESME_RQUERYFAIL, 0]

    @pytest.mark.parametrize("pdu", [QuerySm("1"), CancelSm(message_id="1"), SubmitSm()])
    def test_nothing_without_a_bind(self, make: Any, pdu: QuerySm) -> None:
        line = make.line(make.carrier())
        line.send(pdu)
        assert line.heard()[0].status == Status.ESME_RINVBNDSTS

    def test_enquire_link(self, make: Any) -> None:
        line = make.line(make.carrier())
        line.send(EnquireLink())
        assert line.heard() == [Packet(EnquireLinkResp.command_id, 0, 1, EnquireLinkResp())]


class TestNonsense:
    @pytest.mark.parametrize(
        ("frame", "status", "sequence"),
        [
            (struct.pack(">IIII", 16, 0x9999, 0, 5), Status.ESME_RINVCMDID, 5),
            (struct.pack(">IIII", 16, SubmitSm.command_id, 0, 6), Status.ESME_RINVCMDLEN, 6),
            (struct.pack(">IIII", 15, SubmitSm.command_id, 0, 7), Status.ESME_RINVCMDLEN, 0),
        ],
    )
    def test_is_nacked(self, make: Any, frame: bytes, status: int, sequence: int) -> None:
        line = make.bound(make.carrier())
        line.peer.receive(frame, 0.0)
        assert line.heard() == [Packet(GenericNack.command_id, status, sequence, GenericNack())]
        assert line.peer.ended == (sequence == 0)

    def test_what_came_before_is_answered(self, make: Any) -> None:
        line = make.line(make.carrier())
        line.peer.receive(struct.pack(">IIII", 16, EnquireLink.command_id, 0, 5) + b"HTTP", 0.0)
        answered, nacked = line.heard()
        assert isinstance(answered.pdu, EnquireLinkResp)
        assert isinstance(nacked.pdu, GenericNack)

    def test_a_response_to_nothing_is_passed_over(self, make: Any) -> None:
        line = make.bound(make.carrier())
        line.send(SubmitSmResp("x"), EnquireLinkResp(), GenericNack(), status=8)
        line.answer([Packet(DeliverSm.command_id, 0, 99, DeliverSm())])
        assert line.heard() == []

    def test_a_command_that_it_does_not_have_is_nacked(self, make: Any) -> None:
        line = make.bound(make.carrier())
        line.send(ReplaceSm())
        assert isinstance(line.heard()[0].pdu, GenericNack)
