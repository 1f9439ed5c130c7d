"""The records of consents: a row for each, by phone, in the order in which they came in."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from gateway.numbers import canonical
from gateway.queue import consents
from gateway.queue.consents import RECORDS, Consent
from gateway.queue.filter import BitFilter
from gateway.queue.sqlite.bulk import Execute, Rows, texts
from gateway.queue.sqlite.session import Session

BLOCK: Final = 100_000
"""Rows of a read, when the store is opened."""

_ADD: Final = Rows.inserted("OR ROLLBACK INTO consent", 9)
_DROP: Final = Rows(
    "WITH old (tenant, number, n) AS (",
    3,
    """) DELETE FROM consent WHERE (tenant, number) IN (SELECT tenant, number FROM old
    WHERE tenant NOT NULL) AND n <= (SELECT n FROM old WHERE old.tenant = consent.tenant
    AND old.number = consent.number)""",
)


def rows(session: Session, changes: Sequence[Consent]) -> list[tuple[int, Consent]]:
    """Records with the number of their tenant, under the number that stands for their phone."""
    number_of = session.tenants.number
    return [
        (number_of(change.tenant), change._replace(number=canonical(change.number)))
        for change in changes
    ]


def add(execute: Execute, changes: Sequence[tuple[int, Consent]]) -> list[bool]:
    """Add records that say something new, in order; says which did."""
    known: dict[tuple[int, str], list[Consent]] = {}
    last: dict[tuple[int, str], int] = {}
    for tenant in {tenant for tenant, _ in changes}:
        asked = {change.number for of, change in changes if of == tenant}
        for number, n, *record in _select(execute, tenant, asked):
            known.setdefault((tenant, number), []).append(Consent("", number, *record))
            last[tenant, number] = n
    added: list[Any] = []
    dropped: dict[tuple[int, str], int] = {}
    new = []
    for tenant, change in changes:
        key = tenant, change.number
        records = known.setdefault(key, [])
        new.append(consents.is_new(records, change))
        if not new[-1]:
            continue
        records.append(change)
        n = last[key] = last.get(key, 0) + 1
        added += (tenant, change.number, n, *change[2:])
        if len(records) > RECORDS:
            dropped[key] = n - RECORDS
    _ADD.run(execute, added)
    _DROP.run(execute, [*chain.from_iterable((*key, n) for key, n in dropped.items())])
    return new


def find(
    execute: Execute, tenant: int, name: str, asked: Iterable[str]
) -> dict[str, list[Consent]]:
    """The records of phones with a tenant, in the order in which they came in."""
    found: dict[str, list[Consent]] = {}
    for number, _, *record in _select(execute, tenant, asked):
        found.setdefault(number, []).append(Consent(name, number, *record))
    return found


def page(execute: Execute, tenant: int, name: str, after: str, limit: int) -> list[Consent]:
    """All records of the next phones of a tenant."""
    found = execute(
        """SELECT number, purpose, state, at, source, wording, said_by FROM consent
        WHERE tenant = ?1 AND number IN (SELECT DISTINCT number FROM consent
        WHERE tenant = ?1 AND number > ?2 ORDER BY number LIMIT ?3) ORDER BY number, n""",
        (tenant, after, limit),
    )
    return [Consent(name, *row) for row in found]


def load_withdrawals(execute: Execute) -> BitFilter:
    """The filter of all phones that forbade something, or did once."""
    [[count]] = execute("SELECT count(*) FROM consent WHERE state = 'withdrawn'")
    phones = BitFilter(count)
    for start in range(0, count, BLOCK):
        rows = execute(
            "SELECT number FROM consent WHERE state = 'withdrawn' LIMIT ? OFFSET ?", (BLOCK, start)
        )
        phones.include([number for [number] in rows])
    return phones


def some(execute: Execute) -> bool:
    """Whether there are any."""
    return bool(list(execute("SELECT 1 FROM consent LIMIT 1")))


def _select(execute: Execute, tenant: int, asked: Iterable[str]) -> list[tuple[Any, ...]]:
    return list(
        execute(
            """SELECT number, n, purpose, state, at, source, wording, said_by FROM consent
            WHERE tenant = ? AND number IN (SELECT CAST(value AS TEXT) FROM carray(?))
            ORDER BY number, n""",
            (tenant, texts(asked)),
        )
    )
