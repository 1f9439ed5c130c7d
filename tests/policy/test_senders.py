from collections.abc import Callable

import pytest

from gateway.facts import Facts
from gateway.message import Message
from gateway.policy.rules import Refuse
from gateway.policy.senders import Senders, default_sender, normalise


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("10690001", "10690001"),
        ("+447400123456", "447400123456"),
        ("12345", "12345"),
        ("10690001234567890123", "10690001234567890123"),
        ("ACME", "ACME"),
        ("Acme Shop 1", "Acme Shop 1"),
        ("AD-ACME", "AD-ACME"),
        ("H&M", "H&M"),
    ],
)
def test_senders(written: str, sender: str) -> None:
    assert normalise(written) == sender


@pytest.mark.parametrize(
    "written",
    ["", "+", "+123", "+0447400123456", "+4474001234567890", "106900012345678901234",
     "TwelveLetter", "123-456", "Acmé", "Acme\n", " Acme", "12345\n", "&&&", "*", "١٢٣"],
)  # fmt: skip
def test_what_is_no_sender(written: str) -> None:
    assert normalise(written) is None


def test_a_tenant_may_use_its_own_senders_only(make_message: Callable[..., Message]) -> None:
    rule = Senders(["+10690001", "ACME"])
    used = ["10690001", "ACME", "Acme", "10690002", "no sender at all"]
    verdicts = rule.judge([make_message(sender=sender) for sender in used], Facts(), 0.0)
    codes = {
        index: verdict.code for index, verdict in verdicts.items() if isinstance(verdict, Refuse)
    }
    assert codes == {2: "sender_not_allowed", 3: "sender_not_allowed", 4: "invalid_sender"}
    assert "10690002" in verdicts[3].why


def test_any_sender_still_has_to_be_one(make_message: Callable[..., Message]) -> None:
    rule = Senders(["*"])
    used = ["10690001", "Anything", "no sender at all"]
    assert set(rule.judge([make_message(sender=sender) for sender in used], Facts(), 0.0)) == {2}


def test_a_tenant_without_senders_may_use_none(make_message: Callable[..., Message]) -> None:
    assert set(Senders([]).judge([make_message()], Facts(), 0.0)) == {0}


@pytest.mark.parametrize(
    ("senders", "default"),
    [(["10690001", "ACME"], "10690001"), (["*", "+4412345678"], "4412345678"), (["*"], None),
     ([], None)],
)  # fmt: skip
def test_the_first_sender_is_the_default(senders: list[str], default: str | None) -> None:
    assert default_sender(senders) == default
