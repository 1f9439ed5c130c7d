"""How the database fares: what keeps dead rows from being cleared away, and who follows it.

A role sees of others' transactions and of standbys what it is allowed to: without ``pg_monitor``,
only that there are some.
"""

from typing import Final

from gateway.queue.operators import Vitals
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.connecting import Connected, show

SQL: Final = statements.load("vitals")


def look(connection: Connected) -> Vitals:
    """See how it fares."""
    tables = connection.execute(SQL["tables"]).fetchall()
    standbys = connection.execute(SQL["standbys"]).fetchall()
    return Vitals(
        sizes={name: size for name, size, _ in tables},
        dead={name: dead for name, _, dead in tables},
        oldest_transaction=float(show(connection, SQL["oldest_transaction"].decode())),
        standbys=len(standbys),
        lags={name: lag for name, lag in standbys if name and lag is not None},
    )
