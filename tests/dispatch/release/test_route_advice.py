"""Routes that nothing ever takes, because a route before them does."""

from typing import Any

import msgspec
import pytest

from gateway.dispatch.release.route_advice import unreached
from gateway.dispatch.release.routing import CarrierShare, Match, RouteOptions, Router
from gateway.message import CATEGORIES

ANY: dict[str, Any] = {}
TENANTS = ["acme", "bravo"]


def of(*matches: dict[str, Any]) -> list[RouteOptions]:
    return [
        RouteOptions(f"route-{number}", [CarrierShare("alpha")], msgspec.convert(match, Match))
        for number, match in enumerate(matches)
    ]


@pytest.mark.parametrize(
    ("matches", "begins"),
    [
        # In the order in which they are meant.
        ([{"prefix": ["8613"]}, {"prefix": ["86"]}, ANY], []),
        ([{"category": ["otp"]}, {"category": ["otp", "marketing"]}, ANY], [
            "routes[1].match.category[0]: 'otp' never gets here, for 'route-0' takes all of it"]),
        ([{"tenant": ["acme"]}, {"tenant": ["bravo"]}], []),
        ([], []),
        # Behind what takes everything.
        ([ANY, {"prefix": ["86"]}], ["routes[1]: never matches, for 'route-0' takes all"]),
        ([ANY, ANY], ["routes[1]: never matches, for 'route-0' takes all"]),
        ([{"category": list(CATEGORIES)}, {"tenant": ["acme"]}],
         ["routes[1]: never matches, for 'route-0' takes all"]),
        ([{"prefix": list("123456789")}, ANY], ["routes[1]: never matches, for 'route-0'"]),
        ([{"prefix": list("12345678")}, ANY], []),
        # Behind a shorter prefix.
        ([{"prefix": ["86"]}, {"prefix": ["8613"]}], ["routes[1]: never matches, for 'route-0'"]),
        ([{"prefix": ["86"]}, {"prefix": ["8613", "852"]}],
         ["routes[1].match.prefix[0]: '8613' never gets here, for 'route-0' takes all of it"]),
        ([{"prefix": ["86"], "category": ["otp"]}, {"prefix": ["8613"]}], []),
        ([{"prefix": ["86"]}, {"prefix": ["8613"], "category": ["otp"]}],
         ["routes[1]: never matches"]),
        ([{"prefix": ["86"], "tenant": ["acme"]}, {"prefix": ["8613"]}], []),
        ([{"prefix": ["7"]}, {"prefix": ["77", "76"]}], ["routes[1]: never matches"]),
        # Behind several that share it.
        ([{"category": ["otp"]}, {"category": ["transactional", "marketing"]}, {"prefix": ["44"]}],
         ["routes[2]: never matches, for 'route-0', 'route-1' take all that it could"]),
        ([{"tenant": ["acme"]}, {"tenant": ["bravo"]}, ANY],
         ["routes[2]: never matches, for 'route-0', 'route-1' take all"]),
        ([{"prefix": [f"86{n}" for n in range(10)]}, {"prefix": ["86"]}],
         ["routes[1]: never matches"]),
        ([{"prefix": [f"86{n}" for n in range(9)]}, {"prefix": ["86"]}], []),
        ([{"tenant": ["acme"]}, {"tenant": ["acme", "bravo"], "prefix": ["1"]}],
         ["routes[1].match.tenant[0]: 'acme' never gets here"]),
        # Twice in one list.
        ([{"category": ["otp", "otp"]}], ["routes[0].match.category[1]: 'otp' is there twice"]),
        ([{"tenant": ["acme", "acme"]}], ["routes[0].match.tenant[1]: 'acme' is there twice"]),
        ([{"prefix": ["8613", "86"]}], ["routes[0].match.prefix[0]: '8613' is within '86'"]),
        ([{"prefix": ["86", "86"]}], ["routes[0].match.prefix[1]: '86' is within '86'"]),
    ],
)  # fmt: skip
def test_routes_that_never_match(matches: list[dict[str, Any]], begins: list[str]) -> None:
    lines = [*unreached(of(*matches), TENANTS)]
    assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=True)] == begins


def test_tenants_that_no_route_names_need_the_last_one() -> None:
    routes = of({"tenant": ["acme"]}, {"tenant": ["bravo"]}, ANY)
    assert [*unreached(routes, [*TENANTS, "charlie"])] == []


def test_what_is_told_is_what_the_router_does() -> None:
    """Of every route named, the router never gives its name; of every other it does."""
    routes = of(
        {"prefix": ["86"], "category": ["otp"]},
        {"prefix": ["861", "44"], "category": ["otp"], "tenant": ["acme"]},
        {"prefix": ["8613"], "category": ["otp"]},
        {"prefix": ["4"]},
        {"prefix": ["44", "49"], "tenant": ["acme"]},
        ANY,
        {"category": ["marketing"]},
    )
    never = {line.partition(":")[0] for line in unreached(routes, TENANTS) if ".match" not in line}
    router = Router(routes)
    met = {
        router.route(tenant, category, to)
        for tenant in TENANTS
        for category in CATEGORIES
        for to in ("8613812345678", "8621234567", "447700900123", "4915112345678", "12025550100")
    }
    assert never == {f"routes[{n}]" for n, one in enumerate(routes) if one.name not in met}
