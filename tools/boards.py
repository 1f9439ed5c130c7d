"""Writes what is made of `gateway.ops.watching`: Grafana's dashboards, Prometheus' configuration
and rules, Alertmanager's example, the runbooks and the tables of the documentation.

    python -m tools.boards          writes them
    python -m tools.boards --check  only says which are out of date

They are committed; a test compares them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from gateway.ops.watching import ALERTS, BOARDS, QUESTIONS, RECORDINGS
from gateway.ops.watching.declared import SELECTOR, Alert, Board, Panel, Variable

ROOT: Final = Path(__file__).parents[1]

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

WELL, WARN, ALARM = "blue", "orange", "dark-purple"
"""Colours that people who see few of them tell apart, by their lightness."""

PLEASE: Final = "Written by python -m tools.boards from gateway/ops/watching; change it there."

COMMON: Final = 'job=~"$job",instance=~"$instance"'


def files() -> dict[str, str]:
    """What every file is to say, by its path."""
    dashboards = {
        f"deploy/grafana/dashboards/{board.name}.json": json.dumps(dashboard(board), indent=1)
        + "\n"
        for board in BOARDS
    }
    return dashboards | {
        "deploy/prometheus/prometheus.yml": PROMETHEUS,
        "deploy/compose/prometheus.yml": composed(),
        "deploy/prometheus/recording.yaml": recording(),
        "deploy/prometheus/alerts.yaml": alerting(),
        "deploy/alertmanager/alertmanager.yml": ALERTMANAGER,
        "docs/runbooks.md": runbooks(),
        "docs/monitoring.md": monitoring(),
    }


# --- Grafana ---


def dashboard(board: Board) -> dict[str, Any]:
    """A dashboard as Grafana 11 reads it."""
    panels = []
    x = y = 0
    for number, one in enumerate(board.panels, 1):
        width = 24 if one.wide else 12
        if x + width > 24:
            x, y = 0, y + 8
        place = {"x": x, "y": y, "w": width, "h": 8}
        panels.append(panel(board, number, one, place))
        x += width
    own = (Variable("job", "gateway_build_info"), Variable("instance", "gateway_build_info"))
    return {
        "uid": f"gateway-{board.name}",
        "title": board.title,
        "description": f"{board.description} {PLEASE}",
        "schemaVersion": 40,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "tags": ["gateway"],
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "tags": ["gateway"],
                "title": "Gateway",
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": [_datasource(), *map(_variable, (*own, *board.variables))]},
        "panels": panels,
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "name": variable.label,
        "label": variable.label.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": variable.label},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def panel(board: Board, number: int, one: Panel, place: dict[str, int]) -> dict[str, Any]:
    """A panel, with links to the alerts that are about it."""
    steps: list[dict[str, Any]] = [{"color": WELL, "value": None}]
    steps += [
        {"color": color, "value": value}
        for color, value in ((WARN, one.warn), (ALARM, one.alarm))
        if value is not None
    ]
    drawn: dict[str, Any] = {
        "unit": one.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    options: dict[str, Any] = {"tooltip": {"mode": "multi", "sort": "desc"}}
    if one.kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name"}
        drawn["color"] = {"mode": "thresholds"}
    else:
        # The values stand beside the names: nobody has to tell lines by their colour.
        options["legend"] = {
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
        }
        drawn["custom"] = {
            "fillOpacity": 0,
            "lineWidth": 2,
            "thresholdsStyle": {"mode": "line+area" if len(steps) > 1 else "off"},
        }
        drawn["color"] = {"mode": "palette-classic-by-name"}
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.description + _limits(one),
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": drawn, "overrides": []},
        "options": options,
        "links": [
            {"title": f"Runbook: {alert.name}", "url": f"{RUNBOOKS}#{alert.name.lower()}"}
            for alert in ALERTS
            if alert.panel == (board.name, one.title)
        ],
        "targets": [
            {
                "refId": chr(ord("A") + place_),
                "datasource": DATASOURCE,
                "expr": query.expr.replace(SELECTOR, COMMON),
                "legendFormat": query.legend or "__auto",
            }
            for place_, query in enumerate(one.queries)
        ],
    }


def _limits(one: Panel) -> str:
    """The thresholds in words."""
    words = [
        f"{word} from {value:g}"
        for word, value in (("to be looked at", one.warn), ("bad", one.alarm))
        if value is not None
    ]
    return f" {', '.join(words).capitalize()}." if words else ""


RUNBOOKS: Final = "docs/runbooks.md"
"""Where the runbooks are: relative, for whoever serves them elsewhere to replace."""


# --- Prometheus ---

PROMETHEUS: Final = f"""\
# {PLEASE}
# Where admin.token_sha256 is set, the token goes into the file that is named here.
global:
  scrape_interval: 15s
  evaluation_interval: 15s
