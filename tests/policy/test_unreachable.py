"""What outcomes say of a number, and who is spared."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import Facts
from gateway.message import Event, Message
from gateway.policy.rules import Refuse
from gateway.policy.unreachable import Unreachable, UnreachableOptions

MakeMessage = Callable[..., Message]

DAY = 86_400.0
ALL = frozenset[Any]({"transactional", "marketing"})
RULE = Unreachable(UnreachableOptions(categories=ALL, permanent_errors=("001", "5", "MK:0001")))
PHONE = "8613812345678"


@pytest.mark.parametrize(
    ("outcome", "detail", "days"),
    [
        # Nobody has this number: known to the carrier at once, or to the network.
        ("failed", {"smpp_status": "ESME_RINVDSTADR"}, 90),
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "001"}, 90),
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "1"}, 90),
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "005"}, 90),
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "MK:0001"}, 90),
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "mk:0001"}, 90),
        ("failed", {"receipt_state": "UNDELIV", "network_error": "3:1"}, 90),
        # Not reached this time: off, out of range, full.
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "027"}, 30),
        ("failed", {"receipt_state": "UNDELIV", "receipt_error": "010"}, 30),
        ("failed", {"receipt_state": "UNDELIV"}, 30),
        ("expired", {"receipt_state": "EXPIRED"}, 30),
        # Of the text, the sender or the gateway.
        ("failed", {"receipt_state": "REJECTD", "receipt_error": "001"}, None),
        ("failed", {"receipt_state": "DELETED"}, None),
        ("failed", {"smpp_status": "ESME_RINVSRCADR"}, None),
        ("failed", {"reason": "no route"}, None),
        ("failed", None, None),
        ("expired", None, None),
        ("unknown", {"carrier": "alpha"}, None),
        ("delivered", {"carrier": "alpha"}, None),
        ("cancelled", None, None),
    ],
)
def test_what_an_outcome_teaches(
    outcome: Any, detail: dict[str, Any] | None, days: int | None
) -> None:
    lesson = RULE.lesson(Event(outcome, 0.0, detail=detail))
    if days is None:
        assert lesson is None
    else:
        assert lesson is not None
        assert lesson.keep == days * DAY
        assert lesson.count == (1 if days == 90 else 3)
        assert lesson.within == 14 * DAY


@pytest.mark.parametrize(
    ("category", "due", "now", "spared"),
    [
        ("marketing", 0.0, 100.0, True),
        ("transactional", 0.0, 100.0, True),
        ("otp", 0.0, 100.0, False),
        ("marketing", 0.0, 1_000.0, False),  # it is tried again
        ("marketing", 2_000.0, 100.0, False),
    ],
)
def test_who_is_spared(
    make_message: MakeMessage, category: str, due: float, now: float, spared: bool
) -> None:
    message = make_message(PHONE, category=category, due=due)
    found = RULE.judge([message], Facts(unreachable={PHONE: 1_000.0}), now)
    if spared:
        [refused] = found.values()
        assert isinstance(refused, Refuse)
        assert (refused.code, refused.retry_at) == ("unreachable", 1_000.0)
        assert PHONE not in refused.why
    else:
        assert found == {}


def test_passwords_are_never_refused() -> None:
    [problem] = UnreachableOptions(categories=frozenset({"otp"})).problems()
    assert problem == "categories: otp is never refused for this; take it out"
