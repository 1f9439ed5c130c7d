"""A node's place in the storage: it takes a number, under a token and for a time that each of its
transactions renews.

A node that has ended in order, or whose time is over, has let go. A process that was killed has,
too, as far as one of the same name is concerned: there is one of each name, which shows by a lock
that belongs to its connection. There are as many numbers as nodes work at a time (``queue.nodes``);
one more is a spare, and waits for a number. What the number is good for: it is in the message ids
that the node gives, and says which part of the binds is its own.
"""

import time
from typing import Any, Final, NamedTuple

from psycopg import Rollback

from gateway.errors import StoreError
from gateway.queue.postgresql.connecting import PATIENCE, Connected, Target

LEASE: Final = 10.0
"""Seconds for which a node keeps what it has: how long others wait where its machine is gone."""

RENEW: Final = 3.0
"""Seconds between transactions that do nothing but renew that."""

FIRST: Final = 2.0
"""Seconds that the first transaction on a new connection may take."""

GRACE: Final = RENEW + 2 * PATIENCE + FIRST
"""Seconds after the database was away in which no node takes another for dead: none could say that
it lives. Each can by then, though it began to connect while the database was away still, waited
before it tried again, and then connected as slowly as may be."""

MARGIN: Final = 0.1
"""The part of a lease before whose end a node sends nothing any more: it was not renewed."""

POLL: Final = 0.25
"""Seconds between looks whether somebody has let go."""

CUT: Final = 5.0
"""Seconds that the server may take to end a connection."""

_NODES: Final = b"""SELECT number, name, clean OR until < clock_timestamp(), token, clean,
    operation, nodes, clean OR until = '-infinity' FROM node
    WHERE number < %s OR NOT (clean OR until < clock_timestamp()) ORDER BY number"""
"""The nodes, whether each has let go, how many there may be by what it knows, and whether it will
not come back: it has ended in order, or was fenced off."""

_LOCK: Final = 0x534D
"""The first half of the lock of a name; the second is its hash."""


class Taken(NamedTuple):
    """What a node has got.

    Attributes:
        token: see `gateway.queue.store`.
        number: of the node.
        clean: the one that had the number before has ended in order.
        operation: the last transaction that was made under it.
        heard: the last notice, all of which the node goes by from the start.
    """

    token: int
    number: int
    clean: bool
    operation: int
    heard: int


class _Node(NamedTuple):
    number: int
    name: str
    free: bool
    token: int
    clean: bool
    operation: int
    nodes: int
    over: bool


def grace(lease: float) -> float:
    """Seconds for which a node that has just come takes nobody for dead whose time was over when it
    came: the database may have been away until then. See `GRACE`."""
    return min(GRACE, 1.5 * lease)


def lock(connection: Connected, node: str) -> bool:
    """Lock the name of a node for as long as the connection lasts; False where another has it."""
    query = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
    [row] = connection.execute(query, (_LOCK, node)).fetchall()
    return bool(row[0])


def take(connection: Connected, target: Target, node: str, lease: float, nodes: int = 1) -> Taken:
    """Take a number, once one is free: of a node whose time was over when this one came, once it
    has had the time to say that it lives. Raises StoreError where none is for long."""
    until = time.monotonic() + lease + 2.0
    while not lock(connection, node):
        if time.monotonic() >= until:
            raise StoreError(
                f"{target.where}: is in use by another process that calls itself node {node}; stop"
                " that one, or give each its own queue.node"
            )
        time.sleep(POLL)
    connection.execute(
        "INSERT INTO node (number, name, token, until, operation, clean, last_id, last_accepted)"
        " SELECT new, '', 0, '-infinity', 0, true, 0, 0 FROM generate_series(0, %s) AS new"
        " WHERE NOT EXISTS (SELECT FROM node WHERE number = new) ON CONFLICT DO NOTHING",
        (nodes - 1,),
    )
    came, living = time.monotonic(), set[int]()
    while True:
        found = _look(connection, nodes)
        living.update(n.number for n in found if not n.free)
        sure = time.monotonic() >= came + grace(lease)
        known = [n for n in found if n.name == node or n.over or n.number in living or sure]
        one = _choose(found, [n for n in known if n.free or n.name == node], node, nodes)
        if one is not None:
            if one.name != node and not one.clean:
                cut(connection, one.name)
            with connection.transaction():
                connection.execute("SELECT FROM node WHERE number = %s FOR UPDATE", (one.number,))
                [it] = [n for n in _look(connection, nodes) if n.number == one.number]
                if it.free or it.name == node:  # still
                    [[heard]] = connection.execute(
                        "UPDATE node SET token = %s, receipts = %s, moved = moved AND name = %s,"
                        " name = %s, binds = '{}', clean = false, nodes = %s,"
                        " heard = (SELECT notices FROM gateway),"
                        " until = clock_timestamp() + make_interval(secs => %s) WHERE number = %s"
                        " RETURNING heard",
                        (it.token + 1, it.token + 1, node, node, nodes, lease, it.number),
                    ).fetchall()
                    connection.execute("DELETE FROM granted WHERE node = %s", (it.number,))
                    return Taken(it.token + 1, it.number, it.clean, it.operation, heard)
        if time.monotonic() >= until and known == found:
            raise _refusal(target, [n for n in found if not n.free], nodes)
        time.sleep(POLL)


