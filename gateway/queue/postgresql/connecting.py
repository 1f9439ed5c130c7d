"""Connections to the database, what has to be so of it, and what its errors mean to an operator.

A DSN may have a password: nothing here shows more of it than whose database it is and where.
"""

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, NamedTuple

import psycopg
from psycopg import Connection, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row

from gateway.errors import StoreError
from gateway.queue.postgresql import arrays
from gateway.queue.postgresql.hanging import Impatient

Synchronous = Literal["commit", "remote_apply", "local", "off"]
"""Before what a commit is answered: it is on this server's disk and, where there are synchronous
standbys, on theirs (``commit``); they show it to whoever asks them (``remote_apply``); it is on
this server's disk alone (``local``); nothing, so that a crash loses the last of them (``off``)."""

Connected = Connection[Any]

logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # what it warns of is raised as well

OLDEST: Final = 15
"""The version of PostgreSQL that is needed."""

PATIENCE: Final = 5
"""Seconds that a connection may take to be made."""

LOCK_TIMEOUT: Final = "10s"
"""How long a statement waits for others' locks."""

_SETTINGS: Final = {
    # Tables go from empty to millions of rows and back between two looks of the planner's: every
    # statement is to go by an index, whatever was counted last.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "timezone": "UTC",
    "lock_timeout": LOCK_TIMEOUT,
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
}

_KEEPALIVES: Final[dict[str, Any]] = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""So that a server that is gone without a word is noticed in some ten seconds."""

_LEVELS: Final = {"commit": "on", "remote_apply": "remote_apply", "local": "local", "off": "off"}

_SENTENCES: Final = (
    (r'database "(.*?)" does not exist', "there is no database {0}; make it: createdb {0}"),
    (r"password authentication failed|no password supplied", "the password is refused; mend it"),
    (r'role "(.*?)" does not exist', "there is no role {0}; make it: createuser {0}"),
    (r'role "(.*?)" is not permitted to log in',
        "role {0} may not log in; let it: ALTER ROLE {0} LOGIN"),
    (r'permission denied for database "(.*?)"',
        "the role may not connect to {0}; let it: GRANT CONNECT ON DATABASE {0} TO …"),
    (r'database "(.*?)" is not currently accepting',
        "{0} takes no connections; let it: ALTER DATABASE {0} ALLOW_CONNECTIONS true"),
    (r'relation "\w+" does not exist|function fence\(.*?\) does not exist',
        "its tables are gone; restore a backup of the database, and start the gateway again"),
    (r"no pg_hba.conf entry", "the server lets nobody in from here; add a line to its pg_hba.conf"),
    (r"too many (?:clients|connections)|remaining connection slots",
        "has no connection left; raise max_connections"),
    (r"starting up|shutting down|not yet accepting", "is starting or stopping; it is tried again"),
    (r"due to (?:lock|statement) timeout",
        "is held up by another connection's transaction; look for it in pg_stat_activity"),
    (r"session is (?:read-only|not read-write)|cannot execute .* in a read-only",
        "takes no writes, as a standby does; name the primary"),
)  # fmt: skip


class Target(NamedTuple):
    """A database, and how it is to be used.

    Attributes:
        dsn: a connection string of libpq, perhaps with a password.
        where: names it to a person.
        synchronous: see `Synchronous`.
    """

    dsn: str
    where: str
    synchronous: Synchronous

    @classmethod
    def of(cls, dsn: str, synchronous: Synchronous) -> "Target":
        return cls(dsn, where(dsn), synchronous)

    def __repr__(self) -> str:
        return f"Target({self.where!r})"


def where(dsn: str) -> str:
    """What may be shown of a DSN. Raises StoreError where it is none."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:  # what it says shows the DSN
        raise StoreError(
            "queue.dsn: is no connection string; write postgresql://USER@HOST:PORT/DATABASE"
        ) from None
    user, database = parts.get("user"), parts.get("dbname") or parts.get("user") or ""
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{f'{user}@' if user else ''}{host}{port}/{database}"


def store_error(target: Target, error: Exception) -> StoreError:
    """What an error of the database means."""
    told = str(error).strip().partition("\n")[0]
    if isinstance(error, errors.DiskFull):
        return StoreError(f"{target.where}: its disk is full; free some space", full=True)
    if isinstance(error, errors.InsufficientPrivilege):
        mend = "make the role the owner of its database: ALTER DATABASE … OWNER TO …"
        return StoreError(f"{target.where}: {told}; {mend}")
    for pattern, sentence in _SENTENCES:
        if match := re.search(pattern, str(error)):
            return StoreError(f"{target.where}: {sentence.format(*match.groups())}")
    if isinstance(error, psycopg.OperationalError):
        return StoreError(f"{target.where}: cannot be reached, or the connection is lost ({told})")
    return StoreError(f"{target.where}: {told}")


