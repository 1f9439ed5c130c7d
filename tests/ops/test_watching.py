"""The boards keep to the rules that make them worth looking at, and what is made of the declaration
is what is committed."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.ops.instruments import Counter, Gauge, Histogram, Tally
from gateway.ops.metrics import Metrics
from gateway.ops.watching import ALERTS, BOARDS, QUESTIONS, RECORDINGS
from gateway.ops.watching.declared import Panel
from tests.ops.reading import RATE_INTERVAL, selected
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
RULES: Final = {
    **{one.name: one.expr for one in RECORDINGS},
    **{one.name: one.expr for one in ALERTS},
}
ASKED: Final = {one.asked: one.expr for one in QUESTIONS}
EVERY: Final = [*QUERIES.items(), *RULES.items(), *ASKED.items()]


def metrics_in(expr: str) -> set[str]:
    """The metrics that a query reads."""
    return {one.metric for one in selected(expr)}


def declared(name: str) -> str:
    """The metric that a name in a query belongs to."""
    plain = re.sub(r"_(bucket|count|sum)$", "", name)
    return plain if isinstance(NAMES.get(plain), Histogram) else name


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("up == 0", [("up", "", 0)]),
        (
            'sum by (tenant_x) (rate(gateway_a_total{x="gateway_b"}[5m]))',
            [("gateway_a_total", "rate", 300)],
        ),
        ("a_b / on (c_d) -(e_f) > 0.9", [("a_b", "", 0), ("e_f", "", 0)]),
        (
            "histogram_quantile(0.9, sum by (le) (rate(g_h_bucket{@}[$__rate_interval])))",
            [("g_h_bucket", "rate", 77)],
        ),
        ("predict_linear(a[3h], 9) < 0 unless b", [("a", "predict_linear", 10_800), ("b", "", 0)]),
    ],
)
def test_queries_are_read_as_prometheus_reads_them(
    expr: str, found: list[tuple[str, str, float]]
) -> None:
    assert [(one.metric, one.function, one.seconds) for one in selected(expr)] == found


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


@pytest.mark.parametrize(("place", "expr"), EVERY)
def test_every_metric_of_a_query_exists(place: str, expr: str) -> None:
    known = NAMES.keys() | PROCESS | {rule.name for rule in RECORDINGS}
    found = {declared(name) for name in metrics_in(expr)}
    assert found
    assert found <= known


@pytest.mark.parametrize(("place", "expr"), EVERY)
def test_labels_of_a_query_are_those_of_its_metrics(place: str, expr: str) -> None:
    """Those that are asked for in braces, and those that are summed up by."""
    for one in selected(expr):
        metric = NAMES.get(declared(one.metric))
        if metric is not None:
            known = {"job", "instance", "le", *metric.labels}
            assert one.matchers.keys() | one.kept <= known, one.metric


@pytest.mark.parametrize(("place", "expr"), EVERY)
def test_a_counter_is_under_rate_or_increase_and_nothing_else_is(place: str, expr: str) -> None:
    for one in selected(expr):
        metric = NAMES.get(declared(one.metric))
        counts = one.metric.endswith("_total") or isinstance(metric, Counter | Tally | Histogram)
        assert (one.function in {"rate", "increase"}) is counts, one.metric


@pytest.mark.parametrize(("place", "expr"), QUERIES.items())
def test_rates_are_taken_over_the_interval_of_the_panel(place: str, expr: str) -> None:
    rates = [one for one in selected(expr) if one.function == "rate"]
    assert {f"{one.seconds:g}s" for one in rates} <= {RATE_INTERVAL}


@pytest.mark.parametrize(("place", "expr"), QUERIES.items())
def test_every_query_heeds_the_variables(place: str, expr: str) -> None:
    for one in selected(expr):
        if ":" not in one.metric:
            assert (one.matchers["job"], one.matchers["instance"]) == ("$job", "$instance")


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


@pytest.mark.parametrize(
    ("expr", "hastened"),
    [
        ("rate(a[5m]) > 0.1", "rate(a[5000ms]) > 0.1"),
        (
            'max (gateway_oldest_message_seconds{place=~"store|lane"}) > 600',
            'max (gateway_oldest_message_seconds{place=~"store|lane"}) > 10',
        ),
        ("gateway_oldest_message_seconds > 20", "gateway_oldest_message_seconds > 5"),
        ("gateway_receipts_silent_seconds > 1800", "gateway_receipts_silent_seconds > 30"),
        ("predict_linear(a[3h], 86400) < 0", "predict_linear(a[180000ms], 1440) < 0"),
        (
            "x > 2 and on (c) sum by (c) (increase(b[30m])) > 120",
            "x > 2 and on (c) sum by (c) (increase(b[30000ms])) > 2",
        ),
        ("sum (increase(a[15m])) > 5", "sum (increase(a[15000ms])) > 5"),
    ],
)
def test_rules_can_be_made_for_a_day_that_passes_faster(expr: str, hastened: str) -> None:
    assert boards.hastened(expr, 60) == hastened
    assert boards.hastened(expr, 1) == expr


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.asked)
def test_every_question_is_one_and_is_asked_once(question: Any) -> None:
    assert question.asked.endswith("?")
    assert [one.asked for one in QUESTIONS].count(question.asked) == 1
