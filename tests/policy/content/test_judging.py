"""What a text may have, by region, category, tenant and carrier."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

from collections.abc import Callable
from typing import Any

import pytest

from gateway.facts import NO_FACTS
from gateway.message import Message
from gateway.policy.content.judging import Contents
from gateway.policy.content.options import (
    ContentOptions,
    OptoutLine,
    WordFileError,
    WordList,
    shipped_words,
    words_of,
)
from gateway.policy.rules import Refuse

MakeMessage = Callable[..., Message]
CHINA, FRANCE = "8613812345678", "33612345678"
WORDS = (
    WordList(name="law", words=("最佳",), regions=("CN",), categories=frozenset({"marketing"})),
    WordList(name="house", words=("casino",)),
)


@pytest.mark.parametrize(
    ("options", "fields", "rule", "place"),
    [
        ({"words": WORDS}, {"to": CHINA, "text": "全国最佳"}, "banned_words", 2),
        ({"words": WORDS}, {"to": FRANCE, "text": "全国最佳"}, None, None),
        ({"words": WORDS}, {"to": CHINA, "text": "最佳", "category": "otp"}, None, None),
        ({"words": WORDS}, {"to": FRANCE, "text": "My Casino"}, "banned_words", 3),
        ({"links": "registered"}, {"text": "at shop.com"}, None, None),
        ({"links": "registered"}, {"text": "at m.shop.com/x"}, None, None),
        ({"links": "registered"}, {"text": "at evil.com"}, "links", 3),
        ({"links": "registered"}, {"text": "shop.com evil.com"}, "links", 9),
        ({}, {"text": "at evil.com"}, None, None),
        ({"shorteners": "refuse"}, {"text": "at bit.ly/1"}, "shorteners", 3),
        ({"shorteners": "refuse"}, {"text": "at evil.com"}, None, None),
        (
            {"shorteners": "refuse", "categories": frozenset({"marketing"})},
            {"text": "at bit.ly/1", "category": "otp"},
            None,
            None,
        ),
        ({"max_parts": 2}, {"text": "x" * 400, "parts": 3}, "max_parts", 306),
        (
            {"max_parts": 1},
            {"text": "促" * 71, "parts": 2, "encoding": "ucs2"},
            "max_parts",
            70,
        ),
        ({"max_parts": 1}, {"text": "şğı" * 60, "parts": 2}, "max_parts", 70),
        ({"max_parts": 2}, {"text": "x", "parts": 2}, None, None),
        ({}, {"text": "at shop.com", "route": "strict"}, "links", 3),
        ({}, {"text": "Call 400-820-8820", "route": "strict"}, "phones", 5),
        ({}, {"text": "加微信领券", "route": "strict"}, "contacts", 0),
        ({}, {"text": "加微信领券", "route": "strict", "category": "transactional"}, None, None),
        ({}, {"text": "Call 400-820-8820", "route": "default"}, None, None),
    ],
)
def test_a_text_is_judged(
    make_message: MakeMessage,
    options: dict[str, Any],
    fields: dict[str, Any],
    rule: str | None,
    place: int | None,
) -> None:
    bans = {"strict": frozenset({"links", "phones", "contacts"})}
    contents = Contents(ContentOptions(**options), ("shop.com",), bans)  # type: ignore[arg-type]
    verdicts = contents.judge([make_message(**fields)], NO_FACTS, 0.0)
    found = verdicts.get(0)
    if rule is None:
        assert found is None
    else:
        assert isinstance(found, Refuse)
        assert (found.rule, found.code, found.place) == (rule, "content_refused", place)


def test_a_refusal_names_the_word_the_list_and_the_place(make_message: MakeMessage) -> None:
    contents = Contents(ContentOptions(words=WORDS))
    found = contents.judge([make_message(text="Our C@SINO")], NO_FACTS, 0.0)[0]
    assert found.why == (
        "banned_words: 'C@SINO' is banned by the list 'house' as 'casino' (position 4)"
    )


def test_without_anything_to_look_for_there_is_no_rule() -> None:
    assert Contents(ContentOptions(), bans={"default": frozenset()}).is_idle
    assert Contents(ContentOptions(optout_line=(OptoutLine(region="CN", text="回T退订"),))).is_idle
    assert not Contents(ContentOptions(max_parts=1)).is_idle


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("最佳\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b"ok word\n\xd7\xee\xbc\xd1\n", "line 2: byte 8 is not UTF-8"),
        (b"# nothing\n\n", "has no words"),
        ("好词\n！\n".encode(), "line 2: '！' has no letter or digit"),
        (b"x\n", "line 1: 'x' is one letter or digit"),
        (b"word\n" * 1_000_000, "1000000 lines; a list has up to 100000 words"),
    ],
)
def test_a_word_list_that_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WordFileError, match=why.replace("！", ".")):
        words_of(data)


def test_a_word_list_is_a_word_a_line() -> None:
    assert words_of("\ufeff# of ours\r\n最佳\r\n\r\n free money \r\n".encode()) == (
        "最佳",
        "free money",
    )


@pytest.mark.parametrize("name", ["superlatives", "inducements"])
def test_the_shipped_lists_are_lists(name: Any) -> None:
    assert len(shipped_words(name)) > 10
