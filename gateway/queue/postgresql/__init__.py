"""The store in a PostgreSQL database. Its one name is `PostgresStore`."""

from gateway.queue.postgresql.store import PostgresStore

__all__ = ["PostgresStore"]
