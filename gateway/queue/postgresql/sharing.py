"""How nodes share the work: each has some of the shards, which are of phones, and sends what goes
to those. A node takes what nobody has up to an even share, and gives up what it has beyond that
when others come; what a dead node had, it takes as well, once that one is fenced off.

A set of shards is an integer, one bit for each, signed as PostgreSQL's are: `ALL` is -1.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec

from gateway.errors import StoreError
from gateway.message import LaneKey, Message
from gateway.numbers import canonical
from gateway.queue.operators import NodeState
from gateway.queue.postgresql import holding, statements
from gateway.queue.postgresql.arrays import float8s, int2s, int4s, int8s
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, Work, every
from gateway.queue.store import Held

SQL: Final = statements.load("sharing")

SHARDS: Final = 64
"""Parts into which phones are divided."""

ALL: Final = -1
"""All shards."""

STEP: Final = 8
"""Shards that are given up at a time: what is on its way to a carrier of theirs is waited for."""


class Division(NamedTuple):
    """Who has what, as a node knows it: it looks now and then, so that it may be otherwise by now.

    Attributes:
        active: the shards whose messages it leases and sends.
        owners: the node that has each shard, None for none.
        takers: the nodes that take receipts of what they have sent.
    """

    active: int
    owners: Sequence[int | None]
    takers: Collection[int] = ()

    def taker(self, number: int) -> int | None:
        """The node that takes receipts from a shard's phones, None where it is this one or none."""
        owner = self.owners[number]
        return owner if owner in self.takers and not self.active >> number & 1 else None

    @property
    def passed_on(self) -> bool:
        """Whether all that send pass receipts on, as those do that take them: nodes of an older
        version look for what was sent in the database, and find nothing that is in a chunk."""
        return all(owner is None or owner in self.takers for owner in self.owners)

    def owner(self, number: int) -> int | None:
        """The node that has a shard; -1 for this one, while it is not giving it up."""
        return -1 if self.active >> number & 1 else self.owners[number]


class Arrival(NamedTuple):
    """Messages that have come for the shards of another node, and when the first is due."""

    lane: LaneKey
    shards: int
    due: float


Away = dict[tuple[int | None, LaneKey], Arrival]
"""Messages for others' shards, by who has these and by lane."""


def shard(number: str) -> int:
    """The shard of a phone."""
    return crc32(canonical(number).encode()) % SHARDS


def has(shards: int, number: str) -> bool:
    """Whether a phone is in one of some shards."""
    return bool(shards >> shard(number) & 1)


def members(shards: int) -> list[int]:
    """The numbers of some shards."""
    return [number for number in range(SHARDS) if shards >> number & 1]


def combined(numbers: Iterable[int]) -> int:
    """Shards of these numbers."""
    return signed(sum(1 << number for number in set(numbers)))


def signed(bits: int) -> int:
    """Shards as PostgreSQL has them, from bits that are all above zero."""
    return bits - (1 << SHARDS) if bits >= 1 << (SHARDS - 1) else bits


def size(shards: int) -> int:
    """How many they are."""
    return (shards & (1 << SHARDS) - 1).bit_count()


# --- what is accepted or put back here and is another's ---


def add_away(away: Away, division: Division, lane: LaneKey, number: int, due: float) -> None:
    """A message of a shard waits, due then: whoever has that is to hear of it."""
    if not division.active >> number & 1:
        key = division.owners[number], lane
        _, shards, first = away.get(key) or (lane, 0, due)
        away[key] = Arrival(lane, shards | 1 << number, min(first, due))


def away(messages: Iterable[Message], division: Division) -> Away:
    """What of some messages is in no shard of this node's."""
    found: Away = {}
    if division.active != ALL:
        for m in messages:
            add_away(found, division, m.lane, shard(m.to), m.due)
    return found


def arrive(session: Session, away: Away) -> None:
    """Have the nodes that have these shards look at their lanes."""
    if away:
        values = {
            "shards": int8s([signed(one.shards) for one in away.values()]),
            "lanes": int4s([session.lane(one.lane) for one in away.values()]),
            "dues": float8s([one.due for one in away.values()]),
        }
        session.execute(SQL["arrive"], values)
        for one in away.values():
            session.news.arrived |= signed(one.shards)


