"""The counts of `gateway.queue.tallies` in their table: a row for each hour, campaign, variant,
carrier and code, of small numbers.

They are gathered over all calls of a transaction and added to the table by one statement. The name
of a campaign and its variant is stored once; its row knows the hours in which it was used, so that
it is forgotten with the last of its counts, and found without looking through others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.queue.sqlite.bulk import Execute, Rows, first
from gateway.queue.tallies import NAMES, SPAN, Stat, Stats

Place = tuple[int, int, str, str, int, str]
"""Numbers of a tenant and an hour; campaign and variant; number of a carrier; code."""

UNNAMED: Final = 0
"""``stat.name`` of what is of no campaign and no variant; ``stat.carrier`` of no carrier."""

_ADD: Final = Rows(
    "INSERT OR ROLLBACK INTO stat SELECT * FROM (",
    6,
    ") WHERE column1 NOT NULL ON CONFLICT DO UPDATE SET count = count + excluded.count",
)
_NAME: Final = """INSERT INTO stat_name (tenant, campaign, variant, first, last)
    VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (tenant, campaign, variant)
    DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)
    RETURNING id"""

_ROWS: Final = """json_group_array(json_array(hour, campaign, variant, carrier, code, count)) FROM (
    SELECT hour, coalesce(campaign, '') AS campaign, coalesce(variant, '') AS variant,
        coalesce(carrier.name, '') AS carrier, code, count FROM """
_ALL: Final = f"""SELECT {_ROWS} stat LEFT JOIN stat_name ON stat_name.id = stat.name
    LEFT JOIN carrier ON carrier.id = stat.carrier
    WHERE stat.tenant = ? AND hour >= ? AND hour < ?
    ORDER BY hour, stat.name, stat.carrier, code LIMIT ?)"""
_OF_CAMPAIGN: Final = f"""
    WITH RECURSIVE hours (at) AS
        (SELECT ?2 UNION ALL SELECT at + 1 FROM hours WHERE at + 1 < ?3)
    SELECT {_ROWS} hours CROSS JOIN stat_name CROSS JOIN stat
    LEFT JOIN carrier ON carrier.id = stat.carrier
    WHERE stat_name.tenant = ?1 AND campaign = ?5
    AND stat.tenant = ?1 AND hour = at AND stat.name = stat_name.id
    ORDER BY hour, stat.name, stat.carrier, code LIMIT ?4)"""  # noqa: S608  texts of this module
_decode = msgspec.json.Decoder(list[tuple[int, str, str, str, str, int]]).decode


class StatTable:
    """What the writer is about to add, and the numbers of names that it has used in this hour."""

    def __init__(self) -> None:
        self._counts: dict[Place, int] = {}
        self._names: dict[tuple[int, str, str], int] = {}
        self._used: Counter[int] = Counter()
        self._hour = 0

    def add(self, counts: Mapping[Place, int], sign: int = 1) -> None:
        """Count in the transaction that is under way."""
        mine = self._counts
        for place, count in counts.items():
            mine[place] = mine.get(place, 0) + sign * count

    def write(self, execute: Execute) -> None:
        """Write what was added; the last thing in a transaction."""
        counts, self._counts = self._counts, {}
        rows: list[Any] = []
        for (tenant, hour, campaign, variant, carrier, code), count in counts.items():
            if count:
                name = self._name(execute, tenant, hour, campaign, variant)
                rows += (tenant, hour, name, carrier, code, count)
        _ADD.run(execute, rows)

    def forget(self) -> None:
        """The transaction was undone."""
        self._counts = {}
        self._names.clear()
        self._used.clear()

    def _name(self, execute: Execute, tenant: int, hour: int, campaign: str, variant: str) -> int:
        if hour != self._hour:
            self._hour = hour
            self._names.clear()
            self._used.clear()
        if not campaign and not variant:
            return UNNAMED
        key = (tenant, campaign, variant)
        number = self._names.get(key)
        if number is None:
            if self._used[tenant] >= NAMES:
                return UNNAMED
            number = self._names[key] = name(execute, tenant, hour, campaign, variant)
            self._used[tenant] += 1
        return number


def name(execute: Execute, tenant: int, hour: int, campaign: str, variant: str) -> int:
    """The number of the name of a campaign and its variant, which was used in an hour."""
    if not campaign and not variant:
        return UNNAMED
    [[number]] = execute(_NAME, (tenant, campaign, variant, hour))
    return int(number)


def find(
    execute: Execute, tenant: int, campaign: str | None, start: int, stop: int, limit: int
) -> Stats:
    """Counts of hours from ``start`` until before ``stop``; see `gateway.queue.store.Store.stats`.
    All rows come as one text, as in `bulk`."""
    if campaign is None:
        earliest = "SELECT hour FROM stat WHERE tenant = ? AND hour >= ? ORDER BY hour LIMIT 1"
        start = first(execute, earliest, (tenant, start), stop)
    else:
        among = "FROM stat_name WHERE tenant = ? AND campaign = ?"
        [[begun, ended]] = execute(f"SELECT min(first), max(last) {among}", (tenant, campaign))
        if begun is None:
            return Stats([], None)
        start, stop = max(start, begun), min(stop, ended + 1)
    until = min(stop, start + SPAN)
    if start >= stop:
        return Stats([], None)
    rows = _rows(execute, tenant, campaign, start, until, limit + 1)
    if len(rows) <= limit:
        return Stats(rows, until if until < stop else None)
    cut = rows[limit].hour
    if rows[0].hour == cut:  # that has more
        rows = _rows(execute, tenant, campaign, cut, cut + 1, -1)
        return Stats(rows, cut + 1 if cut + 1 < stop else None)
    return Stats([row for row in rows if row.hour < cut], cut)


def _rows(
    execute: Execute, tenant: int, campaign: str | None, start: int, stop: int, limit: int
) -> list[Stat]:
    query, named = (_ALL, ()) if campaign is None else (_OF_CAMPAIGN, (campaign,))
    [[found]] = execute(query, (tenant, start, stop, limit, *named))
    return [
        Stat(hour, campaign or None, variant or None, carrier, code, count)
        for hour, campaign, variant, carrier, code, count in _decode(found)
    ]


def old(execute: Execute, before: int) -> list[tuple[int, int]]:
    """The tenants that have counts from before an hour, each with the first hour that it has."""
    query = "SELECT hour FROM stat WHERE tenant = ? ORDER BY hour LIMIT 1"
    tenants = [number for [number] in list(execute("SELECT id FROM tenant"))]
    oldest = [(number, first(execute, query, (number,), before)) for number in tenants]
    return [(number, hour) for number, hour in oldest if hour < before]


def forget(execute: Execute, hours: Sequence[tuple[int, int]]) -> None:
    """Forget the counts of tenants of one hour each."""
    for tenant, hour in hours:
        execute("DELETE FROM stat WHERE tenant = ? AND hour <= ?", (tenant, hour))


def forget_names(execute: Execute, before: int) -> None:
    """Forget the names that have no counts left."""
    execute("DELETE FROM stat_name WHERE last < ?", (before,))
