"""Reads queries as Prometheus does: which series each asks for, and what is done with them."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import promql_parser

from gateway.ops.watching.declared import SELECTOR
from tools.boards import COMMON

RATE_INTERVAL: Final = "77s"
"""Stands for what Grafana puts in for `$__rate_interval`: nobody writes that by hand."""


class Selected(msgspec.Struct, frozen=True):
    """Series that a query asks for.

    Attributes:
        metric: their name.
        matchers: what is asked of their labels, by label.
        seconds: over which time, 0 for now.
        function: the function that has them as its argument, if any.
        kept: the labels that the groupings around them name.
    """

    metric: str
    matchers: dict[str, str]
    seconds: float
    function: str
    kept: frozenset[str]


def selected(expr: str) -> list[Selected]:
    """What a query, of a panel or a rule, asks for. Raises ValueError where it is none."""
    plain = expr.replace(SELECTOR, COMMON).replace("$__rate_interval", RATE_INTERVAL)
    return list(_selected(promql_parser.parse(plain), "", frozenset()))


def _selected(node: Any, function: str, kept: frozenset[str]) -> Iterator[Selected]:
    match node:
        case promql_parser.VectorSelector():
            yield _one(node, 0.0, function, kept)
        case promql_parser.MatrixSelector():
            yield _one(node.vector_selector, node.range.total_seconds(), function, kept)
        case promql_parser.Call():
            for argument in node.args:
                yield from _selected(argument, node.func.name, kept)
        case promql_parser.AggregateExpr():
            by = frozenset(node.modifier.labels) if node.modifier is not None else frozenset()
            yield from _selected(node.expr, "", kept | by)
        case promql_parser.BinaryExpr():
            yield from _selected(node.lhs, "", kept)
            yield from _selected(node.rhs, "", kept)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from _selected(node.expr, function, kept)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            pass
        case _:
            raise ValueError(f"{type(node).__name__}: teach this page to read it")


def _one(selector: Any, seconds: float, function: str, kept: frozenset[str]) -> Selected:
    matchers = {one.name: one.value for one in selector.matchers.matchers}
    return Selected(selector.name, matchers, seconds, function, kept)
