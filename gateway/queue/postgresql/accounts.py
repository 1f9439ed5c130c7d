"""What tenants have spent: the sum of each account, and what each message without an outcome has
added to it, so that what did not go is given back exactly, once."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.queue.accounts import Settling
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import int8s, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session
from gateway.queue.store import Entry

SQL: Final = statements.load("accounts")


def overdrawn(session: Session, entries: Sequence[Entry], limits: Mapping[str, int]) -> bool:
    """Whether some account of the entries' tenant would exceed its limit."""
    tenant = session.tenant(entries[0].message.tenant)
    spent = dict(session.execute(SQL["spent"], {"tenant": tenant}).fetchall())
    return any(
        name in limits and spent.get(name, 0) + more > limits[name]
        for name, more in _sums(entries).items()
    )


def charge(session: Session, entries: Sequence[Entry]) -> None:
    """Charge messages, all of one tenant."""
    rows = [
        (entry.message.id, one.account, one.amount)
        for entry in entries
        for one in entry.message.charges
    ]
    if not rows:
        return
    tenant = session.tenant(entries[0].message.tenant)
    sums = _sums(entries)
    added = {"names": texts(sums), "amounts": int8s([*sums.values()])}
    session.execute(SQL["add"], added | {"tenant": tenant})
    ids, names, amounts = zip(*rows, strict=True)
    values = {"ids": int8s(ids), "names": texts(names), "amounts": int8s(amounts)}
    session.execute(SQL["charge"], values | {"tenant": tenant})


def _sums(entries: Sequence[Entry]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for entry in entries:
        for one in entry.message.charges:
            sums[one.account] = sums.get(one.account, 0) + one.amount
    return sums


def settle(session: Session, rows: Settling) -> None:
    """Charge what messages cost; what was given back or is done with is charged no more."""
    if rows.costs:
        values = {
            "ids": int8s([number for number, _ in rows.costs]),
            "names": texts(name for _, name in rows.costs),
            "amounts": int8s([*rows.costs.values()]),
        }
        session.execute(SQL["adjust"], values)
    if rows.back:
        session.execute(SQL["give_back"], {"ids": int8s(rows.back)})
    if rows.done:
        session.execute(SQL["done"], {"ids": int8s([*rows.done])})


def find(connection: Connected, tenant: str) -> dict[str, int]:
    """What the accounts of a tenant have come to."""
    found = connection.cursor(binary=True).execute(SQL["spent_by"], {"tenant": tenant})
    return dict(found.fetchall())
