"""The boards keep to the rules that make them worth looking at, and what is made of the declaration
is what is committed."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.ops.metrics import Counter, Gauge, Histogram, Metrics, Tally
from gateway.ops.watching import ALERTS, BOARDS, RECORDINGS
from gateway.ops.watching.declared import Panel
from tools import boards

DECLARED: Final = [
    m for m in vars(Metrics()).values() if isinstance(m, Counter | Gauge | Histogram)
]
PROCESS: Final = {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "up",
}
"""What `prometheus_client` and Prometheus itself tell."""

NAMES: Final = {metric.name: metric for metric in DECLARED}
FILES: Final = boards.files()

QUERIES: Final = {
    f"{board.name}: {panel.title} ({number})": query.expr
    for board in BOARDS
    for panel in board.panels
    for number, query in enumerate(panel.queries, 1)
}
RULES: Final = {one.name: one.expr for one in (*RECORDINGS, *ALERTS)}

NAME: Final = re.compile(r"(?<![\w:\"$])([a-z_:][\w:]*)(?=\{|\[|\s|\)|$)")
"""A word of a query that may be a metric: not in quotation marks, not a function."""


def metrics_in(expr: str) -> set[str]:
    """The metrics that a query reads, by a small reading of it: strings and groupings left out."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\b(by|on|without|ignoring|unless on|and on)\s*\([^)]*\)", " ", bare)
    found = {word for word in NAME.findall(bare) if "_" in word or ":" in word or word == "up"}
    return {word for word in found if not re.search(rf"\b{re.escape(word)}\s*\(", bare)}


def declared(name: str) -> str:
    """The metric that a name in a query belongs to."""
    plain = re.sub(r"_(bucket|count|sum)$", "", name)
    return plain if isinstance(NAMES.get(plain), Histogram) else name


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("up == 0", {"up"}),
        ('sum by (tenant_x) (rate(gateway_a_total{x="gateway_b"}[5m]))', {"gateway_a_total"}),
        ("a_b / on (c_d) e_f > 0.9", {"a_b", "e_f"}),
        ("histogram_quantile(0.9, sum by (le) (rate(g_h_bucket[5m])))", {"g_h_bucket"}),
        ("gateway:x:ratio < 0.8 * gateway:y:median7d", {"gateway:x:ratio", "gateway:y:median7d"}),
    ],
)
def test_metrics_are_found_in_queries(expr: str, found: set[str]) -> None:
    assert metrics_in(expr) == found


@pytest.mark.parametrize("name", FILES)
def test_what_is_committed_is_what_is_declared(name: str) -> None:
    there = (boards.ROOT / name).read_text()
    assert there == FILES[name], "run python -m tools.boards"


def test_no_board_is_left_over() -> None:
    there = {str(path.relative_to(boards.ROOT)) for path in boards.ROOT.glob("deploy/grafana/**/*")}
    assert {name for name in there if name.endswith(".json")} <= FILES.keys()


def test_every_metric_is_in_a_panel() -> None:
    shown = {declared(name) for expr in QUERIES.values() for name in metrics_in(expr)}
    assert NAMES.keys() - shown == set()


@pytest.mark.parametrize(("place", "expr"), [*QUERIES.items(), *RULES.items()])
def test_every_metric_of_a_query_exists(place: str, expr: str) -> None:
    known = NAMES.keys() | PROCESS | {rule.name for rule in RECORDINGS}
    found = {declared(name) for name in metrics_in(expr)}
    assert found
    assert found <= known


@pytest.mark.parametrize(("place", "expr"), [*QUERIES.items(), *RULES.items()])
def test_labels_of_a_query_are_those_of_its_metrics(place: str, expr: str) -> None:
    """Those that are asked for in braces."""
    for name, inside in re.findall(r"(\w+)\{([^}]*)\}", expr):
        metric = NAMES.get(declared(name))
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
        common = (
            {"job", "instance", "le", "carrier"} if metric is None else {"job", "instance", "le"}
        )
        assert asked <= common | set(metric.labels if metric else ())


@pytest.mark.parametrize(("place", "expr"), QUERIES.items())
def test_a_counter_is_under_rate_or_increase_and_nothing_else_is(place: str, expr: str) -> None:
    for name in metrics_in(expr):
        metric = NAMES.get(declared(name))
        counts = name.endswith("_total") or isinstance(metric, Counter | Tally | Histogram)
        under = re.findall(rf"(\w+)\({name}\b", expr)
        assert ({"rate", "increase"} >= set(under) and bool(under)) is counts, name


