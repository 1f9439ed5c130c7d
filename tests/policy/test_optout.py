from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import Facts
from gateway.message import CATEGORIES, Message
from gateway.policy.content.options import SignatureOptions
from gateway.policy.optout import Optout, OptoutOptions, narrow_purpose, plain_purpose
from gateway.policy.rules import Refuse


def test_who_has_opted_out_gets_nothing(make_message: Callable[..., Message]) -> None:
    messages = [make_message("447400123456", category=name) for name in CATEGORIES]
    messages.append(make_message("447400123457"))
    verdicts = Optout(OptoutOptions()).judge(messages, Facts(opted_out={"447400123456"}), 0.0)
    refusal = Refuse("optout", "opted_out", "the recipient has opted out")
    assert verdicts == {0: refusal, 1: refusal, 2: refusal}
    assert Optout(OptoutOptions()).judge(messages, Facts(), 0.0) == {}


def test_an_opt_out_may_be_narrowed_to_categories(make_message: Callable[..., Message]) -> None:
    rule = Optout(OptoutOptions(categories=frozenset({"marketing"})))
    messages = [make_message("447400123456", category=name) for name in CATEGORIES]
    assert set(rule.judge(messages, Facts(opted_out={"447400123456"}), 0.0)) == {2}


SHOP, LUXE = (
    SignatureOptions(text="海岸百货"),
    SignatureOptions(text="【甄选】", senders=("10690002",)),
)


@pytest.mark.parametrize(
    ("message", "withdrawn", "code"),
    [
        pytest.param({"text": "【海岸百货】好"}, "signature:海岸百货", "opted_out", id="signature"),
        pytest.param({"text": " 【海岸百货 】好"}, "signature:海岸百货", "opted_out", id="spaces"),
        pytest.param({"text": "【甄选】好"}, "signature:海岸百货", None, id="another signature"),
        pytest.param({"text": "好"}, "signature:海岸百货", None, id="without one"),
        pytest.param({}, "sender:10690001", "opted_out", id="sender"),
        pytest.param({"sender": "10690002"}, "sender:10690001", None, id="another sender"),
        pytest.param({}, "marketing", "no_consent", id="category"),
        pytest.param({"category": "otp"}, "marketing", None, id="another category"),
        pytest.param({}, "news", None, id="a purpose of the tenant's own"),
    ],
)
def test_who_opted_out_of_a_part_gets_the_rest(
    make_message: Callable[..., Message], message: dict[str, Any], withdrawn: str, code: str | None
) -> None:
    facts = Facts(withdrawn={"447400123456": frozenset({withdrawn})})
    one = make_message(**message)
    verdict = Optout(OptoutOptions()).judge([one], facts, 0.0).get(0)
    assert (verdict.code if isinstance(verdict, Refuse) else None) == code


def test_what_a_stop_never_stops_it_does_not_stop_in_part(
    make_message: Callable[..., Message],
) -> None:
    rule = Optout(OptoutOptions(categories=frozenset({"marketing"})))
    facts = Facts(withdrawn={"447400123456": frozenset({"sender:10690001"})})
    messages = [make_message(category=category) for category in ("otp", "marketing")]
    assert set(rule.judge(messages, facts, 0.0)) == {1}


@pytest.mark.parametrize(
    ("scope", "number", "purpose"),
    [
        ("tenant", "10690001", None),
        ("global", "10690001", None),
        ("sender", "10690001", "sender:10690001"),
        ("sender", "123", None),  # nothing is sent from there
        ("signature", "10690001", "signature:海岸百货"),
        ("signature", "10690002", None),  # both may be meant
    ],
)
def test_what_a_keyword_stops(scope: Any, number: str, purpose: str | None) -> None:
    senders = {"10690001", "10690002"}
    assert narrow_purpose(scope, [SHOP, LUXE], senders, number) == purpose


@pytest.mark.parametrize(
    ("written", "purpose"),
    [
        ("signature:【海岸百货】", "signature:海岸百货"),
        ("signature: 海岸百货 ", "signature:海岸百货"),
        ("sender:+447400123456", "sender:447400123456"),
        ("sender:Harbour", "sender:Harbour"),
        ("marketing", "marketing"),
        ("our:own", "our:own"),
    ],
)
def test_a_purpose_is_found_however_it_is_written(written: str, purpose: str) -> None:
    assert plain_purpose(written) == purpose
