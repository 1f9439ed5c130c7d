from collections.abc import Callable

from gateway.facts import Facts
from gateway.message import CATEGORIES, Message
from gateway.policy.optout import Optout, OptoutOptions
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
