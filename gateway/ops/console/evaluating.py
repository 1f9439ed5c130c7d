"""What a panel's query comes to, given what the metrics are and were. Pure; the numbers agree with
Prometheus' where it looks at the same samples, but for its guess of what was before the first and
after the last of them."""

import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gateway.ops.console.queries import Aggregate, Binary, Call, Matcher, Number, Query, Select
from gateway.ops.instruments import Labels, Table
from gateway.ops.lately import within

NOTHING: Final = Table((), {})

_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else math.nan,
}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_TOGETHER: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "count": len,
}


class Past(NamedTuple):
    """A metric as it was, and how many seconds ago."""

    table: Table
    seconds: float


class Facts(NamedTuple):
    """What queries are asked of.

    Attributes:
        now: Unix seconds.
        tables: every metric as it is.
        past: a metric as it was about so many seconds ago; None where that was not kept.
    """

    now: float
    tables: Mapping[str, Table]
    past: Callable[[str, float], Past | None]


def evaluate(query: Query, facts: Facts) -> Table:
    """The lines of a query, by their labels; a number is one line without labels."""
    match query:
        case Number(value):
            return Table((), {(): value})
        case Select(name, matchers, None):
            return _select(facts.tables.get(name, NOTHING), matchers)
        case Aggregate(how, by, of):
            return _aggregate(_TOGETHER[how], by, evaluate(of, facts))
        case Binary(sign, left, right):
            return _binary(sign, left, right, facts)
        case Call("time", ()):
            return Table((), {(): facts.now})
        case Call("rate" | "increase" | "delta" | "deriv" as name, (Select() as of,)):
            return _change(name, of, facts)
        case Call("topk", (Number(most), of)):
            table = evaluate(of, facts)
            largest = sorted(table.values.items(), key=lambda item: -item[1])
            return Table(table.labels, dict(largest[: int(most)]))
        case Call("histogram_quantile", (Number(quantile), of)):
            return _quantiles(quantile, evaluate(of, facts))
    return NOTHING  # such as a median of seven days, which only Prometheus keeps


def _select(table: Table, matchers: tuple[Matcher, ...]) -> Table:
    if not matchers:
        return table
    places = {label: place for place, label in enumerate(table.labels)}
    tests: list[tuple[int | None, Callable[[str], bool]]] = [
        (places.get(one.label), _test(one)) for one in matchers
    ]
    return Table(
        table.labels,
        {
            labels: value
            for labels, value in table.values.items()
            if all(test("" if place is None else labels[place]) for place, test in tests)
        },
    )


def _test(one: Matcher) -> Callable[[str], bool]:
    if one.match in ("=", "!="):
        return lambda value: (value == one.value) is (one.match == "=")
    pattern = re.compile(one.value)
    return lambda value: (pattern.fullmatch(value) is not None) is (one.match == "=~")


def _aggregate(together: Callable[[list[float]], float], by: Labels, of: Table) -> Table:
    if by == of.labels and together is not len:
        return of  # each is a group of its own, as most are of a thousand tenants
    places = [of.labels.index(label) if label in of.labels else None for label in by]
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in of.values.items():
        groups[tuple(["" if place is None else labels[place] for place in places])].append(value)
    return Table(by, {key: together(values) for key, values in groups.items()})


def _binary(sign: str, left_query: Query, right_query: Query, facts: Facts) -> Table:
    left, right = evaluate(left_query, facts), evaluate(right_query, facts)
    number = isinstance(right_query, Number) or (right.labels == () and () in right.values)
    if number:
        other = right.values.get((), math.nan)
        pairs = [(labels, value, other) for labels, value in left.values.items()]
        labels_of = left.labels
    elif left.labels == () and () in left.values:
        one = left.values[()]
        pairs = [(labels, one, value) for labels, value in right.values.items()]
        labels_of = right.labels
    else:
        order = [right.labels.index(label) for label in left.labels if label in right.labels]
        if len(order) != len(right.labels) or len(order) != len(left.labels):
            return NOTHING
        turned = {tuple(key[left.labels.index(label)] for label in right.labels): key
                  for key in left.values}  # fmt: skip
        pairs = [
            (turned[key], left.values[turned[key]], value)
            for key, value in right.values.items()
            if key in turned
        ]
        labels_of = left.labels
    if compare := _COMPARISONS.get(sign):
        return Table(labels_of, {key: one for key, one, two in pairs if compare(one, two)})
    compute = _ARITHMETIC[sign]
    return Table(labels_of, {key: compute(one, two) for key, one, two in pairs})


def _change(name: str, of: Select, facts: Facts) -> Table:
    """How a metric has changed: a second, or in all. A counter that fell began anew at zero."""
    now = _select(facts.tables.get(of.name, NOTHING), of.matchers)
    past = facts.past(of.name, of.seconds or 0.0)
    if past is None or past.seconds <= 0:
        return Table(now.labels, {})
    counts = name in ("rate", "increase")
    before = past.table.values
    changes = {}
    for labels, value in now.values.items():
        # A series that was not there before has begun since, at zero.
        earlier = before.get(labels, 0.0 if counts else value)
        changes[labels] = value if counts and value < earlier else value - earlier
    if name in ("rate", "deriv"):
        changes = {labels: change / past.seconds for labels, change in changes.items()}
    return Table(now.labels, changes)


def _quantiles(quantile: float, of: Table) -> Table:
    """Quantiles of buckets, by interpolation within the bucket, as Prometheus has it."""
    if "le" not in of.labels:
        return NOTHING
    place = of.labels.index("le")
    groups: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, value in of.values.items():
        key = labels[:place] + labels[place + 1 :]
        groups[key].append((float(labels[place]), value))
    found = {}
    for key, buckets in groups.items():
        buckets.sort()
        whole = buckets[-1][1]
        if whole > 0:
            found[key] = within(quantile * whole, buckets)
    return Table(of.labels[:place] + of.labels[place + 1 :], found)
