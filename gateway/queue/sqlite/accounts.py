"""What tenants have spent: the sum of each account, and what each message without an outcome has
added to it, so that what did not go is given back exactly, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.message import Charge
from gateway.queue.accounts import Settling
from gateway.queue.sqlite.bulk import Execute, Rows
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Entry

_CHARGE: Final = Rows.inserted("OR ROLLBACK INTO charge", 4)
_ADJUST: Final = Rows(
    "WITH new (message, name, amount) AS (",
    3,
    """) UPDATE OR ROLLBACK account SET amount = account.amount + d.more FROM (
    SELECT charge.tenant, charge.name, sum(new.amount - charge.amount) AS more FROM new
    JOIN charge ON charge.message = new.message AND charge.name = new.name
    GROUP BY charge.tenant, charge.name) AS d
    WHERE account.tenant = d.tenant AND account.name = d.name""",
)
_ADJUSTED: Final = Rows(
    "WITH new (message, name, amount) AS (",
    3,
    """) UPDATE OR ROLLBACK charge SET amount = new.amount FROM new
    WHERE charge.message = new.message AND charge.name = new.name""",
)
_BACK: Final = Rows(
    "WITH new (message) AS (",
    1,
    """) UPDATE OR ROLLBACK account SET amount = account.amount - d.less FROM (
    SELECT charge.tenant, charge.name, sum(charge.amount) AS less FROM new
    JOIN charge ON charge.message = new.message GROUP BY charge.tenant, charge.name) AS d
    WHERE account.tenant = d.tenant AND account.name = d.name""",
)
_DONE: Final = Rows(
    "WITH new (message) AS (",
    1,
    ") DELETE FROM charge WHERE message IN (SELECT message FROM new WHERE message NOT NULL)",
)


class Charged(msgspec.Struct):
    """What messages of one tenant are about to be charged with, by their entry, and the limits."""

    tenant: int
    charges: dict[int, tuple[int, tuple[Charge, ...]]]
    limits: Mapping[str, int]


def charged(
    session: Session, entries: Sequence[Entry], limits: Mapping[str, int]
) -> Charged | None:
    """What entries are charged with; None where that is nothing."""
    charges = {
        index: (entry.message.id, entry.message.charges)
        for index, entry in enumerate(entries)
        if entry.message.charges
    }
    if not charges:
        return None
    return Charged(session.tenants.number(entries[0].message.tenant), charges, limits)


def overdrawn(execute: Execute, asked: Charged) -> bool:
    """Whether some account would exceed its limit."""
    spent = find(execute, asked.tenant)
    for name, more in _sums(asked.charges.values()).items():
        limit = asked.limits.get(name)
        if limit is not None and spent.get(name, 0) + more > limit:
            return True
    return False


def charge(execute: Execute, asked: Charged, without: Iterable[int]) -> None:
    """Charge messages, but for those of some entries."""
    for index in without:
        asked.charges.pop(index, None)
    for name, more in _sums(asked.charges.values()).items():
        execute(
            """INSERT INTO account VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET amount = amount + excluded.amount""",
            (asked.tenant, name, more),
        )
    rows: list[Any] = []
    for message, charges in asked.charges.values():
        for one in charges:
            rows += (message, one.account, asked.tenant, one.amount)
    _CHARGE.run(execute, rows)


def _sums(charges: Iterable[tuple[int, tuple[Charge, ...]]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for _, some in charges:
        for one in some:
            sums[one.account] = sums.get(one.account, 0) + one.amount
    return sums


def settle(execute: Execute, rows: Settling) -> None:
    """Charge what messages cost; what was given back or is done with is charged no more."""
    costs = [value for (number, name), cost in rows.costs.items() for value in (number, name, cost)]
    _ADJUST.run(execute, costs)
    _ADJUSTED.run(execute, costs)
    _BACK.run(execute, rows.back)
    _DONE.run(execute, list(rows.done))


def find(execute: Execute, tenant: int) -> dict[str, int]:
    """What the accounts of a tenant have come to."""
    rows = execute("SELECT name, amount FROM account WHERE tenant = ?", (tenant,))
    return {name: int(amount) for name, amount in rows}


def some(execute: Execute) -> bool:
    """Whether any message without an outcome was charged."""
    return bool(list(execute("SELECT 1 FROM charge LIMIT 1")))
