"""The rules for Prometheus, tried by its own `promtool`: each alert fires when it is meant to, and
not otherwise; every query can be read; and the page of metrics is clean."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from gateway.ops.watching import ALERTS, BOARDS, RECORDINGS
from gateway.ops.watching.declared import SELECTOR
from tests.ops.alert_cases import CASES

DEPLOY = Path(__file__).parents[2] / "deploy" / "prometheus"

Promtool = Callable[..., str]


LONG = 240
"""Minutes from which rules are evaluated every ten of them, for the sake of the tests' time."""


@pytest.fixture
def promtool() -> Promtool:
    """Runs promtool, which has to find nothing amiss; returns what it says."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; .ci/interop installs it on Debian")

    def run(*arguments: str, page: str = "") -> str:
        ended = subprocess.run(
            [program, *arguments], input=page, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return run


def test_every_alert_has_cases_of_both_kinds() -> None:
    assert CASES.keys() == {alert.name for alert in ALERTS}
    for name, cases in CASES.items():
        assert {case.fires for case in cases} == {True, False}, name


def rules_of(alert: str) -> str:
    """One rule of `alerts.yaml`, and what it needs of `recording.yaml`: all of them, evaluated for
    each minute of each case, are fifty times the work."""
    head, *alerts = (DEPLOY / "alerts.yaml").read_text().split("      - alert: ")
    [rule] = [one for one in alerts if one.partition("\n")[0] == alert]
    first, *recordings = (DEPLOY / "recording.yaml").read_text().split("      - record: ")
    needed = [one for one in recordings if one.partition("\n")[0] in rule]
    recorded = "      - record: ".join([first, *needed]) if needed else "groups:\n"
    return recorded + head.partition("groups:\n")[2] + "      - alert: " + rule


@pytest.mark.parametrize("long", [False, True], ids=["minutes", "hours"])
def test_alerts_fire_when_they_are_meant_to_and_not_otherwise(
    promtool: Promtool, tmp_path: Path, long: bool
) -> None:
    tests = {
        (name, number): {
            "interval": "1m",
            "name": f"{name} {'fires' if case.fires else 'stays quiet'} ({number})",
            "input_series": [
                {"series": series, "values": values} for series, values in case.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
                    "eval_time": f"{case.minutes}m",
                    "exp_samples": [{"labels": "{}", "value": 1}] if case.fires else [],
                }
            ],
        }
        for name, cases in CASES.items()
        for number, case in enumerate(cases, 1)
        if (case.minutes > LONG) is long
    }
    files = []
    for name in {name for name, _ in tests}:
        rules = tmp_path / f"{name}.yaml"
        rules.write_text(rules_of(name))
        files.append(tmp_path / f"{name}.test.yaml")  # JSON is YAML
        whole = {
            "rule_files": [str(rules)],
            "evaluation_interval": "10m" if long else "1m",
            # Else either may come first, and what was recorded 10 minutes ago is too old.
            "group_eval_order": ["gateway-recording", "gateway-alerts"],
            "tests": [test for (of, _), test in tests.items() if of == name],
        }
        files[-1].write_text(json.dumps(whole, indent=1))
    promtool("test", "rules", *map(str, files))


def test_every_rule_and_every_query_of_a_panel_can_be_read(
    promtool: Promtool, tmp_path: Path
) -> None:
    promtool("check", "config", "--syntax-only", str(DEPLOY / "prometheus.yml"))
    promtool("check", "rules", str(DEPLOY / "recording.yaml"), str(DEPLOY / "alerts.yaml"))
    queries = {
        f"panel:{board.name}:{number}:{place}": query.expr.replace(SELECTOR, 'job=~".+"').replace(
            "$__rate_interval", "1m"
        )
        for board in BOARDS
        for number, panel in enumerate(board.panels)
        for place, query in enumerate(panel.queries)
    }
    rules = [{"record": name, "expr": expr} for name, expr in queries.items()]
    file = tmp_path / "panels.yaml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    said = promtool("check", "rules", str(file))
    assert f"{len(queries)} rules found" in said
    assert len(RECORDINGS) + len(ALERTS) + len(queries) > 100


def test_the_page_of_a_gateway_that_works_is_clean(promtool: Promtool, site: Any) -> None:
    site.carrier("alpha")
    site.gateway().wait_for('"bound"', 2)
    client = site.client()
    client.ask(
        "submit", messages=[{"to": "447400123456", "text": "hello"}, {"to": "1", "text": "?"}]
    )
    with urlopen(f"http://127.0.0.1:{site.admin}/metrics", timeout=60) as answer:
        assert promtool("check", "metrics", page=answer.read().decode()) == ""
