"""The types of what is watched: panels on boards, recording rules, questions, alerts with their
runbooks."""

from typing import Final, Literal

import msgspec

Severity = Literal["critical", "warning", "info"]
"""Wake somebody up; look at it today; know it when something else is wrong."""

Unit = Literal["short", "s", "bytes", "percentunit", "ops", "dateTimeAsIso", "bool"]
"""As Grafana calls them; ``ops`` is for things a second."""

SELECTOR: Final = "@"
"""Stands in panels' queries for the labels of the variables that every board has."""


class Query(msgspec.Struct, frozen=True):
    """A query and what its lines are called, in Grafana's ``{{label}}`` form."""

    expr: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True):
    """A picture of some metrics.

    Attributes:
        title, description: what it shows, and what to make of it.
        unit: of the values.
        queries: what is drawn.
        kind: lines over time, or the last values as numbers.
        warn, alarm: values from which it is to be looked at, and from which it is bad; None for
            none. They are drawn as lines and said in words, for colours alone do not tell.
        wide: takes the whole width.
    """

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat"] = "timeseries"
    warn: float | None = None
    alarm: float | None = None
    wide: bool = False


class Variable(msgspec.Struct, frozen=True):
    """A label of a metric that a board lets one choose by."""

    label: str
    metric: str


class Board(msgspec.Struct, frozen=True):
    """A page of panels.

    Attributes:
        name: of the file and, with ``gateway-`` before it, the address.
    """

    name: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()


class Recording(msgspec.Struct, frozen=True):
    """A query that Prometheus keeps the answers to, under a name."""

    name: str
    expr: str


class Question(msgspec.Struct, frozen=True):
    """What somebody wants to know, and what tells it.

    Attributes:
        expr: a query.
        page: the address of the page of the console, and what stands there before the answer.
        command: what tells it in a terminal; empty where nothing does.
    """

    asked: str
    expr: str
    page: tuple[str, str]
    command: str = ""


class Alert(msgspec.Struct, frozen=True):
    """Something that somebody is to be told of.

    Attributes:
        name: as Prometheus has it, and the heading of its runbook.
        expr: holds where it is so, ``lasting`` as long.
        summary: one line, with ``{{ $labels.x }}``.
        panel: the board and title of the panel that shows it.
        means: what it means, and for whom.
        look: how to find out more, a query, page or command each.
        safe: what can be done about it.
        unsafe: what is not to be done.
        over: how to tell that it is over.
    """

    name: str
    severity: Severity
    expr: str
    lasting: str
    summary: str
    panel: tuple[str, str]
    means: str
    look: tuple[str, ...]
    safe: str
    unsafe: str
    over: str
