"""``gateway stats``: what was counted, hour by hour, and in all."""

import sys
import time
from collections.abc import Iterable
from typing import Annotated, Any, Final

from cyclopts import Parameter

from gateway.api.wire import Stat
from gateway.cli.access import Access
from gateway.cli.cells import moment
from gateway.cli.output import UsageError, record, show

DAY: Final = 86_400.0
"""Seconds that are shown where neither a campaign nor a time is named."""


def stats(
    campaign: str | None = None,
    /,
    *,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    access: Access,
) -> int:
    """Tell what was accepted, refused, sent and delivered, by hour, campaign, variant and carrier.

    The last line is the sum of the others; it has no hour. The exit status is 1 if nothing was
    counted of a campaign: perhaps the name is wrong.

    Parameters
    ----------
    campaign
        The campaign; all, and what is of none, where it is left out.
    since
        The time of the first hour: Unix seconds, or 2026-11-11T09:00+08:00. The last 24 hours where
        neither this nor a campaign is named.
    until
        The time before which the last hour begins; now where it is left out.
    """
    start, stop = _moment("--from", since), _moment("--to", until)
    if start is None and campaign is None:
        start = (time.time() if stop is None else stop) - DAY
    with access.client() as client:
        found = client.stats(campaign, start, stop)
    rows = [record(one) for one in found]
    if found or campaign is None:
        rows.append(_in_all(found))
    if rows:
        show(rows)
    else:
        print(f"gateway: {campaign!r}: nothing of this campaign was counted then", file=sys.stderr)
    return int(not rows)


def _moment(option: str, text: str | None) -> float | None:
    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _in_all(stats: Iterable[Stat]) -> dict[str, Any]:
    """The sums of all counts."""
    sums: dict[str, Any] = {}
    for stat in stats:
        for name, value in stat._asdict().items():
            if isinstance(value, dict):
                counts = sums.setdefault(name, {})
                for key, number in value.items():
                    counts[key] = counts.get(key, 0) + number
            elif name != "hour" and isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    return {"accepted": 0, **{name: number for name, number in sums.items() if number}}
