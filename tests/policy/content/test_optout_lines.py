"""Promotions end with their region's opt-out line, and one-time passwords never."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import pytest

from gateway.message import Category
from gateway.policy.content.options import OptoutLine
from gateway.policy.content.optout_lines import OptoutLines
from gateway.policy.rules import Refuse

CHINA, TEXAS, FRANCE = "8613812345678", "12145550100", "33612345678"
PUERTO_RICO = "17875550123"
LINES = OptoutLines(
    [
        OptoutLine(region="CN", carriers=("cucc",), text="回T退订"),
        OptoutLine(region="CN", text="拒收请回复R"),
        OptoutLine(region="US", text="Reply STOP to opt out"),
        OptoutLine(region="FR", text="STOP au 36180", on_missing="refuse"),
    ],
    {"mobile": ("cmcc",), "unicom": ("cucc",)},
)


@pytest.mark.parametrize(
    ("text", "to", "route", "expected"),
    [
        ("大促", CHINA, "mobile", "大促拒收请回复R"),
        ("大促", CHINA, "unicom", "大促回T退订"),
        ("点shop.cn/a1", CHINA, "mobile", "点shop.cn/a1 拒收请回复R"),
        ("点 https://shop.example", CHINA, "mobile", "点 https://shop.example 拒收请回复R"),
        ("大促，拒收请回复R", CHINA, "mobile", "大促，拒收请回复R"),
        ("大促，回t退订", CHINA, "mobile", "大促，回t退订"),
        ("大促 拒收请回复 R", CHINA, "mobile", "大促 拒收请回复 R"),
        ("Sale", TEXAS, "mobile", "Sale Reply STOP to opt out"),
        ("Rebajas", PUERTO_RICO, "mobile", "Rebajas Reply STOP to opt out"),
        ("Sale\n", TEXAS, "mobile", "Sale\nReply STOP to opt out"),
        ("Sale. REPLY stop to opt-out!", TEXAS, "mobile", "Sale. REPLY stop to opt-out!"),
        ("Soldes STOP au 36180", FRANCE, "mobile", "Soldes STOP au 36180"),
        ("Sale", "447400123456", "mobile", "Sale"),
    ],
)
def test_a_promotion_and_its_line(text: str, to: str, route: str, expected: str) -> None:
    assert LINES.put(text, to, "marketing", route) == expected


@pytest.mark.parametrize(
    ("text", "to", "category", "place"),
    [
        ("Soldes", FRANCE, "marketing", 6),
        ("验证码481516，拒收请回复R", CHINA, "otp", 10),
        ("验证码481516，回T退订", CHINA, "otp", 10),
    ],
)
def test_a_line_that_is_missing_or_forbidden(
    text: str, to: str, category: Category, place: int
) -> None:
    refused = LINES.put(text, to, category, "mobile")
    assert isinstance(refused, Refuse)
    assert (refused.rule, refused.place) == ("optout_line", place)


@pytest.mark.parametrize("category", ["otp", "transactional"])
def test_other_texts_have_none(category: Category) -> None:
    assert LINES.put("验证码481516", CHINA, category, "mobile") == "验证码481516"
