"""``gateway top``: what a gateway is doing, live in a terminal, or once as JSON in a pipe."""

import sys
import time
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from gateway.cli.operators import LOCAL, AdminAccess
from gateway.cli.output import print_line
from gateway.cli.rates import Counts, counts, rates
from gateway.errors import GatewayError

PARTS: Final = ("carriers", "queues", "tenants")
"""What of the admin API is shown besides the overview."""


def top(
    *,
    every: Annotated[float, Parameter(validator=Number(gte=0.5, lte=60))] = 1.0,
    operators: AdminAccess = LOCAL,
) -> int:
    """Show what a gateway is doing: what is stuck and what to do first, then carriers, queues and
    tenants, with what they do a second.

    On a terminal it goes on until Ctrl-C. Where its output goes elsewhere it prints one JSON object
    and ends, with rates of the time between two looks; the exit status is 1 where not all is well.

    Parameters
    ----------
    every
        Seconds between looks.
    """
    found = _look(operators, None)
    if sys.stdout.isatty():
        return _live(operators, every, found)
    time.sleep(every)
    found = _look(operators, found["counts"])
    print_line({name: value for name, value in found.items() if name != "counts"})
    return 0 if found["overview"]["well"] else 1


def _look(operators: AdminAccess, before: Counts | None) -> dict[str, Any]:
    """All that is shown, once."""
    found: dict[str, Any] = {"overview": operators.look("overview")}
    now = counts(operators.metrics(), time.monotonic())
    for part in PARTS:
        found[part] = list(operators.items(part))
    found["rates"] = msgspec.to_builtins(rates(before, now))
    found["counts"] = now
    return found


def _live(operators: AdminAccess, every: float, found: dict[str, Any]) -> int:
    # They take longer to import than a small command does, and scripts have no use for them.
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from gateway.cli.screens import screen  # noqa: PLC0415

    console = Console(markup=False, highlight=False, emoji=False)
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            trouble = ""
            while True:
                live.update(
                    screen(found, operators.address, trouble, console.size.height), refresh=True
                )
                time.sleep(every)
                try:
                    found, trouble = _look(operators, found["counts"]), ""
                except GatewayError as error:
                    # It may be back any moment: what was seen last stays, and is said to be old.
                    trouble = str(error)
    except KeyboardInterrupt:
        return 0
