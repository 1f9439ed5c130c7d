"""Which rule a text from a phone meets."""

# ruff: noqa: RUF001  full width is typed on phones

from typing import Any

import pytest

from gateway.policy import conversation
from gateway.policy.conversation import Conversation, ReplyRule
from gateway.policy.keywords import Keywords

SHOP = Conversation(
    [
        ReplyRule(match=("1", "营业时间", "opening hours"), text="9 to 21"),
        ReplyRule(match=("2",), number="+10690002", text="card"),
        ReplyRule(match=("3",), action="handover"),
        ReplyRule(match=("*",), number="10690002", text="?"),
    ]
)


@pytest.mark.parametrize(
    ("number", "text", "name"),
    [
        ("10690001", "1", "1"),
        ("10690001", " 1. ", "1"),
        ("10690001", "１", "1"),
        ("10690001", "营业时间？", "1"),
        ("10690001", "Opening  HOURS!", "1"),
        ("10690001", "11", None),
        ("10690001", "1 please", None),
        ("10690001", "2", None),
        ("10690002", "2", "2"),
        ("10690002", "3", "3"),
        ("10690002", "good morning", "*"),
        ("10690001", "good morning", None),
        ("10690001", "", None),
    ],
)
def test_which_rule_it_is(number: str, text: str, name: str | None) -> None:
    rule = SHOP.rule_for(number, text)
    assert (rule and rule.called) == name


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([{"match": (), "text": "a", "name": "n"}], "replies[0].match: is empty"),
        ([{"match": ("!?",), "text": "a"}], "replies[0].match[0]: '!?' has no letter"),
        ([{"match": ("1",)}], "replies[0].text: is missing, and nothing else follows"),
        ([{"match": ("1",), "text": "x" * 481}], "replies[0].text: "),
        ([{"match": ("1",), "text": "a", "template": "t"}], "replies[0].template: is there"),
        ([{"match": ("1",), "text": "a", "action": "optin"}], "replies[0].text: is there where"),
        ([{"match": ("x" * 40,), "text": "a"}], "replies[0].name: "),
        (
            [{"match": ("1",), "text": "a"}, {"match": ("2",), "name": "1", "text": "b"}],
            "replies[1].name: '1' is that of replies[0] as well",
        ),
    ],
)
def test_what_is_wrong_is_named(rules: list[dict[str, Any]], said: str) -> None:
    [problem] = conversation.problems([ReplyRule(**one) for one in rules])
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            [{"match": ("1",), "text": "a"}, {"match": ("１", "2"), "text": "b"}],
            ["replies[1].match[0]"],
        ),
        ([{"match": ("*",), "text": "a"}, {"match": ("1",), "text": "b"}], ["replies[1]"]),
        ([{"match": ("1",), "text": "a", "number": "123"}], ["replies[0].number"]),
        ([{"match": ("1", "R"), "text": "a"}], ["replies[0].match[1]"]),
        (
            [
                {"match": ("1",), "text": "a", "number": "10690001"},
                {"match": ("1",), "name": "all", "text": "b"},
            ],
            [],
        ),
    ],
)
def test_what_is_hardly_meant(rules: list[dict[str, Any]], said: list[str]) -> None:
    found = conversation.advice(
        [ReplyRule(**one) for one in rules], {"10690001"}, Keywords("CN").read
    )
    assert [line.split(":")[0] for line in found] == said
