"""The schema of the database: whose it is, which version it has, and the steps to the newest."""

from collections.abc import Sequence

from gateway.errors import StoreError
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.connecting import Connected, Target, show

WAITING, LEASED, SENT = 0, 1, 2
"""``message.state``. The partial indexes of the tables name these numbers."""

_LOCK = 0x534D5347
"""``SMSG``: held while the schema is looked at, so that two processes do not make it at once."""


def migrate(connection: Connected, target: Target, steps: Sequence[bytes] | None = None) -> None:
    """Bring the database to the newest schema, each step in one transaction. Raises StoreError
    where it is another program's or a newer gateway's, and changes nothing then."""
    steps = statements.steps() if steps is None else steps
    while True:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            version = _version(connection, target)
            if version > len(steps):
                raise StoreError(
                    f"{target.where}: has schema version {version}, this gateway knows up to"
                    f" {len(steps)}; run the newer gateway, or restore a backup made before it ran"
                )
            if version == len(steps):
                return
            connection.execute(steps[version], prepare=False)
            connection.execute("UPDATE gateway SET version = %s", (version + 1,))


def _version(connection: Connected, target: Target) -> int:
    """The version of the schema, 0 for none."""
    if show(connection, "SELECT to_regclass('gateway') IS NOT NULL"):
        mine = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'gateway'::regclass"
        mine += " AND attname IN ('version', 'epoch', 'mark')"
        if show(connection, mine) == 3:
            return int(show(connection, "SELECT version FROM gateway"))
    elif not show(
        connection,
        "SELECT EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = current_schema()::regnamespace)",
    ):
        return 0
    raise StoreError(
        f"{target.where}: has another program's tables; give the gateway a database of its own"
    )


def mark(connection: Connected) -> str:
    """Names this very storage: another one where it was restored from a copy, or is a standby that
    was promoted, of which nobody knows whether it has everything."""
    found = show(
        connection,
        "SELECT concat_ws('.', oid, 'node'::regclass::oid,"
        " left(pg_walfile_name(pg_current_wal_lsn()), 8))"
        " FROM pg_database WHERE datname = current_database()",
    )
    return str(found)
