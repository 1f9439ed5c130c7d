"""Which engine a configuration asks for, and how it is made."""

from collections.abc import Callable
from typing import Literal

import msgspec

from gateway.queue.memory import MemoryStore
from gateway.queue.operators import OperatorStore
from gateway.queue.sqlite import SqliteStore

Backend = Literal["sqlite", "memory"]


class StoreOptions(msgspec.Struct, frozen=True):
    """What a store is made of.

    Attributes:
        backend: the engine.
        path: the file of an engine that has one.
    """

    backend: Backend
    path: str


def make(options: StoreOptions, observe_commit: Callable[[float], None]) -> OperatorStore:
    """A store, not open; ``observe_commit`` is told how long commits take."""
    if options.backend == "memory":
        return MemoryStore()
    return SqliteStore(options.path, observe_commit=observe_commit)
