"""Imports: a row for each, and one for all that was staged of it in one call."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.queue.consents import Consent
from gateway.queue.postgresql import optouts, records, statements
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.store import Import, OptoutChange, Staged

SQL: Final = statements.load("imports")


def stage(staged: Staged, now: float) -> Work[None]:
    """Puts changes aside, unless they are there already or the import is marked."""

    def work(session: Session) -> Callable[[], None]:
        key = _key(session, staged.tenant, staged.name)
        session.execute(SQL["begin"], key | {"now": now})  # or wait for whoever stages
        part = {"part": staged.part, "size": staged.size, "body": staged.body}
        session.execute(SQL["stage"], key | part)
        return lambda: None

    return work


def apply(tenant: str, name: str, size: int, now: float) -> Work[None]:
    """Marks an import, if so many changes are staged."""

    def work(session: Session) -> Callable[[], None]:
        session.execute(SQL["mark"], _key(session, tenant, name) | {"size": size, "now": now})
        return lambda: None

    return work


def find(connection: Connected, tenant: str, name: str) -> tuple[Import | None, int]:
    """How an import stands, and the last notice that nodes had before."""
    cursor = connection.cursor(binary=True)
    found = cursor.execute(SQL["import"], {"tenant": tenant, "name": name.encode()}).fetchall()
    [[notices]] = cursor.execute(SQL["notices"]).fetchall()
    return (Import(*found[0]) if found else None), int(notices)


def next_staged(connection: Connected) -> Staged | None:
    """What is to be carried out next."""
    cursor = connection.cursor(binary=True)
    for tenant, number, name in cursor.execute(SQL["next_import"]).fetchall():
        key = {"tenant": number, "name": name}
        for part, size, body in cursor.execute(SQL["next_staged"], key).fetchall():
            return Staged(tenant, bytes(name).decode(), part, size, bytes(body))
    return None


def carry_out(
    staged: Staged, changes: Sequence[OptoutChange], consents: Sequence[Consent], now: float
) -> Work[list[bool] | None]:
    """Makes changes, unless what was staged of them is gone."""

    def work(session: Session) -> Callable[[], list[bool] | None]:
        key = _key(session, staged.tenant, staged.name)
        if not session.execute(SQL["take_staged"], key | {"part": staged.part}).fetchall():
            return lambda: None
        changed = optouts.change(session, changes, dated=True) + records.add(session, consents)
        values = {"size": staged.size, "changed": sum(changed), "now": now}
        session.execute(SQL["carried_out"], key | values)
        return lambda: changed

    return work


def forget(before: float) -> Work[int]:
    """Forgets one that nobody has applied, or that is done; gives how many."""

    def work(session: Session) -> Callable[[], int]:
        old = session.execute(SQL["forget_import"], {"before": before}).fetchall()
        for tenant, name in old:
            session.execute(SQL["forget_staged"], {"tenant": tenant, "name": name})
        return lambda: len(old)

    return work


def _key(session: Session, tenant: str, name: str) -> dict[str, Any]:
    return {"tenant": session.tenant(tenant), "name": name.encode()}
