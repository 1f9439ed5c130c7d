"""The store in memory, for tests. Its one name is `MemoryStore`."""

from gateway.queue.memory.store import MemoryStore

__all__ = ["MemoryStore"]
