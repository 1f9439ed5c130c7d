"""From receipts to the event that tells the tenant."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.dispatch.carriers.flights import Reason
from gateway.dispatch.settling import outcomes
from gateway.dispatch.settling.outcomes import ACCEPTED, DELIVERED, EXPIRED, REJECTED, UNDELIVERABLE
from gateway.message import Message, message_id
from gateway.queue.parts import NOT_OWED, SHARED
from gateway.smpp.tlv import NetworkError

SENT_AT, AT = 3.5, 5.0
Make = Callable[..., Message]


@pytest.mark.parametrize(
    ("states", "outcome", "code", "detail"),
    [
        ([2], "delivered", None, None),
        ([2, 2, 2], "delivered", None, None),
        ([ACCEPTED], "delivered", None, None),
        ([UNDELIVERABLE], "failed", "undelivered", {"receipt_state": "UNDELIV"}),
        ([REJECTED], "failed", "undelivered", {"receipt_state": "REJECTD"}),
        ([4], "failed", "undelivered", {"receipt_state": "DELETED"}),
        ([9], "failed", "undelivered", {"receipt_state": "SKIPPED"}),
        ([EXPIRED], "expired", "expired", {"receipt_state": "EXPIRED"}),
        (
            [2, UNDELIVERABLE, 2],
            "failed",
            "undelivered",
            {"receipt_state": "UNDELIV", "parts_delivered": 2},
        ),
        (
            [EXPIRED, UNDELIVERABLE],
            "failed",
            "undelivered",
            {"receipt_state": "UNDELIV", "parts_delivered": 0},
        ),
        ([2, EXPIRED], "expired", "expired", {"receipt_state": "EXPIRED", "parts_delivered": 1}),
    ],
)
def test_what_receipts_decide(
    make_message: Make,
    states: list[int],
    outcome: str,
    code: str | None,
    detail: dict[str, Any] | None,
) -> None:
    message = make_message(parts=len(states), key="k", campaign="c", maybe_duplicate=True)
    event = outcomes.by_receipts(message, "alpha", SENT_AT, bytes(states), None, AT)
    assert (event.type, event.code) == (outcome, code)
    assert event.detail == {"carrier": "alpha", "sent_at": SENT_AT, **(detail or {})}
    assert (event.message_id, event.at, event.to) == (message_id(1), AT, message.to)
    assert (event.key, event.campaign, event.parts) == ("k", "c", len(states))
    assert event.maybe_duplicate


def test_the_carriers_own_words_are_told(make_message: Make) -> None:
    reasons = {UNDELIVERABLE: Reason("MK:0001", "21b", NetworkError(3, 27))}
    event = outcomes.by_receipts(make_message(), "alpha", SENT_AT, b"\5", reasons, AT)
    assert event.detail == {
        "carrier": "alpha",
        "sent_at": SENT_AT,
        "receipt_state": "MK:0001",
        "receipt_error": "21b",
        "network_error": "3:27",
    }


def test_the_reason_is_that_of_the_part_that_decided(make_message: Make) -> None:
    reasons = {EXPIRED: Reason(None, "001"), REJECTED: Reason("DENIED", "002")}
    states = bytes((EXPIRED, REJECTED, DELIVERED))
    event = outcomes.by_receipts(make_message(parts=3), "alpha", SENT_AT, states, reasons, AT)
    assert event.detail == {
        "carrier": "alpha",
        "sent_at": SENT_AT,
        "receipt_state": "DENIED",
        "receipt_error": "002",
        "parts_delivered": 1,
    }


@pytest.mark.parametrize(
    ("states", "outcome", "delivered"),
    [
        ([DELIVERED, NOT_OWED, NOT_OWED], "delivered", None),
        ([NOT_OWED, UNDELIVERABLE, DELIVERED], "failed", 1),
        ([NOT_OWED, NOT_OWED, EXPIRED], "expired", None),
    ],
)
def test_parts_that_are_owed_no_receipt_do_not_count(
    make_message: Make, states: list[int], outcome: str, delivered: int | None
) -> None:
    event = outcomes.by_receipts(make_message(parts=3), "alpha", SENT_AT, bytes(states), None, AT)
    assert event.type == outcome
    assert (event.detail or {}).get("parts_delivered") == delivered


@pytest.mark.parametrize(
    ("states", "outcome", "detail"),
    [
        ([0], "unknown", None),
        ([2, 0, 2], "unknown", {"parts_delivered": 2}),
        ([0, UNDELIVERABLE], "failed", {"receipt_state": "UNDELIV", "parts_delivered": 0}),
        ([2, EXPIRED, 0], "expired", {"receipt_state": "EXPIRED", "parts_delivered": 1}),
        ([NOT_OWED, NOT_OWED, 0], "unknown", {"parts_delivered": 0}),
        ([SHARED, SHARED, 2], "unknown", {"parts_delivered": 1}),
    ],
)
def test_what_is_known_at_the_deadline(
    make_message: Make, states: list[int], outcome: str, detail: dict[str, Any] | None
) -> None:
    message = make_message(parts=len(states))
    event = outcomes.without_receipts(message, bytes(states), AT)
    assert (event.type, event.detail) == (outcome, detail)


def test_the_carrier_and_the_time_of_a_message_without_receipts(make_message: Make) -> None:
    event = outcomes.sent(make_message(report="none"), "alpha", AT)
    assert (event.type, event.at) == ("sent", AT)
    assert event.detail == {"carrier": "alpha", "sent_at": AT}


@pytest.mark.parametrize("kind", ["optout", "start", "still_out", "help"])
def test_an_answer_of_the_gateway_s_own_is_known_by_its_event(
    make_message: Make, kind: str
) -> None:
    message = make_message(reply=kind)
    for event in (
        outcomes.by_receipts(message, "alpha", SENT_AT, b"\2", None, AT),
        outcomes.by_receipts(message, "alpha", SENT_AT, b"\5", None, AT),
        outcomes.without_receipts(message, b"\0", AT),
        outcomes.unanswered(message, "alpha", AT),
        outcomes.event(message, "expired", AT, "expired"),
    ):
        assert event.detail is not None
        assert event.detail["reply"] == kind


def test_a_refusal_names_the_carrier_and_the_status(make_message: Make) -> None:
    event = outcomes.refused_by_carrier(make_message(), "alpha", 0x0B, 0, AT)
    assert (event.type, event.code) == ("failed", "carrier_refused")
    assert event.detail == {"carrier": "alpha", "smpp_status": "ESME_RINVDSTADR"}


def test_a_refusal_says_how_much_the_carrier_took_of_a_long_message(make_message: Make) -> None:
    event = outcomes.refused_by_carrier(make_message(parts=3), "alpha", 0x400, 2, AT)
    assert event.detail == {"carrier": "alpha", "smpp_status": "0x00000400", "parts_taken": 2}


def test_a_message_without_any_answer_is_unknown(make_message: Make) -> None:
    event = outcomes.unanswered(make_message(), "alpha", AT)
    assert (event.type, event.code) == ("unknown", "no_response")


def test_every_final_state_is_delivered_failed_or_expired() -> None:
    assert set(outcomes.FINAL_STATES.values()) == {"delivered", "failed", "expired"}
    assert DELIVERED in outcomes.FINAL_STATES
    assert ACCEPTED not in outcomes.FINAL_STATES
