"""Two results side by side."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.compare import differences, pairs
from benchmarks.results import Case, Findings, Result, Value, case, write
from benchmarks.target.report import curves_of
from benchmarks.target.tally import Tally, Timeline


def result(name: str, *cases: Case, **options: Any) -> Result:
    return Result(name, "about", "now", 1.0, {"cores": "2"}, {}, options, Findings([*cases]))


def one_case(settings: dict[str, Value], **figures: float) -> Case:
    return case(settings, [{(name, "ms"): value for name, value in figures.items()}])


ONE = result("one", one_case({"until": "accepted"}, p50=2.0, p99=10.0), rate=100, seed=0)
OTHER = result(
    "other",
    one_case({"until": "accepted"}, p50=3.0),
    one_case({"until": "arrived"}, p50=1.0),
    rate=200,
    seed=0,
)


def test_figures_of_the_same_case_stand_together() -> None:
    assert [(pair.case, pair.name, pair.change) for pair in pairs(ONE, OTHER)] == [
        ("accepted", "p50", "+50%"),
        ("accepted", "p99", ""),
        ("arrived", "p50", ""),
    ]


def test_what_was_done_differently_is_told_and_nothing_else() -> None:
    assert list(differences(ONE, OTHER)) == [("rate", 100, 200)]
    assert list(differences(ONE, ONE)) == []


def test_two_files_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(write(each, tmp_path)) for each in (ONE, OTHER)]
    assert command.main(["compare", *files]) == 0
    told = capsys.readouterr().out
    assert "+50%" in told
    assert "rate" in told


def test_two_load_tests_are_drawn_on_the_same_scales(tmp_path: Path) -> None:
    timeline = Timeline()
    tally = Tally(0, "outcome", timeline, stamped=False)
    tally.offer(["1"], due=0.0, now=0.0, otp=False)
    tally.end(0, "delivered", None, 1.0)
    timeline.tick(2.0)
    curves = curves_of(tally, timeline)
    drawn = [
        Result(name, "", "", 1.0, {"processor": "p", "cores": "2"}, {}, {"stage": "outcome"}, found)
        for name in ("one", "other")
        for found in [Findings([], curves=curves)]
    ]
    files = [str(write(each, tmp_path)) for each in drawn]
    assert command.main(["compare", *files, "--plot", str(tmp_path / "both.svg")]) == 0
    text = (tmp_path / "both.svg").read_text()
    assert text.count("messages a second") == 2


def test_results_of_two_kinds_are_not_drawn_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(write(each, tmp_path)) for each in (ONE, result("latency"))]
    assert command.main(["compare", *files, "--plot", str(tmp_path / "both.svg")]) == 2
    assert "one is a result of target, the other of latency" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"{", "truncated"), (b"{}", "missing required field")],
)
def test_what_is_no_result_is_named(
    content: bytes | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "result.json"
    if content is not None:
        path.write_bytes(content)
    assert command.main(["compare", str(write(ONE, tmp_path)), str(path)]) == 2
    told = capsys.readouterr().err
    assert str(path) in told
    assert why in told
