"""What tests of a store's files and tables share."""

import apsw


class Clock:
    """Says what it is told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def rows(path: str, *tables: str) -> dict[str, int]:
    """The rows of a file, for others to see, of those of these tables that have any."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    counts = {
        table: next(iter(connection.execute(f"SELECT count(*) FROM {table}")))[0]
        for table in tables
    }
    connection.close()
    return {table: count for table, count in counts.items() if count}
