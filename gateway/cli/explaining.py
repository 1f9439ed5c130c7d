"""``gateway explain``: what happened to messages, and why, as sentences or as data."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from gateway.cli.access import Access
from gateway.cli.output import UsageError, record, show

Keys = Annotated[Sequence[str], Parameter(name="--key", show_default=False)]


def explain(*ids: str, keys: Keys = (), data: bool = False, access: Access) -> int:
    """Tell what happened to messages, step by step, and why.

    The exit status is 1 if one of them is not known.

    Parameters
    ----------
    ids
        Message ids.
    keys
        The key that a message was submitted with; repeat for more. Refusals under it are told too.
    data
        Print one JSON object for each message instead of sentences.
    """
    if not ids and not keys:
        raise UsageError("name message ids, or keys with --key")
    with access.client() as client:
        found = client.explain(ids, keys)
    for name, one in zip([*ids, *keys], found, strict=True):
        if one is None:
            print(f"gateway: {name}: not known", file=sys.stderr)
        elif data:
            show([record(one)])
        else:
            print(f"{one.message_id or one.key} to {one.to}: {one.state}")
            for line in one.text:
                print(f"  {line}")
    return int(None in found)
