"""Times as SMPP writes them, 16 characters (SMPP 3.4 section 7.1.1). Pure: ``now`` is an argument.

    YYMMDDhhmmsstnnp    absolute: t tenths of seconds, nn quarter-hours ahead of (p is +) or
                        behind (-) UTC
    YYMMDDhhmmss000R    relative: so many years, months, days ... from now

The dates inside receipts have another form and no zone: see `gateway.smpp.receipts`.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from gateway.errors import RemoteProtocolError

MAX_RELATIVE: Final = 31 * 86_400 - 1
"""The longest relative time that is written, in seconds: days have no more than 30 there, since
carriers disagree on what a month is and on whether there may be more days than a month has."""

_FORM = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([-+R])", re.ASCII)


def absolute(at: float) -> str:
    """The moment ``at`` (Unix seconds), in UTC, cut to the tenth of a second."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%y%m%d%H%M%S}{moment.microsecond // 100_000}00+"


def relative(seconds: float) -> str:
    """A time from now, rounded down to whole seconds, at least one and at most `MAX_RELATIVE`: a
    validity_period never outlives what was asked for, but for a fraction of its first second."""
    return _relative(min(max(1, int(seconds)), MAX_RELATIVE))


@lru_cache(maxsize=4096)
def _relative(seconds: int) -> str:
    # Cached, since messages of one batch have the same time left: 0.3 us instead of 1.1 us.
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R"


def parse(text: str, now: float) -> float | None:
    """The moment that ``text`` means, in Unix seconds; None where it is empty.

    In a relative time a year is 365 days and a month 30. Raises RemoteProtocolError.
    """
    if not text:
        return None
    match = _FORM.fullmatch(text)
    if match is None:
        raise RemoteProtocolError(f"{text!r} is no SMPP time")
    *numbers, sign = match.groups()
    year, month, day, hour, minute, second, tenths, quarters = map(int, numbers)
    if sign == "R":
        days = 365 * year + 30 * month + day
        return (
            now + timedelta(days=days, hours=hour, minutes=minute, seconds=second).total_seconds()
        )
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise RemoteProtocolError(f"{text!r} is no SMPP time: {error}") from None
    ahead = quarters * 900 if sign == "+" else -quarters * 900
    return local.timestamp() + tenths / 10 - ahead
