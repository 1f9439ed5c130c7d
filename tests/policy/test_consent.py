"""Whose messages need consent, by cases."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy.consent import ConsentOptions, ConsentRule
from gateway.policy.rules import Refuse

TEXAN, CALIFORNIAN, TOLL_FREE, PUERTO_RICAN, BRITISH, SATELLITE = (
    "12145550123",
    "12135550123",
    "18005550123",
    "17875550123",
    "447400123456",
    "870776123456",
)
NOBODY: dict[str, frozenset[str]] = {}


@pytest.mark.parametrize(
    ("required", "message", "given", "refused"),
    [
        pytest.param(["US"], {"to": TEXAN}, NOBODY, True, id="required there"),
        pytest.param(["US"], {"to": TEXAN}, {TEXAN: {"marketing"}}, False, id="and given"),
        pytest.param(["US"], {"to": TEXAN}, {TEXAN: {"news"}}, True, id="for something else"),
        pytest.param(["US"], {"to": TEXAN}, {CALIFORNIAN: {"marketing"}}, True, id="by another"),
        pytest.param(["US"], {"to": BRITISH}, NOBODY, False, id="not required there"),
        pytest.param(["US-TX"], {"to": TEXAN}, NOBODY, True, id="a state"),
        pytest.param(["US-TX"], {"to": CALIFORNIAN}, NOBODY, False, id="another state"),
        pytest.param(["US-TX"], {"to": TOLL_FREE}, NOBODY, True, id="who knows in which state"),
        pytest.param(["US"], {"to": PUERTO_RICAN}, NOBODY, True, id="a territory"),
        pytest.param(["PR"], {"to": TEXAN}, NOBODY, False, id="not the country of a territory"),
        pytest.param(["*"], {"to": BRITISH}, NOBODY, True, id="everywhere"),
        pytest.param(["*"], {"to": SATELLITE}, NOBODY, True, id="everywhere, at sea too"),
        pytest.param(
            ["*"], {"to": TEXAN, "category": "otp"}, NOBODY, False, id="a password needs none"
        ),
    ],
)
def test_who_is_not_texted(
    make_message: Callable[..., Message],
    required: list[str],
    message: dict[str, Any],
    given: dict[str, frozenset[str]],
    refused: bool,
) -> None:
    rule = ConsentRule(ConsentOptions(require=tuple(required)))
    verdicts = rule.judge([make_message(**message)], Facts(consents=given), 0.0)
    assert bool(verdicts) is refused
    if refused:
        verdict = verdicts[0]
        assert isinstance(verdict, Refuse)
        assert (verdict.rule, verdict.code) == ("consent", "no_consent")


def test_what_is_wrong_is_named() -> None:
    assert ConsentOptions(require=("US", "*", "Texas")).problems() == [
        "require[2]: 'Texas' is neither '*' nor an ISO 3166 code, such as 'US' or 'US-TX'"
    ]