rule_files:
  - recording.yaml
  - alerts.yaml
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["localhost:9093"]
scrape_configs:
  - job_name: gateway
    # authorization:
    #   credentials_file: /etc/prometheus/gateway.token
    static_configs:
      - targets: ["127.0.0.1:7601"]
"""

IN_CONTAINERS: Final = {
    "localhost:9093": "alertmanager:9093",
    "127.0.0.1:7601": "gateway:7601",
    "    # authorization": "    authorization",
    "    #   credentials": "      credentials",
}
"""What is otherwise where each is a container of its own, as in compose.yaml."""


def composed() -> str:
    """Prometheus' configuration there."""
    text = PROMETHEUS
    for here, there in IN_CONTAINERS.items():
        text = text.replace(here, there)
    return text


ALERTMANAGER: Final = f"""\
# {PLEASE}
# An example: what is critical wakes somebody up, the rest goes to a page that is read by day. The
# receivers are to be given addresses.
route:
  receiver: day
  group_by: [alertname, carrier, tenant]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  routes:
    - matchers: ['severity="critical"']
      receiver: night
      repeat_interval: 1h
    - matchers: ['severity="info"']
      receiver: none
inhibit_rules:
  # Why messages do not move is told by the cause, once.
  - source_matchers: ['alertname="GatewayDown"']
    target_matchers: ['severity=~"warning|info"']
    equal: [instance]
  - source_matchers: ['alertname="CarrierDown"']
    target_matchers: ['alertname=~"BindsFlap|CarrierSlow|ReceiptsStopped"']
    equal: [carrier]
receivers:
  - name: night
  - name: day
  - name: none
"""


def recording(pace: int = 1) -> str:
    """The recording rules."""
    lines = [f"# {PLEASE}", "groups:", "  - name: gateway-recording", "    rules:"]
    for rule in RECORDINGS:
        expr = json.dumps(hastened(rule.expr, pace))
        lines += [f"      - record: {rule.name}", f"        expr: {expr}"]
    return "\n".join(lines) + "\n"


MACHINE: Final = (
    "event_loop_longest_turn_seconds",
    "accept_seconds",
    "store_commit_seconds",
    "memory_limit_bytes",
)
"""What tells of the machine alone, for which no day passes faster."""

LEAST: Final = 5
"""Seconds that messages may wait, and alerts do, however fast time goes: machines are no faster for
it."""

DURATION: Final = re.compile(r"(\d+)([smhd])")
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PATIENCE: Final = re.compile(
    r"((?:oldest_message|receipts_silent)_seconds(?:\{[^}]*\})?\)? > )(\d+)"
)
ENOUGH: Final = re.compile(r"(and on \([^)]*\) sum by \([^)]*\) \(increase\([^]]*\]\)\) > )(\d+)")
FORECAST: Final = re.compile(r"(predict_linear\([^,]*, )(\d+)")


def hastened(expr: str, pace: int) -> str:
    """An expression for a day that takes so many times less: ranges, forecasts, what messages and
    receipts may wait, and how much has to have happened for a share to say anything. What a machine
    or a carrier takes for one thing stays."""
    if pace == 1:
        return expr
    expr = re.sub(r"\[[^]]*\]", lambda found: shorter(found[0], pace), expr)
    expr = ENOUGH.sub(lambda found: f"{found[1]}{int(found[2]) // pace}", expr)
    expr = PATIENCE.sub(lambda found: f"{found[1]}{max(LEAST, int(found[2]) // pace)}", expr)
    return FORECAST.sub(lambda found: f"{found[1]}{int(found[2]) // pace}", expr)


def shorter(text: str, pace: int) -> str:
    """The durations in a text, that many times shorter."""
    return DURATION.sub(lambda found: f"{int(found[1]) * UNITS[found[2]] * 1000 // pace}ms", text)


def _lasting(alert: Alert, pace: int) -> str:
    if pace == 1 or any(metric in alert.expr for metric in MACHINE):
        return alert.lasting
    short = shorter(alert.lasting, pace)
    return f"{LEAST}s" if short != "0ms" and int(short[:-2]) < LEAST * 1000 else short


def alerting(pace: int = 1) -> str:
    """The alerting rules."""
    lines = [f"# {PLEASE}", "groups:", "  - name: gateway-alerts", "    rules:"]
    for alert in ALERTS:
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(hastened(alert.expr, pace))}",
            f"        for: {_lasting(alert, pace)}",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            *(f"          {key}: {json.dumps(text)}" for key, text in annotations(alert).items()),
        ]
    return "\n".join(lines) + "\n"


def annotations(alert: Alert) -> dict[str, str]:
    """What an alert says: what is so, what to do, and where to look."""
    board, title = alert.panel
    [number] = [
        number
        for one in BOARDS
        if one.name == board
        for number, panel_ in enumerate(one.panels, 1)
        if panel_.title == title
    ]
    return {
        "summary": alert.summary,
        "description": f"{alert.means} What to do: {alert.safe}",
        "dashboard": f"/d/gateway-{board}?viewPanel={number}",
        "runbook": f"{RUNBOOKS}#{alert.name.lower()}",
    }


