"""Which route takes a message."""

from collections.abc import Callable

import pytest

from gateway.dispatch.release import routing
from gateway.dispatch.release.routing import (
    NAME,
    CarrierShare,
    Match,
    RouteOptions,
    Router,
    direct,
    named_by_content,
    narrow_routes,
)
from gateway.message import Category


def route(name: str, match: Match) -> RouteOptions:
    return RouteOptions(name=name, carriers=[CarrierShare("alpha")], match=match)


ROUTES = [
    route("china-otp", Match(prefix=["86"], category=["otp"])),
    route("hong-kong", Match(prefix=["852", "853"])),
    route("acme", Match(tenant=["acme"])),
    route("ads", Match(category=["marketing"])),
]


@pytest.mark.parametrize(
    ("tenant", "category", "to", "expected"),
    [
        ("umbrella", "otp", "8613800000000", "china-otp"),
        ("umbrella", "marketing", "8613800000000", "ads"),
        ("umbrella", "otp", "85290000000", "hong-kong"),
        ("umbrella", "otp", "85390000000", "hong-kong"),
        ("acme", "marketing", "447400123456", "acme"),
        ("acme", "marketing", "85290000000", "hong-kong"),
        ("umbrella", "marketing", "447400123456", "ads"),
        ("umbrella", "transactional", "447400123456", None),
    ],
)
def test_the_first_route_that_matches_takes_it(
    tenant: str, category: Category, to: str, expected: str | None
) -> None:
    router = Router(ROUTES)
    # The second answer is remembered, and the same.
    assert [router.route(tenant, category, to) for _ in range(2)] == [expected] * 2


def test_a_route_without_a_match_takes_everything() -> None:
    router = Router([route("all", Match())])
    assert router.route("acme", "otp", "447400123456") == "all"


def test_without_routes_nothing_is_taken() -> None:
    assert Router([]).route("acme", "otp", "447400123456") is None


def test_what_is_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch, weigh: Callable[[object], int]
) -> None:
    monkeypatch.setattr(routing, "CACHE_SIZE", 10)
    router = Router([route("four", Match(prefix=["4474001"])), route("rest", Match())])
    empty = weigh(router)
    numbers = [f"44740{n:02}3456" for n in range(50)]
    found = [router.route("acme", "otp", number) for number in numbers * 2]
    assert found == ["four" if n.startswith("4474001") else "rest" for n in numbers * 2]
    assert weigh(router) - empty <= 10 * 250


def test_routes_with_a_carrier_by_whatever_place_it_has() -> None:
    alpha, beta = [CarrierShare("alpha")], [CarrierShare("beta"), CarrierShare("gamma")]
    routes = [
        RouteOptions("one", alpha),
        RouteOptions("two", beta),
        RouteOptions("three", alpha, backup=["gamma"]),
    ]
    assert narrow_routes(routes, {"gamma"}) == {"two", "three", direct("gamma")}
    assert narrow_routes(routes, set()) == frozenset()


@pytest.mark.parametrize(
    ("match", "name"),
    [
        (Match(), "match: everything"),
        (Match(prefix=["86", "852", "86"]), "match: prefix 852, 86"),
        (Match(prefix=["852", "86"]), "match: prefix 852, 86"),
        (
            Match(prefix=["44"], category=["otp"], tenant=["acme"]),
            "match: prefix 44; category otp; tenant acme",
        ),
        (Match(tenant=["otp"]), "match: tenant otp"),
        (Match(category=["otp"]), "match: category otp"),
    ],
)
def test_a_route_without_a_name_is_called_by_what_it_takes(match: Match, name: str) -> None:
    assert named_by_content(match) == name


def test_such_names_are_short_and_differ() -> None:
    names = {named_by_content(Match(prefix=[*map(str, range(100, n))])) for n in range(101, 999)}
    assert len(names) == 898
    assert max(map(len, names)) <= NAME
