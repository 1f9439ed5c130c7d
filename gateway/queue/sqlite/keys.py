"""Idempotency keys, in generations.

Keys are often random, and in one large tree each would change a page of its own: with some
millions of them, a new one costs ten times as much as in an empty table. So keys go into the
newest of many small generations, whose few pages change together, and an old generation goes as a
whole. That a key is in none of them is known from a filter alone; one that may be in some is
looked for in all, the newest first.

A key is stored as its name, which says whose it is: the tenant's number and the key. Beside it, in
few bytes, is what whoever uses it again has to be told.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Encoding
from gateway.queue.filter import BitFilter
from gateway.queue.sqlite.bulk import Execute, Rows, decode_texts, numbers, texts
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Entry, Known

GENERATION: Final = 65_536
"""Keys in a generation at most. Measured with random keys: 2.2 µs each, with four times as many
4.7 µs; with half as many 1.5 µs, but twice the generations to look through."""

GENERATION_AGE: Final = 86_400.0
"""Seconds between the first and the last key of a generation: how much longer than asked for a
key may be kept."""

RECENT: Final = 4
"""Generations looked through first: who sends a message again mostly does it soon."""

AHEAD: Final = 4
"""Generations to come that the filter has room for from the start."""

BLOCK: Final = 4_096
"""Keys read or dropped at a time: a few milliseconds."""

_INSERT: Final = Rows.inserted(
    "OR ROLLBACK INTO key (generation, at, name, message, digest, got, not_before)", 5, shared=2
)
_decode_rows = msgspec.json.Decoder(list[tuple[str, int, int, int, float | None]]).decode


def name(tenant: int, key: str) -> str:
    """The name of a tenant's key."""
    return f"{tenant}:{key}"


def key(name: str) -> str:
    """The key of a name."""
    return name.partition(":")[2]


class Generation(msgspec.Struct):
    """A generation's number, its keys' count, and when its first and last message came."""

    number: int
    size: int
    oldest: float
    newest: float


class KeyIndex:
    """What the event loop knows of all keys: their generations and the filter.

    Keys are noted when a call is made, before its commit: after one that fails, they are merely
    looked for in vain.
    """

    def __init__(self, generations: list[Generation], seen: BitFilter) -> None:
        self._generations = generations
        self._seen = seen

    def numbers(self) -> list[int]:
        """The generations, the newest first."""
        return [generation.number for generation in reversed(self._generations)]

    def perhaps(self, names: Sequence[str]) -> set[str]:
        """Those that may be stored."""
        return self._seen.maybe(names)

    def note(self, names: Sequence[str], now: float) -> set[str]:
        """Note the keys of messages that came ``now``; they go into the newest generation.

        Returns:
            those that may be stored already or are twice among ``names``.
        """
        generation = self._generations[-1] if self._generations else self._begin(now)
        if generation.size + len(names) > GENERATION or now - generation.oldest > GENERATION_AGE:
            generation = self._begin(now)
        perhaps = self._seen.maybe(names)
        if len(set(names)) < len(names):
            perhaps.update(name for name, times in Counter(names).items() if times > 1)
        self._seen.add(names, generation.number)
        generation.size += len(names)
        generation.newest = max(generation.newest, now)
        return perhaps

    def retire(self, before: float) -> int | None:
        """A generation all of whose keys came before a moment; nothing goes into it any more."""
        if not self._generations or self._generations[0].newest >= before:
            return None
        if len(self._generations) == 1:
            self._begin(before)
        return self._generations[0].number

    def newest(self) -> int:
        """The generation that keys go into now."""
        return self._generations[-1].number

    def moved(self, names: Sequence[str], now: float) -> None:
        """Keys have been moved to the newest generation, as if their messages had come now."""
        self._seen.add(names, self.newest())
        self._generations[-1].newest = max(self._generations[-1].newest, now)

    def dropped(self, number: int) -> None:
        """A generation is gone."""
        self._generations = [g for g in self._generations if g.number != number]
        self._seen.forget(number)

    def _begin(self, now: float) -> Generation:
        number = self.newest() + 1 if self._generations else 1
        self._generations.append(Generation(number, 0, now, now))
        return self._generations[-1]


