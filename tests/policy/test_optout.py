from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import CATEGORIES, Message
from gateway.policy.optout import HELP, START, STOP, Keywords, Optout, OptoutOptions, all_of
from gateway.policy.rules import Facts, Refuse


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop", " Stop! ", "Stop.\n", "\u201cSTOP\u201d", "S T O P", "STO\u200bP",
        "stop \N{OCTAGONAL SIGN}", "STOP".translate({ord("S"): 0xFF33}), "Opt-Out", "opt out",
        "OPTOUT", "StopAll", "unsubscribe", "ARRÊT", "arret", "Arre\u0302t", "arrête",
        "TD", "td。", "退订", "【退订】", "拒收", "Abmelden", "sair",
    ],
)  # fmt: skip
def test_texts_that_opt_out(text: str) -> None:
    assert Keywords(OptoutOptions().keywords).matches(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "!!", "stop by at six", "please stop", "stopped", "T", "N", "R", "no", "START",
     "我要退订", "退", "STOP " * 40],
)  # fmt: skip
def test_texts_that_do_not(text: str) -> None:
    assert not Keywords(OptoutOptions().keywords).matches(text)


def test_keywords_of_the_configuration_are_read_as_texts_are() -> None:
    keywords = Keywords(["Ré-Parti", "T", "退订", "..."])
    assert keywords.matches("reparti")
    assert keywords.matches("t.")
    assert keywords.matches("退订")
    assert not keywords.matches("")
    assert not keywords.matches("?")


def test_no_keyword_means_two_things() -> None:
    stop, start, ask = (Keywords(all_of(words)) for words in (STOP, START, HELP))
    for words, others in ((STOP, (start, ask)), (START, (stop, ask)), (HELP, (stop, start))):
        for word in all_of(words):
            assert not any(other.matches(word) for other in others)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    words = Keywords([text])
    assert words.matches(text) in (True, False)
    assert not Keywords([]).matches(text)


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
