"""``gateway events``: a tenant's events as lines of JSON."""

from math import inf
from typing import Annotated

import trio
from cyclopts import Parameter, validators

from gateway.api.client import connect
from gateway.api.wire import Event, Start
from gateway.cli.access import NAME, Access
from gateway.cli.output import print_line, record


def events(
    *,
    consumer: str = NAME,
    start: Annotated[Start, Parameter(name="--from")] = "acked",
    until_idle: Annotated[float, Parameter(validator=validators.Number(gt=0))] = inf,
    access: Access,
) -> None:
    """Print events as lines of JSON, and acknowledge them.

    Parameters
    ----------
    consumer
        Whose events: each consumer has its own place in them.
    start
        Begin after what the consumer has acknowledged, with all that is kept, or with what is new.
    until_idle
        End after so many seconds without an event; otherwise on Ctrl-C.
    """
    try:
        trio.run(_follow, access, consumer, start, until_idle)
    except BrokenPipeError:
        raise  # it is stdout: the client mends its own connections
    except OSError as error:
        raise access.unreachable(error) from error


async def _follow(access: Access, consumer: str, start: Start, until_idle: float) -> None:
    printed: Event | None = None
    tls = access.context()
    async with connect(access.address, access.token, tls=tls, name=NAME) as client:
        events = client.events(consumer, start)
        while True:
            with trio.move_on_after(until_idle) as idle:
                event = await anext(events)
            if idle.cancelled_caught:
                break
            print_line(record(event))
            printed = event
        if printed is not None:
            # Acknowledged already, but for an acknowledgement that was on its way.
            await client.ack(consumer, printed.seq, printed.epoch)
