"""Debian's Prometheus, with the committed rules for a day that passes sixty times as fast."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.ops.watching.declared import SELECTOR
from tools import boards

PACE: Final = 60
"""A minute of the rules is a second here."""

CONFIGURATION: Final = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [recording.yaml, alerts.yaml]
scrape_configs:
  - job_name: gateway
    static_configs: {targets}
"""

RATE_INTERVAL: Final = "5s"
"""What Grafana puts in for `$__rate_interval`, at this pace."""

ANY: Final = ".+"

Sample = dict[str, Any]


class Prometheus:
    """A server that scrapes gateways.

    Args:
        site: where it lives.
        program: of Prometheus.
        targets: the port of each gateway's metrics, by its name.
    """

    def __init__(self, site: Any, program: str, targets: Mapping[str, int]) -> None:
        folder: Path = site.folder
        (folder / "recording.yaml").write_text(boards.recording(PACE))
        (folder / "alerts.yaml").write_text(boards.alerting(PACE))
        scraped = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}
            for name, port in targets.items()
        ]
        file = folder / "prometheus.yml"
        file.write_text(CONFIGURATION.format(targets=json.dumps(scraped)))
        self._port = site.free_port()
        self._process = site.start(
            "prometheus",
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        )
        self._process.wait_for("ready to receive web requests")

    def ask(self, expr: str) -> list[Sample]:
        """The series that a query answers with, those that are no number left out."""
        query = urllib.parse.urlencode({"query": expr})
        address = f"http://127.0.0.1:{self._port}/api/v1/query?{query}"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{expr}: {error.read().decode()}") from None
        series: list[Sample] = found["data"]["result"]
        return [one for one in series if one["value"][1] != "NaN"]

    def shown(self, expr: str) -> list[Sample]:
        """What a panel shows, with all that its board lets one choose by chosen."""
        for name in ("$job", "$instance", "$carrier", "$tenant"):
            expr = expr.replace(name, ANY)
        selector = boards.COMMON.replace("$job", ANY).replace("$instance", ANY)
        expr = boards.hastened(expr.replace(SELECTOR, selector), PACE)
        return self.ask(expr.replace("$__rate_interval", RATE_INTERVAL))

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire, each with whose it is: the gateway, carrier, tenant or route."""
        return {
            (one["metric"]["alertname"], whose(one["metric"]))
            for one in self.ask('ALERTS{alertstate="firing"}')
        }

    def watch(
        self, seconds: float, most: float, expected: set[tuple[str, str]]
    ) -> set[tuple[str, str]]:
        """All that fires from now on for so long, or longer while something is missing."""
        begun = time.monotonic()
        seen: set[tuple[str, str]] = set()
        while (now := time.monotonic() - begun) < seconds or (now < most and expected - seen):
            seen |= self.firing()
            time.sleep(0.5)
        return seen

    def wait_until_quiet(self, most: float) -> set[tuple[str, str]]:
        """What still fires after so long, at the latest."""
        deadline = time.monotonic() + most
        while (seen := self.firing()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return seen


def whose(labels: Mapping[str, str]) -> str:
    """The name in the labels of an alert."""
    for label in ("tenant", "carrier", "route", "instance"):
        if label in labels:
            return labels[label]
    return "everybody"
