"""What tenants have spent, in the database: the sum of each account, and what messages have paid
that a carrier has taken (`gateway.queue.accounts`)."""

from collections.abc import Collection
from typing import Final

from gateway.queue.accounts import Charged, Paid, Settling, Sums
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import int4s, int8s, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, every

SQL: Final = statements.load("accounts")


def overdrawn(session: Session, asked: Charged) -> bool:
    """Whether some account would exceed its limit."""
    rows = session.execute(SQL["spent"], {"tenant": session.tenant(asked.tenant)})
    return asked.exceeds(dict(rows.fetchall()))


def add(session: Session, sums: Sums) -> None:
    """Add to accounts."""
    if sums:
        # In one order, so that nobody waits crosswise.
        ordered = sorted(sums.items())
        values = {
            "tenants": int4s([session.tenant(tenant) for (tenant, _), _ in ordered]),
            "names": texts(name for (_, name), _ in ordered),
            "amounts": int8s([more for _, more in ordered]),
        }
        session.execute(SQL["add"], values)


def settle(session: Session, rows: Settling, gone: Collection[int]) -> None:
    """Charge what messages cost, and give back what did not go, but for messages whose outcome is
    over already: those that are ``gone``, and others that are found to be."""
    over = {*gone}
    if rows.taken:
        over.update(every(session.execute(SQL["over"], {"ids": int8s([*rows.taken])}).fetchall()))
    adjusted = rows.adjusted(_paid(session, rows.asked), over)
    add(session, adjusted.sums)
    if adjusted.pays:
        values = {
            "ids": int8s([number for number, _ in adjusted.pays]),
            "names": texts(name for _, name in adjusted.pays),
            "tenants": int4s([session.tenant(cost.tenant) for cost in adjusted.pays.values()]),
            "amounts": int8s([cost.amount for cost in adjusted.pays.values()]),
        }
        session.execute(SQL["pay"], values)
    if rows.done:
        session.execute(SQL["done"], {"ids": int8s([*rows.done])})


def _paid(session: Session, messages: Collection[int]) -> Paid:
    if not messages:
        return {}
    rows = session.execute(SQL["paid"], {"ids": int8s([*messages])}).fetchall()
    return {(message, name): amount for message, name, amount in rows}


def find(connection: Connected, tenant: str) -> dict[str, int]:
    """What the accounts of a tenant have come to."""
    found = connection.cursor(binary=True).execute(SQL["spent_by"], {"tenant": tenant})
    return dict(found.fetchall())
