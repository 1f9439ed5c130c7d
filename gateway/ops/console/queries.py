"""Reads queries of panels, as Prometheus does, as far as panels use its language: selectors with
matchers and ranges, aggregations by labels, functions, arithmetic and comparisons. Pure; what a
query comes to is `evaluating`'s."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

import msgspec

Match = Literal["=", "!=", "=~", "!~"]
How = Literal["sum", "max", "min", "count"]

HOWS: Final[Mapping[str, How]] = {how: how for how in get_args(How)}
MATCHES: Final[Mapping[str, Match]] = {match: match for match in get_args(Match)}

VARIABLE: Final = re.compile(r',?\s*\w+=~"\$\w+"|@')
"""What a board's variables choose by; the console shows all there is, and chooses afterwards."""

INTERVAL: Final = "[20s]"
"""Stands for Grafana's ``$__rate_interval``: four samples."""

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?(?![\w:]))|(?P<name>[a-zA-Z_:][\w:]*)|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<range>\[\d+[smhd]\])|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/<>=(){},]))"
)
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_RANKS: Final = {"==": 1, "!=": 1, ">": 1, "<": 1, ">=": 1, "<=": 1, "+": 2, "-": 2, "*": 3, "/": 3}
"""How tightly operators bind."""


class Number(msgspec.Struct, frozen=True):
    value: float


class Matcher(msgspec.Struct, frozen=True):
    label: str
    match: Match
    value: str


class Select(msgspec.Struct, frozen=True):
    """Series of a metric; over the last ``seconds`` where it has a range."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    seconds: float | None = None


class Aggregate(msgspec.Struct, frozen=True):
    how: How
    by: tuple[str, ...]
    of: "Query"


class Call(msgspec.Struct, frozen=True):
    name: str
    of: tuple["Query", ...]


class Binary(msgspec.Struct, frozen=True):
    sign: str
    left: "Query"
    right: "Query"


Query = Number | Select | Aggregate | Call | Binary


class QueryError(ValueError):
    """A query is none, or uses what panels do not."""


def read(text: str) -> Query:
    """The query of a panel.

    Raises:
        QueryError: it cannot be read.
    """
    text = VARIABLE.sub("", text).replace("[$__rate_interval]", INTERVAL)
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise QueryError(f"{text[at : at + 20]!r} is nothing that a panel's query may have")
            self._tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
            at = found.end()
        self._at = 0

    def whole(self) -> Query:
        query = self._binary(1)
        if self._at < len(self._tokens):
            raise QueryError(f"{self._tokens[self._at][1]!r} comes after the end")
        return query

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self, kind: str = "", text: str = "") -> str:
        found = self._peek()
        if (kind and found[0] != kind) or (text and found[1] != text):
            raise QueryError(f"{found[1]!r} stands where {text or kind!r} is to be")
        self._at += 1
        return found[1]

    def _takes(self, text: str) -> bool:
        if self._peek()[1] == text and self._peek()[0] != "text":
            self._at += 1
            return True
        return False

    def _binary(self, rank: int) -> Query:
        left = self._single()
        while (own := _RANKS.get(self._peek()[1], 0)) >= rank:
            sign = self._next()
            left = Binary(sign, left, self._binary(own + 1))
        return left

    def _single(self) -> Query:
        if self._takes("-"):
            return Binary("-", Number(0.0), self._single())
        if self._takes("("):
            inner = self._binary(1)
            self._next(text=")")
            return inner
        kind, text = self._peek()
        if kind == "number":
            self._at += 1
            return Number(float(text))
        name = self._next("name")
        if name in HOWS:
            return self._aggregate(HOWS[name])
        if self._takes("("):
            of: list[Query] = []
            while not self._takes(")"):
                of.append(self._binary(1))
                self._takes(",")
            return Call(name, tuple(of))
        return self._select(name)

    def _aggregate(self, how: How) -> Query:
        by: list[str] = []
        if self._takes("by"):
            self._next(text="(")
            while not self._takes(")"):
                by.append(self._next("name"))
                self._takes(",")
        self._next(text="(")
        of = self._binary(1)
        self._next(text=")")
        return Aggregate(how, tuple(by), of)

    def _select(self, name: str) -> Query:
        matchers = []
        if self._takes("{"):
            while not self._takes("}"):
                if self._takes(","):  # left where a variable was taken out
                    continue
                label, sign = self._next("name"), self._next("sign")
                if sign not in MATCHES:
                    raise QueryError(f"{sign!r} is no way to match {label}")
                value = self._next("text")[1:-1].replace('\\"', '"').replace("\\\\", "\\")
                matchers.append(Matcher(label, MATCHES[sign], value))
        seconds = None
        if self._peek()[0] == "range":
            span = self._next()[1:-1]
            seconds = int(span[:-1]) * _UNITS[span[-1]]
        return Select(name, tuple(matchers), seconds)


def selects(query: Query) -> Iterator[Select]:
    """All series that a query asks for."""
    match query:
        case Select():
            yield query
        case Aggregate(_, _, of):
            yield from selects(of)
        case Call(_, parts):
            for part in parts:
                yield from selects(part)
        case Binary(_, left, right):
            yield from selects(left)
            yield from selects(right)


def ranges(query: Query) -> dict[str, float]:
    """How far back a query looks, in seconds, by the metrics that it looks back at."""
    found: dict[str, float] = {}
    for one in selects(query):
        if one.seconds is not None:
            found[one.name] = max(one.seconds, found.get(one.name, 0.0))
    return found
