"""What tenants have spent, in the file: the sum of each account, and what messages have paid that a
carrier has taken (`gateway.queue.accounts`)."""

from collections.abc import Collection
from typing import Any, Final

from gateway.queue.accounts import Charged, Paid, Settling, Sums
from gateway.queue.sqlite.bulk import Execute, Rows, numbers

_PAYS: Final = Rows(
    "INSERT OR REPLACE INTO charge SELECT column1, column2, tenant.id, column4 FROM (",
    4,
    ") JOIN tenant ON tenant.name = column3",
)


def overdrawn(execute: Execute, asked: Charged) -> bool:
    """Whether some account would exceed its limit."""
    rows = execute(
        """SELECT account.name, amount FROM account JOIN tenant ON tenant.id = account.tenant
        WHERE tenant.name = ?""",
        (asked.tenant,),
    )
    return asked.exceeds(dict(rows))


def add(execute: Execute, sums: Sums) -> None:
    """Add to accounts."""
    for (tenant, name), more in sums.items():
        execute(
            """INSERT INTO account SELECT id, ?, ? FROM tenant WHERE name = ?
            ON CONFLICT DO UPDATE SET amount = amount + excluded.amount""",
            (name, more, tenant),
        )


def settle(execute: Execute, rows: Settling, gone: Collection[int]) -> None:
    """Charge what messages cost, and give back what did not go, but for messages whose outcome is
    over already: those that are ``gone``, and others that are found to be."""
    over = {*gone}
    if rows.taken:
        query = "SELECT id FROM finished WHERE id IN (SELECT value FROM carray(?))"
        over.update(number for [number] in execute(query, (numbers(rows.taken),)))
    adjusted = rows.adjusted(_paid(execute, rows.asked), over)
    add(execute, adjusted.sums)
    pays: list[Any] = []
    for (number, name), cost in adjusted.pays.items():
        pays += (number, name, cost.tenant, cost.amount)
    _PAYS.run(execute, pays)
    if rows.done:
        ids = numbers(rows.done)
        execute("DELETE FROM charge WHERE message IN (SELECT value FROM carray(?))", (ids,))


def _paid(execute: Execute, messages: Collection[int]) -> Paid:
    if not messages:
        return {}
    query = """SELECT message, name, amount FROM charge
        WHERE message IN (SELECT value FROM carray(?))"""
    rows = execute(query, (numbers(messages),))
    return {(message, name): amount for message, name, amount in rows}


def find(execute: Execute, tenant: int) -> dict[str, int]:
    """What the accounts of a tenant have come to."""
    rows = execute("SELECT name, amount FROM account WHERE tenant = ?", (tenant,))
    return {name: int(amount) for name, amount in rows}


def some(execute: Execute) -> bool:
    """Whether anything was ever charged."""
    return bool(list(execute("SELECT 1 FROM account LIMIT 1")))
