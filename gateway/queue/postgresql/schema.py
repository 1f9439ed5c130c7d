"""The schema of the database: whose it is, which version it has, and the steps to the newest."""

import time
from collections.abc import Sequence
from typing import Final

from gateway.errors import StoreError
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.connecting import Connected, Target, show

WAITING, LEASED, SENT = 0, 1, 2
"""``message.state``. The partial indexes of the tables name these numbers."""

_LOCK = 0x534D5347
"""``SMSG``: held while the schema is looked at, so that two processes do not make it at once."""


BESIDE: Final = frozenset({11, 13, 14, 15, 16})
"""The schema versions to which a step leads that nodes of the version before may work beside: one
that adds what they need not know. Any other one waits until none of them works."""

SHARED: Final = 3
"""The schema version from which on several nodes may work."""

POLL: Final = 0.25
"""Seconds between looks whether they have ended."""


def migrate(
    connection: Connected,
    target: Target,
    steps: Sequence[bytes] | None = None,
    *,
    beside: frozenset[int] = BESIDE,
    patience: float = 0.0,
) -> None:
    """Bring the database to the newest schema, each step in one transaction.

    Args:
        steps: those of this version, unless others are given.
        beside: see `BESIDE`.
        patience: seconds in which other nodes may end, or their time, before a step that they
            cannot work beside.

    Raises:
        StoreError: it is another program's or a newer gateway's, or nodes of an older version work
            on it; nothing is changed then.
    """
    steps = statements.steps() if steps is None else steps
    until = time.monotonic() + patience
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
            others = [] if version < SHARED or version + 1 in beside else _working(connection)
            if not others:
                connection.execute("SET LOCAL statement_timeout = 0")  # it may read whole tables
                connection.execute(steps[version], prepare=False)
                connection.execute("UPDATE gateway SET version = %s", (version + 1,))
        if others:
            if time.monotonic() >= until:
                raise StoreError(
                    f"{target.where}: is in use by nodes of an older version"
                    f" ({', '.join(others)}), which cannot work with this one's schema; stop them"
                    " all, then start this version"
                )
            time.sleep(POLL)


def _working(connection: Connected) -> list[str]:
    """The names of the nodes that work."""
    rows = connection.execute(
        "SELECT name FROM node WHERE NOT clean AND until >= clock_timestamp() ORDER BY name"
    ).fetchall()
    return [name for [name] in rows]


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
