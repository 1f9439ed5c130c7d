"""History in generations: events, outcomes and keys are written to the newest one, and go by the
dropping of its tables once all that it has is old.

A generation is a partition of ``event`` and of ``finished``; those of ``key`` last for several,
since a new key is looked for in each of them. No clock says where a row goes: a node writes to the
generation that it knows as the newest, by the names of the tables, and the end of its transaction
is refused where that has ended meanwhile (``fence``); then the node learns which is the newest, and
makes the transaction again. So no key is ever in two partitions, whichever nodes it came to:

- whoever ends a generation locks its tables against writing, which waits for the transactions that
  have written there; one that comes later is refused at its end.
- whoever writes to the next one sees all that the ones before have.

Generation 0 is what there was before, or came from another store: of all ages, so its rows are
deleted as they grow old.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.queue import events
from gateway.queue.postgresql import statements
from gateway.queue.postgresql.arrays import int4s, int8s
from gateway.queue.postgresql.connecting import LOCK_TIMEOUT, Connected
from gateway.queue.store import EventChunk

if TYPE_CHECKING:
    from gateway.queue.postgresql.session import Session, Work

SQL: Final = statements.load("generations")

TABLES: Final = ("event", "finished", "key")
"""The tables that are in generations."""

TURNS: Final = 8
"""Generations in the time that history is kept for: how much longer one may be kept is an eighth of
it."""

KEY_TURNS: Final = 2
"""The same of keys: a new one is looked for in two partitions beside that which it goes into. Each
costs 3 µs of the server's time."""

BLOCK: Final = 5_000
"""Rows of generation 0 forgotten at a time."""

PAGES: Final = 64
"""Pages of old keys that are looked through at a time: some 5,000 keys."""


class Generation(NamedTuple):
    """The newest generation.

    Attributes:
        keys: the one whose partition its keys are in.
        since: when it began, by the clock of the node that began it.
        keys_since: when that of the keys did.
    """

    number: int
    keys: int
    since: float
    keys_since: float


NONE: Final = Generation(0, 0, 0.0, 0.0)
"""Before it is known."""


def placed(statement: bytes, generation: Generation) -> bytes:
    """A statement with the names of the tables of a generation."""
    number, keys = b"%d" % generation.number, b"%d" % generation.keys
    for name, of in ((b"event", number), (b"finished", number), (b"key", keys)):
        statement = statement.replace(b"{%s}" % name, b"%s_%s" % (name, of))
    return statement.replace(b"{keys}", keys)


def numbered(name: str, number: int) -> bytes:
    """A statement on the tables of another generation."""
    text = b"%d" % number
    return SQL[name].replace(b"{made}", text).replace(b"{old}", text)


def mixed(table: str) -> str:
    """The table for rows of all ages."""
    return f"{table}_0" if table in TABLES else table


def current(connection: Connected) -> Generation:
    """The newest generation."""
    [row] = connection.cursor(binary=True).execute(SQL["current"]).fetchall()
    return Generation(*row)


def is_over(since: float, now: float, seconds: float) -> bool:
    """Whether something has lasted for long; so it has if the clock was set back by as much."""
    return abs(now - since) >= seconds


def turn(known: Generation, now: float, kept: float, *, anew: bool) -> "Work[Generation]":
    """Ends a generation that has anything and begins the next one, unless another node has done so;
    gives the newest one.

    Args:
        known: the one to end.
        kept: seconds that history is kept for.
        anew: have the keys go to a new partition too, however long the last one has lasted.
    """

    def work(session: "Session") -> Callable[[], Generation]:
        execute = session.execute
        execute(SQL["hurry"])
        rows = execute(SQL["lock_current"]).fetchall()
        # Where another has just ended it, the end of the transaction says so, and it is made again.
        found = Generation(*rows[0]) if rows else known
        if rows and found == known == session.generation:
            found = _next(session, known, now, kept, anew=anew)
            session.turn(found)
        execute(b"SET LOCAL lock_timeout = '%s'" % LOCK_TIMEOUT.encode())
        return lambda: found

    return work


def _next(
    session: "Session", known: Generation, now: float, kept: float, *, anew: bool
) -> Generation:
    execute = session.execute
    [[used]] = execute(placed(SQL["used"], known)).fetchall()
    if not used:
        execute(SQL["touch"], {"now": now})
        keys_since = now if known.keys == known.number else known.keys_since
        return known._replace(since=now, keys_since=keys_since)
    number = known.number + 1
    begun = known._replace(number=number, since=now)
    execute(numbered("make", number))
    if anew or is_over(known.keys_since, now, kept / KEY_TURNS):
        begun = Generation(number, number, now, now)
        execute(numbered("make_keys", number))
    execute(placed(SQL["end"], known))
    execute(placed(SQL["close"], known), {"now": now})
    execute(SQL["begin"], begun._asdict())
    return begun


