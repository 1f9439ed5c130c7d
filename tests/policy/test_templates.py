"""Templates: what one may be, what fills one, and what could have been made with one."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import template_matching
from gateway.policy.rules import Refuse
from gateway.policy.template_matching import Book, matches
from gateway.policy.templates import Definition, Template, Variable


def template(text: str, **fields: Any) -> Template:
    definition = Definition(text, **fields)
    assert not list(definition.problems())
    return Template("welcome", 1, definition)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"text": ""}, "text: 0 characters, not 1 to 2000"),
        ({"text": "x" * 2001}, "text: 2001 characters"),
        ({"text": "Hi ${name"}, "text: '${' at position 3 is not closed by a '}'"),
        ({"text": "Hi ${}"}, "text: '' at position 3 is no name of a variable"),
        ({"text": "${template:welcome}"}, "templates include no others"),
        ({"text": "${a b}"}, "'a b' at position 0 is no name"),
        ({"text": "${a}" * 33}, "text: 33 variables, over 32"),
        ({"text": "Hi", "vars": {"name": Variable()}}, "vars.name: is not in the text"),
        ({"text": "${a}", "vars": {"a": Variable(max=0)}}, "vars.a.max: 0 is not between 1"),
        ({"text": "${a}", "vars": {"a": Variable(max=501)}}, "vars.a.max: 501 is not"),
        (
            {"text": "${a}", "vars": {"a": Variable(default="${a}")}},
            "vars.a.default: has '${': a default is a text as it is",
        ),
        (
            {"text": "${a}", "vars": {"a": Variable(max=2, default="abc")}},
            "vars.a.default: 3 characters, over its max, 2",
        ),
        (
            {"text": "${a}", "vars": {"a": Variable(type="digits", default="x")}},
            "vars.a.default: 'x' is not of the type digits",
        ),
        ({"text": "x", "approved": {"alpha": ""}}, "approved.alpha: '' is no id"),
    ],
)
def test_what_is_wrong_with_a_template(fields: dict[str, Any], why: str) -> None:
    assert any(why in line for line in Definition(**fields).problems())


CODE = template(
    "【店铺】${name}，您的验证码是${code}，${minutes}分钟内有效",
    vars={
        "name": Variable(max=10, default="顾客"),
        "code": Variable("digits", 6),
        "minutes": Variable("digits", 2, "5"),
    },
)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"code": "481516"}, "【店铺】顾客，您的验证码是481516，5分钟内有效"),
        ({"code": 4815, "name": "王小明"}, "【店铺】王小明，您的验证码是4815，5分钟内有效"),
        ({"code": "1", "name": "", "minutes": 10}, "【店铺】顾客，您的验证码是1，10分钟内有效"),
    ],
)
def test_a_template_is_filled(values: dict[str, Any], text: str) -> None:
    assert CODE.fill(values) == text
    assert matches(CODE, text)


@pytest.mark.parametrize(
    ("values", "code", "why"),
    [
        ({}, "invalid_value", "vars.code: missing, and the template has no default for it"),
        ({"code": ""}, "invalid_value", "vars.code: missing"),
        ({"code": "1234567"}, "invalid_value", "vars.code: 7 characters, over 6"),
        ({"code": "12a"}, "invalid_value", "vars.code: '12a' is not of the type digits"),
        ({"code": "１２"}, "invalid_value", "is not of the type digits"),
        ({"code": "1", "nam": "x"}, "invalid_value", "vars.nam: 'welcome' has no such variable; "),
        ({"code": "1", "name": "【别家】"}, "content_refused", "vars.name: has '【'"),
        *(
            ({"code": "1", "name": f"a{end}b"}, "content_refused", "vars.name: has a line break")
            for end in "\n\r\v\f\x85\u2028\u2029"
        ),
        (
            {"code": "1", "name": "evil.com"},
            "content_refused",
            "template: vars.name: has a link to evil.com, which ",
        ),
    ],
)
def test_what_does_not_fill_a_template(values: dict[str, Any], code: str, why: str) -> None:
    refused = CODE.fill(values)
    assert isinstance(refused, Refuse)
    assert (refused.rule, refused.code) == ("template", code)
    assert why in refused.why


def test_a_link_that_is_one_only_with_the_text_is_told_as_such() -> None:
    refused = template("See shop${end} now").fill({"end": ".com"})
    assert isinstance(refused, Refuse)
    assert "vars: make a link of the text around them, which " in refused.why


@pytest.mark.parametrize("value", ["@evil.com/", ".evil.com", "x.evil.com"])
def test_a_variable_leads_no_link_elsewhere(value: str) -> None:
    link = template("See https://shop.com${rest} now")
    assert isinstance(link.fill({"rest": value}), Refuse)
    assert not matches(link, f"See https://shop.com{value} now")
    assert link.fill({"rest": "/a?b=1"}) == "See https://shop.com/a?b=1 now"


@pytest.mark.parametrize(
    ("allow", "value"),
    [("links", "evil.com"), ("brackets", "【1】"), ("breaks", "a\nb")],
)
def test_a_template_may_allow_it(allow: Any, value: str) -> None:
    assert isinstance(template("Hi ${a}!").fill({"a": value}), Refuse)
    assert template("Hi ${a}!", allow=(allow,)).fill({"a": value}) == f"Hi {value}!"
    assert matches(template("Hi ${a}!", allow=(allow,)), f"Hi {value}!")


def test_a_link_may_be_a_variable_of_its_own() -> None:
    link = template("Track it: ${url}", vars={"url": Variable("link", 200)})
    assert link.fill({"url": "https://a.example/1"}) == "Track it: https://a.example/1"
    assert isinstance(link.fill({"url": "two words"}), Refuse)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("【店铺】王，您的验证码是4815，5分钟内有效", True),
        ("【店铺】王，您的验证码是4815，555分钟内有效", False),
        ("【店铺】王，您的验证码是481516234，5分钟内有效", False),
        ("【店铺】王，您的验证码是x，5分钟内有效", False),
        ("【店铺】，您的验证码是4815，5分钟内有效", False),
        ("【店铺】王，您的验证码是4815，5分钟内有效。", False),
        ("王，您的验证码是4815，5分钟内有效", False),
    ],
)
def test_a_plain_text_and_a_template(text: str, fits: bool) -> None:
    assert matches(CODE, text) is fits


def test_a_signature_is_passed_over() -> None:
    book = Book([template("您的验证码是${code}", vars={"code": Variable("digits", 6)})])
    assert list(book.made_with("【店铺】您的验证码是1"))
    assert not list(book.made_with("【店铺】您的验证码是1【"))


pieces = st.text("ab,", max_size=4)
VARIABLES = [f"${{v{n}}}" for n in range(32)]


@given(
    literals=st.lists(pieces, min_size=2, max_size=4),
    limits=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    text=st.text("ab,", max_size=14),
)
def test_it_matches_what_a_regular_expression_would(
    literals: list[str], limits: list[int], text: str
) -> None:
    names = [f"v{n}" for n in range(len(literals) - 1)]
    source = literals[0] + "".join(
        f"${{{name}}}{literal}" for name, literal in zip(names, literals[1:], strict=True)
    )
    variables = {name: Variable(max=most) for name, most in zip(names, limits, strict=False)}
    pattern = re.escape(literals[0]) + "".join(
        f".{{1,{most}}}{re.escape(literal)}"
        for most, literal in zip(limits, literals[1:], strict=False)
    )
    expected = re.fullmatch(pattern, text) is not None
    assert matches(template(source, vars=variables), text) is expected


def steps(template: Template, text: str) -> int:
    """How many lines of the matching are run, whatever the machine does meanwhile."""
    count = 0

    def line(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename != template_matching.__file__:
            return None
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        matches(template, text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("source", "unit", "end"),
    [
        pytest.param("a".join(VARIABLES[:20]) + "b", "a", "", id="one letter"),
        pytest.param("a".join(VARIABLES) + "b", "a", "b", id="one letter to the end"),
        pytest.param("aa".join(VARIABLES) + "b", "a", "ab", id="pieces that overlap"),
        pytest.param("ab".join(VARIABLES) + "c", "ab", "c", id="a piece again and again"),
        pytest.param("a" + "aab".join(VARIABLES) + "a", "aab", "a", id="a piece within itself"),
        pytest.param("".join(VARIABLES) + "b", "a", "b", id="nothing between variables"),
        pytest.param(("a" * 50).join(VARIABLES[:10]) + "b", "a", "b", id="long pieces"),
    ],
)
@pytest.mark.parametrize("kind", ["text", "digits"])
def test_the_worst_text_takes_time_in_proportion_to_its_length(
    source: str, unit: str, end: str, kind: Any
) -> None:
    variables = {f"v{n}": Variable(kind, 500) for n in range(32) if f"${{v{n}}}" in source}
    hard = template(source, vars=variables)
    few, many = (steps(hard, unit * (size // len(unit)) + end) for size in (1_000, 4_000))
    assert many < 4.8 * few + 1_000


def test_a_piece_of_a_text_is_looked_at_once_for_each_variable() -> None:
    """Not once for each way in which the variables could share the text."""
    hard = template("a".join(VARIABLES) + "b", vars={f"v{n}": Variable(max=500) for n in range(32)})
    assert steps(hard, "a" * 1_000 + "b") < 20 * 32 * 1_000


def test_a_text_that_is_longer_than_any_is_not_looked_at() -> None:
    hard = template(
        "a".join(VARIABLES[:3]) + "b", vars={f"v{n}": Variable(max=9) for n in range(3)}
    )
    assert matches(hard, "x" * 9 + "a" + "x" * 9 + "a" + "x" * 9 + "b")
    assert steps(hard, "a" * 40_000 + "b") < 10
