"""What an open store does now and then: it says what it holds, and forgets what is old."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from gateway.message import Category, LaneKey, WaitingState
from gateway.queue.postgresql import sharing, statements
from gateway.queue.postgresql.arrays import int4s, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.holding import Taken
from gateway.queue.postgresql.reading import ask
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.store import Count, Recovery

SQL: Final = statements.load("pruning")

BLOCK: Final = 5_000
"""Rows forgotten at a time."""

PASS: Final = 86_400.0
"""Seconds between looks for campaigns whose messages are gone, parts without a message, and counts
that are too old: how much longer than needed one may be kept."""

HEARD_WITHIN: Final = 15.0
"""Seconds in which all nodes are to have heard of lanes that are about to be forgotten."""

USES_PASS: Final = 3_600.0
"""Seconds between looks for what counts against no cap any more."""


def standing(
    connection: Connected, shards: int, now: float
) -> tuple[dict[LaneKey, float], list[Count]]:
    """When the first message of each lane is due that waits in some shards, and how many messages
    without an outcome there are, but for those that are leased."""
    lanes: dict[LaneKey, float] = {}
    counts: Counter[tuple[str, Category, WaitingState]] = Counter()
    for tenant, category, route, campaign, count, later, due in ask(
        connection, "lanes", now=now, shards=shards
    ):
        lanes[LaneKey(tenant, category, route, bytes(campaign).decode() or None)] = due
        counts[tenant, category, "deferred"] += later
        counts[tenant, category, "queued"] += count - later
    for tenant, category, count in ask(connection, "sent", shards=shards):
        counts[tenant, category, "sent"] += count
    return lanes, [Count(*what, count) for what, count in counts.items() if count]


def first_due(connection: Connected, shards: int) -> dict[LaneKey, float]:
    """When the first message of each lane is due that waits in some shards: by an index, where
    `standing` goes through all that wait."""
    return {
        LaneKey(tenant, category, route, bytes(campaign).decode() or None): due
        for tenant, category, route, campaign, due in ask(connection, "first_due", shards=shards)
    }


def leased(connection: Connected, shards: int) -> list[Count]:
    """How many messages of some shards are leased."""
    found = ask(connection, "leased", shards=shards)
    return [Count(tenant, category, "queued", count) for tenant, category, count in found]


def recovery(connection: Connected, taken: Taken, nodes: int, shards: int, now: float) -> Recovery:
    """What the storage holds in the shards of a node, of so many, that has just begun."""
    lanes, counts = standing(connection, shards, now)
    newest = "SELECT max(last_id), max(last_accepted) FROM node"
    [row] = connection.execute(newest.encode()).fetchall()
    return Recovery(
        node=taken.number,
        token=taken.token,
        clean=taken.clean,
        last_id=row[0],
        last_accepted=row[1],
        lanes=lanes,
        counts=counts,
        held=sharing.held(ask(connection, "held", node=taken.number, nodes=nodes, shards=shards)),
        nodes=nodes,
    )


def forget(name: str, **values: Any) -> Work[int]:
    """Forgets rows by a statement of the file ``pruning``; gives how many went."""

    def work(session: Session) -> Callable[[], int]:
        cursor = session.execute(SQL[name], values)
        return lambda: cursor.rowcount

    return work


def used_lanes(connection: Connected) -> set[int]:
    """The lanes that messages are in."""
    return set(every(connection.cursor(binary=True).execute(SQL["used_lanes"])))


def campaign_lanes(connection: Connected) -> dict[int, str]:
    """The lanes of campaigns, with what is another version once a node has looked a lane up."""
    query = b"SELECT id, xmin::text FROM lane WHERE campaign <> ''"
    return dict(connection.cursor(binary=True).execute(query))


def look_lanes_up(lanes: Collection[int]) -> Work[None]:
    """Has the node look these lanes up before it uses them again."""

    def work(session: Session) -> Callable[[], None]:
        session.forget_lanes(set(lanes))
        return lambda: None

    return work


def forget_unused_lanes(versions: Mapping[int, str]) -> Work[int]:
    """Forgets lanes that no node knows, but for those that one has looked up since they had these
    versions, and those that have messages."""
    numbers = [*versions]

    def work(session: Session) -> Callable[[], int]:
        seen = {"lanes": int4s(numbers), "versions": texts(versions[one] for one in numbers)}
        # Whoever looks one up now waits, and makes it anew.
        left = every(session.execute(SQL["lock_lanes"], seen).fetchall())
        cursor = session.execute(SQL["forget_unused_lanes"], {"lanes": int4s(left)})
        return lambda: cursor.rowcount

    return work


def forget_lanes(dead: set[int]) -> Work[int]:
    """Forgets lanes, but for those that somebody has asked for meanwhile."""

    def work(session: Session) -> Callable[[], int]:
        gone = dead - session.used_lanes
        session.used_lanes.clear()
        session.forget_lanes(gone)
        cursor = session.execute(SQL["forget_lanes"], {"lanes": int4s([*gone])})
        return lambda: cursor.rowcount

    return work
