"""Which part a receipt speaks of."""

import gc
from typing import Any

import msgspec
import pytest

from gateway.dispatch.carriers.flights import Flight, Part
from gateway.dispatch.settling import correlation
from gateway.dispatch.settling.correlation import Budget, Correlator, Parked
from gateway.smpp.receipt_ids import ReceiptId, readings
from gateway.smpp.receipts import Claim


def parked(
    ref_raw: str, phone: str = "447400123456", *, expires_at: float = 100.0, **fields: Any
) -> Parked:
    refs = tuple(ref for _, ref in readings(ref_raw))
    return Parked(f"alpha:{ref_raw}", refs, phone, 2, None, expires_at, **fields)


class TestCorrelator:
    """Flights and parked receipts of one carrier."""

    @pytest.fixture
    def flights(self, bench: Any, make_message: Any) -> list[Flight]:
        carrier = bench.carrier()
        return [
            bench.flight(carrier, make_message(n, text="x" * 200, parts=2)) for n in range(1, 4)
        ]

    def expect(self, correlator: Correlator, flight: Flight, index: int, ref: str) -> Parked | None:
        flight.refs[index] = ref
        return correlator.expect(ref, Part(flight, index))

    def test_a_part_is_found_until_its_message_is_over(self, flights: list[Flight]) -> None:
        correlator = Correlator("auto")
        assert self.expect(correlator, flights[0], 0, "a") is None
        assert correlator.find("a") == Part(flights[0], 0)
        correlator.forget(flights[0])
        assert correlator.find("a") is None

    def test_memory_holds_whole_messages_and_only_the_latest(
        self, flights: list[Flight], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(correlation, "FLIGHTS", 4)
        correlator = Correlator("auto")
        refs = ["a", "b", "c", "d", "e"]
        for place, ref in enumerate(refs):
            flight = flights[place // 2]
            self.expect(correlator, flight, place % 2, ref)
            flight.recorded = flight.whole
        # The fifth part takes the place of both parts of the first message.
        assert [ref for ref in refs if correlator.find(ref)] == ["c", "d", "e"]

    def test_all_carriers_share_the_room(
        self, flights: list[Flight], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(correlation, "FLIGHTS", 4)
        budget = Budget()
        busy, other = Correlator("auto", budget=budget), Correlator("auto", budget=budget)
        for place, ref in enumerate(["a", "b", "c", "d"]):
            self.expect(busy, flights[place // 2], place % 2, ref)
            flights[place // 2].recorded = flights[place // 2].whole
        self.expect(other, flights[2], 0, "e")
        assert (busy.parts, other.parts) == (2, 1)
        assert busy.find("c")
        assert other.find("e")
        del busy
        gc.collect()
        for index, ref in enumerate("fg"):
            self.expect(other, flights[0], index, ref)
        assert other.parts == 3  # a carrier that is gone takes no room

    def test_what_is_not_on_record_stays(
        self, flights: list[Flight], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(correlation, "FLIGHTS", 2)
        correlator = Correlator("auto")
        for index, ref in enumerate(["a", "b"]):
            self.expect(correlator, flights[1], index, ref)
        flights[1].recorded = True
        self.expect(correlator, flights[0], 0, "c")
        assert [ref for ref in "abc" if correlator.find(ref)] == ["c"]
        for index, ref in enumerate(["d", "e"]):
            self.expect(correlator, flights[2], index, ref)
        assert [ref for ref in "cde" if correlator.find(ref)] == ["c", "d", "e"]

    @pytest.mark.parametrize(
        ("stated", "ref_raw", "phone", "ref", "given"),
        [
            ("same", "26", "447400123456", "26", True),
            ("same", "26", "8613800000000", "26", True),
            ("hex-dec", "26", "", "1a", True),
            ("auto", "m-26", "", "m-26", True),  # can be read in one way only
            ("auto", "26", "447400123456", "1a", False),  # what else fits is not known here
        ],
    )
    def test_a_receipt_that_came_first_is_given_out_where_it_is_sure(
        self, flights: list[Flight], stated: ReceiptId, ref_raw: str, phone: str, ref: str,
        given: bool,
    ) -> None:  # fmt: skip
        correlator = Correlator(stated)
        early = parked(ref_raw, phone)
        correlator.park(early)
        found = self.expect(correlator, flights[0], 0, ref)
        assert found is (early if given else None)
        assert list(correlator.review) == ([] if given else [early.key])
        assert correlator.parked == (not given)

    def test_what_is_learnt_makes_it_sure(self, flights: list[Flight]) -> None:
        correlator = Correlator("auto")
        correlator.ids.learn("hex-dec")
        early = parked("26", "")
        correlator.park(early)
        assert self.expect(correlator, flights[0], 0, "26") is None
        assert self.expect(correlator, flights[0], 1, "1a") is early
        assert self.expect(correlator, flights[1], 0, "1a") is None

    def test_of_two_the_one_about_the_right_phone_is_given_out(self, flights: list[Flight]) -> None:
        correlator = Correlator("same")
        stray, early = parked("026", "8613800000000"), parked("26")
        correlator.park(stray)
        correlator.park(early)
        assert self.expect(correlator, flights[0], 0, "26") is early
        assert correlator.parked == 1

    def test_parts_of_messages_that_are_over_are_remembered_for_a_while(
        self, flights: list[Flight], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(correlation, "ENDED", 2)
        correlator = Correlator("same")
        for number, flight in enumerate(flights):
            for index in range(2):
                self.expect(correlator, flight, index, f"m{number}{index}")
            correlator.end(flight)
            assert correlator.phone_of_ended(f"m{number}0") == "447400123456"
            assert correlator.find(f"m{number}0") is None
        for number in range(10):
            correlator.ended(f"n{number}", "447400000000")
        assert correlator.phone_of_ended("m01") is None
        assert correlator.phone_of_ended("n9") == "447400000000"

    def test_parked_receipts_are_given_up_once_their_time_is_over(self) -> None:
        correlator = Correlator("auto")
        first, second = parked("a", expires_at=50.0), parked("b", expires_at=60.0)
        unsure = parked("c", expires_at=55.0, open=True)
        for one in (first, second, unsure):
            correlator.park(one)
        assert (correlator.parked, correlator.undecided) == (3, [unsure])
        assert correlator.given_up(49.0) == []
        assert correlator.given_up(54.0) == [first]
        assert correlator.given_up(55.0) == [unsure]
        assert correlator.given_up(99.0) == [second]
        assert correlator.given_up(99.0) == []
        assert correlator.parked == 0

    def test_a_receipt_that_is_parked_anew_takes_its_own_place(self) -> None:
        correlator = Correlator("auto")
        correlator.park(parked("a"))
        correlator.park(parked("a", open=True))
        assert correlator.parked == 1
        assert correlator.has_parked("alpha:a")

    def test_parked_receipts_are_bounded_and_the_oldest_give_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(correlation, "PARKED", 5)
        correlator = Correlator("auto")
        receipts = [parked(f"m-{n}x") for n in range(10)]
        gone = [one for receipt in receipts for one in correlator.park(receipt)]
        assert gone == receipts[:5]
        assert correlator.given_up(1e9) == receipts[5:]


def test_a_receipt_that_an_earlier_version_parked_is_read() -> None:
    old = msgspec.msgpack.encode(("alpha:26", ("26", "1a"), "447400123456", 2, "000", 100.0))
    found = msgspec.msgpack.decode(old, type=Parked)
    assert found.claims == (Claim("26", 2, None),)
    later = parked("26", also=(Claim("7", 5, "DND"),), destination="1069", open=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(later), type=Parked) == later