def connect(target: Target, name: str, seen: int = 0) -> Connected:
    """A connection of its own: where the DSN names several servers, to the one that leads. All of
    them are asked, since one that was left behind takes itself for the primary still.

    Args:
        seen: the highest `timeline` that was met with: a server that has not come so far was left
            behind by a failover.

    Raises:
        StoreError: there is none, or none that will do.
    """
    hosts = _each_host(target.dsn)
    with ThreadPoolExecutor(len(hosts)) as threads:
        answers = [threads.submit(_open, target, dsn, name) for dsn in hosts]
    refused = [error for one in answers if (error := one.exception()) is not None]
    found = [one.result() for one in answers if one.exception() is None]
    if not found:
        raise refused[-1]
    newest, connection = max(found, key=lambda one: one[0])
    for _, other in found:
        if other is not connection or newest < seen:
            other.close()
    if newest < seen:
        raise StoreError(
            f"{target.where}: is an old primary, left behind by a failover; stop it, and have it"
            " follow the new one (pg_rewind) before it is started again"
        )
    return connection


def timeline(connection: Connected) -> int:
    """Which timeline a server writes: one more after each failover."""
    name = show(connection, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    return int(name[:8], 16)


def _each_host(dsn: str) -> list[str]:
    """The DSN of each of the servers that one names."""
    parts = conninfo_to_dict(dsn)
    named = {
        key: str(parts[key]).split(",") for key in ("host", "hostaddr", "port") if key in parts
    }
    count = max((len(each) for each in named.values()), default=1)
    if count == 1:
        return [dsn]
    return [
        make_conninfo(dsn, **{key: each[number % len(each)] for key, each in named.items()})
        for number in range(count)
    ]


def _open(target: Target, dsn: str, name: str) -> tuple[int, Connected]:
    """A connection to one server, and its timeline. Raises StoreError where it will not do."""
    try:
        connection = Impatient.connect(
            dsn,
            autocommit=True,
            connect_timeout=PATIENCE,
            application_name=f"gateway {name}",
            row_factory=tuple_row,
            client_encoding="UTF8",  # whatever the environment says
            prepare_threshold=0,
            **_KEEPALIVES,
        )
    except psycopg.Error as error:
        # Its frames would hold the socket of an attempt that took too long, until a collection.
        raise store_error(target, error.with_traceback(None)) from None
    try:
        arrays.register(connection)
        _check(connection, target)
        level = {"synchronous_commit": _LEVELS[target.synchronous]}
        for setting, value in (_SETTINGS | level).items():
            connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
        return timeline(connection), connection
    except psycopg.Error as error:
        connection.close()
        raise store_error(target, error) from None
    except BaseException:
        connection.close()
        raise


def _check(connection: Connected, target: Target) -> None:
    """Make sure that the server keeps what it has committed. Raises StoreError."""
    if connection.info.server_version < OLDEST * 10_000:
        version = connection.info.server_version // 10_000
        raise StoreError(
            f"{target.where}: is PostgreSQL {version}; {OLDEST} or later is needed: upgrade it"
        )
    if show(connection, "SELECT pg_is_in_recovery()"):
        raise StoreError(
            f"{target.where}: is a standby, in recovery; name the primary, or all hosts with"
            " target_session_attrs=read-write"
        )
    encoding = show(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"{target.where}: has the encoding {encoding}, which does not hold every text; make it"
            " anew: createdb --encoding UTF8 --template template0"
        )
    if connection.info.backend_pid != show(connection, "SELECT pg_backend_pid()"):
        raise StoreError(
            f"{target.where}: is reached through a pooler, which may give each transaction another"
            " session; name the server itself"
        )
    if show(connection, "SHOW default_transaction_read_only") == "on":
        raise StoreError(
            f"{target.where}: takes no writes from this role, default_transaction_read_only is on;"
            " ALTER ROLE … or DATABASE … RESET default_transaction_read_only"
        )
    if target.synchronous == "off":
        return
    for setting in ("fsync", "full_page_writes"):
        if show(connection, f"SHOW {setting}") != "on":
            raise StoreError(
                f"{target.where}: runs with {setting}=off and loses what was answered when its"
                f' power fails; turn {setting} on, or say queue.synchronous = "off"'
            )


def show(connection: Connected, query: str) -> Any:
    """The one value that a query gives."""
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