def arrived(shards: int) -> Work[dict[LaneKey, float]]:
    """Takes what has come for some shards: when the first message of each lane is due."""

    def work(session: Session) -> Callable[[], dict[LaneKey, float]]:
        cursor = session.execute(SQL["arrived"], {"shards": shards})

        def finish() -> dict[LaneKey, float]:
            return {
                LaneKey(tenant, category, route, bytes(campaign).decode() or None): due
                for tenant, category, route, campaign, due in cursor.fetchall()
            }

        return finish

    return work


# --- what others have done ---


class Tick(NamedTuple):
    """What changes when others do something.

    Attributes:
        seqs: the sum of what tenants have of events.
        notices: the number of the last notice.
        arrived, passed_on: whether messages have come for some shards, and texts or receipts from
            their phones.
        newest: the highest message number.
        shared: something else where nodes, shards or slots stand otherwise.
        left: seconds until a node's time is over that says nothing more; None where there is none.
    """

    seqs: int
    notices: int
    arrived: bool
    passed_on: bool
    newest: int
    shared: str
    left: float | None


def tick(connection: Connected, shards: int) -> Tick:
    """What has changed, as far as some shards go."""
    asked = {"mine": shards, "shards": int2s(members(shards))}
    [[seqs, *rest]] = connection.cursor(binary=True).execute(SQL["tick"], asked).fetchall()
    return Tick(seqs or 0, *rest)


def newest(connection: Connected) -> int:
    """The highest message number that any node has accepted."""
    [[number]] = connection.cursor(binary=True).execute(b"SELECT max(last_id) FROM node").fetchall()
    return int(number)


def notices(connection: Connected, after: int) -> list[tuple[int, str, bytes]]:
    """The notices after one, in order."""
    rows = connection.cursor(binary=True).execute(SQL["notices"], {"after": after}).fetchall()
    return [(number, kind, bytes(body)) for number, kind, body in rows]


def notify(session: Session, kind: str, body: bytes) -> int:
    """Tell all nodes something; gives the number of the notice."""
    session.news.others = True
    session.execute(SQL["forget_notices"])
    [row] = session.execute(SQL["notify"], {"kind": kind, "body": body}).fetchall()
    return int(row[0])


def unheard_by_any(connection: Connected, number: int, me: int) -> bool:
    """The same, but of nodes too that were silent for so long that others may take what they have,
    and were not fenced off: they may come back."""
    asked = {"number": number, "me": me}
    [[count]] = connection.cursor(binary=True).execute(SQL["unheard_by_any"], asked).fetchall()
    return bool(count)


def unheard(connection: Connected, number: int, me: int) -> bool:
    """Whether some other node, that has not let go, does not go by a notice yet."""
    asked = {"number": number, "me": me}
    [[count]] = connection.cursor(binary=True).execute(SQL["unheard"], asked).fetchall()
    return bool(count)


# --- who has what ---


class Shares(NamedTuple):
    """How the shards are shared.

    Attributes:
        mine: those of this node.
        free: how many nobody has, or a node that has let go or whose time is over.
        silent: the names of the latter.
        owners: the node of each shard, None for none.
        takers: the nodes that take receipts of what they have sent.
    """

    mine: int
    free: int
    silent: frozenset[str]
    owners: Sequence[int | None]
    takers: frozenset[int]


def look(connection: Connected, me: int) -> Shares:
    """See who has what."""
    cursor = connection.cursor(binary=True)
    mine, free, silent, takers = [], 0, set(), set()
    owners: list[int | None] = [None] * SHARDS
    for number, node, is_free, clean, name, takes in cursor.execute(SQL["shards"]).fetchall():
        owners[number] = node
        if takes:
            takers.add(node)
        if node == me:
            mine.append(number)
        elif is_free:
            free += 1
            if not clean:
                silent.add(name)
    return Shares(combined(mine), free, frozenset(silent), owners, frozenset(takers))


def nodes(connection: Connected, me: int) -> list[NodeState]:
    """The nodes that have a number, and how each stands."""
    cursor = connection.cursor(binary=True)
    slots: dict[int, dict[str, int]] = {}
    for node, carrier, count in cursor.execute(SQL["slots"]).fetchall():
        slots.setdefault(node, {})[carrier] = count
    return [
        NodeState(
            number,
            name,
            number == me,
            alive,
            version,
            config,
            shards / SHARDS,
            behind,
            moved,
            slots.get(number, {}),
            ahead,
        )
        for number, name, alive, version, config, shards, behind, moved, ahead in (
            cursor.execute(SQL["nodes"]).fetchall()
        )
    ]


