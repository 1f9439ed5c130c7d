"""Logs: what appears on stderr, and what never does."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from gateway.message import Message
from gateway.ops.logs import REMEMBERED, Sparing, configure

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Logging as configured; gives what came out on stderr since the last call."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure("info")

    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    yield read
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def test_a_line_is_json_with_an_event_a_level_and_the_time(lines: Lines) -> None:
    structlog.get_logger().info("bind_up", carrier="alpha", window=64)
    (line,) = lines()
    assert (line["event"], line["level"]) == ("bind_up", "info")
    assert (line["carrier"], line["window"]) == ("alpha", 64)
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


def test_what_is_below_the_level_does_not_appear(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    assert lines() == []
    configure("debug")
    structlog.get_logger().debug("detail")
    assert [line["event"] for line in lines()] == ["detail"]


def test_numbers_are_masked_by_key_and_wherever_they_look_like_numbers(lines: Lines) -> None:
    structlog.get_logger().warning(
        "odd_receipt",
        to="447700900123",
        sender=10690001234,
        numbers=["33612345678", "4915112345678"],
        detail="no route to +447700900123, tried 447700900124.",
        nested={"recipient": "447700900123", "why": ["+8613800138000 is barred"]},
    )
    (line,) = lines()
    text = json.dumps(line)
    for number in (
        "7700900123",
        "7700900124",
        "690001234",
        "612345678",
        "15112345678",
        "3800138000",
    ):
        assert number not in text
    assert line["to"] == "4477******23"
    assert line["detail"] == "no route to +4477******23, tried 4477******24."


def test_what_is_no_number_stays_legible(lines: Lines) -> None:
    fields = {
        "message_id": "123456789012",
        "ref": "0123456789",
        "after": 1700000000.25,
        "detail": "uuid 6fa459ea-ee8a-3ca4-894e-123456789012 at 1700000000.25, pid 12345",
        "count": 123456789012,
        "up": True,
        "carrier": None,
    }
    structlog.get_logger().info("fine", **fields)
    (line,) = lines()
    assert {key: line[key] for key in fields} == fields


def test_secrets_and_texts_are_left_out(lines: Lines) -> None:
    message = Message(
        id=1, tenant="acme", to="447700900123", sender="1069", text="your code is hushhush",
        category="otp", route="main", encoding="gsm7", parts=1,
        accepted_at=0.0, due=0.0, expires_at=1.0,
    )  # fmt: skip
    structlog.get_logger().info(
        "connected",
        password="hushhush",
        api_token="hushhush",
        headers={"Authorization": "Bearer hushhush", "host": "h"},
        text="hushhush",
        message=message,
        body=b"hushhush",
    )
    (line,) = lines()
    assert "hushhush" not in json.dumps(line)
    assert line["headers"] == {"host": "h"}


def test_exceptions_come_with_their_traceback_but_without_locals(lines: Lines) -> None:
    text = "hush" + "hush"
    try:
        raise ValueError(f"cannot send to {'+447700900123'} {len(text)}")
    except ValueError:
        structlog.get_logger().exception("task_failed")
    (line,) = lines()
    dumped = json.dumps(line)
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "hushhush" not in dumped
    assert "7700900123" not in dumped


def test_libraries_log_in_the_same_form(lines: Lines) -> None:
    logging.getLogger("hypercorn").info("Running on http://127.0.0.1")
    logging.getLogger("hypercorn").error("cannot serve %s", "+447700900123")
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == (
        "library_message",
        "error",
        "hypercorn",
    )
    assert line["detail"] == "cannot serve +4477******23"


def test_a_repeated_event_is_logged_once_an_interval_with_the_count_of_the_rest(
    lines: Lines,
) -> None:
    log = Sparing(structlog.get_logger().warning, interval=60)
    for second in range(200):
        log("bind_failed", "alpha", float(second), carrier="alpha")
    log("bind_failed", "beta", 5.0, carrier="beta")
    found = [(line["carrier"], line["suppressed"]) for line in lines()]
    assert found == [("alpha", 0), ("alpha", 59), ("alpha", 59), ("alpha", 59), ("beta", 0)]


def test_a_clock_that_is_set_back_does_not_silence_an_event(lines: Lines) -> None:
    log = Sparing(structlog.get_logger().warning, interval=60)
    log("bind_failed", "alpha", 1e9)
    log("bind_failed", "alpha", 5.0)
    assert len(lines()) == 2


def test_what_comes_again_after_it_was_over_is_news(lines: Lines) -> None:
    log = Sparing(structlog.get_logger().error, interval=60)
    for second in range(10):
        log("store_failed", "full", float(second))
    log.over()
    log("store_failed", "full", 10.0)
    assert [line["suppressed"] for line in lines()] == [0, 0]


def test_repeated_events_are_remembered_within_bounds(weigh: Callable[[object], int]) -> None:
    seen = 0

    def count(_event: str, **_fields: object) -> None:
        nonlocal seen
        seen += 1

    log = Sparing(count)
    for key in range(REMEMBERED):
        log("refused", str(key), 1.0)
    full = weigh(log)
    for key in range(REMEMBERED, 3 * REMEMBERED):
        log("refused", str(key), 1.0)
    assert weigh(log) < 1.5 * full
    assert seen == 3 * REMEMBERED


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Logging for people; gives what came out on stderr since the last call."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure("info", "text")
    yield lambda: capsys.readouterr().err
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def test_for_people_a_line_is_text_in_the_order_it_was_said(shown: Callable[[], str]) -> None:
    structlog.get_logger().warning("carrier_down", carrier="alpha", binds=2, cannot=["send"])
    time, text = shown().split(" ", 1)
    assert datetime.fromisoformat(time).utcoffset() == timedelta(0)
    assert text.split() == [
        *("[warning", "]", "carrier_down"),
        *("carrier='alpha'", "binds=2", "cannot=['send']"),
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"to": "447700900123"}, "to='4477******23'"),
        ({"detail": "no route to +447700900123"}, "detail='no route to +4477******23'"),
        ({"password": "hush", "carrier": "alpha"}, "carrier='alpha'"),
        ({"text": "hush"}, ""),
        ({"detail": "a\nlevel=error event=b"}, r"detail='a\nlevel=error event=b'"),
        ({"detail": "\x1b[2J\x07\x9b1m"}, r"detail='\x1b[2J\x07\x9b1m'"),
        ({"keys": ["\x1b[31m"]}, r"keys=['\x1b[31m']"),
    ],
)
def test_for_people_the_same_is_left_out_and_nothing_can_be_slipped_in(
    shown: Callable[[], str], fields: dict[str, Any], told: str
) -> None:
    structlog.get_logger().info("odd", **fields)
    [line] = shown().splitlines()
    assert line.partition(" odd")[2].strip() == told


def test_for_people_a_trace_is_lines_without_locals(shown: Callable[[], str]) -> None:
    def fail(secret: str) -> None:
        raise ValueError("no route to 447700900123\x1b[2J")

    try:
        fail("hush")
    except ValueError:
        structlog.get_logger().exception("connection_failed")
    trace = shown()
    assert "Traceback (most recent call last)" in trace
    assert trace.endswith("ValueError: no route to 4477******23\\x1b[2J\n")
    assert "hush" not in trace.replace('fail("hush")', "")


def test_for_people_libraries_come_out_the_same_way(shown: Callable[[], str]) -> None:
    logging.getLogger("hypercorn").warning("no answer from +447700900123")
    assert "library_message" in (line := shown())
    assert "[hypercorn]" in line
    assert "447700900123" not in line