class Old(NamedTuple):
    """A generation that is old; ``last`` says that no other has its keys with those of ``keys``."""

    number: int
    keys: int
    last: bool


def oldest(connection: Connected, before: float) -> Old | None:
    """The first generation that has ended and is old, if there is one."""
    rows = connection.cursor(binary=True).execute(SQL["oldest"], {"before": before}).fetchall()
    return Old(*rows[0]) if rows else None


def all_old(connection: Connected, known: Generation, before: float) -> bool:
    """Whether all that the newest generation has is old, and something of it may go."""
    [[found]] = connection.execute(placed(SQL["all_old"], known), {"before": before}).fetchall()
    return bool(found)


def key_pages(connection: Connected, keys: int) -> int:
    """How many pages a partition of keys has."""
    [[found]] = connection.execute(numbered("key_pages", keys)).fetchall()
    return int(found)


def keep_keys(keys: int, page: int) -> "Work[None]":
    """Takes the keys of messages without an outcome over to the newest partition, from some pages
    of an old one."""

    def work(session: "Session") -> Callable[[], None]:
        asked = {"start": page, "stop": page + PAGES}
        session.execute(session.placed(numbered("keep_keys", keys)), asked)
        return lambda: None

    return work


def drop(old: Old) -> "Work[None]":
    """Drops the tables of an old generation, and its keys with the last of those that share them.
    Others wait for as long as that waits for them: a moment, else it is to be tried again."""

    def work(session: "Session") -> Callable[[], None]:
        execute = session.execute
        execute(SQL["hurry"])
        if execute(SQL["forget"], {"number": old.number}).fetchall():
            if old.last:
                execute(numbered("drop_keys", old.keys))
            execute(numbered("drop", old.number))
        execute(b"SET LOCAL lock_timeout = '%s'" % LOCK_TIMEOUT.encode())
        return lambda: None

    return work


def first_kept(connection: Connected) -> dict[str, int]:
    """The first ``seq`` of each tenant that is still kept."""
    return dict(connection.execute(SQL["first_kept"]).fetchall())


# --- generation 0 ---

Row = tuple[str, int, int, int, bytes]
"""The name and number of a tenant, and a chunk of its events."""


def old_events(connection: Connected, before: float, limit: int) -> list[Row]:
    """The oldest chunks whose events are all from before a moment: about ``limit`` events."""
    values = {"before": before, "limit": max(1, limit)}
    found: list[Row] = []
    total = 0
    for row in connection.cursor(binary=True).execute(SQL["old_events"], values):
        found.append(row)
        total += row[3]
        if total >= limit:
            break
    return found


def forget_events(old: Sequence[Row]) -> "Work[int]":
    """Forgets chunks and whose outcomes they tell; gives how many rows went."""
    chunks = [EventChunk(name, first, size, bytes(body)) for name, _, first, size, body in old]
    told = [number for chunk in chunks for number in events.message_numbers(chunk)]

    def work(session: "Session") -> Callable[[], int]:
        values = {
            "tenants": int4s([number for _, number, *_ in old]),
            "firsts": int8s([chunk.first for chunk in chunks]),
        }
        gone = session.execute(SQL["forget_events"], values)
        finished = session.execute(SQL["forget_finished"], {"ids": int8s(told)})
        return lambda: gone.rowcount + finished.rowcount

    return work


def forget_keys(before: float, limit: int) -> "Work[int]":
    """Forgets keys whose messages have their outcome; gives how many went."""

    def work(session: "Session") -> Callable[[], int]:
        gone = session.execute(SQL["forget_keys"], {"before": before, "limit": limit})
        return lambda: gone.rowcount

    return work


def empty(connection: Connected) -> bool:
    """Whether nothing is left, but for the room that it took."""
    [[found]] = connection.execute(SQL["emptied"]).fetchall()
    return bool(found)


def give_room_back() -> "Work[None]":
    """Has the disk have the room of generation 0 again, of which nothing is left."""

    def work(session: "Session") -> Callable[[], None]:
        session.execute(SQL["hurry"])
        session.execute(SQL["empty"])
        session.execute(b"SET LOCAL lock_timeout = '%s'" % LOCK_TIMEOUT.encode())
        return lambda: None

    return work