def _look(connection: Connected, nodes: int) -> list[_Node]:
    return [_Node(*row) for row in connection.execute(_NODES, (nodes,)).fetchall()]


def _choose(found: list[_Node], free: list[_Node], node: str, nodes: int) -> _Node | None:
    """The number to take of those that are free: one's own before others, where all nodes agree how
    many there are."""
    if any(not n.free and n.name != node and n.nodes != nodes for n in found):
        return None
    mine = [n for n in free if n.name == node]
    return next((n for n in (*mine, *free) if n.number < nodes), None)


def _refusal(target: Target, there: list[_Node], nodes: int) -> StoreError:
    names = ", ".join(n.name for n in there)
    other = next((n for n in there if n.nodes != nodes), None)
    if other is not None:
        return StoreError(
            f"{target.where}: is in use by node {other.name} with queue.nodes = {other.nodes}, and"
            f" this one has {nodes}; give all nodes the same, and stop them all before it changes"
        )
    if nodes == 1:
        return StoreError(
            f"{target.where}: is in use by node {names}; one node at a time can have it: stop that"
            " one, give this one another database, or let several work at a time by queue.nodes"
        )
    return StoreError(
        f"{target.where}: is in use by nodes {names}, as many as queue.nodes allows; stop one, or"
        " leave this one to be started again: it takes the place of one that ends"
    )


def cut(connection: Connected, node: str, pid: int | None = None) -> bool:
    """End the writing connection of a node whose time is over, or that one of its connections which
    has this process of the server; whether there is none any more. One that sleeps in the middle of
    a transaction would keep its locks for as long as it sleeps."""
    rows = connection.execute(
        "SELECT pg_terminate_backend(pid, %s) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid = %s AND objid = hashtext(%s)::oid AND pid = coalesce(%s, pid)",
        (int(CUT * 1_000), _LOCK, node, pid),
    ).fetchall()
    return all(ended for [ended] in rows)


def done(connection: Connected, taken: Taken, operation: int) -> bool | None:
    """Whether a transaction was made; None where the number is another's by now. Waits for one
    that the server has under way, and where it was made, for the standbys that it waited for: its
    connection may have been lost before they had it."""
    with connection.transaction() as asking:
        query = "SELECT token, operation FROM node WHERE number = %s FOR UPDATE"
        [[holds, last]] = connection.execute(query, (taken.number,)).fetchall()
        if (holds, last) != (taken.token, operation):
            raise Rollback(asking)  # whose end waits for nobody
    return None if holds != taken.token else bool(last == operation)


def last(connection: Connected, taken: Taken) -> int:
    """The last transaction of a node that the database has."""
    query = "SELECT operation FROM node WHERE number = %s"
    [[operation]] = connection.execute(query, (taken.number,)).fetchall()
    return int(operation)


def renewal(lease: float) -> float:
    """Seconds between the transactions by which a node says that it lives."""
    return min(RENEW, lease / 3)


def now() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps."""
    clock: Any = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
