"""``gateway handover``: conversations with phones that a person has."""

import sys
from collections.abc import Iterator
from typing import Literal

from gateway.api.blocking import Client
from gateway.api.wire import HandoverResult, Rejected
from gateway.cli.access import Access
from gateway.cli.output import UsageError, record, show


def handover(
    action: Literal["list", "check", "close"] = "list", /, *numbers: str, access: Access
) -> int:
    """List the conversations that a person has, look them up, or close them: then your rules
    answer the phone again.

    The exit status is 1 if one of the numbers is none, or nobody had its conversation.

    Parameters
    ----------
    action
        What to do.
    numbers
        Phone numbers with their country code.
    """
    if (action == "list") == bool(numbers):
        said = "a list takes no numbers" if numbers else "name phone numbers"
        raise UsageError(f"{said}: check looks them up, close ends their conversations")
    with access.client() as client:
        if action == "list":
            show([record(one) for one in _all(client)])
            return 0
        status = 0
        for written, result in zip(numbers, client.handover(action, numbers), strict=True):
            if isinstance(result, Rejected):
                print(f"gateway: {written}: {result.message}", file=sys.stderr)
                status = 1
            else:
                show([record(result)])
                status |= not (result.open or result.changed)
        return int(status)


def _all(client: Client) -> Iterator[HandoverResult]:
    after = ""
    while page := client.handovers(after):
        yield from page
        after = page[-1].number
