"""The benchmarks: their arithmetic, and one small run of real processes from end to end."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import fairness, guard, load, options, processes, results, throughput
from benchmarks.arrivals import spectrum, waited


@pytest.mark.parametrize("name", command.BENCHMARKS)
def test_every_option_of_a_benchmark_can_be_given_and_read_back(name: str) -> None:
    quick = command.BENCHMARKS[name].quick
    namespace = command.parser().parse_args([name, *options.arguments(quick)])
    assert options.read(namespace, command.BENCHMARKS[name].options) == quick


def test_a_value_that_does_not_fit_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["throughput", "--batches", "10,many"])
    assert "batches" in capsys.readouterr().err


def test_what_is_varied_is_varied_one_at_a_time() -> None:
    found = throughput.settings(throughput.ThroughputOptions())
    assert len(found) == len(set(found)) == 11
    base = throughput.Setting()
    assert {s.binds for s in found if s._replace(binds=base.binds) == base} == {1, 4, 16, 64}


def test_a_figure_has_the_median_and_the_spread_of_its_repeats() -> None:
    figure = results.figure("s", [3.0, 1.0, 2.0])
    assert (figure.median, figure.min, figure.max) == (2.0, 1.0, 3.0)
    assert str(figure) == "2.00 (1.00-3.00)"


def test_a_note_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    results.show(results.Findings([], notes=["refused: carriers[1] [/red]"]), Console(width=80))
    assert "note: refused: carriers[1] [/red]" in capsys.readouterr().out


def test_a_short_sample_has_no_far_percentiles() -> None:
    percents, values = spectrum(map(float, range(1_000)))
    assert 99.9 in percents
    assert 99.99 not in percents
    assert values[percents.index(99)] == 990
    assert values[-1] == 999


def test_waits_count_from_the_appointed_time_of_the_batch() -> None:
    found = {10: 100.5, 11: 100.5, 12: 101.5}
    assert waited(found, 10, 3, batch=2, started=100.0, rate=2) == [0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match="1 of 4"):
        waited(found, 10, 4, batch=2, started=100.0, rate=2)


@pytest.mark.parametrize(
    ("demands", "shares"),
    [
        ([1000, 50, 50], [900, 50, 50]),
        ([1000, 400, 400], [1000 / 3] * 3),
        ([10, 20], [10, 20]),
        ([1000, 100, 800], [450, 100, 450]),
    ],
)
def test_the_ideal_share_is_what_max_min_fairness_gives(
    demands: list[float], shares: list[float]
) -> None:
    assert fairness.ideal(1000, demands) == pytest.approx(shares)


@pytest.mark.parametrize("hour", range(24))
def test_the_recipients_place_is_open_and_not_always(hour: int) -> None:
    from gateway.policy.windows import parse_hours  # noqa: PLC0415

    spans = parse_hours(processes.open_hours((hour - 8) % 24 * 3600 + 1800))
    assert any(span.start <= hour * 3600 + 1800 < span.end for span in spans)
    assert sum(span.end - span.start for span in spans) == 2 * processes.HALF_WIDTH * 3600


@pytest.mark.parametrize(
    ("ratios", "growth", "passed"),
    [
        ([10.0], 1.0, True),
        ([30.0, 14.9], 1.49, True),
        ([15.0, 16.0], 1.5, False),
        ([8.0], 0.8, True),
    ],
)
def test_the_guard_fails_once_the_cheapest_run_is_half_as_dear_again(
    ratios: list[float], growth: float, passed: bool
) -> None:
    verdict = guard.judge(ratios, 10.0, 1.5)
    assert verdict.growth == pytest.approx(growth)
    assert verdict.passed == passed


def runs_of(monkeypatch: pytest.MonkeyPatch, *micros: float) -> list[float]:
    """Have the guard measure these CPU times, with a loop that takes 1 us; what it has left."""
    left = list(micros)
    monkeypatch.setattr(
        guard, "measured", lambda *_: guard.Ratio(message=left.pop(0) / 1e6, round=1e-6)
    )
    return left


def test_the_guard_stops_at_the_first_run_that_is_within_bounds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_text('{"ratio": 10.0}')
    left = runs_of(monkeypatch, 40.0, 12.0, 11.0)
    assert guard.check(guard.GuardOptions(), tmp_path, baseline) == 0
    assert left == [11.0]


def test_the_guard_fails_where_every_run_is_too_dear(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_text('{"ratio": 10.0}')
    runs_of(monkeypatch, 16.0, 15.5)
    assert guard.check(guard.GuardOptions(runs=2), tmp_path, baseline) == 1
    assert "FAILED: 1.55 times" in capsys.readouterr().out


def test_the_guard_records_the_cheapest_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    runs_of(monkeypatch, 16.0, 15.5)
    assert guard.check(guard.GuardOptions(runs=2, record=True), tmp_path, baseline) == 0
    assert json.loads(baseline.read_bytes()) == {"ratio": 15.5}


def test_a_baseline_is_kept_with_the_code() -> None:
    assert json.loads(guard.BASELINE.read_bytes())["ratio"] > 0


def test_the_calibration_loop_takes_time() -> None:
    assert 0 < guard.calibrate() < 0.01


def test_frames_hold_every_message_once() -> None:
    chosen = load.LoadOptions(address="", messages=25, batch=10, sent_every=5)
    bodies = [msgspec.msgpack.decode(frame[4:]) for frame in load.frames(chosen, 1)]
    messages = [message for body in bodies for message in body["messages"]]
    assert [len(body["messages"]) for body in bodies] == [10, 10, 5]
    assert len({message["to"] for message in messages}) == 25
    assert len({message["key"] for message in messages}) == 25
    assert sum(message.get("report") == "none" for message in messages) == 5


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of a tiny run, read back from its file."""
    output = tmp_path_factory.mktemp("output")
    words = ["throughput", "--repeats", "2", "--messages", "600", "--batches", "100", "--texts"]
    tiny = [*words, "three parts", "--binds", "2", "--tenants", "3", "--output", str(output)]
    assert command.main([*tiny, "--scratch", str(output / "scratch")]) == 0
    shutil.rmtree(output / "scratch")
    found: dict[str, Any] = json.loads((output / "throughput.json").read_bytes())
    return found


def test_a_run_says_on_what_and_with_what_settings(stored: dict[str, Any]) -> None:
    assert stored["benchmark"] == "throughput"
    assert int(stored["machine"]["cores"]) > 0
    assert stored["versions"]["sqlite"]
    assert stored["options"]["messages"] == 600


def test_a_run_from_end_to_end_adds_up(stored: dict[str, Any]) -> None:
    cases = stored["findings"]["cases"]
    settings = [case["settings"] for case in cases]
    assert {"text": "three parts", "batch": 1000, "binds": 4, "tenants": 1, "messages": 600} in (
        settings
    )
    assert {s["tenants"] for s in settings} == {1, 3}
    for case in cases:
        figures = case["figures"]
        assert all(len(figure["repeats"]) == 2 for figure in figures.values())
        assert all(f["min"] <= f["median"] <= f["max"] for f in figures.values())
        # What is accepted is accepted before it has its outcome.
        for rate, accepted in zip(
            figures["rate"]["repeats"], figures["accepted"]["repeats"], strict=True
        ):
            assert 0 < rate <= accepted
        assert figures["gateway CPU"]["min"] > 0
