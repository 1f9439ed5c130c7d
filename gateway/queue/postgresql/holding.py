"""Whose the storage is: it is taken by a node, under a token and for a time that each of its
transactions renews.

A node that has ended in order, or whose time is over, has let go. A process that was killed has,
too, as far as one of the same name is concerned: there is one of each name, which shows by a lock
that belongs to its connection.
"""

import time
from typing import Final, NamedTuple

from gateway.errors import StoreError
from gateway.queue.postgresql.connecting import Connected, Target
from gateway.queue.store import NODES

LEASE: Final = 10.0
"""Seconds for which a hold lasts: how long another node waits where this one's machine is gone."""

RENEW: Final = 3.0
"""Seconds between transactions that do nothing but renew it."""

POLL: Final = 0.25
"""Seconds between looks whether somebody has let go."""

CUT: Final = 5.0
"""Seconds that the server may take to end a connection."""

_HOLD: Final = b"""SELECT node, clean OR until < clock_timestamp(), token, clean, operation
    FROM hold"""
"""Who has the storage, and whether that one has let go."""

_LOCK: Final = 0x534D
"""The first half of the lock of a name; the second is its hash."""


class Taken(NamedTuple):
    """What a node has got.

    Attributes:
        token: see `gateway.queue.store`.
        number: of the node, in the message ids that it gives.
        clean: the one before it ended in order.
        operation: the last transaction that was made.
    """

    token: int
    number: int
    clean: bool
    operation: int


def lock(connection: Connected, node: str) -> bool:
    """Lock the name of a node for as long as the connection lasts; False where another has it."""
    query = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
    [row] = connection.execute(query, (_LOCK, node)).fetchall()
    return bool(row[0])


def take(connection: Connected, target: Target, node: str, lease: float) -> Taken:
    """Take the storage, once whoever has it lets go. Raises StoreError where nobody does."""
    until = time.monotonic() + lease + 2.0
    while not lock(connection, node):
        if time.monotonic() >= until:
            raise StoreError(
                f"{target.where}: is in use by another process that calls itself node {node}; stop"
                " that one, or give each its own queue.node"
            )
        time.sleep(POLL)
    while True:
        [[holder, free, *_]] = connection.execute(_HOLD).fetchall()
        if free and holder != node:
            _cut(connection, holder)
        if free or holder == node:
            with connection.transaction():
                [row] = connection.execute(_HOLD + b" FOR UPDATE").fetchall()
                holder, free, token, clean, operation = row
                if free or holder == node:  # still
                    connection.execute(
                        "UPDATE hold SET token = %s, node = %s, clean = false,"
                        " until = clock_timestamp() + make_interval(secs => %s)",
                        (token + 1, node, lease),
                    )
                    number = _number(connection, node, token + 1)
                    return Taken(token + 1, number, clean, operation)
        if time.monotonic() >= until:
            raise StoreError(
                f"{target.where}: is in use by node {holder}; one node at a time can have it: stop"
                " that one, or give this one another database"
            )
        time.sleep(POLL)


def _cut(connection: Connected, node: str) -> None:
    """End the writing connection of a node whose time is over. One that sleeps in the middle of a
    transaction would keep its locks for as long as it sleeps."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, %s) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid = %s AND objid = hashtext(%s)::oid",
        (int(CUT * 1_000), _LOCK, node),
    )


def _number(connection: Connected, node: str, token: int) -> int:
    """The number of a node: its own, a free one, or that of the node that was there longest ago."""
    rows = connection.execute("SELECT name, number, token FROM node").fetchall()
    known = {name: number for name, number, _ in rows}
    if node not in known:
        free = set(range(NODES)).difference(known.values())
        if free:
            known[node] = min(free)
        else:
            gone, known[node], _ = min(rows, key=lambda row: row[2])
            connection.execute("DELETE FROM node WHERE name = %s", (gone,))
    connection.execute(
        "INSERT INTO node (number, name, token) VALUES (%s, %s, %s)"
        " ON CONFLICT (number) DO UPDATE SET token = excluded.token",
        (known[node], node, token),
    )
    return int(known[node])


def done(connection: Connected, token: int, operation: int) -> bool | None:
    """Whether a transaction was made; None where the storage is another's by now. Waits for one
    that the server has under way."""
    with connection.transaction(force_rollback=True):  # whose end waits for nobody
        query = "SELECT token, operation FROM hold FOR UPDATE"
        [[holds, last]] = connection.execute(query).fetchall()
    return None if holds != token else bool(last == operation)
