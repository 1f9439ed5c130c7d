"""The model of several nodes and databases, and the page that has its tables."""

import re
from pathlib import Path

import msgspec
import pytest

from benchmarks import scaling
from benchmarks.results import Case, Figure, Result, figure

PAGE = Path("docs/scaling.md")


def flood(nodes: int, gateway: float, server: float) -> Case:
    """A run at 1,000 messages a second, on nodes that look for 10 ms of each second."""
    figures: dict[str, Figure] = {
        "rate": figure("messages/s", [1_000.0]),
        "gateway CPU": figure("us/message", [gateway + nodes * 10.0]),
        "server CPU": figure("us/message", [server + nodes * 2.0]),
        "WAL": figure("bytes/message", [1_000.0 + nodes]),
        "kept": figure("bytes/message", [500.0]),
        "idle gateways": figure("ms/s", [nodes * 10.0]),
        "idle server": figure("ms/s", [nodes * 2.0]),
    }
    return Case({"nodes": nodes}, figures)


@pytest.fixture
def known() -> scaling.Model:
    """A message costs 40 and 20 us, and 30 and 12 more where another node has to do with it."""
    return scaling.model([flood(1, 40.0, 20.0), flood(2, 55.0, 26.0), flood(3, 60.0, 28.0)])


def test_costs_are_what_was_measured_without_what_idle_nodes_cost(known: scaling.Model) -> None:
    assert [known.gateway.message(n) for n in (1, 2, 3)] == pytest.approx([40.0, 55.0, 60.0])
    assert [known.server.message(n) for n in (1, 2, 3)] == pytest.approx([20.0, 26.0, 28.0])
    assert (known.gateway.idle, known.server.idle) == pytest.approx((0.01, 0.002))
    assert (known.log.message(1), known.kept) == (1_001.0, 500.0)


def test_a_database_carries_what_its_nodes_do_until_its_server_is_full(
    known: scaling.Model,
) -> None:
    assert known.rate(1) == pytest.approx(0.99 * 1e6 / 40)
    assert known.cores(1, known.rate(1)) == pytest.approx(0.99 * 20 / 40 + 0.002)
    full, rate = known.carried(4)
    assert known.cores(full, known.rate(full)) > 4 >= known.cores(full - 1, known.rate(full - 1))
    assert known.cores(full, rate) == pytest.approx(4)
    assert known.carried(10_000) == (64, known.rate(64))


def test_what_was_measured_is_said_of_each_run(known: scaling.Model) -> None:
    [*_, last] = scaling.measured([flood(2, 55.0, 26.0)]).splitlines()
    assert last == "| 2 | 1,000 | 75.0 | 30.0 | 1,002 | 500 | 20.0 | 4.00 |"


def test_the_page_has_the_tables_of_the_results_that_are_kept() -> None:
    page = PAGE.read_text()
    tables = scaling.tables(scaling.load(scaling.RESULT))
    for table in tables.values():
        assert table in page
    assert len(re.findall(r"^\|---", page, re.MULTILINE)) == len(tables)


def test_a_result_is_read_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = scaling.load(scaling.RESULT)
    path = tmp_path / "nodes.json"
    path.write_bytes(msgspec.json.encode(kept))
    assert isinstance(scaling.load(path), Result)
    assert scaling.main([str(path)]) == 0
    assert "One database:" in capsys.readouterr().out