@pytest.mark.parametrize(("place", "expr"), QUERIES.items())
def test_rates_are_taken_over_the_interval_of_the_panel(place: str, expr: str) -> None:
    assert set(re.findall(r"rate\([^\[]*\[([^\]]*)\]", expr)) <= {"$__rate_interval"}


@pytest.mark.parametrize(("place", "expr"), QUERIES.items())
def test_every_query_heeds_the_variables(place: str, expr: str) -> None:
    names = [name for name in metrics_in(expr) if ":" not in name]
    assert expr.count("{@") == sum(len(re.findall(rf"\b{name}\b", expr)) for name in names)


def panels() -> Iterator[tuple[str, Panel]]:
    for board in BOARDS:
        for panel in board.panels:
            yield f"{board.name}: {panel.title}", panel


@pytest.mark.parametrize(("place", "panel"), list(panels()))
def test_every_panel_says_what_it_shows(place: str, panel: Panel) -> None:
    assert panel.title[0].isupper()
    assert panel.description.endswith(".")
    assert all(query.legend for query in panel.queries)
    legends = [query.legend for query in panel.queries]
    assert len(set(legends)) == len(legends)
    # A label of the legend is one that the query leaves.
    for query in panel.queries:
        for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
            grouped = re.search(r"\bby \(([^)]*)\)", query.expr)
            assert grouped is None or label in grouped.group(1)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_dashboards_keep_to_what_grafana_s_linter_asks(board: Any) -> None:
    made = boards.dashboard(board)
    variables = {one["name"]: one for one in made["templating"]["list"]}
    assert {"datasource", "job", "instance"} <= variables.keys()
    assert variables["datasource"]["type"] == "datasource"
    for name in variables.keys() - {"datasource"}:
        assert variables[name]["multi"]
        assert variables[name]["allValue"] == ".+"
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])
    used: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["type"] in {"timeseries", "stat"}  # no pies
        assert all((panel["title"], panel["description"], defaults["unit"]))
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & used
        assert max(x for x, _ in cells) < 24
        used |= cells
        for target in panel["targets"]:
            assert 'job=~"$job",instance=~"$instance"' in target["expr"] or ":" in target["expr"]
        assert len({one["refId"] for one in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_no_colour_has_to_be_told_from_another(board: Any) -> None:
    for panel in boards.dashboard(board)["panels"]:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert {step["color"] for step in steps} <= {"blue", "orange", "dark-purple"}
        for step in steps[1:]:
            assert f"{step['value']:g}" in panel["description"]
        if panel["type"] == "timeseries":
            assert panel["options"]["legend"]["displayMode"] == "table"
        else:
            assert panel["options"]["textMode"] == "value_and_name"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_leads_to_its_panel_and_its_runbook(alert: Any) -> None:
    told = boards.annotations(alert)
    board, number = re.findall(r"^/d/gateway-(\w+)\?viewPanel=(\d+)$", told["dashboard"])[0]
    [made] = [boards.dashboard(one) for one in BOARDS if one.name == board]
    [panel] = [one for one in made["panels"] if one["id"] == int(number)]
    assert told["runbook"] in {link["url"] for link in panel["links"]}
    page, _, anchor = told["runbook"].partition("#")
    headings = re.findall(r"^## (\w+)$", FILES[page], re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert alert.severity in {"critical", "warning", "info"}
    # It fires by something that its panel shows, or that its rule is made of.
    shown = {declared(name) for target in panel["targets"] for name in metrics_in(target["expr"])}
    assert {declared(name) for name in _deep(alert.expr)} & shown


def _deep(expr: str) -> set[str]:
    """The metrics of an expression, and those that its recorded ones are made of."""
    found = metrics_in(expr)
    for rule in RECORDINGS:
        if rule.name in found:
            found |= _deep(rule.expr)
    return found


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_runbook_says_what_is_safe_and_how_it_ends(alert: Any) -> None:
    section = re.split(r"^## ", FILES["docs/runbooks.md"], flags=re.MULTILINE)
    [text] = [one for one in section if one.startswith(f"{alert.name}\n")]
    for word in ("How to look:", "Safe:", "Not safe:", "Over when:", alert.expr):
        assert word in text
    for name in re.findall(r"`(?:rate\()?(gateway_\w+)", text):
        assert declared(name) in NAMES, name


def test_one_alert_watches_each_name_once() -> None:
    names = [alert.name for alert in ALERTS] + [rule.name for rule in RECORDINGS]
    assert len(set(names)) == len(names)
