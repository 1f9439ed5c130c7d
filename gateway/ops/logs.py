"""Logs: one JSON object a line on stderr, with nothing in it that must not be there. For people who
watch there is a text form of the same.

Every line has ``event``, a few words in snake_case, ``level`` and ``timestamp`` (ISO 8601, UTC).
Whatever a caller hands over, phone numbers are masked, and secrets and texts of messages are left
out, so that no call site has to think of it. What libraries log through `logging` comes out the
same way. Nothing here is for the hot path: that has metrics.
"""

import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.message import masked

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]

NUMBER_KEYS: Final = frozenset({"to", "sender", "from", "recipient", "number", "numbers"})
"""Their values are masked, whatever they look like."""

PRIVATE_KEYS: Final = re.compile(
    "password|secret|token|authorization|^text$|short_message", re.IGNORECASE
)
"""Left out together with their values."""

ID_KEYS: Final = frozenset({"timestamp", "message_id", "ref"})
"""Digits here are no phone number, and are what one searches for."""

_NUMBER = re.compile(r"\+\d{7,15}|(?<![\w+-])(?<!\d\.)\d{9,15}(?![\w-]|\.\d)")
"""A phone number within other text: with a ``+``, or standing alone (no UUID, no Unix time)."""

_CONTROLS: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"
}
"""What would move a terminal's cursor, or do worse, and what is shown instead."""

REMEMBERED: Final = 1000
"""Repeated events that are told apart; beyond, the one that was logged longest ago is forgotten."""


def configure(level: Level = "info", form: Format = "json") -> None:
    """Send everything that is logged at ``level`` or above to stderr, in the ``form`` for programs
    or for people."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_for_people() if form == "text" else _for_programs()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_args: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Libraries()]
    root.setLevel(max(number, logging.WARNING))


def _for_programs() -> list[Processor]:
    return [
        # No locals: they hold texts and numbers.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _for_people() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,  # has no locals
        redact,
        _harmless,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
            sort_keys=False,
            # Quoted, so that no value looks like another field, another line or an escape sequence.
            repr_native_str=True,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: escape the controls of a traceback, which is shown line by line."""
    if "exception" in event:
        event["exception"] = event["exception"].translate(_CONTROLS)
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: mask numbers, and drop what is private."""
    return _fields(event)


def _fields(fields: Any) -> dict[str, Any]:
    return {
        str(key): _value(str(key), value)
        for key, value in fields.items()
        if not PRIVATE_KEYS.search(str(key))
    }


def _value(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if key in NUMBER_KEYS and isinstance(value, str | int):
        return masked(str(value))
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return value if key in ID_KEYS else _NUMBER.sub(_mask, value)
    if isinstance(value, dict):
        return _fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(key, item) for item in value]
    if isinstance(value, bytes | msgspec.Struct):
        return f"<{type(value).__name__}>"  # may hold a text
    return _NUMBER.sub(_mask, str(value))


def _mask(match: re.Match[str]) -> str:
    number = match[0]
    return "+" + masked(number[1:]) if number.startswith("+") else masked(number)


class _Libraries(logging.Handler):
    """Passes on what libraries log through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library_message",
            logger=record.name,
            detail=record.getMessage(),
            exc_info=record.exc_info,
        )


class Sparing:
    """Logs an event that may repeat without end at most once per ``interval`` and key.

    Args:
        interval: seconds.
        log: writes it: a bound method of a logger, ``logger.warning``.
    """

    def __init__(self, log: Callable[..., Any], interval: float = 60.0) -> None:
        self._log = log
        self._interval = interval
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, event: str, key: str, now: float, **fields: Any) -> None:
        """Log ``event`` with ``fields``, and with how many were ``suppressed`` since the last time,
        or count it among those. ``key`` says what it is about: a carrier, a bind."""
        since, suppressed = self._seen.get((event, key), (None, 0))
        if since is not None and since <= now < since + self._interval:
            self._seen[event, key] = (since, suppressed + 1)
            return
        self._seen.pop((event, key), None)
        if len(self._seen) >= REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[event, key] = (now, 0)
        self._log(event, **fields, suppressed=suppressed)

    def over(self) -> None:
        """What went wrong is mended: the next time is news, however soon it comes."""
        self._seen.clear()
