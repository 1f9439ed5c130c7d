"""Signatures are put in front, once, and none but the tenant's own."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import pytest

from gateway.policy.content.options import SignatureOptions, signature_problems
from gateway.policy.content.signatures import Signatures
from gateway.policy.rules import Refuse

CARRIERS = {"cn": ("cmcc",), "us": ("acme-us",), "both": ("cmcc", "acme-us")}
SHOP = SignatureOptions(text="店铺")
CLUB = SignatureOptions(text="【会员】", senders=("1069002",))
LOCAL = SignatureOptions(text="本地", carriers=("cmcc",))


@pytest.mark.parametrize(
    ("options", "text", "route", "expected"),
    [
        ([SHOP], "你好", "cn", "【店铺】你好"),
        ([SHOP], "【店铺】你好", "cn", "【店铺】你好"),
        ([SHOP], "\u3000【店铺】你好", "cn", "【店铺】你好"),
        ([SHOP], "\n【 店铺 】 你好", "cn", "【店铺】 你好"),
        ([CLUB, SHOP], "你好", "cn", "【店铺】你好"),
        ([LOCAL], "你好", "cn", "【本地】你好"),
        ([LOCAL], "Hello", "us", "Hello"),
        ([LOCAL], "Hello", "both", "Hello"),
    ],
)
def test_a_text_and_its_signature(
    options: list[SignatureOptions], text: str, route: str, expected: str
) -> None:
    assert Signatures(options, CARRIERS).put(text, "1069001", route) == expected


@pytest.mark.parametrize(
    ("options", "text", "sender", "why", "place"),
    [
        ([SHOP], "【别家】你好", "1069001", "not one of this tenant's", 0),
        ([SHOP], "【店铺】【会员】你好", "1069001", "stand in a text once", 4),
        ([SHOP], "【店铺】你好【大促】", "1069001", "stand in a text once", 6),
        ([SHOP], "你好【店铺】", "1069001", "stand in a text once", 2),
        ([SHOP], "【】你好", "1069001", "not one of this tenant's", 0),
        ([CLUB, SHOP], "【会员】你好", "1069001", "not known to the sender 1069001", 0),
        ([LOCAL], "【本地】你好", "us", "not known", 0),
        ([SignatureOptions(text="店铺", on_missing="refuse")], "你好", "1", "no signature", 0),
    ],
)
def test_a_signature_that_is_refused(
    options: list[SignatureOptions], text: str, sender: str, why: str, place: int
) -> None:
    route = "us" if sender == "us" else "cn"
    refused = Signatures(options, CARRIERS).put(text, sender, route)
    assert isinstance(refused, Refuse)
    assert (refused.rule, refused.code, refused.place) == ("signature", "content_refused", place)
    assert why in refused.why


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("店铺", True),
        ("【店铺】", True),
        ("Shop & Co", True),
        ("店", False),
        ("店" * 16, True),
        ("店" * 17, False),
        ("10086", False),
        ("店铺！", False),
        ("店铺【】", False),
        (" 店铺", False),
        ("", False),
    ],
)
def test_the_forms_of_a_signature(text: str, fine: bool) -> None:
    assert (not list(signature_problems(SignatureOptions(text=text)))) is fine
