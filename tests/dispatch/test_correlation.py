"""Which part a receipt speaks of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch import correlation
from gateway.dispatch.correlation import Correlator, Form, Parked, ReceiptIds, same_number, written
from gateway.dispatch.flights import Flight, Part
from gateway.smpp.receipts import canonical


def parked(*refs: str, phone: str = "447400123456", expires_at: float = 100.0) -> Parked:
    return Parked(f"alpha:{refs[0]}", refs, phone, 2, None, expires_at)


@pytest.mark.parametrize(
    ("response", "receipt", "form"),
    [
        ("0123456789", "123456789", "same"),
        ("38601FA", "38601fa", "same"),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "same"),
        ("1A", "26", "hex-dec"),
        ("0000001a", "0000000026", "hex-dec"),
        ("26", "1A", "dec-hex"),
        ("0026", "0x1a"[2:], "dec-hex"),
    ],
)
def test_ids_meet_in_one_form(response: str, receipt: str, form: Form) -> None:
    assert written(receipt, form) == canonical(response, "text")


@given(st.integers(0, 2**64 - 1), st.integers(0, 4), st.booleans())
def test_any_number_meets_itself_in_any_base(number: int, zeros: int, upper: bool) -> None:
    pad = "0" * zeros
    as_hex = f"{number:X}" if upper else f"{number:x}"
    assert written(pad + str(number), "hex-dec") == canonical(pad + as_hex, "text")
    assert written(pad + as_hex, "dec-hex") == canonical(pad + str(number), "text")


@pytest.mark.parametrize(
    ("receipt", "form"),
    [("1g", "dec-hex"), ("1a", "hex-dec"), ("a-b", "dec-hex"), ("٣", "hex-dec")],
)
def test_what_is_no_number_in_a_base_is_not_read_in_it(receipt: str, form: Form) -> None:
    assert written(receipt, form) is None


def test_a_receipt_without_an_id_speaks_of_nothing() -> None:
    assert list(ReceiptIds("auto").candidates("")) == []
    assert list(ReceiptIds("same").candidates("")) == []


def test_a_stated_form_is_the_only_one() -> None:
    ids = ReceiptIds("hex-dec")
    assert list(ids.candidates("26")) == [("hex-dec", "1a")]
    assert ids.learnt == "hex-dec"
    ids.learn("same")
    assert list(ids.candidates("26")) == [("hex-dec", "1a")]


def test_what_is_learnt_comes_first_and_stays() -> None:
    ids = ReceiptIds("auto")
    assert [form for form, _ in ids.candidates("26")] == ["same", "hex-dec", "dec-hex"]
    ids.learn("hex-dec")
    ids.learn("same")
    assert ids.learnt == "hex-dec"
    assert next(ids.candidates("26")) == ("hex-dec", "1a")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("447400123456", "+447400123456", True),
        ("447400123456", "00447400123456", True),
        ("447400123456", "7400123456", True),
        ("447400123456", "07400123456", True),
        ("447400123456", "447400123457", False),
        ("447400123456", "56", False),
        ("447400123456", "", False),
    ],
)
def test_spellings_of_a_number(one: str, other: str, same: bool) -> None:
    assert same_number(one, other) is same
    assert same_number(other, one) is same


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
            self.expect(correlator, flights[place // 2], place % 2, ref)
        # The fifth part takes the place of both parts of the first message.
        assert [ref for ref in refs if correlator.find(ref)] == ["c", "d", "e"]

    def test_a_receipt_that_came_first_is_given_out_once(self, flights: list[Flight]) -> None:
        correlator = Correlator("auto")
        early = parked("a", "x")
        correlator.park(early)
        assert self.expect(correlator, flights[0], 0, "x") is early
        assert self.expect(correlator, flights[1], 0, "a") is None

    def test_a_receipt_about_another_phone_stays_parked(self, flights: list[Flight]) -> None:
        correlator = Correlator("auto")
        correlator.park(parked("a", phone="8613800000000"))
        assert self.expect(correlator, flights[0], 0, "a") is None
        assert len(correlator.given_up(100.0)) == 1

    def test_parked_receipts_are_given_up_once_their_time_is_over(self) -> None:
        correlator = Correlator("auto")
        first, second = parked("a", "x", expires_at=50.0), parked("b", expires_at=60.0)
        correlator.park(first)
        correlator.park(second)
        assert correlator.given_up(49.0) == []
        assert correlator.given_up(55.0) == [first]
        assert correlator.given_up(99.0) == [second]
        assert correlator.given_up(99.0) == []

    def test_parked_receipts_are_bounded_and_the_oldest_give_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(correlation, "PARKED", 5)
        correlator = Correlator("auto")
        receipts = [parked(f"{n}", f"{n}x") for n in range(10)]
        gone = [one for receipt in receipts for one in correlator.park(receipt)]
        assert gone == receipts[:8]
        assert correlator.given_up(1e9) == receipts[8:]
