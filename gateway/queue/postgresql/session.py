"""The writer's transactions, and what is known of the data between them.

All calls that wait share a transaction. Their statements are sent without waiting for one another's
answers (a pipeline); what a call needs to know beforehand it asks for, and waits. The last
statement is the fence: it compares the token, and puts on record the *operation*, the number of the
transaction. A commit whose answer was lost is looked for by that number once there is a connection
again, so that it is neither lost nor made twice. History is written to the newest generation that
the node knows; where that has ended, the last statement says so, and the transaction is made again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Cursor

from gateway.errors import StoreError
from gateway.message import LaneKey
from gateway.queue.postgresql import appending, generations, holding, statements
from gateway.queue.postgresql.appending import Stream
from gateway.queue.postgresql.arrays import int4s, int8s, octets, texts
from gateway.queue.postgresql.connecting import Connected
from gateway.queue.postgresql.generations import Generation
from gateway.queue.postgresql.listening import News
from gateway.queue.tallies import NAMES, Key

T = TypeVar("T")

Work = Callable[["Session"], Callable[[], T]]
"""Sends statements; what it returns is called when they are answered, may send more, and gives the
value of the call."""

_SQL: Final = statements.load("settling")

_TENANT: Final = b"""INSERT INTO tenant (name) VALUES (%s)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"""
_CARRIER: Final = b"""INSERT INTO carrier (name) VALUES (%s)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"""
_LANE: Final = b"""INSERT INTO lane (tenant, category, route, campaign) VALUES (%s, %s, %s, %s)
    ON CONFLICT (tenant, campaign, category, route) DO UPDATE SET tenant = excluded.tenant
    RETURNING id"""


class LostError(Exception):
    """The connection was lost during a commit: nobody knows yet whether that was made."""


class Session:
    """What the writer knows.

    Attributes:
        connection: the writing connection, set by whoever makes it.
        number, token: this node's, once it has them; a token of 0 before.
        alone: no other node works beside it.
        operation: the number of the transaction that is under way, or was made last.
        made: that of the last one that is known to have been made.
        lease: seconds for which a transaction renews what the node has.
        renewed: when the last one began that was made, on `holding.now`'s clock.
        resumed: when the first one began that was made after so long that the time of some other
            node may have run out, if it was the database that did not answer.
        came: when this node had its first connection, on that clock.
        begun: whether this node has its part of the work, and goes by what others do.
        heard: the last notice that this node goes by.
        generation: the one that history is written to.
        seqs: the last ``seq`` of tenants, by number, as this node has given it.
        used_lanes: the lanes that were asked for since somebody cleared this.
        news: what the transaction under way, or the last one, has of concern to other nodes.
    """

    def __init__(self, lease: float, *, alone: bool) -> None:
        self.connection: Connected | None = None
        self.number = self.token = 0
        self.alone = alone
        self.operation = self.made = 0
        self.lease = lease
        self.came = self.renewed = holding.now()
        self.resumed = -inf
        self.begun = False
        self.heard = 0
        self.generation = self._generation = generations.NONE
        self._placed: dict[bytes, bytes] = {}
        self.seqs: dict[int, int] = {}
        self.used_lanes: set[int] = set()
        self.news = News()
        self._tenants: dict[str, int] = {}
        self._carriers: dict[str, int] = {"": 0}
        self._lanes: dict[LaneKey, int] = {}
        self._counts: dict[tuple[int, Key], int] = {}
        self._named: tuple[int, dict[str, set[tuple[str, str]]]] = (0, {})
        self._newest = (0, 0.0)
        self._streams: list[Stream] = []

    def execute(self, query: bytes, values: Mapping[str, Any] | Sequence[Any] = ()) -> Cursor[Any]:
        """Send a statement. Its answer is there once it is fetched, or the pipeline has ended."""
        return self._live.cursor(binary=True).execute(query, values)

    @property
    def _live(self) -> Connected:
        if self.connection is None:
            raise StoreError("the database is not connected")
        return self.connection

    # --- generations ---

    def placed(self, statement: bytes) -> bytes:
        """A statement that writes history, with the names of the partitions."""
        found = self._placed.get(statement)
        if found is None:
            found = self._placed[statement] = generations.placed(statement, self.generation)
        return found

    def turn(self, generation: Generation) -> None:
        """The transaction under way has begun a generation: what follows goes there."""
        self.generation = generation
        self._placed.clear()

    def learn(self) -> bool:
        """Learn which generation is the newest; whether it is another one."""
        before = self.generation
        self.turn(generations.current(self._live))
        self._generation = self.generation
        return self.generation.number != before.number

    # --- names ---

    def tenant(self, name: str) -> int:
        """The number of a tenant, given now if need be."""
        number = self._tenants.get(name)
        if number is None:
            number = self._tenants[name] = self._number(_TENANT, (name,))
        return number

    def carrier(self, name: str) -> int:
        """The number of a carrier; 0 of none."""
        number = self._carriers.get(name)
        if number is None:
            number = self._carriers[name] = self._number(_CARRIER, (name,))
        return number

    def lane(self, key: LaneKey) -> int:
        """The number of a lane."""
        number = self._lanes.get(key)
        if number is None:
            names = (key.tenant, key.category, key.route, (key.campaign or "").encode())
            number = self._lanes[key] = self._number(_LANE, names)
        self.used_lanes.add(number)
        return number

    def _number(self, query: bytes, values: Sequence[Any]) -> int:
        [row] = self.execute(query, values).fetchall()
        return int(row[0])

    def forget_lanes(self, gone: set[int]) -> None:
        """These lanes are taken from the table."""
        self._lanes = {key: number for key, number in self._lanes.items() if number not in gone}

    # --- what a transaction puts on record beside what calls do ---

    def accepted(self, newest: int, at: float) -> None:
        """Messages up to this number were accepted, at that time."""
        self._newest = (max(self._newest[0], newest), max(self._newest[1], at))

    def append(self, stream: Stream) -> None:
        """Append to the events of a tenant at the end of the transaction that is under way."""
        self._streams.append(stream)

    @property
    def ending(self) -> set[int]:
        """The messages whose outcomes the transaction under way is to record."""
        return {number for stream in self._streams for number in stream.ids}

    def count(self, counts: Mapping[Key, int], hour: int, sign: int = 1) -> None:
        """Count in the transaction that is under way."""
        mine = self._counts
        for key, count in counts.items():
            place = (hour, key)
            mine[place] = mine.get(place, 0) + sign * count

    def _write_counts(self) -> None:
        rows: dict[tuple[int, int, bytes, bytes, int, str], int] = {}
        for (hour, key), count in self._counts.items():
            if count:
                place = self._place(hour, key)
                rows[place] = rows.get(place, 0) + count
        self._counts = {}
        if not rows:
            return
        # In order, so that two nodes never wait for each other crosswise.
        rows = dict(sorted(rows.items()))
        tenants, hours, campaigns, variants, carriers, codes = zip(*rows, strict=True)
        self.execute(
            _SQL["count"],
            {
                "tenants": int4s(tenants),
                "hours": int4s(hours),
                "campaigns": octets(campaigns),
                "variants": octets(variants),
                "carriers": int4s(carriers),
                "codes": texts(codes),
                "counts": int8s([*rows.values()]),
            },
        )

    def _place(self, hour: int, key: Key) -> tuple[int, int, bytes, bytes, int, str]:
        """Where something is counted; beyond `NAMES` names of a tenant in an hour, under none."""
        tenant, campaign, variant, carrier, code = key
        name = (campaign or "", variant or "")
        if hour != self._named[0]:
            self._named = (hour, {})
        named = self._named[1].setdefault(tenant, set())
        if name not in named:
            if name != ("", "") and len(named) >= NAMES:
                name = ("", "")
            else:
                named.add(name)
        return (
            self.tenant(tenant), hour, name[0].encode(), name[1].encode(),
            self.carrier(carrier), code,
        )  # fmt: skip

    # --- transactions ---

    def transact(self, works: Sequence[Work[T]]) -> list[T]:
        """Do all of ``works`` in one transaction; where it raises, none of them was done, but for
        `LostError`."""
        connection = self._live
        self.operation += 1
        self.news = News()
        committing = False
        began = holding.now()
        try:
            with connection.pipeline():
                self.execute(b"BEGIN")
                finish = [work(self) for work in works]
            values = [finished() for finished in finish]
            with connection.pipeline():
                streams, self._streams = self._streams, []
                appending.append(self, streams)
                self._write_counts()
                self._fence()
                committing = True
                self.execute(b"COMMIT")
        except BaseException as error:
            lost = committing and isinstance(error, psycopg.Error) and not was_refused(error)
            if lost:
                connection.close()
            self._undo()
            if lost:
                raise LostError(str(error)) from error
            raise
        self.news.newest, self._newest = self._newest[0], (0, 0.0)
        self._generation = self.generation
        self.made = self.operation
        if began > self.renewed + self.lease - holding.renewal(self.lease):
            self.resumed = began
        self.renewed = began
        return values

    def _fence(self) -> None:
        if self.token:
            self.execute(
                b"SELECT fence(%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    self.number, self.token, self.operation, self.lease, *self._newest, self.heard,
                    self.generation.number,
                ),
            )  # fmt: skip

    @property
    def lapsed(self) -> bool:
        """Whether others may take what this node has, or soon will."""
        return holding.now() > self.renewed + self.lease * (1.0 - holding.MARGIN)

    @property
    def unsure(self) -> bool:
        """Whether the database was away until now or a moment ago: no other node could say that it
        lives."""
        now = holding.now()
        stale = now > self.renewed + self.lease - holding.renewal(self.lease)
        return self.begun and (stale or now < self.resumed + holding.GRACE)

    @property
    def sure(self) -> bool:
        """Whether a node whose time is over is dead. It may be alive where the database was away
        until this one came, of which this one knows nothing."""
        came_long_ago = holding.now() >= self.came + holding.grace(self.lease)
        return not self.unsure and (self.alone or came_long_ago)

    def _undo(self) -> None:
        """Nothing that was learnt in a transaction that failed holds."""
        self.seqs.clear()
        self._counts = {}
        self._streams = []
        self._newest = (0, 0.0)
        self._tenants.clear()
        self._carriers = {"": 0}
        self._lanes.clear()
        if self.generation != self._generation:
            self.turn(self._generation)
        connection = self.connection
        if connection is not None and not connection.closed:
            try:
                connection.rollback()
            except psycopg.Error:
                connection.close()


def was_refused(error: psycopg.Error) -> bool:
    """Whether an error says that a commit was not made. One of the connection, or of a server that
    ends, may come when it was."""
    return error.sqlstate is not None and error.sqlstate[:2] not in ("08", "57", "58", "XX")


def every(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The first column of rows."""
    return [row[0] for row in rows]
