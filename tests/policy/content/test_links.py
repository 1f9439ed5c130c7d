"""Links are what phones make links of, and lead where a browser would go."""

# ruff: noqa: RUF001  full stops of other scripts are meant

import pytest

from gateway.policy.content.links import (
    domain_problem,
    ends_with_link,
    is_within,
    links,
    shorteners,
    written_host,
)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("See https://shop.example/a?b=1", ["shop.example"]),
        ("HTTP://SHOP.EXAMPLE", ["shop.example"]),
        ("http://shop.example:8080/x", ["shop.example"]),
        ("http://shop.example@evil.test/x", ["evil.test"]),
        ("http://shop.example.evil.test/", ["shop.example.evil.test"]),
        ("http://10.0.0.1/login", ["10.0.0.1"]),
        ("www.shop.example", ["www.shop.example"]),
        ("go to shop.com now", ["shop.com"]),
        ("shop.com.", ["shop.com"]),
        ("点击s.shop.cn/a1领取", ["s.shop.cn"]),
        ("链接：t.cn/A6x，回T退订", ["t.cn"]),
        ("shop。com 限时", ["shop.com"]),
        ("ｓｈｏｐ．ｃｏｍ", ["shop.com"]),
        ("bit.ly/2abc and is.gd/x", ["bit.ly", "is.gd"]),
        ("wa.me/123", ["wa.me"]),
        ("http://例子.中国/", ["xn--fsqu00a.xn--fiqs8s"]),
        ("看 http://2130706433/x", ["2130706433"]),
        ("http://localhost", ["localhost"]),
    ],
)
def test_links_are_found(text: str, hosts: list[str]) -> None:
    assert [link.host for link in links(text)] == hosts


@pytest.mark.parametrize(
    "text",
    [
        "Only 3.50 a piece, e.g. today",
        "Come at 9.Bring it.",
        "call me.it was fun",
        "mail us at help@shop.com",
        "你好。再见",
        "v1.2.3",
        "No. 1",
        "Mr.Co",
    ],
)
def test_what_is_no_link(text: str) -> None:
    assert [link.host for link in links(text)] in ([], ["mr.co"])


def test_a_link_has_its_place() -> None:
    assert [link.place for link in links("a https://x.com b y.com")] == [2, 18]


@pytest.mark.parametrize(
    ("host", "within"),
    [
        ("shop.example", True),
        ("m.shop.example", True),
        ("notshop.example", False),
        ("shop.example.evil.test", False),
        ("example", False),
    ],
)
def test_within(host: str, within: bool) -> None:
    assert is_within(host, {"shop.example"}) is within


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("shop.example", True),
        ("xn--fiqs8s.cn", True),
        ("例子.中国", True),
        ("https://shop.example", False),
        ("shop.example/x", False),
        ("shop", False),
        ("", False),
        ("*.shop.example", False),
    ],
)
def test_domains_that_can_be_registered(name: str, fine: bool) -> None:
    assert (not domain_problem(name)) is fine


def test_the_known_shorteners_are_domains() -> None:
    assert {"bit.ly", "t.cn"} <= shorteners()
    assert not [name for name in shorteners() if domain_problem(name)]


@pytest.mark.parametrize(
    ("text", "runs_on"),
    [
        ("看 https://shop.example/a1", True),
        ("看shop.cn", True),
        ("https://shop.example", True),
        ("https://shop.example/a1 ", False),
        ("https://shop.example/a1 领取", False),
        ("https://shop.example/a1，", False),
        ("今天 9.9", False),
        ("", False),
    ],
)
def test_what_would_run_into_a_link(text: str, runs_on: bool) -> None:
    assert ends_with_link(text) is runs_on


def test_a_host_is_told_as_it_is_written() -> None:
    assert written_host("xn--fsqu00a.xn--fiqs8s") == "例子.中国"
    assert written_host("shop.example") == "shop.example"
