"""Idempotency keys, in generations.

Keys are often random, and in one large tree each would change a page of its own: with some
millions of them, a new one costs ten times as much as in an empty table. So keys go into the
newest of many small generations, whose few pages change together, and an old generation goes as a
whole. That a key is in none of them is known from one filter of all; for one that may be in some,
another tells in which generations it is worth a look. So a key costs the same however many
came before it.

A key is stored as its name, which says whose it is: the tenant's number and the key. Beside it, in
few bytes, is what whoever uses it again has to be told.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from gateway.message import Encoding
from gateway.queue.filter import BitFilter, SlicedFilter
from gateway.queue.sqlite.bulk import Execute, Rows, decode_texts, texts
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Entry, Known

GENERATION: Final = 65_536
"""Keys in a generation at most. Measured with random keys: 2.2 µs each, with four times as many
4.7 µs; with half as many 1.5 µs, but twice the generations to look through."""

GENERATION_AGE: Final = 86_400.0
"""Seconds between the first and the last key of a generation: how much longer than asked for a
key may be kept."""

AHEAD: Final = 4
"""Generations to come that the filter has room for from the start."""

BLOCK: Final = 4_096
"""Keys read or dropped at a time: a few milliseconds."""

_INSERT: Final = Rows.inserted(
    "OR ROLLBACK INTO key (generation, at, name, message, digest, got, not_before)", 5, shared=2
)
_DIGITS: Final = 20
"""Digits of a generation's number in front of a name, where both go as one text of an array."""

_LOOKUP: Final = f"""SELECT json_group_array(json_array(name, message, digest, got, not_before))
    FROM carray(?) AS place CROSS JOIN key
    WHERE generation = CAST(substr(place.value, 1, {_DIGITS}) AS INTEGER)
    AND name = CAST(substr(place.value, {_DIGITS + 1}) AS TEXT)"""  # noqa: S608  a number of its own

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


class Slice(NamedTuple):
    """Some generations, numbered from ``first`` on, and what tells in which of them a key may
    be."""

    first: int
    seen: SlicedFilter

    def places(self, names: Iterable[str]) -> list[str]:
        """Where keys may be, as `_LOOKUP` takes it."""
        return [
            f"{self.first + column:0{_DIGITS}}{name}"
            for name in names
            for column in self.seen.columns(name)
        ]


class KeyIndex:
    """What the event loop knows of all keys: their generations and the filters.

    Keys are noted when a call is made, before its commit: after one that fails, they are merely
    looked for in vain.
    """

    def __init__(self, expected: int) -> None:
        self._generations: list[Generation] = []
        self._seen = BitFilter(expected)
        self._slices: dict[int, Slice] = {}

    def slices(self) -> list[Slice]:
        """All slices, that of the newest generations first."""
        return [*reversed(self._slices.values())]

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
        perhaps = self.add(names)
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
        self.add(names)
        self._generations[-1].newest = max(self._generations[-1].newest, now)

    def dropped(self, number: int) -> None:
        """A generation, the oldest, is gone."""
        self._generations = [g for g in self._generations if g.number != number]
        self._seen.forget(number)
        for at in [at for at in self._slices if (at + 1) * SlicedFilter.COLUMNS <= number + 1]:
            del self._slices[at]

    def begin(self, generation: Generation) -> None:
        """Put a new generation behind the others."""
        self._generations.append(generation)
        at = generation.number // SlicedFilter.COLUMNS
        if at not in self._slices:
            self._slices[at] = Slice(at * SlicedFilter.COLUMNS, SlicedFilter(GENERATION))

    def add(self, names: Sequence[str]) -> set[str]:
        """Let the filters know keys of the newest generation. Returns those that they may have
        known, and those that are twice among ``names``."""
        at, column = divmod(self.newest(), SlicedFilter.COLUMNS)
        self._slices[at].seen.add(names, column)
        return self._seen.add(names, self.newest())

    def _begin(self, now: float) -> Generation:
        number = self.newest() + 1 if self._generations else 1
        self.begin(Generation(number, 0, now, now))
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
    index = KeyIndex((len(stored) + AHEAD) * GENERATION)
    for number in stored:
        query = "SELECT count(*), min(at), max(at) FROM key WHERE generation = ?"
        [(size, oldest, newest)] = execute(query, (number,))
        index.begin(Generation(number, size, oldest, newest))
        last = ""
        while names := _after(execute, number, last):
            index.add(names)
            last = names[-1]
    return index


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


def lookup(execute: Execute, slices: Sequence[Slice], names: Iterable[str]) -> dict[str, Known]:
    """What keys stand for; unknown ones are left out. ``slices``: the newest first, where a key
    mostly is that is used again."""
    standing: dict[str, Known] = {}
    missing = set(names)
    for some in (slices[:1], slices[1:]):
        places = [place for one in some for place in one.places(missing)]
        if places:
            [[found]] = execute(_LOOKUP, (texts(places),))
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
    other. The keys go into ``generation``; ``slices`` tell where those are that are stored."""

    fresh: list[Any]
    perhaps: list[tuple[int, KeyRow]]
    generation: int
    slices: list[Slice]
    at: float


def insert(execute: Execute, rows: KeyRows) -> dict[int, Known]:
    """Store keys; returns what those stand for that were stored, by the index of their entry."""
    shared = (rows.generation, rows.at)
    _INSERT.run(execute, rows.fresh, shared)
    duplicates: dict[int, Known] = {}
    if rows.perhaps:
        standing = lookup(execute, rows.slices, [key_row.name for _, key_row in rows.perhaps])
        fresh: list[Any] = []
        for index, key_row in rows.perhaps:
            if key_row.name in standing:
                duplicates[index] = standing[key_row.name]
            else:
                standing[key_row.name] = key_row.known
                fresh += key_row
        _INSERT.run(execute, fresh, shared)
    return duplicates


def forget(execute: Execute, names: Iterable[str]) -> None:
    """Forget keys, in whichever generation they are."""
    execute(
        """WITH RECURSIVE step (number) AS (SELECT min(generation) FROM key UNION ALL
        SELECT (SELECT min(generation) FROM key WHERE generation > number) FROM step
        WHERE number IS NOT NULL) DELETE FROM key
        WHERE generation IN (SELECT number FROM step WHERE number IS NOT NULL)
        AND name IN (SELECT CAST(value AS TEXT) FROM carray(?))""",
        (texts(names),),
    )


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
