"""How nodes share the binds of carriers. A bind is a slot, which one node has at a time; a node
that gives one up has no session there any more, and what a dead node had is taken once that one is
fenced off: by its own clock it has closed its sessions by then. One that is frozen has not, and its
carriers may refuse the node that has its slots from then on (`Slots.left`).

Phones go only to nodes that have a bind of every carrier, since any message may have to go by any.
So as many nodes send as the carrier with the fewest binds has, those with the lowest numbers; the
others accept, and are spares. A node that is moved away sends nothing either, as long as there is
another one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec

from gateway.queue.postgresql import sharing, statements
from gateway.queue.postgresql.arrays import float8s, int2s, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.session import Session, Work
from gateway.queue.store import Ask, Granted, Slot

SQL: Final = statements.load("slots")


class Live(NamedTuple):
    """A node that works: how many binds each carrier has by its configuration, and whether it is to
    send nothing."""

    number: int
    moved: bool
    binds: Mapping[str, int]


def allowed(live: Iterable[Live]) -> dict[str, int]:
    """The binds of each carrier: while nodes differ in that, the fewest that one of them says."""
    found: dict[str, int] = {}
    for node in live:
        for carrier, binds in node.binds.items():
            found[carrier] = min(binds, found.get(carrier, binds))
    return found


def senders(live: Sequence[Live]) -> list[int]:
    """The nodes that send: see above."""
    ready = [node.number for node in live if not node.moved] or [node.number for node in live]
    return ready[: min([len(ready), *allowed(live).values()])]


def due(carrier: str, binds: int, senders: Sequence[int], me: int) -> int:
    """How many binds of a carrier are a node's. What does not divide evenly is for each carrier
    another node's."""
    if me not in senders:
        return 0
    place = (senders.index(me) + crc32(carrier.encode())) % len(senders)
    return binds // len(senders) + (place < binds % len(senders))


class Slots(NamedTuple):
    """Who has which slot.

    Attributes:
        live: the nodes that work.
        mine: the slots of this node.
        taken: those that another node has and keeps.
        left: those of nodes whose time is over, and the name of each one's.
    """

    live: Sequence[Live]
    mine: frozenset[Slot]
    taken: frozenset[Slot]
    left: Mapping[Slot, str]

    def of(self, carrier: str, without: Collection[Slot]) -> tuple[int, ...]:
        """The numbers of a node's slots of a carrier, but for some."""
        return tuple(sorted(s.number for s in self.mine - {*without} if s.carrier == carrier))

    def surplus(self, me: int, *, sending: bool) -> set[Slot]:
        """What a node is to give up. While phones are its own it keeps a bind of each carrier: some
        may have a part of a message, and wait for the rest."""
        those = senders(self.live)
        kept: set[Slot] = set()
        for carrier, binds in allowed(self.live).items():
            most = max(due(carrier, binds, those, me), int(sending))
            kept.update(self._mine_of(carrier, binds)[:most])
        return {*self.mine - kept}

    def missing(self, me: int) -> list[Slot]:
        """What a node is to take."""
        those = senders(self.live)
        found: list[Slot] = []
        for carrier, binds in sorted(allowed(self.live).items()):
            count = due(carrier, binds, those, me) - len(self._mine_of(carrier, binds))
            free = [Slot(carrier, number) for number in range(binds)]
            found += [one for one in free if one not in self.mine | self.taken][: max(0, count)]
        return found

    def _mine_of(self, carrier: str, binds: int) -> list[Slot]:
        return sorted(s for s in self.mine if s.carrier == carrier and s.number < binds)


def look(connection: Connected, me: int) -> Slots:
    """See who has what."""
    cursor = connection.cursor(binary=True)
    live = [
        Live(number, moved, msgspec.json.decode(binds, type=dict[str, int]))
        for number, moved, binds in cursor.execute(SQL["live"]).fetchall()
    ]
    mine, taken, left = set(), set(), {}
    for carrier, number, node, is_free, clean, name in cursor.execute(SQL["slots"]).fetchall():
        if node == me:
            mine.add(Slot(carrier, number))
        elif not is_free:
            taken.add(Slot(carrier, number))
        elif not clean:
            left[Slot(carrier, number)] = name
    return Slots(live, frozenset(mine), frozenset(taken), left)


def _values(slots: Iterable[Slot], me: int) -> dict[str, Any]:
    carriers, numbers = zip(*sorted(slots), strict=True)
    return {"me": me, "carriers": texts(carriers), "numbers": int2s(numbers)}


def take(slots: Sequence[Slot]) -> Work[int]:
    """Takes slots that are free, and fences off the nodes that had them; gives how many."""

    def work(session: Session) -> Callable[[], int]:
        sharing.fence_off_dead(session)
        cursor = session.execute(SQL["take"], _values(slots, session.number))
        return lambda: len(cursor.fetchall())

    return work


def vacate(slots: Collection[Slot]) -> Work[None]:
    """Gives slots up."""

    def work(session: Session) -> Callable[[], None]:
        session.execute(SQL["vacate"], _values(slots, session.number))
        session.news.shares = True
        return lambda: None

    return work


def grant(connection: Connected, me: int, asks: Sequence[Ask]) -> list[Granted]:
    """Tells what a node wants of rates, see `gateway.queue.store.Store.grant`."""
    told = sorted(asks)
    values = {
        "me": me,
        "names": texts(one.name for one in told),
        "wants": float8s([one.want for one in told]),
        "weights": float8s([one.weight for one in told]),
        "uses": float8s([one.use for one in told]),
        "asks": float8s([one.ask for one in told]),
    }
    rows = connection.cursor(binary=True).execute(SQL["grant"], values).fetchall()
    return [Granted(*row) for row in rows]


def move(name: str, *, away: bool) -> Work[None]:
    """Has a node send nothing from now on, or again."""

    def work(session: Session) -> Callable[[], None]:
        session.execute(SQL["move"], {"name": name, "away": away})
        session.news.shares = True
        return lambda: None

    return work
