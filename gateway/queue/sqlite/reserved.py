"""What counts against frequency caps and was accepted of late: in memory, and on record by a row
for all messages of one call.

A row of each message in ``use`` changes a page of its own, wherever its phone is, and that costs
more than all else that is done for it. So they are written by the thousand, in the order of their
phones, once `KEPT` have come. Until then ``reserved`` tells what was accepted, a blob for each call
of it, and ``spent``, a blob for each settlement, which of it went since and which did not; what
memory knows is made of that. It is *put away* into ``use``, the oldest first; all of it when a
store is opened, or closed.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec

from gateway.facts import Use
from gateway.message import Counted, Message
from gateway.numbers import canonical
from gateway.queue.marks import keep, marks
from gateway.queue.sqlite import uses
from gateway.queue.sqlite.arrived import first_rows
from gateway.queue.sqlite.bulk import Execute, Rows, numbers
from gateway.queue.sqlite.session import Session
from gateway.queue.store import Entry, Seen, Sent, went
from gateway.queue.store import Final as Ended

KEPT: Final = 65_536
"""Messages that are known in memory, some 30 MB; more are put away."""

AT_ONCE: Final = 8_192
"""Messages from which on no more are put away in one transaction: some 30 ms."""

_AWAY: Final = Rows(
    """INSERT INTO use (tenant, sent, number, message, marks, at, keep)
    SELECT ?, ?, * FROM (""",
    5,
    ") WHERE column1 NOT NULL ON CONFLICT DO NOTHING",
)
_Row = tuple[str, int, bytes, float, int]
_NOBODY: Final = frozenset[int]()


class Reserved(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message of a tenant, by its number, that counts for a phone from a moment on."""

    tenant: int
    phone: str
    message: int
    at: float
    counted: tuple[Counted, ...]


class Spent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Messages that went at a moment, and others that count no more."""

    at: float
    sent: list[int]
    back: list[int]


class _Since(NamedTuple):
    """When a message went, None where it counts no more, and the row that tells so."""

    at: float | None
    row: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Reserved]).decode
_decode_spent = msgspec.msgpack.Decoder(Spent).decode


class Accepting(msgspec.Struct, frozen=True):
    """A row of ``reserved`` that is about to be written: what it says, of one tenant's messages;
    what is known to count; and which phones may have rows in ``use``."""

    number: int
    some: Sequence[Reserved]
    seen: Seen
    perhaps: Collection[str]


class Away(msgspec.Struct, frozen=True):
    """What is about to be put away.

    Attributes:
        chunks: by number, what goes of ``reserved``.
        since: what is known of them, by their message.
        last: the last row of ``spent`` that was heeded.
        over: rows of it that tell nothing any more.
    """

    chunks: Mapping[int, Sequence[Reserved]]
    since: Mapping[int, _Since]
    last: int
    over: Sequence[int]

    @property
    def phones(self) -> list[str]:
        return [one.phone for some in self.chunks.values() for one in some]


class Settling(msgspec.Struct, frozen=True):
    """A row of ``spent`` that is about to be written, and what becomes of rows in ``use``."""

    number: int
    spent: Spent
    rows: uses.Spent


class Reservations:
    """What is known in memory of what counts.

    What a call writes is known here once it is committed; what it puts away is known until then.
    So whoever looks here first, and then into ``use``, misses nothing.
    """

    def __init__(self) -> None:
        self._chunks: dict[int, Sequence[Reserved]] = {}
        self._leaving: set[int] = set()
        self._known: dict[int, Reserved] = {}
        self._of_phone: dict[str, tuple[Reserved, ...]] = {}
        self._since: dict[int, _Since] = {}
        self._unsure: set[int] = set()
        self._last_chunk = self._last_spent = self._heeded = 0
        self._told: dict[int, int] = {}
        self._over: list[int] = []

    def reserve(self, some: Sequence[Reserved]) -> int:
        """Note what is about to be accepted; returns the number of its row."""
        self._last_chunk += 1
        of_phone, known = self._of_phone, self._known
        for one in some:
            known[one.message] = one
            before = of_phone.get(one.phone)
            of_phone[one.phone] = (one,) if before is None else (*before, one)
        self._unsure.update([one.message for one in some])
        self._chunks[self._last_chunk] = some
        return self._last_chunk

    def accepted(self, number: int, without: Collection[int]) -> None:
        """It was accepted, but for some."""
        some = self._chunks[number]
        self._unsure.difference_update([one.message for one in some])
        if without:
            self._chunks[number] = [one for one in some if one.message not in without]
            self._forget([one for one in some if one.message in without])

    def refused(self, number: int) -> None:
        """It was not accepted after all."""
        some = self._chunks.pop(number)
        self._unsure.difference_update([one.message for one in some])
        self._forget(some)

    def _forget(self, some: Iterable[Reserved]) -> None:
        of_phone, known = self._of_phone, self._known
        for one in some:
            del known[one.message]
            all_ = of_phone.pop(one.phone)
            if len(all_) > 1:  # seldom
                of_phone[one.phone] = tuple([o for o in all_ if o.message != one.message])

    def overtake(self, some: Iterable[Reserved], seen: Seen) -> bool:
        """Whether more counts of their phones than was seen, or is about to."""
        of_phone = self._of_phone
        for one in some:
            known = of_phone.get(one.phone)
            if known is not None:
                there = seen.get(one.phone, _NOBODY)
                if any(
                    o.tenant == one.tenant and o.message not in there and self._counts(o)
                    for o in known
                ):
                    return True
        return False

    def _counts(self, one: Reserved) -> bool:
        since = self._since.get(one.message)
        return since is None or since.at is not None

    def of(self, tenant: int, phones: Iterable[str]) -> dict[str, list[Use]]:
        """What counts of phones, for a tenant; those without anything are left out."""
        found: dict[str, list[Use]] = {}
        of_phone, unsure = self._of_phone, self._unsure
        for phone in phones if of_phone else ():
            for one in of_phone.get(phone, ()):
                if one.tenant == tenant and one.message not in unsure and self._counts(one):
                    since = self._since.get(one.message)
                    at = one.at if since is None or since.at is None else since.at
                    found.setdefault(phone, []).extend(
                        [Use(m, at, one.message, sent=since is not None) for m, _ in one.counted]
                    )
        return found

    def settling(
        self,
        number_of: Callable[[str], int],
        sent: Iterable[Sent],
        finals: Iterable[Ended],
        now: float,
    ) -> Settling | None:
        """What a settlement means for messages that count; None where it means nothing."""
        spent, rows = Spent(now, [], []), uses.Spent([], [])
        known, since = self._known, self._since

        def note(message: Message, ids: list[int], flat: list[Any]) -> None:
            number = message.id
            if number in known:
                if number in since:
                    return
                ids.append(number)
                if number not in self._leaving:
                    return
            flat += (number_of(message.tenant), canonical(message.to), number)

        for one in sent:
            if one.message.counted:
                note(one.message, spent.sent, rows.sent)
        before = set(spent.sent)
        for final in finals:
            message = final.message
            if message.counted and message.id not in before:
                if went(final.event):
                    note(message, spent.sent, rows.sent)
                else:
                    note(message, spent.back, rows.back)
        if not (spent.sent or spent.back or rows.sent or rows.back):
            return None
        self._last_spent += 1
        return Settling(self._last_spent, spent, rows)

    def settled(self, row: Settling) -> None:
        """It is committed."""
        self._heeded = row.number
        told = 0
        spent = row.spent
        known, since = self._known, self._since
        for ids, at in ((spent.sent, spent.at), (spent.back, None)):
            fresh = [number for number in ids if number in known and number not in since]
            since.update(dict.fromkeys(fresh, _Since(at, row.number)))
            told += len(fresh)
        if told:
            self._told[row.number] = told
        else:
            self._over.append(row.number)

    def away(self, most: int) -> Away | None:
        """Take out the oldest of what is more than ``most``; None where there is nothing to do."""
        if len(self._known) - len(self._leaving) <= most:
            return None
        chunks: dict[int, Sequence[Reserved]] = {}
        size = 0
        for number, some in self._chunks.items():
            if size >= AT_ONCE or any(one.message in self._unsure for one in some):
                break
            chunks[number] = some
            size += len(some)
        if not chunks:
            return None
        for number in chunks:
            del self._chunks[number]
        messages = [one.message for some in chunks.values() for one in some]
        self._leaving.update(messages)
        since = self._since
        found = {number: since[number] for number in messages if number in since}
        over, self._over = self._over, []
        return Away(chunks, found, self._heeded, over)

    def gone(self, away: Away) -> None:
        """It is committed as put away."""
        told: Counter[int] = Counter()
        for some in away.chunks.values():
            messages = [one.message for one in some]
            self._leaving.difference_update(messages)
            since = self._since
            told.update([since.pop(number).row for number in messages if number in since])
            self._forget(some)
        for row, less in told.items():
            self._told[row] -= less
            if not self._told[row]:
                del self._told[row]
                self._over.append(row)

    def stays(self, away: Away) -> None:
        """It was not put away after all."""
        self._chunks = {**away.chunks, **self._chunks}
        self._over += away.over
        for some in away.chunks.values():
            self._leaving.difference_update([one.message for one in some])


def asked(tenant: int, entries: Iterable[Entry]) -> list[Reserved]:
    """Those of a tenant's messages that count, as they are about to be accepted."""
    return [
        Reserved(tenant, canonical(m.to), m.id, m.due, m.counted)
        for m in (entry.message for entry in entries)
        if m.counted
    ]


def overtaken(execute: Execute, row: Accepting) -> bool:
    """Whether more messages to the same phones have rows in ``use`` than were seen."""
    if not row.perhaps:
        return False
    return uses.overtaken(execute, row.some[0].tenant, row.perhaps, row.seen)


def insert(execute: Execute, row: Accepting, without: Container[int]) -> None:
    """Let messages count, but for some."""
    some = [one for one in row.some if one.message not in without] if without else row.some
    if some:
        execute("INSERT INTO reserved VALUES (?, ?)", (row.number, _encode(some)))


def settle(execute: Execute, row: Settling) -> None:
    """Let messages count as sent, or no more."""
    spent = row.spent
    if spent.sent or spent.back:
        execute("INSERT INTO spent VALUES (?, ?)", (row.number, _encode(spent)))
    uses.settle(execute, row.rows, spent.at)


def put_away(session: Session, away: Away) -> None:
    """Give messages rows in ``use``."""
    since = dict(away.since)
    newer = "SELECT id, body FROM spent WHERE id > ? ORDER BY id"
    _read_spent(session.execute(newer, (away.last,)), since)
    _write(session.execute, chain.from_iterable(away.chunks.values()), since)
    _delete(session.execute, "reserved", away.chunks)
    _delete(session.execute, "spent", away.over)


def put_away_some(session: Session) -> bool:
    """Put some of all away, as a store does that is opened; False where there is nothing."""
    execute = session.execute
    rows = first_rows(execute, "reserved")
    if not rows:
        execute("DELETE FROM spent")
        return False
    since: dict[int, _Since] = {}
    _read_spent(execute("SELECT id, body FROM spent ORDER BY id"), since)
    query = "SELECT body FROM reserved WHERE id IN (SELECT value FROM carray(?))"
    _write(execute, _read(execute(query, (numbers(rows),))), since)
    _delete(execute, "reserved", rows)
    return True


def _read(bodies: Iterable[tuple[Any, ...]]) -> Iterator[Reserved]:
    for [body] in list(bodies):
        yield from _decode(body)


def _read_spent(rows: Iterable[tuple[Any, ...]], since: dict[int, _Since]) -> None:
    """Note what rows of ``spent`` tell: of a message, the first counts."""
    for number, body in list(rows):
        spent = _decode_spent(body)
        for message in spent.sent:
            since.setdefault(message, _Since(spent.at, number))
        for message in spent.back:
            since.setdefault(message, _Since(None, number))


def _write(execute: Execute, some: Iterable[Reserved], since: Mapping[int, _Since]) -> None:
    by_kind: dict[tuple[int, bool], list[_Row]] = {}
    for one in some:
        told = since.get(one.message)
        if told is None or told.at is not None:
            at = one.at if told is None or told.at is None else told.at
            rows = by_kind.setdefault((one.tenant, told is not None), [])
            rows.append((one.phone, one.message, marks(one.counted), at, keep(one.counted)))
    for kind, rows in by_kind.items():
        rows.sort()
        _AWAY.run(execute, [*chain.from_iterable(rows)], kind)


def _delete(execute: Execute, table: str, rows: Collection[int]) -> None:
    if rows:
        query = f"DELETE FROM {table} WHERE id IN (SELECT value FROM carray(?))"  # noqa: S608
        execute(query, (numbers(rows),))
