"""The embedded store: one SQLite file, one process. Its one name is `SqliteStore`."""

from gateway.queue.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
