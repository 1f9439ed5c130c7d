"""The writer's transactions: begun, committed, and undone where they fail, without doubt.

A commit that fails in its last step, the fsync, may have left all its frames in the log. SQLite
goes on from before them, but if the process ended now, recovery would find them whole and take
them for committed: a call that was answered with an error would come back. So the first thing
written after such a failure is a commit of no meaning: it takes the place of the first of those
frames, and since each frame's checksum goes on from the one before, none behind it counts any
more. Nothing else is written before that has succeeded.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import apsw

from gateway.errors import StoreFenced
from gateway.queue.sqlite.bulk import Execute
from gateway.queue.sqlite.stats import UNNAMED, Place, StatTable
from gateway.queue.tallies import Key

T = TypeVar("T")
LaneName = tuple[str, str, str, str]
"""A `LaneKey` as it is stored: '' stands for no campaign."""

Name = TypeVar("Name", str, LaneName)


class Names(Generic[Name]):
    """Small numbers that stand for names in the tables.

    A number is given in the event loop at once, and every transaction writes those that none has
    written yet: a call needs no transaction of its own for its names. Bounded by the tenants,
    carriers and routes that were ever configured, and by the campaigns of a day or two (`unused`).
    """

    def __init__(self, insert: str, row: Callable[[int, Name], tuple[int | str, ...]]) -> None:
        self._insert = insert
        self._row: Callable[[int, Name], tuple[int | str, ...]] = row
        self._numbers: dict[Name, int] = {}
        self._last = 0
        # The numbers that were asked for since the last call of `unused`, and since the one before.
        self._used: tuple[set[int], set[int]] = (set(), set())
        self._given: deque[tuple[int, Name]] = deque()
        self._unwritten: list[tuple[int, Name]] = []

    def load(self, numbers: Iterable[tuple[int, Name]]) -> None:
        self._numbers = {name: number for number, name in numbers}
        self._last = max(self._numbers.values(), default=0)
        self._used[1].update(self._numbers.values())

    def known(self, name: Name) -> int | None:
        """The number of a name that has one."""
        return self._numbers.get(name)

    def number(self, name: Name) -> int:
        """The number of a name, given now if need be."""
        number = self._numbers.get(name)
        if number is None:
            self._last += 1
            number = self._numbers[name] = self._last
            self._given.append((number, name))
        self._used[1].add(number)
        return number

    def unused(self) -> dict[Name, int]:
        """The names whose numbers nobody has asked for since the call of this before the last."""
        before, since = self._used
        self._used = (since, set())
        return {
            name: number
            for name, number in self._numbers.items()
            if number not in before and number not in since
        }

    def since(self, numbers: Iterable[int]) -> set[int]:
        """Those of ``numbers`` that were asked for since the last call of `unused`."""
        return self._used[1].intersection(numbers)

    def forget(self, names: Iterable[Name]) -> None:
        """Names that are to be taken from the tables: their numbers never stand for others."""
        for name in names:
            del self._numbers[name]

    def write(self, execute: Execute) -> None:
        """Write what is not known to be written; in the writer's thread."""
        while self._given:
            self._unwritten.append(self._given.popleft())
        for number, name in self._unwritten:
            execute(self._insert, self._row(number, name))

    def written(self) -> None:
        """The transaction of the last `write` was committed."""
        self._unwritten.clear()


class Session:
    """The writing connection, and what is known of its data.

    Attributes:
        execute: runs a statement.
        seqs: the last ``seq`` of tenants, by number, as far as known; forgotten with a
            transaction that fails.
        tenants, carriers, lanes: the numbers of names.
        token: under which this process holds the file; 0 until it does (`take`).
        stats: what the transaction counts.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.token = 0
        self.execute: Execute = connection.execute
        self.seqs: dict[int, int] = {}
        self.tenants: Names[str] = Names(
            "INSERT INTO tenant (id, name) VALUES (?, ?)", lambda number, name: (number, name)
        )
        self.carriers: Names[str] = Names(
            "INSERT INTO carrier VALUES (?, ?)", lambda number, name: (number, name)
        )
        self.lanes: Names[LaneName] = Names(
            "INSERT INTO lane VALUES (?, ?, ?, ?, ?)", lambda number, name: (number, *name)
        )
        self._names = (self.tenants, self.carriers, self.lanes)
        self.stats = StatTable()
        self._doubtful = False

    def load(self) -> None:
        """Read the names."""
        self.tenants.load(self.execute("SELECT id, name FROM tenant"))
        self.carriers.load(self.execute("SELECT id, name FROM carrier"))
        lanes = self.execute("SELECT id, tenant, category, route, campaign FROM lane")
        self.lanes.load((number, (*name,)) for number, *name in lanes)

    def places(self, counts: Mapping[Key, int], hour: int) -> dict[Place, int]:
        """Counts of an hour, under the numbers of their tenants and carriers."""
        tenant_number, carrier_number = self.tenants.number, self.carriers.number
        return {
            (
                tenant_number(tenant),
                hour,
                campaign or "",
                variant or "",
                carrier_number(carrier) if carrier else UNNAMED,
                code,
            ): count
            for (tenant, campaign, variant, carrier, code), count in counts.items()
        }

    def last_seq(self, tenant: int) -> int:
        """The last ``seq`` of a tenant, by its number; in a transaction."""
        last = self.seqs.get(tenant)
        if last is None:
            [[last]] = self.execute("SELECT seq FROM tenant WHERE id = ?", (tenant,))
            self.seqs[tenant] = last
        return int(last)

    def transact(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do all of ``works`` in one transaction; where it raises, none of them was done."""

        def body() -> list[T]:
            for names in self._names:
                names.write(self.execute)
            values = [work() for work in works]
            self.stats.write(self.execute)
            return values

        self.clear_doubt()
        values = self._transaction(body)
        for names in self._names:
            names.written()
        return values

    def take(self) -> int:
        """Take the file over, under a new token, which is to be noted once that is committed; in a
        transaction."""
        [[token]] = self.execute("UPDATE node SET token = token + 1 RETURNING token")
        return int(token)

    def clear_doubt(self) -> None:
        """Make sure that a commit which failed stays failed; raises where that is not possible."""
        if self._doubtful:
            self._transaction(lambda: self.execute("UPDATE node SET repairs = repairs + 1"))

    def _transaction(self, body: Callable[[], T]) -> T:
        try:
            self.execute("BEGIN IMMEDIATE")
            [[token]] = self.execute("SELECT token FROM node")
            if self.token and token != self.token:
                name = self.connection.filename
                raise StoreFenced(f"{name}: another process has taken the store over")
            value = body()
            self._doubtful = True
            self.execute("COMMIT")
            self._doubtful = False
        except BaseException:
            self.seqs.clear()
            self.stats.forget()
            if self.connection.in_transaction:  # some errors roll back by themselves
                with contextlib.suppress(apsw.Error):  # the transaction is gone nevertheless
                    self.execute("ROLLBACK")
            raise
        return value