# --- documentation ---


BEFORE: Final = """\
What to do when an alert fires; a section for each, under its name. The panels are those of
[Monitoring](monitoring.md), the log lines and metrics those of [Operations](operations.md). Safe at
any time are a reload, `SIGTERM` with a new start, and looking.
"""


def runbooks() -> str:
    """A section for each alert."""
    sections = [
        "# Runbooks\n",
        BEFORE,
    ]
    for alert in ALERTS:
        board, title = alert.panel
        sections += [
            f"## {alert.name}\n",
            f"**{alert.severity}**, after {alert.lasting}. {alert.means}\n",
            "How to look:\n",
            f"- the panel *{title}* of the board `{board}`, or the query `{alert.expr}`",
            *(f"- {one}" for one in alert.look),
            "",
            f"Safe: {alert.safe}\n",
            f"Not safe: {alert.unsafe}\n",
            f"Over when: {alert.over}\n",
        ]
    return "\n".join(sections)


MONITORING: Final = """\
# Monitoring

The boards for Grafana, the rules for Prometheus and the runbooks are made from one declaration,
`gateway/ops/watching/`, by `python -m tools.boards`, and are committed: change them there. The
metrics are told in [Operations](operations.md#metrics).

| file | what it is |
|---|---|
| `deploy/grafana/dashboards/*.json` | the boards, for Grafana 11, to be imported or provisioned |
| `deploy/prometheus/prometheus.yml` | scrapes a gateway on this machine, with the rules |
| `deploy/prometheus/recording.yaml`, `alerts.yaml` | the rules |
| `deploy/alertmanager/alertmanager.yml` | an example of who is told of what |

The rules are tried by `promtool test rules`: of each alert a case in which it fires and one in
which it does not. They are tried for real as well (`tests/ops/live`): Debian's Prometheus scrapes
fourteen gateways under load, with the same rules for a day that passes sixty times as fast; each
has a fault made (its carrier dead, slow, throttling, refusing or giving no receipts, its consumer
away, its disk nearly full, quiet hours, a poison message, its tenant at its limits, a spoilt
configuration, the process killed), and exactly the alerts that are meant for it fire, and end with
it. Meanwhile every query of every panel, and every question below, has an answer. Grafana itself
cannot be had from a package registry: how it draws the boards is not tested, only that they keep to
its schema and to the rules below.

- A rate is taken over `$__rate_interval`, a counter shown under `rate` or `increase` alone.
- Every panel has a title, a description, a unit; thresholds are drawn as lines and said in words,
  and values stand beside the names of lines, so that no colour has to be told from another.
- Every metric is in a panel. The boards have variables for data source, job and instance, and
  link to each other; a panel links to the runbooks of its alerts, an alert to its panel
  (`dashboard`) and to its `runbook`.

Alerts count messages by metrics of one gateway process each; `job` is to be `gateway`, as in the
example. The seven-day median of the reach begins to mean something after as many days.

`/metrics` answers in OpenMetrics to who accepts it, as Prometheus does. There
`accept_to_submit_seconds` and `accept_to_phone_seconds` have exemplars, which
`--enable-feature=exemplar-storage` keeps and Grafana draws as points: the id of the slowest message
of some batch, for `gateway explain` and `gateway status`. All histograms have fixed buckets and can
be added up over gateways.

"""


ASKED: Final = """In the order in which they are asked at three in the morning: where the console
has the answer, and behind which words; which command of `gateway` tells it; and the query that
does, from metrics alone.
"""


def monitoring() -> str:
    """The tables of alerts and panels."""
    rows = [
        "## Questions\n",
        ASKED,
        "| question | page of the console | command | query |",
        "|---|---|---|---|",
        *(
            f"| {one.asked} | `{one.page[0]}`: {one.page[1]} | "
            f"{f'`{one.command}`' if one.command else ''} | `{_plain(one.expr)}` |"
            for one in QUESTIONS
        ),
        "\n## Alerts\n",
        "| alert | severity | after | what it says |",
        "|---|---|---|---|",
        *(
            f"| [{one.name}](runbooks.md#{one.name.lower()}) | {one.severity} | {one.lasting} |"
            f" {_plain(one.means)} |"
            for one in ALERTS
        ),
    ]
    for board in BOARDS:
        rows += [
            f"\n## {board.title}\n",
            f"{board.description}\n",
            "| panel | what it shows |",
            "|---|---|",
            *(f"| {one.title} | {one.description}{_limits(one)} |" for one in board.panels),
        ]
    return MONITORING + "\n".join(rows) + "\n"


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the files, or check them."""
    stale = [name for name, text in files().items() if _there(name) != text]
    for name in stale:
        print(name)
        if "--check" not in arguments:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(files()[name])
    return int(bool(stale) and "--check" in arguments)


def _there(name: str) -> str | None:
    path = ROOT / name
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
