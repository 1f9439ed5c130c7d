"""A store to ask, of any engine, with a clock that the test sets and ways to end and open it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgpack

from gateway.message import Event, LaneKey, Message
from gateway.queue.events import CHUNK
from gateway.queue.memory import MemoryStore
from gateway.queue.postgresql import PostgresStore
from gateway.queue.sqlite import SqliteStore
from gateway.queue.store import (
    Entry,
    EventChunk,
    Final,
    Known,
    Notice,
    OptoutChange,
    OptoutSource,
    Recovery,
    Store,
)
from tests.servers import Postgres

LANE = LaneKey("acme", "transactional", "uk")
SOURCES: tuple[OptoutSource, ...] = ("keyword", "api", "import", "complaint")
MakeMessage = Callable[..., Message]
MakeEntry = Callable[..., Entry]
MakeFinal = Callable[..., Final]


class Engine(Protocol):
    """A kind of store, with storage of its own."""

    def drop(self) -> None:
        """Have the storage go, if it does not by itself."""

    def store(self, clock: Callable[[], float]) -> Store:
        """A store on what there is, not open."""

    def survivor(self, store: Store, clock: Callable[[], float]) -> Store:
        """A store on what a process that was killed now would leave."""

    def rival(self, store: Store, clock: Callable[[], float]) -> Store:
        """A store of another process on the same storage, which may take it over."""


class Memory:
    """The engine in memory, which stands in for its own storage."""

    def drop(self) -> None:
        pass

    def store(self, clock: Callable[[], float]) -> Store:
        return MemoryStore(clock)

    def survivor(self, store: Store, _: Callable[[], float]) -> Store:
        return store

    def rival(self, store: Store, _: Callable[[], float]) -> Store:
        assert isinstance(store, MemoryStore)
        return store.beside()


class Sqlite:
    """The engine in a file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "store"
        self._directory.mkdir()
        self._copies = 0

    def drop(self) -> None:
        pass

    def store(self, clock: Callable[[], float]) -> Store:
        return SqliteStore(str(self._directory / "store.db"), clock=clock)

    def survivor(self, _: Store, clock: Callable[[], float]) -> Store:
        self._copies += 1
        copy = self._directory.with_name(f"store-{self._copies}")
        shutil.copytree(self._directory, copy, ignore=shutil.ignore_patterns("*-shm"))
        self._directory = copy
        return self.store(clock)

    def rival(self, _: Store, clock: Callable[[], float]) -> Store:
        (self._directory / "store.db.lock").unlink()  # so that nothing but the token is in the way
        return self.store(clock)


READY = "ready"
"""A database that has the schema, of which each test has a copy."""


class Postgresql:
    """The engine in a database."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._database = server.database(READY)
        self._nodes = 0

    def drop(self) -> None:
        self._server.drop(self._database)

    def store(self, clock: Callable[[], float]) -> Store:
        self._nodes += 1
        return PostgresStore(
            self._server.dsn(self._database), node=f"node-{self._nodes}", clock=clock
        )

    def survivor(self, store: Store, clock: Callable[[], float]) -> Store:
        return self.rival(store, clock)

    def rival(self, _: Store, clock: Callable[[], float]) -> Store:
        # As if it had been silent for as long as its lease.
        self._server.ask(self._database, "UPDATE node SET until = '-infinity'")
        return self.store(clock)


ENGINES = ("memory", "sqlite", "chunks", "postgresql", "postgresql-chunks")
"""Every engine, and those on disk with a chunk for whatever waits."""

REFUSING = ("memory", "sqlite", "postgresql")
"""Those that refuse a message whose number another has that waits. Chunks do not look."""


def engine(name: str, folder: Path, server: Callable[[], Postgres]) -> Engine:
    """An engine with storage of its own; ``server`` is asked for where one is needed."""
    if name == "memory":
        return Memory()
    if name in ("sqlite", "chunks"):
        return Sqlite(folder)
    return Postgresql(server())


class Rig:
    """A store, a clock that the test sets, and ways to end and open it again."""

    def __init__(self, engine: Engine) -> None:
        self.now = 1_000.0
        self._engine = engine
        self._killed: list[Store] = []
        self.store = engine.store(lambda: self.now)

    async def reopen(self) -> Recovery:
        """End in order and open again."""
        await self.store.aclose()
        return await self.store.open()

    async def crash(self) -> Recovery:
        """Open what a process that was killed now would leave."""
        self._killed.append(self.store)
        self.store = self._engine.survivor(self.store, lambda: self.now)
        return await self.store.open()

    async def overtake(self) -> Recovery:
        """Have another process take over the storage, which is the store from here on."""
        self._killed.append(self.store)
        self.store = self._engine.rival(self.store, lambda: self.now)
        return await self.store.open()

    async def aclose(self) -> None:
        for store in [*self._killed, self.store]:
            await store.aclose()
        self._engine.drop()


def known(message: int, digest: int = 1, not_before: float | None = None) -> Known:
    """What the key of one of these messages stands for."""
    return Known(message, digest, 1, "ucs2", not_before)


def change(
    number: str, out: bool = True, scope: str = "acme", source: OptoutSource = "api"
) -> OptoutChange:
    return OptoutChange(scope, number, out, source, 1_000.0)


def notices(tenant: str, count: int, text: str = "hi") -> list[Notice]:
    return [Notice(tenant, Event("inbound", 1_000.0 + n, text=text)) for n in range(count)]


def decoded(chunks: list[EventChunk]) -> list[dict[str, Any]]:
    """The events of chunks as a subscriber reads them; checks that the chunks are what they say."""
    found: list[dict[str, Any]] = []
    for chunk in chunks:
        unpacker = msgpack.Unpacker()
        unpacker.feed(chunk.body)
        maps = list(unpacker)
        assert [event["seq"] for event in maps] == list(range(chunk.first, chunk.last + 1))
        assert len(maps) == chunk.size <= CHUNK
        found += maps
    return found
