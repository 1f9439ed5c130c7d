"""The cursors of consumers."""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import octets, texts
from gateway.queue.postgresql.session import Session, Work

SQL: Final = statements.load("settling")


def acknowledge(tenant: str, consumer: str, seq: int, most: int, now: float) -> Work[int | None]:
    """Moves a cursor forward, unless there is no such event; gives where it stands, or None where
    it is one too many."""

    def work(session: Session) -> Callable[[], int | None]:
        asked = {"tenant": session.tenant(tenant), "consumer": consumer.encode()}
        [row] = session.execute(SQL["acknowledged"], asked).fetchall()
        last, count, known = row
        moved = seq if seq <= last else 0
        if not known and seq > last:
            return lambda: 0
        if not known and count >= most:
            return lambda: None
        cursor = session.execute(SQL["acknowledge"], asked | {"seq": moved, "now": now})

        def finish() -> int:
            [row] = cursor.fetchall()
            return int(row[0])

        return finish

    return work


def seen(consumers: Sequence[tuple[str, str]], now: float) -> Work[None]:
    """Notes that consumers are there."""
    values = {
        "tenants": texts(tenant for tenant, _ in consumers),
        "consumers": octets([name.encode() for _, name in consumers]),
        "now": now,
    }

    def work(session: Session) -> Callable[[], None]:
        session.execute(SQL["seen"], values)
        return lambda: None

    return work


def forget(tenant: str, consumer: str) -> Work[bool]:
    """Forgets a consumer."""

    def work(session: Session) -> Callable[[], bool]:
        values = {"tenant": tenant, "consumer": consumer.encode()}
        cursor = session.execute(SQL["forget_consumer"], values)
        return lambda: cursor.rowcount > 0

    return work
