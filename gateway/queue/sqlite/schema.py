"""The tables of the SQLite store, their version, and the steps from one version to the next.

What each table is for is told in ``docs/store.md``. A file says what it is by its
``application_id`` and which schema it has by its ``user_version``, the number of steps taken.
"""

from collections.abc import Sequence
from typing import Final

import apsw
import msgspec

from gateway.errors import StoreError
from gateway.numbers import NumberError, canonical, read
from gateway.queue.sqlite.bulk import decode_message, encode_message

APPLICATION_ID: Final = 0x534D5347
"""``SMSG``: the file is a gateway's store and nobody else's database."""

WAITING, LEASED, SENT = 0, 1, 2
"""``message.state``. The partial indexes below name these numbers."""

GLOBAL_SCOPE: Final = 0
"""``optout.scope`` of `gateway.queue.store.GLOBAL`; tenants are numbered from 1."""

TENANT_BITS: Final = 40
"""``event.id`` is the tenant's number shifted by this, plus the ``seq`` of the first event."""

STEPS: Final[Sequence[str]] = (
    """
    CREATE TABLE tenant (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        seq INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE carrier (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE lane (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, category TEXT NOT NULL,
        route TEXT NOT NULL, UNIQUE (tenant, category, route));

    CREATE TABLE message (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, state INTEGER NOT NULL,
        due REAL NOT NULL, expires REAL NOT NULL, at REAL NOT NULL, campaign TEXT,
        body BLOB NOT NULL, states BLOB);
    CREATE INDEX message_due ON message (lane, due) WHERE state = 0;
    CREATE INDEX message_expires ON message (expires) WHERE state = 0;
    CREATE INDEX message_campaign ON message (campaign, lane)
        WHERE state = 0 AND campaign IS NOT NULL;
    CREATE INDEX message_leased ON message (id) WHERE state = 1;
    CREATE INDEX message_deadline ON message (due, lane) WHERE state = 2;

    CREATE TABLE key (generation INTEGER NOT NULL, name TEXT NOT NULL, message INTEGER NOT NULL,
        digest INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (generation, name)) WITHOUT ROWID;
    CREATE TABLE part (carrier INTEGER NOT NULL, ref TEXT NOT NULL, message INTEGER NOT NULL,
        part INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (carrier, ref)) WITHOUT ROWID;
    CREATE TABLE held (kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
        expires REAL NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;

    CREATE TABLE event (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, at REAL NOT NULL,
        body BLOB NOT NULL);
    CREATE TABLE finished (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, seq INTEGER NOT NULL);
    CREATE TABLE cursor (tenant INTEGER NOT NULL, consumer TEXT NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (tenant, consumer)) WITHOUT ROWID;

    CREATE TABLE optout (scope INTEGER NOT NULL, number TEXT NOT NULL, source TEXT NOT NULL,
        at REAL NOT NULL, PRIMARY KEY (scope, number)) WITHOUT ROWID;
    CREATE TABLE memo (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE node (id INTEGER PRIMARY KEY CHECK (id = 1), clean INTEGER NOT NULL,
        last_id INTEGER NOT NULL, repairs INTEGER NOT NULL);
    INSERT INTO node VALUES (1, 1, 0, 0);
    """,
    """
    CREATE TABLE optout_2 (scope INTEGER NOT NULL, number TEXT NOT NULL, source TEXT NOT NULL,
        at REAL NOT NULL, message TEXT, text TEXT, PRIMARY KEY (scope, number, source)
        ) WITHOUT ROWID;
    INSERT INTO optout_2 SELECT scope, number, source, at, NULL, NULL FROM optout
        ORDER BY scope, number;
    DROP TABLE optout;
    ALTER TABLE optout_2 RENAME TO optout;
    """,
    """
    ALTER TABLE key ADD COLUMN got INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE key ADD COLUMN not_before REAL;
    """,
    # Consumers of before count as seen now, and as having been in use for long.
    """
    CREATE TABLE epoch (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, mark TEXT);
    INSERT INTO epoch VALUES (1, lower(hex(randomblob(8))), NULL);
    ALTER TABLE cursor ADD COLUMN since REAL NOT NULL DEFAULT 0;
    ALTER TABLE cursor ADD COLUMN seen REAL NOT NULL DEFAULT 0;
    UPDATE cursor SET seen = unixepoch();
    """,
    # Each source of each phone keeps its opt-out, of two from one source the first.
    """
    CREATE TEMP TABLE other AS SELECT scope, number, source, at, message, text FROM optout
        WHERE phone(number) <> number;
    DELETE FROM optout WHERE phone(number) <> number;
    INSERT INTO optout SELECT scope, phone(number), source, at, message, text FROM other WHERE true
        ON CONFLICT DO UPDATE SET at = excluded.at, message = excluded.message, text = excluded.text
        WHERE excluded.at < optout.at;
    DROP TABLE other;
    UPDATE message SET body = as_dialled(body) WHERE state <> 2 AND as_dialled(body) <> body;
    """,
    # Each campaign has lanes of its own; '' is none.
    """
    CREATE TABLE lane_2 (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, category TEXT NOT NULL,
        route TEXT NOT NULL, campaign TEXT NOT NULL, UNIQUE (tenant, campaign, category, route));
    INSERT INTO lane_2 SELECT id, tenant, category, route, '' FROM lane;
    INSERT INTO lane_2 (tenant, category, route, campaign)
        SELECT DISTINCT tenant, category, route, campaign FROM message JOIN lane
        ON lane.id = message.lane WHERE campaign IS NOT NULL;
    DROP INDEX message_campaign;
    DROP INDEX message_due;
    UPDATE message SET lane = (SELECT to_lane.id FROM lane AS from_lane JOIN lane_2 AS to_lane
        USING (tenant, category, route)
        WHERE from_lane.id = message.lane AND to_lane.campaign = message.campaign)
        WHERE campaign IS NOT NULL;
    ALTER TABLE message DROP COLUMN campaign;
    CREATE INDEX message_due ON message (lane, due) WHERE state = 0;
    DROP TABLE lane;
    ALTER TABLE lane_2 RENAME TO lane;
    """,
    """
    CREATE TABLE stat_name (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, campaign TEXT NOT NULL,
        variant TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        UNIQUE (tenant, campaign, variant));
    CREATE TABLE stat (tenant INTEGER NOT NULL, hour INTEGER NOT NULL, name INTEGER NOT NULL,
        carrier INTEGER NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (tenant, hour, name, carrier, code)) WITHOUT ROWID;
    """,
    # What operators changed; numbers are never given twice.
    """
    CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
        body BLOB NOT NULL);
    """,
    """
    CREATE TABLE use (tenant INTEGER NOT NULL, number TEXT NOT NULL, message INTEGER NOT NULL,
        mark INTEGER NOT NULL, at REAL NOT NULL, keep INTEGER NOT NULL, sent INTEGER NOT NULL,
        PRIMARY KEY (tenant, number, message, mark)) WITHOUT ROWID;
    """,
    # Ids told the time until then.
    """
    ALTER TABLE node ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE node ADD COLUMN last_accepted REAL NOT NULL DEFAULT 0;
    UPDATE node SET last_accepted = (last_id >> 10) / 1024000.0;
    """,
    """
    CREATE TABLE taken (id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL);
    """,
    """
    CREATE TABLE consent (tenant INTEGER NOT NULL, number TEXT NOT NULL, n INTEGER NOT NULL,
        purpose TEXT NOT NULL, state TEXT NOT NULL, at REAL NOT NULL, source TEXT NOT NULL,
        wording TEXT, said_by TEXT, PRIMARY KEY (tenant, number, n)) WITHOUT ROWID;
    """,
    # Templates, a row for each version; a body that is empty deletes.
    """
    CREATE TABLE template (tenant INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        at REAL NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tenant, name, version)) WITHOUT ROWID;
    """,
    # What ended before has no life.
    """
    ALTER TABLE finished ADD COLUMN life BLOB;
    CREATE TABLE refusal (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, number TEXT NOT NULL,
        key TEXT, at REAL NOT NULL, code TEXT NOT NULL, rule TEXT, why TEXT NOT NULL,
        config TEXT NOT NULL);
    CREATE INDEX refusal_key ON refusal (tenant, key) WHERE key IS NOT NULL;
    CREATE INDEX refusal_number ON refusal (number);
    """,
    """
    CREATE TABLE failing (tenant INTEGER NOT NULL, number TEXT NOT NULL, times TEXT NOT NULL,
        until REAL NOT NULL, expires REAL NOT NULL, PRIMARY KEY (tenant, number)) WITHOUT ROWID;
    CREATE INDEX failing_expires ON failing (expires);
    """,
    # What tenants have spent, and what messages without an outcome have added to it.
    """
    CREATE TABLE account (tenant INTEGER NOT NULL, name TEXT NOT NULL, amount INTEGER NOT NULL,
        PRIMARY KEY (tenant, name)) WITHOUT ROWID;
    CREATE TABLE charge (message INTEGER NOT NULL, name TEXT NOT NULL, tenant INTEGER NOT NULL,
        amount INTEGER NOT NULL, PRIMARY KEY (message, name)) WITHOUT ROWID;
    """,
    # How a carrier that has a message got it.
    """
    ALTER TABLE message ADD COLUMN handed BLOB;
    """,
    """
    CREATE TABLE arrived (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE progress (message INTEGER PRIMARY KEY, states BLOB NOT NULL);
    """,
    # What counts has a row for each message, not for each thing that it counts as.
    """
    CREATE TABLE reserved (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE spent (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE use_2 (tenant INTEGER NOT NULL, number TEXT NOT NULL, message INTEGER NOT NULL,
        marks BLOB NOT NULL, at REAL NOT NULL, keep INTEGER NOT NULL, sent INTEGER NOT NULL,
        PRIMARY KEY (tenant, number, message)) WITHOUT ROWID;
    INSERT INTO use_2 SELECT tenant, number, message, CAST(group_concat(octets(mark), '') AS BLOB),
        max(at), max(keep), max(sent) FROM use GROUP BY tenant, number, message;
    DROP TABLE use;
    ALTER TABLE use_2 RENAME TO use;
    """,
    """
    CREATE TABLE backlog (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, state INTEGER NOT NULL,
        due REAL NOT NULL, expires REAL NOT NULL, at REAL NOT NULL, accepted REAL NOT NULL,
        size INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        reach INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX backlog_due ON backlog (lane, due, first, last, size, at, accepted)
        WHERE state = 0;
    CREATE INDEX backlog_expires ON backlog (expires) WHERE state = 0;
    CREATE INDEX backlog_leased ON backlog (id) WHERE state = 1;
    CREATE INDEX backlog_numbers ON backlog (reach, first, last);
    """,
    # Imports that hold all or not at all, and their changes until they do.
    """
    CREATE TABLE import (tenant INTEGER NOT NULL, name TEXT NOT NULL, at REAL NOT NULL,
        size INTEGER NOT NULL, rest INTEGER NOT NULL, changed INTEGER NOT NULL, marked REAL,
        PRIMARY KEY (tenant, name)) WITHOUT ROWID;
    CREATE TABLE staged (tenant INTEGER NOT NULL, name TEXT NOT NULL, part INTEGER NOT NULL,
        size INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (tenant, name, part));
    """,
)
"""Step *n* leads from version *n* to *n* + 1. Steps are added, never changed. They may call the
functions `octets`, `phone` and `as_dialled`; the last two follow the rules of `gateway.numbers` as
they are now."""


