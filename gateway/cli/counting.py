"""``gateway stats``: what was counted, hour by hour, and in all."""

import sys
import time
from collections.abc import Iterable
from typing import Annotated, Any, Final

from cyclopts import Parameter, validators

from gateway.api.wire import Stat
from gateway.cli.access import Access
from gateway.cli.cells import moment
from gateway.cli.output import UsageError, print_line, record, show

DAY: Final = 86_400.0
"""Seconds that are shown where neither a campaign nor a time is named."""


def stats(
    campaign: str | None = None,
    /,
    *,
    since: Annotated[str | None, Parameter(name="--from")] = None,
    until: Annotated[str | None, Parameter(name="--to")] = None,
    watch: bool = False,
    every: Annotated[float, Parameter(validator=validators.Number(gte=0.1, lte=3600))] = 2.0,
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
    watch
        Go on until Ctrl-C: on a terminal a screen with reach by carrier and variant, elsewhere the
        sums, a line of JSON each time.
    every
        Seconds between looks.
    """
    start, stop = _moment("--from", since), _moment("--to", until)
    if start is None and campaign is None:
        start = (time.time() if stop is None else stop) - DAY
    if watch:
        return _watch(campaign, start, stop, every, access)
    with access.client() as client:
        found = client.stats(campaign, start, stop)
    rows = [record(one) for one in found]
    if found or campaign is None:
        rows.append(in_all(found))
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


def in_all(stats: Iterable[Stat]) -> dict[str, Any]:
    """The sums of all counts."""
    sums: dict[str, Any] = {}
    cost = 0.0
    for stat in stats:
        for name, value in stat._asdict().items():
            if name == "figures":
                cost += value.get("cost", 0.0)
            elif isinstance(value, dict):
                counts = sums.setdefault(name, {})
                for key, number in value.items():
                    counts[key] = counts.get(key, 0) + number
            elif name != "hour" and isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    found = {"accepted": 0, **{name: number for name, number in sums.items() if number}}
    return {**found, "cost": round(cost, 6)} if cost else found


def _watch(
    campaign: str | None, start: float | None, stop: float | None, every: float, access: Access
) -> int:
    """Look again and again."""
    what = "all campaigns" if campaign is None else f"campaign {campaign}"
    try:
        with access.client() as client:
            if not sys.stdout.isatty():
                while True:
                    print_line({"at": time.time(), **in_all(client.stats(campaign, start, stop))})
                    time.sleep(every)
            # They take longer to import than a small command does.
            from rich.console import Console  # noqa: PLC0415
            from rich.live import Live  # noqa: PLC0415

            from gateway.cli.figures import screen  # noqa: PLC0415

            console = Console(markup=False, highlight=False, emoji=False)
            with Live(console=console, screen=True, auto_refresh=False) as live:
                while True:
                    found = client.stats(campaign, start, stop)
                    live.update(screen(found, what), refresh=True)
                    time.sleep(every)
    except KeyboardInterrupt:
        return 0
