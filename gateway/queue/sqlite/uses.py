"""Which messages count against frequency caps: a row for each, by the phone, until it is known not
to go, or was sent so long ago that no cap looks there. See `gateway.facts.Use`.

What was accepted of late has no row yet: `gateway.queue.sqlite.reserved` knows it. A phone never
has more rows than its caps allow messages, so the table is as large as the phones are many that
were texted in the longest time that a cap looks at, and an hour. Which phones have any is known in
memory, but for some in a thousand (`Phones`).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway.facts import Use
from gateway.queue import marks
from gateway.queue.filter import BYTES, SMALLEST, BitFilter
from gateway.queue.sqlite.bulk import Execute, Rows, phones, texts
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Seen

PASS: Final = 3_600.0
"""Seconds between passes over the table: how much longer than needed a row may be kept."""

BLOCK: Final = 4_096
"""Rows looked at at a time: a few milliseconds."""

_SENT: Final = Rows(
    "WITH moment (at) AS (SELECT ?), new (tenant, number, message) AS (",
    3,
    """) UPDATE OR ROLLBACK use SET sent = 1, at = moment.at FROM new, moment
    WHERE use.tenant = new.tenant AND use.number = new.number AND use.message = new.message
    AND use.sent = 0""",
)
_BACK: Final = Rows(
    "WITH new (tenant, number, message) AS (",
    3,
    """) DELETE FROM use WHERE (tenant, number, message) IN (SELECT * FROM new
    WHERE tenant NOT NULL) AND sent = 0""",
)
_decode = msgspec.json.Decoder(list[tuple[str, int, float, int, str]]).decode
_decode_pairs = msgspec.json.Decoder(list[tuple[str, int]]).decode

UseKey = tuple[int, str, int]
"""The number of a tenant, a phone and a message."""

FIRST: Final[UseKey] = (0, "", 0)
LAST: Final[UseKey] = ((1 << 63) - 1, "", 0)


class Phones:
    """Which phones may have rows, whichever tenant's: nobody else is looked for. Never smaller than
    the table, and at most four times as large as one for its rows."""

    def __init__(self) -> None:
        self._filter = BitFilter()
        self._meanwhile: list[str] | None = None

    def include(self, phones: Sequence[str]) -> None:
        """Rows are about to be written for phones."""
        self._filter.include(phones)
        if self._meanwhile is not None:
            self._meanwhile += phones

    def maybe(self, phones: Collection[str]) -> set[str]:
        """Those of phones that may have rows."""
        return set() if self._filter.empty else self._filter.maybe([*phones])

    def is_wide(self, rows: int) -> bool:
        """Whether it is much larger than so many rows need."""
        return self._filter.size > 8 * max(SMALLEST // 2, rows * BYTES)

    def begin(self) -> None:
        """Note what is included from here on, beside what the table has."""
        self._meanwhile = []

    def renew(self, stored: BitFilter) -> None:
        """Take what the table had after `begin`."""
        stored.include(self._meanwhile or ())
        self._filter, self._meanwhile = stored, None


def load_phones(execute: Execute) -> BitFilter:
    """The filter of the phones of all rows: some 0.5 µs for each."""
    texted = BitFilter(count(execute))
    for block in phones(
        execute,
        [tenant for [tenant] in execute("SELECT id FROM tenant")],
        "SELECT DISTINCT number FROM use WHERE tenant = ? AND number > ? ORDER BY number",
    ):
        texted.include(block)
    return texted


def count(execute: Execute) -> int:
    """How many messages have rows."""
    [[rows]] = execute("SELECT count(*) FROM use")
    return int(rows)


class Spent(msgspec.Struct, frozen=True):
    """The keys of rows, one after the other, of what counts as sent now, and of what counts no
    more."""

    sent: list[Any]
    back: list[Any]


def settle(execute: Execute, rows: Spent, now: float) -> None:
    """Let messages count as sent, or no more. What was sent before goes on counting from then."""
    _SENT.run(execute, rows.sent, (now,))
    _BACK.run(execute, rows.back)


def overtaken(execute: Execute, tenant: int, phones: Collection[str], seen: Seen) -> bool:
    """Whether more messages to phones have rows than were seen."""
    [[found]] = execute(
        """SELECT json_group_array(json_array(number, message)) FROM use WHERE tenant = ?
        AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (tenant, texts(phones)),
    )
    nobody = frozenset[int]()
    return any(number not in seen.get(phone, nobody) for phone, number in _decode_pairs(found))


def find(execute: Execute, tenant: int, phones: Iterable[str]) -> dict[str, list[Use]]:
    """What rows tell of phones, for a tenant; those without any are left out."""
    [[found]] = execute(
        """SELECT json_group_array(json_array(number, message, at, sent, hex(marks))) FROM use
        WHERE tenant = ? AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (tenant, texts(phones)),
    )
    uses: dict[str, list[Use]] = {}
    for phone, message, at, sent, stored in _decode(found):
        some = marks.uses(bytes.fromhex(stored), at, message, bool(sent))
        uses.setdefault(phone, []).extend(some)
    return uses


def some(execute: Execute) -> bool:
    """Whether anything counts at all."""
    return bool(list(execute("SELECT 1 FROM use LIMIT 1")))


def forget_block(session: Session, start: UseKey, now: float) -> tuple[int, UseKey | None]:
    """Forget those among some rows that follow ``start`` at which no cap looks any more.

    Returns:
        how many went, and where to go on, None at the end of the table.
    """
    execute = session.execute
    place = "(tenant, number, message)"
    stop = LAST
    for row in list(
        execute(
            f"""SELECT tenant, number, message FROM use WHERE {place} > (?, ?, ?)
            ORDER BY tenant, number, message LIMIT 1 OFFSET ?""",  # noqa: S608
            (*start, BLOCK - 1),
        )
    ):
        stop = row
    execute(
        f"""DELETE FROM use WHERE {place} > (?, ?, ?) AND {place} <= (?, ?, ?)
        AND sent = 1 AND at + keep < ?""",  # noqa: S608  texts of this module
        (*start, *stop, now),
    )
    return session.connection.changes(), None if stop == LAST else stop
