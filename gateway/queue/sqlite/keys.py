"""Idempotency keys, in generations.

Keys are often random, and in one large tree each would change a page of its own: ten million of
them make a new one cost ten times as much as an empty table does. So keys go into the newest of
many small generations, whose few pages all stay in memory, and a generation that is old goes as a
whole. That a key is in none of them is known from a filter alone; only where it perhaps is, or
where somebody asks, are all generations looked through, the newest first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.queue.filter import BitFilter
from gateway.queue.sqlite.bulk import Execute, Rows, numbers, texts
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Known

GENERATION: Final = 65_536
"""Keys in a generation at most. Measured with random keys: 2.2 µs each, with four times as many
4.7 µs; with half as many 1.5 µs, but twice the generations to look through."""

GENERATION_AGE: Final = 86_400.0
"""Seconds between the first and the last key of a generation: how much longer than asked for a
key may be kept."""

RECENT: Final = 4
"""Generations looked through first: who sends a message again mostly does it soon."""

BLOCK: Final = 4_096
"""Keys read or dropped at a time: a few milliseconds."""

_INSERT: Final = Rows("INSERT OR ROLLBACK INTO key", 6)
_decode_names = msgspec.json.Decoder(list[tuple[int, str]]).decode
_decode_known = msgspec.json.Decoder(list[tuple[str, int, int]]).decode

Name = tuple[int, str]
"""A tenant's number and a key."""


class Key(NamedTuple):
    """A row of the table."""

    generation: int
    tenant: int
    key: str
    message: int
    digest: int
    at: float


class Generation(msgspec.Struct):
    """A generation's number, its keys' count, and when its first and last message came."""

    number: int
    size: int
    oldest: float
    newest: float


class KeyIndex:
    """What the event loop knows of all keys: their generations and the filter.

    Keys are noted when a call is made, before its commit: after one that fails, they are merely
    asked for in vain.
    """

    def __init__(self, generations: list[Generation], seen: BitFilter) -> None:
        self._generations = generations
        self._seen = seen

    def numbers(self) -> list[int]:
        """The generations, the newest first."""
        return [generation.number for generation in reversed(self._generations)]

    def note(self, names: Sequence[Name], now: float) -> tuple[int, set[Name]]:
        """Note (tenant, key) pairs of messages that came ``now``.

        Returns:
            the generation that they go into, and those that may be known already.
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
        return generation.number, perhaps

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

    def moved(self, names: Sequence[Name], now: float) -> None:
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
        Generation(number, size, oldest, newest)
        for number, size, oldest, newest in execute(
            """WITH RECURSIVE step (number) AS (SELECT min(generation) FROM key UNION ALL
            SELECT (SELECT min(generation) FROM key WHERE generation > number) FROM step
            WHERE number IS NOT NULL)
            SELECT number, count(*), min(at), max(at) FROM step JOIN key ON generation = number
            GROUP BY number ORDER BY number"""
        )
    ]
    seen = BitFilter(sum(generation.size for generation in stored))
    for generation in stored:
        last = (generation.number, -1, "")
        while names := _after(execute, last):
            seen.add(names, generation.number)
            last = (generation.number, *names[-1])
    return KeyIndex(stored, seen)


def _after(execute: Execute, last: tuple[int, int, str]) -> list[Name]:
    [[names]] = execute(
        """SELECT json_group_array(json_array(tenant, key)) FROM (SELECT tenant, key FROM key
        WHERE generation = ?1 AND (tenant, key) > (?2, ?3) ORDER BY tenant, key LIMIT ?4)""",
        (*last, BLOCK),
    )
    return _decode_names(names)


def lookup(
    execute: Execute, generations: Sequence[int], names: Iterable[Name]
) -> dict[Name, Known]:
    """What keys stand for; unknown ones are left out. ``generations``: the newest first."""
    standing: dict[Name, Known] = {}
    missing = set(names)
    for some in (generations[:RECENT], generations[RECENT:]):
        for tenant in {tenant for tenant, _ in missing} if some else ():
            [[found]] = execute(
                """SELECT json_group_array(json_array(key, message, digest)) FROM key
                WHERE generation IN (SELECT value FROM carray(?)) AND tenant = ?
                AND key IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
                (numbers(some), tenant, texts(key for owner, key in missing if owner == tenant)),
            )
            standing |= {
                (tenant, key): Known(message, digest)
                for key, message, digest in _decode_known(found)
            }
        missing -= standing.keys()
    return standing


class KeyRows(NamedTuple):
    """The keys of a call. ``perhaps``, by the index of their entry, may be known already; the
    others, ``fresh``, are known not to be, one row after the other."""

    fresh: list[Any]
    perhaps: list[tuple[int, Key]]
    generations: list[int]


def insert(execute: Execute, rows: KeyRows) -> dict[int, Known]:
    """Store keys; returns what those stand for that are known, by the index of their entry."""
    _INSERT.run(execute, rows.fresh)
    duplicates: dict[int, Known] = {}
    if rows.perhaps:
        names = [(key.tenant, key.key) for _, key in rows.perhaps]
        standing = lookup(execute, rows.generations, names)
        fresh: list[Any] = []
        for name, (index, key) in zip(names, rows.perhaps, strict=True):
            if name in standing:
                duplicates[index] = standing[name]
            else:
                standing[name] = Known(key.message, key.digest)
                fresh += key
        _INSERT.run(execute, fresh)
    return duplicates


def drop_block(session: Session, number: int, newest: int, now: float) -> tuple[int, list[Name]]:
    """Drop some keys of a generation, but move those of messages without an outcome to the newest.

    Returns:
        how many keys went or moved, 0 once there are none, and those that moved.
    """
    execute = session.execute
    names = _after(execute, (number, -1, ""))
    if not names:
        return 0, []
    block = (number, *names[-1])
    [[moved]] = execute(
        """SELECT json_group_array(json_array(tenant, key)) FROM key WHERE generation = ?
        AND (tenant, key) <= (?, ?) AND message IN (SELECT id FROM message)""",
        block,
    )
    execute(
        """INSERT OR IGNORE INTO key SELECT ?4, tenant, key, message, digest, ?5 FROM key
        WHERE generation = ?1 AND (tenant, key) <= (?2, ?3)
        AND message IN (SELECT id FROM message)""",
        (*block, newest, now),
    )
    execute("DELETE FROM key WHERE generation = ? AND (tenant, key) <= (?, ?)", block)
    return len(names), _decode_names(moved)
