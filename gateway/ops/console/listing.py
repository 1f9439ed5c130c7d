"""Long lists on a page: narrowed by a search, sorted, a hundred rows at a time. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

ROWS: Final = 100
"""Rows of a page: all carriers of a large installation, and few enough to be sent every second."""

Row = TypeVar("Row")
Key = Callable[[Any], Any]


class Listing(msgspec.Struct, Generic[Row], frozen=True):
    """What a page shows of a list.

    Attributes:
        rows: these rows.
        matched, total: how many the search found, of how many.
        page, pages: counted from 1.
        sort: the column that they are sorted by.
        search: what was searched for.
        path: of the page, for `link`.
    """

    rows: Sequence[Row]
    matched: int
    total: int
    page: int
    pages: int
    sort: str
    search: str
    path: str

    def link(self, **changes: Any) -> str:
        """The address of the same list, otherwise sorted or at another page."""
        wanted = {"q": self.search, "sort": self.sort, **changes}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"{self.path}?{query}" if query else self.path


def listing(
    rows: Sequence[Row],
    query: Mapping[str, str],
    path: str,
    text: Callable[[Row], str],
    keys: Mapping[str, Key],
) -> Listing[Row]:
    """Narrow, sort and cut a list.

    Args:
        query: of the address: ``q`` searches, ``sort`` names a column, ``page`` counts.
        text: what of a row is searched in.
        keys: what each column is sorted by; the first is the default. A sort that is unknown is
            the default one.
    """
    search = query.get("q", "").strip()[:100]
    words = search.casefold().split()
    found = [row for row in rows if all(one in text(row).casefold() for one in words)]
    sort = query.get("sort", "")
    if sort not in keys:
        sort = next(iter(keys))
    found.sort(key=keys[sort])
    pages = max(1, -(-len(found) // ROWS))
    asked = query.get("page", "1")
    page = min(max(1, int(asked)), pages) if asked.isascii() and asked.isdigit() else 1
    shown = found[(page - 1) * ROWS : page * ROWS]
    return Listing(shown, len(found), len(rows), page, pages, sort, search, path)


def most(value: float | None) -> float:
    """To sort by the largest first; what is not there comes last."""
    return math.inf if value is None else -value
