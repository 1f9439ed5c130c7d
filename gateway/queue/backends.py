"""Which engine a configuration asks for, and how it is made."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from gateway.errors import StoreError
from gateway.queue.memory import MemoryStore
from gateway.queue.operators import OperatorStore
from gateway.queue.sqlite import SqliteStore

Backend = Literal["sqlite", "postgresql", "memory"]

Synchronous = Literal["commit", "remote_apply", "local", "off"]
"""See `gateway.queue.postgresql.connecting.Synchronous`."""


class StoreOptions(msgspec.Struct, frozen=True):
    """What a store is made of.

    Attributes:
        backend: the engine.
        path: the file of an engine that has one.
        dsn: the connection string of one that has a server, perhaps with a password.
        node: the name of this node there.
        nodes: how many nodes work on it at a time.
        synchronous: what a commit waits for there.
    """

    backend: Backend
    path: str = ""
    dsn: str = ""
    node: str = ""
    nodes: int = 1
    synchronous: Synchronous = "commit"

    def __repr__(self) -> str:
        """Without the DSN."""
        return f"StoreOptions({self.backend!r}, {self.path!r})"


def where(options: StoreOptions) -> str:
    """Names the storage to a person."""
    if options.backend != "postgresql":
        return options.path
    from gateway.queue.postgresql.connecting import where as shown  # noqa: PLC0415

    return shown(options.dsn)


SQLITE: Final = "sqlite://"

MOVER: Final = "migrate"
"""The node that a store is for the time in which it is moved."""


def named(url: str) -> StoreOptions:
    """The store that a URL names, ``sqlite://PATH`` or ``postgresql://…``, to move it. Raises
    StoreError."""
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return StoreOptions("sqlite", path=url.removeprefix(SQLITE))
    if url.startswith(("postgresql://", "postgres://")):
        return StoreOptions("postgresql", dsn=url, node=MOVER)
    scheme = url.partition("://")[0] if "://" in url else ""
    raise StoreError(
        f"{scheme or 'a store'}: write sqlite://PATH or postgresql://USER@HOST:PORT/DATABASE"
    )


def make(options: StoreOptions, observe_commit: Callable[[float], None]) -> OperatorStore:
    """A store, not open; ``observe_commit`` is told how long commits take."""
    if options.backend == "memory":
        return MemoryStore()
    if options.backend == "sqlite":
        return SqliteStore(options.path, observe_commit=observe_commit)
    # Imported where it is asked for: it takes 50 ms and 10 MB that nobody else needs.
    from gateway.queue.postgresql import PostgresStore  # noqa: PLC0415

    return PostgresStore(
        options.dsn,
        node=options.node,
        nodes=options.nodes,
        synchronous=options.synchronous,
        observe_commit=observe_commit,
    )