def load(execute: Execute) -> KeyIndex:
    """The index of all that is stored: some 0.5 µs for each key."""
    stored = [
        number
        for [number] in execute(
            """WITH RECURSIVE step (number) AS (SELECT min(generation) FROM key UNION ALL
            SELECT (SELECT min(generation) FROM key WHERE generation > number) FROM step
            WHERE number IS NOT NULL) SELECT number FROM step WHERE number IS NOT NULL"""
        )
    ]
    seen = BitFilter((len(stored) + AHEAD) * GENERATION)
    generations = []
    for number in stored:
        query = "SELECT count(*), min(at), max(at) FROM key WHERE generation = ?"
        [(size, oldest, newest)] = execute(query, (number,))
        generations.append(Generation(number, size, oldest, newest))
        last = ""
        while names := _after(execute, number, last):
            seen.add(names, number)
            last = names[-1]
    return KeyIndex(generations, seen)


def _after(execute: Execute, generation: int, last: str) -> list[str]:
    [[names]] = execute(
        """SELECT json_group_array(name) FROM (SELECT name FROM key
        WHERE generation = ? AND name > ? ORDER BY name LIMIT ?)""",
        (generation, last, BLOCK),
    )
    return decode_texts(names)


class KeyRow(NamedTuple):
    """What is a key's own in its row of the table. ``got`` is twice the message's parts, and one
    more where it is in UCS-2: a byte, for most."""

    name: str
    message: int
    digest: int
    got: int
    not_before: float | None

    @property
    def known(self) -> Known:
        encoding: Encoding = "ucs2" if self.got & 1 else "gsm7"
        return Known(self.message, self.digest, self.got >> 1, encoding, self.not_before)


def lookup(execute: Execute, generations: Sequence[int], names: Iterable[str]) -> dict[str, Known]:
    """What keys stand for; unknown ones are left out. ``generations``: the newest first."""
    standing: dict[str, Known] = {}
    missing = set(names)
    for some in (generations[:RECENT], generations[RECENT:]):
        if not some or not missing:
            break
        [[found]] = execute(
            """SELECT json_group_array(json_array(name, message, digest, got, not_before)) FROM key
            WHERE generation IN (SELECT value FROM carray(?))
            AND name IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
            (numbers(some), texts(missing)),
        )
        standing |= {stored[0]: KeyRow(*stored).known for stored in _decode_rows(found)}
        missing -= standing.keys()
    return standing


def row(name: str, entry: Entry) -> tuple[str, int, int, int, float | None]:
    """The fields of the `KeyRow` of an entry's key: most are never made one."""
    m = entry.message
    got = m.parts << 1 | (m.encoding == "ucs2")
    return name, m.id, entry.digest, got, m.due if m.due > m.accepted_at else None


class KeyRows(NamedTuple):
    """The keys of a call, all of messages that came ``at`` a moment. ``perhaps``, by the index of
    their entry, may be stored already; the others, ``fresh``, are not, one `KeyRow` after the
    other. ``generations`` are the newest first; the keys go into the first of them."""

    fresh: list[Any]
    perhaps: list[tuple[int, KeyRow]]
    generations: list[int]
    at: float


def insert(execute: Execute, rows: KeyRows) -> dict[int, Known]:
    """Store keys; returns what those stand for that were stored, by the index of their entry."""
    shared = (*rows.generations[:1], rows.at)
    _INSERT.run(execute, rows.fresh, shared)
    duplicates: dict[int, Known] = {}
    if rows.perhaps:
        standing = lookup(execute, rows.generations, [key_row.name for _, key_row in rows.perhaps])
        fresh: list[Any] = []
        for index, key_row in rows.perhaps:
            if key_row.name in standing:
                duplicates[index] = standing[key_row.name]
            else:
                standing[key_row.name] = key_row.known
                fresh += key_row
        _INSERT.run(execute, fresh, shared)
    return duplicates


def drop_block(session: Session, number: int, newest: int, now: float) -> tuple[int, list[str]]:
    """Drop some keys of a generation, but move those of messages without an outcome to the newest.

    Returns:
        how many keys went or moved, 0 once there are none, and those that moved.
    """
    execute = session.execute
    names = _after(execute, number, "")
    if not names:
        return 0, []
    block = (number, names[-1])
    [[moved]] = execute(
        """SELECT json_group_array(name) FROM key
        WHERE generation = ? AND name <= ? AND message IN (SELECT id FROM message)""",
        block,
    )
    execute(
        """INSERT OR IGNORE INTO key SELECT ?3, name, message, digest, ?4, got, not_before FROM key
        WHERE generation = ?1 AND name <= ?2 AND message IN (SELECT id FROM message)""",
        (*block, newest, now),
    )
    execute("DELETE FROM key WHERE generation = ? AND name <= ?", block)
    return len(names), decode_texts(moved)
