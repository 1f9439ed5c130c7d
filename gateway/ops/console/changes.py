"""What of a page has changed, for its stream: its rows alone, where nothing else has. Pure."""

import re
from typing import Final

ROW: Final = re.compile(r'(<tr role="row" id="([^"]*)">.*?</tr>)', re.DOTALL)
"""A row of a table that has a name: `htmx` puts another in the place of what has its id."""


def changes(before: str, after: str) -> str:
    """What a page that shows ``before`` has to be sent to show ``after``: the rows that are others,
    or all of it where rows come, go or move, or anything beside them is another."""
    old, new = ROW.split(before), ROW.split(after)
    names = new[2::3]
    if old[::3] != new[::3] or old[2::3] != names or len({*names}) < len(names) or not names:
        return after
    return "".join(
        f'<hx-partial id="{name}" hx-swap="outerMorph">{row}</hx-partial>'
        for row, known, name in zip(new[1::3], old[1::3], names, strict=True)
        if row != known
    )