def _dialled(number: str) -> str:
    """A number that was stored as it was written, without what is dialled at home alone."""
    try:
        return read(number)
    except NumberError:
        return number


def _phone(number: str) -> str:
    """The number that stands for the phone of one that was stored as it was written."""
    return canonical(_dialled(number))


def _as_dialled(body: bytes) -> bytes:
    """A message to the number as it is dialled: its opt-outs are found under that one."""
    message = decode_message(body)
    number = _dialled(message.to)
    if number == message.to:
        return body
    return encode_message(msgspec.structs.replace(message, to=number))


def _octets(number: int) -> bytes:
    """An integer of 64 bits as eight octets."""
    return number.to_bytes(8, "big", signed=True)


def check(connection: apsw.Connection, path: str, steps: Sequence[str] = STEPS) -> None:
    """Make sure that the file is new, or a store that this program can use, and change nothing.

    Raises StoreError where it is another program's or a newer gateway's.
    """
    owner, version = connection.pragma("application_id"), connection.pragma("user_version")
    empty = not list(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1"))
    if owner != APPLICATION_ID and not (empty and owner == 0):
        raise StoreError(f"{path}: is another program's database; give another queue.path")
    if version > len(steps):
        raise StoreError(
            f"{path}: has schema version {version}, this gateway knows up to {len(steps)};"
            " run the newer gateway, or restore a backup made before it ran"
        )


_FUNCTIONS: Final = {"phone": _phone, "as_dialled": _as_dialled, "octets": _octets}


def migrate(connection: apsw.Connection, steps: Sequence[str] = STEPS) -> None:
    """Bring the file to the newest schema, each step in one transaction."""
    version = connection.pragma("user_version")
    if version < len(steps):
        for name, function in _FUNCTIONS.items():
            connection.create_scalar_function(name, function, 1, deterministic=True)  # type: ignore[arg-type]  # SQLite gives it what the column has
    for number, step in enumerate(steps[version:], version + 1):
        with connection:
            connection.execute(step)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", number)
