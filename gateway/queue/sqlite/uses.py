"""Which messages count against frequency caps: a row for each thing that a message counts as, by
the phone, from its acceptance until it does not go, or until it was sent so long ago that no cap
looks there. See `gateway.facts.Use`.

A phone never has more rows than its caps allow messages, so the table is as large as the phones are
many that were texted in the longest time that a cap looks at, and an hour.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway.facts import Use
from gateway.numbers import canonical
from gateway.queue.sqlite.bulk import Execute, Rows, texts
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Entry, Seen, Settlement, went

PASS: Final = 3_600.0
"""Seconds between passes over the table: how much longer than needed a row may be kept."""

BLOCK: Final = 4_096
"""Rows looked at at a time: a few milliseconds."""

_RESERVE: Final = Rows.inserted("OR ROLLBACK INTO use", 7)
_SENT: Final = Rows(
    "WITH new (tenant, number, message, at) AS (",
    4,
    """) UPDATE OR ROLLBACK use SET sent = 1, at = new.at FROM new WHERE use.tenant = new.tenant
    AND use.number = new.number AND use.message = new.message AND use.sent = 0""",
)
_BACK: Final = Rows(
    "WITH new (tenant, number, message) AS (",
    3,
    """) DELETE FROM use WHERE (tenant, number, message) IN (SELECT * FROM new
    WHERE tenant NOT NULL) AND sent = 0""",
)
_decode = msgspec.json.Decoder(list[tuple[str, int, float, int, int]]).decode
_decode_pairs = msgspec.json.Decoder(list[tuple[str, int]]).decode

UseKey = tuple[int, str, int, int]
"""The number of a tenant, a phone, a message and a mark."""

FIRST: Final[UseKey] = (0, "", 0, 0)
LAST: Final[UseKey] = ((1 << 63) - 1, "", 0, 0)


class Reserved(msgspec.Struct):
    """What messages of one tenant are about to count as, and what was seen of their phones."""

    tenant: int
    phones: set[str]
    seen: Seen
    rows: dict[int, list[Any]]


def reserved(session: Session, entries: Sequence[Entry], seen: Seen) -> Reserved | None:
    """The rows of messages that count, by the index of their entry; None where none does."""
    rows: dict[int, list[Any]] = {}
    phones: set[str] = set()
    tenant = session.tenants.number(entries[0].message.tenant)
    for index, entry in enumerate(entries):
        m = entry.message
        if m.counted:
            phone = canonical(m.to)
            phones.add(phone)
            flat = rows[index] = []
            for mark, keep in m.counted:
                flat += (tenant, phone, m.id, mark, m.due, keep, 0)
    return Reserved(tenant, phones, seen, rows) if rows else None


def overtaken(execute: Execute, asked: Reserved) -> bool:
    """Whether more counts of a phone than was seen."""
    [[found]] = execute(
        """SELECT json_group_array(json_array(number, message)) FROM use WHERE tenant = ?
        AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (asked.tenant, texts(asked.phones)),
    )
    seen, nobody = asked.seen, frozenset[int]()
    return any(number not in seen.get(phone, nobody) for phone, number in _decode_pairs(found))


def reserve(execute: Execute, asked: Reserved, without: Iterable[int]) -> None:
    """Let messages count, but for those of some entries."""
    rows = asked.rows
    for index in without:
        rows.pop(index, None)
    _RESERVE.run(execute, [value for flat in rows.values() for value in flat])


class Spent(msgspec.Struct):
    """Rows of what counts as sent from a moment on, and of what counts no more."""

    sent: list[Any]
    back: list[Any]


def spent(session: Session, settlement: Settlement, now: float) -> Spent:
    """What becomes of messages that count. What was sent before goes on counting from then."""
    rows = Spent([], [])
    number_of = session.tenants.number
    for sent in settlement.sent:
        if (m := sent.message).counted:
            rows.sent += (number_of(m.tenant), canonical(m.to), m.id, now)
    for final in settlement.finals:
        if (m := final.message).counted:
            if went(final.event):
                rows.sent += (number_of(m.tenant), canonical(m.to), m.id, now)
            else:
                rows.back += (number_of(m.tenant), canonical(m.to), m.id)
    return rows


def settle(execute: Execute, rows: Spent) -> None:
    """Let messages count as sent, or no more."""
    _SENT.run(execute, rows.sent)
    _BACK.run(execute, rows.back)


def find(execute: Execute, tenant: int, phones: Iterable[str]) -> dict[str, list[Use]]:
    """What counts of phones, for a tenant; those without anything are left out."""
    [[found]] = execute(
        """SELECT json_group_array(json_array(number, mark, at, message, sent)) FROM use
        WHERE tenant = ? AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (tenant, texts(phones)),
    )
    uses: dict[str, list[Use]] = {}
    for phone, mark, at, message, sent in _decode(found):
        uses.setdefault(phone, []).append(Use(mark, at, message, bool(sent)))
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
    key = "(tenant, number, message, mark)"
    stop = LAST
    for row in list(
        execute(
            f"""SELECT tenant, number, message, mark FROM use WHERE {key} > (?, ?, ?, ?)
            ORDER BY tenant, number, message, mark LIMIT 1 OFFSET ?""",  # noqa: S608
            (*start, BLOCK - 1),
        )
    ):
        stop = row
    execute(
        f"""DELETE FROM use WHERE {key} > (?, ?, ?, ?) AND {key} <= (?, ?, ?, ?)
        AND sent = 1 AND at + keep < ?""",  # noqa: S608  texts of this module
        (*start, *stop, now),
    )
    return session.connection.changes(), None if stop == LAST else stop