def ahead(connection: Connected, clock: Callable[[], float]) -> float:
    """See `gateway.queue.operators.OperatorStore.ahead`. The server looks at its clock some time
    between the two looks at this one: a slow answer is no difference."""
    before = clock()
    [[told]] = connection.execute(SQL["clock"]).fetchall()
    there = float(told)
    return max(before - there, 0.0) + min(clock() - there, 0.0)


def introduce(version: str, config: str, binds: Mapping[str, int], ahead: float) -> Work[None]:
    """Says of this node what it is."""

    def work(session: Session) -> Callable[[], None]:
        told = msgspec.json.encode(binds).decode()
        values = {"version": version, "config": config, "binds": told, "ahead": ahead}
        session.execute(SQL["introduce"], values | {"me": session.number})
        session.news.shares = True
        return lambda: None

    return work


def cut(connection: Connected, silent: Iterable[str]) -> None:
    """End the connections of nodes whose time is over."""
    for name in silent:
        holding.cut(connection, name)


def take(limit: int) -> Work[int]:
    """Takes some shards that are free, up to ``limit``, and fences off the nodes that had them;
    gives how many."""

    def work(session: Session) -> Callable[[], int]:
        be_sure(session)
        me = session.number
        asked = {"me": me, "limit": limit, "sure": session.sure}
        rows: Sequence[tuple[int, int | None]] = session.execute(SQL["free"], asked).fetchall()
        owners = {owner for _, owner in rows if owner is not None}
        gone: set[int] = set()
        if owners:
            values = {"nodes": int4s(sorted(owners)), "sure": session.sure}
            gone = set(every(session.execute(SQL["fence_off"], values).fetchall()))
        taken = [number for number, owner in rows if owner is None or owner in gone]
        if taken:
            session.execute(SQL["take"], {"me": me, "shards": int4s(taken)})
            session.news.shares = True
        return lambda: len(taken)

    return work


def fence_off_dead(session: Session) -> None:
    """Fences off the nodes whose time is over, unless this one has just come."""
    be_sure(session)
    if session.sure:
        session.execute(SQL["fence_off_dead"], {"me": session.number})


def be_sure(session: Session) -> None:
    """Raises StoreError where nodes that live may seem to be dead. It is asked in the transaction
    that would fence them off: that may have waited for as long as the database was away."""
    if session.unsure:
        raise StoreError("the database was away; no node is taken for dead yet")


def take_held(session: Session) -> Callable[[], list[Held]]:
    """Takes what nodes that are gone for good have kept until its other half comes."""
    fence_off_dead(session)
    me = {"me": session.number}
    cursor = session.execute(SQL["take_held"], me)
    return lambda: held(cursor.fetchall())


def take_passed_on(shards: int) -> Work[list[Held]]:
    """Takes the texts and receipts from phones of some shards that other nodes have received."""

    def work(session: Session) -> Callable[[], list[Held]]:
        values = {"me": session.number, "shards": int2s(members(shards))}
        cursor = session.execute(SQL["take_passed_on"], values)
        return lambda: held(cursor.fetchall())

    return work


def held(rows: Iterable[Sequence[Any]]) -> list[Held]:
    """What is kept, from rows."""
    return [
        Held(kind, bytes(key).decode(), bytes(body), expires) for kind, key, body, expires in rows
    ]


def leave(shards: int) -> Work[None]:
    """Gives shards up."""

    def work(session: Session) -> Callable[[], None]:
        values = {"me": session.number, "shards": int4s(members(shards))}
        session.execute(SQL["leave"], values)
        session.news.shares = True
        return lambda: None

    return work


def let_go(session: Session) -> None:
    """Have all that a node has go to others, for it ends."""
    session.execute(SQL["leave_all"], {"me": session.number})
    session.execute(SQL["vacate_all"], {"me": session.number})
    session.execute(b"UPDATE node SET clean = true WHERE number = %s", (session.number,))
    session.news.shares = True
