import pytest

from gateway.ops.console.samples import EVERY, FINE, KEPT, LINES, THIN, Samples
from gateway.ops.instruments import Table
from gateway.ops.metrics import Metrics
from gateway.ops.watching import BOARDS, RECORDINGS
from gateway.ops.watching.declared import Panel, Query, Recording

PANEL = Panel(
    "Sent", "", "ops", (Query("sum by (carrier) (rate(sent[$__rate_interval]))", "{{carrier}}"),)
)


def sent(**counts: float) -> dict[str, Table]:
    return {"sent": Table(("carrier",), {(name,): count for name, count in counts.items()})}


def test_lines_are_drawn_from_samples() -> None:
    samples = Samples({"p": PANEL}, ())
    for number in range(4):
        samples.take(sent(alpha=number * 50.0, beta=0.0), 1000 + number * EVERY)
    lines, rest = samples.drawn("p", {}, 8)
    times, values = samples.series(lines)
    assert [line.name for line in lines] == ["alpha", "beta"]
    assert times == [1000, 1005, 1010, 1015]
    assert values == [[None, 10.0, 10.0, 10.0], [None, 0.0, 0.0, 0.0]]
    assert (lines[0].last, rest) == (10.0, 0)


def test_the_largest_are_drawn_and_the_others_counted() -> None:
    samples = Samples({"p": PANEL}, ())
    many = {f"c{number:02}": float(number) for number in range(LINES + 5)}
    samples.take(sent(**dict.fromkeys(many, 0.0)), 1000)
    samples.take(sent(**many), 1005)
    lines, rest = samples.drawn("p", {}, 3)
    assert [line.name for line in lines] == ["c42", "c43", "c44"]
    assert rest == len(many) - 3
    assert [line.name for line in samples.drawn("p", {"carrier": "c44"}, 3)[0]] == ["c44"]


def test_what_comes_to_something_takes_the_place_of_what_came_to_nothing() -> None:
    samples = Samples({"p": PANEL}, ())
    idle = {f"c{number:02}": 0.0 for number in range(LINES)}
    samples.take(sent(**idle), 1000)
    samples.take(sent(**idle), 1005)
    samples.take(sent(**idle, late=0.0), 1010)
    samples.take(sent(**idle, late=70.0), 1015)
    samples.take(sent(**idle, late=140.0), 1020)
    lines, rest = samples.drawn("p", {}, 1)
    assert [line.name for line in lines] == ["late"]
    assert rest == LINES


def test_memory_is_bounded_and_old_samples_thin_out() -> None:
    samples = Samples({"p": PANEL}, ())
    for number in range(KEPT + 100):
        samples.take(sent(alpha=number * 5.0), number * EVERY)
    lines, _ = samples.drawn("p", {}, 8)
    times, [values] = samples.series(lines)
    assert len(lines[0].values) == KEPT
    assert len(times) == FINE + (KEPT - FINE) // THIN == len(values)
    assert times[-1] == (KEPT + 99) * EVERY
    assert times == sorted(times)
    assert set(values) == {1.0}


def test_a_line_that_was_not_seen_for_an_hour_is_gone() -> None:
    samples = Samples({"p": PANEL}, ())
    samples.take(sent(gone=0.0, alpha=0.0), 0)
    samples.take(sent(gone=9.0, alpha=9.0), EVERY)
    for number in range(2, KEPT + 2):
        samples.take(sent(alpha=9.0), number * EVERY)
    assert [line.name for line in samples.drawn("p", {}, 8)[0]] == ["alpha"]


def test_an_hour_is_looked_back_at_by_the_minute() -> None:
    panel = Panel(
        "Hour", "", "short", (Query("sum by (carrier) (increase(sent[1h]))", "{{carrier}}"),)
    )
    recording = Recording("kept:sent", "sum by (carrier) (sent)")
    by_name = Panel("Kept", "", "short", (Query('kept:sent{carrier=~"$carrier"}', "{{carrier}}"),))
    samples = Samples({"hour": panel, "kept": by_name}, (recording,))
    for number in range(2 * KEPT):
        samples.take(sent(alpha=float(number)), number * EVERY)
    [hour], _ = samples.drawn("hour", {}, 8)
    [kept], _ = samples.drawn("kept", {}, 8)
    assert hour.last == pytest.approx(KEPT, abs=12)
    assert kept.last == 2 * KEPT - 1


def test_every_panel_has_values_once_its_metrics_have() -> None:
    """Of a board's panels none is forgotten: each reads a metric that the process has."""
    panels = {
        f"{board.name}/{number}": panel
        for board in BOARDS
        for number, panel in enumerate(board.panels)
    }
    samples = Samples(panels, RECORDINGS)
    tables = Metrics().readings(samples.names)()
    known = {*tables, "up", *(one.name for one in RECORDINGS)}
    for name, kept in samples.panels.items():
        assert len(kept.queries) == len(panels[name].queries)
    for panel in panels.values():
        for query in panel.queries:
            assert any(name in query.expr for name in known), query.expr
