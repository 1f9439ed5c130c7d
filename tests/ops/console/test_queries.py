"""Queries of panels, read as Prometheus reads them."""

import promql_parser
import pytest

from gateway.ops.console.queries import (
    Aggregate,
    Binary,
    Call,
    Matcher,
    Number,
    Query,
    QueryError,
    Select,
    ranges,
    read,
)
from gateway.ops.watching import BOARDS, RECORDINGS

QUERIES = [query.expr for board in BOARDS for panel in board.panels for query in panel.queries]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("gateway_x{@}", Select("gateway_x")),
        ('gateway_x{@,carrier=~"$carrier"}', Select("gateway_x")),
        (
            'gateway_x{@,place=~"store|lane",tenant!="a"}',
            Select(
                "gateway_x", (Matcher("place", "=~", "store|lane"), Matcher("tenant", "!=", "a"))
            ),
        ),
        ("gateway_x[1h]", Select("gateway_x", (), 3600.0)),
        ("rate(x[$__rate_interval])", Call("rate", (Select("x", (), 20.0),))),
        ("sum by (a, le) (x)", Aggregate("sum", ("a", "le"), Select("x"))),
        ("max (x)", Aggregate("max", (), Select("x"))),
        (
            "1 + 2 * x - y",
            Binary(
                "-",
                Binary("+", Number(1.0), Binary("*", Number(2.0), Select("x"))),
                Select("y"),
            ),
        ),
        (
            "(x - time()) / 86400",
            Binary("/", Binary("-", Select("x"), Call("time", ())), Number(86_400.0)),
        ),
        (
            "x / -deriv(x[3h]) > 0",
            Binary(
                ">",
                Binary(
                    "/",
                    Select("x"),
                    Binary("-", Number(0.0), Call("deriv", (Select("x", (), 10_800.0),))),
                ),
                Number(0.0),
            ),
        ),
        ('x{a="b\\"c"}', Select("x", (Matcher("a", "=", 'b"c'),))),
    ],
)  # fmt: skip
def test_queries_are_read(text: str, query: Query) -> None:
    assert read(text) == query


@pytest.mark.parametrize("expr", QUERIES + [one.expr for one in RECORDINGS])
def test_every_query_of_a_panel_can_be_read(expr: str) -> None:
    read(expr)


@pytest.mark.parametrize("expr", [expr for expr in QUERIES if "deriv" not in expr])
def test_they_have_the_metrics_that_prometheus_sees(expr: str) -> None:
    plain = expr.replace("@", 'job="gateway"').replace("$__rate_interval", "20s")
    assert promql_parser.parse(plain) is not None
    assert all(name in expr for name in names(read(expr)))


def names(query: Query) -> list[str]:
    match query:
        case Select(name):
            return [name]
        case Aggregate(_, _, of):
            return names(of)
        case Call(_, of):
            return [name for one in of for name in names(one)]
        case Binary(_, left, right):
            return names(left) + names(right)
    return []


@pytest.mark.parametrize(
    "text",
    ["", "x{", "x{a}", 'x{a<"b"}', "sum by a (x)", "sum(x", "x y", "1 +", "x[5y]", "x{a=1}", "'x'"],
)  # fmt: skip
def test_what_is_no_query_of_a_panel_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        read(text)


def test_ranges_tell_how_far_back_it_looks() -> None:
    text = "sum(rate(a[5m])) / (sum(rate(a[1h])) + sum(increase(b[20s])))"
    assert ranges(read(text)) == {"a": 3600.0, "b": 20.0}
